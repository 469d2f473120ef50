"""What the commands do, on an open store.  Failures are RegistryErrors with a message for the administrator."""

from __future__ import annotations

import asyncio
import os
import re
import secrets as random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from registry.config import Config, ConfigError
from registry.core.clock import SystemClock
from registry.core.errors import Conflict, ResourceNotFound, Validation
from registry.core.iam import Credential, Principal
from registry.core.ports import Clock, Store, Tx
from registry.core.types import AccessKey, DomainKey
from registry.drivers import store_of
from registry.identity import managed
from registry.identity.bootstrap import Seed, access_key, bootstrap, user_id
from registry.identity.longlived import SERVICE, token
from registry.identity.secrets import KeyFileError, Secrets, master_key
from registry.identity.tokens import Tokens

DAY = 24 * 3600 * 1000
KEYS_PER_USER = 2
LONGEST = 36_600
_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
_PATH = re.compile(r"/(?:[!-~]{1,510}/)?")


@dataclass(frozen=True, slots=True)
class Desk:
    """An open store and what goes with it."""

    config: Config
    store: Store
    clock: Clock
    secrets: Secrets

    @property
    def credentials(self) -> Path:
        return self.config.data / "credentials"

    def account(self, given: str | None) -> str:
        return given or self.config.aws.account


@asynccontextmanager
async def desk(config: Config) -> AsyncIterator[Desk]:
    """Raises Unavailable, Validation."""
    await asyncio.to_thread(config.data.mkdir, mode=0o700, parents=True, exist_ok=True)
    try:
        secrets = Secrets(await asyncio.to_thread(master_key, config.data / "keys", os.environ))
    except KeyFileError as err:
        raise Validation(str(err)) from err
    store = store_of(config)
    await store.open()
    try:
        yield Desk(config, store, SystemClock(), secrets)
    finally:
        await store.close()


async def add_account(desk: Desk, account: str) -> str:
    """Make it with its administrator; the profile in the credentials file.  Raises Conflict, ConfigError."""
    if not re.fullmatch(r"[0-9]{12}", account):
        raise ConfigError(f"An account's id must be twelve digits, not {account!r}")
    first = desk.config.aws.account
    if account in await desk.store.read(lambda tx: tx.identity.accounts()):
        raise Conflict(f"There is an account {account} already")
    given = os.environ.get
    seeds = [Seed(first, given("PACKYARD_ADMIN_ACCESS_KEY_ID", ""), given("PACKYARD_ADMIN_SECRET_ACCESS_KEY", ""))]
    if account != first:
        seeds.append(Seed(account))
    await bootstrap(
        desk.store,
        desk.secrets,
        accounts=seeds,
        directory=desk.config.data,
        region=desk.config.aws.region,
        now=desk.clock.now(),
    )
    return "packyard" if account == first else f"packyard-{account}"


async def add_user(
    desk: Desk, account: str | None, name: str, *, path: str, policies: Sequence[str], groups: Sequence[str]
) -> Principal:
    """Raises Conflict, ResourceNotFound, Validation."""
    where = desk.account(account)
    if not _NAME.fullmatch(name) or not _PATH.fullmatch(path):
        raise Validation(f"{path}{name} is not a user's path and name")
    made = Principal(user_id(), "user", where, name, path, desk.clock.now())

    async def work(tx: Tx) -> None:
        if where not in await tx.identity.accounts():
            raise ResourceNotFound(f"There is no account {where}")
        if not await tx.principals.add(made):
            raise Conflict(f"The account {where} has a user {name} already")
        for policy in policies:
            await tx.principals.attach(made.id, await _policy(tx, where, policy))
        for each in groups:
            group = await tx.principals.named(where, "group", each)
            if group is None:
                raise ResourceNotFound(f"The account {where} has no group {each}")
            await tx.principals.join(group.id, made.id)

    await desk.store.write(work)
    return made


async def _policy(tx: Tx, account: str, given: str) -> str:
    """The ARN of a policy of the account, or of the server's own."""
    for arn in (given, f"arn:aws:iam::{account}:policy/{given}", f"{managed.PREFIX}{given}"):
        policy = await tx.managed.get(arn)
        if policy is not None and policy.account in ("", account):
            return arn
    raise ResourceNotFound(f"There is no managed policy {given}")


async def add_key(desk: Desk, account: str | None, name: str) -> tuple[str, str]:
    """Id and secret.  Raises ResourceNotFound, Conflict."""
    id, secret = access_key()
    sealed = desk.secrets.seal(secret.encode(), id)

    async def work(tx: Tx) -> None:
        user = await _user(tx, desk.account(account), name)
        if len(await tx.principals.keys(user.id)) >= KEYS_PER_USER:
            raise Conflict(f"The user {name} has {KEYS_PER_USER} access keys already")
        await tx.identity.add_key(AccessKey(id, user.account, user.name, sealed, active=True), desk.clock.now())

    await desk.store.write(work)
    return id, secret


async def delete_user(desk: Desk, account: str | None, name: str) -> Principal:
    """With all that is the user's own.  Raises ResourceNotFound."""

    async def work(tx: Tx) -> Principal:
        user = await _user(tx, desk.account(account), name)
        await tx.principals.delete(user.id)
        return user

    return await desk.store.write(work)


async def users(desk: Desk, account: str | None) -> list[Principal]:
    """By name."""
    return await desk.store.read(lambda tx: tx.principals.page(desk.account(account), "user", "/", None, 100_000))


async def _user(tx: Tx, account: str, name: str) -> Principal:
    found = await tx.principals.named(account, "user", name)
    if found is None:
        raise ResourceNotFound(f"The account {account} has no user {name}")
    return found


# --- tokens ------------------------------------------------------------------------------------------------------


async def create_token(
    desk: Desk,
    account: str | None,
    name: str,
    *,
    days: int | None,
    domain: str | None,
    owner: str | None,
    description: str,
) -> tuple[Credential, str]:
    """The token's row and its text.  Raises ResourceNotFound, Validation."""
    if days is not None and not 1 <= days <= LONGEST:
        raise Validation(f"A token may hold for 1 to {LONGEST} days, not {days}")
    now = desk.clock.now()
    id = "ACCA" + "".join(random.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(17))

    async def work(tx: Tx) -> tuple[Principal, Credential]:
        user = await _user(tx, desk.account(account), name)
        domain_id = 0
        if domain is not None:
            key = DomainKey(owner or user.account, domain)
            row = await tx.domains.get(key)
            if row is None:
                raise ResourceNotFound(f"There is no domain {key.name} of the account {key.owner}")
            domain_id = row.id
        expires = now + days * DAY if days is not None else 0
        made = Credential(id, user.id, SERVICE, description, domain_id, True, now, expires)
        await tx.principals.add_credential(made)
        return user, made

    user, made = await desk.store.write(work)
    return made, token(Tokens(desk.secrets.derive("tokens")), user, made)


async def tokens(desk: Desk, account: str | None) -> list[tuple[Principal, Credential]]:
    """By user."""
    return await desk.store.read(lambda tx: tx.principals.all_credentials(desk.account(account)))


async def revoke_token(desk: Desk, id: str) -> None:
    """Raises ResourceNotFound."""

    async def work(tx: Tx) -> None:
        if await tx.principals.credential(id) is None:
            raise ResourceNotFound(f"There is no token {id}")
        await tx.principals.drop_credential(id)

    await desk.store.write(work)
