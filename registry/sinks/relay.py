"""Takes events from the outbox to the sinks: at least once, and each package's in order.

Any number of processes may run a relay; one of them holds the lease and delivers.  Each sink goes at its own pace
from where it stopped, so that a slow webhook holds up no file, and a restart repeats a hundred events at most.
"""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from collections.abc import Mapping, Sequence

from registry.core import events
from registry.core.arns import Arns
from registry.core.errors import RegistryError
from registry.core.ports import Clock, EventSink, Store
from registry.core.types import Event

log = logging.getLogger(__name__)

NAME = "relay"
BATCH = 100
TICK = 0.5
"""Seconds between two looks at the outbox."""
LEASE = 30.0
"""Seconds; it is renewed three times as often."""
LONGEST_WAIT = 300.0
"""Seconds between two attempts at a sink that takes nothing."""
DAY = 24 * 3600 * 1000


class Relay:
    """`run` goes on until it is cancelled.  `keep_days` bounds what waits for a sink, and what no sink asked for."""

    def __init__(
        self, store: Store, clock: Clock, arns: Arns, sinks: Mapping[str, EventSink], *, keep_days: int
    ) -> None:
        self._store = store
        self._clock = clock
        self._arns = arns
        self._sinks = sinks
        self._keep = keep_days * DAY
        self._me = uuid.uuid4().hex
        self._more = {name: asyncio.Event() for name in sinks}

    async def run(self) -> None:
        while True:
            try:
                if not self._sinks:
                    await self._expire()
                    await asyncio.sleep(3600)
                elif await self._lead():
                    await self._deliver()
                else:
                    await asyncio.sleep(LEASE / 3)
            except RegistryError as err:
                log.warning("Events wait: %s", err.message)
                await asyncio.sleep(TICK * 4)
            except Exception:
                log.exception("Events wait")
                await asyncio.sleep(LEASE)

    async def close(self) -> None:
        """Let another process go on at once."""
        for sink in self._sinks.values():
            await sink.close()
        if self._sinks:
            try:
                await self._store.write(lambda tx: tx.stream.release(NAME, self._me))
            except RegistryError as err:
                log.warning("The relay's lease runs out by itself: %s", err.message)

    async def _expire(self) -> None:
        before = self._clock.now() - self._keep
        await self._store.write(lambda tx: tx.outbox.expire(before))

    async def _lead(self) -> bool:
        now = self._clock.now()
        held = await self._store.read(lambda tx: tx.stream.leased(NAME))
        if held is not None and held[0] != self._me and held[1] >= now:
            return False
        return await self._store.write(lambda tx: tx.stream.lease(NAME, self._me, now, now + int(LEASE * 1000)))

    async def _deliver(self) -> None:
        """Until the lease is lost, or the store does not answer."""
        tasks = [asyncio.create_task(self._renew()), asyncio.create_task(self._advance())]
        tasks += [asyncio.create_task(self._feed(name, sink)) for name, sink in self._sinks.items()]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    async def _renew(self) -> None:
        while await self._lead():  # noqa: ASYNC110 - time is what is waited for
            await asyncio.sleep(LEASE / 3)

    async def _advance(self) -> None:
        """Places for new events, room for later ones."""
        epoch: int | None = None
        trimmed = 0
        while True:
            now = self._store.epoch()
            if now is None or now != epoch:
                epoch = now
                while await self._store.read(lambda tx: tx.outbox.take(0, 1)):
                    await self._store.write(lambda tx: tx.stream.advance(BATCH))
                    self._wake()
            if self._clock.now() - trimmed > 60_000:
                trimmed = self._clock.now()
                await self._trim(trimmed - self._keep)
            await asyncio.sleep(TICK)

    async def _trim(self, before: int) -> None:
        lost = await self._store.write(lambda tx: tx.stream.trim(list(self._sinks), before))
        if lost:
            log.error("%d events were kept too long for a sink that takes none; they are given up", lost)

    def _wake(self) -> None:
        for each in self._more.values():
            each.set()

    async def _feed(self, name: str, sink: EventSink) -> None:
        """One sink, from where it stopped."""
        position = await self._store.read(lambda tx: tx.stream.cursor(name))
        await self._moved(name, position)
        while True:
            self._more[name].clear()
            found = await self._next(position)
            if not found:
                await self._more[name].wait()
                continue
            await self._sent(sink, [copy for _, event in found for copy in events.copies(event, self._arns)])
            position = found[-1][0]
            await self._moved(name, position)

    async def _next(self, position: int) -> list[tuple[int, Event]]:
        return await self._store.read(lambda tx: tx.stream.after(position, BATCH))

    async def _moved(self, name: str, position: int) -> None:
        await self._store.write(lambda tx: tx.stream.moved(name, position))

    async def _sent(self, sink: EventSink, copies: Sequence[Mapping[str, object]]) -> None:
        """Every one of them, however long that takes."""
        wait = 1.0
        while copies := await sink.send(copies):
            await asyncio.sleep(wait * random.uniform(0.5, 1))  # noqa: S311
            wait = min(wait * 2, LONGEST_WAIT)
