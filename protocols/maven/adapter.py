"""Maven: files of a repository layout, nothing else (docs/formats/maven.md)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from starlette.responses import Response

from protocols.maven import files, metadata, names, order, plugins, problem, publish
from protocols.maven.fetch import MavenFetcher
from protocols.maven.names import Metadata
from registry.core.digests import digests
from registry.core.errors import RegistryError, ResourceNotFound
from registry.core.ports import Fetcher
from registry.core.types import FormatInfo, Listing, PackageKey
from registry.core.view import RepoView
from registry.web import ranges, reply
from registry.web.adapter import Answer, Route
from registry.web.request import Req

INFO = FormatInfo(
    name=names.FORMAT,
    canonical=names.canonical,
    canonical_version=names.canonical_version,
    sort=order.sort_key,
    grows=True,
    merges_files=True,
    namespace_required=True,
    publish=("PublishPackageVersion", "PutPackageMetadata"),
    connections=(
        "public:maven-central",
        "public:maven-googleandroid",
        "public:maven-gradleplugins",
        "public:maven-clojars",
        "public:maven-commonsware",
    ),
    tags_unlisted=True,
    redirects=True,
)
_XML = "application/xml"
_Make = Callable[[Listing], bytes | None]


async def get(req: Req, view: RepoView) -> Answer:
    """A file, metadata, or the checksum of either.  What the layout does not know is not there."""
    try:
        path = names.parse(req.rest)
    except ValueError as err:
        raise ResourceNotFound(str(err)) from None
    if not isinstance(path.target, Metadata):
        return await files.answer(req, view, path.target, path.algorithm)
    target = path.target
    if target.package is not None and target.snapshot is not None:
        make = partial(metadata.builds, snapshot=target.snapshot)
        return await _index(req, view, target.package, make, path.algorithm, kind=target.snapshot)
    if target.package is not None:
        try:
            return await _index(req, view, target.package, metadata.versions, path.algorithm, kind="")
        except ResourceNotFound:
            if target.group is None:
                raise
    assert target.group is not None
    return await _group(req, view, target.group, path.algorithm)


async def _index(
    req: Req, view: RepoView, package: PackageKey, make: _Make, algorithm: str | None, *, kind: str
) -> Answer:
    """From the rendered cache.  A checksum is that of the very bytes that are served."""

    def render(listing: Listing) -> bytes:
        made = make(listing)
        if made is None:
            raise _absent(view, f"{package.namespace}:{package.name}")
        return made if algorithm is None else _hex(made, algorithm)

    return await reply.index(
        req,
        view,
        package,
        kind=f"{kind}/{algorithm or ''}",
        media_type=_XML if algorithm is None else "text/plain",
        render=render,
        digests=_told if algorithm is None else None,
    )


async def _group(req: Req, view: RepoView, group: str, algorithm: str | None) -> Answer:
    """Plug-ins of a group; asked for seldom, so made anew."""
    made = metadata.prefixes(await plugins.of_group(view, group))
    if made is None:
        raise _absent(view, group)
    body = made if algorithm is None else _hex(made, algorithm)
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"etag": etag, "cache-control": "no-cache", **(_told(body) if algorithm is None else {})}
    if ranges.matches(req.headers.get("if-none-match", ""), etag):
        return Response(None, 304, headers)
    return reply.text(body, media_type=_XML if algorithm is None else "text/plain", headers=headers)


def _told(body: bytes) -> dict[str, str]:
    found = digests(body)
    return files.checksum_headers({name: getattr(found, name) for name in names.ALGORITHMS})


def _hex(body: bytes, algorithm: str) -> bytes:
    return hashlib.new(algorithm, body, usedforsecurity=False).hexdigest().encode()


def _absent(view: RepoView, what: str) -> ResourceNotFound:
    return ResourceNotFound(
        f"There is no metadata of {what} in repository {view.repository.key.name}",
        resource_id=what,
        resource_type="package",
    )


class MavenAdapter:
    """Implements registry.web.adapter.Adapter."""

    info: FormatInfo = INFO
    fetcher: Fetcher | None = MavenFetcher()
    routes: Sequence[Route] = (
        Route(("GET",), "{path...}", get),
        Route(("PUT",), "{path...}", publish.put),
    )

    def fold(self, segments: list[str]) -> list[str]:
        """Paths have one spelling."""
        return segments

    def error(self, err: RegistryError, req: Req) -> Response:
        return problem.answer(err)

    def challenge(self, req: Req) -> Mapping[str, str]:
        """Clients send nothing before they see this; they know no other scheme."""
        return {"WWW-Authenticate": 'Basic realm="packyard"'}


ADAPTER = MavenAdapter()
