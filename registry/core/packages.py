"""What the control plane does with packages and their versions.

Reads take a transaction, so that a caller can authorize and read in one unit:

    package(tx, repository, key) -> PackageRow                                       DescribePackage
    list_packages(tx, repository, where, after=, limit=) -> Page[PackageRow]         ListPackages
    list_versions(tx, repository, info, key, where, after=, limit=) -> VersionList   ListPackageVersions
    version(tx, repository, key) -> VersionDetail                                    DescribePackageVersion, readme
    list_assets(tx, repository, key, after=, limit=) -> AssetList                    ListPackageVersionAssets
    list_dependencies(tx, repository, key, after=, limit=) -> DependencyList         ListPackageVersionDependencies
    asset(tx, repository, key, name, revision) -> (Version, Asset)                   GetPackageVersionAsset

Changes are one unit of work each, with their events, and take `services`; they do not authorize:

    update_status(services, VersionsRequest, target=...) -> Outcome                  UpdatePackageVersionsStatus
    dispose(services, VersionsRequest) -> Outcome                                    DisposePackageVersions
    delete_versions(services, VersionsRequest) -> Outcome                            DeletePackageVersions
    delete_package(services, repository, key) -> PackageRow                          DeletePackage
    put_origin(services, repository, key, publish=, upstream=, display=) -> PackageRow   PutPackageOriginConfiguration
    copy(services, CopyRequest) -> Outcome                                           CopyPackageVersions

Versions in a request are spelled as the client spelled them, and an Outcome repeats that spelling.
"""

from __future__ import annotations

from dataclasses import dataclass

from registry.core.copying import copy
from registry.core.errors import ResourceNotFound, Validation
from registry.core.origin import spelled
from registry.core.outcomes import (
    CopyRequest,
    Done,
    ErrorCode,
    Failed,
    Outcome,
    VersionsRequest,
    package_missing,
    version_missing,
)
from registry.core.paging import Page, cut
from registry.core.ports import Tx
from registry.core.statuses import delete_package, delete_versions, dispose, put_origin, update_status
from registry.core.types import (
    Asset,
    Dependency,
    Facts,
    FormatInfo,
    PackageFilter,
    PackageKey,
    PackageRow,
    Repository,
    Status,
    Version,
    VersionFilter,
    VersionKey,
)

__all__ = [
    "AssetList",
    "CopyRequest",
    "DependencyList",
    "Done",
    "ErrorCode",
    "Failed",
    "Outcome",
    "VersionDetail",
    "VersionList",
    "VersionsRequest",
    "asset",
    "copy",
    "default_version",
    "delete_package",
    "delete_versions",
    "dispose",
    "list_assets",
    "list_dependencies",
    "list_packages",
    "list_versions",
    "package",
    "put_origin",
    "update_status",
    "version",
]


@dataclass(frozen=True, slots=True)
class VersionList:
    """A page of versions (without assets and native) with what stands above it."""

    package: PackageRow
    default: str | None
    page: Page[Version]


@dataclass(frozen=True, slots=True)
class VersionDetail:
    """A version with its package and facts (`facts.readme` is the readme, None when there is none)."""

    package: PackageRow
    version: Version
    facts: Facts


@dataclass(frozen=True, slots=True)
class AssetList:
    """A page of a version's assets, by name."""

    package: PackageRow
    version: Version
    page: Page[Asset]


@dataclass(frozen=True, slots=True)
class DependencyList:
    """A page of a version's dependencies, in the order of its metadata."""

    package: PackageRow
    version: Version
    page: Page[Dependency]


async def package(tx: Tx, repository: Repository, key: PackageKey) -> PackageRow:
    """Raises ResourceNotFound."""
    row = await tx.packages.get(repository.id, key)
    if row is None:
        raise package_missing(repository, key)
    return row


async def list_packages(
    tx: Tx, repository: Repository, where: PackageFilter, *, after: tuple[str, ...] | None, limit: int
) -> Page[PackageRow]:
    """By format, namespace, name.  A namespace prefix without a format is a Validation error."""
    if where.namespace_prefix is not None and where.format is None:
        raise Validation("namespace cannot be used by itself: format is required with it")
    start = None if after is None else (after[0], after[1], after[2])
    rows = await tx.packages.page(repository.id, where, start, limit + 1)
    return cut(rows, limit, lambda row: (row.key.format, row.key.namespace or "", row.key.name))


async def list_versions(
    tx: Tx,
    repository: Repository,
    info: FormatInfo,
    key: PackageKey,
    where: VersionFilter,
    *,
    after: tuple[str, ...] | None,
    limit: int,
) -> VersionList:
    """Newest first, by the format's order or by time.  Raises ResourceNotFound for an unknown package."""
    row = await package(tx, repository, key)
    versions = await tx.versions.page(row.id, where, after, limit + 1)

    def last(version: Version) -> tuple[str, ...]:
        if where.order == "published":
            return str(version.published), version.sort, version.key.version
        return version.sort, version.key.version

    return VersionList(row, await default_version(tx, info, row), cut(versions, limit, last))


async def default_version(tx: Tx, info: FormatInfo, row: PackageRow) -> str | None:
    """Guide, "Default display version": what the format's tag names, else the most recently published one."""
    if info.tag_latest is not None:
        tagged = (await tx.packages.tags([row.id])).get(row.id, {}).get(info.tag_latest)
        version = None if tagged is None else await tx.versions.get(row.id, tagged)
        if version is not None:
            return version.display
    return await tx.versions.latest_published(row.id)


async def version(tx: Tx, repository: Repository, key: VersionKey) -> VersionDetail:
    """Raises ResourceNotFound for an unknown package or version."""
    row, found = await _found(tx, repository, key)
    return VersionDetail(row, found, await tx.versions.facts(found.id))


async def list_assets(
    tx: Tx, repository: Repository, key: VersionKey, *, after: tuple[str, ...] | None, limit: int
) -> AssetList:
    """Raises ResourceNotFound.  A Disposed version has none."""
    row, found = await _found(tx, repository, key)
    assets = await tx.versions.assets_page(found.id, None if after is None else after[0], limit + 1)
    return AssetList(row, found, cut(assets, limit, lambda asset: (asset.name,)))


async def list_dependencies(
    tx: Tx, repository: Repository, key: VersionKey, *, after: tuple[str, ...] | None, limit: int
) -> DependencyList:
    """Raises ResourceNotFound.  The metadata of a version may change meanwhile, so the key is the place in it."""
    detail = await version(tx, repository, key)
    start = 0 if after is None else int(after[0])
    rest = detail.facts.dependencies[start : start + limit + 1]
    return DependencyList(detail.package, detail.version, cut(rest, limit, lambda _: (str(start + limit),)))


async def asset(
    tx: Tx, repository: Repository, key: VersionKey, name: str, revision: str | None
) -> tuple[Version, Asset]:
    """An asset for GetPackageVersionAsset; its bytes are `services.blobs(repository.domain_id).read(asset.blob.key)`.

    Raises ResourceNotFound (also for an Archived or Disposed version's assets, and when `revision` is given
    and is not the current one).
    """
    _, found = await _found(tx, repository, key)
    if revision is not None and revision != found.revision:
        raise ResourceNotFound(
            f"Version {found.display} of package {spelled(key.package)} has no revision {revision} any more; "
            f"its current revision is {found.revision}",
            resource_id=found.display,
            resource_type="package-version",
        )
    for held in found.assets:
        if held.name == name and found.status is not Status.ARCHIVED:
            return found, held
    raise ResourceNotFound(
        f"Asset {name} of version {found.display} of package {spelled(key.package)} "
        f"is not available in repository {repository.key.name}",
        resource_id=name,
        resource_type="asset",
    )


async def _found(tx: Tx, repository: Repository, key: VersionKey) -> tuple[PackageRow, Version]:
    row = await package(tx, repository, key.package)
    found = await tx.versions.get(row.id, key.version)
    if found is None:
        raise version_missing(repository, key)
    return row, found
