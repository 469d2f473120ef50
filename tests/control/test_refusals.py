"""Who may not is refused, in one order for every operation; what fails says so in the model's shapes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import botocore.session
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from registry.control import model, operations
from registry.control.call import TABLE
from registry.control.dispatch import BODY_LIMIT
from tests.control.plane import OTHER, OWNER, Plane, sha256, with_header

operations.load()
MODEL = model.load()
DOMAIN: dict[str, Any] = {"domain": "dom"}
REPOSITORY = {**DOMAIN, "repository": "repo"}
PACKAGE = {**REPOSITORY, "format": "npm", "package": "p"}
VERSION = {**PACKAGE, "packageVersion": "1.0.0"}
GROUP = {**DOMAIN, "packageGroup": "/npm/*"}
POLICY = '{"Version":"2012-10-17","Statement":[]}'
ARN = f"arn:aws:codeartifact:us-west-2:{OWNER}:repository/dom/repo"

SAMPLES: dict[str, dict[str, Any]] = {
    "AssociateExternalConnection": {**REPOSITORY, "externalConnection": "public:npmjs"},
    "CopyPackageVersions": {
        **DOMAIN,
        "sourceRepository": "repo",
        "destinationRepository": "repo",
        "format": "npm",
        "package": "p",
        "versions": ["1.0.0"],
    },
    "CreateDomain": {"domain": "new"},
    "CreatePackageGroup": GROUP,
    "CreateRepository": {**DOMAIN, "repository": "new"},
    "DeleteDomain": DOMAIN,
    "DeleteDomainPermissionsPolicy": DOMAIN,
    "DeletePackage": PACKAGE,
    "DeletePackageGroup": GROUP,
    "DeletePackageVersions": {**PACKAGE, "versions": ["1.0.0"]},
    "DeleteRepository": REPOSITORY,
    "DeleteRepositoryPermissionsPolicy": REPOSITORY,
    "DescribeDomain": DOMAIN,
    "DescribePackage": PACKAGE,
    "DescribePackageGroup": GROUP,
    "DescribePackageVersion": VERSION,
    "DescribeRepository": REPOSITORY,
    "DisassociateExternalConnection": {**REPOSITORY, "externalConnection": "public:npmjs"},
    "DisposePackageVersions": {**PACKAGE, "versions": ["1.0.0"]},
    "GetAssociatedPackageGroup": {**DOMAIN, "format": "npm", "package": "p"},
    "GetAuthorizationToken": DOMAIN,
    "GetDomainPermissionsPolicy": DOMAIN,
    "GetPackageVersionAsset": {**VERSION, "asset": "p-1.0.0.tgz"},
    "GetPackageVersionReadme": VERSION,
    "GetRepositoryEndpoint": {**REPOSITORY, "format": "npm"},
    "GetRepositoryPermissionsPolicy": REPOSITORY,
    "ListAllowedRepositoriesForGroup": {**GROUP, "originRestrictionType": "PUBLISH"},
    "ListAssociatedPackages": GROUP,
    "ListDomains": {},
    "ListPackageGroups": DOMAIN,
    "ListPackageVersionAssets": VERSION,
    "ListPackageVersionDependencies": VERSION,
    "ListPackageVersions": PACKAGE,
    "ListPackages": REPOSITORY,
    "ListRepositories": {},
    "ListRepositoriesInDomain": DOMAIN,
    "ListSubPackageGroups": GROUP,
    "ListTagsForResource": {"resourceArn": ARN},
    "PublishPackageVersion": {
        **VERSION,
        "format": "generic",
        "namespace": "ns",
        "assetName": "a.bin",
        "assetContent": b"content",
        "assetSHA256": sha256(b"content"),
    },
    "PutDomainPermissionsPolicy": {**DOMAIN, "policyDocument": POLICY},
    "PutPackageOriginConfiguration": {**PACKAGE, "restrictions": {"publish": "ALLOW", "upstream": "BLOCK"}},
    "PutRepositoryPermissionsPolicy": {**REPOSITORY, "policyDocument": POLICY},
    "TagResource": {"resourceArn": ARN, "tags": [{"key": "k", "value": "v"}]},
    "UntagResource": {"resourceArn": ARN, "tagKeys": ["k"]},
    "UpdatePackageVersionsStatus": {**PACKAGE, "versions": ["1.0.0"], "targetStatus": "Unlisted"},
    "UpdatePackageGroup": {**GROUP, "description": "d"},
    "UpdatePackageGroupOriginConfiguration": {**GROUP, "restrictions": {"PUBLISH": "BLOCK"}},
    "UpdateRepository": {**REPOSITORY, "description": "d"},
}


def test_every_operation_is_of_the_model_has_a_sample_and_its_resource() -> None:
    assert set(TABLE) == set(MODEL.operations)
    assert set(TABLE) == set(SAMPLES)
    for entry in TABLE.values():
        assert callable(entry.on)


async def test_an_unsigned_request_is_refused(plane: Plane) -> None:
    for name, sample in SAMPLES.items():
        answer = await plane.send(name, plane.sign(name, None, sample))

        assert (name, answer.status, answer.code) == (name, 403, "MissingAuthenticationTokenException")
        assert answer.received == 0


async def test_an_old_signature_is_refused_before_the_body_is_read(plane: Plane) -> None:
    for name, sample in SAMPLES.items():
        answer = await plane.send(name, plane.sign(name, plane.keys["admin"], sample, late=timedelta(minutes=6)))

        assert (name, answer.status, answer.code) == (name, 403, "InvalidSignatureException")
        assert "Signature expired" in answer.message
        assert answer.received == 0


async def test_an_unknown_key_is_refused_before_the_body_is_read(plane: Plane) -> None:
    for name, sample in SAMPLES.items():
        answer = await plane.send(name, plane.sign(name, Credentials("AKIAUNKNOWN", "secret"), sample))

        assert (name, answer.status, answer.code) == (name, 403, "UnrecognizedClientException")
        assert answer.received == 0


async def test_a_wrong_secret_is_refused(plane: Plane) -> None:
    wrong = Credentials(plane.keys["admin"].access_key, "not the secret")
    for name, sample in SAMPLES.items():
        answer = await plane.send(name, plane.sign(name, wrong, sample))

        assert (name, answer.status, answer.code) == (name, 403, "InvalidSignatureException")


async def test_a_changed_query_or_body_is_refused(plane: Plane) -> None:
    for name, sample in SAMPLES.items():
        signed = plane.sign(name, plane.keys["admin"], sample)

        query = await plane.send(name, replace(signed, target=signed.target + "&more=1"))
        body = await plane.send(name, replace(signed, body=signed.body + b" "))

        expected = "ValidationException" if name == "PublishPackageVersion" else "InvalidSignatureException"
        assert (name, query.code, body.code) == (name, "InvalidSignatureException", expected)


async def test_a_caller_without_the_right_is_refused_whether_or_not_the_resource_is_there(plane: Plane) -> None:
    for name, sample in SAMPLES.items():
        elsewhere = {**sample, **({"domain": "none-there"} if "domain" in sample else {})}

        answers = [await plane.ask(name, "nobody", **sample), await plane.ask(name, "nobody", **elsewhere)]

        for answer in answers:
            assert (name, answer.status, answer.code) == (name, 403, "AccessDeniedException")
            assert f"user/nobody is not authorized to perform: codeartifact:{name}" in answer.message
        assert answers[0].received == (0 if name == "PublishPackageVersion" else 1)


async def test_a_stranger_does_not_learn_whether_a_domain_is_there(plane: Plane) -> None:
    for name, sample in SAMPLES.items():
        if "resourceArn" in sample:
            there, absent = sample, {**sample, "resourceArn": ARN.replace("/dom/", "/abc/")}
        elif "domainOwner" in MODEL.operations[name].input.members:
            there = {**sample, "domainOwner": OWNER}
            absent = {**there, "domain": "abc"}
        else:
            continue  # about the caller's own account
        # DeleteDomain has no ResourceNotFoundException in the model.
        hidden = (403, "AccessDeniedException") if name == "DeleteDomain" else (404, "ResourceNotFoundException")

        answers = [await plane.ask(name, "stranger", **params) for params in (there, absent)]

        assert [(name, a.status, a.code) for a in answers] == [(name, *hidden)] * 2
        assert answers[0].message == answers[1].message.replace("abc", "dom")


async def test_a_stranger_whom_a_policy_lets_in_hears_of_his_missing_right(plane: Plane) -> None:
    allow = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"},
        "Action": "codeartifact:DescribeDomain",
        "Resource": "*",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    await plane.call("PutDomainPermissionsPolicy", domain="dom", policyDocument=document)

    seen = await plane.ask("DescribeDomain", "stranger", domain="dom", domainOwner=OWNER)
    denied = await plane.ask("DeleteDomain", "stranger", domain="dom", domainOwner=OWNER)

    assert seen.status == 200
    assert (denied.status, denied.code) == (403, "AccessDeniedException")


async def test_an_omitted_owner_is_the_callers_account(plane: Plane) -> None:
    answer = await plane.ask("DescribeDomain", "stranger", domain="dom")

    assert answer.status == 404
    assert OTHER in answer.message


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/nothing"), ("PATCH", "/v1/domain"), ("GET", "/v1/domain/"), ("POST", "/v1/package-groups/")],
)
async def test_what_is_no_operation_here_is_unknown(plane: Plane, method: str, path: str) -> None:
    request = AWSRequest(method, f"http://registry.test{path}", params={"domain": "dom"})

    answer = await plane.send(None, plane.sign_request(request, plane.keys["admin"]))

    assert (answer.status, answer.headers["x-amzn-errortype"]) == (404, "UnknownOperationException")
    assert "x-amzn-requestid" in answer.headers


async def test_every_answer_has_an_id_of_its_own(plane: Plane) -> None:
    answers = [await plane.ask("DescribeDomain", domain=name) for name in ("dom", "dom", "none")]

    assert len({answer.headers["x-amzn-requestid"] for answer in answers}) == 3


async def test_a_broken_rule_is_a_validation_exception_with_its_reason(plane: Plane) -> None:
    answer = await plane.ask("DescribeDomain", domain="X!")

    assert (answer.status, answer.code) == (400, "ValidationException")
    assert answer.parsed["reason"] == "FIELD_VALIDATION_FAILED"
    assert answer.message.startswith("1 validation error detected: Value 'X!' at 'domain' failed to satisfy constraint")
    assert json.loads(answer.body)["message"] == answer.message


async def test_a_body_that_is_not_json_cannot_be_parsed(plane: Plane) -> None:
    request = AWSRequest("POST", "http://registry.test/v1/domain", params={"domain": "new"}, data=b"{not json")

    answer = await plane.send("CreateDomain", plane.sign_request(request, plane.keys["admin"]))

    assert (answer.status, answer.code, answer.parsed["reason"]) == (400, "ValidationException", "CANNOT_PARSE")


@pytest.mark.parametrize("declared", [True, False])
async def test_a_large_document_is_refused(plane: Plane, declared: bool) -> None:
    body = b" " * (BODY_LIMIT + 1)
    request = AWSRequest("POST", "http://registry.test/v1/domain", params={"domain": "new"}, data=body)
    signed = plane.sign_request(request, plane.keys["admin"])
    if not declared:
        signed = with_header(signed, "Content-Length", "0")

    answer = await plane.send("CreateDomain", signed)

    assert (answer.status, answer.code) == (400, "ValidationException")
    assert answer.received == (0 if declared else 1)


async def test_a_fault_of_ours_tells_nothing_and_is_logged(plane: Plane, caplog: pytest.LogCaptureFixture) -> None:
    entry = TABLE["DescribeDomain"]

    async def broken(call: object, p: object) -> dict[str, Any]:
        raise RuntimeError("secret detail")

    TABLE["DescribeDomain"] = replace(entry, function=broken)
    try:
        answer = await plane.ask("DescribeDomain", domain="dom")
    finally:
        TABLE["DescribeDomain"] = entry

    assert (answer.status, answer.code) == (500, "InternalServerException")
    assert b"secret detail" not in answer.body
    assert "secret detail" in caplog.text


async def test_a_closed_database_is_told_as_not_now(plane: Plane) -> None:
    await plane.services.store.close()  # type: ignore[attr-defined]

    answer = await plane.ask("DescribeDomain", domain="dom")

    assert (answer.status, answer.code) == (503, "InternalServerException")
    assert answer.headers["retry-after"] == "1"


def test_errors_of_the_model_have_their_statuses() -> None:
    service = botocore.session.get_session().get_service_model("codeartifact")

    assert {name: shape.status for name, shape in MODEL.errors.items()} == {
        s.name: s.metadata["error"]["httpStatusCode"] for s in service.error_shapes
    }
