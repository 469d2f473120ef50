"""What nothing references goes; what is referenced is proved to be there (ARCHITECTURE section 5).

`sweep` condemns rows, deletes rows that stayed condemned for the grace period and then their files, and deletes files
older than the grace period that no row names.  `check` compares every row with its file.
Both run beside publishers, in this process and in others: each step is a short unit of work of its own, and each
leaves a state that is right by itself, so that either may be killed at any point.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from registry.core.errors import RegistryError
from registry.core.ports import BlobStore, Clock, Store
from registry.core.types import Blob, BlobStat, Digests, Domain

GRACE = 24 * 3600 * 1000
"""Milliseconds.  It only has to be longer than the longest publish lasts from its first look to its commit."""

ABSENT = 24 * 3600 * 1000
"""Milliseconds for which an external registry's "not there" is kept; it was believed for seconds only."""

UNASKED = 30 * 24 * 3600 * 1000
"""Milliseconds after which an external listing that nobody asked for goes."""

BATCH = 200

Kind = Literal["missing", "unreadable", "size", "digest"]

_DAMAGED = ("size", "digest")


class BlobDomains(Protocol):
    """The blob store of a whole server."""

    def of(self, domain_id: int) -> BlobStore: ...

    async def domains(self) -> list[int]:
        """The domains that have files, known or not."""


@runtime_checkable
class Abandoning(Protocol):
    """A blob store in which uploads can be left unfinished where no `walk` sees them."""

    async def drop_abandoned(self, before: int, *, dry_run: bool) -> int:
        """Give up those begun before that time; how many."""


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What a sweep did, or with `dry_run` what it would do."""

    dry_run: bool
    condemned: int = 0
    rows: int = 0
    row_bytes: int = 0
    strays: int = 0
    stray_bytes: int = 0
    uploads: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """A row whose file is missing, has another size or other digests."""

    domain_id: int
    sha256: str
    key: str
    kind: Kind
    marked: bool = False


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check found.  `strays` are files that no row names; they may belong to a publish under way."""

    files: int
    bytes: int
    faults: tuple[Fault, ...]
    strays: int
    unreferenced: int

    @property
    def sound(self) -> bool:
        """Every row's file is there, whole."""
        return not self.faults


@dataclass(slots=True)
class Tally:
    """Counts of a pass under way."""

    condemned: int = 0
    rows: int = 0
    row_bytes: int = 0
    strays: int = 0
    stray_bytes: int = 0
    unreferenced: int = 0
    faults: list[Fault] = field(default_factory=list)


async def sweep(
    store: Store, blobs: BlobDomains, clock: Clock, *, dry_run: bool = False, grace: int = GRACE
) -> SweepReport:
    """One pass over every domain.  `grace` in milliseconds; with 0 nobody may be publishing.

    `condemned` rows stay for the grace period; `rows` went with their files, `strays` are files without a row,
    `uploads` were never finished.
    """
    tally = Tally()
    for domain_id in await _domains(store, blobs):
        await sweep_domain(store, blobs.of(domain_id), domain_id, clock, tally, dry_run=dry_run, grace=grace)
        if not dry_run:
            await _forget_listings(store, domain_id, clock.now())
    uploads = 0
    if isinstance(blobs, Abandoning):
        uploads = await blobs.drop_abandoned(clock.now() - grace, dry_run=dry_run)
    return SweepReport(dry_run, tally.condemned, tally.rows, tally.row_bytes, tally.strays, tally.stray_bytes, uploads)


async def sweep_domain(
    store: Store, files: BlobStore, domain_id: int, clock: Clock, tally: Tally, *, dry_run: bool, grace: int
) -> None:
    """One pass over one domain, added to the tally."""
    if dry_run:
        tally.condemned += await _unreferenced(store, domain_id)
    else:
        tally.condemned += await _condemn(store, domain_id, clock)
    await _reap(store, files, domain_id, clock.now() - grace, tally, dry_run=dry_run)
    await _drop_strays(store, files, domain_id, clock.now() - grace, tally, dry_run=dry_run)


async def _forget_listings(store: Store, domain_id: int, now: int) -> None:
    """Misspelt names and packages that nobody uses leave no rows for ever; the next request asks again."""
    while await store.write(
        lambda tx: tx.listings.forget(domain_id, absent=now - ABSENT, unasked=now - UNASKED, limit=BATCH)
    ):
        pass


async def _condemn(store: Store, domain_id: int, clock: Clock) -> int:
    condemned = 0
    while True:
        looked, found = await store.write(lambda tx: tx.blobs.examine(domain_id, clock.now(), BATCH))
        if not looked:
            return condemned
        condemned += found


async def _reap(store: Store, files: BlobStore, domain_id: int, until: int, tally: Tally, *, dry_run: bool) -> None:
    """Rows first, files after: a file without a row harms nobody, a row without its file would."""
    seen = 0
    while True:
        gone = await _condemned(store, domain_id, until, seen) if dry_run else await _reaped(store, domain_id, until)
        seen += len(gone)
        for blob in gone:
            tally.rows += 1
            tally.row_bytes += blob.size
            if not dry_run:
                await files.delete(blob.key)
        if not gone:
            return


async def _reaped(store: Store, domain_id: int, until: int) -> list[Blob]:
    return await store.write(lambda tx: tx.blobs.reap(domain_id, until + 1, BATCH))


async def _condemned(store: Store, domain_id: int, until: int, seen: int) -> list[Blob]:
    return await store.read(lambda tx: tx.blobs.condemned(domain_id, until + 1, seen, BATCH))


async def _drop_strays(
    store: Store, files: BlobStore, domain_id: int, until: int, tally: Tally, *, dry_run: bool
) -> None:
    """A key is told to nobody before a row names it, so an old file without a row belongs to a publish that failed."""
    async for batch in _batches(files.walk()):
        old = [stat for stat in batch if stat.modified <= until]
        for stat in await _unnamed(store, domain_id, old):
            tally.strays += 1
            tally.stray_bytes += stat.size
            if not dry_run:
                await files.delete(stat.key)


async def check(store: Store, blobs: BlobDomains, *, repair: bool = False) -> CheckReport:
    """Read every file and compare size and four digests with its row.

    `repair` gives a row whose file is damaged a key that names no file: reading it then fails at once instead of
    giving wrong bytes, the next upload of the same bytes heals it, and the damaged file is left to the sweep.
    A missing file heals by upload as it is, or by coming back.  Nothing else is changed, and nothing is removed.
    """
    tally = Tally()
    for domain_id in await _domains(store, blobs):
        files = blobs.of(domain_id)
        async for row in _rows(store, domain_id):
            tally.rows += 1
            tally.row_bytes += row.size
            kind = await _fault(files, row)
            if kind is not None and await _still(store, domain_id, row):
                marked = repair and kind in _DAMAGED and await _mark(store, domain_id, row)
                tally.faults.append(Fault(domain_id, row.digests.sha256, row.key, kind, marked))
        tally.unreferenced += await _unreferenced(store, domain_id)
        async for batch in _batches(files.walk()):
            tally.strays += len(await _unnamed(store, domain_id, batch))
    return CheckReport(tally.rows, tally.row_bytes, tuple(tally.faults), tally.strays, tally.unreferenced)


async def _fault(files: BlobStore, row: Blob) -> Kind | None:
    """What is wrong with a row's file: "missing", "unreadable", "size", "digest", or None."""
    size = await files.stat(row.key)
    if size is None:
        return "missing"
    if size != row.size:
        return "size"
    hashes = [hashlib.new(name, usedforsecurity=False) for name in ("md5", "sha1", "sha256", "sha512")]

    def take(chunk: bytes) -> None:
        for digest in hashes:
            digest.update(chunk)

    try:
        async for chunk in files.read(row.key):
            await asyncio.to_thread(take, chunk)
    except RegistryError:
        return "unreadable" if await files.stat(row.key) is not None else "missing"
    return None if Digests(*[digest.hexdigest() for digest in hashes]) == row.digests else "digest"


async def _still(store: Store, domain_id: int, row: Blob) -> bool:
    """Whether the row is as it was read: it may have been swept, or healed, while its file was looked at."""
    return await store.read(lambda tx: tx.blobs.find(domain_id, row.digests.sha256)) == row


async def _mark(store: Store, domain_id: int, row: Blob) -> bool:
    return await store.write(lambda tx: tx.blobs.mark_lost(domain_id, row.digests.sha256, row.key))


async def _unreferenced(store: Store, domain_id: int) -> int:
    return await store.read(lambda tx: tx.blobs.unreferenced(domain_id))


async def _domains(store: Store, blobs: BlobDomains) -> list[int]:
    """Those that have rows and those that only have files any more."""
    known: set[int] = set(await blobs.domains())
    page = await _domain_page(store, None)
    while page:
        known.update(domain.id for domain in page)
        page = await _domain_page(store, f"{page[-1].key.name}/{page[-1].key.owner}")
    return sorted(known)


async def _domain_page(store: Store, after: str | None) -> list[Domain]:
    return await store.read(lambda tx: tx.domains.page(None, after, BATCH))


async def _rows(store: Store, domain_id: int) -> AsyncIterator[Blob]:
    page = await _row_page(store, domain_id, None)
    while page:
        for row in page:
            yield row
        page = await _row_page(store, domain_id, page[-1].digests.sha256)


async def _row_page(store: Store, domain_id: int, after: str | None) -> list[Blob]:
    return await store.read(lambda tx: tx.blobs.page(domain_id, after, BATCH))


async def _unnamed(store: Store, domain_id: int, batch: Collection[BlobStat]) -> list[BlobStat]:
    keys = [stat.key for stat in batch]
    named = await store.read(lambda tx: tx.blobs.known(domain_id, keys)) if keys else set()
    return [stat for stat in batch if stat.key not in named]


async def _batches(stats: AsyncIterator[BlobStat]) -> AsyncIterator[list[BlobStat]]:
    batch: list[BlobStat] = []
    async for stat in stats:
        batch.append(stat)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
