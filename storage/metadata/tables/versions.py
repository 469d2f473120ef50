"""Versions, their assets and their facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec

from registry.core.errors import Conflict, ResourceNotFound
from registry.core.types import (
    Asset,
    Blob,
    Digests,
    Facts,
    Origin,
    PackageKey,
    Status,
    Version,
    VersionFilter,
    VersionKey,
)
from storage.metadata.sql import Conditions, Sql, marks, parts

_HEAD = (
    "select v.id, v.package_id, p.format, p.namespace, p.name, v.version, v.display, v.status, v.revision,"
    " v.origin_type, v.origin_repository, v.origin_connection, v.published, v.sort"
)
_FROM = " from version v join package p on p.id = v.package_id"
_ASSET = "select a.version_id, a.name, a.uploaded, a.native, b.key, b.size, b.md5, b.sha1, b.sha256, b.sha512"
_BLOB = " join blob b on b.domain_id = a.domain_id and b.sha256 = a.sha256"
_STATUS = {status.value: status for status in Status}

_ROW = 128
"""Bytes that a row counts for, when many of them are put together."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Facts).decode


class Versions:
    """`ports.Versions`.  Whatever removes an asset marks its blob as loose, for the sweep."""

    __slots__ = ("_sql",)

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    async def get(self, package_id: int, version: str) -> Version | None:
        row = await self._sql.row(
            f"{_HEAD}, v.native{_FROM} where v.package_id = $1 and v.version = $2", package_id, version
        )
        if not row:
            return None
        assets = await self._sql.fetch(f"{_ASSET} from asset a{_BLOB} where a.version_id = $1 order by a.name", row[0])
        return _version(row, bytes(row[14]), tuple([_asset(asset) for asset in assets]))

    async def of(self, package_ids: Sequence[int]) -> list[Version]:
        if not package_ids:
            return []
        inside = marks(len(package_ids))
        heads = await self._sql.fetch(
            f"{_HEAD}, v.native{_FROM} where v.package_id in ({inside}) order by v.package_id, v.sort, v.version",
            *package_ids,
        )
        rows = await self._sql.fetch(
            f"{_ASSET} from version v join asset a on a.version_id = v.id{_BLOB}"
            f" where v.package_id in ({inside}) order by a.version_id, a.name",
            *package_ids,
        )
        return await self._sql.aside(_ROW * (len(heads) + len(rows)), _joined, heads, rows)

    async def page(
        self, package_id: int, where: VersionFilter, after: tuple[str, ...] | None, limit: int
    ) -> list[Version]:
        conditions = Conditions()
        conditions.add("v.package_id = ?", package_id)
        if where.status is not None:
            conditions.add("v.status = ?", where.status.value)
        if where.origin is not None:
            conditions.add("v.origin_type = ?", where.origin)
        if where.order == "published":
            if after is not None:
                conditions.add("(v.published, v.sort, v.version) < (?, ?, ?)", int(after[0]), *after[1:])
            order = "v.published desc, v.sort desc, v.version desc"
        else:
            if after is not None:
                conditions.add("(v.sort, v.version) < (?, ?)", *after)
            order = "v.sort desc, v.version desc"
        rows = await self._sql.fetch(
            f"{_HEAD}{_FROM} where {conditions} order by {order} limit {conditions.bind(limit)}", *conditions.args
        )
        return [_version(row, b"", ()) for row in rows]

    async def latest_published(self, package_id: int) -> str | None:
        row = await self._sql.row(
            "select display from version where package_id = $1 and status = 'Published'"
            " order by published desc, sort desc, version desc limit 1",
            package_id,
        )
        return str(row[0]) if row else None

    async def add(self, version: Version, facts: Facts) -> None:
        added = await self._sql.run(
            "insert into version (id, package_id, version, display, status, revision, origin_type, origin_repository,"
            " origin_connection, published, sort, native)"
            " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
            " on conflict (package_id, version) do nothing",
            version.id,
            version.package_id,
            version.key.version,
            version.display,
            version.status.value,
            version.revision,
            version.origin.type,
            version.origin.repository,
            version.origin.connection,
            version.published,
            version.sort,
            version.native,
        )
        if not added:
            raise Conflict(
                f"The version {version.display} of {version.key.package.name} is there already.",
                resource_id=version.display,
                resource_type="package-version",
            )
        body, readme = _packed(facts)
        await self._sql.run(
            "insert into facts (version_id, body, readme) values ($1, $2, $3)", version.id, body, readme
        )
        await self.add_assets(version.id, version.assets)

    async def change(
        self,
        version_id: int,
        *,
        status: Status | None = None,
        revision: str | None = None,
        native: bytes | None = None,
        published: int | None = None,
        origin: str | None = None,
    ) -> None:
        args: list[Any] = [version_id]
        columns = []
        new = {"status": status.value if status else None, "revision": revision, "native": native}
        for column, value in (*new.items(), ("published", published)):
            if value is not None:
                args.append(value)
                columns.append(f"{column} = ${len(args)}")
        if columns:
            await self._sql.run(f"update version set {', '.join(columns)} where id = $1", *args)  # noqa: S608

    async def set_facts(self, version_id: int, facts: Facts) -> None:
        body, readme = _packed(facts)
        await self._sql.run(
            "insert into facts (version_id, body, readme) values ($1, $2, $3)"
            " on conflict (version_id) do update set body = excluded.body, readme = excluded.readme",
            version_id,
            body,
            readme,
        )

    async def facts(self, version_id: int) -> Facts:
        row = await self._sql.row("select body, readme from facts where version_id = $1", version_id)
        if not row:
            return Facts()
        facts = _decode(row[0])
        if row[1] is None:
            return facts
        return replace(facts, readme=bytes(row[1]).decode())

    async def delete(self, version_id: int) -> None:
        await self._loosen(version_id)
        await self._sql.run("delete from version where id = $1", version_id)

    async def add_assets(self, version_id: int, assets: Sequence[Asset]) -> None:
        for asset in assets:
            added = await self._sql.run(
                "insert into asset (version_id, name, domain_id, sha256, uploaded, native)"
                " select v.id, $2, p.domain_id, $3, $4, $5"
                f"{_FROM} where v.id = $1"
                " on conflict (version_id, name) do nothing",
                version_id,
                asset.name,
                asset.blob.digests.sha256,
                asset.uploaded,
                asset.native,
            )
            if added:
                continue
            if not await self._sql.row("select 1 from version where id = $1", version_id):
                raise ResourceNotFound("The version is not there any more.", resource_type="package-version")
            raise Conflict(f"The version has an asset {asset.name} already.", resource_id=asset.name)

    async def drop_assets(self, version_id: int) -> None:
        await self._loosen(version_id)
        await self._sql.run("delete from asset where version_id = $1", version_id)

    async def set_asset_native(self, version_id: int, name: str, native: bytes) -> None:
        await self._sql.run(
            "update asset set native = $3 where version_id = $1 and name = $2", version_id, name, native
        )

    async def assets_page(self, version_id: int, after: str | None, limit: int) -> list[Asset]:
        rows = await self._sql.fetch(
            f"{_ASSET} from asset a{_BLOB} where a.version_id = $1 and a.name > $2 order by a.name limit $3",
            version_id,
            after or "",
            limit,
        )
        return [_asset(row) for row in rows]

    async def _loosen(self, version_id: int) -> None:
        """In two statements, so that each blob is found by its key."""
        rows = await self._sql.fetch("select distinct domain_id, sha256 from asset where version_id = $1", version_id)
        for run in parts([row[1] for row in rows]):
            await self._sql.run(
                f"update blob set loose = 1 where domain_id = $1 and sha256 in ({marks(len(run), 2)})",  # noqa: S608
                rows[0][0],
                *run,
            )


def _joined(heads: Sequence[Any], rows: Sequence[Any]) -> list[Version]:
    """Versions, each with its assets."""
    assets: dict[int, list[Asset]] = {}
    for row in rows:
        assets.setdefault(row[0], []).append(_asset(row))
    return [_version(head, bytes(head[14]), tuple(assets.get(head[0], ()))) for head in heads]


def _version(row: Any, native: bytes, assets: tuple[Asset, ...]) -> Version:
    return Version(
        row[0],
        row[1],
        VersionKey(PackageKey(row[2], row[3] or None, row[4]), row[5]),
        row[6],
        _STATUS[row[7]],
        row[8],
        Origin(row[9], row[10], row[11]),
        row[12],
        row[13],
        native,
        assets,
    )


def _asset(row: Any) -> Asset:
    _, name, uploaded, native, key, size, md5, sha1, sha256, sha512 = row
    return Asset(name, Blob(Digests(md5, sha1, sha256, sha512), size, key), bytes(native), uploaded)


def _packed(facts: Facts) -> tuple[str, bytes | None]:
    """JSON without the readme, and the readme as bytes: PostgreSQL's text takes no NUL."""
    readme = None if facts.readme is None else facts.readme.encode("utf-8", "replace")
    body = _encode(
        Facts(facts.display, facts.summary, facts.homepage, facts.source, facts.licenses, None, facts.dependencies)
    )
    return body.decode(), readme
