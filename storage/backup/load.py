"""`packyard restore`: files first, each compared with its digests, then all rows in one transaction.

What was interrupted can be run again: files that an earlier run placed are found and used, and rows appear all at
once or not at all.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from registry.core.errors import RegistryError
from registry.core.ports import BlobStore
from storage.backup import manifest as manifests
from storage.backup.engines import Engine, Unmovable
from storage.backup.manifest import BLOB, Damaged, Manifest, file_of
from storage.backup.rows import Reader
from storage.backup.save import Files, Stored, each_stored
from storage.backup.spread import spread

_PIECE = 256 * 1024
_BATCH = 500

Keys = dict[tuple[int, str], str]
"""(domain, SHA-256) -> the key of the file in the store that is filled."""


@dataclass(slots=True)
class Loaded:
    """What a restore did: `fresh` files were written, the rest was there from an earlier run."""

    files: int = 0
    bytes: int = 0
    fresh: int = 0
    rows: int = 0
    keys: Keys = field(default_factory=dict)


async def verify(directory: Path) -> Manifest:
    """Read all of a backup and compare every digest.  Raises Damaged at the first fault."""
    manifest = await asyncio.to_thread(manifests.read, directory)
    for name, table in manifest.tables.items():
        reader = await asyncio.to_thread(_reader, directory, manifest, name)
        rows = await asyncio.to_thread(lambda reader=reader: sum(1 for _ in reader))  # type: ignore[misc]
        if rows != table.rows:
            raise Damaged(f"Table {name} has {rows} rows, not {table.rows}")
    lost = set(manifest.lost)
    table = manifest.tables[BLOB]
    async for batch in each_stored(directory / table.file, table.sha256):
        for each in batch:
            if each.name not in lost:
                await asyncio.to_thread(_compared, directory, each)
    return manifest


async def load(engine: Engine, files: Files, directory: Path) -> Loaded:
    """Put files and rows where they belong.  Raises Damaged, Unmovable, Unavailable; no row has then changed."""
    manifest = await asyncio.to_thread(manifests.read, directory)
    loaded = Loaded()
    await _files(files, directory, manifest, loaded)
    async with engine.target(manifest.schema) as target:
        shapes = {shape.table: shape for shape in target.shapes}
        unknown = [name for name, table in manifest.tables.items() if name not in shapes and table.rows]
        if unknown:
            raise Unmovable(f"There is no table {unknown[0]} in this version")
        for name in shapes:
            if name not in manifest.tables:
                continue
            reader = await asyncio.to_thread(_reader, directory, manifest, name)
            batches = reader.batches(_BATCH)
            while batch := await asyncio.to_thread(next, batches, None):
                if name == BLOB:
                    _rekey(reader, batch, loaded.keys)
                await target.add(reader.shape, batch)
                loaded.rows += len(batch)
    return loaded


def _reader(directory: Path, manifest: Manifest, name: str) -> Reader:
    table = manifest.tables[name]
    return Reader(directory / table.file, sha256=table.sha256)


def _rekey(reader: Reader, batch: list[list[object]], keys: Keys) -> None:
    """A file has another key here.  One that was lost keeps its row, and the next upload of its bytes heals it."""
    domain, sha256, key = (reader.shape.place(name) for name in ("domain_id", "sha256", "key"))
    for row in batch:
        row[key] = keys.get((int(str(row[domain])), str(row[sha256])), f"lost/{row[sha256]}")


# --- files -------------------------------------------------------------------------------------


async def _files(files: Files, directory: Path, manifest: Manifest, loaded: Loaded) -> None:
    table, lost = manifest.tables[BLOB], set(manifest.lost)
    there: dict[int, dict[str, list[tuple[str, int]]]] = {}
    async for batch in each_stored(directory / table.file, table.sha256):
        for domain_id in {each.domain_id for each in batch} - there.keys():
            there[domain_id] = await _placed(files.of(domain_id))
        wanted = [each for each in batch if each.name not in lost]
        await spread(wanted, lambda each: _put(files, directory, each, there[each.domain_id], loaded))


async def _placed(blobs: BlobStore) -> dict[str, list[tuple[str, int]]]:
    """What an earlier run placed, or an earlier life of this store: SHA-256 -> keys and sizes."""
    found: dict[str, list[tuple[str, int]]] = {}
    async for stat in blobs.walk():
        found.setdefault(stat.key.rpartition("/")[2].partition(".")[0], []).append((stat.key, stat.size))
    return found


async def _put(
    files: Files, directory: Path, each: Stored, there: dict[str, list[tuple[str, int]]], loaded: Loaded
) -> None:
    blobs = files.of(each.domain_id)
    key = await _usable(blobs, each, there.get(each.sha256, []))
    if key is None:
        key = await _written(blobs, directory, each)
        loaded.fresh += 1
    loaded.keys[(each.domain_id, each.sha256)] = key
    loaded.files += 1
    loaded.bytes += each.size


async def _usable(blobs: BlobStore, each: Stored, candidates: list[tuple[str, int]]) -> str | None:
    """One that has the bytes: it is read, since nothing is believed of what lies there."""
    for key, size in candidates:
        if size != each.size:
            continue
        seen = hashlib.sha256()
        try:
            async for chunk in blobs.read(key, 0, size):
                await asyncio.to_thread(seen.update, chunk)
        except RegistryError:
            continue
        if seen.hexdigest() == each.sha256:
            return key
    return None


async def _written(blobs: BlobStore, directory: Path, each: Stored) -> str:
    path = file_of(directory, each.domain_id, each.sha256)
    try:
        file = await asyncio.to_thread(path.open, "rb")
    except FileNotFoundError:
        raise Damaged(f"The file {each.sha256} is missing") from None
    try:
        async with blobs.stage(followed=False) as staging:
            while chunk := await asyncio.to_thread(file.read, _PIECE):
                await staging.write(chunk)
            staged = await staging.done()
            if staged.digests != each.digests or staged.size != each.size:
                raise Damaged(f"The file {each.sha256} is not the file that was stored")
            return await blobs.place(staged)
    finally:
        await asyncio.to_thread(file.close)


def _compared(directory: Path, each: Stored) -> None:
    path = file_of(directory, each.domain_id, each.sha256)
    try:
        found = manifests.digest(path)
    except FileNotFoundError:
        raise Damaged(f"The file {each.sha256} is missing") from None
    if found != each.sha256:
        raise Damaged(f"The file {each.sha256} is not the file that was stored")
