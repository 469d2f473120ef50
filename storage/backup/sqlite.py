"""Backup's view of a SQLite file."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from storage.backup.engines import Source, Target, Unmovable, ledger, migrations, quoted, shape
from storage.backup.manifest import flush
from storage.backup.rows import Row, Shape
from storage.metadata import migrate

_LIST = "select name from sqlite_master where type = 'table' and name not like 'sqlite\\_%' escape '\\' order by name"


class SQLiteEngine:
    """`engines.Engine`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @asynccontextmanager
    async def source(self) -> AsyncIterator[Source]:
        connection = await asyncio.to_thread(_opened, self._path)
        try:
            yield await asyncio.to_thread(_SQLiteSource, connection)
        finally:
            await asyncio.to_thread(connection.close)

    async def occupied(self) -> bool:
        return await asyncio.to_thread(self._occupied)

    def _occupied(self) -> bool:
        if not self._path.exists():
            return False
        connection = _opened(self._path)
        try:
            names = {name for (name,) in connection.execute(_LIST)}
            asked = [name for name in ("account", "domain") if name in names]
            return any(connection.execute(f"select 1 from {name} limit 1").fetchone() for name in asked)  # noqa: S608
        finally:
            connection.close()

    @asynccontextmanager
    async def target(self, schema: Collection[int]) -> AsyncIterator[Target]:
        """In a file beside, which takes the place of the old one at the end."""
        fresh = self._path.with_name(f"{self._path.name}.restoring")
        target = await asyncio.to_thread(_SQLiteTarget, fresh, schema)
        try:
            yield target
            await asyncio.to_thread(target.finish)
            await asyncio.to_thread(_replace, fresh, self._path)
        finally:
            await asyncio.to_thread(target.close)
            await asyncio.to_thread(fresh.unlink, missing_ok=True)


class _SQLiteSource:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        try:
            connection.execute("begin")
            self.schema = [number for (number,) in connection.execute("select number from migration order by number")]
            migrations(self.schema, "sqlite")
            self.shapes = _shapes(connection)
        except sqlite3.Error as error:
            raise Unmovable(f"The database cannot be read: {error}") from error

    async def rows(self, shape: Shape, where: str = "") -> AsyncIterator[Sequence[Row]]:
        condition = f" where {where}" if where else ""
        text = f'select {quoted(shape.names)} from "{shape.table}"{condition}'  # noqa: S608
        cursor = await asyncio.to_thread(self._connection.execute, text)
        while batch := await asyncio.to_thread(cursor.fetchmany, shape.run):
            yield batch


class _SQLiteTarget:
    def __init__(self, path: Path, schema: Collection[int]) -> None:
        path.unlink(missing_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        execute = self._connection.execute
        execute("pragma journal_mode = delete")
        execute("begin")
        execute(migrate.LEDGER)
        for migration in migrations(schema, "sqlite"):
            for statement in migration.statements:
                execute(statement)
            execute("insert into migration values (?, ?, ?)", ledger(migration, time.time_ns() // 1_000_000))
        self.shapes = _shapes(self._connection)
        for each in self.shapes:
            execute(f'delete from "{each.table}"')  # noqa: S608

    async def add(self, shape: Shape, rows: Sequence[Row]) -> None:
        marks = ", ".join("?" * len(shape.columns))
        text = f'insert into "{shape.table}" ({quoted(shape.names)}) values ({marks})'  # noqa: S608
        try:
            await asyncio.to_thread(self._insert, text, rows)
        except sqlite3.Error as error:
            raise Unmovable(f"Table {shape.table}: {error}") from error

    def _insert(self, text: str, rows: Sequence[Row]) -> None:
        """The cursor ends here: let go of in another thread, it would reset the statement under the next rows."""
        self._connection.executemany(text, rows).close()

    def finish(self) -> None:
        broken = self._connection.execute("pragma foreign_key_check").fetchone()
        if broken is not None:
            raise Unmovable(f"Table {broken[0]} refers to rows of {broken[2]} that are not there")
        self._connection.execute("commit")
        self._connection.close()

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()


def _opened(path: Path) -> sqlite3.Connection:
    """For reading.  A file that a server uses is read beside it."""
    if not path.exists():
        raise Unmovable(f"There is no database {path}")
    connection = sqlite3.connect(path, timeout=15, isolation_level=None, check_same_thread=False)
    connection.execute("pragma query_only = on")
    return connection


def _shapes(connection: sqlite3.Connection) -> list[Shape]:
    names = [name for (name,) in connection.execute(_LIST) if name != "migration"]
    return [shape(name, _columns(connection, name)) for name in names]


def _columns(connection: sqlite3.Connection, name: str) -> list[tuple[str, str]]:
    rows: list[Any] = connection.execute(f'pragma table_info("{name}")').fetchall()
    return [(row[1], row[2].lower()) for row in rows]


def _replace(fresh: Path, path: Path) -> None:
    """The old file's log goes first: it must never be applied to another file."""
    descriptor = os.open(fresh, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    fresh.rename(path)
    flush(path.parent)
