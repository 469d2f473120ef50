"""The one writer of a process: group commit.

It takes what has queued up, runs each unit of work in a savepoint of one transaction, commits once and only then
tells the waiting.  A unit that raises takes back what it did and nothing else; a commit that fails fails all.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from registry.core.errors import Conflict, Unavailable
from registry.core.ports import Tx
from storage.metadata.sqlite_connection import Connection, drive, is_busy, is_undone, is_unique, log, translated

RUNS = 4
"""A unit of work runs once, and again up to three times after a unique violation."""

GROUP = 256
"""How many units of work share a commit at most."""

GROUP_SECONDS = 0.02
"""After so long a group is committed, though more have queued up."""


@dataclass(slots=True)
class Job:
    """A unit of work, who waits for it, and how it ended."""

    work: Callable[[Tx], Awaitable[Any]]
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class RolledBack(Exception):
    """SQLite took the whole transaction back by itself (full disk, I/O): the group is lost."""


class Writer:
    """Owns the writable connection and its thread."""

    def __init__(self, connection: Connection, patience: float) -> None:
        self._connection = connection
        self._patience = patience
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Tx], Awaitable[Any]], future: asyncio.Future[Any]) -> None:
        """Called in the loop of the future."""
        self._queue.put(Job(work, future))

    def close(self) -> None:
        """Run what is queued, then end the thread and the connection."""
        self._queue.put(None)
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while not self._closing:
            job = self._queue.get()
            if job is None:
                break
            jobs = [job]
            try:
                self._commit_together(jobs)
            except Exception as error:
                self._take_back()
                self._fail(jobs, error)
            _tell(jobs)

    def _commit_together(self, jobs: list[Job]) -> None:
        """Run the first job and those that queue up meanwhile; `jobs` grows by them."""
        raw = self._connection.raw
        try:
            begin(raw, self._patience)
        except sqlite3.Error:
            jobs.extend(iter(self._take, None))
            raise
        until = time.monotonic() + GROUP_SECONDS
        job: Job | None = jobs[0]
        while job is not None:
            if not job.future.cancelled():
                self._attempt(job, alone=len(jobs) == 1)
            if len(jobs) >= GROUP or time.monotonic() > until:
                break
            job = self._take()
            if job is not None:
                jobs.append(job)
        raw.execute("commit")

    def _attempt(self, job: Job, *, alone: bool) -> None:
        """Run one unit of work and note how it ended.  Raises RolledBack when all is lost.

        The first of a group is `alone` in the transaction and needs no savepoint, which would keep a copy of each page.
        """
        raw = self._connection.raw
        for run in range(1, RUNS + 1):
            job.error = None
            if not alone:
                raw.execute("savepoint unit")
            try:
                job.result = drive(job.work, self._connection.tx)
            except sqlite3.Error as error:
                if not raw.in_transaction:
                    raise RolledBack from error
                again = is_unique(error) and run < RUNS
                job.error = _ended(error)
            except Exception as error:
                again = False
                job.error = error
            else:
                if not alone:
                    raw.execute("release unit")
                return
            if alone:
                raw.execute("rollback")
                begin(raw, self._patience)
            else:
                raw.execute("rollback to unit")
                raw.execute("release unit")
            if not again:
                return

    def _take(self) -> Job | None:
        """The next job if one waits."""
        if self._closing:
            return None
        try:
            job = self._queue.get_nowait()
        except queue.Empty:
            return None
        if job is None:
            self._closing = True
        return job

    def _take_back(self) -> None:
        raw = self._connection.raw
        try:
            if raw.in_transaction:
                raw.execute("rollback")
        except sqlite3.Error as error:
            log.error("a failed transaction could not be rolled back: %s", error)

    def _fail(self, jobs: list[Job], error: Exception) -> None:
        """The group was not committed.  Those that had failed by themselves keep their own error."""
        log.error("a commit of %d units of work failed: %s", len(jobs), error.__cause__ or error)
        for job in jobs:
            if job.error is None:
                job.error = Unavailable("The change could not be stored; try again.", undone=is_undone(error))


def begin(raw: sqlite3.Connection, patience: float) -> None:
    """Take the write lock, waiting for other processes.  Raises sqlite3.OperationalError when that takes too long."""
    deadline = time.monotonic() + patience
    while True:
        try:
            raw.execute("begin immediate")
        except sqlite3.Error as error:
            if not is_busy(error) or time.monotonic() > deadline:
                raise
        else:
            return


def _ended(error: sqlite3.Error) -> Exception:
    if is_unique(error):
        log.warning("a unit of work broke a unique constraint on every run: %s", error)
        return Conflict("The same thing was changed at the same time; try again.")
    return translated(error)


def _tell(jobs: list[Job]) -> None:
    """Resolve the futures, each in its own loop, with one call per loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Job]] = {}
    for job in jobs:
        by_loop.setdefault(job.future.get_loop(), []).append(job)
    for loop, mine in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, mine)
        except RuntimeError:  # that loop is closed: nobody waits any more
            continue


def _resolve(jobs: list[Job]) -> None:
    for job in jobs:
        if job.future.done():
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)
