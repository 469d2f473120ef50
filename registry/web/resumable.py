"""Indexes that clients keep and read on from where they had come to: RubyGems' compact index.

The ETag is the MD5 of the whole and the same in every coding, and `Repr-Digest` (RFC 9530; `Digest` for older ones) is
its SHA-256: Bundler up to 2.4 compares the first with what it has put together, later ones the second.  A range is
one of the plain bytes, and answered although the client's ETag is an older one: it asks with both.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from registry.core.types import PackageKey, Stamp
from registry.core.view import RepoView
from registry.web import exchange, ranges
from registry.web.exchange import Hold
from registry.web.indexes import STALE, accepts_gzip
from registry.web.rendered import Rendered
from registry.web.wire import Raw, head, start_answer


class ResumableAnswer:
    """An ASGI application that answers with one index.

    `package` with `stamp`: the hot cache may ask whether it still holds; without, it is given again only while
    nothing was committed anywhere.  `dated`: Last-Modified is said, and If-Modified-Since understood.
    """

    def __init__(
        self,
        rendered: Rendered,
        *,
        media_type: str,
        view: RepoView | None = None,
        package: PackageKey | None = None,
        stamp: Stamp | None = None,
        dated: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.rendered = rendered
        self.media_type = media_type.encode("latin-1")
        self.view = view if package is not None else None
        self.package = package
        self.stamp = stamp
        self.dated = dated
        self.headers = dict(headers or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = Headers(scope=scope)
        etag = f'"{_md5(self.rendered)}"'
        fixed = self._fixed(etag)
        if self._not_modified(asked, etag):
            await start_answer(send, 304, fixed)
            await send({"type": "http.response.body"})
            return
        size = len(self.rendered.body)
        wanted = ranges.parse(asked["range"], size) if "range" in asked and scope["method"] == "GET" else None
        if wanted == []:
            await start_answer(send, 416, [(b"content-range", b"bytes */%d" % size), (b"content-length", b"0"), *fixed])
            await send({"type": "http.response.body"})
        elif wanted is not None and len(wanted) == 1:
            await self._partial(*wanted[0], fixed, send)
        else:
            await self._whole(scope, asked, etag, fixed, send)

    async def _partial(self, start: int, end: int, fixed: Raw, send: Send) -> None:
        body = self.rendered.body
        line = (b"content-range", b"bytes %d-%d/%d" % (start, end - 1, len(body)))
        await start_answer(send, 206, [line, *self._described(end - start), *fixed])
        await send({"type": "http.response.body", "body": body[start:end]})

    async def _whole(self, scope: Scope, asked: Headers, etag: str, fixed: Raw, send: Send) -> None:
        zipped = self.rendered.gzip if accepts_gzip(asked.get("accept-encoding", "")) else None
        body = self.rendered.body if zipped is None else zipped
        whole = [*self._described(len(body)), *fixed]
        if zipped is not None:
            whole.append((b"content-encoding", b"gzip"))
        exchange.of(scope).hold = Hold(
            head=head(200, whole),
            body=body,
            owner=self.rendered,
            etag=etag.encode(),
            not_modified=head(304, fixed),
            stamp=self.stamp,
            view=self.view,
            package=self.package,
        )
        await start_answer(send, 200, whole)
        await send({"type": "http.response.body", "body": body})

    def _described(self, length: int) -> Raw:
        return [
            (b"content-type", self.media_type),
            (b"content-length", b"%d" % length),
            (b"accept-ranges", b"bytes"),
        ]

    def _fixed(self, etag: str) -> Raw:
        digest = base64.b64encode(self.rendered.sha256)
        fixed: Raw = [
            (b"etag", etag.encode()),
            (b"repr-digest", b"sha-256=:%s:" % digest),
            (b"digest", b"sha-256=%s" % digest),
            (b"cache-control", b"no-cache"),
            (b"vary", b"Accept-Encoding"),
        ]
        if self.dated:
            fixed.append((b"last-modified", ranges.http_date(self.rendered.made).encode()))
        if self.stamp is not None and self.stamp.stale:
            fixed.append((b"warning", STALE.encode()))
        fixed += [(name.lower().encode(), value.encode("latin-1")) for name, value in self.headers.items()]
        return fixed

    def _not_modified(self, asked: Headers, etag: str) -> bool:
        tags = asked.get("if-none-match")
        if tags is not None:
            return ranges.matches(tags, etag)
        since = asked.get("if-modified-since")
        return self.dated and since is not None and ranges.unmodified_before(since, self.rendered.made)


def _md5(rendered: Rendered) -> str:
    if rendered.md5 is None:
        rendered.md5 = hashlib.md5(rendered.body, usedforsecurity=False).hexdigest()
    return rendered.md5
