"""Events that wait to be delivered."""

from __future__ import annotations

import msgspec

from registry.core.types import Event
from storage.metadata.sql import Sql


class Outbox:
    """`ports.Outbox`."""

    __slots__ = ("_sql",)

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    async def add(self, event: Event) -> None:
        await self._sql.run(
            "insert into outbox (id, account, time, detail) values ($1, $2, $3, $4)",
            event.id,
            event.account,
            event.time,
            msgspec.json.encode(event.detail).decode(),
        )

    async def take(self, after: int, limit: int) -> list[Event]:
        rows = await self._sql.fetch(
            "select id, account, time, detail from outbox where id > $1 order by id limit $2", after, limit
        )
        return [Event(row[0], row[1], row[2], msgspec.json.decode(row[3])) for row in rows]

    async def drop(self, upto: int) -> None:
        await self._sql.run("delete from outbox where id <= $1", upto)

    async def expire(self, before: int) -> int:
        return await self._sql.run("delete from outbox where time < $1", before)
