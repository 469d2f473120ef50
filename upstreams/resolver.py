"""The search through a repository, its upstreams and their external connections.

resolver = UpstreamResolver(connections=..., fetchers=..., settings=...)
services = Services(..., resolver=resolver, connections=resolver.formats)
resolver.attach(services)
async with resolver:        # owns the HTTP session and every task; leave it after the last request
    ...
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self

from registry.config import UpstreamsConfig
from registry.core import retention
from registry.core.catalogs import Catalog
from registry.core.errors import UpstreamUnavailable
from registry.core.ports import Content, Fetcher, Http, Tx
from registry.core.services import Services
from registry.core.types import (
    FormatInfo,
    Listing,
    PackageFilter,
    PackageKey,
    PackageRow,
    Repository,
    Stamp,
    VersionKey,
)
from upstreams.asked import Asked
from upstreams.assets import Assets, Wanted
from upstreams.catalogs import Catalogs
from upstreams.client import Client
from upstreams.companions import Companions
from upstreams.connections import Connection
from upstreams.external import External
from upstreams.flights import Flights
from upstreams.listings import ExternalListings, Known, Mark
from upstreams.memory import Memory
from upstreams.merge import Layer, Merged, merge
from upstreams.survey import PackageSurvey, Survey, Surveys
from upstreams.tasks import Tasks
from upstreams.versions import Versions

_UNASKED_FOR = 1_000
"""Milliseconds after which a listing that lacks a registry's word is made anew."""
_MOST_RENEWED = 50
"""Versions whose marks one listing brings up to date in our rows; the next listing goes on."""


class UpstreamResolver:
    """Implements registry.core.ports.Resolver."""

    def __init__(
        self, *, connections: Mapping[str, Connection], fetchers: Mapping[str, Fetcher], settings: UpstreamsConfig
    ) -> None:
        """`connections` as upstreams.connections.catalog() gives them; `fetchers` by format name."""
        self._connections = dict(connections)
        self._fetchers = dict(fetchers)
        self._settings = settings
        self._client = Client(settings)
        self._tasks = Tasks()
        self._stamps: Memory[tuple[int, PackageKey], tuple[int, Stamp]] = Memory()
        self._services: Services
        self._surveys: Surveys
        self._external: External
        self._assets: Assets
        self._catalogs: Catalogs
        self.versions: Versions

    @property
    def formats(self) -> dict[str, str]:
        """For Services.connections: connection name -> format."""
        return {name: connection.format for name, connection in self._connections.items()}

    def attach(self, services: Services) -> None:
        """Give it the services that it is part of; once, before it is entered."""
        self._services = services
        alone = [name for name, info in services.formats.items() if not info.upstreams]
        self._surveys = Surveys(services.quotas.upstreams_searched, alone, services.groups)
        self._catalogs = Catalogs(services, self._surveys, lambda: self._external)
        listings = ExternalListings(
            store=services.store,
            clock=services.clock,
            settings=self._settings,
            tasks=self._tasks,
            fetchers=self._fetchers,
            http=self._client.to,
        )
        self._external = External(self._connections, self._fetchers, listings, self._client.to)
        self._assets = Assets(services, self._surveys, self._external, Flights(self._tasks))
        self.versions = Versions(services, self._surveys, self._external, self._assets)
        self._assets.asked = Asked(
            self._external,
            services.store,
            services.clock,
            self._tasks,
            negative_age=self._settings.negative_age,
        )
        self._assets.companions = Companions(self._tasks, services.clock, self.versions.missing, self.versions.bring)

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._tasks.close()
        await self._client.__aexit__(kind, error, trace)

    def http(self, name: str) -> Http:
        """The registry of a connection."""
        return self._client.to(self._connections[name])

    async def idle(self) -> None:
        """Wait until no refresh, no flight and no companion is under way."""
        await self._tasks.idle()

    # --- listings -----------------------------------------------------------------------------

    async def stamp(self, repo: Repository, package: PackageKey) -> Stamp:
        """What listing() would be made from; refreshes external listings that are too old."""
        epoch = self._services.store.epoch()
        kept = self._stamps.get((repo.id, package))
        if kept is not None and kept[0] == epoch and not self._expired(kept[1]):
            return kept[1]
        seen = await self._services.store.glance(lambda tx: self._surveys.of_rows(tx, repo, package))
        names = self._external.concerned(seen.connections(), package)
        marks = await self._external.marks(repo.domain_id, names, package)
        stamp = self._stamp(seen, marks)
        failures = [mark for mark in marks.values() if isinstance(mark, UpstreamUnavailable)]
        if failures and not seen.rows and len(failures) == len(marks):
            raise failures[0]
        if epoch is not None and not failures:
            self._stamps.put((repo.id, package), (epoch, stamp))
        return stamp

    async def listing(self, repo: Repository, package: PackageKey) -> Listing:
        """Merged over the chain.  Raises UpstreamUnavailable when nothing is known and not all could be asked."""
        seen = await self._services.store.read(lambda tx: self._surveys.of_package(tx, repo, package))
        names = self._external.concerned(seen.connections(), package)
        words = await self._external.words(repo.domain_id, names, package)
        known = {name: word for name, word in words.items() if isinstance(word, Known)}
        layers = _layers(seen, known)
        merged = merge(self._services.formats[package.format], layers)
        failures = [word for word in words.values() if isinstance(word, UpstreamUnavailable)]
        if failures and not merged.versions and not merged.unlisted:
            raise failures[0]
        self._renew(layers, merged, package)
        stamp = self._stamp(seen, words)
        return Listing(
            package=package,
            display=_display(seen, known.values(), package),
            versions=merged.versions,
            unlisted=merged.unlisted,
            tags=merged.tags,
            stamp=stamp,
            stale=stamp.stale,
        )

    def _expired(self, stamp: Stamp) -> bool:
        return stamp.expires is not None and stamp.expires <= self._services.clock.now()

    def _stamp(
        self, seen: Survey, words: Mapping[str, Known | UpstreamUnavailable] | Mapping[str, Mark | UpstreamUnavailable]
    ) -> Stamp:
        """Topology, the counter of each hop's package row, and the state of each registry's listing."""
        answered = {name: word for name, word in words.items() if not isinstance(word, UpstreamUnavailable)}
        rows = tuple((row.id, row.seq) for row in (seen.rows.get(repo_id) for repo_id in seen.chain.ids) if row)
        states = tuple((name, answered[name].changed if name in answered else None) for name in words)
        expires = [word.expires for word in answered.values()]
        if len(answered) < len(words):
            expires.append(self._services.clock.now() + _UNASKED_FOR)
        return Stamp(
            value=(seen.chain.topology, rows, states),
            expires=min(expires, default=None),
            stale=len(answered) < len(words) or any(word.stale for word in answered.values()),
        )

    def _renew(self, layers: Iterable[Layer], merged: Merged, package: PackageKey) -> None:
        """Bring marks (yanked) of retained files up to date in the rows too, for when the registry is out of reach."""
        for version in list({**merged.renewed, **merged.remarked})[:_MOST_RENEWED]:
            holders = [each.repository for each in layers if any(v.key.version == version for v in each.versions)]
            work = retention.refresh(
                self._services,
                repositories=holders,
                key=VersionKey(package, version),
                native=merged.remarked.get(version),
                assets=merged.renewed.get(version),
            )
            self._tasks.start(work, name=f"renew {package.name} {version}")

    # --- assets -------------------------------------------------------------------------------

    async def open(self, repo: Repository, key: VersionKey, asset: str, *, retain: bool = True) -> Content:
        """See registry.core.ports.Resolver."""
        return await self._assets.open(Wanted(repo, self._info(key), key, asset, retain=retain))

    async def alone(self, tx: Tx, repo: Repository) -> bool:
        """See registry.core.ports.Resolver."""
        return await self._surveys.alone(tx, repo)

    async def reachable(self, repo: Repository, key: VersionKey) -> str | None:
        """See registry.core.ports.Resolver."""
        return await self.versions.reachable(repo, key)

    async def secure(self, repo: Repository, key: VersionKey) -> Repository | None:
        """See registry.core.ports.Resolver."""
        return await self.versions.secure(repo, self._info(key), key)

    async def search(
        self, repo: Repository, format: str, text: str, after: tuple[str, str] | None, limit: int
    ) -> list[PackageRow]:
        """Stored packages of the whole chain; external registries are not searched."""

        async def work(tx: Tx) -> list[PackageRow]:
            ids = await self._surveys.repositories(tx, repo)
            return await tx.packages.search(ids, format, text, after, limit)

        return await self._services.store.read(work)

    async def namespaced(self, repo: Repository, format: str, namespace: str, limit: int) -> list[PackageRow]:
        """See registry.core.ports.Resolver."""
        where = PackageFilter(format=format, namespace_prefix=namespace)

        async def work(tx: Tx) -> list[PackageRow]:
            found: list[PackageRow] = []
            for repo_id in await self._surveys.repositories(tx, repo):
                # Those of the namespace itself come before those that it is a prefix of.
                page = await tx.packages.page(repo_id, where, None, limit)
                found += [row for row in page if row.key.namespace == namespace]
            return found

        return await self._services.store.read(work)

    async def catalog(self, repo: Repository, format: str) -> Catalog:
        """See registry.core.ports.Resolver."""
        return await self._catalogs.catalog(repo, format)

    async def roll(self, repo: Repository, format: str) -> Mapping[PackageKey, Hashable]:
        """See registry.core.ports.Resolver."""
        return await self._catalogs.roll(repo, format)

    async def stored(self, repo: Repository, packages: Sequence[PackageKey]) -> list[Listing]:
        """See registry.core.ports.Resolver."""

        async def work(tx: Tx) -> list[PackageSurvey]:
            return await self._surveys.of_packages(tx, repo, packages)

        return [
            self._merged(seen, package)
            for seen, package in zip(await self._services.store.read(work), packages, strict=True)
        ]

    def _merged(self, seen: PackageSurvey, package: PackageKey) -> Listing:
        merged = merge(self._services.formats[package.format], _layers(seen, {}))
        return Listing(
            package=package,
            display=_display(seen, (), package),
            versions=merged.versions,
            unlisted=merged.unlisted,
            tags=merged.tags,
            stamp=self._stamp(seen, dict[str, Known | UpstreamUnavailable]()),
        )

    def _info(self, key: VersionKey) -> FormatInfo:
        return self._services.formats[key.package.format]


def _layers(seen: PackageSurvey, known: Mapping[str, Known]) -> list[Layer]:
    layers = []
    for step, hop in seen.hops():
        connection = seen.asks(hop)
        word = known.get(connection) if connection is not None else None
        versions = [version for version in seen.versions.get(step.id, ()) if seen.shows(step, version)]
        layers.append(
            Layer(
                repository=hop.repository,
                parent=step.parent,
                versions=versions,
                tags=seen.tags.get(step.id, {}),
                connection=connection,
                remote=word.remote if word is not None else None,
            )
        )
    return layers


def _display(seen: Survey, known: Iterable[Known], package: PackageKey) -> str:
    """As the nearest repository spells it, else as the registry does."""
    for repo_id in seen.chain.ids:
        if repo_id in seen.rows:
            return seen.rows[repo_id].display
    return next((word.remote.display for word in known if word.remote is not None), package.name)
