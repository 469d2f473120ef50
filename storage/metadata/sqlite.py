"""The metadata store on one SQLite file: one writer thread, a few readers, one connection in the loop.

`write`   queues the unit of work.  The writer takes what has queued up, runs each in a savepoint of one transaction,
          commits once (WAL, synchronous=FULL: one fsync), and only then resolves the futures.
`read`    runs on a reader thread, on a snapshot.
`glance`  runs in the loop, on a snapshot of a connection of its own: a few point look-ups, some microseconds.
`epoch`   asks that connection for `data_version`, which differs after any other connection's commit, so after our own
          writer's and after other processes' alike.

Several processes may have the same file open: whoever finds it locked waits, up to `patience`, then Unavailable.

A test run under blockbuster must let two functions of this file use sqlite3 in the loop, on purpose:
`functions["sqlite3.Connection.execute"].can_block_in("storage/metadata/sqlite.py", {"glance", "epoch"})`, and the same
for `sqlite3.Cursor.fetchone` and `sqlite3.Cursor.fetchall`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sqlite3
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from registry.core.errors import Unavailable
from registry.core.ports import Tx
from storage.metadata import migrate
from storage.metadata.listing_memo import ListingMemo
from storage.metadata.sqlite_connection import Connection, is_busy, translated
from storage.metadata.sqlite_writer import Writer, begin

T = TypeVar("T")

READERS = 3


class SQLiteStore:
    """`ports.Store`, and `open()` and `close()` around it."""

    def __init__(self, path: Path, *, patience: float = 15.0) -> None:
        """`patience`: seconds to wait for a lock that another process holds."""
        self._path = path
        self._patience = patience
        self._memo = ListingMemo()
        self._glance: Connection | None = None
        self._writer: Writer | None = None
        self._readers: queue.SimpleQueue[Connection] = queue.SimpleQueue()
        self._threads: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        """Create the file if needed and bring its schema up to date.

        Raises Unavailable when the file cannot be opened and migrate.SchemaTooNew when a later version made it.
        """
        await asyncio.to_thread(self.open_now)

    def open_now(self) -> None:
        """The same outside of a loop."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Private packages' metadata and sealed secrets: for its owner only, as the files beside it will be.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            writable = self._connect(cache_kib=8 * 1024, read_only=False)
            upgrade(writable, self._patience)
            self._writer = Writer(writable, self._patience)
            for _ in range(READERS):
                self._readers.put(self._connect(cache_kib=4 * 1024, read_only=True))
            self._glance = self._connect(cache_kib=8 * 1024, read_only=True)
        except sqlite3.Error as error:
            raise translated(error) from error
        except OSError as error:
            raise Unavailable("The data directory cannot be used.") from error
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="sqlite-reader")

    async def close(self) -> None:
        """Finish what is queued, then let go of the file.  Afterwards everything is Unavailable."""
        await asyncio.to_thread(self.close_now)

    def close_now(self) -> None:
        """The same outside of a loop."""
        writer, self._writer = self._writer, None
        threads, self._threads = self._threads, None
        glance, self._glance = self._glance, None
        if threads is not None:
            threads.shutdown()
        if glance is not None:
            glance.close()
        with contextlib.suppress(queue.Empty):
            while True:
                self._readers.get_nowait().close()
        if writer is not None:
            writer.close()

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        if self._threads is None:
            raise Unavailable("The database is closed.")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._read, work)

    async def glance(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        if self._glance is None:
            raise Unavailable("The database is closed.")
        try:
            return self._glance.snapshot(work)
        except sqlite3.Error as error:
            if not is_busy(error):
                raise translated(error) from error
        return await self.read(work)  # another process is recovering or truncating the log: wait in a thread

    async def write(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        if self._writer is None:
            raise Unavailable("The database is closed.")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._writer.submit(work, future)
        return await future

    def epoch(self) -> int | None:
        if self._glance is None:
            return None
        try:
            version: int = self._glance.raw.execute("pragma data_version").fetchone()[0]
        except sqlite3.Error:
            return None
        return version

    async def moment(self, known: int | None = None) -> int | None:
        return self.epoch()

    def soon(self, call: Callable[[int | None], None]) -> None:
        call(self.epoch())

    def _connect(self, *, cache_kib: int, read_only: bool) -> Connection:
        """Others that start now switch the file to WAL too, and SQLite does not wait for that by itself."""
        deadline = time.monotonic() + self._patience
        while True:
            try:
                return Connection(self._path, self._memo, busy_ms=1000, cache_kib=cache_kib, read_only=read_only)
            except sqlite3.Error as error:
                if not is_busy(error) or time.monotonic() > deadline:
                    raise
            time.sleep(0.01)

    def _read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        connection = self._readers.get()
        deadline = time.monotonic() + self._patience
        try:
            while True:
                try:
                    return connection.snapshot(work)
                except sqlite3.Error as error:
                    if not is_busy(error) or time.monotonic() > deadline:
                        raise translated(error) from error
        finally:
            self._readers.put(connection)


def upgrade(connection: Connection, patience: float) -> list[str]:
    """Run what is left of the numbered files, each in one transaction; return their names."""
    raw = connection.raw
    ran = []
    begin(raw, patience)
    try:
        raw.execute(migrate.LEDGER)
        applied = [row[0] for row in raw.execute("select number from migration")]
        for migration in migrate.pending(applied, "sqlite"):
            for statement in migration.statements:
                raw.execute(statement)
            raw.execute(
                "insert into migration (number, name, applied) values (?, ?, ?)",
                (migration.number, migration.name, time.time_ns() // 1_000_000),
            )
            ran.append(migration.name)
        raw.execute("commit")
    except BaseException:
        if raw.in_transaction:
            raw.execute("rollback")
        raise
    return ran
