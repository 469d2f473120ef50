"""The guide's examples, run literally with the AWS CLI, give the guide's output.

Where the guide's samples and the service model disagree the model decides: a status is `Available`, tags are a list,
licenses have a name and a URL, an empty list is a list.  `ANY` stands for times, keys, revisions and digests.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest

from tests.harness import ACCESS_KEY, SECRET_KEY, Server

OWNER = "111122223333"
REPOSITORY_ARN = f"arn:aws:codeartifact:us-west-2:{OWNER}:repository"


class CLI:
    """The CLI, set up for one server."""

    def __init__(self, server: Server, home: Path, worker: subprocess.Popen[str]) -> None:
        self.server = server
        self.home = home
        self._worker = worker

    def __call__(self, line: str) -> Any:
        """Run a command line of the guide; its JSON output, or its text.  Fails where the command fails."""
        status, out, err = self.run(line)
        assert status == 0, (line, err)
        try:
            return json.loads(out) if out else None
        except json.JSONDecodeError:
            return out

    def run(self, line: str) -> tuple[int, str, str]:
        words = shlex.split(line.replace("\\\n", " "))
        assert words[0] == "aws"
        assert self._worker.stdin is not None and self._worker.stdout is not None
        print(json.dumps({"words": words[1:], "environ": environment(self.server, self.home)}), file=self._worker.stdin)
        self._worker.stdin.flush()
        done = json.loads(self._worker.stdout.readline())
        return done["status"], done["out"], done["err"]


@pytest.fixture(scope="module")
def worker() -> Iterator[subprocess.Popen[str]]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    command = [sys.executable, str(Path(__file__).with_name("aws_worker.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=kept) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def aws(empty: Server, tmp_path: Path, worker: subprocess.Popen[str]) -> CLI:
    return CLI(empty, tmp_path, worker)


@pytest.fixture
def domain(aws: CLI) -> CLI:
    """With the guide's `my_domain` and `my_repo`."""
    aws("aws codeartifact create-domain --domain my_domain")
    aws("aws codeartifact create-repository --domain my_domain --domain-owner 111122223333 --repository my_repo")
    return aws


def environment(server: Server, home: Path) -> dict[str, str]:
    return {
        "HOME": str(home),
        "AWS_CONFIG_FILE": str(home / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "credentials"),
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": "us-west-2",
        "AWS_ENDPOINT_URL_CODEARTIFACT": server.url,
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_PAGER": "",
    }


def repository(name: str, domain: str, **changes: Any) -> dict[str, Any]:
    """A repository as the guide prints it, with the creation time that the model adds."""
    return {
        "repository": {
            "name": name,
            "administratorAccount": OWNER,
            "domainName": domain,
            "domainOwner": OWNER,
            "arn": f"{REPOSITORY_ARN}/{domain}/{name}",
            "upstreams": [],
            "externalConnections": [],
            "createdTime": ANY,
            **changes,
        }
    }


def test_the_guides_first_steps(aws: CLI) -> None:
    npmjs = {"externalConnectionName": "public:npmjs", "packageFormat": "npm", "status": "Available"}
    my_domain = {
        "name": "my-domain",
        "owner": OWNER,
        "arn": f"arn:aws:codeartifact:us-west-2:{OWNER}:domain/my-domain",
        "status": "Active",
        "createdTime": ANY,
        "encryptionKey": ANY,
        "repositoryCount": 0,
        "assetSizeBytes": 0,
        "s3BucketArn": ANY,
    }

    assert aws("aws codeartifact create-domain --domain my-domain") == {"domain": my_domain}
    assert aws(
        """aws codeartifact create-repository --domain my-domain --domain-owner 111122223333 \\
--repository my-repo"""
    ) == repository("my-repo", "my-domain")
    aws("aws codeartifact create-repository --domain my-domain --domain-owner 111122223333 --repository npm-store")
    assert aws(
        """aws codeartifact associate-external-connection --domain my-domain \\
--domain-owner 111122223333 --repository npm-store --external-connection "public:npmjs" """
    ) == repository("npm-store", "my-domain", externalConnections=[npmjs])
    upstreams = [{"repositoryName": "npm-store"}]
    assert aws(
        """aws codeartifact update-repository --repository my-repo --domain my-domain \\
--domain-owner 111122223333 --upstreams repositoryName=npm-store"""
    ) == repository("my-repo", "my-domain", upstreams=upstreams)
    assert aws("aws codeartifact list-packages --domain my-domain --repository my-repo") == {"packages": []}
    assert aws(
        "aws codeartifact delete-repository --domain my-domain --domain-owner 111122223333 --repository my-repo"
    ) == repository("my-repo", "my-domain", upstreams=upstreams)
    assert aws(
        "aws codeartifact delete-repository --domain my-domain --domain-owner 111122223333 --repository npm-store"
    ) == repository("npm-store", "my-domain", externalConnections=[npmjs])
    assert aws("aws codeartifact delete-domain --domain my-domain --domain-owner 111122223333") == {
        "domain": {**my_domain, "status": "Deleted"}
    }


def test_working_with_repositories(aws: CLI) -> None:
    aws("aws codeartifact create-domain --domain my_domain")
    aws("aws codeartifact create-repository --domain my_domain --repository my-upstream-repo")

    assert aws(
        """aws codeartifact create-repository --domain my_domain --domain-owner 111122223333 \\
--repository my_repo --upstreams repositoryName=my-upstream-repo --description "My new repository" """
    ) == repository(
        "my_repo", "my_domain", description="My new repository", upstreams=[{"repositoryName": "my-upstream-repo"}]
    )
    assert aws(
        "aws codeartifact update-repository --domain my_domain --domain-owner 111122223333 --repository my_repo "
        "--upstreams []"
    ) == repository("my_repo", "my_domain", description="My new repository")
    assert aws(
        """aws codeartifact update-repository \\
  --repository my_repo \\
  --domain my_domain \\
  --domain-owner 111122223333 \\
  --upstreams"""
    ) == repository("my_repo", "my_domain", description="My new repository")
    assert aws(
        "aws codeartifact describe-repository --domain my_domain --domain-owner 111122223333 --repository my_repo"
    ) == repository("my_repo", "my_domain", description="My new repository")
    listed = aws("aws codeartifact list-repositories")
    assert [r["name"] for r in listed["repositories"]] == ["my-upstream-repo", "my_repo"]
    assert (
        aws(
            """aws codeartifact list-repositories-in-domain --domain my_domain --domain-owner 111122223333 \\
--query 'repositories[*].[name]' --output text"""
        )
        == "my-upstream-repo\nmy_repo\n"
    )
    first = aws("aws codeartifact list-repositories-in-domain --domain my_domain --max-results 1")
    rest = aws(f"aws codeartifact list-repositories-in-domain --domain my_domain --next-token {first['nextToken']}")
    assert [r["name"] for r in first["repositories"] + rest["repositories"]] == ["my-upstream-repo", "my_repo"]
    assert (
        aws(
            """aws codeartifact get-repository-endpoint --domain my_domain --domain-owner 111122223333 \\
--repository my_repo --format npm --query repositoryEndpoint --output text"""
        )
        == f"{aws.server.url}/npm/d/my_domain-{OWNER}/my_repo/\n"
    )


def test_tagging(domain: CLI) -> None:
    aws = domain
    arn = aws("aws codeartifact describe-repository --domain my_domain --repository my_repo --query repository.arn")
    assert arn == f"{REPOSITORY_ARN}/my_domain/my_repo"

    assert (
        aws(f"aws codeartifact tag-resource --resource-arn {arn} --tags key=key1,value=value1 key=key2,value=value2")
        is None
    )
    assert aws(f"aws codeartifact list-tags-for-resource --resource-arn {arn}") == {
        "tags": [{"key": "key1", "value": "value1"}, {"key": "key2", "value": "value2"}]
    }
    assert aws(f"aws codeartifact tag-resource --resource-arn {arn} --tags key=key1,value=newvalue1") is None
    assert aws(f"aws codeartifact untag-resource --resource-arn {arn} --tag-keys key1 key2") is None
    assert aws(f"aws codeartifact list-tags-for-resource --resource-arn {arn}") == {"tags": []}


@pytest.mark.parametrize("kind", ["repository", "domain"])
def test_policies(domain: CLI, tmp_path: Path, kind: str) -> None:
    aws = domain
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Action": ["codeartifact:ReadFromRepository"],
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
                "Resource": "*",
            }
        ],
    }
    (tmp_path / "policy.json").write_text(json.dumps(document, indent=2))
    more = "--repository my_repo" if kind == "repository" else ""
    arn = f"arn:aws:codeartifact:us-west-2:{OWNER}:domain/my_domain"
    arn = f"{REPOSITORY_ARN}/my_domain/my_repo" if kind == "repository" else arn

    put = aws(
        f"""aws codeartifact put-{kind}-permissions-policy --domain my_domain --domain-owner 111122223333 \\
    {more} --policy-document file://{tmp_path}/policy.json"""
    )
    document_text = aws(
        f"""aws codeartifact get-{kind}-permissions-policy --domain my_domain --domain-owner 111122223333 \\
    {more} --output text --query policy.document"""
    )
    deleted = aws(
        f"aws codeartifact delete-{kind}-permissions-policy --domain my_domain --domain-owner 111122223333 {more}"
    )

    assert put == {"policy": {"resourceArn": arn, "document": json.dumps(document, indent=2), "revision": ANY}}
    assert document_text == document
    assert deleted == put


def test_tokens(domain: CLI) -> None:
    aws = domain
    token = aws(
        """aws codeartifact get-authorization-token \\
  --domain my_domain \\
  --domain-owner 111122223333 \\
  --query authorizationToken \\
  --output text \\
  --duration-seconds 3600"""
    )

    assert token.strip() and "\n" not in token.strip()


def publish(aws: CLI, version: str, name: str, content: bytes, *options: str) -> dict[str, Any]:
    """The guide's example of publishing a generic package."""
    path = aws.home / "asset.bin"
    path.write_bytes(content)
    digest = subprocess.run(["sha256sum", str(path)], capture_output=True, check=True).stdout.split()[0].decode()
    made: dict[str, Any] = aws(
        f"""aws codeartifact publish-package-version --domain my_domain --repository my_repo \\
      --format generic --namespace my-ns --package my-package --package-version {version} \\
      --asset-content {path} --asset-name {name} \\
      --asset-sha256 {digest} {" ".join(options)}"""
    )
    return made


VERSION = (
    "--domain my_domain --domain-owner 111122223333 --repository my_repo --format generic --namespace my-ns "
    "--package my-package"
)


def test_publishing_and_reading_generic_packages(domain: CLI, tmp_path: Path) -> None:
    aws = domain
    head = {"format": "generic", "namespace": "my-ns", "package": "my-package", "version": "1.0.0"}
    hashes = {"MD5": ANY, "SHA-1": ANY, "SHA-256": ANY, "SHA-512": ANY}

    first = publish(aws, "1.0.0", "asset-1.bin", b"one", "--unfinished")
    second = publish(aws, "1.0.0", "asset-2.bin", b"second")
    listed = aws(f"aws codeartifact list-package-version-assets {VERSION} --package-version 1.0.0")
    got = aws(
        f"""aws codeartifact get-package-version-asset {VERSION} --package-version 1.0.0 \\
  --asset asset-1.bin {tmp_path}/out.bin"""
    )
    described = aws(f"aws codeartifact describe-package-version {VERSION} --package-version 1.0.0")
    versions = aws(f"aws codeartifact list-package-versions {VERSION} --sort-by PUBLISHED_TIME --max-results 5")

    one, two = ({"name": f"asset-{n}.bin", "size": s, "hashes": hashes} for n, s in ((1, 3), (2, 6)))
    assert first == {**head, "versionRevision": ANY, "status": "Unfinished", "asset": one}
    assert second == {**head, "versionRevision": ANY, "status": "Published", "asset": two}
    revision = second["versionRevision"]
    assert listed == {**head, "versionRevision": revision, "assets": [one, two]}
    assert got == {"assetName": "asset-1.bin", "packageVersion": "1.0.0", "packageVersionRevision": revision}
    assert (tmp_path / "out.bin").read_bytes() == b"one"
    origin = {"domainEntryPoint": {"repositoryName": "my_repo"}, "originType": "INTERNAL"}
    assert described["packageVersion"] == {
        "format": "generic",
        "namespace": "my-ns",
        "packageName": "my-package",
        "displayName": "my-package",
        "version": "1.0.0",
        "publishedTime": ANY,
        "licenses": [],
        "revision": revision,
        "status": "Published",
        "origin": origin,
    }
    assert versions == {
        "format": "generic",
        "namespace": "my-ns",
        "package": "my-package",
        "defaultDisplayVersion": "1.0.0",
        "versions": [{"version": "1.0.0", "revision": revision, "status": "Published", "origin": origin}],
    }


def test_statuses_copies_and_deletions(domain: CLI) -> None:
    aws = domain
    for version in ("4.0.0", "4.1.0"):
        publish(aws, version, "a", version.encode())
    aws("aws codeartifact create-repository --domain my_domain --repository repo-2")
    copy = (
        "aws codeartifact copy-package-versions --domain my_domain --domain-owner 111122223333 "
        "--source-repository my_repo --destination-repository repo-2 --package my-package --format generic "
        "--namespace my-ns"
    )
    revisions = {
        v["version"]: v["revision"] for v in aws(f"aws codeartifact list-package-versions {VERSION}")["versions"]
    }

    def done(status: str, *versions: str) -> dict[str, Any]:
        changed = {version: {"revision": revisions[version], "status": status} for version in versions}
        return {"successfulVersions": changed, "failedVersions": {}}

    def failed(**versions: tuple[str, str]) -> dict[str, Any]:
        return {
            "successfulVersions": {},
            "failedVersions": {
                f"{name[1]}.{name[2]}.{name[3]}": {"errorCode": code, "errorMessage": message}
                for name, (code, message) in versions.items()
            },
        }

    assert aws(f"{copy} --versions 4.0.0 5.6.7") == failed(
        v400=("SKIPPED", "Version 4.0.0 was skipped"), v567=("NOT_FOUND", "Could not find version 5.6.7")
    )
    assert aws(f"{copy} --versions 4.0.0 4.1.0") == done("Published", "4.0.0", "4.1.0")
    assert aws(f"{copy} --version-revisions 4.0.0={revisions['4.0.0']}") == done("Published")
    update = f"aws codeartifact update-package-versions-status {VERSION}"
    assert aws(f"{update} --versions 4.1.0 4.0.0 --target-status Archived --expected-status Unlisted") == failed(
        v400=("MISMATCHED_STATUS", "current status: Published, expected status: Unlisted"),
        v410=("MISMATCHED_STATUS", "current status: Published, expected status: Unlisted"),
    )
    wrong = f'"4.1.0={revisions["4.1.0"]},4.0.0=other"'
    assert aws(f"{update} --version-revisions {wrong} --versions 4.1.0 4.0.0 --target-status Archived") == failed(
        v410=("SKIPPED", "version 4.1.0 is skipped"),
        v400=("MISMATCHED_REVISION", f"current revision: {revisions['4.0.0']}, expected revision: other"),
    )
    assert aws(f"{update} --versions 4.1.0 --target-status Archived") == done("Archived", "4.1.0")
    dispose = f"aws codeartifact dispose-package-versions {VERSION} --versions 4.0.0"
    assert aws(f"{dispose} --expected-status Unlisted") == failed(
        v400=("MISMATCHED_STATUS", "current status: Published, expected status: Unlisted")
    )
    assert aws(f"{dispose} --expected-status Published") == done("Disposed", "4.0.0")
    assert aws(f"aws codeartifact delete-package-versions {VERSION} --versions 4.0.0 4.1.0") == done(
        "Deleted", "4.0.0", "4.1.0"
    )
    restrictions = {"restrictions": {"publish": "ALLOW", "upstream": "BLOCK"}}
    assert aws(
        f"aws codeartifact put-package-origin-configuration {VERSION} --restrictions publish=ALLOW,upstream=BLOCK"
    ) == {"originConfiguration": restrictions}
    assert aws(f"aws codeartifact delete-package {VERSION}") == {
        "deletedPackage": {
            "format": "generic",
            "namespace": "my-ns",
            "package": "my-package",
            "originConfiguration": restrictions,
        }
    }
    status, _, err = aws.run(f"aws codeartifact describe-package {VERSION}")
    assert status != 0
    assert "(ResourceNotFoundException)" in err


def test_lists_of_packages_in_the_forms_of_the_guide(domain: CLI) -> None:
    aws = domain
    publish(aws, "1.0.0", "a", b"1")
    packages = "aws codeartifact list-packages --domain my_domain --domain-owner 111122223333 --repository my_repo"

    assert aws(f"{packages} --format generic --namespace my --package-prefix my-")["packages"] == [
        {
            "format": "generic",
            "namespace": "my-ns",
            "package": "my-package",
            "originConfiguration": {"restrictions": {"publish": "ALLOW", "upstream": "BLOCK"}},
        }
    ]
    assert aws(f"{packages} --output text --query 'packages[*].[package]'") == "my-package\n"
    assert aws(f"{packages} --max-results 20")["packages"]
    status, _, err = aws.run(f"{packages} --namespace my-ns")
    assert status != 0
    assert "(ValidationException)" in err


def test_the_command_itself(empty: Server, tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("aws")), "codeartifact", "create-domain", "--domain", "my_domain"]
    command += ["--tags", "key=k1,value=v1", "key=k2,value=v2"]

    environ = {"PATH": os.environ["PATH"], **environment(empty, tmp_path)}
    done = subprocess.run(command, env=environ, capture_output=True, check=True, timeout=60)

    assert json.loads(done.stdout)["domain"]["name"] == "my_domain"


# --- Working with package groups ------------------------------------------------------------------


def test_package_groups(domain: CLI) -> None:
    """Guide, "Create", "View or edit", "Delete a package group", "Editing package group origin control settings"."""
    domain("aws codeartifact create-repository --domain my_domain --repository my_repo2")
    made = domain(
        "aws codeartifact create-package-group --domain my_domain --package-group '/nuget/*'"
        " --domain-owner 111122223333 --contact-info contact@email.com --description 'a new package group'"
        " --tags key=key1,value=value1"
    )["packageGroup"]
    assert made["arn"] == f"arn:aws:codeartifact:us-west-2:{OWNER}:package-group/my_domain/nuget/%2a"
    changed = domain(
        "aws codeartifact update-package-group --domain my_domain --package-group '/nuget/*'"
        " --domain-owner 111122223333 --contact-info contact@email.com"
        " --description 'updated package group description'"
    )["packageGroup"]
    assert changed == {**made, "description": "updated package group description"}
    configured = domain(
        "aws codeartifact update-package-group-origin-configuration --domain my_domain --domain-owner 111122223333"
        " --package-group '/nuget/*' --restrictions INTERNAL_UPSTREAM=ALLOW_SPECIFIC_REPOSITORIES"
        " --add-allowed-repositories originRestrictionType=INTERNAL_UPSTREAM,repositoryName=my_repo"
        " --remove-allowed-repositories originRestrictionType=INTERNAL_UPSTREAM,repositoryName=my_repo2"
    )
    assert configured["allowedRepositoryUpdates"] == {"INTERNAL_UPSTREAM": {"ADDED": ["my_repo"]}}
    domain("aws codeartifact create-package-group --domain my_domain --package-group /npm/scope/anycompany~")
    arn = domain(
        "aws codeartifact describe-package-group --domain my_domain --package-group /npm/scope/anycompany~"
        " --query packageGroup.arn"
    )
    assert arn == f"arn:aws:codeartifact:us-west-2:{OWNER}:package-group/my_domain/npm/scope/anycompany~"
    domain(f"aws codeartifact tag-resource --resource-arn {arn} --tags key=key1,value=value1 key=key2,value=value2")
    assert domain(f"aws codeartifact list-tags-for-resource --resource-arn {arn}") == {
        "tags": [{"key": "key1", "value": "value1"}, {"key": "key2", "value": "value2"}]
    }
    domain(f"aws codeartifact untag-resource --resource-arn {arn} --tag-keys key1 key2")
    assert domain(f"aws codeartifact list-tags-for-resource --resource-arn {arn}") == {"tags": []}
    domain(
        "aws codeartifact delete-package-group --domain my_domain --domain-owner 111122223333"
        " --package-group '/nuget/*'"
    )
    status, _, error = domain.run(
        "aws codeartifact describe-package-group --domain my_domain --package-group '/nuget/*'"
    )
    assert status != 0 and "ResourceNotFoundException" in error


def test_the_commands_of_our_own_page_work_as_they_stand(domain: CLI) -> None:
    page = Path(__file__).parents[2] / "docs" / "guide" / "package-groups.md"
    lines = [line for line in page.read_text().splitlines() if line.startswith("aws ")]
    assert len(lines) > 15

    said = {line: domain(line) for line in lines}

    assert next(answer for line, answer in said.items() if line.endswith("associationType")) == "WEAK"
    listed = next(answer for line, answer in said.items() if "list-allowed-repositories" in line)
    assert listed == {"allowedRepositories": ["my_repo"]}
    assert any("team" in str(answer) for line, answer in said.items() if "list-tags" in line)
