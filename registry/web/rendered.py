"""Rendered indexes: made once per state, compressed once, kept within a bound.

An entry belongs to one (repository, format, package, kind, base) and carries the stamp that it was made from.
Whoever asks must have authorized already: an entry holds for every reader of the repository.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
import zlib
from collections.abc import Awaitable, Callable, Hashable

from registry.core.types import Listing, Stamp
from registry.web.cache import ByteCache
from registry.web.ledgers import Ledgers

LARGE = 200
"""Versions and files from which rendering leaves the loop."""
SMALL = 16_384
"""Bytes up to which compressing stays in the loop."""
COMPRESS_FROM = 1024


class Rendered:
    """One index, as bytes.  `gzip` is None where compressing does not pay."""

    __slots__ = ("alive", "body", "etag", "gzip", "made", "md5", "sha256", "size", "stamp", "used")

    def __init__(self, body: bytes, gzip: bytes | None, stamp: Stamp) -> None:
        self.body = body
        self.gzip = gzip
        self.stamp = stamp
        self.sha256 = hashlib.sha256(body).digest()
        self.etag = self.sha256.hex()[:32]
        self.md5: str | None = None
        """For whoever needs it, once it was worked out."""
        self.made = time.time_ns() // 1_000_000
        """Since when the body is as it is, as far as is known (ms)."""
        self.size = len(body) + len(gzip or b"") + 512
        self.alive = True
        self.used = True


class Indexes:
    """The cache of rendered indexes of one process."""

    def __init__(self, limit: int) -> None:
        self.cache: ByteCache[Rendered] = ByteCache(limit)
        self._flights: dict[Hashable, asyncio.Task[Rendered]] = {}
        self.ledgers = Ledgers()

    async def get(
        self,
        key: Hashable,
        stamp: Stamp,
        listing: Callable[[], Awaitable[Listing]],
        render: Callable[[Listing], bytes],
    ) -> Rendered:
        """The index for this stamp; rendered once for all who ask meanwhile.

        Raises what `listing` and `render` raise.
        """
        found = self.cache.get(key)
        if found is not None and found.stamp.value == stamp.value:
            found.used = True
            return found
        flight = self._flights.get((key, stamp.value))
        if flight is None:
            flight = asyncio.ensure_future(self._make(key, listing, render))
            self._flights[key, stamp.value] = flight
            flight.add_done_callback(lambda done: self._landed((key, stamp.value), done))
        return await asyncio.shield(flight)

    async def _make(
        self, key: Hashable, listing: Callable[[], Awaitable[Listing]], render: Callable[[Listing], bytes]
    ) -> Rendered:
        found = await listing()
        if _weight(found) >= LARGE:
            body, packed = await asyncio.to_thread(_both, found, render)
        else:
            body = render(found)
            packed = _gzip(body) if len(body) < SMALL else await asyncio.to_thread(_gzip, body)
        made = Rendered(body, packed, found.stamp)
        self.cache.put(key, made)
        return made

    async def made(
        self, key: Hashable, stamp: Stamp, make: Callable[[], Awaitable[bytes]], *, packed: bool = False
    ) -> Rendered:
        """The same of bytes that `make` gives, which need not be of one package (registry.web.wide)."""
        found = self.cache.get(key)
        if found is not None and found.stamp.value == stamp.value:
            found.used = True
            return found
        flight = self._flights.get((key, stamp.value))
        if flight is None:
            flight = asyncio.ensure_future(self._put(key, stamp, make, packed))
            self._flights[key, stamp.value] = flight
            flight.add_done_callback(lambda done: self._landed((key, stamp.value), done))
        return await asyncio.shield(flight)

    async def _put(self, key: Hashable, stamp: Stamp, make: Callable[[], Awaitable[bytes]], packed: bool) -> Rendered:
        body = await make()
        made = await asyncio.to_thread(lambda: Rendered(body, None if packed else _gzip(body), stamp))
        before = self.cache.get(key)
        if before is not None and before.body == body:
            made.made = before.made
        self.cache.put(key, made)
        return made

    def _landed(self, key: Hashable, done: asyncio.Task[Rendered]) -> None:
        self._flights.pop(key, None)
        if not done.cancelled():
            done.exception()  # seen by whoever still waits


def _weight(listing: Listing) -> int:
    return sum(1 + len(version.files) for version in (*listing.versions, *listing.unlisted))


def _both(listing: Listing, render: Callable[[Listing], bytes]) -> tuple[bytes, bytes | None]:
    body = render(listing)
    return body, _gzip(body)


def _gzip(body: bytes) -> bytes | None:
    """Without name and time, so that the same index has the same bytes; None where nothing is gained."""
    if len(body) < COMPRESS_FROM:
        return None
    deflate = zlib.compressobj(6, zlib.DEFLATED, 31)
    packed = deflate.compress(body) + deflate.flush()
    return packed if len(packed) < len(body) * 0.95 else None
