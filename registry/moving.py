"""`packyard backup` and `packyard restore`: which engines the settings name, the keys, and what is refused.

The master key is part of a backup unless it comes from the environment or is left out on purpose: without it the
secrets of access keys cannot be opened.  docs/operations/backup.md.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets as random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from registry import __version__
from registry.config import Config
from registry.drivers import BLOBS, DATABASE, STAGING, blobs_of, store_of
from registry.identity.secrets import VARIABLE, Secrets, master_key
from storage.backup import load as loading
from storage.backup import manifest as manifests
from storage.backup import save as saving
from storage.backup.engines import Engine
from storage.backup.load import Loaded
from storage.backup.manifest import Manifest
from storage.backup.postgres import PostgresEngine
from storage.backup.save import Saved
from storage.backup.sqlite import SQLiteEngine

MASTER = "keys/master"
CREDENTIALS = "credentials"


class Refused(Exception):
    """It would do harm; the message says what to do instead."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did."""

    manifest: Manifest
    loaded: Loaded


async def backup(config: Config, directory: Path, environ: Mapping[str, str], *, secrets: bool) -> Saved:
    """Write a backup; servers may run.  Raises Refused, Unmovable, InUse, OSError, RegistryError."""
    await asyncio.to_thread(_apart, config, directory)
    await asyncio.to_thread(_something, config)
    key = Secrets(await asyncio.to_thread(master_key, config.data / "keys", environ))
    blobs = blobs_of(config)
    await blobs.open()
    try:
        return await saving.save(
            _engine(config),
            blobs,
            directory,
            key=_fingerprint(key),
            secret_files=await asyncio.to_thread(_secret_files, config) if secrets else {},
            program=__version__,
        )
    finally:
        await blobs.close()


async def verify(directory: Path) -> Manifest:
    """Read a whole backup and compare every digest.  Raises Damaged."""
    return await loading.verify(directory)


async def restore(config: Config, directory: Path, environ: Mapping[str, str], *, force: bool) -> Restored:
    """Fill an empty server, or with `force` replace everything that it has.

    Raises Refused, Damaged, Unmovable, OSError, RegistryError.
    """
    await asyncio.to_thread(_apart, config, directory)
    manifest = await asyncio.to_thread(manifests.read, directory)
    await asyncio.to_thread(config.data.mkdir, mode=0o700, parents=True, exist_ok=True)
    if await asyncio.to_thread(_running, config.data):
        raise Refused(f"A server is running on {config.data}: stop it first")
    engine = _engine(config)
    if not force and await engine.occupied():
        raise Refused("There are accounts and domains already; --force replaces them all")
    await asyncio.to_thread(_put_secrets, config, directory, manifest, environ, force)
    blobs = blobs_of(config)
    await blobs.open()
    try:
        loaded = await loading.load(engine, blobs, directory)
    finally:
        await blobs.close()
    store = store_of(config)
    await store.open()  # runs the migrations that the backup does not know yet
    await store.close()
    return Restored(manifest, loaded)


def _engine(config: Config) -> Engine:
    if config.storage.database:
        return PostgresEngine(config.storage.database)
    return SQLiteEngine(config.data / DATABASE)


def _apart(config: Config, directory: Path) -> None:
    """A backup inside the data directory would be lost with it."""
    data, place = config.data.resolve(), directory.resolve()
    if place == data or data in place.parents or place in data.parents:
        raise Refused("The backup must lie apart from the data directory")


def _something(config: Config) -> None:
    if not config.storage.database and not (config.data / DATABASE).exists():
        raise Refused(f"There is nothing to back up in {config.data}")


def _running(data: Path) -> bool:
    """Whether a process of a server holds its staging directory in that data directory."""
    for run in [*(data / BLOBS / STAGING).glob("*.run"), *(data / STAGING).glob("*.run")]:
        descriptor = os.open(run, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
    return False


# --- secrets -----------------------------------------------------------------------------------


def _fingerprint(secrets: Secrets) -> str:
    return secrets.derive("backup fingerprint").hex()[:16]


def _secret_files(config: Config) -> dict[str, Path]:
    files = {MASTER: config.data / "keys" / "master", CREDENTIALS: config.data / CREDENTIALS}
    return {name: path for name, path in files.items() if path.exists()}


def _put_secrets(config: Config, directory: Path, manifest: Manifest, environ: Mapping[str, str], force: bool) -> None:
    """The master key that seals the secrets in the backup's rows must be there in the end."""
    target = config.data / "keys" / "master"
    saved = directory / MASTER
    if environ.get(VARIABLE, "").strip() or (target.exists() and not (force and saved.exists())):
        if _fingerprint(Secrets(master_key(config.data / "keys", environ))) != manifest.key:
            source = VARIABLE if environ.get(VARIABLE, "").strip() else f"The key in {target}"
            raise Refused(f"{source} is not the one that the backup's secrets are sealed under")
    elif not (manifest.secrets and saved.exists()):
        raise Refused(
            f"The backup holds no master key: put the one of its server to {target}, or set {VARIABLE}, and try again"
        )
    else:
        _put(saved, target)
    if manifest.secrets and (directory / CREDENTIALS).exists():
        _put(directory / CREDENTIALS, config.data / CREDENTIALS)


def _put(source: Path, target: Path) -> None:
    """What was there stays beside it, under another name."""
    body = source.read_bytes()
    if target.exists():
        if target.read_bytes() == body:
            return
        target.rename(target.with_name(f"{target.name}.before-{random.token_hex(4)}"))
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with manifests.created(target) as descriptor:
        os.write(descriptor, body)
        os.fsync(descriptor)
