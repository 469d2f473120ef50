"""The metadata store on PostgreSQL: the same tables and the same SQL as on SQLite, over a few connections.

`read`, `glance`  run in the loop, on one snapshot (REPEATABLE READ, READ ONLY).  A connection that breaks costs
                  another run, on a new connection.
`write`           runs in a transaction of its own (REPEATABLE READ) and returns once it is committed.  What lost
                  against another transaction runs again from the beginning, after the others that have lost.
`moment`          asks whether anything has been committed since, once for all requests that arrive together.
`epoch`           is the moment of the request that asks, so that what it finds in caches is no older than itself.

A unit of work is run to its end, and its transaction ended, also when whoever waited for it has gone.  When the
connection breaks during COMMIT the server is asked what became of the transaction; if nobody can tell, the answer is
Unavailable, neither success nor a second run.

Which isolation, and why: docs/decisions/020-postgres.md.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from registry.core.errors import InternalServer, Unavailable
from registry.core.ports import Tx
from storage.metadata import postgres_schema
from storage.metadata.listing_memo import ListingMemo
from storage.metadata.postgres_errors import FAILURES, is_again, is_lost, is_refused, log, translated
from storage.metadata.postgres_link import BEGIN_READ, BEGIN_WRITE, Link, connect
from storage.metadata.postgres_moments import Moments
from storage.metadata.postgres_pool import Pool

T = TypeVar("T")

RUNS = 20
"""How often a unit of work is run at most.  Each run that is lost to another transaction means that one got through."""
CONNECTIONS = 3
"""How many connections may break under one unit of work."""
TURN = "lock table migration in exclusive mode"
"""Those that run again queue up here, in all processes: a table that nobody changes while servers run, and a lock
that is had before the snapshot is taken, so that the state they see is that which the one before them left."""


class _Moment:
    """The state of the database when a request began."""

    __slots__ = ("number", "until")

    def __init__(self, number: int | None) -> None:
        self.number = number
        self.until = time.monotonic() + 5


_moment: ContextVar[_Moment | None] = ContextVar("postgres_moment", default=None)


class PostgresStore:
    """`ports.Store`, and `open()` and `close()` around it."""

    def __init__(self, address: str, *, connections: int = 10, patience: float = 15.0) -> None:
        """`connections` of this process; `patience`: seconds that one unit of work, a lock or a free place may take."""
        self._address = address
        self._size = connections
        self._patience = patience
        self._memo = ListingMemo()
        self._pool: Pool | None = None
        self._moments: Moments | None = None
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """Bring the schema up to date.

        Raises Unavailable when the database cannot be used, and migrate.SchemaTooNew when a later version made it.
        """
        await postgres_schema.upgrade(self._address, self._patience)
        self._pool = Pool(self._link, self._size, self._patience)
        self._moments = Moments(self._pool.fresh, self._patience)
        await self._moments.now()  # its connection is there from the beginning

    async def close(self) -> None:
        """Finish what is under way, then let go of the database.  Afterwards everything is Unavailable."""
        pool, self._pool = self._pool, None
        moments, self._moments = self._moments, None
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._patience)
        if moments is not None:
            await moments.close()
        if pool is not None:
            await pool.close()

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        return await self._complete(self._read(self._opened(), work))

    async def glance(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        return await self._complete(self._read(self._opened(), work))

    async def write(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        result = await self._complete(self._write(self._opened(), work))
        moment = _moment.get()
        if moment is not None:
            moment.number = None  # a request sees its own changes
        return result

    async def moment(self, known: int | None = None) -> int | None:
        number = known
        if number is None and self._moments is not None:
            number = await self._moments.now()
        _moment.set(_Moment(number))
        return number

    def epoch(self) -> int | None:
        moment = _moment.get()
        return None if moment is None or time.monotonic() > moment.until else moment.number

    def soon(self, call: Callable[[int | None], None]) -> None:
        if self._moments is None:
            call(None)
        else:
            self._moments.soon(call)

    def _opened(self) -> Pool:
        if self._pool is None:
            raise Unavailable("The database is closed.", undone=True)
        return self._pool

    async def _link(self) -> Link:
        return await connect(self._address, patience=self._patience, memo=self._memo)

    async def _complete(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it to its end, whether or not the caller stays: nobody's leaving breaks a connection."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._completed)
        return await asyncio.shield(task)

    def _completed(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen by whoever still waits

    # --- reading -------------------------------------------------------------------------------

    async def _read(self, pool: Pool, work: Callable[[Tx], Awaitable[T]]) -> T:
        broken = 0
        while True:
            try:
                async with asyncio.timeout(self._patience + 1), pool.reader() as link:
                    await link.raw.execute(BEGIN_READ)
                    return await work(link.reading)
            except FAILURES as error:
                broken += 1
                if not is_lost(error) or broken >= CONNECTIONS:
                    raise translated(error) from error

    # --- writing -------------------------------------------------------------------------------

    async def _write(self, pool: Pool, work: Callable[[Tx], Awaitable[T]]) -> T:
        until = time.monotonic() + 2 * self._patience
        broken = 0
        for run in range(1, RUNS + 1):
            try:
                if run == 1:
                    return await self._attempt(pool, work)
                async with self._next():
                    return await self._attempt(pool, work, turn=True)
            except FAILURES as error:
                broken += is_lost(error)
                again = is_again(error) or (is_lost(error) and broken < CONNECTIONS)
                if not again or run == RUNS or time.monotonic() > until:
                    raise translated(error) from error
            await asyncio.sleep(random.uniform(0, 0.002 * run))  # noqa: S311
        raise AssertionError

    @asynccontextmanager
    async def _next(self) -> AsyncIterator[None]:
        """One run of this process at a time asks for its turn: those that wait hold no connection."""
        async with asyncio.timeout(self._patience):
            await self._turn.acquire()
        try:
            yield
        finally:
            self._turn.release()

    async def _attempt(self, pool: Pool, work: Callable[[Tx], Awaitable[T]], *, turn: bool = False) -> T:
        """One run.  What comes out of FAILURES was not committed; an unknown end is Unavailable."""
        commit: _Commit | None = None
        try:
            async with asyncio.timeout(self._patience + 1), pool.writer() as link:
                await link.raw.execute(f"{BEGIN_WRITE}; {TURN}" if turn else BEGIN_WRITE)
                result = await work(link.writing)
                xid = await link.raw.fetchval("select pg_current_xact_id_if_assigned()::text")
                if xid is None:
                    return result
                witness = None if self._moments is None else self._moments.witness
                commit = _Commit(xid, witness)
                if await link.raw.execute("commit") != "COMMIT":
                    raise InternalServer("The request failed inside the registry.")
                return result
        except FAILURES as error:
            if commit is None or is_refused(error) or await self._undone(commit):
                raise
            return result

    async def _undone(self, commit: _Commit) -> bool:
        """After a COMMIT without an answer: True, it was not committed; False, it was.  Raises Unavailable."""
        ended = None
        if self._moments is not None:
            ended = await self._moments.ended(commit.xid, commit.witness, self._patience)
        if ended is None:
            log.error("the connection broke during a commit, and it is unknown whether that happened")
            raise Unavailable("The database went away; the change may or may not have been stored. Look, or try again.")
        return ended == "aborted"


class _Commit:
    """A transaction whose COMMIT has been sent."""

    __slots__ = ("witness", "xid")

    def __init__(self, xid: str, witness: Link | None) -> None:
        self.xid = xid
        self.witness = witness
