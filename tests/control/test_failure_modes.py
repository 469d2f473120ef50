"""A walk over the service model: every failure that an operation documents is one that it can give, or says why not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from registry.control import model
from registry.core.rates import Rates
from registry.core.types import Quotas
from tests.control.plane import Plane, sha256, start
from tests.control.test_refusals import DOMAIN, GROUP, POLICY, REPOSITORY, SAMPLES

MODEL = model.load()
Given = dict[str, Any]

ONE_WRITER = "one writer at a time: what was found when it was judged is still so when it is written"
OF_THE_VERSION = "a version that is in the way is a failure of that version, in the answer"
NO_SUCH_COUNT = "there is nothing to be counted"

NEVER: dict[str, dict[str, str]] = {
    "ConflictException": {
        "CopyPackageVersions": OF_THE_VERSION,
        "DeletePackage": ONE_WRITER,
        "DeletePackageGroup": ONE_WRITER,
        "DeletePackageVersions": OF_THE_VERSION,
        "DeleteRepository": "a repository may be deleted while it is an upstream (RULINGS 2.3)",
        "DescribePackageVersion": ONE_WRITER,
        "DisassociateExternalConnection": ONE_WRITER,
        "DisposePackageVersions": OF_THE_VERSION,
        "GetPackageVersionAsset": ONE_WRITER,
        "UpdatePackageVersionsStatus": OF_THE_VERSION,
    },
    "ServiceQuotaExceededException": {
        "AssociateExternalConnection": "a second connection is a ConflictException (RULINGS 2.2)",
        "CopyPackageVersions": NO_SUCH_COUNT,
        "DeletePackageGroup": NO_SUCH_COUNT,
        "DisassociateExternalConnection": NO_SUCH_COUNT,
        "ListAllowedRepositoriesForGroup": NO_SUCH_COUNT,
        "PutDomainPermissionsPolicy": "the model's own limit of the document comes first",
        "PutRepositoryPermissionsPolicy": "the model's own limit of the document comes first",
        "UpdatePackageGroup": NO_SUCH_COUNT,
    },
}

STALE = {"policyRevision": "bm9uZQ=="}
TAGS = [{"key": f"k{number}", "value": ""} for number in range(51)]
FILE = {**SAMPLES["PublishPackageVersion"], "unfinished": True}
OTHER = {**FILE, "assetContent": b"other content", "assetSHA256": sha256(b"other content")}
LARGE = {**FILE, "assetContent": b"x" * 101, "assetSHA256": sha256(b"x" * 101)}
SPECIFIC = {"restrictions": {"PUBLISH": "ALLOW_SPECIFIC_REPOSITORIES"}}
LISTED = [{"originRestrictionType": "PUBLISH", "repositoryName": name} for name in ("repo", "up")]

WAYS: dict[str, dict[str, Given]] = {
    "ConflictException": {
        "AssociateExternalConnection": {**REPOSITORY, "repository": "connected", "externalConnection": "public:pypi"},
        "CreateDomain": DOMAIN,
        "CreatePackageGroup": GROUP,
        "CreateRepository": REPOSITORY,
        "DeleteDomain": DOMAIN,
        "DeleteDomainPermissionsPolicy": {**DOMAIN, **STALE},
        "DeleteRepositoryPermissionsPolicy": {**REPOSITORY, **STALE},
        "PublishPackageVersion": OTHER,
        "PutDomainPermissionsPolicy": {**DOMAIN, "policyDocument": POLICY, **STALE},
        "PutRepositoryPermissionsPolicy": {**REPOSITORY, "policyDocument": POLICY, **STALE},
        "UpdateRepository": {**REPOSITORY, "repository": "connected", "upstreams": [{"repositoryName": "up"}]},
    },
    "ServiceQuotaExceededException": {
        "CreateDomain": {"domain": "third"},
        "CreatePackageGroup": {**GROUP, "packageGroup": "/pypi/*"},
        "CreateRepository": {**REPOSITORY, "repository": "fourth"},
        "PublishPackageVersion": LARGE,
        "TagResource": {**SAMPLES["TagResource"], "tags": TAGS},
        "UpdatePackageGroupOriginConfiguration": {**GROUP, **SPECIFIC, "addAllowedRepositories": LISTED},
        "UpdateRepository": {**REPOSITORY, "upstreams": [{"repositoryName": each} for each in ("up", "connected")]},
    },
}
ELSEWHERE = {"domain": "none", "resourceArn": "arn:aws:codeartifact:us-west-2:111122223333:domain/none"}
INVALID = {"domain": "X!", "resourceArn": "nonsense", "nextToken": "nonsense"}
"""What makes a request about nothing, and what makes it no request; whichever members the operation has."""


def changed(name: str, values: Given) -> Given:
    members = MODEL.operations[name].input.members
    return {**SAMPLES[name], **{key: value for key, value in values.items() if key in members}}


@pytest.fixture
async def full(tmp_path: Path) -> AsyncIterator[Plane]:
    """With a policy, a group and a package, and no room for more of anything."""
    quotas = Quotas(
        domains_per_account=1,
        repositories_per_domain=3,
        direct_upstreams=1,
        asset_bytes=100,
        package_groups_per_domain=1,
        allowed_repositories_per_group=1,
    )
    async for plane in start(tmp_path, quotas):
        await plane.call("CreateDomain", **DOMAIN)
        for name in ("repo", "up", "connected"):
            await plane.call("CreateRepository", **DOMAIN, repository=name)
        await plane.call(
            "AssociateExternalConnection", **DOMAIN, repository="connected", externalConnection="public:npmjs"
        )
        policy = _valid()
        await plane.call("PutDomainPermissionsPolicy", **DOMAIN, policyDocument=policy)
        await plane.call("PutRepositoryPermissionsPolicy", **REPOSITORY, policyDocument=policy)
        await plane.call("CreatePackageGroup", **GROUP)
        await plane.call("PublishPackageVersion", **FILE)
        yield plane


def documented(error: str) -> list[str]:
    return [operation.name for operation in MODEL.operations.values() if error in operation.errors]


@pytest.mark.parametrize("error", ["ConflictException", "ServiceQuotaExceededException"])
async def test_what_is_in_the_way_and_what_is_full(full: Plane, error: str) -> None:
    ways, never = WAYS[error], NEVER[error]
    assert sorted([*ways, *never]) == sorted(documented(error))
    for name, given in ways.items():
        answer = await full.ask(name, **{**given, **_policy(name)})

        assert (name, answer.code) == (name, error), answer.body
        assert answer.status == MODEL.errors[error].status
        assert answer.parsed.get("resourceId"), name


def _valid() -> str:
    """A policy that says nothing about anybody here."""
    return POLICY.replace(
        "[]",
        '[{"Effect":"Deny","Principal":{"AWS":"999999999999"},"Action":"codeartifact:DeleteDomain","Resource":"*"}]',
    )


async def test_whoever_may_not_and_what_is_not_there(full: Plane) -> None:
    for name in documented("AccessDeniedException"):
        answer = await full.ask(name, "nobody", **_allowed(name))
        assert (name, answer.code) == (name, "AccessDeniedException"), answer.body
    for name in documented("ResourceNotFoundException"):
        if name == "CreateDomain":  # documented, but a domain that is made needs nothing to be there
            continue
        answer = await full.ask(name, **{**changed(name, ELSEWHERE), **_policy(name)})
        assert (name, answer.code) == (name, "ResourceNotFoundException"), answer.body


async def test_what_breaks_a_rule(full: Plane) -> None:
    for name in documented("ValidationException"):
        answer = await full.ask(name, **changed(name, INVALID))
        assert (name, answer.code, answer.status) == (name, "ValidationException", 400), answer.body
        assert answer.parsed["reason"]


async def test_too_many_requests(full: Plane) -> None:
    limits = Quotas(account_read_rate=1, account_write_rate=1)
    for name in documented("ThrottlingException"):
        full.app._services = replace(full.services, rates=Rates(limits, lambda: 1.0))
        await full.ask(name, "nobody", **_allowed(name))

        answer = await full.ask(name, "nobody", **_allowed(name))

        assert (name, answer.code, answer.status) == (name, "ThrottlingException", 429), answer.body
        assert answer.headers["retry-after"] == "1"


async def test_a_server_that_cannot_answer(full: Plane) -> None:
    await full.services.store.close()

    for name in documented("InternalServerException"):
        answer = await full.ask(name, **_allowed(name))
        assert (name, answer.code) == (name, "InternalServerException"), answer.body
        assert answer.status in (500, 503)


def _allowed(name: str) -> Given:
    return {**SAMPLES[name], **_policy(name)}


def _policy(name: str) -> Given:
    return {"policyDocument": _valid()} if "policyDocument" in SAMPLES[name] else {}
