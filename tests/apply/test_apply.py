"""`packyard apply` against a real server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from registry.cli import main
from tests.harness import ACCOUNT, REGION, Server

TEMPLATE = """
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  Team: {Type: String, Default: core}
  Domain: {Type: String}
Resources:
  Web:
    Type: AWS::CodeArtifact::Repository
    DeletionPolicy: Retain
    Properties:
      RepositoryName: !Sub "${Team}-web"
      DomainName: !GetAtt Home.Name
      Description: !Join [" ", [the, !Ref Team, repository]]
      Upstreams: [!GetAtt Store.Name]
      PermissionsPolicyDocument:
        Version: 2012-10-17
        Statement:
          - Effect: Allow
            Principal: {AWS: !Sub "arn:aws:iam::${AWS::AccountId}:root"}
            Action: codeartifact:ReadFromRepository
            Resource: "*"
  Store:
    Type: AWS::CodeArtifact::Repository
    Properties:
      RepositoryName: npm-store
      DomainName: !GetAtt Home.Name
      ExternalConnections: ["public:npmjs"]
      Tags: [{Key: team, Value: !Ref Team}]
  Private:
    Type: AWS::CodeArtifact::PackageGroup
    Properties:
      DomainName: !GetAtt Home.Name
      Pattern: !Sub "/npm/${Team}/*"
      ContactInfo: team@example.com
      OriginConfiguration:
        Restrictions:
          Publish:
            RestrictionMode: ALLOW_SPECIFIC_REPOSITORIES
            Repositories: [!GetAtt Web.Name]
          ExternalUpstream: {RestrictionMode: BLOCK}
  Home:
    Type: AWS::CodeArtifact::Domain
    Properties:
      DomainName: !Ref Domain
      Tags: [{Key: team, Value: core}]
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("apply")) as server:
        yield server


@pytest.fixture
def run(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Apply a text: status, output, errors."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)

    def run(text: str, *options: str, name: str = "template.yaml") -> tuple[int, str, str]:
        path = tmp_path / name
        path.write_text(text)
        status = main(["apply", str(path), "--endpoint-url", server.url, *options])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def test_a_template_is_applied_once_and_again(server: Server, run: Run) -> None:
    aws = server.boto()

    status, planned, _ = run(TEMPLATE, "--parameter", "Domain=home", "--dry-run")
    assert status == 0
    assert planned.splitlines()[0] == "would create domain home"
    assert "would create repository home/core-web: policy" in planned
    assert "home" not in [each["name"] for each in aws.list_domains()["domains"]]

    status, done, _ = run(TEMPLATE, "--parameter", "Domain=home")
    assert (status, done.splitlines()[-1]) == (0, "4 created")
    web = aws.describe_repository(domain="home", repository="core-web")["repository"]
    assert (web["description"], web["upstreams"]) == ("the core repository", [{"repositoryName": "npm-store"}])
    policy = aws.get_repository_permissions_policy(domain="home", repository="core-web")["policy"]
    assert f"arn:aws:iam::{ACCOUNT}:root" in policy["document"]
    store = aws.describe_repository(domain="home", repository="npm-store")["repository"]
    assert store["externalConnections"][0]["externalConnectionName"] == "public:npmjs"
    assert aws.list_tags_for_resource(resourceArn=store["arn"])["tags"] == [{"key": "team", "value": "core"}]
    group = aws.describe_package_group(domain="home", packageGroup="/npm/core/*")["packageGroup"]
    modes = {kind: each["mode"] for kind, each in group["originConfiguration"]["restrictions"].items()}
    assert modes == {
        "EXTERNAL_UPSTREAM": "BLOCK",
        "INTERNAL_UPSTREAM": "INHERIT",
        "PUBLISH": "ALLOW_SPECIFIC_REPOSITORIES",
    }

    again = run(TEMPLATE, "--parameter", "Domain=home")
    assert again == (0, "4 unchanged\n", "")
    assert run(TEMPLATE, "--parameter", "Domain=home", "--dry-run", "--delete") == (0, "", "")


def test_what_differs_is_brought_to_what_is_declared(server: Server, run: Run) -> None:
    aws = server.boto()
    run(TEMPLATE, "--parameter", "Domain=other")
    aws.create_repository(domain="other", repository="by-hand")
    aws.update_repository(domain="other", repository="core-web", description="changed", upstreams=[])
    aws.associate_external_connection(domain="other", repository="core-web", externalConnection="public:npmjs")
    arn = aws.describe_domain(domain="other")["domain"]["arn"]
    aws.tag_resource(resourceArn=arn, tags=[{"key": "more", "value": ""}])
    aws.create_package_group(domain="other", packageGroup="/pypi/*")
    aws.update_package_group_origin_configuration(
        domain="other",
        packageGroup="/npm/core/*",
        restrictions={"EXTERNAL_UPSTREAM": "ALLOW"},
        addAllowedRepositories=[{"originRestrictionType": "PUBLISH", "repositoryName": "by-hand"}],
    )
    changed = TEMPLATE.replace(
        "Upstreams: [!GetAtt Store.Name]", "Upstreams: [!GetAtt Store.Name]\n      ExternalConnections: []"
    )

    status, done, _ = run(changed, "--parameter", "Domain=other")

    assert status == 0
    assert set(done.splitlines()) == {
        "changed domain other: tags",
        "changed repository other/core-web: external connection public:npmjs removed, description, upstreams npm-store",
        "changed package group other /npm/core/*: EXTERNAL_UPSTREAM=BLOCK, PUBLISH -by-hand",
        "3 changed, 1 unchanged",
    }
    assert aws.describe_repository(domain="other", repository="by-hand")  # nothing is deleted unasked
    _, done, _ = run(changed, "--parameter", "Domain=other", "--delete")
    assert done.splitlines() == [
        "deleted repository other/by-hand",
        "deleted package group other /pypi/*",
        "4 unchanged, 2 deleted",
    ]
    assert {each["pattern"] for each in aws.list_package_groups(domain="other")["packageGroups"]} == {
        "/*",
        "/npm/core/*",
    }


def test_json_is_taken_and_the_root_group_configured(server: Server, run: Run) -> None:
    resources = {
        "D": {"Type": "AWS::CodeArtifact::Domain", "Properties": {"DomainName": "json-dom"}},
        "Root": {
            "Type": "AWS::CodeArtifact::PackageGroup",
            "Properties": {
                "DomainName": "json-dom",
                "Pattern": "/*",
                "OriginConfiguration": {"Restrictions": {"Publish": {"RestrictionMode": "BLOCK"}}},
            },
        },
    }

    status, done, _ = run(json.dumps({"Resources": resources}), name="template.json")

    assert (status, done.splitlines()[1]) == (0, "changed package group json-dom /*: PUBLISH=BLOCK")


@pytest.mark.parametrize(
    ("text", "options", "status", "why"),
    [
        ("Resources: {", [], 2, "not valid YAML"),
        (TEMPLATE, [], 2, "Parameters.Domain has no default"),
        (TEMPLATE, ["--parameter", "Domain"], 2, "NAME=VALUE"),
        (TEMPLATE.replace("Home.Name", "Home.Nome"), ["--parameter", "Domain=x1"], 2, "Home has no attribute Nome"),
        (TEMPLATE.replace("public:npmjs", "public:none"), ["--parameter", "Domain=x2"], 1, "Resources.Store"),
        (TEMPLATE, ["--parameter", "Domain=X!"], 1, "Resources.Home"),
        (
            TEMPLATE.replace("{RestrictionMode: BLOCK}", "{Mode: BLOCK}"),
            ["--parameter", "Domain=x3"],
            2,
            "ExternalUpstream",
        ),
    ],
)
def test_what_cannot_be_applied_says_why_in_one_line(
    server: Server, run: Run, text: str, options: list[str], status: int, why: str
) -> None:
    got, _, error = run(text, *options)

    assert (got, error.count("\n")) == (status, 1)
    if status == 2:  # a wrong template changes nothing
        assert not {"x1", "x3"} & {each["name"] for each in server.boto().list_domains()["domains"]}
    assert error.startswith("packyard: ") and why in error


def test_nobody_and_nothing_there_say_so(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    status, _, error = run(TEMPLATE, "--parameter", "Domain=home")
    assert (status, "credentials" in error) == (1, True)
    assert main(["apply", str(tmp_path / "none.yaml")]) == 1


def test_the_example_of_the_page_works_as_it_stands(server: Server, run: Run) -> None:
    page = (Path(__file__).parents[2] / "docs" / "guide" / "templates.md").read_text()
    example = page.partition("```yaml\n")[2].partition("```")[0]

    status, done, error = run(example, "--parameter", "Team=docs")

    assert (status, error) == (0, "")
    assert done.splitlines()[-1] == "4 created"
    assert run(example, "--parameter", "Team=docs") == (0, "4 unchanged\n", "")
