"""How a publisher's files reach the blob store and the rows: peek, place, claim, drop (ARCHITECTURE section 5).

The whole protocol is `storing`; most callers need nothing else:

    async def work(tx: Tx, claims: Claims) -> Version:
        ...                                     # judge first: conflicts, controls, rights
        blobs = await claim_all(tx, claims, now)    # then claim; same order as `files`
        await tx.versions.add(...)              # rows that refer to what was claimed
        return version

    version = await storing(services.store, services.blobs(domain_id), domain_id, files, work)

`files` are `Staged` (bytes that just arrived) or `Blob` (bytes that the domain has already).  Bytes are made durable
before the unit of work runs, rows decide which file stays, and a publisher deletes no file but its own.
Two files of the same bytes among `files` are placed once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from registry.core.errors import RegistryError, ResourceNotFound, Unavailable
from registry.core.ports import BlobStore, Store, Tx
from registry.core.types import Blob, Staged

T = TypeVar("T")

ATTEMPTS = 5


class Vanished(Exception):
    """A row that was peeked at is gone: its file may be going too, so our own must be placed.

    Raised by `claim_all` inside a unit of work and answered by `storing`; nobody else catches it.
    """


@dataclass(frozen=True, slots=True)
class Claim:
    """One file before the unit of work.

    `blob.key` is our own file when `own`, else that of the row that was peeked at.
    `lost` is the key of a row whose file is missing or has another size: ours takes its place.
    """

    blob: Blob
    own: bool
    lost: str | None = None


@dataclass(frozen=True, slots=True)
class Claims:
    """What `storing` hands to the unit of work: one claim per file, in the order of the files.

    `named` collects the keys that the rows name after this run of the unit of work.
    """

    domain_id: int
    items: tuple[Claim, ...]
    named: set[str] = field(default_factory=set, compare=False)


class Placed(Protocol):
    """Files that were begun to be placed before."""

    def take(self, sha256: str) -> Awaitable[str] | None:
        """The key of that file, which is from then on the taker's; None when it is not among them."""


async def peek(tx: Tx, domain_id: int, files: Sequence[Staged | Blob]) -> tuple[Blob | None, ...]:
    """The rows that have the files' bytes, None where there is none; in the order of the files."""
    return tuple([await tx.blobs.find(domain_id, file.digests.sha256) for file in files])


async def _placed(
    blobs: BlobStore, row: Blob | None, file: Staged | Blob, ahead: Placed | None, *, always: bool
) -> Claim:
    """Place ours when the row that was peeked at or its file is missing, or when told to.

    Raises ResourceNotFound when a `Blob` is neither stored nor here to be placed.
    """
    present = row is not None and await blobs.stat(row.key) == row.size
    if row is not None and present and not always:
        return Claim(row, own=False)
    if isinstance(file, Blob):
        if row is not None and present:
            return Claim(row, own=False)
        raise ResourceNotFound(f"The stored file with SHA-256 {file.digests.sha256} is not there any more.")
    placing = None if ahead is None else ahead.take(file.digests.sha256)
    key = await (blobs.place(file) if placing is None else placing)
    return Claim(Blob(file.digests, file.size, key), own=True, lost=row.key if row and not present else None)


async def claim_all(tx: Tx, claims: Claims, now: int) -> tuple[Blob, ...]:
    """The blobs that the rows name from now on, one per claim, in order; to be called inside the unit of work.

    Each is protected from the sweep once an asset of the same unit of work refers to it.
    """
    blobs = tuple([await _claim(tx, claims.domain_id, claim, now) for claim in claims.items])
    claims.named.update(blob.key for blob in blobs)
    return blobs


async def _claim(tx: Tx, domain_id: int, claim: Claim, now: int) -> Blob:
    if not claim.own:
        adopted = await tx.blobs.adopt(domain_id, claim.blob.digests.sha256)
        if adopted is None:
            raise Vanished(claim.blob.digests.sha256)
        return adopted
    if claim.lost is not None:
        return await tx.blobs.replace(domain_id, claim.lost, claim.blob)
    return await tx.blobs.claim(domain_id, claim.blob, now)


async def storing(
    store: Store,
    blobs: BlobStore,
    domain_id: int,
    files: Sequence[Staged | Blob],
    work: Callable[[Tx, Claims], Awaitable[T]],
    *,
    peeked: Sequence[Blob | None] | None = None,
    ahead: Placed | None = None,
) -> T:
    """Place what is missing, run the unit of work, drop those of our own files that no row names.

    `peeked` is what `peek` told of these files shortly before; without it this looks for itself.
    `ahead` has files that are being placed already.
    Whatever the work raises is raised again, after our own files are gone.  When the outcome is unknown
    (Unavailable, unless it is `undone`; cancellation) they stay: the sweep takes them if no row came to name them.
    """
    always = False
    for _ in range(ATTEMPTS):
        if peeked is None:
            peeked = await store.glance(lambda tx: peek(tx, domain_id, files))
        claims = Claims(domain_id, await _place_each(blobs, peeked, files, ahead, always=always))

        async def unit(tx: Tx, claims: Claims = claims) -> tuple[T, frozenset[str]]:
            mine = replace(claims, named=set())
            result = await work(tx, mine)
            return result, frozenset(mine.named)

        try:
            result, named = await store.write(unit)
        except Vanished:
            await _drop_losers(store, blobs, claims)
            always, peeked = True, None
            continue
        except Unavailable as error:
            if error.undone:
                await _drop_losers(store, blobs, claims)
            raise
        except Exception:
            await _drop_losers(store, blobs, claims)
            raise
        await _drop(blobs, _own(claims) - named)
        return result
    raise Unavailable("The stored files kept changing while they were being published; try again.")


async def heal(
    store: Store,
    blobs: BlobStore,
    domain_id: int,
    files: Sequence[Staged | Blob],
    rows: Sequence[Blob | None],
    now: int,
) -> None:
    """Place again what of these files is stored but lost or cut short; nothing else changes."""
    lost = [
        file
        for file, row in zip(files, rows, strict=True)
        if row is not None and isinstance(file, Staged) and await blobs.stat(row.key) != row.size
    ]
    if lost:
        await storing(store, blobs, domain_id, lost, lambda tx, claims: claim_all(tx, claims, now))


async def _place_each(
    blobs: BlobStore,
    peeked: Sequence[Blob | None],
    files: Sequence[Staged | Blob],
    ahead: Placed | None,
    *,
    always: bool,
) -> tuple[Claim, ...]:
    claims: dict[str, Claim] = {}
    for file, row in zip(files, peeked, strict=True):
        if file.digests.sha256 not in claims:
            claims[file.digests.sha256] = await _placed(blobs, row, file, ahead, always=always)
    return tuple([claims[file.digests.sha256] for file in files])


async def _drop_losers(store: Store, blobs: BlobStore, claims: Claims) -> None:
    """Delete those of our own files that no row names; what fails here is left to the sweep."""
    own = _own(claims)
    if not own:
        return
    try:
        named = await store.read(lambda tx: tx.blobs.known(claims.domain_id, sorted(own)))
    except RegistryError:
        return
    await _drop(blobs, own - named)


async def _drop(blobs: BlobStore, keys: set[str]) -> None:
    try:
        for key in keys:
            await blobs.delete(key)
    except RegistryError:
        return


def _own(claims: Claims) -> set[str]:
    return {claim.blob.key for claim in claims.items if claim.own}
