"""Draft -> version, by stages: judge, place, write, answer.

    publish(services, ...)         what a client presents
    retain(services, ...)          what an external registry offers: into the connection's repository and the asked one
    retain_stored(services, ...)   a version that an upstream repository holds: rows only
    refresh(services, ...)         newer metadata of a version that came through a connection (yanked marks)

Each is one unit of work that commits durably or leaves nothing; files are placed before it, and dropped
again by the loser.  The last three live in `retention` and do not authorize: whoever may read through a
repository makes it retain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from registry.core import origin
from registry.core.early import Early, Publisher, Seen, look
from registry.core.errors import Conflict, ServiceQuotaExceeded
from registry.core.placing import Claims, claim_all, heal, storing
from registry.core.ports import Tx
from registry.core.retention import refresh, retain, retain_stored
from registry.core.services import Services
from registry.core.types import (
    Asset,
    Blob,
    Caller,
    Draft,
    DraftAsset,
    FormatInfo,
    Origin,
    Quotas,
    Repository,
    Staged,
    Status,
    Version,
)
from registry.core.writing import Arriving, Place, extend, insert, joined, touched

__all__ = ["Published", "Verdict", "publish", "refresh", "retain", "retain_stored", "weigh"]


@dataclass(frozen=True, slots=True)
class Published:
    """What a publish came to; `created` is False when the same content was there already."""

    version: Version
    created: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a publish would do: make the version, add `fresh` assets to it (or finish it), or nothing."""

    kind: Literal["new", "same", "extend"]
    fresh: tuple[DraftAsset, ...] = ()


@dataclass(frozen=True, slots=True)
class _Job:
    """One publish, handed from stage to stage."""

    publisher: Publisher
    draft: Draft

    @property
    def services(self) -> Services:
        return self.publisher.services

    @property
    def repository(self) -> Repository:
        return self.publisher.repository

    @property
    def info(self) -> FormatInfo:
        return self.publisher.info


class _Same(Exception):
    """The same content is there already; rolls the unit of work back, so that nothing changes."""

    def __init__(self, version: Version) -> None:
        self.version = version


async def publish(
    services: Services,
    *,
    repository: Repository,
    info: FormatInfo,
    draft: Draft,
    caller: Caller,
    context: Mapping[str, str],
    early: Early | None = None,
) -> Published:
    """A client's publish into `repository`.  Authorizes `info.publish` on the package.

    `early` is one of the same caller, repository and package: its files are being placed already.

    Raises AccessDenied (rights, or the package's origin control), Conflict (here with other content,
    or reachable upstream), ServiceQuotaExceeded, ResourceNotFound (the repository went meanwhile).
    """
    job = _Job(Publisher(services, repository, info, caller, context, draft.key.package), draft)
    _check_sizes(draft, services.quotas)
    files = [asset.staged for asset in draft.assets]
    seen = await _seen(job, files, early)
    held = seen.held
    blobs = services.blobs(repository.domain_id)
    if held is not None and weigh(held, draft, grows=info.grows).kind == "same":
        rows = {asset.blob.digests.sha256: asset.blob for asset in held.assets}
        known = [rows.get(file.digests.sha256) for file in files]
        await heal(services.store, blobs, repository.domain_id, files, known, services.clock.now())
        return Published(held, created=False)
    if held is None or not _own(held, repository):
        # One that came from elsewhere may still be there: files of two origins are not joined to one version.
        await _check_upstream(job, seen)
    try:
        version = await storing(
            services.store,
            blobs,
            repository.domain_id,
            files,
            lambda tx, claims: _write(tx, claims, job),
            peeked=seen.blobs if early is None or early.covers(files) else None,
            ahead=None if early is None else early.ahead,
        )
    except _Same as same:
        return Published(same.version, created=False)
    return Published(version, created=True)


# --- judge -----------------------------------------------------------------------------------


def weigh(held: Version | None, draft: Draft, *, grows: bool) -> Verdict:
    """What the draft means where `held` is.  Raises Conflict.

    Guide, "Overwriting package assets" and "Package version status": an asset may be sent again with the
    same bytes; a format with several assets may add some, generic only while Unfinished; what is Unlisted,
    Archived or Disposed is still there and is not published again.
    """
    if held is None:
        return Verdict("new", draft.assets)
    if held.status not in (Status.PUBLISHED, Status.UNFINISHED) and not (
        draft.unlisted and held.status is Status.UNLISTED
    ):
        raise _conflict(draft, f"is in this repository with status {held.status} and cannot be published again")
    there = {asset.name: asset.blob.digests.sha256 for asset in held.assets}
    fresh = tuple(asset for asset in draft.assets if asset.name not in there)
    for asset in draft.assets:
        if there.get(asset.name, asset.staged.digests.sha256) != asset.staged.digests.sha256:
            raise _conflict(draft, f"already has an asset {asset.name} with different content")
    if draft.exists == "conflict" and (fresh or len(there) != len(draft.assets)):
        raise _conflict(draft, "already exists")
    if fresh and held.status is Status.PUBLISHED and not grows:
        raise _conflict(draft, f"is Published and takes no further assets ({fresh[0].name})")
    finishing = held.status is Status.UNFINISHED and draft.finish
    return Verdict("extend" if fresh or finishing else "same", fresh)


async def _seen(job: _Job, files: Sequence[Staged | Blob], early: Early | None) -> Seen:
    version = job.draft.key.version
    if early is None:
        return await job.services.store.glance(lambda tx: look(tx, job.publisher, files, version))
    seen, row = early.seen, early.seen.row
    if row is None or early.version == version:
        return seen
    return replace(seen, held=await job.services.store.glance(lambda tx: tx.versions.get(row.id, version)))


async def _check_upstream(job: _Job, seen: Seen) -> None:
    """Guide, "Publishing and upstream repositories": what is reachable there is not published here."""
    if seen.alone or not origin.may_retain(seen.row):
        return
    where = await job.services.resolver.reachable(job.repository, job.draft.key)
    if where is not None:
        raise _conflict(job.draft, f"is present upstream ({where}) and cannot be published to this repository")


def _own(version: Version, repository: Repository) -> bool:
    """Was it published into this very repository?"""
    return version.origin == Origin("INTERNAL", repository=repository.key.name)


def _check_sizes(draft: Draft, quotas: Quotas) -> None:
    for asset in draft.assets:
        if asset.staged.size > quotas.asset_bytes:
            raise ServiceQuotaExceeded(
                f"Asset {asset.name} has {asset.staged.size} bytes; at most {quotas.asset_bytes} are allowed",
                resource_id=asset.name,
                resource_type="asset",
            )


def _check_count(draft: Draft, count: int, quotas: Quotas) -> None:
    if count > quotas.assets_per_version:
        raise ServiceQuotaExceeded(
            f"{_name(draft)} would have {count} assets; at most {quotas.assets_per_version} are allowed",
            resource_id=draft.display,
            resource_type="package-version",
        )


# --- write -----------------------------------------------------------------------------------


async def _write(tx: Tx, claims: Claims, job: _Job) -> Version:
    """Judge again, now under the lock of the package row, then write."""
    draft, key, now = job.draft, job.draft.key, job.services.clock.now()
    await job.publisher.authorize(tx)
    modes = await job.publisher.modes(tx)
    place = await touched(
        tx,
        job.repository,
        key.package,
        display=draft.facts.display,
        controls=origin.defaults("INTERNAL", modes),
        now=now,
    )
    row = place.row
    origin.require_publish(job.repository, key.package, row, modes)
    if row.seq == 1 and job.info.rivals is not None:
        await _check_rivals(tx, job, job.info.rivals(key.package.name))
    held = await tx.versions.get(row.id, key.version) if row.seq > 1 else None
    verdict = weigh(held, draft, grows=job.info.grows)
    if held is not None and verdict.kind == "same":
        raise _Same(held)
    _check_count(draft, len(verdict.fresh) + (0 if held is None else len(held.assets)), job.services.quotas)
    blobs = {asset.name: blob for asset, blob in zip(draft.assets, await claim_all(tx, claims, now), strict=True)}
    version = await _settle(place, job, held, _assets(verdict.fresh, blobs, now))
    for tag, tagged in draft.tags.items():
        await tx.packages.set_tag(row.id, tag, tagged)
    return version


async def _check_rivals(tx: Tx, job: _Job, rivals: Sequence[str]) -> None:
    """A name that is new here must not be taken for one that is there."""
    for name in rivals:
        row = await tx.packages.get(job.repository.id, replace(job.draft.key.package, name=name))
        if row is not None:
            raise Conflict(
                f"Package {job.draft.facts.display or job.draft.key.package.name} cannot be beside {row.display}, "
                "whose name reads the same",
                resource_id=row.display,
                resource_type="package",
            )


async def _settle(place: Place, job: _Job, held: Version | None, assets: tuple[Asset, ...]) -> Version:
    draft = job.draft
    if held is None:
        new = Arriving(
            key=draft.key,
            display=draft.display,
            status=Status.PUBLISHED if draft.finish else Status.UNFINISHED,
            origin=Origin("INTERNAL", repository=job.repository.key.name),
            published=draft.published or place.now,
            sort=job.info.sort(draft.key.version),
            native=draft.native,
            facts=draft.facts,
            assets=assets,
        )
        return await insert(place, new)
    known = await place.tx.versions.facts(held.id)
    facts = joined(known, draft.facts)
    return await extend(
        place,
        held,
        assets,
        native=held.native or draft.native,
        facts=None if facts == known else facts,
        status=Status.PUBLISHED if draft.finish and held.status is Status.UNFINISHED else None,
    )


def _assets(drafts: tuple[DraftAsset, ...], blobs: Mapping[str, Blob], now: int) -> tuple[Asset, ...]:
    return tuple(
        Asset(asset.name, blobs[asset.name], asset.native, now if asset.uploaded is None else asset.uploaded)
        for asset in drafts
    )


def _name(draft: Draft) -> str:
    return f"Version {draft.display} of package {origin.spelled(draft.key.package)}"


def _conflict(draft: Draft, why: str) -> Conflict:
    return Conflict(f"{_name(draft)} {why}", resource_id=draft.display, resource_type="package-version")
