"""Domains, repositories, upstreams, connections, endpoints; guide chapters "Working with domains / repositories"."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from registry.core.types import Quotas
from tests.control.plane import OTHER, OWNER, Plane, start

ARN = f"arn:aws:codeartifact:us-west-2:{OWNER}"


async def test_a_new_domain_is_described_as_the_guide_shows_it(bare: Plane) -> None:
    made = (await bare.call("CreateDomain", domain="my_domain"))["domain"]

    assert made["encryptionKey"].startswith(f"arn:aws:kms:us-west-2:{OWNER}:key/")
    assert made == {
        "name": "my_domain",
        "owner": OWNER,
        "arn": f"{ARN}:domain/my_domain",
        "status": "Active",
        "createdTime": made["createdTime"],
        "encryptionKey": made["encryptionKey"],
        "repositoryCount": 0,
        "assetSizeBytes": 0,
        "s3BucketArn": f"arn:aws:s3:::assets-{OWNER}-us-west-2",
    }
    assert made["createdTime"].tzinfo is not None
    assert abs(made["createdTime"] - datetime.fromtimestamp(bare.clock.time / 1000, UTC)).total_seconds() < 10
    assert (await bare.call("DescribeDomain", domain="my_domain"))["domain"] == made


async def test_a_domain_keeps_the_key_that_was_named(bare: Plane) -> None:
    key = f"arn:aws:kms:us-west-2:{OWNER}:key/your-kms-key"

    assert (await bare.call("CreateDomain", domain="dom", encryptionKey=key))["domain"]["encryptionKey"] == key


async def test_a_second_domain_of_a_name_is_a_conflict(plane: Plane) -> None:
    answer = await plane.ask("CreateDomain", domain="dom")

    assert (answer.status, answer.code) == (409, "ConflictException")
    assert (answer.parsed["resourceId"], answer.parsed["resourceType"]) == ("dom", "domain")


async def test_an_unknown_domain_is_not_found(plane: Plane) -> None:
    answer = await plane.ask("DescribeDomain", domain="none")

    assert (answer.status, answer.code) == (404, "ResourceNotFoundException")
    assert (answer.parsed["resourceId"], answer.parsed["resourceType"]) == ("none", "domain")


async def test_a_domain_with_repositories_is_not_deleted(plane: Plane) -> None:
    assert (await plane.ask("DeleteDomain", domain="dom")).code == "ConflictException"

    await plane.call("DeleteRepository", domain="dom", repository="repo")

    assert (await plane.call("DeleteDomain", domain="dom"))["domain"]["status"] == "Deleted"
    assert (await plane.ask("DescribeDomain", domain="dom")).status == 404
    assert await plane.call("DeleteDomain", domain="dom") == {}


async def test_domains_are_listed_for_the_account_that_asks(bare: Plane) -> None:
    for name in ("aaa", "bbb", "ccc"):
        await bare.call("CreateDomain", domain=name)
    await bare.call("CreateDomain", "stranger", domain="bbb")

    first = await bare.call("ListDomains", maxResults=2)
    second = await bare.call("ListDomains", maxResults=2, nextToken=first["nextToken"])

    assert [d["name"] for d in first["domains"] + second["domains"]] == ["aaa", "bbb", "ccc"]
    assert "nextToken" not in second
    assert {"name", "owner", "arn", "status", "createdTime", "encryptionKey"} == set(first["domains"][0])
    assert [d["owner"] for d in (await bare.call("ListDomains", "stranger"))["domains"]] == [OTHER]


async def test_the_eleventh_domain_of_an_account_is_over_the_quota(tmp_path: Any) -> None:
    async for plane in start(tmp_path, Quotas(domains_per_account=1, repositories_per_domain=1)):
        await plane.call("CreateDomain", domain="one")
        await plane.call("CreateRepository", domain="one", repository="one")

        assert (await plane.ask("CreateDomain", domain="two")).status == 402
        answer = await plane.ask("CreateRepository", domain="one", repository="two")
        assert (answer.status, answer.code) == (402, "ServiceQuotaExceededException")


async def test_a_new_repository_is_described_as_the_guide_shows_it(plane: Plane) -> None:
    made = (
        await plane.call("CreateRepository", domain="dom", domainOwner=OWNER, repository="my_repo", description="New")
    )["repository"]

    assert made == {
        "name": "my_repo",
        "administratorAccount": OWNER,
        "domainName": "dom",
        "domainOwner": OWNER,
        "arn": f"{ARN}:repository/dom/my_repo",
        "description": "New",
        "upstreams": [],
        "externalConnections": [],
        "createdTime": made["createdTime"],
    }
    assert (await plane.call("DescribeRepository", domain="dom", repository="my_repo"))["repository"] == made
    deleted = (await plane.call("DeleteRepository", domain="dom", repository="my_repo"))["repository"]
    assert deleted == made
    answer = await plane.ask("DescribeRepository", domain="dom", repository="my_repo")
    assert (answer.status, answer.parsed["resourceId"], answer.parsed["resourceType"]) == (404, "my_repo", "repository")


async def test_a_repository_without_a_description_has_none(plane: Plane) -> None:
    assert "description" not in (await plane.call("DescribeRepository", domain="dom", repository="repo"))["repository"]


async def test_an_update_replaces_what_is_given_and_leaves_the_rest(plane: Plane) -> None:
    for name in ("up-1", "up-2"):
        await plane.call("CreateRepository", domain="dom", repository=name)
    target = {"domain": "dom", "repository": "repo"}

    both = [{"repositoryName": "up-2"}, {"repositoryName": "up-1"}]
    with_upstreams = await plane.call("UpdateRepository", **target, description="text", upstreams=both)
    described = await plane.call("UpdateRepository", **target, description="other")
    without = await plane.call("UpdateRepository", **target, upstreams=[])

    assert with_upstreams["repository"]["upstreams"] == both
    assert described["repository"]["upstreams"] == both
    assert (without["repository"]["upstreams"], without["repository"]["description"]) == ([], "other")


@pytest.mark.parametrize(
    ("upstreams", "code"),
    [
        (["none-there"], "ResourceNotFoundException"),
        (["repo"], "ValidationException"),
        (["up-1", "up-1"], "ValidationException"),
    ],
)
async def test_wrong_upstreams_are_refused(plane: Plane, upstreams: list[str], code: str) -> None:
    await plane.call("CreateRepository", domain="dom", repository="up-1")
    given = [{"repositoryName": name} for name in upstreams]

    assert (await plane.ask("UpdateRepository", domain="dom", repository="repo", upstreams=given)).code == code


async def test_an_eleventh_upstream_is_over_the_quota(plane: Plane) -> None:
    names = [f"up-{n}" for n in range(11)]
    for name in names:
        await plane.call("CreateRepository", domain="dom", repository=name)
    given = [{"repositoryName": name} for name in names]

    assert (await plane.ask("UpdateRepository", domain="dom", repository="repo", upstreams=given)).status == 402
    assert (await plane.ask("UpdateRepository", domain="dom", repository="repo", upstreams=given[1:])).status == 200


async def test_an_upstream_needs_the_right_to_be_one(plane: Plane) -> None:
    await plane.call("CreateRepository", domain="dom", repository="up-1")
    await plane.call("CreateRepository", domain="dom", repository="up-2")
    await plane.call("UpdateRepository", domain="dom", repository="repo", upstreams=[{"repositoryName": "up-1"}])
    deny = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Resource":"*",'
        '"Action":"codeartifact:AssociateWithDownstreamRepository"}]}'
    )
    for name in ("up-1", "up-2"):
        await plane.call("PutRepositoryPermissionsPolicy", domain="dom", repository=name, policyDocument=deny)

    both = [{"repositoryName": "up-1"}, {"repositoryName": "up-2"}]
    answers = [
        await plane.ask("UpdateRepository", domain="dom", repository="repo", upstreams=both),
        await plane.ask("CreateRepository", domain="dom", repository="new", upstreams=both[:1]),
        await plane.ask("UpdateRepository", domain="dom", repository="repo", upstreams=both[:1], description="kept"),
    ]

    assert [(a.status, a.code) for a in answers] == [(403, "AccessDeniedException")] * 2 + [(200, "")]
    assert (await plane.ask("DescribeRepository", domain="dom", repository="new")).status == 404


async def test_an_external_connection_comes_and_goes(plane: Plane) -> None:
    target = {"domain": "dom", "repository": "repo", "externalConnection": "public:npmjs"}

    joined = (await plane.call("AssociateExternalConnection", **target))["repository"]
    second = await plane.ask("AssociateExternalConnection", **{**target, "externalConnection": "public:pypi"})
    await plane.call("CreateRepository", domain="dom", repository="up")
    upstream = await plane.ask(
        "UpdateRepository", domain="dom", repository="repo", upstreams=[{"repositoryName": "up"}]
    )
    parted = (await plane.call("DisassociateExternalConnection", **target))["repository"]
    again = await plane.ask("DisassociateExternalConnection", **target)

    assert joined["externalConnections"] == [
        {"externalConnectionName": "public:npmjs", "packageFormat": "npm", "status": "Available"}
    ]
    assert (second.code, upstream.code) == ("ConflictException", "ConflictException")
    assert parted["externalConnections"] == []
    assert again.code == "ResourceNotFoundException"


async def test_an_unknown_connection_is_refused(plane: Plane) -> None:
    answer = await plane.ask(
        "AssociateExternalConnection", domain="dom", repository="repo", externalConnection="public:none"
    )

    assert answer.status in (400, 404)


async def test_repositories_are_listed_by_domain_prefix_and_account(plane: Plane) -> None:
    for name in ("app-a", "app-b", "zoo"):
        await plane.call("CreateRepository", domain="dom", repository=name)
    await plane.call("CreateDomain", domain="another")
    await plane.call("CreateRepository", domain="another", repository="app-c")

    everywhere = await plane.call("ListRepositories", repositoryPrefix="app-")
    within = await plane.call("ListRepositoriesInDomain", domain="dom", repositoryPrefix="app-")
    nobody = await plane.call("ListRepositoriesInDomain", domain="dom", administratorAccount=OTHER)

    assert [r["name"] for r in everywhere["repositories"]] == ["app-a", "app-b", "app-c"]
    assert [r["name"] for r in within["repositories"]] == ["app-a", "app-b"]
    assert nobody == {"repositories": []}
    assert (await plane.ask("ListRepositoriesInDomain", domain="none")).status == 404


async def test_a_page_token_belongs_to_its_request(plane: Plane) -> None:
    for n in range(5):
        await plane.call("CreateRepository", domain="dom", repository=f"r-{n}")
    pages, token = [], None
    while True:
        more = {"nextToken": token} if token else {}
        page = await plane.call("ListRepositories", maxResults=2, **more)
        pages.append([r["name"] for r in page["repositories"]])
        token = page.get("nextToken")
        if token is None:
            break
        last = token

    assert pages == [["r-0", "r-1"], ["r-2", "r-3"], ["r-4", "repo"]]
    for operation, params in [
        ("ListRepositories", {"nextToken": last, "repositoryPrefix": "rr"}),
        ("ListRepositoriesInDomain", {"nextToken": last, "domain": "dom"}),
        ("ListRepositories", {"nextToken": last[:-1]}),
        ("ListRepositories", {"nextToken": "nonsense"}),
    ]:
        assert (await plane.ask(operation, **params)).code == "ValidationException"
    assert (await plane.ask("ListRepositories", "stranger", nextToken=last)).code == "ValidationException"


@pytest.mark.parametrize("kind", [None, "dualstack", "ipv4"])
async def test_an_endpoint_is_this_servers_address(plane: Plane, kind: str | None) -> None:
    more = {"endpointType": kind} if kind else {}

    found = await plane.call("GetRepositoryEndpoint", domain="dom", repository="repo", format="npm", **more)

    assert found == {"repositoryEndpoint": f"http://registry.test/npm/d/dom-{OWNER}/repo/"}


async def test_an_endpoint_of_a_format_that_is_not_here_is_refused(plane: Plane) -> None:
    answer = await plane.ask("GetRepositoryEndpoint", domain="dom", repository="repo", format="swift")

    assert (answer.code, answer.parsed["reason"]) == ("ValidationException", "FIELD_VALIDATION_FAILED")
    assert "'swift'" in answer.message


async def test_an_endpoint_of_no_repository_is_not_found(plane: Plane) -> None:
    assert (await plane.ask("GetRepositoryEndpoint", domain="dom", repository="none", format="npm")).status == 404
