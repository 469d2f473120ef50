"""Who may do what, as clients see it: tokens, identity policies, resource policies, errors in each client's words."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from registry.core.types import Caller
from registry.identity.secrets import Secrets, master_key
from registry.identity.tokens import Tokens
from tests.chains.town import Client, Npm, Pypi, Town, new_user, npm_client, pip_client
from tests.clients.sandbox import Home, tool
from tests.harness import Server
from tests.samples import pypi as samples
from tests.samples.pypi import Project

ARN = "arn:aws:codeartifact:us-west-2:111122223333"
TOKENS: Mapping[str, Any] = {
    "Effect": "Allow",
    "Action": ["codeartifact:GetAuthorizationToken", "sts:GetServiceBearerToken"],
    "Resource": "*",
}


def allow(*actions: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": [f"codeartifact:{each}" for each in actions], "Resource": resource, **more}


def document(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def token_of(user: Any, **more: Any) -> str:
    found: str = user.get_authorization_token(domain="dom", **more)["authorizationToken"]
    return found


def expiring_token(server: Server, left: int, domain: str = "dom") -> str:
    """A token that ends in `left` milliseconds; GetAuthorizationToken gives a quarter of an hour at least."""

    async def look(tx: Any) -> Any:
        from registry.core.types import DomainKey

        user = await tx.identity.user("111122223333", "admin")
        return user, await tx.domains.get(DomainKey("111122223333", domain))

    user, row = asyncio.run_coroutine_threadsafe(server.app.services.store.read(look), server.loop).result(20)
    caller = Caller("111122223333", "arn:aws:iam::111122223333:user/admin", user.id, "admin")
    tokens = Tokens(Secrets(master_key(server.data / "keys", {})).derive("tokens"))
    return tokens.mint(caller, row.id, server.app.services.clock.now() + left)


def publisher(folder: Path, shop: Pypi, name: str) -> Client:
    """twine or uv, in a home of its own."""
    binary = tool(f"py/bin/{name}")
    extra = {
        "TWINE_USERNAME": "aws", "TWINE_PASSWORD": shop.token, "TWINE_REPOSITORY_URL": shop.endpoint,
        "UV_PUBLISH_USERNAME": "aws", "UV_PUBLISH_PASSWORD": shop.token, "UV_PUBLISH_URL": shop.endpoint,
        "UV_NO_CONFIG": "1", "UV_NO_PROGRESS": "1", "COLUMNS": "400",
    }  # fmt: skip
    commands = {
        "twine": ["upload", "--non-interactive", "--disable-progress-bar", "--verbose"],
        "uv": ["publish", "--trusted-publishing", "never"],
    }
    return Client(Home(folder, extra), [binary, *commands[name]])


def wheel(client: Client, **project: Any) -> str:
    name, body = samples.wheel(Project(**project))
    (client.home.work / name).write_bytes(body)
    return name


# --- Errors in each client's words ----------------------------------------------------------------


@pytest.mark.clients
def test_a_reader_installs_and_cannot_publish(town: Town, tmp_path: Path) -> None:
    """403, naming the right that is missing."""
    my = town.repo("my")
    town.npm("my").publish("web")
    town.pypi("my").publish("tool")
    reader = town.user("reader", TOKENS, allow("ReadFromRepository", resource=f"{ARN}:repository/dom/{my}"))
    token = token_of(reader)

    npm, pip = npm_client(tmp_path / "npm", town.npm("my", token)), pip_client(tmp_path / "pip", town.pypi("my", token))
    npm("install", "web")
    assert "Successfully installed tool-1.0.0" in pip("install", "tool")
    (npm.home.work / "package.json").write_text('{"name": "mine", "version": "1.0.0"}')
    said = {"npm": npm("publish", ok=False), "tag": npm("dist-tag", "add", "web@1.0.0", "old", ok=False)}
    for name in ("twine", "uv"):
        client = publisher(tmp_path / name, town.pypi("my", token), name)
        said[name] = client(wheel(client, name="mine"), ok=False)

    for name, words in said.items():
        assert "403" in words, (name, words)
        action = "PutPackageMetadata" if name == "tag" else "PublishPackageVersion"
        assert action in words, (name, words)
    assert town.held("my", "mine") == town.held("my", "mine", "pypi") == {}


@pytest.mark.clients
def test_someone_without_rights_is_told_so_and_not_that_there_is_nothing(town: Town, tmp_path: Path) -> None:
    town.repo("my")
    town.npm("my").publish("web")
    town.pypi("my").publish("tool")
    token = token_of(town.user("nobody", TOKENS))

    said = npm_client(tmp_path / "npm", town.npm("my", token))("install", "web", ok=False)
    pip = pip_client(tmp_path / "pip", town.pypi("my", token))("install", "tool", ok=False)
    uv = Client(
        Home(tmp_path / "uv", {"UV_NO_CONFIG": "1", "UV_NO_PROGRESS": "1"}), [tool("py/bin/uv"), "pip", "install"]
    )
    index = town.pypi("my", token).endpoint.replace("http://", f"http://aws:{token}@") + "simple/"
    hint = uv("--target", str(tmp_path / "target"), "--default-index", index, "tool", ok=False)

    assert "E403" in said
    assert "ReadFromRepository" in said
    assert "No matching distribution" in pip or "403" in pip
    assert "403" in hint
    assert town.npm("my", token)("GET", "absent").status == 403  # nor whether something is there
    assert town.npm("my", token)("GET", "web").status == 403


@pytest.mark.clients
@pytest.mark.parametrize("kind", ["wrong", "expired", "other domain's"])
def test_a_token_that_is_not_good_here(town: Town, tmp_path: Path, kind: str) -> None:
    town.repo("my")
    town.npm("my").publish("web")
    town.pypi("my").publish("tool")
    if kind == "wrong":
        token = "py1.nonsense"
    elif kind == "expired":
        token = expiring_token(town.front, -60_000)
    else:
        town.front.make("elsewhere")
        token = town.front.token("elsewhere")

    status = "403" if kind == "other domain's" else "401"
    npm = npm_client(tmp_path / "npm", town.npm("my", token))
    said = {"npm install": npm("install", "web", ok=False), "npm ping": npm("ping", ok=False)}
    (npm.home.work / "package.json").write_text('{"name": "mine", "version": "1.0.0"}')
    said["npm publish"] = npm("publish", ok=False)
    for name in ("twine", "uv"):
        client = publisher(tmp_path / name, town.pypi("my", token), name)
        said[name] = client(wheel(client, name="mine"), ok=False)
    pip = pip_client(tmp_path / "pip", town.pypi("my", token))("install", "tool", ok=False)

    for name, words in said.items():
        assert status in words, (name, words)
    assert "No matching distribution" in pip or status in pip
    for answer in (town.npm("my", token)("GET", "web"), town.pypi("my", token).page("tool")):
        assert answer.status == int(status)
        assert ("www-authenticate" in answer.headers) == (status == "401")


@pytest.mark.clients
def test_conflicts_and_absences_are_told(town: Town, tmp_path: Path) -> None:
    town.repo("my")
    town.npm("my").publish("web")
    town.pypi("my").publish("tool")
    npm = npm_client(tmp_path / "npm", town.npm("my"))

    missing = npm("install", "webb", ok=False)
    (npm.home.work / "package.json").write_text('{"name": "web", "version": "1.0.0"}')
    conflict = npm("publish", "--force", ok=False)
    said = {}
    for name in ("twine", "uv"):
        client = publisher(tmp_path / name, town.pypi("my"), name)
        said[name] = client(wheel(client, name="tool", code="VALUE = 2\n"), ok=False)

    assert "E404" in missing
    assert "webb is not in this repository" in missing
    assert "409" in conflict
    assert "already" in conflict
    for name, words in said.items():
        assert "409" in words, (name, words)
        assert "already has an asset" in words, (name, words)


def test_a_token_ends_at_its_time_for_every_cache(town: Town) -> None:
    town.repo("my")
    town.npm("my").publish("web")
    shop = town.npm("my", expiring_token(town.front, 1500))

    while (answers := {shop("GET", "web").status, shop.fetch("web").status}) == {200}:
        pass

    assert 401 in answers
    assert {shop("GET", "web").status, shop.fetch("web").status, shop("GET", "-/ping").status} == {401}


def test_an_error_never_shows_a_token_or_a_path(town: Town) -> None:
    town.repo("my")
    shop = town.npm("my")

    for answer in (
        shop("GET", "absent"),
        shop("PUT", "absent", b"{"),
        town.pypi("my").page("absent"),
        Npm(town.front, town.name("absent"), token=shop.token)("GET", "web"),
        Npm(town.front, town.name("my"), token="py1.a.b")("GET", "web"),
    ):
        assert answer.status >= 400
        assert shop.token not in answer.text
        assert str(town.front.data) not in answer.text
        assert "Traceback" not in answer.text


# --- AWS CodeArtifact authentication and tokens ---------------------------------------------------


def test_a_token_needs_both_rights_and_a_lifetime_between_a_quarter_and_twelve_hours(town: Town) -> None:
    for name, action in (("one", "codeartifact:GetAuthorizationToken"), ("two", "sts:GetServiceBearerToken")):
        user = town.user(name, {"Effect": "Allow", "Action": action, "Resource": "*"})
        with pytest.raises(user.exceptions.AccessDeniedException):
            token_of(user)
    user = town.user("both", TOKENS)
    for seconds in (900, 43200):
        assert token_of(user, durationSeconds=seconds)
    for seconds in (0, 1, 899, 43201):
        with pytest.raises(ClientError) as refused:
            token_of(user, durationSeconds=seconds)
        assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_a_domain_policy_does_not_grant_the_bearer_token(town: Town) -> None:
    """Guide: sts:GetServiceBearerToken will have no effect in that policy."""
    name = town.name("policy")
    town.front.make(name)
    user = town.user("user", allow("GetAuthorizationToken"))
    statement = {"Effect": "Allow", "Principal": "*", "Action": ["sts:*", "codeartifact:*"], "Resource": "*"}
    town.aws.put_domain_permissions_policy(domain=name, policyDocument=document(statement))

    with pytest.raises(user.exceptions.AccessDeniedException):
        user.get_authorization_token(domain=name)


@pytest.mark.parametrize(
    ("condition", "good", "bad"),
    [
        ({"NumericEquals": {"sts:DurationSeconds": 43200}}, [43200, None], [3600]),
        ({"NumericLessThanEquals": {"sts:DurationSeconds": 3600}}, [900, 3600], [3601, None]),
    ],
)
def test_the_guides_limits_of_the_token_duration(
    town: Town, condition: dict[str, Any], good: list[int | None], bad: list[int | None]
) -> None:
    user = town.user(
        "user",
        {"Effect": "Allow", "Action": "codeartifact:*", "Resource": "*"},
        {
            "Sid": "sts",
            "Effect": "Allow",
            "Action": "sts:GetServiceBearerToken",
            "Resource": "*",
            "Condition": {**condition, "StringEquals": {"sts:AWSServiceName": "codeartifact.amazonaws.com"}},
        },
    )

    for seconds in good:
        assert token_of(user, **({} if seconds is None else {"durationSeconds": seconds}))
    for seconds in bad:
        with pytest.raises(user.exceptions.AccessDeniedException):
            token_of(user, **({} if seconds is None else {"durationSeconds": seconds}))


def test_a_policy_that_changes_is_seen_by_the_tokens_that_are_out_there(town: Town) -> None:
    """Guide, "Revoking CodeArtifact authorization tokens"."""
    my = town.repo("my")
    town.npm("my").publish("web")
    shop = town.npm("my", token_of(town.user("user", TOKENS, allow("ReadFromRepository"))))
    assert shop("GET", "web").status == 200
    deny = {"Effect": "Deny", "Principal": "*", "Action": "codeartifact:ReadFromRepository", "Resource": "*"}

    town.aws.put_repository_permissions_policy(domain="dom", repository=my, policyDocument=document(deny))
    refused = shop("GET", "web").status, shop.fetch("web").status
    town.aws.delete_repository_permissions_policy(domain="dom", repository=my)

    assert refused == (403, 403)
    assert shop("GET", "web").status == 200


# --- Repository policies --------------------------------------------------------------------------

READ = [
    "DescribePackageVersion",
    "DescribeRepository",
    "GetPackageVersionReadme",
    "GetRepositoryEndpoint",
    "ListPackages",
    "ListPackageVersions",
    "ListPackageVersionAssets",
    "ListPackageVersionDependencies",
    "ReadFromRepository",
]


def test_the_guides_sample_policies_are_kept_as_they_are_put(town: Town) -> None:
    my = town.repo("my")
    place = {"domain": "dom", "repository": my}
    samples_ = [
        document({"Action": ["codeartifact:ReadFromRepository"], "Effect": "Allow",
                  "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Resource": "*"}),
        document({"Action": [f"codeartifact:{each}" for each in READ], "Effect": "Allow",
                  "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Resource": "*"}),
        document({"Action": ["codeartifact:ReadFromRepository"], "Effect": "Allow",
                  "Principal": {"AWS": "arn:aws:iam::123456789012:user/bob"}, "Resource": "*"}),
        document({"Action": ["codeartifact:PublishPackageVersion"], "Effect": "Allow",
                  "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
                  "Resource": f"{ARN}:package/dom/{my}/npm/parity/ui"}),
        document({"Action": ["codeartifact:PublishPackageVersion"], "Effect": "Allow",
                  "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Resource": f"{ARN}:package/dom/{my}/*"}),
        document({"Sid": "DenyRepositoryDeletion", "Action": ["codeartifact:DeleteRepository"], "Effect": "Deny",
                  "Resource": "*", "Principal": "*"}),
    ]  # fmt: skip

    revision = None
    for text in samples_:
        more = {} if revision is None else {"policyRevision": revision}
        put = town.aws.put_repository_permissions_policy(**place, policyDocument=text, **more)["policy"]
        got = town.aws.get_repository_permissions_policy(**place)["policy"]
        assert put == got
        assert json.loads(got["document"]) == json.loads(text)
        assert got["resourceArn"] == f"{ARN}:repository/dom/{my}"
        if revision is not None:
            with pytest.raises(town.aws.exceptions.ConflictException):
                town.aws.put_repository_permissions_policy(**place, policyDocument=text, policyRevision=revision)
        revision = got["revision"]
    # The last of them protects the repository from being deleted.
    with pytest.raises(town.aws.exceptions.AccessDeniedException):
        town.aws.delete_repository(**place)
    assert town.aws.delete_repository_permissions_policy(**place)["policy"] == got
    with pytest.raises(town.aws.exceptions.ResourceNotFoundException):
        town.aws.get_repository_permissions_policy(**place)
    town.aws.delete_repository(**place)


def test_a_user_of_the_same_account_publishes_one_package_by_a_repository_policy(town: Town) -> None:
    my = town.repo("my")
    user = town.user("user", TOKENS)
    statement = {
        **allow("PublishPackageVersion", resource=f"{ARN}:package/dom/{my}/npm/parity/ui"),
        "Principal": {"AWS": f"arn:aws:iam::111122223333:user/{town.name('user')}"},
    }
    town.aws.put_repository_permissions_policy(domain="dom", repository=my, policyDocument=document(statement))
    shop = town.npm("my", token_of(user))

    assert shop.publish("@parity/ui").status == 201
    for other in ("ui", "@parity/ui-kit", "@parit/y", "@parity-ui/ui"):
        assert shop.publish(other).status == 403, other
    assert shop("GET", "@parity%2fui").status == 403  # publishing is not reading


def test_a_pypi_package_is_named_by_its_normalized_name_in_policies(town: Town) -> None:
    my = town.repo("my")
    user = town.user(
        "user", TOKENS, allow("PublishPackageVersion", resource=f"{ARN}:package/dom/{my}/pypi//pigeon-cli")
    )
    shop = town.pypi("my", token_of(user))

    assert shop.publish("Pigeon_CLI").status == 200
    assert shop.publish("pigeon").status == 403


def test_an_explicit_deny_wins_over_every_allow(town: Town) -> None:
    my = town.repo("my")
    town.npm("my").publish("web")
    user = town.user("user", TOKENS, allow("*"), {"Effect": "Deny", "Action": "codeartifact:PublishPackageVersion",
                                                  "Resource": f"{ARN}:package/dom/{my}/npm//locked"})  # fmt: skip
    statement = {**allow("*"), "Principal": "*"}
    town.aws.put_repository_permissions_policy(domain="dom", repository=my, policyDocument=document(statement))
    shop = town.npm("my", token_of(user))

    assert shop.publish("open").status == 201
    assert shop.publish("locked").status == 403
    assert shop("GET", "web").status == 200


def test_upstreams_need_the_right_to_be_one(town: Town) -> None:
    my, up = town.repo("my"), town.repo("up")
    mine = allow("UpdateRepository", "CreateRepository", "DescribeRepository")
    user = town.user("user", mine)
    call = {"domain": "dom", "repository": my, "upstreams": [{"repositoryName": up}]}

    with pytest.raises(user.exceptions.AccessDeniedException) as refused:
        user.update_repository(**call)
    with pytest.raises(user.exceptions.AccessDeniedException):
        user.create_repository(domain="dom", repository=town.name("new"), upstreams=call["upstreams"])
    statement = {**allow("AssociateWithDownstreamRepository"), "Principal": "*"}
    town.aws.put_repository_permissions_policy(domain="dom", repository=up, policyDocument=document(statement))
    user.update_repository(**call)

    assert "AssociateWithDownstreamRepository" in refused.value.response["Error"]["Message"]


def test_reading_through_an_upstream_needs_rights_on_the_repository_asked_only(town: Town) -> None:
    town.repo("up")
    my = town.repo("my", "up")
    town.npm("up").publish("web")
    user = town.user("user", TOKENS, allow("ReadFromRepository", resource=f"{ARN}:repository/dom/{my}"))

    assert town.npm("my", token_of(user)).fetch("web").status == 200
    assert town.npm("up", token_of(user)).fetch("web").status == 403
    assert town.held("my", "web") == {"1.0.0": "Published"}


def test_tags_decide_when_a_policy_asks_for_them(town: Town) -> None:
    """Guide, "Tag-based access control examples", 2 and 3."""
    secret, open_ = town.repo("secret"), town.repo("open")
    for name, value in ((secret, "Value1"), (open_, "Value3")):
        town.aws.tag_resource(resourceArn=f"{ARN}:repository/dom/{name}", tags=[{"key": "Key1", "value": value}])
        town.npm(name.removesuffix(f"-{town.number}")).publish("web")
    deny = {
        "Effect": "Deny",
        "Action": ["codeartifact:ReadFromRepository", "codeartifact:DescribeRepository", "codeartifact:ListPackages"],
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:ResourceTag/Key1": ["Value1", "Value2"]}},
    }
    user = town.user("user", TOKENS, allow("*"), deny)
    token = token_of(user)

    with pytest.raises(user.exceptions.AccessDeniedException):
        user.describe_repository(domain="dom", repository=secret)
    with pytest.raises(user.exceptions.AccessDeniedException):
        user.list_packages(domain="dom", repository=secret)
    assert user.describe_repository(domain="dom", repository=open_)["repository"]["name"] == open_
    assert town.npm("secret", token)("GET", "web").status == 403
    assert town.npm("open", token)("GET", "web").status == 200
    town.aws.untag_resource(resourceArn=f"{ARN}:repository/dom/{secret}", tagKeys=["Key1"])
    assert town.npm("secret", token)("GET", "web").status == 200


def test_a_repository_is_created_only_with_the_tag_that_the_policy_wants(town: Town) -> None:
    """Guide, "Tag-based access control examples", 4."""
    granted = {
        **allow("CreateRepository", "TagResource"),
        "Condition": {"StringEquals": {"aws:RequestTag/Key1": "Value1"}},
    }
    user = town.user("user", granted)

    for tags in ([], [{"key": "Key1", "value": "Value2"}], [{"key": "Key2", "value": "Value1"}]):
        with pytest.raises(user.exceptions.AccessDeniedException):
            user.create_repository(domain="dom", repository=town.name("new"), tags=tags)
    user.create_repository(domain="dom", repository=town.name("new"), tags=[{"key": "Key1", "value": "Value1"}])


# --- Cross-account --------------------------------------------------------------------------------


def test_another_account_reads_with_a_policy_on_each_side(town: Town) -> None:
    """Guide, "Enable cross-account access to a domain" and "Create a resource policy to grant read access"."""
    name = town.name("shared")
    town.front.make(name, "my")
    assert Npm(town.front, "my", domain=name).publish("web").status == 201
    stranger = new_user(town.front, town.name("stranger"), TOKENS, allow("*"), account="123456789012")
    place = {"domain": name, "domainOwner": "111122223333"}
    root = {"AWS": "arn:aws:iam::123456789012:root"}

    with pytest.raises(stranger.exceptions.ResourceNotFoundException):
        stranger.list_packages(**place, repository="my")
    with pytest.raises(stranger.exceptions.ResourceNotFoundException):
        stranger.get_authorization_token(**place)
    town.aws.put_domain_permissions_policy(
        domain=name, policyDocument=document({**allow("GetAuthorizationToken"), "Principal": root})
    )
    token = stranger.get_authorization_token(**place)["authorizationToken"]
    shop = Npm(town.front, "my", domain=name, token=token)
    closed = shop("GET", "web").status, Npm(town.front, "not-there", domain=name, token=token)("GET", "web").status
    town.aws.put_repository_permissions_policy(
        domain=name, repository="my", policyDocument=document({**allow("ReadFromRepository"), "Principal": root})
    )

    assert closed == (403, 403)  # nor is it told what is there
    assert shop("GET", "web").status == 200
    assert shop.publish("other").status == 403
    with pytest.raises(stranger.exceptions.AccessDeniedException):
        stranger.list_packages(**place, repository="my")
    with pytest.raises(ClientError):  # a resource policy cannot grant this to another account
        stranger.put_repository_permissions_policy(
            **place, repository="my", policyDocument=document({**allow("*"), "Principal": root})
        )
    # The domain's name alone means the caller's own account.
    with pytest.raises(stranger.exceptions.ResourceNotFoundException):
        stranger.describe_domain(domain=name)


# --- Quotas and tags ------------------------------------------------------------------------------


def test_quotas_that_are_kept(tmp_path: Path) -> None:
    quotas = {
        "domains_per_account": 2, "repositories_per_domain": 2, "assets_per_version": 2, "asset_bytes": 5000, "tags": 2,
    }  # fmt: skip
    with Server(tmp_path / "data", settings={"quotas": quotas}) as server:
        aws = server.boto()
        full = aws.exceptions.ServiceQuotaExceededException
        server.make("dom", "one", "two").make("other")
        with pytest.raises(full):
            aws.create_domain(domain="third")
        with pytest.raises(full):
            aws.create_repository(domain="dom", repository="three")
        tags = [{"key": str(number), "value": "x"} for number in range(3)]
        with pytest.raises(full):
            aws.tag_resource(resourceArn=f"{ARN}:domain/dom", tags=tags)
        aws.tag_resource(resourceArn=f"{ARN}:domain/dom", tags=tags[:2])
        shop, npm = Pypi(server, "one"), Npm(server, "one")
        for tag in ("py3-none-any", "py311-none-any"):
            assert shop.publish("tool", tag=tag).status == 200
        third = shop.publish("tool", tag="py310-none-any")
        big = Project(name="big", description=random.Random(1).randbytes(4000).hex())
        large = shop.upload(big, *samples.wheel(big))

        assert third.status == 403
        assert "at most 2" in third.text
        assert large.status in (403, 413)
        assert "5000" in large.text
        assert npm.publish("small").status == 201
        listed = aws.list_packages(domain="dom", repository="one")["packages"]
        assert [each["package"] for each in listed] == ["small", "tool"]


def test_tags_of_domains_and_repositories(town: Town) -> None:
    my = town.repo("my")
    arn = f"{ARN}:repository/dom/{my}"

    def shown() -> dict[str, str]:
        return {each["key"]: each["value"] for each in town.aws.list_tags_for_resource(resourceArn=arn)["tags"]}

    assert shown() == {}
    town.aws.tag_resource(resourceArn=arn, tags=[{"key": "key1", "value": "value1"}, {"key": "key2", "value": ""}])
    town.aws.tag_resource(resourceArn=arn, tags=[{"key": "key1", "value": "newvalue1"}])
    assert shown() == {"key1": "newvalue1", "key2": ""}
    town.aws.untag_resource(resourceArn=arn, tagKeys=["key2", "never-there"])
    assert shown() == {"key1": "newvalue1"}
    for tags in (
        [{"key": "aws:x", "value": "y"}],
        [{"key": "k" * 129, "value": "y"}],
        [{"key": "k", "value": "v" * 257}],
    ):
        with pytest.raises(town.aws.exceptions.ValidationException):
            town.aws.tag_resource(resourceArn=arn, tags=tags)
    with pytest.raises(town.aws.exceptions.ResourceNotFoundException):
        town.aws.list_tags_for_resource(resourceArn=f"{ARN}:repository/dom/absent")
    # Tags go with their repository.
    town.aws.delete_repository(domain="dom", repository=my)
    town.repo("my")
    assert shown() == {}


# --- Interaction between repository and domain policies -------------------------------------------


def deny(*actions: str, **more: Any) -> dict[str, Any]:
    statement = {"Effect": "Deny", "Principal": "*", "Action": [f"codeartifact:{each}" for each in actions]}
    return {**statement, **(more or {"Resource": "*"})}


def test_all_repositories_but_one_are_protected_from_being_deleted(town: Town) -> None:
    """Guide, "Protect repositories from being deleted": the three policies, one after the other."""
    name = town.name("protected")
    town.front.make(name, "keep", "drop")

    def put(*statements: Mapping[str, Any]) -> None:
        town.aws.put_domain_permissions_policy(domain=name, policyDocument=document(*statements))

    put({"Sid": "DenyRepositoryDeletion", **deny("DeleteRepository")})
    for repository in ("keep", "drop"):
        with pytest.raises(town.aws.exceptions.AccessDeniedException):
            town.aws.delete_repository(domain=name, repository=repository)
    put({"Sid": "DenyRepositoryDeletion", **deny("DeleteRepository", NotResource=f"{ARN}:repository/{name}/drop")})
    with pytest.raises(town.aws.exceptions.AccessDeniedException):
        town.aws.delete_repository(domain=name, repository="keep")
    assert town.aws.delete_repository(domain=name, repository="drop")["repository"]["name"] == "drop"
    put({"Sid": "DenyRepositoryDeletion", **deny("DeleteRepository")})
    with pytest.raises(town.aws.exceptions.AccessDeniedException):
        town.aws.delete_repository(domain=name, repository="keep")


def test_nobody_locks_himself_out(town: Town) -> None:
    name = town.name("locked")
    town.front.make(name, "my")
    everything = document({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"})
    place = {"domain": name, "repository": "my"}

    town.aws.put_repository_permissions_policy(**place, policyDocument=everything)
    for call in (town.aws.get_repository_permissions_policy, town.aws.delete_repository_permissions_policy):
        with pytest.raises(town.aws.exceptions.AccessDeniedException):
            call(**place)
    # The repository's policy is ignored by the operation that puts it; the domain's is not.
    town.aws.put_domain_permissions_policy(domain=name, policyDocument=document(deny("PutRepositoryPermissionsPolicy")))
    with pytest.raises(town.aws.exceptions.AccessDeniedException):
        town.aws.put_repository_permissions_policy(**place, policyDocument=document(allow("*", Principal="*")))
    town.aws.put_domain_permissions_policy(domain=name, policyDocument=everything)
    town.aws.put_domain_permissions_policy(domain=name, policyDocument=document(allow("*", Principal="*")))
    town.aws.put_repository_permissions_policy(**place, policyDocument=document(allow("*", Principal="*")))
    assert town.aws.delete_repository_permissions_policy(**place)["policy"]["revision"]


def test_account_and_domain_operations_ask_no_policy_below_them(town: Town) -> None:
    my = town.repo("my")
    town.aws.put_repository_permissions_policy(
        domain="dom", repository=my, policyDocument=document(deny("ListRepositories", "ListRepositoriesInDomain"))
    )

    names = [each["name"] for each in town.aws.list_repositories(repositoryPrefix=my)["repositories"]]
    within = town.aws.list_repositories_in_domain(domain="dom", repositoryPrefix=my)["repositories"]

    assert names == [each["name"] for each in within] == [my]


def test_another_account_has_a_repository_of_its_own_in_the_domain(town: Town) -> None:
    """Guide, "Domain policy example": full use of the domain, and no policy on the repository."""
    name = town.name("joint")
    town.front.make(name, "store", "theirs")
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    other = new_user(town.front, town.name("partner"), everything, account="123456789012")
    place = {"domain": name, "domainOwner": "111122223333"}
    root = {"AWS": "arn:aws:iam::123456789012:root"}
    basic = [
        "GetDomainPermissionsPolicy",
        "ListRepositoriesInDomain",
        "GetAuthorizationToken",
        "DescribeDomain",
        "CreateRepository",
    ]
    town.aws.put_domain_permissions_policy(
        domain=name, policyDocument=document({"Sid": "BasicDomainPolicy", **allow(*basic), "Principal": root})
    )

    made = other.create_repository(**place, repository="ours")["repository"]
    token = other.get_authorization_token(**place)["authorizationToken"]
    endpoint = other.get_repository_endpoint(**place, repository="ours", format="npm")["repositoryEndpoint"]
    shop = Npm(town.front, "ours", domain=name, token=token)

    assert made["administratorAccount"] == "123456789012"
    assert made["domainOwner"] == "111122223333"
    assert made["arn"] == f"{ARN}:repository/{name}/ours"
    assert endpoint == shop.endpoint
    assert shop.publish("web").status == 201
    assert other.list_package_versions(**place, repository="ours", format="npm", package="web")["versions"]
    mine = [each["name"] for each in other.list_repositories()["repositories"]]
    within = other.list_repositories_in_domain(**place, administratorAccount="123456789012")["repositories"]
    assert mine == [each["name"] for each in within] == ["ours"]
    # The domain's own account gets there by its identity policy alone; the partner gets nowhere else.
    assert Npm(town.front, "ours", domain=name).fetch("web").status == 200
    assert Npm(town.front, "theirs", domain=name, token=token)("GET", "web").status == 403
    with pytest.raises(other.exceptions.AccessDeniedException):
        other.update_repository(**place, repository="ours", upstreams=[{"repositoryName": "store"}])
    [event] = [each for each in town.events("web") if each["domainName"] == name]
    assert (event["repositoryAdministrator"], event["domainOwner"]) == ("123456789012", "111122223333")
    other.delete_repository(**place, repository="ours")
    with pytest.raises(other.exceptions.AccessDeniedException):
        other.delete_domain(**place)
