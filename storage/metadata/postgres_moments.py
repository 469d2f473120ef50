"""Has anything been committed since?  One question, asked once for all who arrive together.

PostgreSQL tells which transactions a new statement would see: `pg_current_snapshot()`, three numbers that say which
transactions have ended.  While they stay the same, nobody has committed anything, in this process or in another, so
whatever was read after one asking still holds at the next.  They also move for other databases of the same server;
then more is looked up than need be, and nothing is wrong.

Its connection is also a witness: while it lives the server has not restarted, and what the server says of a
transaction that began meanwhile can be believed.  After a crash it gives out transaction numbers again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from registry.core.errors import RegistryError
from storage.metadata.postgres_errors import FAILURES, log
from storage.metadata.postgres_link import Link

ANSWER_SECONDS = 5.0
_SNAPSHOT = "select pg_current_snapshot()::text"


class Moments:
    """Numbers for states of the database: the same number, the same state."""

    def __init__(self, connect: Callable[[], Awaitable[Link]], patience: float) -> None:
        """`patience`: seconds after which there is no answer."""
        self._connect = connect
        self._patience = min(patience, ANSWER_SECONDS)
        self._link: Link | None = None
        self._statement: Any = None
        self._waiting: list[Callable[[int | None], object]] = []
        self._asking: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._seen = ""
        self._number = 0
        self.asked = 0
        self._since = 0.0
        self._watching: asyncio.TimerHandle | None = None
        self._closed = False

    async def now(self) -> int | None:
        """The number of a state that was asked for after this call began; None when there is no answer."""
        future: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

        def tell(number: int | None) -> None:
            if not future.done():
                future.set_result(number)

        self.soon(tell)
        return await future

    def soon(self, call: Callable[[int | None], object]) -> None:
        """Call with that number.  Whoever comes while a question is under way waits for the next one."""
        if self._closed:
            call(None)
            return
        self._waiting.append(call)
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask_on(), name="postgres-moments")

    @property
    def witness(self) -> Link | None:
        """A connection that is open now; whoever commits notes it first (see `ended`)."""
        return None if self._link is None or self._link.raw.is_closed() else self._link

    async def ended(self, xid: str, witness: Link | None, seconds: float) -> Literal["committed", "aborted"] | None:
        """What became of a transaction that began while `witness` was open; None when nobody can tell."""
        with contextlib.suppress(*FAILURES):
            async with asyncio.timeout(seconds):
                while witness is not None and not witness.raw.is_closed():
                    async with self._turn:
                        status = await witness.raw.fetchval("select pg_xact_status($1::text::xid8)", xid)
                    if status == "committed" or status == "aborted":
                        return "committed" if status == "committed" else "aborted"
                    if status is None:
                        return None
                    await asyncio.sleep(0.02)
        return None

    async def close(self) -> None:
        """Nobody gets an answer from now on."""
        self._closed = True
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])
        if self._link is not None:
            self._link.drop()

    async def _ask_on(self) -> None:
        """Ask as long as somebody waits."""
        waiting: list[Callable[[int | None], object]] = []
        loop = asyncio.get_running_loop()
        self._watching = loop.call_later(self._patience, self._watch)
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                self._since = loop.time()
                number = await self._ask()
                while waiting:
                    _tell(waiting.pop(), number)
        finally:
            if self._watching is not None:
                self._watching.cancel()
            self._asking = None
            for call in (*waiting, *self._waiting):
                _tell(call, None)
            self._waiting = []

    async def _ask(self) -> int | None:
        self.asked += 1
        try:
            if self._link is None or self._link.raw.is_closed():
                await self._begin()
            async with self._turn:
                seen: str = await self._statement.fetchval()
        except (*FAILURES, RegistryError):
            if self._link is not None:
                self._link.drop()
            return None
        if seen != self._seen:
            self._seen = seen
            self._number += 1
        return self._number

    def _watch(self) -> None:
        """Give up a connection that does not answer: whoever waits hears of it."""
        loop = asyncio.get_running_loop()
        left = self._since + self._patience - loop.time()
        if left > 0:
            self._watching = loop.call_later(left, self._watch)
        elif self._link is not None:
            self._link.drop()

    async def _begin(self) -> None:
        link = await self._connect()
        self._link, self._seen = link, ""
        self._statement = await link.raw.prepare(_SNAPSHOT)


def _tell(call: Callable[[int | None], object], number: int | None) -> None:
    try:
        call(number)
    except Exception:
        log.exception("Unexpected failure of one who asked for the moment")
