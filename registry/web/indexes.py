"""Index answers: a rendered index in the coding that the client takes, with ETag and 304."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from registry.core.types import PackageKey, Stamp
from registry.core.view import RepoView
from registry.web import exchange, ranges
from registry.web.exchange import Hold
from registry.web.rendered import Rendered
from registry.web.wire import Raw, head, start_answer

STALE = '110 packyard "An external registry could not be asked; this is what was known"'
_KEYED = frozenset({"", "accept", "accept-encoding", "authorization"})


class IndexAnswer:
    """An ASGI application that answers with one rendered index."""

    def __init__(
        self,
        rendered: Rendered,
        stamp: Stamp,
        *,
        view: RepoView,
        package: PackageKey,
        media_type: str,
        vary: str,
        headers: Mapping[str, str],
        digests: Callable[[bytes], Mapping[str, str]] | None = None,
    ) -> None:
        """`digests(body)`: headers that tell of the document itself, not of its coding."""
        self.digests = digests
        self.rendered = rendered
        self.stamp = stamp
        self.view = view
        self.package = package
        self.media_type = media_type
        self.vary = vary
        self.headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = Headers(scope=scope)
        zipped = self.rendered.gzip if accepts_gzip(asked.get("accept-encoding", "")) else None
        body = self.rendered.body if zipped is None else zipped
        etag = b'"%s%s"' % (self.rendered.etag.encode(), b"" if zipped is None else b"-gz")
        fixed = self._fixed(etag)
        whole: Raw = [(b"content-type", self.media_type.encode("latin-1")), (b"content-length", b"%d" % len(body))]
        if zipped is not None:
            whole.append((b"content-encoding", b"gzip"))
        whole += fixed
        self._offer(scope, body, etag, head(200, whole), head(304, fixed))
        tags = asked.get("if-none-match")
        if tags is not None and ranges.matches(tags, etag.decode()):
            await start_answer(send, 304, fixed)
            await send({"type": "http.response.body"})
            return
        await start_answer(send, 200, whole)
        await send({"type": "http.response.body", "body": body})

    def _fixed(self, etag: bytes) -> Raw:
        vary = ", ".join(each for each in (self.vary, "Accept-Encoding") if each)
        fixed: Raw = [(b"etag", etag), (b"cache-control", b"no-cache"), (b"vary", vary.encode())]
        if self.stamp.stale:
            fixed.append((b"warning", STALE.encode()))
        told = {**self.headers, **(self.digests(self.rendered.body) if self.digests is not None else {})}
        fixed += [(name.lower().encode(), value.encode("latin-1")) for name, value in told.items()]
        return fixed

    def _offer(self, scope: Scope, body: bytes, etag: bytes, whole: bytes, not_modified: bytes) -> None:
        """To the hot cache, unless a header decides that it does not look at."""
        if all(each.strip().lower() in _KEYED for each in self.vary.split(",")):
            exchange.of(scope).hold = Hold(
                head=whole,
                body=body,
                owner=self.rendered,
                etag=etag,
                not_modified=not_modified,
                stamp=self.stamp,
                view=self.view,
                package=self.package,
            )


def accepts_gzip(header: str) -> bool:
    """Accept-Encoding (RFC 9110, section 12.5.3): gzip or `*` with a weight above zero."""
    weights = {}
    for each in header.lower().split(","):
        coding, _, parameter = each.partition(";")
        name, _, value = parameter.strip().partition("=")
        try:
            weights[coding.strip()] = float(value) if name == "q" else 1.0
        except ValueError:
            weights[coding.strip()] = 0.0
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0))) > 0
