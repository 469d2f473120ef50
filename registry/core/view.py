"""RepoView: one caller, one repository, one format, one request.

Adapters speak to nothing else.  It authorizes, resolves, retains, publishes and records events, so that no
adapter can forget to.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from registry.core import changing, finishing, publishing, rights, statuses
from registry.core.catalogs import Catalog
from registry.core.early import Early, Publisher
from registry.core.errors import Conflict
from registry.core.outcomes import Outcome, VersionsRequest, version_missing
from registry.core.ports import Content, Staging, Tx
from registry.core.publishing import Published
from registry.core.services import Services
from registry.core.types import (
    Caller,
    Change,
    Draft,
    Facts,
    FormatInfo,
    Listing,
    PackageKey,
    PackageRow,
    Repository,
    Staged,
    Stamp,
    Status,
    Version,
    VersionKey,
)

__all__ = ["Noted", "Published", "RepoView"]


@dataclass(slots=True)
class Noted:
    """What a view was last used for, for the audit trail: an action, "" for none yet, and its object."""

    action: str = ""
    package: PackageKey | None = None
    version: str | None = None

    def __call__(self, action: str, package: PackageKey | None = None, version: str | None = None) -> None:
        """A read does not hide the write that it prepares."""
        if action != "ReadFromRepository" or self.action in ("", action):
            self.action, self.package, self.version = action, package or self.package, version or self.version


@dataclass(frozen=True, slots=True)
class RepoView:
    """One caller's view of one repository in one format.  Every method authorizes by itself."""

    services: Services
    caller: Caller
    repository: Repository
    info: FormatInfo
    context: Mapping[str, str] = field(default_factory=dict)
    noted: Noted = field(default_factory=Noted, compare=False)

    async def readable(self) -> None:
        """Needs ReadFromRepository, and does nothing else: for documents that are the same for every repository."""
        await self._readable()

    async def may_read(self) -> None:
        """Raise AccessDenied for who may not read here.  Needs ReadFromRepository."""
        self.noted("ReadFromRepository")
        await self._readable()

    async def stamp(self, package: PackageKey) -> Stamp:
        """What `listing` would be made from now; cheap.  Needs ReadFromRepository."""
        self.noted("ReadFromRepository", package)
        await self._readable()
        return await self.services.resolver.stamp(self.repository, package)

    async def listing(self, package: PackageKey) -> Listing:
        """The package with its upstreams merged in; without versions when unknown.  Needs ReadFromRepository."""
        self.noted("ReadFromRepository", package)
        await self._readable()
        return await self.services.resolver.listing(self.repository, package)

    async def open(self, key: VersionKey, asset: str, *, retain: bool = True) -> Content:
        """An asset, retained as the guide says (not with `retain` False).  Needs ReadFromRepository."""
        self.noted("ReadFromRepository", key.package, key.version)
        await self._readable()
        return await self.services.resolver.open(self.repository, key, asset, retain=retain)

    async def may_publish(self, package: PackageKey) -> None:
        """Raise AccessDenied early, before a body is read; publish() checks again."""
        self.noted("PublishPackageVersion", package)
        await self.services.store.glance(self._publisher(package).admitted)

    def early(self, package: PackageKey, files: Sequence[Staged], *, version: str | None = None) -> Early:
        """For files that have arrived while the draft has not: see `registry.core.early`.  `async with`."""
        return Early(self._publisher(package), files, version)

    def _publisher(self, package: PackageKey) -> Publisher:
        return Publisher(self.services, self.repository, self.info, self.caller, self.context, package)

    def stage(self) -> AbstractAsyncContextManager[Staging]:
        """A place for an arriving file."""
        return self.services.blobs(self.repository.domain_id).stage(followed=False)

    async def publish(self, draft: Draft, *, early: Early | None = None) -> Published:
        """Needs the format's publish actions on the package.  All or nothing, durable when it returns.

        Raises Conflict (here with other content, or reachable upstream), AccessDenied (rights or origin
        controls), ServiceQuotaExceeded.
        """
        self.noted("PublishPackageVersion", draft.key.package, draft.key.version)
        return await publishing.publish(
            self.services,
            repository=self.repository,
            info=self.info,
            draft=draft,
            caller=self.caller,
            context=self.context,
            early=early,
        )

    async def held(self, key: VersionKey) -> tuple[Version, Mapping[str, str]] | None:
        """What this repository itself holds of a version, whatever the status, with the package's tags.

        Needs the format's publish actions on the package.  Raises AccessDenied."""
        publisher = self._publisher(key.package)
        return await self.services.store.glance(lambda tx: finishing.held(tx, publisher, key.version))

    async def newest(self, package: PackageKey) -> str | None:
        """The newest version that this repository itself holds, whatever the status, by the format's order.

        Needs the format's publish actions on the package.  Raises AccessDenied."""
        publisher = self._publisher(package)
        return await self.services.store.read(lambda tx: finishing.newest(tx, publisher))

    async def finish(
        self, package: PackageKey, versions: Collection[str], check: finishing.Check
    ) -> tuple[Version, ...]:
        """Publish those of own versions that are Unfinished, all or none: see `registry.core.finishing`.

        Needs the format's publish actions.  Raises AccessDenied, ResourceNotFound, what `check` raises."""
        await self.may_publish(package)
        return await finishing.finish(self._publisher(package), versions, check)

    async def point(self, wanted: finishing.Pointing, check: finishing.Check) -> None:
        """Have a version refer to others' assets: see `registry.core.finishing`.

        Needs the format's publish actions.  Raises AccessDenied, ResourceNotFound, Conflict, what `check` raises."""
        package = wanted.pointer.package
        await self.may_publish(package)
        await finishing.point(self._publisher(package), wanted, check)

    async def tagged(self, namespace: str, limit: int) -> Mapping[str, Mapping[str, str]]:
        """Tags of Published versions of own and upstream repositories' packages of a namespace, by package name.

        Of each repository the first `limit` packages; of a package in several, the nearest.  Needs ReadFromRepository.
        """
        await self._readable()
        rows = await self.services.resolver.namespaced(self.repository, self.info.name, namespace, limit)

        async def work(tx: Tx) -> Mapping[str, Mapping[str, str]]:
            return await finishing.published_tags(tx, rows)

        return await self.services.store.read(work) if rows else {}

    async def own(self, package: PackageKey) -> tuple[PackageRow, Sequence[Version]] | None:
        """What this repository itself holds of a package, whatever the status.  Needs ReadFromRepository."""
        self.noted("ReadFromRepository", package)

        async def work(tx: Tx) -> tuple[PackageRow, Sequence[Version]] | None:
            await self._require(tx, "ReadFromRepository")
            row = await tx.packages.get(self.repository.id, package)
            return None if row is None else (row, await tx.versions.of([row.id]))

        return await self.services.store.read(work)

    async def change(
        self,
        package: PackageKey,
        *,
        versions: Mapping[str, Change] | None = None,
        tags: Mapping[str, str | None] | None = None,
    ) -> None:
        """Change own versions (canonical spelling) and tags (None removes).  Needs PutPackageMetadata.

        Raises ResourceNotFound for a package or a version that is not in this repository (a tag may point at
        one that only an upstream has), Conflict for a version that is Disposed.
        """
        self.noted("PutPackageMetadata", package, next(iter(versions or {}), None))

        async def work(tx: Tx) -> None:
            await self._require(tx, "PutPackageMetadata", package)
            now = self.services.clock.now()
            await changing.change(tx, self.repository, package, versions or {}, tags or {}, now=now)

        await self.services.store.write(work)

    async def delete(self, package: PackageKey, versions: Sequence[str] | None = None) -> None:
        """Delete own versions (canonical spelling), all or none, or the whole package.

        Needs DeletePackageVersions (DeletePackage).  Raises ResourceNotFound.
        """
        action = "DeletePackage" if versions is None else "DeletePackageVersions"
        self.noted(action, package, next(iter(versions or ()), None))
        await self.services.store.glance(lambda tx: self._require(tx, action, package))
        if versions is None:
            await statuses.delete_package(self.services, self.repository, package)
            return
        request = self._request(package, tuple(versions))
        self._settled(package, await statuses.delete_versions(self.services, request))

    async def set_status(self, key: VersionKey, target: Status) -> None:
        """Set a version's status by the client's own means (finish, unlist).  Needs PublishPackageVersion.

        Raises ResourceNotFound, Conflict for a version that is Disposed.
        """
        self.noted("PublishPackageVersion", key.package, key.version)
        await self.services.store.glance(lambda tx: self._require(tx, "PublishPackageVersion", key.package))
        request = self._request(key.package, (key.version,))
        self._settled(key.package, await statuses.update_status(self.services, request, target=target))

    async def search(self, text: str, limit: int, after: tuple[str, str] | None = None) -> Sequence[PackageRow]:
        """Own and upstream repositories' packages by part of their name.  Needs ReadFromRepository."""
        await self._readable()
        return await self.services.resolver.search(self.repository, self.info.name, text, after, limit)

    async def catalog(self) -> Catalog:
        """The state of everything that this repository and its upstreams hold.  Needs ReadFromRepository."""
        self.noted("ReadFromRepository")
        await self._readable()
        return await self.services.resolver.catalog(self.repository, self.info.name)

    async def roll(self) -> Mapping[PackageKey, Hashable]:
        """Every package of the catalog, with a value that changes as it does.  Needs ReadFromRepository."""
        self.noted("ReadFromRepository")
        await self._readable()
        return await self.services.resolver.roll(self.repository, self.info.name)

    async def stored(self, packages: Sequence[PackageKey]) -> list[Listing]:
        """As listing() of each, without asking external registries.  Needs ReadFromRepository."""
        self.noted("ReadFromRepository")
        await self._readable()
        return await self.services.resolver.stored(self.repository, packages)

    async def facts(self, package: PackageKey, version: str) -> Facts | None:
        """Facts of a version that this repository has stored, or None.  Needs ReadFromRepository."""

        async def work(tx: Tx) -> Facts | None:
            await self._require(tx, "ReadFromRepository")
            row = await tx.packages.get(self.repository.id, package)
            held = None if row is None else await tx.versions.get(row.id, version)
            return None if held is None else await tx.versions.facts(held.id)

        return await self.services.store.read(work)

    async def _readable(self) -> None:
        await self.services.store.glance(lambda tx: self._require(tx, "ReadFromRepository"))

    async def _require(self, tx: Tx, action: str, package: PackageKey | None = None) -> None:
        await rights.require(
            tx,
            self.services,
            repository=self.repository,
            caller=self.caller,
            action=action,
            package=package,
            context=self.context,
        )

    def _request(self, package: PackageKey, versions: tuple[str, ...]) -> VersionsRequest:
        return VersionsRequest(self.repository, self.info, package, versions)

    def _settled(self, package: PackageKey, outcome: Outcome) -> None:
        """A client's command names what it means, so that the first failure is the answer."""
        for version, failed in outcome.failed.items():
            if failed.code == "NOT_FOUND":
                raise version_missing(self.repository, VersionKey(package, version))
            if failed.code != "SKIPPED":
                raise Conflict(failed.message, resource_id=version, resource_type="package-version")
