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

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from registry.core.paging import Page
from registry.core.ports import Tx
from registry.core.services import Services
from registry.core.types import (
    Asset,
    Control,
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

ErrorCode = Literal["ALREADY_EXISTS", "MISMATCHED_REVISION", "MISMATCHED_STATUS", "NOT_ALLOWED", "NOT_FOUND", "SKIPPED"]


@dataclass(frozen=True, slots=True)
class VersionsRequest:
    """Versions of one package of one repository, and what is expected of them.

    `revisions` is empty, or has exactly the keys of `versions` (else Validation).
    """

    repository: Repository
    info: FormatInfo
    package: PackageKey
    versions: tuple[str, ...]
    revisions: Mapping[str, str] = field(default_factory=dict)
    expected: Status | None = None


@dataclass(frozen=True, slots=True)
class CopyRequest:
    """Exactly one of `versions` and `revisions` is given (else Validation)."""

    source: Repository
    destination: Repository
    info: FormatInfo
    package: PackageKey
    versions: tuple[str, ...] = ()
    revisions: Mapping[str, str] = field(default_factory=dict)
    allow_overwrite: bool = False
    include_from_upstream: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """One version that was changed."""

    revision: str
    status: Status


@dataclass(frozen=True, slots=True)
class Failed:
    """One version that was not."""

    code: ErrorCode
    message: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """successfulVersions and failedVersions."""

    done: Mapping[str, Done]
    failed: Mapping[str, Failed]


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
    raise NotImplementedError


async def list_packages(
    tx: Tx, repository: Repository, where: PackageFilter, *, after: tuple[str, ...] | None, limit: int
) -> Page[PackageRow]:
    """By format, namespace, name.  A namespace prefix without a format is a Validation error."""
    raise NotImplementedError


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
    raise NotImplementedError


async def version(tx: Tx, repository: Repository, key: VersionKey) -> VersionDetail:
    """Raises ResourceNotFound for an unknown package or version."""
    raise NotImplementedError


async def list_assets(
    tx: Tx, repository: Repository, key: VersionKey, *, after: tuple[str, ...] | None, limit: int
) -> AssetList:
    """Raises ResourceNotFound.  A Disposed version has none."""
    raise NotImplementedError


async def list_dependencies(
    tx: Tx, repository: Repository, key: VersionKey, *, after: tuple[str, ...] | None, limit: int
) -> DependencyList:
    """Raises ResourceNotFound."""
    raise NotImplementedError


async def asset(
    tx: Tx, repository: Repository, key: VersionKey, name: str, revision: str | None
) -> tuple[Version, Asset]:
    """An asset for GetPackageVersionAsset; its bytes are `services.blobs(repository.domain_id).read(asset.blob.key)`.

    Raises ResourceNotFound (also for an Archived or Disposed version's assets), and Conflict when
    `revision` is given and is not the current one.
    """
    raise NotImplementedError


async def update_status(services: Services, request: VersionsRequest, *, target: Status) -> Outcome:
    """All or nothing.  Raises ResourceNotFound for an unknown package, Validation for a target that is not allowed."""
    raise NotImplementedError


async def dispose(services: Services, request: VersionsRequest) -> Outcome:
    """Drop the assets and keep the version as Disposed.  All or nothing."""
    raise NotImplementedError


async def delete_versions(services: Services, request: VersionsRequest) -> Outcome:
    """Remove versions; the package stays, also without any.  All or nothing."""
    raise NotImplementedError


async def delete_package(services: Services, repository: Repository, key: PackageKey) -> PackageRow:
    """Remove a package with versions, tags and configuration; return what it was.  Raises ResourceNotFound."""
    raise NotImplementedError


async def put_origin(
    services: Services, repository: Repository, key: PackageKey, *, publish: Control, upstream: Control, display: str
) -> PackageRow:
    """Set origin controls; makes the package when it is absent (`display` names it then)."""
    raise NotImplementedError


async def copy(services: Services, request: CopyRequest) -> Outcome:
    """All or nothing; rows only.  Versions that the destination has with the same content are in neither map.

    Raises ResourceNotFound for a package that the source does not have, Validation for a bad combination.
    """
    raise NotImplementedError
