"""The first start and the later ones, and who an access key or a token stands for."""

from __future__ import annotations

import asyncio
import configparser
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from botocore.session import Session

from registry.core.arns import Arns
from registry.core.authorize import require
from registry.core.errors import AccessDenied, Unauthenticated, Unavailable
from registry.core.policy import parse
from registry.core.ports import Tx
from registry.core.types import AccessKey, User
from registry.identity import managed
from registry.identity.bootstrap import BootstrapError, Made, Seed, bootstrap
from registry.identity.callers import by_claims, by_key
from registry.identity.secrets import Secrets
from registry.identity.sigv4 import SignatureError
from registry.identity.tokens import Tokens
from storage.metadata.sqlite import SQLiteStore

ACCOUNT, OTHER = "111122223333", "444455556666"
GIVEN = Seed(ACCOUNT, "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
SECRETS = Secrets(bytes(32))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    store = SQLiteStore(tmp_path / "packyard.db")
    await store.open()
    yield store
    await store.close()


async def start(store: SQLiteStore, directory: Path | None, *seeds: Seed) -> list[Made]:
    return await bootstrap(store, SECRETS, accounts=seeds, directory=directory, region="us-west-2", now=1)


async def credentials(directory: Path) -> configparser.RawConfigParser:
    config = configparser.RawConfigParser()
    assert await asyncio.to_thread(config.read, directory / "credentials")
    return config


async def text(path: Path) -> str | None:
    """What is in the file; None when there is none."""
    return await asyncio.to_thread(lambda: path.read_text() if path.exists() else None)


async def test_the_first_start_makes_an_administrator_who_may_everything(store: SQLiteStore, tmp_path: Path) -> None:
    [made] = await start(store, tmp_path, Seed(ACCOUNT))

    caller, secret = await store.read(lambda tx: by_key(tx, SECRETS, made.access_key_id))

    assert secret == made.secret_access_key
    assert (caller.arn, caller.name, caller.token_domain) == (f"arn:aws:iam::{ACCOUNT}:user/admin", "admin", None)
    assert re.fullmatch(r"AKIA[A-Z2-7]{16}", made.access_key_id)
    assert re.fullmatch(r"AIDA[A-Z2-7]{17}", caller.user_id)
    assert len(secret) == 40
    for action in ("codeartifact:CreateDomain", "sts:GetServiceBearerToken", "iam:CreateUser"):
        await store.read(
            lambda tx, action=action: require(tx, arns=Arns("us-west-2"), caller=caller, action=action, resource="*")
        )


async def test_the_credentials_are_a_profile_that_only_the_owner_can_read(store: SQLiteStore, tmp_path: Path) -> None:
    [made] = await start(store, tmp_path, Seed(ACCOUNT))

    profile = (await credentials(tmp_path))["packyard"]

    assert profile["aws_access_key_id"] == made.access_key_id
    assert profile["aws_secret_access_key"] == made.secret_access_key
    assert profile["region"] == "us-west-2"
    assert (await asyncio.to_thread((tmp_path / "credentials").stat)).st_mode & 0o777 == 0o600


async def test_an_aws_client_reads_the_profile(
    store: SQLiteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await start(store, tmp_path, GIVEN)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "absent"))

    def read() -> tuple[str, str, str]:
        session = Session(profile="packyard")
        found = session.get_credentials()
        return found.access_key, found.secret_key, session.get_config_variable("region")

    assert await asyncio.to_thread(read) == (GIVEN.access_key_id, GIVEN.secret_access_key, "us-west-2")


async def test_the_given_access_key_is_taken(store: SQLiteStore, tmp_path: Path) -> None:
    assert await start(store, tmp_path, GIVEN) == [Made(ACCOUNT, GIVEN.access_key_id, GIVEN.secret_access_key)]


async def test_a_later_start_changes_nothing(store: SQLiteStore, tmp_path: Path) -> None:
    await start(store, tmp_path, GIVEN)
    revision = await store.read(lambda tx: tx.identity.revision())
    written = await text(tmp_path / "credentials")

    assert (
        await start(store, tmp_path, replace(GIVEN, access_key_id="AKIAOTHER", secret_access_key="other-secret")) == []
    )

    assert await store.read(lambda tx: tx.identity.revision()) == revision
    assert await text(tmp_path / "credentials") == written


async def test_an_account_that_is_named_later_is_made_later(store: SQLiteStore, tmp_path: Path) -> None:
    [first] = await start(store, tmp_path, Seed(ACCOUNT))

    [second] = await start(store, tmp_path, Seed(ACCOUNT), Seed(OTHER))

    config = await credentials(tmp_path)
    assert config["packyard"]["aws_access_key_id"] == first.access_key_id
    assert config[f"packyard-{OTHER}"]["aws_access_key_id"] == second.access_key_id
    caller, _ = await store.read(lambda tx: by_key(tx, SECRETS, second.access_key_id))
    assert (caller.account, caller.name) == (OTHER, "admin")


async def test_what_a_start_left_that_did_not_get_through_is_replaced(store: SQLiteStore, tmp_path: Path) -> None:
    left = "[packyard]\naws_access_key_id = lost\n[mine]\nx = y\n"
    await asyncio.to_thread((tmp_path / "credentials").write_text, left)

    [made] = await start(store, tmp_path, Seed(ACCOUNT))

    assert (await credentials(tmp_path))["packyard"]["aws_access_key_id"] == made.access_key_id
    assert (await credentials(tmp_path))["mine"]["x"] == "y"


async def test_starts_at_once_make_one_administrator_whose_key_is_in_the_file(
    store: SQLiteStore, tmp_path: Path
) -> None:
    starts = await asyncio.gather(*(start(store, tmp_path, Seed(ACCOUNT)) for _ in range(4)))

    [made] = [each for made in starts for each in made]
    assert (await credentials(tmp_path))["packyard"]["aws_access_key_id"] == made.access_key_id


async def test_starts_of_two_hosts_at_once_leave_no_key_that_does_not_work(store: SQLiteStore, tmp_path: Path) -> None:
    hosts = [tmp_path / "a", tmp_path / "b", tmp_path / "c"]

    starts = await asyncio.gather(*(start(store, host, Seed(ACCOUNT)) for host in hosts))

    assert sum(map(len, starts)) == 1
    assert [await text(host / "credentials") is not None for host in hosts] == [bool(made) for made in starts]


async def test_a_host_that_comes_second_keeps_the_rest_of_its_file(store: SQLiteStore, tmp_path: Path) -> None:
    hosts = [tmp_path / "a", tmp_path / "b"]
    for host in hosts:
        await asyncio.to_thread(host.mkdir)
        await asyncio.to_thread((host / "credentials").write_text, "[mine]\nx = y\n")

    starts = await asyncio.gather(*(start(store, host, Seed(ACCOUNT)) for host in hosts))

    for host, made in zip(hosts, starts, strict=True):
        assert (await credentials(host)).sections() == (["mine", "packyard"] if made else ["mine"])


async def test_no_accounts_and_a_file_that_is_something_else(store: SQLiteStore, tmp_path: Path) -> None:
    await asyncio.to_thread((tmp_path / "credentials").write_text, "something else")

    assert await start(store, tmp_path) == []
    with pytest.raises(BootstrapError):
        await start(store, tmp_path, GIVEN)

    assert await text(tmp_path / "credentials") == "something else"


async def test_secrets_are_not_in_the_database(store: SQLiteStore, tmp_path: Path) -> None:
    await start(store, tmp_path, GIVEN)

    key = await store.read(lambda tx: tx.identity.key(GIVEN.access_key_id))

    assert key is not None
    assert GIVEN.secret_access_key.encode() not in key.secret
    assert GIVEN.secret_access_key not in repr(GIVEN)


@pytest.mark.parametrize(
    "seed",
    [
        Seed(ACCOUNT, "AKIAIOSFODNN7EXAMPLE"),
        Seed(ACCOUNT, "", "wJalrXUtnFEMI"),
        Seed(ACCOUNT, "has/slash", "wJalrXUtnFEMI"),
        Seed(ACCOUNT, "AKIAIOSFODNN7EXAMPLE", "has a space"),
    ],
)
async def test_half_a_key_is_refused_and_nothing_is_made(store: SQLiteStore, tmp_path: Path, seed: Seed) -> None:
    with pytest.raises(BootstrapError):
        await start(store, tmp_path, seed)

    assert await store.read(lambda tx: tx.identity.accounts()) == []
    assert await text(tmp_path / "credentials") is None


async def test_the_managed_policies_are_there_and_are_policies(store: SQLiteStore) -> None:
    await start(store, None, GIVEN)

    async def attach(tx: Tx) -> list[str]:
        await tx.identity.add_user(User(ACCOUNT, "bob", "/", "AIDABOB", 1))
        for arn in managed.DOCUMENTS:
            await tx.identity.attach_policy(ACCOUNT, "bob", arn)
        return await tx.identity.documents(ACCOUNT, "bob")

    documents = await store.write(attach)

    assert sorted(documents) == sorted(managed.DOCUMENTS.values())
    assert [json.loads(text)["Version"] for text in documents] == ["2012-10-17"] * 3
    assert all(parse(text, "identity").statements for text in documents)
    assert {arn.rpartition("/")[2] for arn in managed.DOCUMENTS} == {
        "AdministratorAccess",
        "AWSCodeArtifactAdminAccess",
        "AWSCodeArtifactReadOnlyAccess",
    }


@pytest.mark.parametrize(
    ("policy", "action", "allowed"),
    [
        ("AWSCodeArtifactAdminAccess", "DeleteDomain", True),
        ("AWSCodeArtifactAdminAccess", "sts:GetServiceBearerToken", True),
        ("AWSCodeArtifactAdminAccess", "iam:CreateUser", False),
        ("AWSCodeArtifactReadOnlyAccess", "ReadFromRepository", True),
        ("AWSCodeArtifactReadOnlyAccess", "GetAuthorizationToken", True),
        ("AWSCodeArtifactReadOnlyAccess", "sts:GetServiceBearerToken", True),
        ("AWSCodeArtifactReadOnlyAccess", "PublishPackageVersion", False),
        ("AWSCodeArtifactReadOnlyAccess", "PutPackageMetadata", False),
    ],
)
async def test_what_the_managed_policies_allow(store: SQLiteStore, policy: str, action: str, allowed: bool) -> None:
    await start(store, None, GIVEN)

    async def attach(tx: Tx) -> None:
        await tx.identity.add_user(User(ACCOUNT, "bob", "/", f"AIDA{policy}", 1))
        await tx.identity.attach_policy(ACCOUNT, "bob", managed.PREFIX + policy)
        sealed = SECRETS.seal(b"secret", "AKIABOB")
        await tx.identity.add_key(AccessKey("AKIABOB", ACCOUNT, "bob", sealed, active=True), 1)

    await store.write(attach)
    bob, _ = await store.read(lambda tx: by_key(tx, SECRETS, "AKIABOB"))

    async def ask() -> bool:
        try:
            await store.read(lambda tx: require(tx, arns=Arns("us-west-2"), caller=bob, action=action, resource="*"))
        except AccessDenied:
            return False
        return True

    assert await ask() is allowed


# --- who is it --------------------------------------------------------------------------------------------------------


async def test_an_unknown_or_inactive_key_is_nobodys(store: SQLiteStore) -> None:
    await start(store, None, GIVEN)
    sealed = SECRETS.seal(b"secret", "AKIAINACTIVE")
    key = AccessKey("AKIAINACTIVE", ACCOUNT, "admin", sealed, active=False)
    await store.write(lambda tx: tx.identity.add_key(key, 1))

    for name in ("AKIAINACTIVE", "AKIANONE"):
        with pytest.raises(SignatureError) as refused:
            await store.read(lambda tx, name=name: by_key(tx, SECRETS, name))
        assert (refused.value.status, refused.value.code) == (403, "UnrecognizedClientException")


async def test_a_key_sealed_under_another_master_key_is_our_failure(store: SQLiteStore) -> None:
    await start(store, None, GIVEN)

    with pytest.raises(Unavailable):
        await store.read(lambda tx: by_key(tx, Secrets(bytes(range(32))), GIVEN.access_key_id))


async def test_a_token_stands_for_its_user_in_its_domain(store: SQLiteStore) -> None:
    await start(store, None, GIVEN)
    admin, _ = await store.read(lambda tx: by_key(tx, SECRETS, GIVEN.access_key_id))
    tokens = Tokens(SECRETS.derive("tokens"))

    claims = tokens.verify(tokens.mint(admin, 42, 2), 1)

    assert await store.read(lambda tx: by_claims(tx, claims)) == replace(admin, token_domain=42)


async def test_a_token_of_a_user_who_is_gone_or_was_made_anew_is_refused(store: SQLiteStore) -> None:
    await start(store, None, GIVEN)
    admin, _ = await store.read(lambda tx: by_key(tx, SECRETS, GIVEN.access_key_id))
    tokens = Tokens(SECRETS.derive("tokens"))

    for gone in (replace(admin, user_id="AIDAOLD"), replace(admin, account=OTHER)):
        claims = tokens.verify(tokens.mint(gone, 42, 2), 1)
        with pytest.raises(Unauthenticated):
            await store.read(lambda tx, claims=claims: by_claims(tx, claims))
