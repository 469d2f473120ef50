"""One SQLite connection as `Sql`, how a unit of work is driven over it, and what its errors mean."""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from registry.core.errors import InternalServer, RegistryError, Unavailable
from registry.core.ports import Tx
from storage.metadata.listing_memo import ListingMemo
from storage.metadata.tx import Transaction

T = TypeVar("T")

log = logging.getLogger("packyard.storage")

_PARAMETER = re.compile(r"\$(\d+)")
_NUMBERED: dict[str, str] = {}
"""`$1` -> `?1`, which SQLite binds by number: a tuple binds faster than a mapping does.  One entry per statement.
(CPython 3.12.0 to 3.12.3 warn of this by mistake, cpython issue 117995.)"""

_LOCKS = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_CANNOT_ANSWER = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOTADB,
}
_UNIQUE = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    sqlite3.SQLITE_CONSTRAINT_ROWID,
}


class ForeignAwait(RuntimeError):
    """A unit of work awaited something that is not its transaction: a defect of the program."""


class Connection:
    """A connection in autocommit mode, with the transaction object that units of work get.

    The statements never suspend: a unit of work over them runs to its end in one step.
    """

    __slots__ = ("raw", "tx")

    def __init__(self, path: Path, memo: ListingMemo, *, busy_ms: int, cache_kib: int, read_only: bool) -> None:
        self.raw = sqlite3.connect(
            path, timeout=busy_ms / 1000, isolation_level=None, check_same_thread=False, cached_statements=1024
        )
        try:
            for pragma in _pragmas(cache_kib, read_only):
                self.raw.execute(f"pragma {pragma}").fetchall()
        except BaseException:
            self.raw.close()
            raise
        self.tx = Transaction(self, memo, writes=not read_only)

    async def fetch(self, sql: str, *args: Any) -> list[Any]:
        return self.raw.execute(_NUMBERED.get(sql) or _numbered(sql), args).fetchall()

    async def row(self, sql: str, *args: Any) -> Any:
        return self.raw.execute(_NUMBERED.get(sql) or _numbered(sql), args).fetchone()

    async def run(self, sql: str, *args: Any) -> int:
        return self.raw.execute(_NUMBERED.get(sql) or _numbered(sql), args).rowcount

    async def aside(self, size: int, work: Callable[..., T], *args: Any) -> T:
        """Right here: units of work run in a thread already, but for glances, which read nothing large."""
        return work(*args)

    def snapshot(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Run a unit of work that only reads, on one state of the database."""
        execute = self.raw.execute
        execute("begin")
        try:
            return drive(work, self.tx)
        finally:
            if self.raw.in_transaction:
                execute("rollback")

    def close(self) -> None:
        self.raw.close()


def drive(work: Callable[[Tx], Awaitable[T]], tx: Tx) -> T:
    """Run a unit of work to its end, at once.  Raises ForeignAwait when it waits for something else."""
    awaitable = work(tx)
    steps = awaitable.__await__()
    try:
        next(steps)
    except StopIteration as stop:
        result: T = stop.value
        return result
    close = getattr(awaitable, "close", None)
    if close is not None:
        close()
    raise ForeignAwait("A unit of work awaits nothing but its transaction.")


def _numbered(sql: str) -> str:
    if len(_NUMBERED) > 4096:  # more than there are statements: somebody builds them from values
        _NUMBERED.clear()
    return _NUMBERED.setdefault(sql, _PARAMETER.sub(r"?\1", sql))


def is_busy(error: sqlite3.Error) -> bool:
    """Another connection or process holds the lock."""
    return _primary(error) in _LOCKS


def is_unique(error: sqlite3.Error) -> bool:
    """A unique constraint was broken: somebody else was first, and a second run will see it."""
    return getattr(error, "sqlite_errorcode", None) in _UNIQUE


def is_undone(error: BaseException) -> bool:
    """Whether a transaction that failed so cannot come back: after a failed fsync, a crash may still bring it back."""
    cause = error if isinstance(error, sqlite3.Error) else error.__cause__
    return isinstance(cause, sqlite3.Error) and _primary(cause) in (sqlite3.SQLITE_FULL, *_LOCKS)


def translated(error: sqlite3.Error) -> RegistryError:
    """What a foreign error means to a caller; the log keeps the original."""
    if _primary(error) in _CANNOT_ANSWER:
        log.error("the database cannot answer: %s", error)
        return Unavailable("The database cannot answer now; try again.", undone=is_undone(error))
    log.error("a statement failed", exc_info=error)
    return InternalServer("The request failed inside the registry.")


def _primary(error: sqlite3.Error) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _pragmas(cache_kib: int, read_only: bool) -> tuple[str, ...]:
    shared = (f"cache_size = -{cache_kib}", "temp_store = memory")
    if read_only:
        return (*shared, "query_only = on")
    return (
        *shared,
        "journal_mode = wal",
        "synchronous = full",
        "foreign_keys = on",
        "wal_autocheckpoint = 2000",
        f"journal_size_limit = {64 * 1024 * 1024}",
    )
