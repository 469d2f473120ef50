"""What cargo reads: config.json, index files, .crate files (Cargo Book, "Registry Index")."""

from __future__ import annotations

from protocols.cargo import lines, names, refusing
from registry.core.errors import ResourceNotFound
from registry.core.types import Listing, PackageKey, VersionKey
from registry.core.view import RepoView
from registry.web import reply
from registry.web.adapter import Answer
from registry.web.request import Req


async def config(req: Req, view: RepoView) -> Answer:
    """`config.json`.  `auth-required` makes cargo send its token with every other request; who needs none has none."""
    await view.facts(PackageKey(names.FORMAT, None, "-"), "0.0.0")  # needs ReadFromRepository as all else does
    root = req.base.rstrip("/")
    document: dict[str, object] = {"dl": f"{root}/api/v1/crates", "api": root}
    if not view.caller.anonymous:
        document["auth-required"] = True
    return reply.json(document, headers={"cache-control": "no-cache"})


async def file(req: Req, view: RepoView) -> Answer:
    """An index file.  Its directories must be those of the name, and all is in lower case."""
    name = req.path["name"]
    package = refusing.package(name)
    if req.rest != names.index_path(name) or name != package.name:
        raise ResourceNotFound(f"There is no index file at {req.rest[:200]!r}")
    return await reply.index(req, view, package, kind="index", media_type="text/plain; charset=utf-8", render=_rendered)


def _rendered(listing: Listing) -> bytes:
    """Unlisted versions stay, as yanked ones, so that locked builds go on (rulings, "Packages" 4)."""
    body = lines.rendered((*listing.versions, *listing.unlisted))
    if not body:
        raise ResourceNotFound(
            f"There is no crate {listing.package.name!r} here",
            resource_id=listing.package.name,
            resource_type="package",
        )
    return body


async def download(req: Req, view: RepoView) -> Answer:
    """`api/v1/crates/{crate}/{version}/download`; the crate as the index spells it, `+` as it is or as `%2B`."""
    crate, version = req.path["crate"], req.path["version"]
    key, name = refusing.version(crate, version), names.asset(crate, version)
    try:
        content = await view.open(key, name)
    except ResourceNotFound:
        if "+" not in version:
            raise
        # An old registry may have versions that differ in build metadata alone; the second keeps its own.
        content = await view.open(VersionKey(key.package, version), name)
    return await reply.content(req, content, media_type="application/gzip")
