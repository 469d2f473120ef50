"""The rows that decide which file stays (ARCHITECTURE section 5).

A row is *live*, or *condemned* (nothing referred to it at that time; a claim clears that), or gone.
`loose` marks rows whose references may have changed since the sweep looked, so that it never scans the world:
claims set it, whatever removes an asset sets it (tables `versions`, `packages`, `repositories`), `examine` clears it.

Every step that decides on references first locks its rows by an update and looks in a later statement, which on
PostgreSQL sees what was committed before the lock was had.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from registry.core.types import Blob, Digests
from storage.metadata.sql import Sql, marks, parts

_NAMED = 3 + 64
"""Up to its nonce, the length of a key that has its sha256 in it."""
_COLUMNS = "key, size, md5, sha1, sha256, sha512"
_UNREFERENCED = "not exists (select 1 from asset a where a.domain_id = blob.domain_id and a.sha256 = blob.sha256)"


class Blobs:
    """`ports.Blobs`."""

    __slots__ = ("_sql",)

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    async def find(self, domain_id: int, sha256: str) -> Blob | None:
        row = await self._sql.row(
            f"select {_COLUMNS} from blob where domain_id = $1 and sha256 = $2",  # noqa: S608
            domain_id,
            sha256,
        )
        return _blob(row) if row else None

    async def claim(self, domain_id: int, blob: Blob, now: int) -> Blob:
        row = await self._sql.row(
            "insert into blob (domain_id, sha256, key, size, md5, sha1, sha512, condemned, loose)"  # noqa: S608
            " values ($1, $2, $3, $4, $5, $6, $7, null, 1)"
            f" on conflict (domain_id, sha256) do update set condemned = null, loose = 1 returning {_COLUMNS}",
            domain_id,
            blob.digests.sha256,
            blob.key,
            blob.size,
            blob.digests.md5,
            blob.digests.sha1,
            blob.digests.sha512,
        )
        return _blob(row)

    async def replace(self, domain_id: int, lost_key: str, blob: Blob) -> Blob:
        await self._sql.run(
            "update blob set key = $4, size = $5 where domain_id = $1 and sha256 = $2 and key = $3",
            domain_id,
            blob.digests.sha256,
            lost_key,
            blob.key,
            blob.size,
        )
        return await self.claim(domain_id, blob, 0)

    async def adopt(self, domain_id: int, sha256: str) -> Blob | None:
        row = await self._sql.row(
            "update blob set condemned = null, loose = 1 where domain_id = $1 and sha256 = $2"  # noqa: S608
            f" returning {_COLUMNS}",
            domain_id,
            sha256,
        )
        return _blob(row) if row else None

    async def condemn(self, domain_id: int, now: int, limit: int) -> int:
        condemned = 0
        while condemned < limit:
            looked, found = await self.examine(domain_id, now, limit - condemned)
            condemned += found
            if not looked:
                break
        return condemned

    async def examine(self, domain_id: int, now: int, limit: int) -> tuple[int, int]:
        looked = await self._sql.run(
            "update blob set loose = 2 where domain_id = $1 and sha256 in"
            " (select sha256 from blob where domain_id = $1 and loose > 0 order by sha256 limit $2)",
            domain_id,
            limit,
        )
        if not looked:
            return 0, 0
        condemned = await self._sql.run(
            f"update blob set condemned = $2 where domain_id = $1 and loose > 0 and loose = 2"  # noqa: S608
            f" and condemned is null and {_UNREFERENCED}",
            domain_id,
            now,
        )
        await self._sql.run("update blob set loose = 0 where domain_id = $1 and loose > 0 and loose = 2", domain_id)
        return looked, condemned

    async def reap(self, domain_id: int, before: int, limit: int) -> list[Blob]:
        rows = await self._sql.fetch(
            f"update blob set loose = 0 where domain_id = $1 and condemned < $2 and sha256 in"  # noqa: S608
            f" (select sha256 from blob where domain_id = $1 and condemned < $2 and {_UNREFERENCED}"
            " order by condemned limit $3) returning sha256",
            domain_id,
            before,
            limit,
        )
        gone: list[Blob] = []
        for run in parts([str(row[0]) for row in rows]):
            deleted = await self._sql.fetch(
                f"delete from blob where domain_id = $1 and condemned < $2 and {_UNREFERENCED}"  # noqa: S608
                f" and sha256 in ({marks(len(run), 3)}) returning {_COLUMNS}",
                domain_id,
                before,
                *run,
            )
            gone.extend([_blob(row) for row in deleted])
        return gone

    async def condemned(self, domain_id: int, before: int, after: int, limit: int) -> list[Blob]:
        rows = await self._sql.fetch(
            f"select {_COLUMNS} from blob where domain_id = $1 and condemned < $2 and {_UNREFERENCED}"  # noqa: S608
            " order by condemned, sha256 limit $3 offset $4",
            domain_id,
            before,
            limit,
            after,
        )
        return [_blob(row) for row in rows]

    async def mark_lost(self, domain_id: int, sha256: str, key: str) -> bool:
        changed = await self._sql.run(
            "update blob set key = $4 where domain_id = $1 and sha256 = $2 and key = $3",
            domain_id,
            sha256,
            key,
            f"lost/{sha256}",
        )
        return bool(changed)

    async def unreferenced(self, domain_id: int) -> int:
        row = await self._sql.row(
            f"select count(*) from blob where domain_id = $1 and condemned is null and {_UNREFERENCED}",  # noqa: S608
            domain_id,
        )
        return int(row[0])

    async def known(self, domain_id: int, keys: Sequence[str]) -> set[str]:
        """A key has its sha256 in it (`AA/SHA256.NONCE`), which finds its row; others are looked for in all rows."""
        found: set[str] = set()
        for run in parts(keys):
            rows = await self._sql.fetch(
                f"select key from blob where domain_id = $1 and sha256 in ({marks(len(run), 2)})",  # noqa: S608
                domain_id,
                *[key[3:].partition(".")[0] for key in run],
            )
            found.update([row[0] for row in rows])
        for run in parts([key for key in keys if len(key.partition(".")[0]) != _NAMED]):
            rows = await self._sql.fetch(
                f"select key from blob where domain_id = $1 and key in ({marks(len(run), 2)})",  # noqa: S608
                domain_id,
                *run,
            )
            found.update([row[0] for row in rows])
        return found.intersection(keys)

    async def page(self, domain_id: int, after: str | None, limit: int) -> list[Blob]:
        rows = await self._sql.fetch(
            f"select {_COLUMNS} from blob where domain_id = $1 and sha256 > $2 order by sha256 limit $3",  # noqa: S608
            domain_id,
            after or "",
            limit,
        )
        return [_blob(row) for row in rows]


def _blob(row: Any) -> Blob:
    key, size, md5, sha1, sha256, sha512 = row
    return Blob(Digests(md5, sha1, sha256, sha512), size, key)
