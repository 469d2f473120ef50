"""Open file descriptors and small files, kept for the next reader.

A blob's file never changes under its name (a key is never reused), so a descriptor or a copy made once holds.
"""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from registry.core.errors import Unavailable
from registry.web.cache import ByteCache

KEPT = 256
"""Descriptors that stay open without a reader."""
SMALL = 65_536
SMALL_BYTES = 32 * 1024**2
_NOWAIT = getattr(os, "RWF_NOWAIT", None)


STRIDE = 131_072


class OpenFile:
    """A descriptor with readers.  `read` never waits for the disk in the loop."""

    __slots__ = ("_waits", "fd", "kept", "readers", "size")

    def __init__(self, fd: int, size: int) -> None:
        self.fd = fd
        self.size = size
        self.readers = 0
        self.kept = False
        self._waits = _NOWAIT is None

    def now(self, start: int, length: int) -> bytearray | None:
        """Bytes from the page cache (perhaps fewer than asked), or None when the disk must be waited for."""
        if self._waits:
            return None
        chunk = bytearray(length)
        try:
            count = os.preadv(self.fd, [chunk], start, _NOWAIT or 0)
        except BlockingIOError:
            return None
        except OSError:  # a file system without this flag
            self._waits = True
            return None
        if count == 0:
            return None
        if count < length:
            del chunk[count:]
        return chunk

    async def warm(self, start: int, end: int) -> None:
        """See to it that these bytes are in the page cache, so that sending them does not wait for the disk.

        Read-ahead fetches neighbors together, so one byte in each stride tells enough.
        """
        if not self._waits:
            probe = [bytearray(1)]
            try:
                for offset in range(start, end, STRIDE):
                    os.preadv(self.fd, probe, offset, _NOWAIT or 0)
            except BlockingIOError:
                pass
            except OSError:
                self._waits = True
            else:
                return
        try:
            await asyncio.to_thread(_touch, self.fd, start, end)
        except OSError as err:
            raise Unavailable("A stored file cannot be read") from err

    async def read(self, start: int, length: int) -> bytes | bytearray:
        """At least one byte, at most `length`.  Raises Unavailable where the file ends early."""
        chunk = self.now(start, length)
        if chunk is not None:
            return chunk
        try:
            found = await asyncio.to_thread(os.pread, self.fd, length, start)
        except OSError as err:
            raise Unavailable("A stored file cannot be read") from err
        if not found:
            raise Unavailable("A stored file is shorter than it should be")
        return found


class SmallFile:
    """A small file's bytes, in a bounded cache."""

    __slots__ = ("alive", "body", "size", "used")

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.size = len(body) + 256
        self.alive = True
        self.used = True


@dataclass(frozen=True, slots=True)
class Handover:
    """A proxy in front that sends files itself: what lies below `root` is at `location` there (X-Accel-Redirect)."""

    root: Path
    location: str

    def of(self, path: Path) -> str | None:
        """Where the proxy finds that file."""
        try:
            return self.location + quote(path.relative_to(self.root).as_posix())
        except ValueError:
            return None


class OpenFiles:
    """The files that this process has open."""

    def __init__(self, handover: Handover | None = None) -> None:
        self.handover = handover
        self._files: OrderedDict[Path, OpenFile] = OrderedDict()
        self.small: ByteCache[SmallFile] = ByteCache(SMALL_BYTES)

    async def acquire(self, path: Path) -> OpenFile:
        """Open it, or join those who have; pair with `release`.  Raises Unavailable when it cannot be opened."""
        found = self._files.get(path)
        if found is None:
            try:
                opened = await asyncio.to_thread(_open, path)
            except OSError as err:
                raise Unavailable("A stored file cannot be opened") from err
            found = self._keep(path, opened)
        found.readers += 1
        return found

    def release(self, file: OpenFile) -> None:
        """One reader less."""
        file.readers -= 1
        if not file.kept and file.readers == 0:
            os.close(file.fd)

    def close(self) -> None:
        """Close what nobody reads; the rest closes with its last reader."""
        while self._files:
            self._forget()

    def _keep(self, path: Path, opened: OpenFile) -> OpenFile:
        """Another reader may have opened it meanwhile."""
        there = self._files.get(path)
        if there is not None:
            os.close(opened.fd)
            return there
        self._files[path] = opened
        opened.kept = True
        if len(self._files) > KEPT:
            self._forget()
        return opened

    def _forget(self) -> None:
        _, oldest = self._files.popitem(last=False)
        oldest.kept = False
        if oldest.readers == 0:
            os.close(oldest.fd)


def _touch(fd: int, start: int, end: int) -> None:
    while start < end:
        found = len(os.pread(fd, min(STRIDE, end - start), start))
        if not found:
            return
        start += found


def _open(path: Path) -> OpenFile:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return OpenFile(fd, os.fstat(fd).st_size)
    except OSError:
        os.close(fd)
        raise
