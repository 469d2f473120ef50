"""Reading in a stored file, wherever it is stored: in the local file, or in the ranges of it that the reader asks for.

    body = await stored.read(content, work)        # work(file) blocks, and may be run again from its start

For archives whose inner files are asked for (a nuspec out of a package, a manifest out of an archive).
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from typing import IO, TypeVar, cast

from starlette.responses import Response

from registry.core.errors import InternalServer
from registry.core.ports import Content
from registry.web import ranges, reply
from registry.web.request import Req

T = TypeVar("T")

_FETCH = 128 * 1024
_MOST = 64 * 1024**2
"""Bytes that are fetched of one file."""


async def read(content: Content, work: Callable[[IO[bytes]], T]) -> T:
    """What `work` makes of the file, in a thread.  What it raises ValueError for, or a file that is not there, is
    InternalServer: it was stored."""
    try:
        if content.path is not None:
            return await asyncio.to_thread(_local, content, work)
        return await _remote(content, work)
    except (ValueError, OSError) as err:
        raise InternalServer("A stored file could not be read") from err


def _local(content: Content, work: Callable[[IO[bytes]], T]) -> T:
    assert content.path is not None
    with content.path.open("rb") as file:
        return work(file)


async def _remote(content: Content, work: Callable[[IO[bytes]], T]) -> T:
    if content.size is None:
        raise InternalServer("A stored file could not be read")
    source = _Ranges(content.size)
    while True:
        try:
            return await asyncio.to_thread(work, cast(IO[bytes], source.rewound()))
        except _Missing as gap:
            end = min(content.size, max(gap.end, gap.start + _FETCH))
            source.add(gap.start, b"".join([chunk async for chunk in content.read(gap.start, end)]))


class _Missing(Exception):
    """The reader wants bytes that were not fetched yet."""

    def __init__(self, start: int, end: int) -> None:
        self.start = start
        self.end = end


class _Ranges(io.RawIOBase):
    """A read-only file of which only some ranges are known."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._at = 0
        self._known: list[tuple[int, bytes]] = []
        self._total = 0

    def rewound(self) -> _Ranges:
        self._at = 0
        return self

    def add(self, start: int, body: bytes) -> None:
        self._total += len(body)
        if not body or self._total > _MOST:
            raise InternalServer("A stored file could not be read")
        self._known.append((start, body))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        base = {0: 0, 1: self._at, 2: self._size}[whence]
        if base + offset < 0:
            raise ValueError("The archive points before its own beginning")
        self._at = base + offset
        return self._at

    def close(self) -> None:
        """Stays usable: the next attempt reads it again."""

    def read(self, size: int = -1) -> bytes:
        end = self._size if size < 0 else min(self._size, self._at + size)
        out = bytearray()
        while self._at < end:
            piece = next((k for k in self._known if k[0] <= self._at < k[0] + len(k[1])), None)
            if piece is None:
                start, self._at = self._at, self._at - len(out)
                raise _Missing(start, end)
            start, body = piece
            out += body[self._at - start : end - start]
            self._at = min(end, start + len(body))
        return bytes(out)


def answer(req: Req, body: bytes, *, etag: str, media_type: str) -> Response:
    """A small document that was read out of a stored file, which never changes."""
    headers = {"etag": f'"{etag}"', "cache-control": reply.IMMUTABLE, "content-type": media_type}
    if (tags := req.headers.get("if-none-match")) and ranges.matches(tags, headers["etag"]):
        return Response(None, 304, headers)
    return Response(body, 200, headers)
