"""Resource policies and resource tags, by ARN."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from registry.core.types import PolicyDocument
from storage.metadata.sql import Sql


class Policies:
    """`ports.Policies`."""

    __slots__ = ("_sql",)

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    async def get(self, arn: str) -> PolicyDocument | None:
        row = await self._sql.row("select arn, document, revision, bound from resource_policy where arn = $1", arn)
        return PolicyDocument(row[0], row[1], row[2], json.loads(row[3])) if row else None

    async def put(self, policy: PolicyDocument, domain_id: int) -> None:
        await self._sql.run(
            "insert into resource_policy (arn, domain_id, document, revision, bound) values ($1, $2, $3, $4, $5)"
            " on conflict (arn) do update set domain_id = excluded.domain_id, document = excluded.document,"
            " revision = excluded.revision, bound = excluded.bound",
            policy.arn,
            domain_id,
            policy.document,
            policy.revision,
            json.dumps(dict(policy.bound)),
        )
        await self._touch(domain_id)

    async def delete(self, arn: str, domain_id: int) -> None:
        await self._sql.run("delete from resource_policy where arn = $1", arn)
        await self._touch(domain_id)

    async def resource_tags(self, arn: str) -> dict[str, str]:
        rows = await self._sql.fetch("select name, value from resource_tag where arn = $1 order by name", arn)
        return {row[0]: row[1] for row in rows}

    async def set_resource_tags(self, arn: str, tags: Mapping[str, str]) -> None:
        for name, value in tags.items():
            await self._sql.run(
                "insert into resource_tag (arn, name, value) values ($1, $2, $3)"
                " on conflict (arn, name) do update set value = excluded.value",
                arn,
                name,
                value,
            )

    async def drop_resource_tags(self, arn: str, keys: Sequence[str]) -> None:
        for key in keys:
            await self._sql.run("delete from resource_tag where arn = $1 and name = $2", arn, key)

    async def _touch(self, domain_id: int) -> None:
        await self._sql.run("update domain set topology = topology + 1 where id = $1", domain_id)
