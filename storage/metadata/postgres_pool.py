"""The connections of one process: few, kept open, replaced when they break.

A place is waited for in order, and not for ever.  Writers may take all but a reserve, so that those that wait for a
locked row never keep readers out.  After a connection could not be had nobody tries again for a moment: while the
database is down everybody hears so at once, and when it is back it is not stormed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from registry.core.errors import Unavailable
from storage.metadata.postgres_errors import is_lost, log
from storage.metadata.postgres_link import Link, Unreachable

PAUSE = 0.25
"""Seconds."""


class Pool:
    """At most `size` connections."""

    def __init__(self, connect: Callable[[], Awaitable[Link]], size: int, patience: float) -> None:
        self._connect = connect
        self._patience = patience
        self._places = asyncio.Semaphore(size)
        self._writers = asyncio.Semaphore(max(1, size - max(1, size // 4)))
        self._idle: list[Link] = []
        self._lent: set[Link] = set()
        self._refused: tuple[float, Unreachable] | None = None
        self.closed = False

    @asynccontextmanager
    async def writer(self) -> AsyncIterator[Link]:
        """A connection to write with."""
        async with self._place(self._writers), self.reader() as link:
            yield link

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[Link]:
        """A connection; its transaction is ended afterwards.  Raises Unavailable."""
        async with self._place(self._places):
            link = await self._take()
            taken = asyncio.get_running_loop().time()
            self._lent.add(link)
            try:
                yield link
                await link.end()
            except Exception as error:
                if is_lost(error):
                    link.drop()
                    self._distrust(taken)
                await link.end()
                raise
            except BaseException:
                link.drop()
                raise
            finally:
                self._lent.discard(link)
                if self.closed or not link.sound:
                    link.drop()
                else:
                    self._idle.append(link)

    def _distrust(self, moment: float) -> None:
        """A connection broke: those that were made before it was last used are probably broken too."""
        for link in [link for link in self._idle if link.born <= moment]:
            self._idle.remove(link)
            link.drop()

    async def close(self) -> None:
        """Let go of all; what is under way breaks."""
        self.closed = True
        idle, self._idle = self._idle, []
        for link in (*idle, *self._lent):
            link.drop()

    @asynccontextmanager
    async def _place(self, semaphore: asyncio.Semaphore) -> AsyncIterator[None]:
        if semaphore.locked():
            try:
                async with asyncio.timeout(self._patience):
                    await semaphore.acquire()
            except TimeoutError as error:
                raise Unavailable("The database is too busy; try again.", undone=True) from error
        else:
            await semaphore.acquire()
        try:
            yield
        finally:
            semaphore.release()

    async def _take(self) -> Link:
        while self._idle:
            link = self._idle.pop()
            if link.sound:
                return link
            link.drop()
        if self.closed:
            raise Unavailable("The database is closed.", undone=True)
        try:
            return await self.fresh()
        except Unreachable as error:
            raise Unavailable("The database cannot answer now; try again.", undone=True) from error

    async def fresh(self) -> Link:
        """A new connection, of the caller's own.  Raises Unreachable."""
        now = asyncio.get_running_loop().time()
        if self._refused is not None and now < self._refused[0]:
            raise Unreachable(self._refused[1].message, undone=True)
        try:
            link = await self._connect()
        except Unreachable as error:
            log.error("%s", error.message)
            self._refused = (asyncio.get_running_loop().time() + PAUSE, error)
            raise
        self._refused = None
        return link
