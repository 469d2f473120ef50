"""Two processes on one database: what one is told holds for the next request to the other, warm caches included."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness import Server
from tests.iam.conftest import Cloud, allow, deny, document, trust

READ = allow("codeartifact:ReadFromRepository", "codeartifact:GetAuthorizationToken", "sts:GetServiceBearerToken")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cloud, Server]]:
    data = tmp_path_factory.mktemp("shared")
    with Server(data) as here, Server(data) as there:
        here.make("dom", "repo")
        yield Cloud(here), there


def test_what_is_taken_away_here_is_gone_there(two: tuple[Cloud, Server], tmp_path: Path) -> None:
    cloud, there = two
    iam = cloud.iam
    user, keys = cloud.user(READ)
    role = cloud.role(trust({"AWS": cloud.account}), READ)
    index = there.endpoint("pypi") + "simple/"

    def token(keys: tuple[str, ...]) -> str:
        made = cloud.client("codeartifact", keys).get_authorization_token(domain="dom")
        return str(made["authorizationToken"])

    def warm(token: str, status: int) -> None:
        assert [there.get(index, token=token).status for _ in range(3)] == [status] * 3

    of_user, of_role = token(keys), token(cloud.assume(role["Arn"]))
    made = iam.create_service_specific_credential(UserName=user, ServiceName="codeartifact.amazonaws.com")
    long = made["ServiceSpecificCredential"]["ServicePassword"]
    id = made["ServiceSpecificCredential"]["ServiceSpecificCredentialId"]
    steps: list[tuple[str, Callable[[], object], int]] = [
        (of_user, lambda: iam.put_user_policy(UserName=user, PolicyName="no", PolicyDocument=document(deny())), 403),
        (of_user, lambda: iam.delete_user_policy(UserName=user, PolicyName="no"), 200),
        (long, lambda: iam.delete_service_specific_credential(UserName=user, ServiceSpecificCredentialId=id), 401),
        (of_role, lambda: iam.delete_role_policy(RoleName=role["RoleName"], PolicyName="own"), 403),
        (of_role, lambda: iam.delete_role(RoleName=role["RoleName"]), 401),
    ]
    for each in (of_user, of_role, long):
        warm(each, 200)
    for each, change, status in steps:
        change()
        assert there.get(index, token=each).status == status
        warm(each, status)
    warm(of_user, 200)
    iam.delete_access_key(UserName=user, AccessKeyId=keys[0])
    warm(of_user, 200)  # a token outlives the key that it was asked with, and not the user
    iam.delete_user_policy(UserName=user, PolicyName="own")
    iam.delete_user(UserName=user)
    warm(of_user, 401)
