"""Hosted CI without stored secrets: AssumeRoleWithWebIdentity against an issuer on this machine."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from registry.core.iam import Provider
from registry.identity import jwt
from registry.identity.oidc import AGAIN, Issuers, Refused
from tests.harness import REGION
from tests.iam.conftest import Cloud, allow, keys_of, refused
from tests.iam.issuer import Issuer, b64, running


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with running() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def provider(cloud: Cloud, issuer: Issuer) -> str:
    made = cloud.iam.create_open_id_connect_provider(
        Url=issuer.url, ClientIDList=["packyard", "other"], ThumbprintList=["a" * 40]
    )
    return str(made["OpenIDConnectProviderArn"])


@pytest.fixture(scope="module")
def role(cloud: Cloud, issuer: Issuer, provider: str) -> dict[str, Any]:
    """Of the stock recipe: this audience, main branches of this organization."""
    name = issuer.url.split("://")[1]
    condition = {
        "StringEquals": {f"{name}:aud": "packyard"},
        "StringLike": {f"{name}:sub": "repo:acme/*:ref:refs/heads/main"},
    }
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"],
        "Condition": condition,
    }
    return cloud.role(statement, allow("sts:GetServiceBearerToken", "codeartifact:*"))


@pytest.fixture(scope="module")
def assume(cloud: Cloud, role: dict[str, Any]) -> Any:
    """As CI does: without any key."""
    config = Config(signature_version=UNSIGNED, retries={"max_attempts": 0}, ignore_configured_endpoint_urls=True)
    client = boto3.session.Session().client("sts", endpoint_url=cloud.server.url, region_name=REGION, config=config)

    def assumed(token: str, **options: Any) -> Any:
        given = {"RoleArn": role["Arn"], "RoleSessionName": "build-7", "WebIdentityToken": token, **options}
        return client.assume_role_with_web_identity(**given)

    return assumed


def test_a_build_gets_credentials_and_a_token(cloud: Cloud, issuer: Issuer, provider: str, assume: Any) -> None:
    made = assume(issuer.token())
    assert made["SubjectFromWebIdentityToken"] == "repo:acme/app:ref:refs/heads/main"
    assert (made["Audience"], made["Provider"]) == ("packyard", issuer.url)
    domain = cloud.domain()
    mine = cloud.client("codeartifact", keys_of(made))
    token = mine.get_authorization_token(domain=domain)["authorizationToken"]
    assert cloud.server.get(cloud.server.endpoint("pypi", domain=domain) + "simple/", token=token).status == 200
    shown = cloud.iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider)
    assert shown["Url"] == issuer.url.split("://")[1] and set(shown["ClientIDList"]) == {"packyard", "other"}
    assert {"Arn": provider} in cloud.iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"sub": "repo:evil/app:ref:refs/heads/main"}, "AccessDenied"),
        ({"sub": "repo:acme/app:ref:refs/heads/topic"}, "AccessDenied"),
        ({"aud": "other"}, "AccessDenied"),
        ({"aud": "unknown"}, "InvalidIdentityToken"),
        ({"aud": None}, "InvalidIdentityToken"),
        ({"sub": None}, "InvalidIdentityToken"),
        ({"exp": int(time.time()) - 3600}, "ExpiredTokenException"),
        ({"exp": None}, "InvalidIdentityToken"),
        ({"exp": "later"}, "InvalidIdentityToken"),
        ({"nbf": int(time.time()) + 3600}, "InvalidIdentityToken"),
        ({"iss": "https://elsewhere.example.com"}, "InvalidIdentityToken"),
        ({"iss": None}, "InvalidIdentityToken"),
    ],
)
def test_a_token_that_does_not_fit_is_refused(issuer: Issuer, assume: Any, claims: dict[str, Any], code: str) -> None:
    assert refused(assume, issuer.token(**claims))[0] == code


def test_a_token_that_was_tampered_with_is_refused(issuer: Issuer, assume: Any) -> None:
    good = issuer.token()
    head, body, seal = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    none = f"{b64(json.dumps({'alg': 'none'}).encode())}.{body}."
    shared = f"{b64(json.dumps({'alg': 'HS256', 'kid': issuer.key_id}).encode())}.{body}.{seal}"
    changed = f"{head}.{b64(json.dumps({**claims, 'sub': 'repo:acme/x:ref:refs/heads/main'}).encode())}.{seal}"
    for bad in (
        none,
        shared,
        changed,
        f"{head}.{body}.",
        f"{head}.{body}",
        "x" * 10,
        f"{head}.{body}.{seal[:-8]}AAAAAAAA",
    ):
        assert refused(assume, bad) == ("InvalidIdentityToken", 400)


def test_session_tags_of_the_issuer_and_its_duration(cloud: Cloud, issuer: Issuer, assume: Any) -> None:
    tags = {"https://aws.amazon.com/tags": {"principal_tags": {"Repo": ["app"]}, "transitive_tag_keys": ["Repo"]}}
    made = assume(issuer.token(**tags), DurationSeconds=900)
    assert cloud.client("sts", keys_of(made)).get_caller_identity()["Arn"].endswith("/build-7")
    assert refused(assume, issuer.token(), DurationSeconds=3601) == ("ValidationError", 400)
    narrow = assume(issuer.token(), Policy=json.dumps({"Version": "2012-10-17", "Statement": [allow("sts:*")]}))
    assert refused(cloud.client("codeartifact", keys_of(narrow)).list_domains) == ("AccessDeniedException", 403)


def test_a_role_of_another_account_and_an_absent_one_are_refused(cloud: Cloud, issuer: Issuer, assume: Any) -> None:
    for arn in (f"arn:aws:iam::{cloud.account}:role/none", "arn:aws:iam::444455556666:role/none"):
        assert refused(assume, issuer.token(), RoleArn=arn)[0] == "AccessDenied"
    plain = cloud.role({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:*"})["Arn"]
    assert refused(assume, issuer.token(), RoleArn=plain) == ("AccessDenied", 403)


def test_whoever_removes_a_client_or_the_provider_ends_it(cloud: Cloud, issuer: Issuer) -> None:
    with running() as second:
        arn = cloud.iam.create_open_id_connect_provider(Url=second.url, ClientIDList=["a"])["OpenIDConnectProviderArn"]
        again = cloud.iam.create_open_id_connect_provider
        assert refused(again, Url=second.url + "/", ClientIDList=["a"]) == ("EntityAlreadyExists", 409)
        cloud.iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="b")
        cloud.iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="a")
        cloud.iam.update_open_id_connect_provider_thumbprint(OpenIDConnectProviderArn=arn, ThumbprintList=["b" * 40])
        shown = cloud.iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
        assert (shown["ClientIDList"], shown["ThumbprintList"]) == (["b"], ["b" * 40])
        trusted = {"Effect": "Allow", "Principal": {"Federated": arn}, "Action": "sts:AssumeRoleWithWebIdentity"}
        role = cloud.role(trusted)["Arn"]
        asked = {"RoleArn": role, "RoleSessionName": "ses"}
        give = cloud.sts.assume_role_with_web_identity
        give(**asked, WebIdentityToken=second.token(aud="b"))
        assert refused(give, **asked, WebIdentityToken=second.token(aud="a"))[0] == "InvalidIdentityToken"
        cloud.iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
        cloud.iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
        assert refused(give, **asked, WebIdentityToken=second.token(aud="b"))[0] == "InvalidIdentityToken"
        get = cloud.iam.get_open_id_connect_provider
        assert refused(get, OpenIDConnectProviderArn=arn) == ("NoSuchEntity", 404)


@pytest.mark.parametrize("url", ["http://issuer.example.com", "ftp://x", "https://u@x", "https://x?y", "nothing"])
def test_an_issuer_at_an_insecure_address_is_refused(cloud: Cloud, url: str) -> None:
    code, status = refused(cloud.iam.create_open_id_connect_provider, Url=url, ClientIDList=["a"])
    assert (code, status) in {("InvalidInput", 400), ("ValidationError", 400)}


# --- the keys of an issuer, without a server ---------------------------------------------------------------------


class Clock:
    time = 1_700_000_000_000

    def now(self) -> int:
        return self.time


class World:
    """An issuer that is asked directly."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.issuer = Issuer("http://127.0.0.1:1/ci")
        self.issuers = Issuers(self._fetch, self.clock)
        self.provider = Provider("arn", "111122223333", self.issuer.url, ("packyard",), (), 0)

    async def _fetch(self, issuer: str, url: str) -> bytes:
        from registry.core.errors import UpstreamUnavailable

        if self.issuer.down:
            raise UpstreamUnavailable("down")
        return json.dumps(self.issuer.document(url.removeprefix("http://127.0.0.1:1"))).encode()

    def token(self) -> jwt.Token:
        now = self.clock.time // 1000
        return jwt.parse(self.issuer.token(iat=now, nbf=now, exp=now + 60))

    async def verified(self, token: jwt.Token | None = None) -> str:
        try:
            claims = await self.issuers.verify(self.provider, token or self.token())
        except Refused as err:
            return err.code
        return str(claims["sub"])


GOOD = "repo:acme/app:ref:refs/heads/main"


async def test_keys_are_asked_for_once_and_again_when_they_change() -> None:
    world = World()
    assert [await world.verified(), await world.verified()] == [GOOD, GOOD]
    assert world.issuer.asked == 1

    for key in (ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate(), None):
        old = world.token()
        world.issuer.rotate(f"key {id(key)}", key)
        world.clock.time += AGAIN
        assert await world.verified() == GOOD
        assert await world.verified(old) == "InvalidIdentityToken"


async def test_tokens_of_unknown_keys_do_not_make_us_ask_without_end() -> None:
    world = World()
    await world.verified()
    world.issuer.rotate("second")
    stranger = Issuer(world.issuer.url)
    stranger.key_id = "third"
    now = world.clock.time // 1000
    made_up = jwt.parse(stranger.token(iat=now, nbf=now, exp=now + 60))
    for _ in range(20):
        assert await world.verified(made_up) == "InvalidIdentityToken"
    assert world.issuer.asked == 1
    world.clock.time += AGAIN
    assert await world.verified() == GOOD


async def test_an_issuer_that_is_down_is_believed_by_the_keys_that_are_known() -> None:
    world = World()
    world.issuer.down = True
    assert await world.verified() == "IDPCommunicationError"
    world.issuer.down = False
    assert await world.verified() == GOOD
    world.issuer.down = True
    world.clock.time += 10 * 3600 * 1000
    assert await world.verified() == GOOD


async def test_a_configuration_of_another_issuer_is_not_believed() -> None:
    world = World()
    world.issuer.other = {"issuer": "https://else.example.com", "jwks_uri": f"{world.issuer.url}/keys"}

    assert await world.verified() == "InvalidIdentityToken"
