"""Changes that clients make to what they have published: deprecate, yank, unlist, tags.

One unit of work, run by its caller; nothing here authorizes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from registry.core import events
from registry.core.errors import Conflict
from registry.core.outcomes import package_missing, version_missing
from registry.core.ports import Tx
from registry.core.revisions import revision
from registry.core.types import Change, PackageKey, PackageRow, Repository, Status, Version, VersionKey
from registry.core.writing import Place, announce


async def change(
    tx: Tx,
    repository: Repository,
    package: PackageKey,
    versions: Mapping[str, Change],
    tags: Mapping[str, str | None],
    *,
    now: int,
) -> None:
    """Change versions (canonical spelling) and tags (None removes) of a package of this repository.

    Raises ResourceNotFound for a package or version that is not here, Conflict for one that is Disposed.
    A change that changes nothing leaves no event, and the package's counter as it is.
    """
    row = await tx.packages.get(repository.id, package)
    if row is None:
        raise package_missing(repository, package)
    place = Place(tx, repository, row, now)
    for spelled, wanted in versions.items():
        held = await tx.versions.get(row.id, spelled)
        if held is None:
            raise version_missing(repository, VersionKey(package, spelled))
        await _change_version(place, held, wanted)
    if tags:
        await _change_tags(tx, row, tags)


async def _change_version(place: Place, held: Version, wanted: Change) -> None:
    native = held.native if wanted.native is None else wanted.native(held.native)
    changed = replace(held, native=native, status=wanted.status or held.status, revision=revision(native, held.assets))
    metadata, status = native != held.native, changed.status is not held.status
    if not metadata and not status:
        return
    if held.status is Status.DISPOSED:
        raise Conflict(
            f"Version {held.display} is Disposed and can only be deleted",
            resource_id=held.display,
            resource_type="package-version",
        )
    sequence = await place.tx.packages.bump(place.row.id)
    await place.tx.versions.change(held.id, native=changed.native, status=changed.status, revision=changed.revision)
    changes = events.Changes(metadata=metadata, status=status)
    await announce(place, changed, "Updated", changes, sequence=sequence)


async def _change_tags(tx: Tx, row: PackageRow, tags: Mapping[str, str | None]) -> None:
    """Tags belong to the package: no version changes, so there is no event, but its indexes do."""
    held = (await tx.packages.tags([row.id])).get(row.id, {})
    moved = {tag: version for tag, version in tags.items() if held.get(tag) != version}
    for tag, version in moved.items():
        if version is None:
            await tx.packages.drop_tag(row.id, tag)
        else:
            await tx.packages.set_tag(row.id, tag, version)
    if moved:
        await tx.packages.bump(row.id)
