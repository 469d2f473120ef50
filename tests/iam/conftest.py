"""One server for all tests of IAM and STS; every test makes names of its own."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.harness import REGION, Server

OTHER = "444455556666"
OTHER_KEYS = ("AKIAOTHERACCOUNT0001", "other/secret/key/of/forty/characters+000")
_numbers = itertools.count(1)


class Cloud:
    """A server with two accounts.  `client(service, keys)` signs as whoever has the keys."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.admin = (server.access_key, server.secret_key)
        self.other = OTHER_KEYS
        self.account = server.account
        self._session = boto3.session.Session()
        self._clients: dict[Any, Any] = {}

    def client(self, service: str, keys: tuple[str, ...] | None = None) -> Any:
        keys = keys or self.admin
        if (service, keys) not in self._clients:
            self._clients[service, keys] = self._session.client(
                service,
                region_name=REGION,
                endpoint_url=self.server.url,
                aws_access_key_id=keys[0],
                aws_secret_access_key=keys[1],
                aws_session_token=keys[2] if len(keys) > 2 else None,
                config=Config(retries={"max_attempts": 0}, ignore_configured_endpoint_urls=True),
            )
        return self._clients[service, keys]

    @property
    def iam(self) -> Any:
        return self.client("iam")

    @property
    def sts(self) -> Any:
        return self.client("sts")

    def name(self, stem: str = "x") -> str:
        return f"{stem}{next(_numbers)}"

    def user(self, *statements: dict[str, Any], stem: str = "user", **options: Any) -> tuple[str, tuple[str, str]]:
        """A fresh user with an access key and one inline policy (or none): (name, keys)."""
        name = self.name(stem)
        self.iam.create_user(UserName=name, **options)
        if statements:
            self.iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document(*statements))
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        return name, (key["AccessKeyId"], key["SecretAccessKey"])

    def role(self, trust: dict[str, Any], *statements: dict[str, Any], **options: Any) -> dict[str, Any]:
        """A fresh role with one inline policy (or none)."""
        name = self.name("role")
        role = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust), **options)["Role"]
        if statements:
            self.iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(*statements))
        return role

    def assume(self, role: str, keys: tuple[str, ...] | None = None, **options: Any) -> tuple[str, str, str]:
        made = self.client("sts", keys).assume_role(RoleArn=role, **{"RoleSessionName": "session", **options})
        return keys_of(made)

    def domain(self) -> str:
        """A fresh domain with the repository `repo`."""
        name = self.name("dom")
        self.client("codeartifact").create_domain(domain=name)
        self.client("codeartifact").create_repository(domain=name, repository="repo")
        return name


def keys_of(answer: dict[str, Any]) -> tuple[str, str, str]:
    made = answer["Credentials"]
    return made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"]


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, **elements: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions) or "*", "Resource": "*", **elements}


def deny(*actions: str, **elements: Any) -> dict[str, Any]:
    return {**allow(*actions, **elements), "Effect": "Deny"}


def trust(principal: Any, *actions: str, **elements: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": list(actions) or ["sts:AssumeRole"], **elements}


def refused(call: Any, *args: Any, **kwargs: Any) -> tuple[str, int]:
    """(code, status) of the error that a call ends in."""
    with pytest.raises(ClientError) as error:
        call(*args, **kwargs)
    response = error.value.response
    assert response["ResponseMetadata"]["RequestId"]
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    account = {"id": OTHER, "access_key_id": OTHER_KEYS[0], "secret_access_key": OTHER_KEYS[1]}
    settings = {
        "accounts": [account],
        "quotas": {"domains_per_account": 1000},
        "aws": {"organization": "o-packyard0001"},
    }
    with Server(tmp_path_factory.mktemp("iam"), settings=settings) as server:
        yield Cloud(server)
