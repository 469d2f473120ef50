"""Staging: a file that arrives is hashed four ways and written, in one thread hop per 256 KiB.

Shared by the drivers.  A file that nobody follows stays in memory while it is smaller than one such buffer; it is
then written once, to its final place.  What is followed is written after some milliseconds even if it arrives slowly,
so that its readers are not kept waiting.  While one buffer is hashed and written the next one fills: half a megabyte
at most.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import threading
from pathlib import Path
from types import TracebackType

from registry.core.digests import Hasher, held
from registry.core.threads import Threads
from registry.core.types import Staged
from storage.blobs.base import disk_errors

BUFFER = 256 * 1024
LINGER = 0.005
"""Seconds after which a buffer that is not full is written too."""
INLINE = 16 * 1024
"""Up to here a body is hashed in the loop: that takes as long as asking a thread to."""


class StagingFile:
    """`ports.Staging`.  One writer, and any number of readers of `path` up to `written`."""

    def __init__(self, directory: Path, threads: Threads, opened: tuple[Path, int] | None) -> None:
        self._directory = directory
        self._threads = threads
        self._opened = opened
        self._followed = opened is not None
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._written = 0
        self._staged: Staged | None = None
        self._hasher: Hasher | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Future[None] | None = None
        self._failure: BaseException | None = None
        self._lock = threading.Lock()
        self._closed = False

    @property
    def path(self) -> Path:
        if self._opened is None:
            raise ValueError("This file is still in memory.")
        return self._opened[0]

    @property
    def written(self) -> int:
        return self._written

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Raises Unavailable when the disk is full or broken, at the latest from `done`."""
        if self._staged is not None or self._closed:
            raise ValueError("This file takes nothing more.")
        self._buffer += chunk
        if len(self._buffer) >= BUFFER:
            await self._settled()
            self._start()
        elif self._followed and self._timer is None:
            self._timer = self._loop.call_later(LINGER, self._start)

    async def done(self) -> Staged:
        if self._staged is None:
            await self._settled()
            self._staged = await (self._in_memory() if self._opened is None else self._on_disk())
        return self._staged

    async def _in_memory(self) -> Staged:
        body = bytes(self._buffer)
        self._buffer.clear()
        return held(body) if len(body) <= INLINE else await self._threads.run(held, body)

    async def _on_disk(self) -> Staged:
        self._start()
        await self._settled()
        assert self._opened is not None
        return Staged((self._hasher or Hasher()).digests(), self._written, self._opened[0])

    def _start(self) -> None:
        """Send the buffer to a thread, unless the one before is still there."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._flushing is not None or self._closed or not self._buffer:
            return
        full, self._buffer = self._buffer, bytearray()
        self._flushing = self._threads.run(self._take, full)
        self._flushing.add_done_callback(lambda future: self._flushed(future, len(full)))

    def _flushed(self, future: asyncio.Future[None], size: int) -> None:
        self._flushing = None
        if future.cancelled():
            return
        failure = future.exception()
        if failure is not None:
            self._failure = failure
            return
        self._written += size
        if self._buffer and self._followed and self._timer is None and not self._closed:
            self._timer = self._loop.call_later(LINGER, self._start)

    async def _settled(self) -> None:
        """Wait until no thread works on this file; raise what it ran into."""
        while self._flushing is not None:
            await asyncio.wait([self._flushing])
        if self._failure is not None:
            raise self._failure

    def _take(self, data: bytearray) -> None:
        with self._lock, disk_errors():
            if self._closed:
                return
            if self._opened is None:
                self._opened = create(self._directory)
            if self._hasher is None:
                self._hasher = Hasher()
            view = memoryview(data)
            self._hasher.update(view)
            while view:
                view = view[os.write(self._opened[1], view) :]

    async def end(self) -> None:
        """Take nothing more and leave no file.  What was placed has a name of its own."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._opened is not None or self._flushing is not None:
            await asyncio.shield(self._threads.run(self._discard))

    def _discard(self) -> None:
        with self._lock:
            opened, self._opened = self._opened, None
            if opened is not None:
                remove(opened)


class Stage:
    """A new staged file, gone when the context ends, however it ends.  Raises Unavailable when the disk is full."""

    __slots__ = ("_directory", "_file", "_followed", "_threads")

    def __init__(self, directory: Path, threads: Threads, *, followed: bool) -> None:
        self._directory = directory
        self._threads = threads
        self._followed = followed

    async def __aenter__(self) -> StagingFile:
        opened = None
        if self._followed:
            opened = await self._threads.run(create, self._directory, undo=remove)
        self._file = StagingFile(self._directory, self._threads, opened)
        return self._file

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._file.end()


def create(directory: Path) -> tuple[Path, int]:
    """A new file; blocks."""
    path = directory / secrets.token_hex(12)
    with disk_errors():
        return path, os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)


def remove(opened: tuple[Path, int]) -> None:
    """Close and remove it; blocks."""
    os.close(opened[1])
    opened[0].unlink(missing_ok=True)
