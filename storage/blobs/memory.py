"""Placed files in memory, for tests; what arrives is staged in a temporary directory."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from registry.core.clock import SystemClock
from registry.core.ports import Clock
from registry.core.threads import Threads
from registry.core.types import BlobStat, Staged
from storage.blobs.base import chunk_size, disk_errors, fresh_key, lost
from storage.blobs.staging import Stage


class MemoryBlobs:
    """The files of every domain; `of(domain_id)` is what the core works with."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self.threads = Threads(4, "blobs")
        self.placed: dict[int, dict[str, tuple[bytes, int]]] = {}
        self.staging_directory = Path()

    async def open(self) -> None:
        self.staging_directory = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="packyard-"))

    async def close(self) -> None:
        await asyncio.to_thread(self.threads.close)
        await asyncio.to_thread(shutil.rmtree, self.staging_directory)

    def of(self, domain_id: int) -> DomainMemory:
        return DomainMemory(self, self.placed.setdefault(domain_id, {}))

    async def ready(self) -> None:
        """Memory always is."""

    async def domains(self) -> list[int]:
        return sorted(self.placed)


class DomainMemory:
    """`ports.BlobStore`: one domain's files."""

    def __init__(self, all_files: MemoryBlobs, placed: dict[str, tuple[bytes, int]]) -> None:
        self._files = all_files
        self._placed = placed

    def stage(self, *, followed: bool = True) -> Stage:
        return Stage(self._files.staging_directory, self._files.threads, followed=followed)

    async def place(self, staged: Staged) -> str:
        def body() -> bytes:
            with disk_errors(), staged.open() as file:
                return file.read()

        key = fresh_key(staged.digests.sha256)
        self._placed[key] = (await asyncio.to_thread(body), self._files.clock.now())
        return key

    async def stat(self, key: str) -> int | None:
        return len(self._placed[key][0]) if key in self._placed else None

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        if key not in self._placed:
            raise lost(key)
        body, _ = self._placed[key]
        stop = len(body) if end is None else end
        if stop > len(body):
            raise lost(key)
        size = chunk_size(stop - start)
        for offset in range(start, stop, size):
            yield body[offset : min(offset + size, stop)]

    def path(self, key: str) -> Path | None:
        return None

    async def link(self, key: str, *, media_type: str, disposition: str) -> str | None:
        return None

    async def delete(self, key: str) -> None:
        self._placed.pop(key, None)

    async def walk(self) -> AsyncIterator[BlobStat]:
        for key, (body, modified) in list(self._placed.items()):
            yield BlobStat(key, len(body), modified)
