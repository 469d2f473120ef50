"""File answers: what lies in a local file, in an object store, and what is still arriving.

Never Starlette's FileResponse: a thread hop per chunk costs most of the rate.  What the page cache holds is read
in the loop without waiting (`preadv` with RWF_NOWAIT), the rest in a thread.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from registry.core.errors import Unavailable
from registry.core.ports import Content
from registry.web import exchange, ranges
from registry.web.exchange import Hold
from registry.web.openfiles import SMALL, OpenFile, SmallFile
from registry.web.wire import Raw, head, start_answer

CHUNK = 65_536
LARGE_CHUNK = 262_144
LARGE = 8 * 1024**2


@runtime_checkable
class Kept(Protocol):
    """What a Content may be besides: a stored file, whose bytes are for ever the same."""

    @property
    def identity(self) -> str:
        """Names these bytes, and never others."""

    async def link(self, *, media_type: str, disposition: str) -> str | None:
        """Where the client may fetch it instead, if it may."""


class FileAnswer:
    """An ASGI application that answers with one file; it may answer many requests."""

    def __init__(
        self,
        content: Content,
        *,
        media_type: str,
        etag: str | None,
        headers: Mapping[str, str],
    ) -> None:
        self.content = content
        self.alive = self.used = True
        self.media_type = media_type
        self.etag = f'"{etag}"' if etag else None
        self._fixed: Raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        if self.etag:
            self._fixed.append((b"etag", self.etag.encode("latin-1")))
        if content.modified:
            self._fixed.append((b"last-modified", ranges.http_date(content.modified).encode()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        trip = exchange.of(scope)
        trip.source = self.content.source
        asked = Headers(scope=scope)
        if self._not_modified(asked):
            await start_answer(send, 304, self._fixed)
            await send({"type": "http.response.body"})
            return
        if self.content.path is None:
            await self._stream(scope, asked, send)
            return
        file = await trip.files.acquire(self.content.path)
        try:
            if self.content.size is not None and file.size != self.content.size:
                raise Unavailable("A stored file has not the size that it should have")
            await self._file(scope, asked, file, send)
        finally:
            trip.files.release(file)

    def _not_modified(self, asked: Headers) -> bool:
        tags = asked.get("if-none-match")
        if tags is not None:
            return self.etag is not None and ranges.matches(tags, self.etag)
        since = asked.get("if-modified-since")
        return (
            since is not None and bool(self.content.modified) and ranges.unmodified_since(since, self.content.modified)
        )

    def _ranges(self, scope: Scope, asked: Headers, size: int) -> list[tuple[int, int]] | None:
        header = asked.get("range")
        if header is None or scope["method"] != "GET":
            return None
        if not ranges.may_resume(asked.get("if-range"), self.etag, self.content.modified):
            return None
        return ranges.parse(header, size)

    def _whole(self, size: int | None) -> Raw:
        length: Raw = [] if size is None else [(b"content-length", b"%d" % size), (b"accept-ranges", b"bytes")]
        return [(b"content-type", self.media_type.encode("latin-1")), *length, *self._fixed]

    async def _file(self, scope: Scope, asked: Headers, file: OpenFile, send: Send) -> None:
        wanted = self._ranges(scope, asked, file.size)
        if wanted is not None:
            await self._partial(scope, wanted, file, send)
            return
        fixed = self._whole(file.size)
        if scope["method"] == "HEAD" or file.size == 0:
            await start_answer(send, 200, fixed)
            await send({"type": "http.response.body"})
        elif file.size <= SMALL:
            await self._small(scope, self.content.path, lambda: _whole_file(file), fixed, send)
        elif (there := self._handed_over(scope)) is not None:
            await start_answer(send, 200, [(b"x-accel-redirect", there), *self._whole(None)])
            await send({"type": "http.response.body"})
        else:
            exchange.of(scope).hold = Hold(
                head=b"", body=b"", owner=self, etag=(self.etag or "").encode("latin-1"), not_modified=b"", again=self
            )
            await start_answer(send, 200, fixed)
            await _pump(scope, file, 0, file.size, send, last=True)

    def _handed_over(self, scope: Scope) -> bytes | None:
        """The file's place at the proxy that the request came through, if that is to send it."""
        handover = exchange.of(scope).files.handover
        if handover is None or self.content.path is None or not scope.get("packyard.proxied"):
            return None
        place = handover.of(self.content.path)
        return None if place is None else place.encode()

    async def _small(
        self, scope: Scope, name: Hashable, load: Callable[[], Awaitable[bytes]], fixed: Raw, send: Send
    ) -> None:
        """In one piece, and offered to the hot cache."""
        trip = exchange.of(scope)
        kept = trip.files.small.get(name)
        if kept is None:
            kept = SmallFile(await load())
            trip.files.small.put(name, kept)
        kept.used = True
        trip.hold = Hold(
            head=head(200, fixed),
            body=kept.body,
            owner=kept,
            etag=(self.etag or "").encode("latin-1"),
            not_modified=head(304, self._fixed),
        )
        await start_answer(send, 200, fixed)
        await send({"type": "http.response.body", "body": kept.body})

    async def _partial(self, scope: Scope, wanted: list[tuple[int, int]], file: OpenFile, send: Send) -> None:
        """206 with one range or several, or 416."""
        size = file.size
        if not wanted:
            await self._unsatisfied(size, send)
        elif len(wanted) == 1:
            start, end = wanted[0]
            line = (b"content-range", b"bytes %d-%d/%d" % (start, end - 1, size))
            await start_answer(send, 206, [line, *self._whole(end - start)])
            await _pump(scope, file, start, end, send, last=True)
        else:
            await self._several(scope, wanted, file, send)

    async def _several(self, scope: Scope, wanted: Sequence[tuple[int, int]], file: OpenFile, send: Send) -> None:
        """multipart/byteranges (RFC 9110, section 14.6)."""
        boundary = secrets.token_hex(16).encode()
        kind = self.media_type.encode("latin-1")
        heads = [
            b"\r\n--%s\r\ncontent-type: %s\r\ncontent-range: bytes %d-%d/%d\r\n\r\n"
            % (boundary, kind, start, end - 1, file.size)
            for start, end in wanted
        ]
        tail = b"\r\n--%s--\r\n" % boundary
        length = sum(map(len, heads)) + sum(end - start for start, end in wanted) + len(tail)
        fixed = [
            (b"content-type", b"multipart/byteranges; boundary=" + boundary),
            (b"content-length", b"%d" % length),
            *self._fixed,
        ]
        await start_answer(send, 206, fixed)
        for part, (start, end) in zip(heads, wanted, strict=True):
            await send({"type": "http.response.body", "body": part, "more_body": True})
            await _pump(scope, file, start, end, send, last=False)
        await send({"type": "http.response.body", "body": tail})

    async def _stream(self, scope: Scope, asked: Headers, send: Send) -> None:
        """From `read()`: an object store, or a flight under way.

        The first bytes are awaited before the status goes out, so that a fetch that fails at once is told as an
        error; a later fault breaks the connection off.  Several ranges are answered with the whole.
        """
        size = self.content.size
        start, status, fixed = 0, 200, self._whole(size)
        end = size
        wanted = self._ranges(scope, asked, size) if size is not None else None
        if wanted == [] and size is not None:
            await self._unsatisfied(size, send)
            return
        if wanted is not None and len(wanted) == 1 and size is not None:
            start, end = wanted[0]
            status = 206
            line = (b"content-range", b"bytes %d-%d/%d" % (start, end - 1, size))
            fixed = [line, *self._whole(end - start)]
        if scope["method"] == "HEAD" or size == 0:
            await start_answer(send, status, fixed)
            await send({"type": "http.response.body"})
            return
        if isinstance(self.content, Kept) and await self._from_store(scope, self.content, status, fixed, send):
            return
        await _relay(self.content.read(start, end), None if end is None else end - start, status, fixed, send)

    async def _from_store(self, scope: Scope, stored: Kept, status: int, fixed: Raw, send: Send) -> bool:
        """Elsewhere, or from memory, where that may be."""
        size = self.content.size
        disposition = next(
            (value.decode("latin-1") for name, value in self._fixed if name == b"content-disposition"), ""
        )
        there = await stored.link(media_type=self.media_type, disposition=disposition)
        if there is not None:
            await start_answer(
                send,
                302,
                [(b"location", there.encode()), (b"cache-control", b"no-store"), (b"content-length", b"0")],
            )
            await send({"type": "http.response.body"})
            return True
        if status == 200 and size is not None and size <= SMALL:
            await self._small(scope, stored.identity, lambda: self._fetched(size), fixed, send)
            return True
        return False

    async def _fetched(self, size: int) -> bytes:
        """All of a small stored file, which is kept, so it is compared with its digest."""
        body = b"".join([chunk async for chunk in self.content.read(0, size)])
        wanted = self.content.digests.get("sha256")
        if len(body) != size or (wanted is not None and hashlib.sha256(body).hexdigest() != wanted):
            raise Unavailable("A stored file is not what it should be")
        return body

    async def _unsatisfied(self, size: int, send: Send) -> None:
        fixed = [(b"content-range", b"bytes */%d" % size), (b"content-length", b"0"), *self._fixed]
        await start_answer(send, 416, fixed)
        await send({"type": "http.response.body"})


async def _whole_file(file: OpenFile) -> bytes:
    whole = bytearray()
    while len(whole) < file.size:
        whole += await file.read(len(whole), file.size - len(whole))
    return bytes(whole)


class DerivedAnswer:
    """An ASGI application that answers with a few bytes that follow from a stored file (its checksum).

    `key` names them for as long as the server runs; they are kept, and offered to the hot cache, as small files are.
    """

    def __init__(self, key: Hashable, body: bytes, *, media_type: str, etag: str, headers: Mapping[str, str]) -> None:
        self.key = key
        self.body = body
        self.etag = f'"{etag}"'
        fixed = {"etag": self.etag, **headers}
        self._fixed: Raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in fixed.items()]
        self._whole: Raw = [
            (b"content-type", media_type.encode("latin-1")),
            (b"content-length", b"%d" % len(body)),
            *self._fixed,
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        trip = exchange.of(scope)
        kept = trip.files.small.get(self.key)
        if kept is None:
            kept = SmallFile(self.body)
            trip.files.small.put(self.key, kept)
        kept.used = True
        trip.hold = Hold(
            head=head(200, self._whole),
            body=kept.body,
            owner=kept,
            etag=self.etag.encode("latin-1"),
            not_modified=head(304, self._fixed),
        )
        tags = Headers(scope=scope).get("if-none-match")
        if tags is not None and ranges.matches(tags, self.etag):
            await start_answer(send, 304, self._fixed)
            await send({"type": "http.response.body"})
            return
        await start_answer(send, 200, self._whole)
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else kept.body})


async def _relay(chunks: AsyncIterator[bytes], length: int | None, status: int, fixed: Raw, send: Send) -> None:
    try:
        first = await anext(chunks, b"")
        await start_answer(send, status, fixed)
        sent = len(first)
        await send({"type": "http.response.body", "body": first, "more_body": True})
        async for chunk in chunks:
            sent += len(chunk)
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        if length is not None and sent != length:
            raise Unavailable("A file ended before its size was reached")
        await send({"type": "http.response.body"})
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()


async def _pump(scope: Scope, file: OpenFile, start: int, end: int, send: Send, *, last: bool) -> None:
    """Bytes start..end of an open file; `last` ends the body."""
    direct = scope.get("packyard.sendfile")
    if direct is not None and end - start > SMALL:
        sent = await direct(file, start, end)
        exchange.of(scope).sent += sent
        if sent < end - start:
            raise ClientDisconnect()
        if last:
            await send({"type": "http.response.body"})
        return
    size = LARGE_CHUNK if end - start >= LARGE else CHUNK
    while start < end:
        length = min(size, end - start)
        chunk = file.now(start, length) or await file.read(start, length)
        start += len(chunk)
        await send({"type": "http.response.body", "body": chunk, "more_body": not last or start < end})
