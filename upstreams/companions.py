"""Files that are retained together with one that a client fetched (guide: all assets of a Python version)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence

from registry.core.errors import RegistryError, ResourceNotFound
from registry.core.ports import Clock
from registry.core.types import FormatInfo, Repository, VersionKey
from upstreams.download import Gone
from upstreams.memory import Memory
from upstreams.tasks import Tasks

log = logging.getLogger(__name__)

_AT_ONCE = 2
_WAITING = 256
_AGAIN = 60_000
"""Milliseconds within which the same version is not looked at again."""

Missing = Callable[[Repository, FormatInfo, VersionKey, str], Awaitable[Sequence[str]]]
Bring = Callable[[Repository, FormatInfo, VersionKey, str], Awaitable[None]]


class Companions:
    """Looks for missing companions and has them brought, a few at a time, with nobody waiting."""

    def __init__(self, tasks: Tasks, clock: Clock, missing: Missing, bring: Bring) -> None:
        self._tasks = tasks
        self._clock = clock
        self._missing = missing
        self._bring = bring
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0
        self._looked: Memory[tuple[int, VersionKey], int] = Memory()

    def look(self, repo: Repository, info: FormatInfo, key: VersionKey, asset: str) -> None:
        """Begin, unless this version was looked at just now or too much is waiting: the next client begins then."""
        now = self._clock.now()
        before = self._looked.get((repo.id, key))
        if self._waiting >= _WAITING or (before is not None and now - before < _AGAIN):
            return
        self._looked.put((repo.id, key), now)
        self._waiting += 1
        task = self._tasks.start(self._see_to(repo, info, key, asset), name=f"companions of {asset}")
        task.add_done_callback(lambda _: self._done())

    def _done(self) -> None:
        self._waiting -= 1

    async def _see_to(self, repo: Repository, info: FormatInfo, key: VersionKey, asset: str) -> None:
        async with self._at_once:
            try:
                for name in await self._missing(repo, info, key, asset):
                    with contextlib.suppress(ResourceNotFound):  # it was only likely to be there
                        await self._bring(repo, info, key, name)
            except (RegistryError, Gone) as err:
                log.info("Companions of %s of %s %s are not all here: %s", asset, key.package, key.version, err)
