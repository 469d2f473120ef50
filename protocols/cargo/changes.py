"""Yank and unyank, owners, and the page that `cargo login` points to."""

from __future__ import annotations

from protocols.cargo import lines, refusing
from registry.core.errors import Conflict, NotSupported, ResourceNotFound
from registry.core.types import Change, Status, VersionKey
from registry.core.view import RepoView
from registry.web import reply
from registry.web.adapter import Answer
from registry.web.request import Req

_SHOWN = (Status.PUBLISHED, Status.UNLISTED)

ME = (
    "A token for this registry is an authorization token of its domain:\n\n"
    "    aws codeartifact get-authorization-token --domain DOMAIN --query authorizationToken --output text\n\n"
    "`packyard login cargo` fetches one and sets cargo up.\n"
)


async def yank(req: Req, view: RepoView) -> Answer:
    """`DELETE .../yank`: the version becomes Unlisted, which the index shows as yanked.  Needs PutPackageMetadata."""
    await _set(req, view, Status.UNLISTED)
    return reply.json({"ok": True})


async def unyank(req: Req, view: RepoView) -> Answer:
    """`PUT .../unyank`: Published again."""
    await _set(req, view, Status.PUBLISHED)
    return reply.json({"ok": True})


async def _set(req: Req, view: RepoView, status: Status) -> None:
    key = refusing.version(req.path["crate"], req.path["version"])
    await _check(view, key, status)
    await view.change(key.package, versions={key.version: Change(status=status)})


async def _check(view: RepoView, key: VersionKey, status: Status) -> None:
    own = await view.own(key.package)
    held = next((each for each in own[1] if each.key.version == key.version), None) if own else None
    if held is not None and held.status not in _SHOWN:
        raise ResourceNotFound(
            f"Version {held.display} of crate {key.package.name} is {held.status} in this repository",
            resource_id=held.display,
            resource_type="package-version",
        )
    if held is not None and status is Status.PUBLISHED and any(each.native == lines.YANKED for each in held.assets):
        raise Conflict(f"Version {held.display} was yanked in the registry that it came from")


async def owners(req: Req, view: RepoView) -> Answer:
    """`GET .../owners`: the account that administers the repository; who may publish is decided by policies."""
    package = refusing.package(req.path["crate"])
    listing = await view.listing(package)
    if not listing.versions and not listing.unlisted:
        raise ResourceNotFound(f"There is no crate {req.path['crate']!r} here", resource_type="package")
    key = view.repository.key
    name = f"administers repository {key.name} of domain {key.domain.name}"
    account = view.repository.administrator
    return reply.json({"users": [{"id": int(account) % 2**32, "login": account, "name": name}]})


async def set_owners(req: Req, view: RepoView) -> Answer:
    raise NotSupported("Owners of a crate cannot be changed here: who may publish is decided by permissions policies")


async def me(req: Req, view: RepoView) -> Answer:
    """`cargo login` tells its user to fetch a token there."""
    return reply.text(ME)
