"""The rows of an arriving version, written inside somebody's unit of work, each change with its event.

Used by publishing, retention and copying.  The caller has touched the package row, which is the lock, and
has decided that the change may be made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from registry.core import events
from registry.core.clock import new_id
from registry.core.errors import ResourceNotFound
from registry.core.ports import Tx
from registry.core.revisions import revision
from registry.core.types import (
    Asset,
    Control,
    Facts,
    Origin,
    PackageKey,
    PackageRow,
    Repository,
    Status,
    Version,
    VersionKey,
)


@dataclass(frozen=True, slots=True)
class Arriving:
    """A version on its way into a repository, its files already in the domain."""

    key: VersionKey
    display: str
    status: Status
    origin: Origin
    published: int
    sort: str
    native: bytes
    facts: Facts
    assets: tuple[Asset, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where and when rows are written: a touched package of a repository."""

    tx: Tx
    repository: Repository
    row: PackageRow
    now: int


def arriving(version: Version, facts: Facts) -> Arriving:
    """A stored version, on its way into another repository of the domain."""
    return Arriving(
        key=version.key,
        display=version.display,
        status=version.status,
        origin=version.origin,
        published=version.published,
        sort=version.sort,
        native=version.native,
        facts=facts,
        assets=version.assets,
    )


async def touched(
    tx: Tx, repository: Repository, key: PackageKey, *, display: str, controls: tuple[Control, Control], now: int
) -> Place:
    """Count up the package's row, which locks it, or make it with these controls.

    Raises ResourceNotFound when the repository has gone since it was looked up.
    """
    publish, upstream = controls
    row = await tx.packages.touch(
        repository.id, key, display=display or key.name, publish=publish, upstream=upstream, now=now
    )
    if row is None:
        raise ResourceNotFound(
            f"Repository {repository.key.name} does not exist any more",
            resource_id=repository.key.name,
            resource_type="repository",
        )
    return Place(tx, repository, row, now)


async def insert(place: Place, new: Arriving, *, replaced: Version | None = None) -> Version:
    """A version that was not there; or, with `replaced` (already deleted), in the place of another."""
    assets = by_name(new.assets)
    version = Version(
        id=new_id(place.now),
        package_id=place.row.id,
        key=new.key,
        display=new.display,
        status=new.status,
        revision=revision(new.native, assets),
        origin=new.origin,
        published=new.published,
        sort=new.sort,
        native=new.native,
        assets=assets,
    )
    await place.tx.versions.add(version, new.facts)
    if replaced is None:
        changes = events.Changes(assets_added=len(assets), metadata=True, status=True)
        await announce(place, version, "Created", changes)
    else:
        await announce(place, version, "Updated", _difference(replaced, version))
    return version


async def extend(
    place: Place,
    held: Version,
    assets: Sequence[Asset],
    *,
    native: bytes | None = None,
    facts: Facts | None = None,
    status: Status | None = None,
) -> Version:
    """Further assets and newer metadata for a version that is there; `status` when that changes as well."""
    native = held.native if native is None else native
    changed = replace(held, native=native, status=status or held.status, assets=by_name((*held.assets, *assets)))
    changed = replace(changed, revision=revision(changed.native, changed.assets))
    if status is not None and held.status is Status.UNFINISHED:
        changed = replace(changed, published=place.now)
    if assets:
        await place.tx.versions.add_assets(held.id, assets)
    if facts is not None:
        await place.tx.versions.set_facts(held.id, facts)
    await place.tx.versions.change(
        held.id,
        status=changed.status,
        revision=changed.revision,
        native=changed.native,
        published=changed.published,
    )
    changes = events.Changes(
        assets_added=len(assets),
        metadata=native != held.native or facts is not None,
        status=changed.status is not held.status,
    )
    await announce(place, changed, "Updated", changes)
    return changed


async def announce(
    place: Place,
    version: Version,
    operation: events.Operation,
    changes: events.Changes,
    *,
    sequence: int | None = None,
) -> None:
    """The event of a change, into the outbox of the same transaction."""
    subject = events.Subject(version.key.package, version.display, version.status, version.revision)
    await place.tx.outbox.add(
        events.made(
            place.repository,
            subject,
            operation,
            changes,
            sequence=place.row.seq if sequence is None else sequence,
            now=place.now,
        )
    )


def joined(known: Facts, further: Facts) -> Facts:
    """What is known of a version, completed by what a further asset tells; what is known stays."""
    return replace(
        known,
        display=known.display or further.display,
        summary=known.summary or further.summary,
        homepage=known.homepage or further.homepage,
        source=known.source or further.source,
        licenses=known.licenses or further.licenses,
        readme=further.readme if known.readme is None else known.readme,
        dependencies=known.dependencies or further.dependencies,
    )


def by_name(assets: Sequence[Asset]) -> tuple[Asset, ...]:
    """Assets in the order in which they are stored and shown."""
    return tuple(sorted(assets, key=lambda asset: asset.name))


def _difference(old: Version, new: Version) -> events.Changes:
    before = {asset.name: asset.blob.digests.sha256 for asset in old.assets}
    after = {asset.name: asset.blob.digests.sha256 for asset in new.assets}
    return events.Changes(
        assets_added=len(after.keys() - before.keys()),
        assets_removed=len(before.keys() - after.keys()),
        assets_updated=sum(before[name] != after[name] for name in before.keys() & after.keys()),
        metadata=old.native != new.native,
        status=old.status is not new.status,
    )
