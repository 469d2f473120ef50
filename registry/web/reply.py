"""Answers: JSON, text, indexes, files.  Adapters make no other kind.

json(value, status=200, headers=None)             small JSON
text(value, status=200, media_type="text/plain")  small text
document(req, body, media_type)                   a small mutable document with an ETag of its bytes, and 304
await content(req, content, media_type=..., etag=..., headers=..., filename=...)
    a file: GET, HEAD, Range (one and several), If-Range, 304, 416
await index(req, view, package, kind=..., media_type=..., render=..., vary=...)
    a rendered index, cached compressed by stamp, with ETag and 304
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import quote

import msgspec
from starlette.responses import Response

from registry.core.ports import Content
from registry.core.types import Listing, PackageKey, Stamp
from registry.core.view import RepoView
from registry.web import exchange, ranges
from registry.web.adapter import Answer
from registry.web.files import DerivedAnswer, FileAnswer
from registry.web.indexes import IndexAnswer
from registry.web.rendered import Rendered
from registry.web.request import Req

IMMUTABLE = "private, max-age=31536000, immutable"


def json(
    value: object,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    media_type: str = "application/json",
) -> Response:
    """Small JSON, made by msgspec; `headers` are added."""
    return Response(msgspec.json.encode(value), status, dict(headers or {}), media_type=media_type)


def text(
    value: str | bytes,
    status: int = 200,
    media_type: str = "text/plain; charset=utf-8",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Small text in UTF-8; `media_type` is sent as given."""
    body = value.encode() if isinstance(value, str) else value
    return Response(body, status, {**(headers or {}), "content-type": media_type})


def document(req: Req, body: bytes, media_type: str, *, vary: str = "") -> Response:
    """A small document that may change and that no stamp stands for: an ETag of its bytes, and 304."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"cache-control": "no-cache", "etag": etag, **({"vary": vary} if vary else {})}
    asked = req.headers.get("if-none-match")
    if asked is not None and ranges.matches(asked, etag):
        return Response(b"", 304, headers)
    return Response(body, 200, {**headers, "content-type": media_type})


async def content(
    req: Req,
    content: Content,
    *,
    media_type: str = "application/octet-stream",
    etag: str | None = None,
    headers: Mapping[str, str] | None = None,
    filename: str | None = None,
    cache_control: str = IMMUTABLE,
) -> Answer:
    """A file, as it lies or as it arrives: GET, HEAD, Range (one and several), If-Range, 304, 416.

    `etag` without quotes; None takes the sha256 (else sha1) of the content, if known.
    `filename` adds `Content-Disposition: attachment`.
    """
    digests = content.digests
    fixed = {"cache-control": cache_control, **(headers or {})}
    if filename is not None:
        fixed["content-disposition"] = disposition(filename)
    exchange.of(req.request.scope).source = content.source
    return FileAnswer(
        content,
        media_type=media_type,
        etag=etag if etag is not None else digests.get("sha256") or digests.get("sha1"),
        headers=fixed,
    )


def derived(
    content: Content, kind: str, body: bytes, *, media_type: str = "text/plain", cache_control: str = IMMUTABLE
) -> Answer:
    """A few bytes that follow from a file (its checksum); `kind` names what is derived.  ETag, 304, hot cache."""
    identity = content.digests.get("sha256") or body.hex()
    return DerivedAnswer(
        (kind, identity),
        body,
        media_type=media_type,
        etag=f"{kind}:{identity}",
        headers={"cache-control": cache_control},
    )


def disposition(filename: str) -> str:
    """An attachment of that name; other than plain characters in the extended form of RFC 6266."""
    if all(char.isascii() and (char.isalnum() or char in "._-+~ ") for char in filename):
        return f'attachment; filename="{filename}"'
    return f"attachment; filename*=UTF-8''{quote(filename, safe='')}"


async def index(
    req: Req,
    view: RepoView,
    package: PackageKey,
    *,
    kind: str,
    media_type: str,
    render: Callable[[Listing], bytes],
    vary: str = "",
    headers: Mapping[str, str] | None = None,
    listing: Callable[[], Awaitable[Listing]] | None = None,
    digests: Callable[[bytes], Mapping[str, str]] | None = None,
) -> Answer:
    """A rendered index, cached compressed by stamp, with ETag, 304 and `Cache-Control: no-cache`.

    `kind` names the representation within the format; with the package, the repository and `req.base` it must
    determine what `render` gives.  `render(listing)` is pure, may run in a thread, is called once for concurrent
    requests, and raises ResourceNotFound where the package is unknown (that is not cached).
    `listing` may put more into `view.listing(package)`, as long as the same stamp means the same.
    `digests` gives headers that tell of the rendered bytes (checksums).
    `vary`: request headers that chose `kind`, e.g. "Accept".  A listing that is stale adds a Warning header.
    """
    stamp = await view.stamp(package)
    trip = exchange.of(req.request.scope)
    key = (view.repository.id, package, kind, req.base)
    rendered = await trip.indexes.get(key, stamp, listing or (lambda: view.listing(package)), render)
    return IndexAnswer(
        rendered,
        stamp,
        view=view,
        package=package,
        media_type=media_type,
        vary=vary,
        headers=headers or {},
        digests=digests,
    )


async def rendition(
    req: Req,
    view: RepoView,
    package: PackageKey,
    *,
    kind: str,
    render: Callable[[Listing], bytes],
) -> tuple[Rendered, Stamp]:
    """What `index` answers with, for documents of several packages and for those that are answered in another way."""
    stamp = await view.stamp(package)
    key = (view.repository.id, package, kind, req.base)
    indexes = exchange.of(req.request.scope).indexes
    return await indexes.get(key, stamp, lambda: view.listing(package), render), stamp
