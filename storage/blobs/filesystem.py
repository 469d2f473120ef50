"""Files in a directory: `ROOT/DOMAIN/AA/SHA256.NONCE`, and `ROOT/staging/RUN/...` while they arrive.

All of ROOT lies on one file system, so that placing is a link, not a copy; a small body comes in memory and is written
where it stays.  Either way it is written once.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

from registry.core.clock import SystemClock
from registry.core.errors import Unavailable
from registry.core.ports import Clock
from registry.core.threads import Threads
from registry.core.types import BlobStat, Staged
from storage.blobs.base import chunk_size, disk_errors, fresh_key, is_key, lost
from storage.blobs.runs import Run
from storage.blobs.staging import Stage

T = TypeVar("T")

THREADS = 16
_STAGING = "staging"


class FileBlobs:
    """The files of every domain; `of(domain_id)` is what the core works with."""

    def __init__(self, root: Path, clock: Clock | None = None) -> None:
        self.root = root
        self.clock = clock or SystemClock()
        self.threads = Threads(THREADS, "blobs")
        self._run = Run(root / _STAGING)
        self.staging_directory = self._run.directory
        self._ready: set[int] = set()
        self._domains: dict[int, DomainFiles] = {}

    async def open(self) -> None:
        """Make the directories and remove what dead runs left.  Raises Unavailable."""
        await self.threads.run(self._run.open)

    async def close(self) -> None:
        """Give up the staging directory.  Nothing is staged any more."""
        await asyncio.to_thread(self._close)

    def of(self, domain_id: int) -> DomainFiles:
        known = self._domains.get(domain_id)
        if known is None:
            known = self._domains[domain_id] = DomainFiles(self, domain_id)
        return known

    async def ready(self) -> None:
        """The data directory is looked at by its owner."""

    async def domains(self) -> list[int]:
        """The domains that have a directory, for the sweep."""

        def look() -> list[int]:
            with disk_errors():
                return sorted(int(entry.name) for entry in self.root.iterdir() if entry.name.isdigit())

        return await self.threads.run(look)

    def prepare(self, domain_id: int, *, again: bool = False) -> None:
        """Make a domain's directories, all 256 at once, and make them durable; once in each process."""
        if domain_id in self._ready and not again:
            return
        with disk_errors():
            root = self.root / str(domain_id)
            root.mkdir(parents=True, exist_ok=True, mode=0o700)
            for shard in range(256):
                (root / f"{shard:02x}").mkdir(exist_ok=True, mode=0o700)
            _fsync(root)
            _fsync(self.root)
        self._ready.add(domain_id)

    def _close(self) -> None:
        self.threads.close()
        self._run.close()


class DomainFiles:
    """`ports.BlobStore`: one domain's files."""

    def __init__(self, all_files: FileBlobs, domain_id: int) -> None:
        self._files = all_files
        self._domain_id = domain_id
        self._root = all_files.root / str(domain_id)

    def stage(self, *, followed: bool = True) -> Stage:
        return Stage(self._files.staging_directory, self._files.threads, followed=followed)

    def place(self, staged: Staged) -> asyncio.Future[str]:
        return self._files.threads.run(self._place, staged, fresh_key(staged.digests.sha256))

    async def stat(self, key: str) -> int | None:
        path = self.path(key)
        return None if path is None else await self._run(_size, path)

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        path = self.path(key)
        if path is None:
            raise lost(key)
        opened = await self._files.threads.run(_open_whole, path, key, end, undo=_close)
        descriptor, stop = opened
        try:
            size = chunk_size(stop - start)
            while start < stop:
                chunk = await self._run(_pread, descriptor, min(size, stop - start), start)
                if not chunk:
                    raise lost(key)
                yield chunk
                start += len(chunk)
        finally:
            os.close(descriptor)

    def path(self, key: str) -> Path | None:
        return self._root / key if is_key(key) else None

    async def link(self, key: str, *, media_type: str, disposition: str) -> str | None:
        return None

    async def delete(self, key: str) -> None:
        path = self.path(key)
        if path is not None:
            await self._run(_unlink, path)

    async def walk(self) -> AsyncIterator[BlobStat]:
        for shard in await self._run(_shards, self._root):
            for stat in await self._run(_stats, shard):
                yield stat

    async def _run(self, work: Callable[..., T], *args: object) -> T:
        return await self._files.threads.run(work, *args)

    def _place(self, staged: Staged, key: str) -> str:
        """Write or link under the final name, then make file and name durable; nothing is left when that fails.

        No row names the key yet, so linking before the fsync is safe, and one journal commit then covers both.
        """
        target = f"{self._root}/{key}"
        self._files.prepare(self._domain_id)
        try:
            with disk_errors():
                try:
                    descriptor = _put(staged, target)
                except FileNotFoundError:  # somebody removed our directories
                    self._files.prepare(self._domain_id, again=True)
                    descriptor = _put(staged, target)
                try:
                    now = self._files.clock.now() * 1_000_000
                    os.utime(descriptor, ns=(now, now))
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
                _fsync(f"{self._root}/{key[:2]}")
        except BaseException:
            with contextlib.suppress(OSError):
                Path(target).unlink()
            raise
        return key


def _put(staged: Staged, target: str) -> int:
    """The file under its final name, open; not durable yet."""
    return _linked(staged, target) if staged.body is None else _written(staged.body, target)


def _open_whole(path: Path, key: str, end: int | None) -> tuple[int, int]:
    """The file and where to stop reading; a file that is shorter than that is as good as lost."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise lost(key) from error
    size = os.fstat(descriptor).st_size
    if end is not None and size < end:
        os.close(descriptor)
        raise lost(key)
    return descriptor, size if end is None else end


def _close(opened: tuple[int, int]) -> None:
    os.close(opened[0])


def _pread(descriptor: int, size: int, offset: int) -> bytes:
    with disk_errors():
        return os.pread(descriptor, size, offset)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unavailable("The stored files cannot be used now.") from error


def _unlink(path: Path) -> None:
    with disk_errors():
        path.unlink(missing_ok=True)


def _written(body: bytes, target: str) -> int:
    descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(body)
        while view:
            view = view[os.write(descriptor, view) :]
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _linked(staged: Staged, target: str) -> int:
    assert staged.path is not None
    try:
        os.link(staged.path, target)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS):
            raise
        shutil.copyfile(staged.path, target)  # a file system without hard links
    return os.open(target, os.O_RDWR | os.O_CLOEXEC)


def _fsync(path: Path | str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _shards(root: Path) -> list[Path]:
    with disk_errors():
        return sorted([path for path in root.iterdir() if path.is_dir()]) if root.is_dir() else []


def _stats(shard: Path) -> list[BlobStat]:
    found = []
    with disk_errors():
        for entry in os.scandir(shard):
            key = f"{shard.name}/{entry.name}"
            try:
                stat = entry.stat()
            except FileNotFoundError:  # deleted while we walk
                continue
            if is_key(key):
                found.append(BlobStat(key, stat.st_size, stat.st_mtime_ns // 1_000_000))
    return found
