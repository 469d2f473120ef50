"""Packages of repositories, and their tags."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from registry.core.clock import new_id
from registry.core.types import Control, PackageFilter, PackageKey, PackageRow
from storage.metadata.sql import Conditions, Sql, contains, marks

_COLUMNS = "id, repo_id, format, namespace, name, display, seq, publish, upstream, created, configured"
_OF_P = ", ".join(f"p.{column}" for column in _COLUMNS.split(", "))
_PUBLISHED = "exists (select 1 from version v where v.package_id = p.id and v.status = 'Published')"


class Packages:
    """`ports.Packages`.  A missing namespace is stored as ''."""

    __slots__ = ("_sql",)

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    async def get(self, repo_id: int, key: PackageKey) -> PackageRow | None:
        row = await self._sql.row(
            f"select {_COLUMNS} from package where repo_id = $1 and format = $2 and namespace = $3 and name = $4",  # noqa: S608
            repo_id,
            key.format,
            key.namespace or "",
            key.name,
        )
        return _package(row) if row else None

    async def across(self, repo_ids: Sequence[int], key: PackageKey) -> list[PackageRow]:
        if not repo_ids:
            return []
        rows = await self._sql.fetch(
            _across(len(repo_ids)),
            key.format,
            key.namespace or "",
            key.name,
            *repo_ids,
        )
        return [_package(row) for row in rows]

    async def touch(
        self, repo_id: int, key: PackageKey, *, display: str, publish: Control, upstream: Control, now: int
    ) -> PackageRow | None:
        row = await self._sql.row(
            "insert into package (id, repo_id, domain_id, format, namespace, name, display, seq, publish, upstream,"  # noqa: S608
            " configured, created)"
            " select $1, id, domain_id, $3, $4, $5, $6, 1, $7, $8, 0, $9"
            " from repository where id = $2"
            " on conflict (repo_id, format, namespace, name) do update set seq = package.seq + 1"
            f" returning {_COLUMNS}",
            new_id(now),
            repo_id,
            key.format,
            key.namespace or "",
            key.name,
            display,
            publish,
            upstream,
            now,
        )
        return _package(row) if row else None

    async def bump(self, package_id: int) -> int:
        row = await self._sql.row("update package set seq = seq + 1 where id = $1 returning seq", package_id)
        return int(row[0]) if row else 0

    async def set_controls(self, package_id: int, publish: Control, upstream: Control) -> None:
        await self._sql.run(
            "update package set publish = $2, upstream = $3, configured = 1, seq = seq + 1 where id = $1",
            package_id,
            publish,
            upstream,
        )

    async def delete(self, package_id: int) -> None:
        await self._sql.run(
            "update blob set loose = 1 where domain_id = (select domain_id from package where id = $1) and sha256 in"
            " (select a.sha256 from asset a join version v on v.id = a.version_id where v.package_id = $1)",
            package_id,
        )
        await self._sql.run("delete from package where id = $1", package_id)

    async def page(
        self, repo_id: int, where: PackageFilter, after: tuple[str, str, str] | None, limit: int
    ) -> list[PackageRow]:
        conditions = Conditions()
        conditions.add("repo_id = ?", repo_id)
        if where.format is not None:
            conditions.add("format = ?", where.format)
        if where.namespace_prefix is not None:
            conditions.prefix("namespace", where.namespace_prefix)
        if where.name_prefix is not None:
            conditions.prefix("name", where.name_prefix)
        if where.publish is not None:
            conditions.add("publish = ?", where.publish)
        if where.upstream is not None:
            conditions.add("upstream = ?", where.upstream)
        if after is not None:
            conditions.add("(format, namespace, name) > (?, ?, ?)", *after)
        rows = await self._sql.fetch(
            f"select {_COLUMNS} from package where {conditions} order by format, namespace, name"  # noqa: S608
            f" limit {conditions.bind(limit)}",
            *conditions.args,
        )
        return [_package(row) for row in rows]

    async def tags(self, package_ids: Sequence[int]) -> dict[int, dict[str, str]]:
        if not package_ids:
            return {}
        rows = await self._sql.fetch(
            f"select package_id, name, version from tag where package_id in ({marks(len(package_ids))})"  # noqa: S608
            " order by package_id, name",
            *package_ids,
        )
        tags: dict[int, dict[str, str]] = {}
        for package_id, name, version in rows:
            tags.setdefault(package_id, {})[name] = version
        return tags

    async def set_tag(self, package_id: int, tag: str, version: str) -> None:
        await self._sql.run(
            "insert into tag (package_id, name, version) values ($1, $2, $3)"
            " on conflict (package_id, name) do update set version = excluded.version",
            package_id,
            tag,
            version,
        )

    async def drop_tag(self, package_id: int, tag: str) -> None:
        await self._sql.run("delete from tag where package_id = $1 and name = $2", package_id, tag)

    async def search(
        self, repo_ids: Sequence[int], format: str, text: str, after: tuple[str, str] | None, limit: int
    ) -> list[PackageRow]:
        """Of an identity that several of the repositories have, the row of the one named first."""
        if not repo_ids:
            return []
        where = Conditions(format)
        repositories = ", ".join([where.bind(repo_id) for repo_id in repo_ids])
        shared = f"p.format = $1 and p.repo_id in ({repositories})"
        where.add(shared)
        if text:
            pattern = where.bind(contains(text.lower()))
            where.add(f"(lower(p.name) like {pattern} escape '!' or lower(p.namespace) like {pattern} escape '!')")
        if after is not None:
            where.add("(p.namespace, p.name) > (?, ?)", *after)
        where.add(_PUBLISHED)
        rows = await self._sql.fetch(
            f"select {_OF_P} from package p join"  # noqa: S608
            f" (select distinct p.namespace, p.name from package p where {where}"
            f" order by p.namespace, p.name limit {where.bind(limit)}) q"
            f" on q.namespace = p.namespace and q.name = p.name where {shared} and {_PUBLISHED}",
            *where.args,
        )
        rank = {repo_id: position for position, repo_id in enumerate(repo_ids)}
        first: dict[tuple[str, str], PackageRow] = {}
        for row in sorted(map(_package, rows), key=lambda row: rank[row.repo_id]):
            first.setdefault((row.key.namespace or "", row.key.name), row)
        return [first[identity] for identity in sorted(first)]

    async def pulse(self, repo_ids: Sequence[int], format: str) -> tuple[int, int, int]:
        if not repo_ids:
            return 0, 0, 0
        row = await self._sql.row(
            "select count(*), coalesce(sum(seq), 0), coalesce(max(id), 0) from package"  # noqa: S608
            f" where format = $1 and repo_id in ({marks(len(repo_ids), 2)})",
            format,
            *repo_ids,
        )
        return int(row[0]), int(row[1]), int(row[2])

    async def roll(self, repo_ids: Sequence[int], format: str) -> list[tuple[str, str, int, int, int]]:
        if not repo_ids:
            return []
        rows = await self._sql.fetch(
            "select namespace, name, repo_id, id, seq from package"  # noqa: S608
            f" where format = $1 and repo_id in ({marks(len(repo_ids), 2)})",
            format,
            *repo_ids,
        )
        return [(row[0], row[1], row[2], row[3], row[4]) for row in rows]


@cache
def _across(count: int) -> str:
    return (
        f"select {_COLUMNS} from package where format = $1 and namespace = $2 and name = $3"  # noqa: S608
        f" and repo_id in ({marks(count, 4)})"
    )


def _package(row: Any) -> PackageRow:
    package_id, repo_id, format, namespace, name, display, seq, publish, upstream, created, configured = row
    key = PackageKey(format, namespace or None, name)
    return PackageRow(package_id, repo_id, key, display, seq, publish, upstream, created, bool(configured))
