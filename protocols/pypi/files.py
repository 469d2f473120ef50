"""Answers that are files, and the documents beside them."""

from __future__ import annotations

from starlette.responses import Response

from protocols.pypi import sidecars
from protocols.pypi.names import canonical_version, check_filename
from protocols.pypi.pages import package_key
from registry.core.errors import ResourceNotFound
from registry.core.types import VersionKey
from registry.core.view import RepoView
from registry.web import ranges, reply
from registry.web.adapter import Answer
from registry.web.request import Req

_BESIDE = {
    "metadata": "text/plain; charset=utf-8",
    "provenance": "application/vnd.pypi.integrity.v1+json",
    "asc": "application/pgp-signature",
}


def version_key(req: Req) -> VersionKey:
    package = package_key(req.path["project"])
    version = req.path["version"]
    try:
        return VersionKey(package, canonical_version(version))
    except ValueError as err:
        raise ResourceNotFound(str(err), resource_id=version, resource_type="package-version") from None


async def file(req: Req, view: RepoView) -> Answer:
    """`simple/{project}/{version}/{filename}`, and the same with `.metadata`, `.provenance` or `.asc`."""
    key, filename = version_key(req), req.path["filename"]
    try:
        check_filename(filename)
    except ValueError as err:
        raise ResourceNotFound(str(err), resource_id=filename, resource_type="asset") from None
    name, _, kind = filename.rpartition(".")
    if kind in _BESIDE:
        return await _beside(req, view, key, name, kind)
    return await reply.content(req, await view.open(key, filename))


async def _beside(req: Req, view: RepoView, key: VersionKey, name: str, kind: str) -> Answer:
    """Our own document first; else the one that the external registry keeps, which retains nothing."""
    media = _BESIDE[kind]
    if kind == "metadata":
        document = await sidecars.stored_metadata(view, key, name)
        if document is not None:
            return _document(req, document.body, document.sha256, media)
    else:
        body = await sidecars.own_document(view, key, name, kind)
        if body is not None:
            return _document(req, body, None, media)
    return await reply.content(req, await view.open(key, f"{name}.{kind}"), media_type=media)


def _document(req: Req, body: bytes, sha256: str | None, media: str) -> Response:
    headers = {"content-type": media, "cache-control": reply.IMMUTABLE if sha256 else "no-cache"}
    if sha256:
        headers["etag"] = f'"{sha256}"'
        if (tags := req.headers.get("if-none-match")) and ranges.matches(tags, headers["etag"]):
            return Response(None, 304, headers)
    return Response(body, 200, headers)
