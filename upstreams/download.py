"""The bytes of a file as an external registry sends them, over one request or, when it breaks off, several."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from registry.core.errors import UpstreamUnavailable
from registry.core.ports import Http, HttpReply
from registry.core.types import RemoteFile
from upstreams.digests import strongest
from upstreams.reply import Broken

_RESUMES = 2
_IDENTITY = {"Accept-Encoding": "identity"}
_COMPRESSED = ("gz", "tgz")


class Gone(Exception):
    """The registry says that this file is not there (404, 410)."""


class Download:
    """One file.  `async with`: begun, the answer's head judged; then `chunks`.

    `size` is what was declared or, failing that, what the answer says; None when nobody does.
    `page` says that the answer looks like a web page, which only its digest can clear.
    """

    def __init__(self, http: Http, file: RemoteFile, *, name: str, limit: int) -> None:
        self.size = file.size
        self.page = False
        self.checked = strongest(file.digests) is not None
        self._http = http
        self._file = file
        self._name = name
        self._limit = limit
        self._open = AsyncExitStack()
        self._reply: HttpReply
        self._inflate: zlib._Decompress | None = None

    async def __aenter__(self) -> Download:
        try:
            await self._begin()
        except BaseException:
            await self._open.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def _begin(self) -> None:
        self._reply = await self._open.enter_async_context(self._http.get(self._file.url, _IDENTITY))
        self._judge_status(self._reply.status)
        kind = self._reply.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        html = kind in ("text/html", "application/xhtml+xml")
        self.page = html and not self._file.name.lower().endswith((".html", ".htm", ".xhtml"))
        if self.page and not self.checked:
            raise UpstreamUnavailable(f"The external registry {self._name} sent a web page for {self._file.name}")
        self._decode()
        if self._inflate is None:
            self._expect(self._reply.headers.get("Content-Length"))
        if self.size is not None and self.size > self._limit:
            raise UpstreamUnavailable(f"{self._file.name} at {self._name} is larger than {self._limit} bytes")

    def _judge_status(self, status: int) -> None:
        if status in (404, 410):
            raise Gone
        if status != 200:
            raise UpstreamUnavailable(f"The external registry {self._name} answered {status} for {self._file.name}")

    def _decode(self) -> None:
        """A server may compress although we asked it not to.

        An archive that is compressed in itself is often labelled so by mistake: then the bytes are the file.
        """
        coding = self._reply.headers.get("Content-Encoding", "identity").strip().lower()
        if coding in ("identity", "") or self._file.name.lower().rpartition(".")[2] in _COMPRESSED:
            return
        if coding not in ("gzip", "x-gzip", "deflate"):
            raise UpstreamUnavailable(f"The external registry {self._name} sent {self._file.name} encoded as {coding}")
        self._inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)

    def _expect(self, length: str | None) -> None:
        if length is None or not length.isdecimal() or len(length) > 18:
            return
        if self.size is not None and self.size != int(length):
            raise UpstreamUnavailable(
                f"The external registry {self._name} declares {self.size} bytes for {self._file.name}, "
                f"but sends {length}"
            )
        self.size = int(length)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The file's bytes.  Raises UpstreamUnavailable when it ends early, late, or grows too large.

        A transfer that breaks off is taken up where it stood when a digest can tell in the end that all fits.
        """
        total = 0
        resumes = _RESUMES if self.checked and self._inflate is None else 0
        skip = 0
        while True:
            try:
                async for chunk in self._decoded():
                    if skip:
                        chunk, skip = chunk[skip:], max(0, skip - len(chunk))
                    if chunk:
                        total += len(chunk)
                        self._judge_total(total)
                        yield chunk
                break
            except Broken:
                if not resumes:
                    raise
                resumes -= 1
            skip = await self._resume(total)
        if not total and not self.checked:
            raise UpstreamUnavailable(f"The external registry {self._name} sent nothing for {self._file.name}")
        if skip or (self.size is not None and total != self.size):
            raise UpstreamUnavailable(f"The external registry {self._name} sent {self._file.name} cut short")

    def _judge_total(self, total: int) -> None:
        if total > (self._limit if self.size is None else self.size):
            raise UpstreamUnavailable(
                f"The external registry {self._name} sends more for {self._file.name} than it may"
            )

    async def _decoded(self) -> AsyncIterator[bytes]:
        if self._inflate is None:
            async for chunk in self._reply.chunks():
                yield chunk
            return
        try:
            async for chunk in self._reply.chunks():
                while chunk:
                    yield await asyncio.to_thread(self._inflate.decompress, chunk, 1 << 20)
                    chunk = self._inflate.unconsumed_tail
        except zlib.error:
            raise UpstreamUnavailable(f"The external registry {self._name} sent a broken encoding") from None
        if not self._inflate.eof:
            raise Broken(f"The external registry {self._name} broke off in the middle of its answer")

    async def _resume(self, start: int) -> int:
        """Ask for the rest; returns how many bytes of the new answer we have already."""
        etag = self._reply.headers.get("ETag", "")
        await self._open.aclose()
        headers = dict(_IDENTITY)
        if start:
            headers["Range"] = f"bytes={start}-"
            if etag and not etag.startswith("W/"):
                headers["If-Range"] = etag
        self._reply = await self._open.enter_async_context(self._http.get(self._file.url, headers))
        if self._reply.status == 200:
            return start
        if self._reply.status == 206 and self._reply.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            return 0
        raise UpstreamUnavailable(f"The external registry {self._name} broke off and could not go on")
