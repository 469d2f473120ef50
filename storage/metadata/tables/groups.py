"""Package groups, the keys that they are found by, and their lists of allowed repositories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from registry.core.errors import Conflict
from registry.core.types import PackageGroup, PackageKey, Restriction
from storage.metadata.sql import Conditions, Sql, marks, parts

_COLUMNS = "id, domain_id, pattern, contact, description, created, external_upstream, internal_upstream, publish"
_OF_G = ", ".join(f"g.{column}" for column in _COLUMNS.split(", "))
_KINDS: tuple[Restriction, ...] = get_args(Restriction)
_STEP = 16
"""Lists of keys are filled up to a multiple of this, so that few statements are prepared."""


class Groups:
    """`ports.Groups`: every change also grows the domain's topology."""

    __slots__ = ("_sql",)

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    async def add(self, group: PackageGroup, keys: Sequence[str]) -> None:
        added = await self._sql.run(
            f"insert into package_group ({_COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"  # noqa: S608
            " on conflict (domain_id, pattern) do nothing",
            group.id,
            group.domain_id,
            group.pattern,
            group.contact,
            group.description,
            group.created,
            *[group.modes[kind] for kind in _KINDS],
        )
        if not added:
            raise Conflict(
                f"The domain has a package group {group.pattern} already.",
                resource_id=group.pattern,
                resource_type="package-group",
            )
        await self._add_keys(group.id, group.domain_id, keys)
        await self._touch(group.domain_id)

    async def get(self, domain_id: int, pattern: str) -> PackageGroup | None:
        row = await self._sql.row(
            f"select {_COLUMNS} from package_group where domain_id = $1 and pattern = $2",  # noqa: S608
            domain_id,
            pattern,
        )
        return _group(row) if row else None

    async def under(self, domain_id: int, keys: Sequence[str]) -> list[PackageGroup]:
        found: dict[int, PackageGroup] = {}
        for some in parts(list(keys)):
            filled = [*some, *[some[-1]] * (-len(some) % _STEP)]
            rows = await self._sql.fetch(
                f"select {_OF_G} from group_key k join package_group g on g.id = k.group_id"  # noqa: S608
                f" where k.domain_id = $1 and k.key in ({marks(len(filled), 2)})",
                domain_id,
                *filled,
            )
            found.update((row[0], _group(row)) for row in rows)
        return list(found.values())

    async def page(self, domain_id: int, prefix: str, after: str | None, limit: int) -> list[PackageGroup]:
        where = Conditions()
        where.add("domain_id = ?", domain_id)
        if prefix:
            where.prefix("pattern", prefix)
        if after is not None:
            where.add("pattern > ?", after)
        rows = await self._sql.fetch(
            f"select {_COLUMNS} from package_group where {where} order by pattern limit {where.bind(limit)}",  # noqa: S608
            *where.args,
        )
        return [_group(row) for row in rows]

    async def change(self, group: PackageGroup) -> None:
        await self._sql.run(
            "update package_group set contact = $2, description = $3, external_upstream = $4, internal_upstream = $5,"
            " publish = $6 where id = $1",
            group.id,
            group.contact,
            group.description,
            *[group.modes[kind] for kind in _KINDS],
        )
        await self._touch(group.domain_id)

    async def allow(self, group: PackageGroup, kind: Restriction, repo_ids: Sequence[int]) -> None:
        await self._sql.run("delete from group_repository where group_id = $1 and kind = $2", group.id, kind)
        for repo_id in repo_ids:
            await self._sql.run(
                "insert into group_repository (group_id, kind, repo_id) values ($1, $2, $3)", group.id, kind, repo_id
            )
        await self._touch(group.domain_id)

    async def allowed(self, group_ids: Sequence[int]) -> list[tuple[int, Restriction, int, str]]:
        found: list[tuple[int, Restriction, int, str]] = []
        for some in parts(group_ids):
            rows = await self._sql.fetch(
                "select a.group_id, a.kind, a.repo_id, r.name from group_repository a"  # noqa: S608
                f" join repository r on r.id = a.repo_id where a.group_id in ({marks(len(some))})"
                " order by a.group_id, a.kind, r.name",
                *some,
            )
            found.extend((row[0], row[1], row[2], row[3]) for row in rows)
        return found

    async def delete(self, group: PackageGroup) -> None:
        await self._sql.run("delete from package_group where id = $1", group.id)
        await self._touch(group.domain_id)

    async def rekey(self, group_id: int, keys: Sequence[str]) -> None:
        row = await self._sql.row("select domain_id from package_group where id = $1", group_id)
        if row is not None:
            await self._sql.run("delete from group_key where group_id = $1", group_id)
            await self._add_keys(group_id, row[0], keys)
            await self._touch(row[0])

    async def count(self, domain_id: int, atmost: int) -> int:
        row = await self._sql.row(
            "select count(*) from (select 1 from package_group where domain_id = $1 limit $2) g", domain_id, atmost
        )
        return int(row[0])

    async def keyed(self, version: str | None = None) -> str:
        if version is not None:
            await self._sql.run("update group_fold set version = $1 where id = 1", version)
        row = await self._sql.row("select version from group_fold where id = 1")
        return str(row[0]) if row else ""

    async def packages(
        self, domain_id: int, format: str | None, after: tuple[str, str, str] | None, limit: int
    ) -> list[PackageKey]:
        where = Conditions()
        where.add("domain_id = ?", domain_id)
        if format is not None:
            where.add("format = ?", format)
        if after is not None:
            where.add("(format, namespace, name) > (?, ?, ?)", *after)
        rows = await self._sql.fetch(
            f"select distinct format, namespace, name from package where {where}"  # noqa: S608
            f" order by format, namespace, name limit {where.bind(limit)}",
            *where.args,
        )
        return [PackageKey(row[0], row[1] or None, row[2]) for row in rows]

    async def _add_keys(self, group_id: int, domain_id: int, keys: Sequence[str]) -> None:
        for key in keys:
            await self._sql.run(
                "insert into group_key (domain_id, key, group_id) values ($1, $2, $3)", domain_id, key, group_id
            )

    async def _touch(self, domain_id: int) -> None:
        await self._sql.run("update domain set topology = topology + 1 where id = $1", domain_id)


def _group(row: Any) -> PackageGroup:
    group_id, domain_id, pattern, contact, description, created, *modes = row
    return PackageGroup(
        group_id, domain_id, pattern, contact, description, created, dict(zip(_KINDS, modes, strict=True))
    )
