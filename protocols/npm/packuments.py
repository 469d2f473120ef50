"""Reading: packuments, single manifests, tarballs, attestations."""

from __future__ import annotations

import functools
from dataclasses import replace

from protocols.npm import fetch, manifest, names, parse, render
from protocols.npm.parse import refusing
from registry.core.errors import ResourceNotFound
from registry.core.types import Facts, Listed, Listing, PackageKey, VersionKey
from registry.core.view import RepoView
from registry.web import reply
from registry.web.adapter import Answer
from registry.web.request import Req


async def packument(req: Req, view: RepoView) -> Answer:
    """`GET {package}`, full or abbreviated by Accept."""
    package = parse.package(req.path["package"])
    if wants_abbreviated(req.headers.get("accept", "")):
        return await reply.index(
            req,
            view,
            package,
            kind="abbreviated",
            media_type=render.ABBREVIATED_TYPE,
            render=functools.partial(render.abbreviated, base=req.base),
            vary="Accept",
        )
    return await reply.index(
        req,
        view,
        package,
        kind="full",
        media_type="application/json",
        render=functools.partial(render.full, base=req.base),
        vary="Accept",
        listing=functools.partial(with_readme, view, package),
    )


async def single(req: Req, view: RepoView) -> Answer:
    """`GET {package}/{version or tag}`."""
    package = parse.package(req.path["package"])
    wanted = req.path["version"]
    return await reply.index(
        req,
        view,
        package,
        kind=f"manifest {wanted[: names.MAX_VERSION]}",
        media_type="application/json",
        render=functools.partial(render.single, version_or_tag=wanted, base=req.base),
    )


async def tarball(req: Req, view: RepoView) -> Answer:
    """`GET {package}/-/{file}`.  A client with a lock file asks for this alone, without a packument before.

    The npm registry has a package named `-`, whose route has no package part.
    """
    package = parse.package(req.path.get("package", "-"))
    try:
        version = names.version_in_file(package, req.path["file"])
    except ValueError as err:
        raise ResourceNotFound(str(err), resource_type="asset") from None
    content = await view.open(VersionKey(package, version), names.ASSET)
    return await reply.content(req, content, media_type="application/octet-stream")


async def attestations(req: Req, view: RepoView) -> Answer:
    """`GET -/npm/v1/attestations/{name}@{version}`, passed through from the registry the version came from."""
    name, at, version = req.path["spec"].rpartition("@")
    if not at or not name:
        raise ResourceNotFound(f"There are no attestations of {req.path['spec'][:300]!r}")
    package = parse.package(name)
    with refusing():
        key = VersionKey(package, names.canonical_version(version))
    content = await view.open(key, fetch.ATTESTATIONS)
    return await reply.content(req, content, media_type="application/json", cache_control="no-cache")


async def with_readme(view: RepoView, package: PackageKey) -> Listing:
    """The listing, the readme of the latest version put to it: it is kept apart, with the version's facts."""
    listing = await view.listing(package)
    latest = render.latest(listing)
    if latest is None or manifest.unpack(latest.native).readme:
        return listing
    facts = await view.facts(package, latest.version)
    if not isinstance(facts, Facts) or not facts.readme:
        return listing
    parts = manifest.unpack(latest.native)._replace(readme=bytes(manifest.raw(facts.readme)))
    told = replace(latest, native=parts.pack())
    return replace(listing, versions=tuple(_swap(each, latest, told) for each in listing.versions))


def _swap(each: Listed, old: Listed, new: Listed) -> Listed:
    return new if each is old else each


def wants_abbreviated(accept: str) -> bool:
    """Whether the abbreviated form is named with at least the weight of plain JSON."""
    weights: dict[str, float] = {}
    for part in accept.lower().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        weight = next((each[2:] for each in parameters if each.startswith("q=")), "1")
        try:
            weights[kind] = float(weight)
        except ValueError:
            weights[kind] = 0.0
    asked = weights.get(render.ABBREVIATED_TYPE, 0.0)
    return asked > 0 and asked >= weights.get("application/json", 0.0)
