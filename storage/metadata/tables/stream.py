"""Events in the order of their delivery, how far each sink has come, and who delivers."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from registry.core.types import Event
from storage.metadata.sql import Sql, marks, parts


class Stream:
    """`ports.Stream`."""

    __slots__ = ("_sql",)

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    async def advance(self, limit: int) -> int:
        rows = await self._sql.fetch("select id, account, time, detail from outbox order by id limit $1", limit)
        if not rows:
            return 0
        [last] = await self._sql.row(
            "select max(position) from (select max(position) as position from stream"
            " union all select max(position) as position from sink) as places"
        )
        for position, row in enumerate(_in_order(rows), (last or 0) + 1):
            await self._sql.run(
                "insert into stream (position, id, account, time, detail) values ($1, $2, $3, $4, $5)", position, *row
            )
        for some in parts([row[0] for row in rows]):
            await self._sql.run(f"delete from outbox where id in ({marks(len(some))})", *some)  # noqa: S608
        return len(rows)

    async def after(self, position: int, limit: int) -> list[tuple[int, Event]]:
        rows = await self._sql.fetch(
            "select position, id, account, time, detail from stream where position > $1 order by position limit $2",
            position,
            limit,
        )
        return [(row[0], Event(row[1], row[2], row[3], msgspec.json.decode(row[4]))) for row in rows]

    async def cursor(self, sink: str) -> int:
        row = await self._sql.row("select position from sink where name = $1", sink)
        return 0 if row is None else int(row[0])

    async def moved(self, sink: str, position: int) -> None:
        await self._sql.run(
            "insert into sink (name, position) values ($1, $2)"
            " on conflict (name) do update set position = excluded.position",
            sink,
            position,
        )

    async def trim(self, sinks: Collection[str], before: int) -> int:
        names = list(sinks)
        await self._sql.run(f"delete from sink where name not in ({marks(len(names))})", *names)  # noqa: S608
        [known, lowest] = await self._sql.row("select count(*), min(position) from sink")
        if known == len(names):
            await self._sql.run("delete from stream where position <= $1", lowest)
        return await self._sql.run("delete from stream where time < $1", before)

    async def lease(self, name: str, holder: str, now: int, until: int) -> bool:
        taken = await self._sql.run(
            "insert into lease (name, holder, until) values ($1, $2, $3) on conflict (name) do update"
            " set holder = excluded.holder, until = excluded.until where lease.holder = $2 or lease.until < $4",
            name,
            holder,
            until,
            now,
        )
        return taken == 1

    async def leased(self, name: str) -> tuple[str, int] | None:
        row = await self._sql.row("select holder, until from lease where name = $1", name)
        return None if row is None else (row[0], row[1])

    async def release(self, name: str, holder: str) -> None:
        await self._sql.run("delete from lease where name = $1 and holder = $2", name, holder)


def _in_order(rows: Collection[tuple[int, str, int, str]]) -> list[tuple[int, str, int, str]]:
    """By id, but the events of each package by their sequence number: servers' clocks may differ."""
    places: dict[tuple[object, ...], list[int]] = {}
    numbers = []
    ordered = list(rows)
    for index, row in enumerate(ordered):
        detail = msgspec.json.decode(row[3])
        package = tuple(
            detail.get(name)
            for name in (
                "domainOwner",
                "domainName",
                "repositoryName",
                "packageFormat",
                "packageNamespace",
                "packageName",
            )
        )
        numbers.append(detail["sequenceNumber"])
        places.setdefault(package, []).append(index)
    result = list(ordered)
    for indexes in places.values():
        for place, source in zip(indexes, sorted(indexes, key=lambda index: numbers[index]), strict=True):
            result[place] = ordered[source]
    return result
