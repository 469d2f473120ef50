"""Generic packages over plain HTTP (docs/formats/generic.md): PUT, GET, HEAD, list, finish.

The service itself has no such endpoint; the same rules as for PublishPackageVersion hold, as the same
functions are behind it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from starlette.responses import Response

from protocols.generic import checksums, names, problem, render
from registry.core.errors import RegistryError, ResourceNotFound, TooLarge, Validation
from registry.core.ports import Fetcher, Staging
from registry.core.types import Draft, DraftAsset, Facts, FormatInfo, PackageKey, Status, Version, VersionKey
from registry.core.view import RepoView
from registry.web import reply
from registry.web.adapter import Answer, Route
from registry.web.request import Req

INFO = FormatInfo(
    name="generic",
    canonical=names.canonical,
    canonical_version=names.canonical_version,
    sort=names.sort_key,
    namespace_required=True,
    upstreams=False,
    asset_name=names.check_asset_name,
    redirects=True,
)
_SUMS = "SHA256SUMS"
_VISIBLE = frozenset({Status.PUBLISHED, Status.UNLISTED})


def _package(req: Req) -> PackageKey:
    """Raises Validation."""
    for part in (req.path["namespace"], req.path["package"], req.path.get("version", "1")):
        if part in {".", ".."}:
            raise Validation(f"{part!r} cannot be part of an address")
    try:
        return PackageKey("generic", *names.canonical(req.path["namespace"], req.path["package"]))
    except ValueError as err:
        raise Validation(str(err)) from None


def _version(req: Req) -> VersionKey:
    package = _package(req)
    try:
        return VersionKey(package, names.canonical_version(req.path["version"]))
    except ValueError as err:
        raise Validation(str(err)) from None


def _asset(req: Req) -> str:
    name = req.path["asset"]
    try:
        names.check_asset_name(name)
    except ValueError as err:
        raise Validation(str(err)) from None
    return name


async def put(req: Req, view: RepoView) -> Answer:
    """Publish one asset.  `?unfinished=true` keeps the version open; `If-None-Match: *` only creates."""
    key, name = _version(req), _asset(req)
    sent = checksums.declared(req.headers)
    unfinished = _flag(req, "unfinished")
    await view.may_publish(key.package)
    create_only = req.headers.get("if-none-match", "").strip() == "*"
    if create_only and await _holds(view, key, name):
        raise problem.PreconditionFailed(f"Asset {name!r} exists already")
    limit = view.services.quotas.asset_bytes
    if int(req.headers.get("content-length", "0")) > limit:
        raise TooLarge(f"An asset has at most {limit} bytes")
    async with view.stage() as staging:
        await _receive(req, staging, limit)
        staged = await staging.done()
        checksums.verify(sent, staged.digests)
        draft = Draft(
            key=key,
            display=key.version,
            native=b"",
            facts=Facts(display=key.package.name),
            assets=(DraftAsset(name, staged),),
            finish=not unfinished,
            exists="add",
        )
        published = await view.publish(draft)
    if create_only and not published.created:
        raise problem.PreconditionFailed(f"Asset {name!r} exists already")
    return reply.json(render.published(published.version, name), 201 if published.created else 200)


async def _receive(req: Req, staging: Staging, limit: int) -> None:
    size = 0
    async for chunk in req.stream():
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"An asset has at most {limit} bytes")
        await staging.write(chunk)


async def _holds(view: RepoView, key: VersionKey, name: str) -> bool:
    version = await _own(view, key)
    return version is not None and any(asset.name == name for asset in version.assets)


async def _own(view: RepoView, key: VersionKey) -> Version | None:
    own = await view.own(key.package)
    return None if own is None else next((v for v in own[1] if v.key.version == key.version), None)


def _flag(req: Req, name: str) -> bool:
    value = req.query.get(name)
    if value is None:
        return False
    if value.lower() not in {"", "true", "1", "false", "0"}:
        raise Validation(f"{name!r} must be true or false, not {value[:20]!r}")
    return value.lower() in {"", "true", "1"}


async def get(req: Req, view: RepoView) -> Answer:
    """An asset's bytes; SHA256SUMS is made up where no asset has that name."""
    key, name = _version(req), _asset(req)
    if name == _SUMS and not await _holds(view, key, name):
        return reply.text(render.sums(await _visible(view, key)), headers={"cache-control": "no-cache"})
    content = await view.open(key, name)
    sha256 = content.digests["sha256"]
    return await reply.content(
        req,
        content,
        etag=f"sha256:{sha256}",
        headers={"repr-digest": checksums.repr_digest(sha256)},
        filename=name,
        # An address can come to mean other bytes: after a delete, the version may be published again.
        cache_control="no-cache",
    )


async def _visible(view: RepoView, key: VersionKey) -> Version:
    """Raises ResourceNotFound, also for a version that is Unfinished, Archived or Disposed."""
    version = await _own(view, key)
    if version is None or version.status not in _VISIBLE:
        raise ResourceNotFound(
            f"There is no version {key.version} of {key.package.namespace}/{key.package.name} here",
            resource_id=key.version,
            resource_type="package-version",
        )
    return version


async def list_assets(req: Req, view: RepoView) -> Answer:
    """JSON, or SHA256SUMS for a client that prefers plain text."""
    version = await _visible(view, _version(req))
    accepted = req.headers.get("accept", "").partition(",")[0].partition(";")[0].strip().lower()
    if accepted == "text/plain":
        return reply.document(req, render.sums(version).encode(), "text/plain; charset=utf-8", vary="Accept")
    return reply.document(req, msgspec.json.encode(render.assets(version)), "application/json", vary="Accept")


async def list_versions(req: Req, view: RepoView) -> Answer:
    """Published versions, the newest first."""
    package = _package(req)
    own = await view.own(package)
    if own is None:
        name = f"{package.namespace}/{package.name}"
        raise ResourceNotFound(f"There is no package {name} here", resource_id=name, resource_type="package")
    return reply.document(req, msgspec.json.encode(render.versions(package, own[1])), "application/json")


async def finish(req: Req, view: RepoView) -> Answer:
    """`POST .../{version}/?finish`: an Unfinished version becomes Published."""
    key = _version(req)
    if not _flag(req, "finish"):
        raise Validation("POST here needs ?finish")
    await view.set_status(key, Status.PUBLISHED)
    return reply.json(render.assets(await _visible(view, key)))


class GenericAdapter:
    """Implements registry.web.adapter.Adapter."""

    info: FormatInfo = INFO
    fetcher: Fetcher | None = None
    routes: Sequence[Route] = (
        Route(("PUT",), "{namespace}/{package}/{version}/{asset}", put),
        Route(("GET",), "{namespace}/{package}/{version}/{asset}", get),
        Route(("GET",), "{namespace}/{package}/{version}/", list_assets),
        Route(("POST",), "{namespace}/{package}/{version}/", finish),
        Route(("POST",), "{namespace}/{package}/{version}", finish),
        Route(("GET",), "{namespace}/{package}/", list_versions),
    )

    def fold(self, segments: list[str]) -> list[str]:
        """Paths have one spelling."""
        return segments

    def error(self, err: RegistryError, req: Req) -> Response:
        return problem.answer(err)

    def challenge(self, req: Req) -> Mapping[str, str]:
        return {"WWW-Authenticate": 'Basic realm="packyard"'}


ADAPTER = GenericAdapter()
