"""Answers: JSON, text, indexes, files.  Adapters make no other kind.

json(value, status=200, headers=None)             small JSON
text(value, status=200, media_type="text/plain")  small text
await content(req, content, media_type=..., etag=..., headers=..., filename=...)
    a file: GET, HEAD, Range (one and several), If-Range, 304, 416
await index(req, view, package, kind=..., media_type=..., render=..., vary=...)
    a rendered index, cached compressed by stamp, with ETag and 304
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from starlette.responses import Response

from registry.core.ports import Content
from registry.core.types import Listing, PackageKey
from registry.core.view import RepoView
from registry.web.adapter import Answer
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
    raise NotImplementedError


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
) -> Answer:
    """A rendered index, cached compressed by stamp, with ETag, 304 and `Cache-Control: no-cache`.

    `kind` names the representation within the format; with the package, the repository and `req.base` it must
    determine what `render` gives.  `render(listing)` is pure, may run in a thread, is called once for concurrent
    requests, and raises ResourceNotFound where the package is unknown (that is not cached).
    `vary`: request headers that chose `kind`, e.g. "Accept".  A listing that is stale adds a Warning header.
    """
    raise NotImplementedError
