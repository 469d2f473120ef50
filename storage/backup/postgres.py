"""Backup's view of a PostgreSQL database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from storage.backup.engines import Source, Target, Unmovable, ledger, migrations, quoted, shape, tables
from storage.backup.rows import Row, Shape
from storage.metadata import migrate
from storage.metadata.listing_memo import ListingMemo
from storage.metadata.postgres_link import connect
from storage.metadata.postgres_schema import LOCK

_PATIENCE = 15.0

_TABLES = "select tablename from pg_tables where schemaname = current_schema() and tablename = any($1) order by 1"
_COLUMNS = (
    "select column_name, data_type from information_schema.columns"
    " where table_schema = current_schema() and table_name = $1 order by ordinal_position"
)
_REFERENCES = (
    "select c.relname, f.relname from pg_constraint k join pg_class c on c.oid = k.conrelid"
    " join pg_class f on f.oid = k.confrelid join pg_namespace n on n.oid = c.relnamespace"
    " where k.contype = 'f' and n.nspname = current_schema()"
)
_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


class PostgresEngine:
    """`engines.Engine`."""

    def __init__(self, address: str) -> None:
        self._address = address

    @asynccontextmanager
    async def source(self) -> AsyncIterator[Source]:
        async with self._connected() as connection:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                source = _PostgresSource(connection)
                await source.look()
                yield source

    async def occupied(self) -> bool:
        async with self._connected() as connection:
            names = [row[0] for row in await connection.fetch(_TABLES, ["account", "domain"])]
            found = [await connection.fetchval(f"select 1 from {name} limit 1") for name in names]  # noqa: S608
            return any(found)

    @asynccontextmanager
    async def target(self, schema: Collection[int]) -> AsyncIterator[Target]:
        """In one transaction: until it is committed, everyone sees what was there before."""
        async with self._connected() as connection:
            async with connection.transaction():
                target = _PostgresTarget(connection)
                await target.prepare(schema)
                yield target

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Any]:
        connection = (await connect(self._address, patience=_PATIENCE, memo=ListingMemo(limit=0))).raw
        try:
            await connection.execute("set statement_timeout = 0; set idle_in_transaction_session_timeout = 0")
            await connection.execute("set client_min_messages = warning")
            yield connection
        except _ERRORS as error:
            raise Unmovable(f"The database cannot be used: {error}") from error
        finally:
            await connection.close(timeout=5)


class _PostgresSource:
    schema: list[int]
    shapes: list[Shape]

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def look(self) -> None:
        names = [row[0] for row in await self._connection.fetch(_TABLES, ["migration"])]
        if not names:
            raise Unmovable("There is nothing of packyard in this database")
        self.schema = [row[0] for row in await self._connection.fetch("select number from migration order by number")]
        await asyncio.to_thread(migrations, self.schema, "postgres")
        self.shapes = await _shapes(self._connection)

    async def rows(self, shape: Shape, where: str = "") -> AsyncIterator[Sequence[Row]]:
        condition = f" where {where}" if where else ""
        text = f'select {quoted(shape.names)} from "{shape.table}"{condition}'  # noqa: S608
        cursor = await self._connection.cursor(text)
        while batch := await cursor.fetch(shape.run):
            yield batch


class _PostgresTarget:
    shapes: list[Shape]

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def prepare(self, schema: Collection[int]) -> None:
        run = self._connection.execute
        await self._connection.fetchval("select pg_advisory_xact_lock($1)", LOCK)
        names = await asyncio.to_thread(tables, "postgres")
        old = [row[0] for row in await self._connection.fetch(_TABLES, [*sorted(names), "migration"])]
        if old:
            await run(f"drop table {quoted(old)} cascade")
        await run(migrate.LEDGER)
        for migration in await asyncio.to_thread(migrations, schema, "postgres"):
            for statement in migration.statements:
                await run(statement)
            row = ledger(migration, time.time_ns() // 1_000_000)
            await run("insert into migration (number, name, applied) values ($1, $2, $3)", *row)
        self.shapes = await _shapes(self._connection)
        await run(f"truncate {quoted([each.table for each in self.shapes])} cascade")

    async def add(self, shape: Shape, rows: Sequence[Row]) -> None:
        try:
            await self._connection.copy_records_to_table(shape.table, records=rows, columns=shape.names)
        except (asyncpg.PostgresError, ValueError, TypeError) as error:
            raise Unmovable(f"Table {shape.table}: {error}") from error


async def _shapes(connection: Any) -> list[Shape]:
    """Those that others refer to first."""
    made = await asyncio.to_thread(tables, "postgres")
    names = [row[0] for row in await connection.fetch(_TABLES, sorted(made))]
    references: dict[str, set[str]] = {name: set() for name in names}
    for table, other in await connection.fetch(_REFERENCES):
        if table in references and other in references and table != other:
            references[table].add(other)
    ordered: list[str] = []
    while len(ordered) < len(names):
        free = [name for name in names if name not in ordered and references[name] <= set(ordered)]
        if not free:
            raise Unmovable("The tables refer to each other in a circle")
        ordered += free
    return [shape(name, [(row[0], row[1]) for row in await connection.fetch(_COLUMNS, name)]) for name in ordered]
