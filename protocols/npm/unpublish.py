"""`npm unpublish`, which the guide does not offer and its users miss.  Needs DeletePackageVersions.

One version: the client sends the packument back without it (`PUT {package}/-rev/{rev}`), then deletes the
tarball, which is gone by then.  The whole package, or its last version: `DELETE {package}/-rev/{rev}`.
"""

from __future__ import annotations

from protocols.npm import names, parse, render
from protocols.npm.changes import OWNERS
from protocols.npm.parse import refusing
from registry.core.errors import Conflict, NotSupported, Validation
from registry.core.ports import Staging
from registry.core.types import PackageKey, Status
from registry.core.view import RepoView
from registry.web import reply
from registry.web.adapter import Answer
from registry.web.request import Req


async def put(req: Req, view: RepoView) -> Answer:
    """`PUT {package}/-rev/{rev}`: the versions that the body lacks are deleted."""
    package = parse.package(req.path["package"])
    received = await parse.receive(req.stream(), _refuse, max_tarball=0)
    document = received.document
    if document.versions is None:
        if len(bytes(document.maintainers)):
            raise NotSupported(OWNERS)
        raise Validation("The document has no versions")
    with refusing():
        kept = {names.canonical_version(version) for version in document.versions}
    listing = await view.listing(package)
    gone = [listed.version for listed in listing.versions if listed.version not in kept]
    if not gone:
        return _ok(package)
    if len(gone) > 1 and req.path["rev"] != render.revision(listing):
        # Somebody published since the client read the packument: his version is not to be deleted with it.
        raise Conflict(f"{names.full_name(package)} was changed meanwhile; try again")
    await view.delete(package, await _owned(view, package, gone))
    return _ok(package)


async def package(req: Req, view: RepoView) -> Answer:
    """`DELETE {package}/-rev/{rev}`."""
    package = parse.package(req.path["package"])
    await _owned(view, package, None)
    await view.delete(package)
    return _ok(package)


async def tarball(req: Req, view: RepoView) -> Answer:
    """`DELETE {package}/-/{file}/-rev/{rev}`, the last step of unpublishing a version: nothing is left to do."""
    package = parse.package(req.path["package"])
    with refusing():
        version = names.version_in_file(package, req.path["file"])
    own = await view.own(package)
    if own is not None and any(each.key.version == version for each in own[1]):
        raise Conflict(f"{names.full_name(package)}@{version} is still in this repository: remove the version first")
    return _ok(package)


async def _refuse() -> Staging:
    raise Validation("A tarball cannot be sent to this address")


async def _owned(view: RepoView, package: PackageKey, versions: list[str] | None) -> list[str]:
    """These versions, all of this repository's own; never "not found", which the client takes for success."""
    own = await view.own(package)
    held = {each.key.version for each in own[1] if each.status is not Status.DELETED} if own else set()
    missing = [version for version in versions or () if version not in held]
    if missing or not held:
        what = f"@{missing[0]}" if missing else ""
        raise Conflict(
            f"{names.full_name(package)}{what} is not in this repository itself and cannot be unpublished from it"
        )
    return versions or []


def _ok(package: PackageKey) -> Answer:
    return reply.json({"ok": True, "id": names.full_name(package)})
