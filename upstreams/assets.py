"""Finding one asset along a search, retaining it where the guide says, and serving it.

Guide, "Package retention from upstream repositories": in the repository that was asked, and, when it came
from outside, in the one that holds the connection; not in between.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from registry.core import retention
from registry.core.errors import AccessDenied, ResourceNotFound, UpstreamUnavailable
from registry.core.origin import spelled
from registry.core.ports import Asking, Confirms, Content, Sidecars
from registry.core.services import Services
from registry.core.types import (
    Asset,
    Blob,
    FormatInfo,
    Hop,
    Origin,
    Remote,
    RemoteFile,
    RemoteVersion,
    Repository,
    Staged,
    Version,
    VersionKey,
)
from upstreams.asked import Asked
from upstreams.chain import Step
from upstreams.companions import Companions
from upstreams.content import Document, Stored
from upstreams.digests import strongest
from upstreams.download import Gone
from upstreams.external import External
from upstreams.flights import Cargo, FlightKey, Flights, Following
from upstreams.listings import Known
from upstreams.merge import Gate, usable
from upstreams.survey import Surveys, VersionSurvey

_ATTEMPTS = 4
_LARGEST_DOCUMENT = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Wanted:
    """One asset, asked of one repository.  `alone`: companions are somebody else's business."""

    repo: Repository
    info: FormatInfo
    key: VersionKey
    asset: str
    retain: bool = True
    alone: bool = False
    since: float = 0.0
    """When it was last looked for in the store (monotonic clock)."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A file that an external registry lists, and the hop that holds the connection to it."""

    hop: Hop
    connection: str
    remote: Remote
    version: RemoteVersion
    file: RemoteFile


@dataclass(slots=True)
class _Search:
    """How far a search has come: the version first met, who may add to it, and who could not be asked."""

    first: Version | None = None
    gate: Gate | None = None
    unasked: UpstreamUnavailable | None = None
    over: bool = False

    def meets(self, info: FormatInfo, version: Version, repository: Repository) -> bool:
        """A hop holds the version: do its files count?"""
        if self.gate is None:
            self.first = version
            self.gate = Gate.of(info, version, repository)
            counts = usable(version)
        else:
            counts = self.gate.admits(version, repository)
        self.over = not self.gate.open
        return counts


class _Past(Exception):
    """What was found has changed meanwhile: look again."""


class Assets:
    """Opens assets."""

    companions: Companions
    asked: Asked

    def __init__(self, services: Services, surveys: Surveys, external: External, flights: Flights) -> None:
        self._services = services
        self._surveys = surveys
        self._external = external
        self._flights = flights

    async def open(self, wanted: Wanted) -> Content:
        """Raises ResourceNotFound when every registry of the search says so, else UpstreamUnavailable."""
        for _ in range(_ATTEMPTS):
            wanted = replace(wanted, since=time.monotonic())
            try:
                content = await self._local(wanted) or await self._searched(wanted)
            except _Past:
                continue
            if content is None:
                raise _absent(wanted.repo, wanted.key, wanted.asset)
            return content
        raise UpstreamUnavailable(f"Asset {wanted.asset} keeps changing while it is fetched", retry_after=1)

    async def _local(self, wanted: Wanted) -> Content | None:
        """The way of nearly every request: the repository has it itself."""
        store, key = self._services.store, wanted.key
        row = await store.glance(lambda tx: tx.packages.get(wanted.repo.id, key.package))
        if row is None:
            return None
        row_id = row.id
        version = await store.glance(lambda tx: tx.versions.get(row_id, key.version))
        if version is None or not usable(version):
            return None
        asset = _named(version, wanted.asset)
        if asset is None:
            return None
        looked = wanted.retain and not wanted.alone and wanted.info.merges_files
        if looked and version.origin.type == "EXTERNAL" and not self._external.asking(wanted.key.package.format):
            self.companions.look(wanted.repo, wanted.info, wanted.key, wanted.asset)
        return self._stored(wanted, asset, "local")

    async def _searched(self, wanted: Wanted) -> Content | None:
        """Every hop in order; None when none has it.

        A registry that cannot be asked does not end the search, but what is not found then may well exist.
        """
        seen = await self._services.store.read(lambda tx: self._surveys.of_version(tx, wanted.repo, wanted.key))
        search = _Search()
        for step, hop in seen.hops():
            content = await self._at(wanted, seen, step, hop, search)
            if content is not None or search.over:
                break
        if content is None and search.first is not None and wanted.retain:
            content = await self._beside(wanted, seen, search.first)
        if content is None and search.unasked is not None:
            raise search.unasked
        return content

    async def _at(self, wanted: Wanted, seen: VersionSurvey, step: Step, hop: Hop, search: _Search) -> Content | None:
        """The asset at one hop: in its rows, then through its connection."""
        version = seen.held.get(step.id)
        if version is not None and seen.shows(step, version):
            here = search.meets(wanted.info, version, hop.repository)
            asset = _named(version, wanted.asset) if here else None
            if asset is not None:
                return await self._from_repository(wanted, hop.repository, asset)
            if search.over:
                return None
        name = seen.asks(hop)
        if name is None or not wanted.retain or not self._external.concerns(name, wanted.key.package):
            return None
        if search.gate is not None and not search.gate.takes(name):
            # Where no listing tells who has the version, it is one further up that may be the one it came from.
            search.over = self._external.asking(wanted.key.package.format) is None
            return None
        try:
            content, found = await self._from_connection(wanted, hop, name)
        except UpstreamUnavailable as err:
            search.unasked = search.unasked or err
            return None
        if found:
            search.over = search.gate is not None or not wanted.info.merges_files
            search.gate = Gate.of_remote(wanted.info, name)
        return content

    # --- from a repository --------------------------------------------------------------------

    async def _from_repository(self, wanted: Wanted, source: Repository, asset: Asset) -> Content:
        if source.id == wanted.repo.id:
            return self._stored(wanted, asset, "local")
        if wanted.retain:
            try:
                await retention.retain_stored(
                    self._services, info=wanted.info, source=source, target=wanted.repo, key=wanted.key
                )
            except (ResourceNotFound, AccessDenied) as err:
                raise _Past from err
        return self._stored(wanted, asset, f"upstream:{source.key.name}")

    def _stored(self, wanted: Wanted, asset: Asset, source: str) -> Stored:
        blobs = self._services.blobs(wanted.repo.domain_id)
        return Stored.of(asset, blobs, source, redirects=wanted.info.redirects)

    # --- from outside -------------------------------------------------------------------------

    async def _from_connection(self, wanted: Wanted, hop: Hop, name: str) -> tuple[Content | None, bool]:
        """The asset as the registry offers it, and whether the registry has the version at all.

        Raises UpstreamUnavailable when the registry could not be asked about it.
        """
        asking = self._external.asking(wanted.key.package.format)
        if asking is not None:
            return await self._asked_for(wanted, hop, name, asking)
        for refresh in (False, True):
            known = await self._external.word(hop.repository.domain_id, name, wanted.key.package, refresh=refresh)
            offer = _offered(known, hop, name, wanted)
            if offer is not None:
                try:
                    return await self._fly(wanted, offer), True
                except Gone:
                    if refresh:
                        raise UpstreamUnavailable(f"{name} lists {wanted.asset}, but does not have it") from None
                    continue
            document = await self._document(known, name, wanted)
            if document is not None:
                return document, True
        if known.stale:
            raise UpstreamUnavailable(f"The external registry {name} could not be asked for {wanted.asset}")
        return None, known.version(wanted.key.version) is not None

    async def _asked_for(self, wanted: Wanted, hop: Hop, name: str, asking: Asking) -> tuple[Content | None, bool]:
        """The asset of a registry that does not list its files."""
        key = FlightKey(hop.repository.domain_id, name, wanted.key, wanted.asset)
        file = await self.asked.find(asking, key)
        if file is None:
            return None, False
        version = RemoteVersion(wanted.key.version, wanted.key.version, b"", file.uploaded, (file,))
        offer = Offer(hop, name, Remote("", (version,), {}, {}), version, file)
        try:
            content = await self._fly(wanted, offer)
        except Gone:
            self.asked.absent(key)
            return None, False
        self.asked.seen(key)
        return content, True

    async def _fly(self, wanted: Wanted, offer: Offer) -> Following:
        services, domain_id = self._services, wanted.repo.domain_id
        targets = _targets(offer.hop.repository, wanted.repo)

        async def keep(staged: Staged, into: Sequence[Repository]) -> Blob | None:
            return await self._keep(wanted, offer, staged, into)

        http = self._external.http(offer.connection)
        fetcher = self._external.fetcher(wanted.key.package.format)

        async def confirm(staged: Staged) -> None:
            if isinstance(fetcher, Confirms):
                await fetcher.confirm(http, offer.version, offer.file, staged)

        cargo = Cargo(
            http=http,
            file=offer.file,
            blobs=services.blobs(domain_id),
            keep=keep,
            limit=services.quotas.asset_bytes,
            now=services.clock.now(),
            confirm=confirm,
        )
        key = FlightKey(domain_id, offer.connection, wanted.key, wanted.asset)
        following = await self._flights.join(key, cargo, targets, since=wanted.since)
        if following is None:
            raise _Past
        return following

    async def _keep(self, wanted: Wanted, offer: Offer, staged: Staged, into: Sequence[Repository]) -> Blob | None:
        """Retain what has landed, and see to its companions."""
        fetcher = self._external.fetcher(wanted.key.package.format)
        draft = await fetcher.draft(wanted.key.package, offer.remote, offer.version, {wanted.asset: staged})
        kept = await retention.retain(
            self._services,
            info=wanted.info,
            targets=into,
            draft=draft,
            origin=Origin("EXTERNAL", connection=offer.connection),
        )
        if wanted.info.merges_files and not wanted.alone:
            for repo in into:
                self.companions.look(repo, wanted.info, wanted.key, wanted.asset)
        asset = _named(kept[0], wanted.asset)
        return asset.blob if asset is not None else None

    async def _beside(self, wanted: Wanted, seen: VersionSurvey, first: Version) -> Document | None:
        """A document of a version that is retained, from the registry that it came from."""
        for name in seen.connections():
            if name == first.origin.connection and usable(first) and self._external.concerns(name, wanted.key.package):
                known = await self._external.word(wanted.repo.domain_id, name, wanted.key.package)
                return await self._document(known, name, wanted)
        return None

    async def _document(self, known: Known, name: str, wanted: Wanted) -> Document | None:
        """A document that goes with a file, straight from the registry (see registry.core.ports.Sidecars)."""
        fetcher = self._external.fetcher(wanted.key.package.format)
        version = known.version(wanted.key.version)
        if version is None or not isinstance(fetcher, Sidecars):
            return None
        file = fetcher.sidecar(version, wanted.asset)
        if file is None:
            return None
        async with self._external.http(name).get(file.url) as reply:
            if reply.status in (404, 410):
                return None
            if reply.status != 200:
                raise UpstreamUnavailable(f"The external registry {name} answered {reply.status} for {file.name}")
            body = await reply.body(_LARGEST_DOCUMENT)
        await _check(body, file, name)
        return Document(body, len(body), dict(file.digests), file.uploaded or 0, f"external:{name}")


def _named(version: Version, name: str) -> Asset | None:
    return next((asset for asset in version.assets if asset.name == name), None)


def _targets(holder: Repository, asked: Repository) -> tuple[Repository, ...]:
    return (holder,) if holder.id == asked.id else (holder, asked)


def _offered(known: Known, hop: Hop, connection: str, wanted: Wanted) -> Offer | None:
    version = known.version(wanted.key.version)
    if known.remote is None or version is None:
        return None
    file = next((file for file in version.files if file.name == wanted.asset), None)
    return None if file is None else Offer(hop, connection, known.remote, version, file)


async def _check(body: bytes, file: RemoteFile, name: str) -> None:
    declared = strongest(file.digests)
    if declared is None:
        return
    algorithm, wanted = declared
    digest = await asyncio.to_thread(hashlib.new, algorithm, body, usedforsecurity=False)
    if digest.hexdigest() != wanted:
        raise UpstreamUnavailable(f"{file.name} from {name} does not have the digest that is declared for it")


def _absent(repo: Repository, key: VersionKey, asset: str) -> ResourceNotFound:
    return ResourceNotFound(
        f"Asset {asset} of version {key.version} of package {spelled(key.package)} is not in repository "
        f"{repo.key.name} or its upstreams",
        resource_id=asset,
        resource_type="asset",
    )
