"""Small files, kept a second time in one preallocated file until their own are durable.

To make a new file durable a file system commits its own journal, for the file and again for its name.  Bytes that are
written over space which is there already take one flush.  So a small file is written and left alone, and is durable
because its bytes are here.  When one half of the journal is full, the files of that half are made durable one after
another beside the work, and the half is used again.  What a run that died has left is made good by `recover`.

A record is a header and the body.  Records of a half follow one another from its beginning and share a generation, so
that what an earlier generation wrote behind them is no record.  Records are written in order, under a lock, and a flush
covers all that were written before it: an acknowledged record has no gap before it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import logging
import os
import re
import secrets
import struct
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import cast

from storage.blobs.base import is_key

log = logging.getLogger("packyard.storage")

HALF = 2 * 1024**2
LARGEST = 64 * 1024
"""Bytes of a body that is worth writing twice."""
FIRST = 8
"""So many files of a run are made durable by themselves, before there is a journal at all."""

MANY = 16
"""Files that are made durable together rather than one by one."""

_MAGIC = b"PYFILES1"
_HEADER = struct.Struct("<8sQQI84sI")  # magic, generation, domain, size, key, CRC-32 of what stands before it


@dataclass(frozen=True, slots=True)
class Record:
    """One file: `ROOT/DOMAIN/KEY` holds `body`."""

    domain_id: int
    key: str
    body: bytes


@dataclass(slots=True)
class _Half:
    """`names` are the files whose records it holds; `free` when all of them are durable by themselves."""

    start: int
    at: int = 0
    generation: int = 0
    free: bool = True
    names: list[str] = field(default_factory=list)


class Journal:
    """The journal of one run, at `path`; the files lie below `root`.  Its methods block; any thread may use them."""

    def __init__(self, path: Path, root: Path, *, first: int = FIRST, half: int = HALF) -> None:
        self._path = path
        self._root = root
        self._left = first
        self._size = half
        self._fd = -1
        self._disk = -1
        self._halves = (_Half(0), _Half(half))
        self._active = self._halves[0]
        self._generation = secrets.randbits(48)
        self._writing = threading.Lock()
        self._flushing = threading.Lock()
        self._written = 0
        self._flushed = 0
        self._broken = False
        self._settling: threading.Thread | None = None

    def add(self, domain_id: int, key: str, body: bytes) -> bool:
        """Make a file durable that has been written under its name.  False when that must be done in another way.

        Raises OSError.
        """
        if len(body) > LARGEST or self._broken:
            return False
        with self._writing:
            if self._left > 0:
                self._left -= 1
                return False
            if not self._has_room(_HEADER.size + len(body)):
                return False
            half = self._active
            head = _HEADER.pack(_MAGIC, half.generation, domain_id, len(body), key.encode(), 0)[:-4]
            record = b"".join((head, zlib.crc32(head).to_bytes(4, "little"), body))
            if os.pwrite(self._fd, record, half.start + half.at) != len(record):
                raise OSError(errno.EIO, "The journal could not be written")
            half.at += len(record)
            half.names.append(f"{domain_id}/{key}")
            self._written += 1
            mine = self._written
        self._flush(mine)
        return True

    def close(self) -> None:
        """Make every file durable by itself; the journal is gone afterwards, unless that failed."""
        if self._settling is not None:
            self._settling.join()
        if self._fd < 0:
            return
        for half in self._halves:
            self._settle(half)
        os.close(self._fd)
        os.close(self._disk)
        self._fd = self._disk = -1
        if all(half.free for half in self._halves):
            self._path.unlink(missing_ok=True)

    def _flush(self, mine: int) -> None:
        """One flush for all who wait."""
        with self._flushing:
            if self._flushed >= mine:
                return
            if self._broken:
                raise OSError(errno.EIO, "The journal could not be flushed")
            upto = self._written
            try:
                os.fdatasync(self._fd)
            except OSError:
                # What it did not write it may never write, and what comes behind a gap is not found again.
                self._broken = True
                for half in self._halves:
                    self._settle(half)
                raise
            self._flushed = upto

    def _has_room(self, size: int) -> bool:
        if self._fd < 0 and not self._create():
            return False
        half = self._active
        if half.free:
            self._begin(half)
        if half.at + size <= self._size:
            return True
        if self._settling is None or not self._settling.is_alive():
            self._settling = threading.Thread(target=self._settle, args=(half,), name="settle", daemon=True)
            self._settling.start()
        other = self._halves[half is self._halves[0]]
        if not other.free:
            return False
        self._begin(other)
        return True

    def _begin(self, half: _Half) -> None:
        self._generation += 1
        half.at, half.generation, half.free, half.names = 0, self._generation, False, []
        self._active = half

    def _create(self) -> bool:
        """Space that is written once already, so that writing over it changes nothing but bytes."""
        try:
            descriptor = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                for start in range(0, 2 * self._size, 1 << 20):
                    os.pwrite(descriptor, bytes(min(1 << 20, 2 * self._size - start)), start)
                os.fsync(descriptor)
                fsync(self._path.parent)
                self._disk = os.open(self._root, os.O_RDONLY | os.O_CLOEXEC)
            except BaseException:
                os.close(descriptor)
                self._path.unlink(missing_ok=True)
                raise
        except OSError as error:
            log.warning("there is no journal for small files: %s", error)
            self._broken = True
            return False
        self._fd = descriptor
        return True

    def _settle(self, half: _Half) -> None:
        """Make the files of a half durable by themselves, then free it."""
        if half.free:
            return
        try:
            _sync(self._root, half.names, self._disk)
        except OSError as error:
            log.warning("stored files could not be made durable, and are written again: %s", error)
            try:
                for record in records(self._fd, half.start, half.start + self._size):
                    _restore(self._root, record, always=True)
                _sync(self._root, half.names)
            except OSError:
                log.exception("stored files cannot be made durable; the journal keeps them")
                return
        half.free = True


def recover(path: Path, root: Path) -> int:
    """Write what the journal of a dead run holds and the disk does not, make it durable, and remove the journal.

    Returns how many files were written.  Raises OSError, and then the journal stays.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size
        written, names = 0, []
        for start in (0, size // 2):
            for record in records(descriptor, start, start + size // 2):
                written += _restore(root, record)
                names.append(f"{record.domain_id}/{record.key}")
        _sync(root, names)
    finally:
        os.close(descriptor)
    path.unlink()
    return written


def records(descriptor: int, start: int, end: int) -> Iterator[Record]:
    """The records of one half, up to the first place where there is none."""
    first = None
    while start + _HEADER.size <= end:
        head = os.pread(descriptor, _HEADER.size, start)
        if len(head) < _HEADER.size or zlib.crc32(head[:-4]) != int.from_bytes(head[-4:], "little"):
            return
        magic, generation, domain_id, size, name, _ = _HEADER.unpack(head)
        first = generation if first is None else first
        if magic != _MAGIC or generation != first or size > LARGEST:
            return
        key = name.decode("ascii", "replace")
        body = os.pread(descriptor, size, start + _HEADER.size)
        if not is_key(key) or hashlib.sha256(body).hexdigest() != key[3:67]:
            return
        yield Record(domain_id, key, body)
        start += _HEADER.size + size


def _restore(root: Path, record: Record, *, always: bool = False) -> bool:
    """Write the file unless it is there and whole; whether it was written.  A deleted one comes back as a stray."""
    target = root / str(record.domain_id) / record.key
    if not always:
        with contextlib.suppress(OSError):
            if target.read_bytes() == record.body:
                return False
    elif not target.exists():
        return False
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Beside it, under a name that is no key; readers of the old one keep what they have.
    temporary = target.with_name(f"{target.name}.part")
    temporary.write_bytes(record.body)
    temporary.chmod(0o600)
    fsync(temporary)
    temporary.replace(target)
    return True


def _sync(root: Path, names: list[str], disk: int = -1) -> None:
    """Make files and their names durable; those that were deleted meanwhile need nothing.

    Many are left to the file system as a whole, which takes one commit and not one for each; `disk` is a descriptor on
    it that was there before they were written, and so is told of every error since.
    """
    if len(names) >= MANY and disk >= 0 and _syncfs(disk):
        return
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            fsync(f"{root}/{name}")
    shards = {name.rpartition("/")[0] for name in names}
    domains = {shard.partition("/")[0] for shard in shards}
    for directory in (*sorted(shards), *sorted(domains), ""):
        with contextlib.suppress(FileNotFoundError):
            fsync(f"{root}/{directory}")


def _syncfs(disk: int) -> bool:
    """Everything on this file system; False where that cannot be asked for, or errors would not be told, or were."""
    call = _syncfs_call()
    return call is not None and call(disk) == 0


@cache
def _syncfs_call() -> Callable[[int], int] | None:
    """Linux reports what could not be written to this call since 5.8."""
    if sys.platform != "linux":
        return None
    release = re.match(r"(\d+)\.(\d+)", os.uname().release)
    if release is None or (int(release[1]), int(release[2])) < (5, 8):
        return None
    found = getattr(ctypes.CDLL(None), "syncfs", None)
    return cast("Callable[[int], int] | None", found)


def fsync(path: Path | str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
