"""A few threads for short blocking work: disks, digests, archives.

    result = await threads.run(work, argument)

A hop takes a queue and one call back into the loop, about a third of what `concurrent.futures` behind asyncio takes
(25 microseconds against 70), which counts where a request makes several.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Job:
    """Work and who waits for it; `undo` takes a result that nobody took."""

    work: Callable[..., Any]
    args: tuple[Any, ...]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    undo: Callable[[Any], object] | None


class Threads:
    """Up to `count` threads, begun as they are needed."""

    def __init__(self, count: int, name: str) -> None:
        self._count = count
        self._name = name
        self._jobs: queue.SimpleQueue[_Job | Callable[[], object] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._waiting = 0
        self._closed = False

    def run(self, work: Callable[..., T], *args: Any, undo: Callable[[T], object] | None = None) -> asyncio.Future[T]:
        """Run `work(*args)` in a thread.  To be called in a loop; what has not begun can be cancelled.

        When the future is cancelled while the work goes on, `undo` gets its result, in a thread.
        """
        if self._closed:
            raise RuntimeError("These threads are closed.")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._waiting += 1
        if self._waiting > len(self._threads) < self._count:
            self._begin()
        self._jobs.put(_Job(work, args, future, loop, undo))
        return future

    def close(self) -> None:
        """Finish what is queued, then end the threads.  Blocks."""
        self._closed = True
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _begin(self) -> None:
        thread = threading.Thread(target=self._run, name=f"{self._name}_{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            if isinstance(job, _Job):
                self._do(job)
            else:
                job()
            del job

    def _do(self, job: _Job) -> None:
        result: Any = None
        error: BaseException | None = None
        if not job.future.cancelled():
            try:
                result = job.work(*job.args)
            except BaseException as err:
                error = err
        else:
            error = asyncio.CancelledError()
        try:
            job.loop.call_soon_threadsafe(self._settle, job, result, error)
        except RuntimeError:  # that loop is closed: nobody waits any more
            if error is None and job.undo is not None:
                job.undo(result)

    def _settle(self, job: _Job, result: Any, error: BaseException | None) -> None:
        self._waiting -= 1
        if job.future.done():
            if error is None and job.undo is not None:
                undo = job.undo
                self._jobs.put(lambda: undo(result))
        elif error is not None:
            job.future.set_exception(error)
        else:
            job.future.set_result(result)


_shared = Threads(8, "work")


def run(work: Callable[..., T], *args: Any) -> asyncio.Future[T]:
    """The same in threads that the whole process shares, for work that ends by itself."""
    return _shared.run(work, *args)
