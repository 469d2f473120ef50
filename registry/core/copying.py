"""Copying versions between repositories of a domain: rows only, all or none.

Guide, "Copy packages between repositories" and "npm tags and the CopyPackageVersions API".  Copying is not
publishing: origin controls of the destination do not stop it, which the guide's way to patch an external
package needs.  A variation of what a package group names (a weak match) is not copied either (RULINGS 4.3).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from registry.core.errors import UpstreamUnavailable, Validation
from registry.core.origin import Modes, defaults, weakly_matched
from registry.core.outcomes import (
    CopyRequest,
    Done,
    Failed,
    Outcome,
    canonical,
    not_found,
    package_missing,
    refused,
    wrong_revision,
)
from registry.core.ports import Tx
from registry.core.services import Services
from registry.core.types import Origin, PackageRow, Repository, Status, Version, VersionKey
from registry.core.writing import arriving, insert, touched

_SKIPPED = "Version {} was skipped"


@dataclass(frozen=True, slots=True)
class _Item:
    """One version to copy: where it lies, and what it would replace."""

    source: PackageRow
    version: Version
    replaced: Version | None


async def copy(services: Services, request: CopyRequest) -> Outcome:
    """Copy, all or none.  Versions that the destination has with the same content are in neither map.

    Raises ResourceNotFound for a package that the source does not have, Validation for a bad combination,
    UpstreamUnavailable when a version has to be fetched first and cannot be.
    """
    if bool(request.versions) == bool(request.revisions):
        raise Validation("Specify either versions or versionRevisions, and not both")
    if request.source.domain_id != request.destination.domain_id:
        raise Validation("The source and destination repositories must be in the same domain")
    asked = tuple(dict.fromkeys(request.versions or request.revisions))
    holders = await _holders(services, request, asked)
    if request.include_from_upstream and not holders and await _offered(services, request):
        failed = {version: not_found(version) for version in asked}
        return refused(asked, failed, _SKIPPED)
    tags = await _tags_shown(services, request, asked)
    return await services.store.write(lambda tx: _copy(tx, services, request, asked, holders, tags))


async def _holders(services: Services, request: CopyRequest, asked: Sequence[str]) -> dict[str, Repository]:
    """The repository to copy each version from.  What only an external registry has is fetched first."""
    if not request.include_from_upstream:
        return dict.fromkeys(asked, request.source)
    holders: dict[str, Repository] = {}
    for version in asked:
        key = canonical(request.info, version)
        if key is not None:
            found = await services.resolver.secure(request.source, VersionKey(request.package, key))
            if found is not None:
                holders[version] = found
    return holders


async def _offered(services: Services, request: CopyRequest) -> bool:
    """Is the package known upstream, though not in these versions?"""
    listing = await services.resolver.listing(request.source, request.package)
    return bool(listing.versions or listing.unlisted)


async def _tags_shown(services: Services, request: CopyRequest, asked: Sequence[str]) -> Mapping[str, str]:
    """The tags that clients of the source see: a version that came from elsewhere has its tags there.

    A registry that cannot be asked does not stop a copy of what is stored.
    """
    if request.info.tag_latest is None or not await services.store.read(lambda tx: _came(tx, request, asked)):
        return {}
    try:
        return (await services.resolver.listing(request.source, request.package)).tags
    except UpstreamUnavailable:
        return {}


async def _came(tx: Tx, request: CopyRequest, asked: Sequence[str]) -> bool:
    """Is any of these versions one that was not published into the source itself?"""
    if request.include_from_upstream:
        return True
    own = Origin("INTERNAL", repository=request.source.key.name)
    row = await tx.packages.get(request.source.id, request.package)
    keys = [] if row is None else [canonical(request.info, version) for version in asked]
    held = [await tx.versions.get(row.id, key) for key in keys if row is not None and key is not None]
    return any(version is not None and version.origin != own for version in held)


async def _copy(
    tx: Tx,
    services: Services,
    request: CopyRequest,
    asked: Sequence[str],
    holders: Mapping[str, Repository],
    tags: Mapping[str, str],
) -> Outcome:
    modes = await services.groups.modes(tx, request.destination, request.package)
    items, failed, same = await _examine(tx, request, asked, holders)
    if modes.weak and items:
        why = f"Copying is not allowed: {weakly_matched(request.package, modes)}"
        failed |= {spelled: Failed("NOT_ALLOWED", why) for spelled in items}
    if failed:
        return refused([version for version in asked if version not in same], failed, _SKIPPED)
    done = {}
    for spelled, item in sorted(items.items()):
        version = await _copy_one(tx, request, item, modes, services.clock.now())
        done[spelled] = Done(version.revision, version.status)
    await _copy_tags(tx, request, items.values(), tags)
    return Outcome(done, {})


async def _examine(
    tx: Tx, request: CopyRequest, asked: Sequence[str], holders: Mapping[str, Repository]
) -> tuple[dict[str, _Item], dict[str, Failed], set[str]]:
    """What to copy, what cannot be, and what is there already."""
    repositories = {repo.id: repo for repo in (request.source, *holders.values())}
    rows = {row.repo_id: row for row in await tx.packages.across(list(repositories), request.package)}
    if not rows:
        raise package_missing(request.source, request.package)
    destination = await tx.packages.get(request.destination.id, request.package)
    items: dict[str, _Item] = {}
    failed: dict[str, Failed] = {}
    same: set[str] = set()
    seen: set[int] = set()
    for spelled in asked:
        row = rows.get(holders[spelled].id) if spelled in holders else None
        key = canonical(request.info, spelled)
        version = None if row is None or key is None else await tx.versions.get(row.id, key)
        if row is None or version is None:
            failed[spelled] = not_found(spelled)
            continue
        held = None if destination is None else await tx.versions.get(destination.id, version.key.version)
        failure = _failure(request, spelled, version, held)
        if failure is not None:
            failed[spelled] = failure
        elif version.id in seen or (held is not None and _identical(version, held)):
            same.add(spelled)
        else:
            seen.add(version.id)
            items[spelled] = _Item(row, version, held)
    return items, failed, same


def _failure(request: CopyRequest, spelled: str, version: Version, held: Version | None) -> Failed | None:
    wrong = wrong_revision(version, request.revisions.get(spelled))
    if wrong is not None:
        return wrong
    if held is not None and _identical(version, held):
        return None
    if version.status is Status.DISPOSED:
        return Failed("NOT_ALLOWED", f"Version {spelled} is Disposed and can only be deleted")
    if held is not None and not request.allow_overwrite:
        return Failed("ALREADY_EXISTS", f"Version {spelled} already exists")
    if held is not None and held.status is Status.DISPOSED:
        return Failed("NOT_ALLOWED", f"Version {spelled} is Disposed in the destination and can only be deleted")
    return None


def _identical(version: Version, held: Version) -> bool:
    """The same assets and metadata; a disposed version has its old revision, but no assets any more."""
    gone = {version.status, held.status} & {Status.DISPOSED}
    return version.id == held.id or (version.revision == held.revision and not gone)


async def _copy_one(tx: Tx, request: CopyRequest, item: _Item, modes: Modes, now: int) -> Version:
    facts = await tx.versions.facts(item.version.id)
    place = await touched(
        tx,
        request.destination,
        request.package,
        display=item.source.display,
        controls=defaults(item.version.origin.type, modes),
        now=now,
    )
    if item.replaced is not None:
        await tx.versions.delete(item.replaced.id)
    return await insert(place, arriving(item.version, facts), replaced=item.replaced)


async def _copy_tags(tx: Tx, request: CopyRequest, items: Iterable[_Item], shown: Mapping[str, str]) -> None:
    """Every tag that names a copied version, where it lies or as the source shows it; the latter wins, as in reads."""
    sources = {item.version.key.version: item.source.id for item in items}
    row = await tx.packages.get(request.destination.id, request.package)
    if row is None or not sources:
        return
    own = await tx.packages.tags(sorted(set(sources.values())))
    moved = {
        tag: version for source, tags in own.items() for tag, version in tags.items() if sources.get(version) == source
    }
    moved.update((tag, version) for tag, version in shown.items() if version in sources)
    for tag, version in moved.items():
        await tx.packages.set_tag(row.id, tag, version)
