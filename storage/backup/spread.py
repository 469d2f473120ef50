"""Work on many files, a few at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")

AT_ONCE = 4


async def spread(items: Iterable[T], work: Callable[[T], Awaitable[None]]) -> None:
    """`work` on each.  The first failure ends all and is raised as it is."""
    left = iter(items)

    async def worker() -> None:
        for item in left:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(worker())
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
