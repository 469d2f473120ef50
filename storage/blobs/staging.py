"""Staging: a file that arrives is hashed four ways and written, in one thread hop per 256 KiB.

Shared by the drivers.  What arrives slowly is written after some milliseconds, so that those who follow the growing
file are not kept waiting.  While one buffer is hashed and written the next one fills: half a megabyte at most.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import threading
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from pathlib import Path

from registry.core.types import Digests, Staged
from storage.blobs.base import acquired, disk_errors

BUFFER = 256 * 1024
LINGER = 0.005
"""Seconds after which a buffer that is not full is written too."""

_DIGESTS = ("md5", "sha1", "sha256", "sha512")


class StagingFile:
    """`ports.Staging` over a local file.  One writer, and any number of readers of `path` up to `written`."""

    def __init__(self, path: Path, descriptor: int, executor: Executor) -> None:
        self._path = path
        self._descriptor = descriptor
        self._executor = executor
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._written = 0
        self._staged: Staged | None = None
        self._hashes = [hashlib.new(name, usedforsecurity=False) for name in _DIGESTS]
        self._timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Future[None] | None = None
        self._failure: BaseException | None = None
        self._lock = threading.Lock()
        self._closed = False

    @property
    def path(self) -> Path:
        return self._path

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
        elif self._timer is None:
            self._timer = self._loop.call_later(LINGER, self._start)

    async def done(self) -> Staged:
        if self._staged is None:
            await self._settled()
            self._start()
            await self._settled()
            digests = Digests(*[digest.hexdigest() for digest in self._hashes])
            self._staged = Staged(digests, self._written, self._path)
        return self._staged

    def _start(self) -> None:
        """Send the buffer to a thread, unless the one before is still there."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._flushing is not None or self._closed or not self._buffer:
            return
        full, self._buffer = self._buffer, bytearray()
        self._flushing = self._loop.run_in_executor(self._executor, self._take, full)
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
        if self._buffer and self._timer is None and not self._closed:
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
            view = memoryview(data)
            for digest in self._hashes:
                digest.update(view)
            while view:
                view = view[os.write(self._descriptor, view) :]

    def stop(self) -> None:
        """Take nothing more; in the loop, before `discard`."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def discard(self) -> None:
        """Close and remove the file; in a thread.  What was placed has a name of its own."""
        self._closed = True
        with self._lock:
            os.close(self._descriptor)
        self._path.unlink(missing_ok=True)


@asynccontextmanager
async def staging(directory: Path, executor: Executor) -> AsyncIterator[StagingFile]:
    """A new file, gone when the context ends, however it ends.  Raises Unavailable when the disk is full."""

    def create() -> tuple[Path, int]:
        path = directory / secrets.token_hex(12)
        with disk_errors():
            return path, os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)

    def release(opened: tuple[Path, int]) -> None:
        os.close(opened[1])
        opened[0].unlink(missing_ok=True)

    path, descriptor = await acquired(executor, create, release)
    file = StagingFile(path, descriptor, executor)
    try:
        yield file
    finally:
        file.stop()
        await asyncio.shield(file._loop.run_in_executor(executor, file.discard))
