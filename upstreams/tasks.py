"""The owner of what goes on without a client: refreshes, flights, companions."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Tasks:
    """Tasks that outlive the request that began them, and end with the server.

    A task that fails does not touch the others; its error is for whoever awaits it.
    """

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
        task = asyncio.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, so that the loop does not complain when nobody waited

    async def idle(self) -> None:
        """Wait until nothing goes on."""
        while self._running:
            await asyncio.wait(self._running)

    async def close(self) -> None:
        """Cancel what still runs and wait for its end."""
        for task in self._running:
            task.cancel()
        await self.idle()
