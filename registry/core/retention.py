"""How versions that come from upstream are kept.

Guide, "Package retention from upstream repositories" and "Importing package versions with more than one
asset".  Nothing here authorizes, and nothing that is kept is ever replaced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from registry.core import events
from registry.core.errors import AccessDenied, ResourceNotFound
from registry.core.origin import blocked_upstream, defaults, may_ingest, may_take, spelled
from registry.core.placing import Claims, claim_all, storing
from registry.core.ports import Tx
from registry.core.revisions import revision
from registry.core.services import Services
from registry.core.types import (
    Asset,
    Blob,
    Draft,
    FormatInfo,
    Origin,
    PackageRow,
    Repository,
    Status,
    Version,
    VersionKey,
)
from registry.core.writing import Arriving, Place, announce, arriving, extend, insert, joined, touched

# Guide, "Yanked package versions": any other status says that the version is not meant to be consumed any more.
_REFRESHED = (Status.PUBLISHED, Status.UNLISTED)


async def retain(
    services: Services, *, info: FormatInfo, targets: Sequence[Repository], draft: Draft, origin: Origin
) -> tuple[Version, ...]:
    """Write a fetched version into every target (the connection's repository first, then the asked one).

    One result per target, in order, with its assets as stored.  Idempotent: a version that a target has
    stays, with its status; where it has the same origin, and the format has several assets, further ones
    are added.  An asset that is there under the same name stays, whatever its bytes.  Targets after the
    first get what the first has then.
    A target whose origin controls forbid the arrival (may_ingest for the first, may_retain for the others)
    is left out of the result; AccessDenied is raised only when the first one refuses.
    """
    first = targets[0]

    async def work(tx: Tx, claims: Claims) -> tuple[Version, ...]:
        now = services.clock.now()
        welcome = await _welcome(tx, services, info, first, draft, origin)
        wanted = [n for n, asset in enumerate(draft.assets) if asset.name in welcome]
        # What is not wanted is not claimed either, so that no row is left that nothing refers to.
        needed = Claims(claims.domain_id, tuple(claims.items[n] for n in wanted), claims.named)
        drafts = tuple(draft.assets[n] for n in wanted)
        new = _fetched(replace(draft, assets=drafts), info, origin, await claim_all(tx, needed, now), now)
        return await _into_each(tx, services, info, targets, new)

    files = [asset.staged for asset in draft.assets]
    return await storing(services.store, services.blobs(first.domain_id), first.domain_id, files, work)


async def retain_stored(
    services: Services, *, info: FormatInfo, source: Repository, target: Repository, key: VersionKey
) -> Version:
    """Retain a version of `source` in `target` with everything it has but tags; rows only.

    Keeps origin, native, facts, published and status.  Where `target` has the version already with the same
    origin, and the format has several assets, missing ones are added; else it stays as it is.
    Raises ResourceNotFound when `source` no longer offers it, AccessDenied when controls of `target` forbid.
    """

    async def work(tx: Tx) -> Version:
        row = await tx.packages.get(source.id, key.package)
        version = None if row is None else await tx.versions.get(row.id, key.version)
        if row is None or version is None or version.status not in _REFRESHED:
            raise _gone(source, key)
        new = arriving(version, await tx.versions.facts(version.id))
        return await _keep(tx, services, info, target, new)

    return await services.store.write(work)


async def refresh(
    services: Services,
    *,
    repositories: Sequence[Repository],
    key: VersionKey,
    native: bytes | None = None,
    assets: Mapping[str, bytes] | None = None,
) -> bool:
    """Set newer native metadata of a version and of its assets (by name) in every repository that holds it
    with EXTERNAL origin, is Published or Unlisted there, and whose package takes versions from upstream.
    False when nothing changed; no event then."""

    async def stale(tx: Tx) -> bool:
        return any([await _outdated(tx, repository, key, native, assets or {}) for repository in repositories])

    async def work(tx: Tx) -> bool:
        changed = [await _renew(tx, r, key, native, assets or {}, services.clock.now()) for r in repositories]
        return any(changed)

    return await services.store.read(stale) and await services.store.write(work)


# --- keeping ---------------------------------------------------------------------------------


async def _into_each(
    tx: Tx, services: Services, info: FormatInfo, targets: Sequence[Repository], new: Arriving
) -> tuple[Version, ...]:
    first = await _keep(tx, services, info, targets[0], new, connected=True)
    kept = [first]
    if len(targets) > 1 and first.status in _REFRESHED:
        further = arriving(first, await tx.versions.facts(first.id))
        for target in targets[1:]:
            try:
                kept.append(await _keep(tx, services, info, target, further))
            except AccessDenied:
                continue
    return tuple(kept)


async def _welcome(
    tx: Tx, services: Services, info: FormatInfo, target: Repository, draft: Draft, origin: Origin
) -> set[str]:
    """The names of those assets that the target would take."""
    names = {asset.name for asset in draft.assets}
    row = await tx.packages.get(target.id, draft.key.package)
    held = None if row is None else await tx.versions.get(row.id, draft.key.version)
    if held is None:
        return names
    modes = await services.groups.modes(tx, target, draft.key.package)
    if not _grows(info, held, origin) or not may_take(row, modes, connected=True):
        return set()
    return names - {asset.name for asset in held.assets}


async def _keep(
    tx: Tx, services: Services, info: FormatInfo, target: Repository, new: Arriving, *, connected: bool = False
) -> Version:
    """One version into one repository, through its connection or from another repository; what is there stays, and
    nothing is touched when nothing is new."""
    key = new.key
    row = await tx.packages.get(target.id, key.package)
    held = None if row is None else await tx.versions.get(row.id, key.version)
    modes = await services.groups.modes(tx, target, key.package)
    allowed = may_take(row, modes, connected=connected)
    if held is not None and not (_missing(info, held, new) and allowed):
        return held
    if not allowed:
        raise blocked_upstream(target, key.package, modes, connected=connected)
    place = await touched(
        tx,
        target,
        key.package,
        display=new.facts.display,
        controls=defaults("EXTERNAL", modes),
        now=services.clock.now(),
    )
    row = place.row
    held = await tx.versions.get(row.id, key.version) if row.seq > 1 else None
    if held is None:
        return await insert(place, new)
    return await _add(place, info, held, new)


async def _add(place: Place, info: FormatInfo, held: Version, new: Arriving) -> Version:
    missing = _missing(info, held, new)
    if not missing:
        return held
    known = await place.tx.versions.facts(held.id)
    facts = joined(known, new.facts)
    return await extend(place, held, missing, native=held.native or new.native, facts=None if facts == known else facts)


def _missing(info: FormatInfo, held: Version, new: Arriving) -> tuple[Asset, ...]:
    """What `held` may still gain from `new`."""
    if not _grows(info, held, new.origin):
        return ()
    there = {asset.name for asset in held.assets}
    return tuple(asset for asset in new.assets if asset.name not in there)


def _grows(info: FormatInfo, held: Version, origin: Origin) -> bool:
    """May a version that is kept gain assets of this origin?

    Guide, "Checking asset origins": assets of different origins are not mixed into one version, which also
    keeps a directly published version from growing.  A status that forbids use also stops the flow.
    """
    return (info.grows or info.merges_files) and held.origin == origin and held.status in _REFRESHED


def _fetched(draft: Draft, info: FormatInfo, origin: Origin, blobs: Sequence[Blob], now: int) -> Arriving:
    assets = tuple(
        Asset(asset.name, blob, asset.native, now if asset.uploaded is None else asset.uploaded)
        for asset, blob in zip(draft.assets, blobs, strict=True)
    )
    return Arriving(
        key=draft.key,
        display=draft.display,
        status=Status.PUBLISHED,
        origin=origin,
        published=now if draft.published is None else draft.published,
        sort=info.sort(draft.key.version),
        native=draft.native,
        facts=draft.facts,
        assets=assets,
    )


# --- refreshing ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Renewal:
    """A stored version, as it is and as it should be."""

    row: PackageRow
    held: Version
    renewed: Version


async def _outdated(
    tx: Tx, repository: Repository, key: VersionKey, native: bytes | None, assets: Mapping[str, bytes]
) -> _Renewal | None:
    row = await tx.packages.get(repository.id, key.package)
    if row is None or not may_ingest(row):
        return None
    held = await tx.versions.get(row.id, key.version)
    if held is None or held.origin.type != "EXTERNAL" or held.status not in _REFRESHED:
        return None
    renewed = replace(
        held,
        native=held.native if native is None else native,
        assets=tuple(replace(asset, native=assets.get(asset.name, asset.native)) for asset in held.assets),
    )
    return None if renewed == held else _Renewal(row, held, renewed)


async def _renew(
    tx: Tx, repository: Repository, key: VersionKey, native: bytes | None, assets: Mapping[str, bytes], now: int
) -> bool:
    renewal = await _outdated(tx, repository, key, native, assets)
    if renewal is None:
        return False
    renewed = replace(renewal.renewed, revision=revision(renewal.renewed.native, renewal.renewed.assets))
    sequence = await tx.packages.bump(renewal.row.id)
    for old, new in zip(renewal.held.assets, renewed.assets, strict=True):
        if old != new:
            await tx.versions.set_asset_native(renewed.id, new.name, new.native)
    await tx.versions.change(renewed.id, native=renewed.native, revision=renewed.revision)
    place = Place(tx, repository, renewal.row, now)
    await announce(place, renewed, "Updated", events.Changes(metadata=True), sequence=sequence)
    return True


def _gone(repository: Repository, key: VersionKey) -> ResourceNotFound:
    return ResourceNotFound(
        f"Version {key.version} of package {spelled(key.package)} is not in repository {repository.key.name}",
        resource_id=key.version,
        resource_type="package-version",
    )
