"""Domains."""

from __future__ import annotations

from typing import Any

from registry.core.errors import Conflict
from registry.core.types import Domain, DomainKey
from storage.metadata.sql import Conditions, Sql

_COLUMNS = "id, owner, name, created, encryption_key, topology"


class Domains:
    """`ports.Domains`."""

    __slots__ = ("_sql",)

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    async def add(self, domain: Domain) -> None:
        added = await self._sql.run(
            "insert into domain (id, owner, name, created, encryption_key, topology)"
            " values ($1, $2, $3, $4, $5, $6) on conflict (name, owner) do nothing",
            domain.id,
            domain.key.owner,
            domain.key.name,
            domain.created,
            domain.encryption_key,
            domain.topology,
        )
        if not added:
            raise Conflict(
                f"The account {domain.key.owner} has a domain {domain.key.name} already.",
                resource_id=domain.key.name,
                resource_type="domain",
            )

    async def get(self, key: DomainKey) -> Domain | None:
        row = await self._sql.row(
            f"select {_COLUMNS} from domain where name = $1 and owner = $2",  # noqa: S608
            key.name,
            key.owner,
        )
        return _domain(row) if row else None

    async def by_id(self, domain_id: int) -> Domain | None:
        row = await self._sql.row(f"select {_COLUMNS} from domain where id = $1", domain_id)  # noqa: S608
        return _domain(row) if row else None

    async def page(self, owner: str | None, after: str | None, limit: int) -> list[Domain]:
        where = Conditions()
        if owner is not None:
            where.add("owner = ?", owner)
        if after is not None:
            name, _, after_owner = after.partition("/")
            where.add("(name, owner) > (?, ?)", name, after_owner)
        sql = f"select {_COLUMNS} from domain where {where} order by name, owner limit {where.bind(limit)}"  # noqa: S608
        return [_domain(row) for row in await self._sql.fetch(sql, *where.args)]

    async def delete(self, domain_id: int) -> None:
        domain = await self.by_id(domain_id)
        if domain is None:
            return
        resource = f":{domain.key.owner}:domain/{domain.key.name}"
        await self._sql.run("delete from resource_tag where substr(arn, length(arn) - $1 + 1) = $2", *_suffix(resource))
        # The same of its package groups, whose ARNs go on with their patterns; `_` stands for any character in LIKE.
        groups = f"arn:%:{domain.key.owner}:package-group/{domain.key.name.replace('_', '!_')}/%"
        await self._sql.run("delete from resource_tag where arn like $1 escape '!'", groups)
        await self._sql.run("delete from resource_policy where domain_id = $1", domain_id)
        await self._sql.run("delete from domain where id = $1", domain_id)

    async def touch(self, domain_id: int) -> None:
        await self._sql.run("update domain set topology = topology + 1 where id = $1", domain_id)

    async def usage(self, domain_id: int) -> tuple[int, int]:
        count = await self._sql.row("select count(*) from repository where domain_id = $1", domain_id)
        size = await self._sql.row(
            "select sum(b.size) from blob b where b.domain_id = $1 and b.condemned is null and exists"
            " (select 1 from asset a where a.domain_id = b.domain_id and a.sha256 = b.sha256)",
            domain_id,
        )
        return int(count[0]), int(size[0] or 0)


def _suffix(text: str) -> tuple[int, str]:
    return len(text), text


def _domain(row: Any) -> Domain:
    return Domain(row[0], DomainKey(row[1], row[2]), row[3], row[4], row[5])
