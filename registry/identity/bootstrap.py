"""First start: accounts, their administrators, managed policies, the credentials file.

    made = await bootstrap(store, secrets, accounts=[Seed("111122223333", key_id, secret)], directory=data,
                           region="us-west-2", now=clock.now())

Nothing is changed by a later start, but for accounts that the configuration names anew.

The credentials file is written before the account is committed, so that a crash between the two leaves a file
that the next start replaces, and never an administrator whose secret nobody has.
"""

from __future__ import annotations

import asyncio
import base64
import configparser
import contextlib
import fcntl
import io
import os
import re
import secrets as random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from registry.core.ports import Store, Tx
from registry.core.types import AccessKey, User
from registry.identity import managed
from registry.identity.secrets import Secrets

ADMIN = "admin"
_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


class BootstrapError(Exception):
    """The first accounts cannot be made as configured; the message names what is wrong and no secret."""


@dataclass(frozen=True, slots=True)
class Seed:
    """An account to be there, and the access key its administrator begins with (made up when empty).

    For the first account the composition root passes PACKYARD_ADMIN_ACCESS_KEY_ID and
    PACKYARD_ADMIN_SECRET_ACCESS_KEY here.
    """

    account: str
    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Made:
    """An administrator's access key made by this start; written nowhere but in the credentials file."""

    account: str
    access_key_id: str
    secret_access_key: str = field(repr=False)


def user_id() -> str:
    """The unique id of a new IAM user."""
    return f"AIDA{_letters(17)}"


def access_key() -> tuple[str, str]:
    """A new access key id and its secret."""
    return f"AKIA{_letters(16)}", base64.b64encode(random.token_bytes(30)).decode()


async def bootstrap(
    store: Store, secrets: Secrets, *, accounts: Sequence[Seed], directory: Path | None, region: str, now: int
) -> list[Made]:
    """Make what is absent; return the keys that were made.

    The first account's go to `directory`/credentials as the profile [packyard], a further one's as
    [packyard-ACCOUNT].  Raises BootstrapError.
    """
    if not accounts:
        return []
    async with _alone(directory):
        there = set(await store.read(lambda tx: tx.identity.accounts()))
        absent = [seed for seed in accounts if seed.account not in there]
        making = {seed.account: (_chosen(seed), user_id()) for seed in absent}
        if not making:
            return []
        path = directory / "credentials" if directory is not None else None
        profiles = {_profile(account, accounts): made for account, (made, _) in making.items()}
        if path is not None:
            await asyncio.to_thread(_write, path, region, profiles)

        async def work(tx: Tx) -> set[str]:
            return {
                account
                for account, (made, admin_id) in making.items()
                if await _account(tx, secrets, made, admin_id, now)
            }

        done = await store.write(work)
        if path is not None and len(done) < len(making):
            # Another host was first, on the same database: these keys were never made.
            lost = {name: made for name, made in profiles.items() if made.account not in done}
            await asyncio.to_thread(_forget, path, lost)
        return [made for account, (made, _) in making.items() if account in done]


async def _account(tx: Tx, secrets: Secrets, made: Made, admin_id: str, now: int) -> bool:
    if not await tx.identity.add_account(made.account, now):
        return False
    for arn, document in managed.DOCUMENTS.items():
        await tx.identity.managed_policy(arn, document)
    await tx.identity.add_user(User(made.account, ADMIN, "/", admin_id, now))
    await tx.identity.attach_policy(made.account, ADMIN, managed.ADMINISTRATOR)
    sealed = secrets.seal(made.secret_access_key.encode(), made.access_key_id)
    await tx.identity.add_key(AccessKey(made.access_key_id, made.account, ADMIN, sealed, active=True), now)
    return True


def _chosen(seed: Seed) -> Made:
    if not seed.access_key_id and not seed.secret_access_key:
        return Made(seed.account, *access_key())
    if not re.fullmatch(r"[A-Za-z0-9_]{4,128}", seed.access_key_id):
        raise BootstrapError("The administrator's access key id must be 4 to 128 letters, digits and underscores")
    if not re.fullmatch(r"[!-~]{8,128}", seed.secret_access_key):
        raise BootstrapError("The administrator's secret access key must be 8 to 128 characters without spaces")
    return Made(seed.account, seed.access_key_id, seed.secret_access_key)


def _letters(count: int) -> str:
    return "".join(random.choice(_BASE32) for _ in range(count))


# --- the credentials file ----------------------------------------------------------------------------------------


def _profile(account: str, accounts: Sequence[Seed]) -> str:
    return "packyard" if account == accounts[0].account else f"packyard-{account}"


@contextlib.asynccontextmanager
async def _alone(directory: Path | None) -> AsyncIterator[None]:
    """One process of this data directory at a time."""
    if directory is None:
        yield
        return
    descriptor = await asyncio.to_thread(_lock, directory)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(directory: Path) -> int:
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory / ".bootstrap.lock", os.O_WRONLY | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def _write(path: Path, region: str, profiles: dict[str, Made]) -> None:
    """Add profiles to the file, replacing those of the same names."""
    config = _read(path)
    for name, made in profiles.items():
        config[name] = {
            "aws_access_key_id": made.access_key_id,
            "aws_secret_access_key": made.secret_access_key,
            "region": region,
        }
    _store(path, config)


def _forget(path: Path, profiles: dict[str, Made]) -> None:
    config = _read(path)
    for name, made in profiles.items():
        if config.get(name, "aws_access_key_id", fallback="") == made.access_key_id:
            config.remove_section(name)
    if config.sections():
        _store(path, config)
    else:
        path.unlink(missing_ok=True)


def _read(path: Path) -> configparser.RawConfigParser:
    config = configparser.RawConfigParser()
    try:
        config.read(path)
    except configparser.Error as err:
        raise BootstrapError(f"{path.name} in the data directory is not a credentials file") from err
    return config


def _store(path: Path, config: configparser.RawConfigParser) -> None:
    text = io.StringIO()
    config.write(text)
    fresh = path.with_name(f".credentials.{random.token_hex(8)}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text.getvalue())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
