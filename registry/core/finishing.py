"""Versions that are published file by file: what is here of one, finishing several, pointing one at another.

Guide, "Package version status" (Unfinished) and "Snapshot publishing in CodeArtifact" (a version that always refers
to the last of others).  Each is one unit of work that authorizes what publishing needs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from registry.core import events, origin, statuses
from registry.core.early import Publisher
from registry.core.errors import Conflict
from registry.core.outcomes import package_missing, version_missing
from registry.core.ports import Tx
from registry.core.types import (
    Asset,
    Origin,
    PackageRow,
    Status,
    Version,
    VersionFilter,
    VersionKey,
)
from registry.core.writing import Arriving, Place, announce, insert, touched

_PAGE = 500
_HELD = (Status.PUBLISHED, Status.UNLISTED, Status.UNFINISHED)

Tags = Mapping[str, str]
Check = Callable[[Version, Tags], None]
"""Raises what keeps a version from being finished; sees the package's tags too."""


@dataclass(frozen=True, slots=True)
class Pointing:
    """`pointer` is to have the assets of `target`, and those of `others` (version -> asset names).

    `last(held)`: the pointer as it is refers to something later, so that it stays.
    """

    pointer: VersionKey
    display: str
    target: str
    others: Mapping[str, Collection[str]]
    last: Callable[[Version], bool]


async def held(tx: Tx, publisher: Publisher, version: str) -> tuple[Version, Tags] | None:
    """A version as this repository has it, with the package's tags, for whoever may publish it."""
    row = await publisher.admitted(tx)
    found = None if row is None else await tx.versions.get(row.id, version)
    if row is None or found is None:
        return None
    return found, (await tx.packages.tags([row.id])).get(row.id, {})


async def published_tags(tx: Tx, rows: Sequence[PackageRow]) -> dict[str, Tags]:
    """Tags that name Published versions, by package name; of rows of the same name the first counts."""
    tags = await tx.packages.tags([row.id for row in rows])
    found: dict[str, Tags] = {}
    for row in rows:
        if row.id not in tags or row.key.name in found:
            continue
        named = {version: await tx.versions.get(row.id, version) for version in set(tags[row.id].values())}
        shown = {version for version, held in named.items() if held is not None and held.status is Status.PUBLISHED}
        found[row.key.name] = {tag: version for tag, version in tags[row.id].items() if version in shown}
    return found


async def newest(tx: Tx, publisher: Publisher) -> str | None:
    """The newest version by the format's order, whatever its status, for whoever may publish the package."""
    row = await publisher.admitted(tx)
    found = [] if row is None else await tx.versions.page(row.id, VersionFilter(), None, 1)
    return found[0].key.version if found else None


async def finish(publisher: Publisher, versions: Collection[str], check: Check) -> tuple[Version, ...]:
    """Those of these versions (canonical spelling) that are Unfinished become Published, all or none.

    Raises ResourceNotFound for an unknown package, and what `check` raises.
    """

    async def work(tx: Tx) -> tuple[Version, ...]:
        await publisher.authorize(tx)
        row = await _row(tx, publisher)
        tags = (await tx.packages.tags([row.id])).get(row.id, {})
        found = await _unfinished(tx, row, versions)
        for each in found:
            check(each, tags)
        place = Place(tx, publisher.repository, row, publisher.services.clock.now())
        return tuple([each for each in found if await _finished(place, each)])

    return await publisher.services.store.write(work)


async def _finished(place: Place, version: Version) -> bool:
    """Publish one that is Unfinished still, now that the package is locked."""
    sequence = await place.tx.packages.bump(place.row.id)
    held = await place.tx.versions.get(place.row.id, version.key.version)
    if held is None or held.status is not Status.UNFINISHED:
        return False
    await place.tx.versions.change(held.id, status=Status.PUBLISHED, published=place.now)
    published = replace(held, status=Status.PUBLISHED, published=place.now)
    await announce(place, published, "Updated", events.Changes(status=True), sequence=sequence)
    return True


async def point(publisher: Publisher, wanted: Pointing, check: Check) -> None:
    """Make or move the pointer, which is Published, and tag its target with its name; all targets become Unlisted.

    Raises ResourceNotFound when a target is not here, Conflict when the pointer was taken out of use.
    """

    async def work(tx: Tx) -> None:
        await publisher.authorize(tx)
        row = await _row(tx, publisher)
        place = Place(tx, publisher.repository, row, publisher.services.clock.now())
        seen = await _seen(place, publisher, wanted)
        tags = (await tx.packages.tags([row.id])).get(row.id, {})
        for each in seen.targets:
            check(each, tags)
        if _moves(wanted, seen):
            place = await touched(
                tx,
                publisher.repository,
                row.key,
                display=row.display,
                controls=origin.defaults("INTERNAL"),
                now=place.now,
            )
            seen = await _seen(place, publisher, wanted)  # now that the package is locked
            await _move(place, publisher, wanted, seen)
        for each in seen.targets:
            await statuses.set_status(place, each, Status.UNLISTED)

    await publisher.services.store.write(work)


@dataclass(frozen=True, slots=True)
class _Seen:
    """The targets, the first of which is the last of all, and the pointer as it is."""

    targets: tuple[Version, ...]
    before: Version | None


async def _seen(place: Place, publisher: Publisher, wanted: Pointing) -> _Seen:
    targets = [await _held(place.tx, publisher, place.row, each) for each in (wanted.target, *wanted.others)]
    return _Seen(tuple(targets), await place.tx.versions.get(place.row.id, wanted.pointer.version))


def _moves(wanted: Pointing, seen: _Seen) -> bool:
    """Is anything to be changed about the pointer?  Raises Conflict when it was taken out of use."""
    before = seen.before
    if before is None:
        return True
    if before.status not in (Status.PUBLISHED, Status.UNFINISHED):
        raise Conflict(
            f"Version {before.display} is in this repository with status {before.status} and cannot be published again",
            resource_id=before.display,
            resource_type="package-version",
        )
    if wanted.last(before):
        return False
    return before.status is not Status.PUBLISHED or not _same(before.assets, _assets(wanted, seen.targets))


async def _move(place: Place, publisher: Publisher, wanted: Pointing, seen: _Seen) -> None:
    if not _moves(wanted, seen):
        return
    if seen.before is not None:
        await place.tx.versions.delete(seen.before.id)
    new = Arriving(
        key=wanted.pointer,
        display=wanted.display,
        status=Status.PUBLISHED,
        origin=Origin("INTERNAL", repository=publisher.repository.key.name),
        published=place.now,
        sort=publisher.info.sort(wanted.pointer.version),
        native=seen.targets[0].native,
        facts=await place.tx.versions.facts(seen.targets[0].id),
        assets=_assets(wanted, seen.targets),
    )
    await insert(place, new, replaced=seen.before)
    await place.tx.packages.set_tag(place.row.id, wanted.pointer.version, wanted.target)


def _assets(wanted: Pointing, targets: Sequence[Version]) -> tuple[Asset, ...]:
    found = {asset.name: asset for asset in targets[0].assets}
    for each in targets[1:]:
        names = wanted.others[each.key.version]
        found.update((asset.name, asset) for asset in each.assets if asset.name in names)
    return tuple(replace(asset) for asset in found.values())


def _same(before: Sequence[Asset], after: Sequence[Asset]) -> bool:
    return {(a.name, a.blob.digests.sha256) for a in before} == {(a.name, a.blob.digests.sha256) for a in after}


async def _unfinished(tx: Tx, row: PackageRow, versions: Collection[str]) -> list[Version]:
    """Those of these versions, without assets."""
    found: list[Version] = []
    after: tuple[str, ...] | None = None
    while True:
        page = await tx.versions.page(row.id, VersionFilter(status=Status.UNFINISHED), after, _PAGE)
        found += [each for each in page if each.key.version in versions]
        if len(page) < _PAGE:
            return found
        after = (page[-1].sort, page[-1].key.version)


async def _row(tx: Tx, publisher: Publisher) -> PackageRow:
    row = await tx.packages.get(publisher.repository.id, publisher.package)
    if row is None:
        raise package_missing(publisher.repository, publisher.package)
    return row


async def _held(tx: Tx, publisher: Publisher, row: PackageRow, version: str) -> Version:
    found = await tx.versions.get(row.id, version)
    if found is None or found.status not in _HELD:
        raise version_missing(publisher.repository, VersionKey(publisher.package, version))
    return found
