"""Repositories, their upstream edges and external connections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from registry.core.errors import Conflict
from registry.core.types import DomainKey, RepoKey, Repository, RepositoryFilter
from storage.metadata.sql import Conditions, Sql

_SELECT = (
    "select r.id, r.domain_id, d.owner, d.name, r.name, r.description, r.administrator, r.created"
    " from repository r join domain d on d.id = r.domain_id"
)


class Repositories:
    """`ports.Repositories`: every change also grows the domain's topology."""

    __slots__ = ("_sql",)

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    async def add(self, repository: Repository) -> None:
        added = await self._sql.run(
            "insert into repository (id, domain_id, name, description, administrator, created)"
            " values ($1, $2, $3, $4, $5, $6) on conflict (domain_id, name) do nothing",
            repository.id,
            repository.domain_id,
            repository.key.name,
            repository.description,
            repository.administrator,
            repository.created,
        )
        if not added:
            raise Conflict(
                f"The domain {repository.key.domain.name} has a repository {repository.key.name} already.",
                resource_id=repository.key.name,
                resource_type="repository",
            )
        await self._touch_domain(repository.domain_id)

    async def get(self, domain_id: int, name: str) -> Repository | None:
        row = await self._sql.row(f"{_SELECT} where r.domain_id = $1 and r.name = $2", domain_id, name)
        return _repository(row) if row else None

    async def by_id(self, repo_id: int) -> Repository | None:
        row = await self._sql.row(f"{_SELECT} where r.id = $1", repo_id)
        return _repository(row) if row else None

    async def describe(self, repo_id: int, description: str) -> None:
        await self._sql.run("update repository set description = $2 where id = $1", repo_id, description)
        await self._touch(repo_id)

    async def delete(self, repo_id: int) -> None:
        repository = await self.by_id(repo_id)
        if repository is None:
            return
        await self._touch_domain(repository.domain_id)
        await self._sql.run(
            "update blob set loose = 1 where domain_id = $1 and sha256 in"
            " (select a.sha256 from asset a join version v on v.id = a.version_id"
            " join package p on p.id = v.package_id where p.repo_id = $2)",
            repository.domain_id,
            repo_id,
        )
        key = repository.key
        await self._drop_named(f":{key.domain.owner}:repository/{key.domain.name}/{key.name}")
        await self._sql.run("delete from repository where id = $1", repo_id)

    async def _drop_named(self, resource: str) -> None:
        """The policy and tags of the resource whose ARN ends so; the region is not for us to know."""
        condition = "substr(arn, length(arn) - $1 + 1) = $2"
        await self._sql.run(f"delete from resource_policy where {condition}", len(resource), resource)  # noqa: S608
        await self._sql.run(f"delete from resource_tag where {condition}", len(resource), resource)  # noqa: S608

    async def page(self, where: RepositoryFilter, after: tuple[str, str, str] | None, limit: int) -> list[Repository]:
        conditions = Conditions()
        if where.domain_id is not None:
            conditions.add("r.domain_id = ?", where.domain_id)
        if where.prefix is not None:
            conditions.prefix("r.name", where.prefix)
        if where.administrator is not None:
            conditions.add("r.administrator = ?", where.administrator)
        if after is not None:
            conditions.add("(r.name, d.name, d.owner) > (?, ?, ?)", *after)
        sql = f"{_SELECT} where {conditions} order by r.name, d.name, d.owner limit {conditions.bind(limit)}"
        return [_repository(row) for row in await self._sql.fetch(sql, *conditions.args)]

    async def edges(self, domain_id: int) -> dict[int, list[int]]:
        rows = await self._sql.fetch(
            "select u.repo_id, u.target_id from repository r join upstream u on u.repo_id = r.id"
            " where r.domain_id = $1 order by u.repo_id, u.position",
            domain_id,
        )
        edges: dict[int, list[int]] = {}
        for repo_id, target_id in rows:
            edges.setdefault(repo_id, []).append(target_id)
        return edges

    async def set_upstreams(self, repo_id: int, targets: Sequence[int]) -> None:
        await self._sql.run("delete from upstream where repo_id = $1", repo_id)
        for position, target in enumerate(targets):
            await self._sql.run(
                "insert into upstream (repo_id, position, target_id) values ($1, $2, $3)", repo_id, position, target
            )
        await self._touch(repo_id)

    async def connections(self, domain_id: int) -> dict[int, str]:
        rows = await self._sql.fetch(
            "select c.repo_id, c.name from repository r join external_connection c on c.repo_id = r.id"
            " where r.domain_id = $1",
            domain_id,
        )
        return {row[0]: row[1] for row in rows}

    async def connect(self, repo_id: int, connection: str | None) -> None:
        if connection is None:
            await self._sql.run("delete from external_connection where repo_id = $1", repo_id)
        else:
            await self._sql.run(
                "insert into external_connection (repo_id, name) values ($1, $2)"
                " on conflict (repo_id) do update set name = excluded.name",
                repo_id,
                connection,
            )
        await self._touch(repo_id)

    async def _touch(self, repo_id: int) -> None:
        await self._sql.run(
            "update domain set topology = topology + 1 where id = (select domain_id from repository where id = $1)",
            repo_id,
        )

    async def _touch_domain(self, domain_id: int) -> None:
        await self._sql.run("update domain set topology = topology + 1 where id = $1", domain_id)


def _repository(row: Any) -> Repository:
    repo_id, domain_id, owner, domain, name, description, administrator, created = row
    return Repository(repo_id, domain_id, RepoKey(DomainKey(owner, domain), name), description, administrator, created)
