"""Long-lived tokens, as IAM's service-specific credentials; and reading without any token."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.harness import Server
from tests.iam.conftest import Cloud, allow, deny, document, refused

SERVICE = "codeartifact.amazonaws.com"
READ = allow("codeartifact:ReadFromRepository")


def test_a_long_lived_token_reads_until_it_is_revoked(cloud: Cloud) -> None:
    one, two = cloud.domain(), cloud.domain()
    name, _ = cloud.user(READ)
    made = cloud.iam.create_service_specific_credential(UserName=name, ServiceName=SERVICE, CredentialAgeDays=365)[
        "ServiceSpecificCredential"
    ]
    left = made["ExpirationDate"] - datetime.now(UTC)
    assert timedelta(days=364) < left <= timedelta(days=365)
    token, id = made["ServicePassword"], made["ServiceSpecificCredentialId"]

    def status(domain: str = one) -> int:
        return cloud.server.get(cloud.server.endpoint("pypi", domain=domain) + "simple/", token=token).status

    assert [status(one), status(two)] == [200, 200]
    listed = cloud.iam.list_service_specific_credentials(UserName=name)["ServiceSpecificCredentials"]
    assert [each["ServiceSpecificCredentialId"] for each in listed] == [id] and token not in str(listed)
    cloud.iam.update_service_specific_credential(UserName=name, ServiceSpecificCredentialId=id, Status="Inactive")
    assert status() == 401
    cloud.iam.update_service_specific_credential(UserName=name, ServiceSpecificCredentialId=id, Status="Active")
    assert status() == 200
    cloud.iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document(deny()))
    assert status() == 403
    cloud.iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document(READ))
    assert status() == 200
    cloud.iam.delete_service_specific_credential(UserName=name, ServiceSpecificCredentialId=id)
    assert status() == 401
    assert refused(cloud.iam.delete_service_specific_credential, UserName=name, ServiceSpecificCredentialId=id) == (
        "NoSuchEntity",
        404,
    )


def test_policies_say_who_may_have_a_long_lived_token_and_for_how_long(cloud: Cloud) -> None:
    condition = {"NumericLessThanEquals": {"iam:ServiceSpecificCredentialAgeDays": "90"}}
    own = "arn:aws:iam::*:user/${aws:username}"
    create = allow("iam:CreateServiceSpecificCredential", Resource=own, Condition=condition)
    name, keys = cloud.user(create)
    make = cloud.client("iam", keys).create_service_specific_credential
    asked = {"UserName": name, "ServiceName": SERVICE}
    assert refused(make, **asked, CredentialAgeDays=91) == ("AccessDenied", 403)
    assert refused(make, **asked) == ("AccessDenied", 403)
    assert refused(make, **{**asked, "UserName": "admin"}, CredentialAgeDays=1) == ("AccessDenied", 403)
    make(**asked, CredentialAgeDays=90)
    other = {**asked, "ServiceName": "codecommit.amazonaws.com"}
    assert refused(cloud.iam.create_service_specific_credential, **other) == ("NotSupportedService", 404)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that lets who shows no token read what is open to all: `repo` is, `shut` is not."""
    settings = {"server": {"anonymous_read": True}}
    with Server(tmp_path_factory.mktemp("open"), settings=settings) as server:
        server.make("dom", "repo", "shut")
        opening = document(allow("codeartifact:*", Principal="*"))
        server.boto().put_repository_permissions_policy(domain="dom", repository="repo", policyDocument=opening)
        yield server


FORMATS = ["npm", "pypi", "maven", "nuget", "cargo", "ruby", "swift", "generic"]


@pytest.mark.parametrize("format", FORMATS)
def test_nobody_known_reads_what_is_open_and_is_asked_who_he_is_for_the_rest(opened: Server, format: str) -> None:
    def statuses(repo: str, *, token: str | None = None) -> list[int]:
        where = opened.endpoint(format, repo)
        return [opened.request(method, where + "none", token=token).status for method in ("GET", "HEAD")]

    assert 401 not in statuses("repo") and 403 not in statuses("repo")
    shut, absent = opened.request("GET", opened.endpoint(format, "shut") + "none"), statuses("nowhere")
    assert shut.status == 401 and "www-authenticate" in shut.headers and absent == [401, 401]
    assert statuses("shut", token="made-up") == [401, 401]
    assert statuses("repo", token="made-up") == [401, 401]


def test_nobody_known_reads_packages_and_publishes_none(opened: Server) -> None:
    target = opened.endpoint("generic") + "files/notes/1.0/notes.txt"
    assert opened.request("PUT", target, body=b"hello").status == 401
    assert opened.request("PUT", target, body=b"hello", token=opened.token()).status < 300
    assert opened.get(target).body == b"hello"
    assert opened.request("DELETE", target).status in (401, 405)
    shut = document(deny("codeartifact:ReadFromRepository", Principal="*"))
    opened.boto().put_domain_permissions_policy(domain="dom", policyDocument=shut)
    try:
        assert opened.get(target).status == 401
    finally:
        opened.boto().delete_domain_permissions_policy(domain="dom")
    assert opened.get(target).status == 200


def test_without_the_setting_everybody_must_say_who_he_is(cloud: Cloud) -> None:
    domain = cloud.domain()
    opening = document(allow("codeartifact:*", Principal="*"))
    cloud.client("codeartifact").put_repository_permissions_policy(
        domain=domain, repository="repo", policyDocument=opening
    )
    for format in FORMATS:
        answer = cloud.server.get(cloud.server.endpoint(format, domain=domain) + "none")
        assert answer.status == 401 and "www-authenticate" in answer.headers
