"""Changing, disposing of and deleting what a repository holds.

Guide, "Update package version status", "Disposing of package versions", "Delete a package or package
version" and "Editing package origin controls".  Each function is one unit of work; nothing authorizes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from registry.core import events
from registry.core.errors import Validation
from registry.core.outcomes import (
    Done,
    Failed,
    Outcome,
    VersionsRequest,
    canonical,
    check_revisions,
    not_found,
    package_missing,
    refused,
    wrong_revision,
    wrong_status,
)
from registry.core.ports import Tx
from registry.core.services import Services
from registry.core.types import Control, PackageKey, PackageRow, Repository, Status, Version
from registry.core.writing import Place, announce, touched

# Apply one change to one version of a touched package and say what it came to.
Apply = Callable[[Place, Version], Awaitable[Done]]

_TARGETS = (Status.PUBLISHED, Status.UNLISTED, Status.ARCHIVED)
_SKIPPED = "version {} is skipped"


async def update_status(services: Services, request: VersionsRequest, *, target: Status) -> Outcome:
    """Set the status of versions, all or none.

    Raises ResourceNotFound for an unknown package, Validation for a target that is not allowed.
    """
    if target not in _TARGETS:
        allowed = ", ".join(_TARGETS)
        raise Validation(f"targetStatus {target} is not allowed; it must be one of {allowed}")

    def check(version: Version) -> Failed | None:
        if version.status is Status.DISPOSED:
            return Failed("NOT_ALLOWED", f"version {version.display} is Disposed and can only be deleted")
        return None

    async def apply(place: Place, version: Version) -> Done:
        return await set_status(place, version, target)

    return await _all_or_none(services, request, check, apply)


async def dispose(services: Services, request: VersionsRequest) -> Outcome:
    """Drop the assets and keep the versions as Disposed, all or none.  Raises ResourceNotFound."""
    return await _all_or_none(services, request, lambda version: None, _dispose)


async def delete_versions(services: Services, request: VersionsRequest) -> Outcome:
    """Remove versions with the tags that name them, all or none; the package stays.  Raises ResourceNotFound."""
    return await _all_or_none(services, request, lambda version: None, _delete)


async def delete_package(services: Services, repository: Repository, key: PackageKey) -> PackageRow:
    """Remove a package with versions, tags and configuration; return what it was.  Raises ResourceNotFound."""

    async def work(tx: Tx) -> PackageRow:
        row = await tx.packages.get(repository.id, key)
        if row is None:
            raise package_missing(repository, key)
        place = Place(tx, repository, row, services.clock.now())
        for version in await tx.versions.of([row.id]):
            await _delete(place, version)
        await tx.packages.delete(row.id)
        return row

    return await services.store.write(work)


async def put_origin(
    services: Services, repository: Repository, key: PackageKey, *, publish: Control, upstream: Control, display: str
) -> PackageRow:
    """Set origin controls; makes the package, without versions, when it is absent (`display` names it then)."""

    async def work(tx: Tx) -> PackageRow:
        row = await tx.packages.get(repository.id, key)
        if row is None:
            now = services.clock.now()
            place = await touched(tx, repository, key, display=display, controls=(publish, upstream), now=now)
            row = place.row
        await tx.packages.set_controls(row.id, publish, upstream)
        return await tx.packages.get(repository.id, key) or row

    return await services.store.write(work)


async def set_status(place: Place, version: Version, target: Status) -> Done:
    """One version's status; no event when it is that already.  Finishing a version is publishing it."""
    if version.status is not target:
        published = place.now if version.status is Status.UNFINISHED and target is Status.PUBLISHED else None
        await place.tx.versions.change(version.id, status=target, published=published)
        changed = replace(version, status=target)
        await _announce(place, changed, "Updated", events.Changes(status=True))
    return Done(version.revision, target)


# --- one version -----------------------------------------------------------------------------


async def _dispose(place: Place, version: Version) -> Done:
    if version.status is not Status.DISPOSED:
        await place.tx.versions.drop_assets(version.id)
        await place.tx.versions.change(version.id, status=Status.DISPOSED)
        changes = events.Changes(assets_removed=len(version.assets), status=True)
        await _announce(place, replace(version, status=Status.DISPOSED), "Updated", changes)
    return Done(version.revision, Status.DISPOSED)


async def _delete(place: Place, version: Version) -> Done:
    tags = await place.tx.packages.tags([place.row.id])
    for tag, tagged in tags.get(place.row.id, {}).items():
        if tagged == version.key.version:
            await place.tx.packages.drop_tag(place.row.id, tag)
    await place.tx.versions.delete(version.id)
    changes = events.Changes(assets_removed=len(version.assets), status=True)
    await _announce(place, version, "Deleted", changes)
    return Done(version.revision, Status.DELETED)


async def _announce(place: Place, version: Version, operation: events.Operation, changes: events.Changes) -> None:
    """Every event has a sequence number of its own."""
    await announce(place, version, operation, changes, sequence=await place.tx.packages.bump(place.row.id))


# --- all or none -----------------------------------------------------------------------------


async def _all_or_none(
    services: Services, request: VersionsRequest, check: Callable[[Version], Failed | None], apply: Apply
) -> Outcome:
    check_revisions(request)

    async def work(tx: Tx) -> Outcome:
        row = await tx.packages.get(request.repository.id, request.package)
        if row is None:
            raise package_missing(request.repository, request.package)
        found, failed = await _examine(tx, request, row, check)
        if failed:
            return refused(request.versions, failed, _SKIPPED)
        place = Place(tx, request.repository, row, services.clock.now())
        done = {version.id: await apply(place, version) for version in {v.id: v for v in found.values()}.values()}
        return Outcome({asked: done[version.id] for asked, version in sorted(found.items())}, {})

    return await services.store.write(work)


async def _examine(
    tx: Tx, request: VersionsRequest, row: PackageRow, check: Callable[[Version], Failed | None]
) -> tuple[dict[str, Version], dict[str, Failed]]:
    """Which versions are meant, and which of them cannot be changed and why."""
    found: dict[str, Version] = {}
    failed: dict[str, Failed] = {}
    for asked in request.versions:
        key = canonical(request.info, asked)
        version = None if key is None else await tx.versions.get(row.id, key)
        if version is None:
            failed[asked] = not_found(asked)
            continue
        failure = (
            wrong_revision(version, request.revisions.get(asked))
            or wrong_status(version, request.expected)
            or check(version)
        )
        if failure is None:
            found[asked] = version
        else:
            failed[asked] = failure
    return found, failed
