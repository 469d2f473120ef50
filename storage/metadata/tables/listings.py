"""Cached listings of external registries.

The body is msgpack of `Remote`, above 64 KiB deflated, in a row of its own: asking for an age reads no body, and
"still holds" rewrites none.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import msgspec

from registry.core.clock import new_id
from registry.core.types import CachedListing, PackageKey, Remote
from storage.metadata.listing_memo import ListingMemo
from storage.metadata.sql import Sql, marks

PACK_ABOVE = 64 * 1024

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Remote).decode

_WHERE = " where domain_id = $1 and format = $2 and namespace = $3 and name = $4"


class Listings:
    """`ports.Listings`.  A listing without `size` says "not there" and has no body."""

    __slots__ = ("_memo", "_sql")

    def __init__(self, sql: Sql, memo: ListingMemo) -> None:
        self._sql = sql
        self._memo = memo

    async def get(self, domain_id: int, connection: str, key: PackageKey) -> CachedListing | None:
        row = await self._sql.row(
            f"select id, fetched, changed, size from listing{_WHERE} and connection = $5",  # noqa: S608
            domain_id,
            *_key(key),
            connection,
        )
        if not row:
            return None
        listing_id, fetched, changed, size = row
        if size is None:
            return CachedListing(None, fetched, changed)
        remote = self._memo.get(listing_id, changed)
        if remote is None:
            packed, body = await self._sql.row(
                "select packed, body from listing_body where listing_id = $1", listing_id
            )
            remote = await self._sql.aside(size, _unpacked, packed, body)
            self._memo.put(listing_id, changed, remote, size)
        return CachedListing(remote, fetched, changed)

    async def age(self, domain_id: int, connections: Sequence[str], key: PackageKey) -> dict[str, tuple[int, int]]:
        if not connections:
            return {}
        rows = await self._sql.fetch(
            f"select connection, fetched, changed from listing{_WHERE}"  # noqa: S608
            f" and connection in ({marks(len(connections), 5)})",
            domain_id,
            *_key(key),
            *connections,
        )
        return {row[0]: (row[1], row[2]) for row in rows}

    async def put(self, domain_id: int, connection: str, key: PackageKey, remote: Remote | None, fetched: int) -> None:
        size, packed, body = None, False, b""
        if remote is not None:
            size, packed, body = await self._sql.aside(_weight(remote), _packed, remote)
        row = await self._sql.row(
            "insert into listing (id, domain_id, connection, format, namespace, name, fetched, changed, size)"
            " values ($6, $1, $5, $2, $3, $4, $7, $8, $9)"
            " on conflict (domain_id, format, namespace, name, connection) do update set"
            " fetched = excluded.fetched, size = excluded.size, changed = case when excluded.changed > listing.changed"
            " then excluded.changed else listing.changed + 1 end returning id",
            domain_id,
            *_key(key),
            connection,
            new_id(fetched),
            fetched,
            new_id(fetched),  # never used before, not even by a unit of work that was rolled back
            size,
        )
        if size is None:
            await self._sql.run("delete from listing_body where listing_id = $1", row[0])
            return
        await self._sql.run(
            "insert into listing_body (listing_id, packed, body) values ($1, $2, $3)"
            " on conflict (listing_id) do update set packed = excluded.packed, body = excluded.body",
            row[0],
            int(packed),
            body,
        )

    async def fresh(self, domain_id: int, connection: str, key: PackageKey, fetched: int) -> None:
        await self._sql.run(
            f"update listing set fetched = $6{_WHERE} and connection = $5",  # noqa: S608
            domain_id,
            *_key(key),
            connection,
            fetched,
        )

    async def forget(self, domain_id: int, *, absent: int, unasked: int, limit: int) -> int:
        rows = await self._sql.fetch(
            "select id from listing where domain_id = $1 and fetched < $2 and (size is null or fetched < $3)"
            " order by fetched limit $4",
            domain_id,
            absent,
            unasked,
            limit,
        )
        if rows:
            ids = [row[0] for row in rows]
            await self._sql.run(f"delete from listing_body where listing_id in ({marks(len(ids), 1)})", *ids)  # noqa: S608
            await self._sql.run(f"delete from listing where id in ({marks(len(ids), 1)})", *ids)  # noqa: S608
        return len(rows)


def _key(key: PackageKey) -> tuple[str, str, str]:
    return key.format, key.namespace or "", key.name


def _packed(remote: Remote) -> tuple[int, bool, bytes]:
    """(size before deflating, whether it was deflated, the body)."""
    body = _encode(remote)
    packed = len(body) > PACK_ABOVE
    return len(body), packed, zlib.compress(body, 1) if packed else body


def _unpacked(packed: int, body: bytes) -> Remote:
    return _decode(zlib.decompress(body) if packed else body)


def _weight(remote: Remote) -> int:
    """About how many bytes it will have."""
    return sum(300 * (1 + len(version.files)) + len(version.native) for version in remote.versions)
