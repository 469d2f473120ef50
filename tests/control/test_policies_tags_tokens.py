"""Resource policies, tags and tokens; guide chapters "Domain policies", "Tagging resources", "authentication"."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.control.plane import OTHER, OWNER, Plane

DOMAIN_ARN = f"arn:aws:codeartifact:us-west-2:{OWNER}:domain/dom"
REPOSITORY_ARN = f"arn:aws:codeartifact:us-west-2:{OWNER}:repository/dom/repo"


def statement(effect: str, action: str, principal: Any = "*") -> str:
    made = {"Effect": effect, "Action": action, "Principal": principal, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [made]})


@pytest.mark.parametrize("kind", ["Domain", "Repository"])
async def test_a_policy_is_put_read_replaced_and_deleted(plane: Plane, kind: str) -> None:
    target = {"domain": "dom"} if kind == "Domain" else {"domain": "dom", "repository": "repo"}
    first, second = statement("Allow", "codeartifact:Describe*"), statement("Allow", "codeartifact:List*")

    async def ask(verb: str, **more: Any) -> Any:
        return await plane.ask(f"{verb}{kind}PermissionsPolicy", **target, **more)

    assert (await ask("Get")).code == "ResourceNotFoundException"
    put = (await ask("Put", policyDocument=first)).parsed["policy"]
    assert put["resourceArn"] == (DOMAIN_ARN if kind == "Domain" else REPOSITORY_ARN)
    assert put["document"] == first
    assert (await ask("Get")).parsed["policy"] == put
    replaced = (await ask("Put", policyDocument=second, policyRevision=put["revision"])).parsed["policy"]
    assert replaced["revision"] != put["revision"]
    assert (await ask("Put", policyDocument=first, policyRevision=put["revision"])).code == "ConflictException"
    assert (await ask("Delete", policyRevision=put["revision"])).code == "ConflictException"
    assert (await ask("Delete", policyRevision=replaced["revision"])).parsed["policy"] == replaced
    assert (await ask("Get")).code == "ResourceNotFoundException"
    assert (await ask("Delete")).code == "ResourceNotFoundException"


@pytest.mark.parametrize(
    "document",
    [
        "{",
        "[]",
        "{}",
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"codeartifact:*","Resource":"*"}]}',
        statement("Perhaps", "codeartifact:*"),
        statement("Allow", "codeartifact:*", {"AWS": "arn:aws:s3:::x"}),
    ],
)
async def test_a_document_that_is_no_resource_policy_is_refused(plane: Plane, document: str) -> None:
    answer = await plane.ask("PutDomainPermissionsPolicy", domain="dom", policyDocument=document)

    assert answer.code == "ValidationException"


async def test_nobody_locks_himself_out(plane: Plane) -> None:
    deny = statement("Deny", "codeartifact:*")
    await plane.call("PutDomainPermissionsPolicy", domain="dom", policyDocument=deny)

    assert (await plane.ask("GetDomainPermissionsPolicy", domain="dom")).status == 403
    assert (await plane.ask("DeleteDomainPermissionsPolicy", domain="dom")).status == 403
    assert (await plane.ask("DescribeRepository", domain="dom", repository="repo")).status == 403
    assert (
        await plane.ask("PutRepositoryPermissionsPolicy", domain="dom", repository="repo", policyDocument=deny)
    ).status == 403

    allow = statement("Allow", "codeartifact:DescribeDomain")
    await plane.call("PutDomainPermissionsPolicy", domain="dom", policyDocument=allow)

    assert (await plane.ask("DescribeDomain", domain="dom")).status == 200


async def test_another_account_works_in_a_domain_that_lets_it(plane: Plane) -> None:
    actions = statement("Allow", "codeartifact:CreateRepository", {"AWS": f"arn:aws:iam::{OTHER}:root"})
    await plane.call("PutDomainPermissionsPolicy", domain="dom", policyDocument=actions)

    made = await plane.call("CreateRepository", "stranger", domain="dom", domainOwner=OWNER, repository="theirs")
    seen = await plane.call("DescribeRepository", "stranger", domain="dom", domainOwner=OWNER, repository="theirs")
    other = await plane.ask("DescribeRepository", "stranger", domain="dom", domainOwner=OWNER, repository="repo")
    tagged = await plane.ask(
        "CreateRepository",
        "stranger",
        domain="dom",
        domainOwner=OWNER,
        repository="tagged",
        tags=[{"key": "k", "value": "v"}],
    )
    listed = await plane.call("ListRepositories", "stranger")

    assert made["repository"]["administratorAccount"] == OTHER
    assert made["repository"]["domainOwner"] == OWNER
    assert seen == made
    assert other.status == 403
    assert tagged.status == 403
    assert [r["name"] for r in listed["repositories"]] == ["theirs"]


@pytest.mark.parametrize("arn", [DOMAIN_ARN, REPOSITORY_ARN])
async def test_tags_are_added_changed_listed_and_removed(plane: Plane, arn: str) -> None:
    assert await plane.call("ListTagsForResource", resourceArn=arn) == {"tags": []}
    two = [{"key": "key1", "value": "value1"}, {"key": "key2", "value": ""}]
    assert await plane.call("TagResource", resourceArn=arn, tags=two) == {}
    assert await plane.call("ListTagsForResource", resourceArn=arn) == {"tags": two}

    await plane.call("TagResource", resourceArn=arn, tags=[{"key": "key1", "value": "new"}])
    await plane.call("UntagResource", resourceArn=arn, tagKeys=["key2", "none"])

    assert await plane.call("ListTagsForResource", resourceArn=arn) == {"tags": [{"key": "key1", "value": "new"}]}


async def test_tags_of_a_new_resource_are_set_with_it(plane: Plane) -> None:
    tags = [{"key": "k1", "value": "v1"}, {"key": "k2", "value": "v2"}]

    arns = [
        (await plane.call("CreateDomain", domain="tagged", tags=tags))["domain"]["arn"],
        (await plane.call("CreateRepository", domain="dom", repository="tagged", tags=tags))["repository"]["arn"],
    ]

    for arn in arns:
        assert await plane.call("ListTagsForResource", resourceArn=arn) == {"tags": tags}


async def test_a_deleted_domain_leaves_no_tags_and_no_policy_behind(bare: Plane) -> None:
    await bare.call("CreateDomain", domain="dom", tags=[{"key": "k", "value": "v"}])
    policy = statement("Deny", "codeartifact:DescribeDomain")
    await bare.call("PutDomainPermissionsPolicy", domain="dom", policyDocument=policy)
    await bare.call("DeleteDomain", domain="dom")
    await bare.call("CreateDomain", domain="dom")

    assert await bare.call("ListTagsForResource", resourceArn=DOMAIN_ARN) == {"tags": []}
    assert (await bare.call("DescribeDomain", domain="dom"))["domain"]["name"] == "dom"


async def test_a_deleted_repository_leaves_no_tags_and_no_policy_behind(plane: Plane) -> None:
    await plane.call("TagResource", resourceArn=REPOSITORY_ARN, tags=[{"key": "k", "value": "v"}])
    policy = statement("Allow", "codeartifact:List*")
    await plane.call("PutRepositoryPermissionsPolicy", domain="dom", repository="repo", policyDocument=policy)
    await plane.call("DeleteRepository", domain="dom", repository="repo")

    assert (await plane.ask("ListTagsForResource", resourceArn=REPOSITORY_ARN)).status == 404
    await plane.call("CreateRepository", domain="dom", repository="repo")

    assert await plane.call("ListTagsForResource", resourceArn=REPOSITORY_ARN) == {"tags": []}
    assert (await plane.ask("GetRepositoryPermissionsPolicy", domain="dom", repository="repo")).status == 404


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ([{"key": "aws:mine", "value": ""}], "ValidationException"),
        ([{"key": "k", "value": "1"}, {"key": "k", "value": "2"}], "ValidationException"),
        ([{"key": f"k{n}", "value": ""} for n in range(51)], "ServiceQuotaExceededException"),
        ([{"key": f"k{n}", "value": ""} for n in range(201)], "ValidationException"),
    ],
)
async def test_tags_beyond_the_rules_are_refused(plane: Plane, tags: list[dict[str, str]], code: str) -> None:
    answers = [
        await plane.ask("TagResource", resourceArn=DOMAIN_ARN, tags=tags),
        await plane.ask("CreateRepository", domain="dom", repository="new", tags=tags),
        await plane.ask("CreateDomain", domain="new", tags=tags),
    ]

    assert [answer.code for answer in answers] == [code] * 3
    assert await plane.call("ListTagsForResource", resourceArn=DOMAIN_ARN) == {"tags": []}


@pytest.mark.parametrize(
    ("arn", "status"),
    [
        (DOMAIN_ARN + "x", 404),
        (REPOSITORY_ARN.replace(":repository/", ":package-group/"), 404),
        (REPOSITORY_ARN.replace(":repository/", ":package-group/") + "/%2A", 400),
        (REPOSITORY_ARN + "x", 404),
        ("arn:aws:s3:::bucket", 400),
        (DOMAIN_ARN.replace("us-west-2", "eu-west-1"), 400),
        ("nonsense", 400),
    ],
)
async def test_tags_of_what_is_not_there_are_refused(plane: Plane, arn: str, status: int) -> None:
    assert (await plane.ask("ListTagsForResource", resourceArn=arn)).status == status


async def test_request_tags_are_conditions_of_a_policy(plane: Plane) -> None:
    document = {
        "Effect": "Allow",
        "Action": ["codeartifact:CreateRepository", "codeartifact:TagResource"],
        "Resource": "*",
        "Condition": {
            "StringEquals": {"aws:RequestTag/cost": "1"},
            "ForAllValues:StringEquals": {"aws:TagKeys": ["cost"]},
        },
    }
    await plane.user("tagger", document=json.dumps({"Version": "2012-10-17", "Statement": [document]}))

    async def status(*tags: tuple[str, str]) -> int:
        given = [{"key": key, "value": value} for key, value in tags]
        target = {"domain": "dom", "repository": f"r{len(tags)}"}
        return (await plane.ask("CreateRepository", "tagger", **target, tags=given)).status

    assert await status(("cost", "2")) == 403
    assert await status(("cost", "1"), ("more", "1")) == 403
    assert await status() == 403
    assert await status(("cost", "1")) == 200


async def test_a_token_is_good_for_its_domain_and_twelve_hours(plane: Plane) -> None:
    made = await plane.call("GetAuthorizationToken", domain="dom")

    claims = plane.app._tokens.verify(made["authorizationToken"], plane.clock.now())
    expected = datetime.fromtimestamp(plane.clock.time / 1000 + 43_200, UTC)
    assert abs((made["expiration"] - expected).total_seconds()) < 10
    assert (claims.account, claims.user) == (OWNER, "admin")


@pytest.mark.parametrize(
    ("seconds", "status"), [(900, 200), (43_200, 200), (899, 400), (1, 400), (0, 400), (43_201, 400)]
)
async def test_a_token_lasts_from_fifteen_minutes_to_twelve_hours(plane: Plane, seconds: int, status: int) -> None:
    answer = await plane.ask("GetAuthorizationToken", domain="dom", durationSeconds=seconds)

    assert answer.status == status
    if status == 200:
        left = answer.parsed["expiration"].timestamp() - plane.clock.time / 1000
        assert seconds - 1 < left <= seconds


async def test_a_token_of_no_domain_is_not_made(plane: Plane) -> None:
    assert (await plane.ask("GetAuthorizationToken", domain="none")).status == 404


async def test_a_token_needs_both_rights_and_a_resource_policy_gives_only_one(plane: Plane) -> None:
    def identity(*actions: str, **condition: Any) -> str:
        made = {"Effect": "Allow", "Action": actions, "Resource": "*", **condition}
        return json.dumps({"Version": "2012-10-17", "Statement": [made]})

    get, bearer = "codeartifact:GetAuthorizationToken", "sts:GetServiceBearerToken"
    service = {"Condition": {"StringEquals": {"sts:AWSServiceName": "codeartifact.amazonaws.com"}}}
    short = {"Condition": {"NumericLessThanEquals": {"sts:DurationSeconds": "3600"}}}
    await plane.user("only-get", document=identity(get))
    await plane.user("only-bearer", document=identity(bearer))
    await plane.user("both", document=identity(get, bearer))
    await plane.user(
        "service",
        document=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Action": get, "Resource": "*"},
                    {"Effect": "Allow", "Action": bearer, "Resource": "*", **service},
                ],
            }
        ),
    )
    await plane.user(
        "short",
        document=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Action": get, "Resource": "*"},
                    {"Effect": "Allow", "Action": bearer, "Resource": "*", **short},
                ],
            }
        ),
    )
    await plane.call(
        "PutDomainPermissionsPolicy", domain="dom", policyDocument=statement("Allow", "sts:GetServiceBearerToken")
    )

    async def status(user: str, **more: Any) -> int:
        return (await plane.ask("GetAuthorizationToken", user, domain="dom", **more)).status

    assert await status("only-get") == 403
    assert await status("only-bearer") == 403
    assert await status("both") == 200
    assert await status("service") == 200
    assert await status("short") == 403
    assert await status("short", durationSeconds=3600) == 200
