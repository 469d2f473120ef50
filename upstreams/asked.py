"""Files of registries that do not list them: each is asked for by its name (registry.core.ports.Asking).

Whoever asks for the same file meanwhile shares the answer; "not there" is remembered for as long as elsewhere.
"""

from __future__ import annotations

import asyncio

from registry.core.errors import UpstreamUnavailable
from registry.core.ports import Asking, Clock, Store
from registry.core.types import RemoteFile, VersionKey
from upstreams.external import External
from upstreams.flights import FlightKey
from upstreams.memory import Memory
from upstreams.tasks import Tasks


class Asked:
    """Questions under way, and those that were answered in the negative."""

    def __init__(self, external: External, store: Store, clock: Clock, tasks: Tasks, *, negative_age: int) -> None:
        self._external = external
        self._store = store
        self._clock = clock
        self._tasks = tasks
        self._negative = negative_age * 1000
        self._absent: Memory[FlightKey, int] = Memory()
        self._asking: dict[FlightKey, asyncio.Task[RemoteFile | None]] = {}

    async def find(self, fetcher: Asking, key: FlightKey) -> RemoteFile | None:
        """Where the registry has the file, None when it says that there is none.  Raises UpstreamUnavailable."""
        until = self._absent.get(key)
        if until is not None and 0 < until - self._clock.now() <= self._negative:
            return None
        task = self._asking.get(key)
        if task is None:
            http = self._external.http(key.connection)
            task = self._tasks.start(fetcher.find(http, key.version, key.asset), name=f"find {key.asset}")
            self._asking[key] = task
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        file = await asyncio.shield(task)
        if file is None:
            self.absent(key)
        return file

    def absent(self, key: FlightKey) -> None:
        """The registry said so."""
        self._absent.put(key, self._clock.now() + self._negative)

    def seen(self, key: FlightKey) -> None:
        """The registry has the version: a listing that lacks it is to be asked for again, with nobody waiting."""
        self._tasks.start(self._renewed(key.domain_id, key.connection, key.version), name=f"renew {key.asset}")

    async def _renewed(self, domain_id: int, connection: str, key: VersionKey) -> None:
        had = await self._store.read(lambda tx: tx.listings.get(domain_id, connection, key.package))
        if had is None or (had.remote is not None and any(v.version == key.version for v in had.remote.versions)):
            return
        try:
            await self._external.word(domain_id, connection, key.package, refresh=True)
        except UpstreamUnavailable:
            return  # the next client asks
