"""`packyard backup`: rows on one snapshot, then the files that they name, then the manifest.

Servers may go on.  What they publish meanwhile is not in the backup; what they delete stays in the store for a day
after nothing refers to it any more (the sweep's grace), so that its file is still there to be copied.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from registry.core.errors import Unavailable
from registry.core.ports import BlobStore, Staging
from registry.core.threads import Threads
from registry.core.types import Digests
from storage.backup import manifest as manifests
from storage.backup.engines import Engine, Source
from storage.backup.manifest import BLOB, Manifest, Table, file_of
from storage.backup.rows import Reader, Row, Shape, Writer
from storage.backup.spread import AT_ONCE, spread
from storage.blobs.staging import Stage

_BATCH = 200


class Files(Protocol):
    """The blob store of a whole server."""

    def of(self, domain_id: int) -> BlobStore: ...


class InUse(Exception):
    """Another backup is being written to that directory."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One row of the table `blob`, as far as files are concerned."""

    domain_id: int
    size: int
    digests: Digests
    key: str = ""

    @property
    def sha256(self) -> str:
        return self.digests.sha256

    @property
    def name(self) -> str:
        """As the manifest names it when it was lost."""
        return f"{self.domain_id}/{self.sha256}"


@dataclass(slots=True)
class Copied:
    """What became of the files."""

    files: int = 0
    bytes: int = 0
    fresh: int = 0
    lost: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Saved:
    """What a backup did: `fresh` files were copied, the rest was there from before."""

    manifest: Manifest
    fresh: int


async def save(
    engine: Engine, files: Files, directory: Path, *, key: str, secret_files: dict[str, Path], program: str
) -> Saved:
    """Write a backup to that directory, which may hold an older one.

    `secret_files` are copied as they are, by name within the backup.  Raises Unmovable, InUse, OSError; the older
    backup is then still whole.
    """
    await asyncio.to_thread(_prepare, directory)
    async with _locked(directory):
        run = directory / "rows" / secrets.token_hex(8)
        await asyncio.to_thread(run.mkdir, mode=0o700)
        async with engine.source() as source:
            schema = source.schema
            tables = {shape.table: await _table(source, shape, run, directory) for shape in source.shapes}
        copied = await _copy(files, directory, run / f"{BLOB}.jsonl.gz", tables[BLOB].sha256)
        for name, path in secret_files.items():
            await asyncio.to_thread(_secret, path, directory / name)
        manifest = Manifest(
            format=manifests.FORMAT,
            version=manifests.VERSION,
            made=datetime.now(UTC).isoformat(timespec="seconds"),
            packyard=program,
            schema=schema,
            tables=tables,
            files=copied.files,
            bytes=copied.bytes,
            lost=copied.lost,
            key=key,
            secrets=bool(secret_files),
        )
        await asyncio.to_thread(manifests.write, directory, manifest)
        await _tidy(directory, run)
    return Saved(manifest, copied.fresh)


async def _table(source: Source, shape: Shape, run: Path, directory: Path) -> Table:
    """What nothing refers to any more is left to the sweep."""
    path = run / f"{shape.table}.jsonl.gz"
    where = "condemned is null" if shape.table == BLOB else ""
    writer = await asyncio.to_thread(Writer, path, shape)
    try:
        async for batch in source.rows(shape, where):
            await asyncio.to_thread(writer.write, batch)
    finally:
        await asyncio.to_thread(writer.__exit__, None, None, None)
    digest = await asyncio.to_thread(manifests.digest, path)
    return Table(path.relative_to(directory).as_posix(), writer.rows, digest)


# --- files -------------------------------------------------------------------------------------


def stored(shape: Shape, row: Row) -> Stored:
    """A row of the table `blob`."""
    value = dict(zip(shape.names, row, strict=True))
    digests = Digests(value["md5"], value["sha1"], value["sha256"], value["sha512"])
    return Stored(value["domain_id"], value["size"], digests, value["key"])


async def each_stored(path: Path, sha256: str) -> AsyncIterator[list[Stored]]:
    """The files that a backup's rows name, in runs.  Raises Damaged."""
    reader = await asyncio.to_thread(lambda: Reader(path, sha256=sha256))
    batches = reader.batches(_BATCH)
    while batch := await asyncio.to_thread(next, batches, None):
        yield [stored(reader.shape, row) for row in batch]


async def _copy(files: Files, directory: Path, rows: Path, sha256: str) -> Copied:
    """Those that are not there from before.  Each is compared with its digests before it gets its name."""
    copied, threads = Copied(), Threads(AT_ONCE, "backup")
    incoming = directory / "incoming"
    await asyncio.to_thread(_emptied, incoming)
    try:
        async for batch in each_stored(rows, sha256):
            there = await asyncio.to_thread(_there, directory, batch)
            copied.files += len(batch)
            copied.bytes += sum(each.size for each in batch)
            missing = [each for each in batch if each not in there]
            await spread(missing, lambda each: _fetch(files, directory, incoming, threads, each, copied))
            await asyncio.to_thread(_flushed, {file_of(directory, s.domain_id, s.sha256).parent for s in batch})
    finally:
        await asyncio.to_thread(threads.close)
        await asyncio.to_thread(shutil.rmtree, incoming, ignore_errors=True)
    return copied


async def _fetch(files: Files, directory: Path, incoming: Path, threads: Threads, each: Stored, copied: Copied) -> None:
    async with Stage(incoming, threads, followed=True) as staging:
        if await _arrived(files.of(each.domain_id), staging, each):
            await asyncio.to_thread(_settle, staging.path, file_of(directory, each.domain_id, each.sha256))
            copied.fresh += 1
            return
    copied.files -= 1
    copied.bytes -= each.size
    copied.lost.append(each.name)


async def _arrived(blobs: BlobStore, staging: Staging, each: Stored) -> bool:
    """False when the file is gone or is not what it was.  Raises Unavailable when it only cannot be had now."""
    try:
        async for chunk in blobs.read(each.key, 0, each.size):
            await staging.write(chunk)
    except Unavailable:
        if await blobs.stat(each.key) != each.size:
            return False
        raise
    return (await staging.done()).digests == each.digests


def _there(directory: Path, batch: Sequence[Stored]) -> set[Stored]:
    """Digests were compared when a file got its name; restore compares them again."""
    found = set()
    for each in batch:
        with contextlib.suppress(OSError):
            if file_of(directory, each.domain_id, each.sha256).stat().st_size == each.size:
                found.add(each)
    return found


def _settle(path: Path, target: Path) -> None:
    for parent in (target.parent.parent, target.parent):
        parent.mkdir(exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    path.rename(target)


def _flushed(directories: set[Path]) -> None:
    for directory in directories:
        if directory.exists():
            manifests.flush(directory)


# --- the directory -----------------------------------------------------------------------------


def _prepare(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (directory / manifests.NAME).exists() and any(
        each.name not in ("rows", "files", "incoming", "keys", "lock", "credentials") for each in directory.iterdir()
    ):
        raise FileExistsError(17, "is not empty and holds no backup", str(directory))
    directory.chmod(0o700)
    for name in ("rows", "files"):
        (directory / name).mkdir(exist_ok=True, mode=0o700)


@asynccontextmanager
async def _locked(directory: Path) -> AsyncIterator[None]:
    descriptor = await asyncio.to_thread(_lock, directory)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(directory: Path) -> int:
    descriptor = os.open(directory / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise InUse(f"Another backup is being written to {directory}") from None
    return descriptor


def _emptied(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700)


def _secret(path: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True, mode=0o700)
    fresh = target.with_name(f".{target.name}")
    with manifests.created(fresh) as descriptor:
        os.write(descriptor, path.read_bytes())
        os.fsync(descriptor)
    fresh.rename(target)


async def _tidy(directory: Path, run: Path) -> None:
    """The rows of older backups, and the files that only they named."""
    manifest = await asyncio.to_thread(manifests.read, directory)
    table = manifest.tables[BLOB]
    named: set[Path] = set()
    async for batch in each_stored(directory / table.file, table.sha256):
        named.update(file_of(directory, each.domain_id, each.sha256) for each in batch)
    await asyncio.to_thread(_drop_others, directory, run, named, secret=manifest.secrets)


def _drop_others(directory: Path, run: Path, named: set[Path], *, secret: bool) -> None:
    for other in (directory / "rows").iterdir():
        if other != run:
            shutil.rmtree(other)
    for path in (directory / "files").glob("*/*/*"):
        if path not in named:
            path.unlink()
    if not secret:  # an older backup had them
        shutil.rmtree(directory / "keys", ignore_errors=True)
        (directory / "credentials").unlink(missing_ok=True)
