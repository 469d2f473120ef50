"""One PostgreSQL connection as `Sql`, and how it is made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import asyncpg

from registry.core.errors import Unavailable
from storage.metadata.listing_memo import ListingMemo
from storage.metadata.postgres_errors import FAILURES, described, is_lost
from storage.metadata.tx import Transaction

T = TypeVar("T")

CONNECT_SECONDS = 5.0
LARGE = 64 * 1024
STATEMENTS = 500
"""How many statements a connection keeps prepared; there are about two hundred, and lists of several lengths."""

BEGIN_READ = "begin isolation level repeatable read, read only"
BEGIN_WRITE = "begin isolation level repeatable read"


class Unreachable(Unavailable):
    """There is no connection to be had; the message says why, for who starts the server, and holds no secret."""


class Link:
    """A connection with the transaction objects that units of work get."""

    __slots__ = ("born", "raw", "reading", "writing")

    def __init__(self, raw: Any, memo: ListingMemo) -> None:
        self.raw = raw
        self.born = asyncio.get_running_loop().time()
        self.reading = Transaction(self, memo, writes=False)
        # What a transaction reads of its own may never be committed, so it leaves nothing in the memo.
        self.writing = Transaction(self, ListingMemo(limit=0), writes=True)

    @property
    def sound(self) -> bool:
        """Whether it can be used again: open, and in no transaction."""
        return not self.raw.is_closed() and not self.raw.is_in_transaction()

    async def fetch(self, sql: str, *args: Any) -> Any:
        return await self.raw.fetch(sql, *args)

    async def row(self, sql: str, *args: Any) -> Any:
        return await self.raw.fetchrow(sql, *args)

    async def run(self, sql: str, *args: Any) -> int:
        count = (await self.raw.execute(sql, *args)).rpartition(" ")[2]
        return int(count) if count.isdecimal() else 0

    async def aside(self, size: int, work: Callable[..., T], *args: Any) -> T:
        return await asyncio.to_thread(work, *args) if size > LARGE else work(*args)

    async def end(self) -> None:
        """Leave the transaction, whatever became of it, or give the connection up."""
        if self.raw.is_closed():
            return
        try:
            if self.raw.is_in_transaction():
                await self.raw.execute("rollback")
        except FAILURES:
            self.drop()

    def drop(self) -> None:
        """Give the connection up at once."""
        if not self.raw.is_closed():
            self.raw.terminate()


async def connect(address: str, *, patience: float, memo: ListingMemo) -> Link:
    """A new connection.  Raises Unreachable.

    The server itself ends what takes longer than `patience`, and gives up our locks when we fall silent.
    """
    milliseconds = str(int(patience * 1000))
    try:
        raw = await asyncpg.connect(
            address,
            timeout=CONNECT_SECONDS,
            statement_cache_size=STATEMENTS,
            max_cached_statement_lifetime=0,
            max_cacheable_statement_size=64 * 1024,
            server_settings={
                "application_name": "packyard",
                "statement_timeout": milliseconds,
                "lock_timeout": milliseconds,
                "idle_in_transaction_session_timeout": "60000",
                "tcp_keepalives_idle": "30",
                "tcp_keepalives_interval": "10",
                "tcp_keepalives_count": "3",
                "jit": "off",
            },
        )
    except FAILURES as error:
        raise Unreachable(f"The database cannot be used: {_reason(error)}", undone=True) from error
    except (ValueError, OverflowError) as error:  # asyncpg's own errors of the address derive from ValueError
        raise Unreachable("The database cannot be used: storage.database is no valid address", undone=True) from error
    return Link(raw, memo)


def _reason(error: BaseException) -> str:
    """Why there is no connection, without anything of the address but what the server itself says."""
    if isinstance(error, asyncpg.PostgresError):
        return described(error)
    if isinstance(error, asyncpg.ClientConfigurationError):
        return "storage.database is no valid address"
    if isinstance(error, TimeoutError):
        return f"no answer within {CONNECT_SECONDS:.0f} seconds"
    if is_lost(error) and not isinstance(error, OSError):
        return "the connection was closed"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return described(error)
