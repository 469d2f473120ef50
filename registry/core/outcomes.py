"""What is asked about several versions of one package, and what came of it.

Guide, "Errors with individual package versions": either all versions are changed or none; those that could
have been are then SKIPPED.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from registry.core.errors import ResourceNotFound, Validation
from registry.core.types import FormatInfo, PackageKey, Repository, Status, Version, VersionKey

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


def refused(asked: Iterable[str], failed: Mapping[str, Failed], skipped: str) -> Outcome:
    """Nothing was done: the reasons, and SKIPPED with the text of `skipped` for all others."""
    rest = {version: Failed("SKIPPED", skipped.format(version)) for version in asked if version not in failed}
    return Outcome({}, dict(sorted({**failed, **rest}.items())))


def not_found(version: str) -> Failed:
    """Guide, "Versions that do not exist in the source repository"."""
    return Failed("NOT_FOUND", f"Could not find version {version}")


def wrong_revision(version: Version, expected: str | None) -> Failed | None:
    """Guide, "Errors with individual package versions"."""
    if expected is None or expected == version.revision:
        return None
    return Failed("MISMATCHED_REVISION", f"current revision: {version.revision}, expected revision: {expected}")


def wrong_status(version: Version, expected: Status | None) -> Failed | None:
    """Guide, "Using the expected status parameter"."""
    if expected is None or expected is version.status:
        return None
    return Failed("MISMATCHED_STATUS", f"current status: {version.status}, expected status: {expected}")


def canonical(info: FormatInfo, version: str) -> str | None:
    """The identity of a version as a client spells it; None for what the format refuses, which is nowhere."""
    try:
        return info.canonical_version(version)
    except ValueError:
        return None


def check_revisions(request: VersionsRequest) -> None:
    """Guide, "Specifying a package version revision": the same versions in both members."""
    if request.revisions and set(request.revisions) != set(request.versions):
        raise Validation("The versions in versionRevisions must be the same as those in versions")


def package_missing(repository: Repository, key: PackageKey) -> ResourceNotFound:
    """Guide, "API behavior with upstream repositories", prints this message."""
    return ResourceNotFound(
        f"Package not found in repository. RepoId: {repository.key.name}, Package = {_coordinate(key)}",
        resource_id=key.name,
        resource_type="package",
    )


def version_missing(repository: Repository, key: VersionKey) -> ResourceNotFound:
    """The same for a version."""
    return ResourceNotFound(
        f"Package version not found in repository. RepoId: {repository.key.name}, "
        f"Package = {_coordinate(key.package)}, Version = {key.version}",
        resource_id=key.version,
        resource_type="package-version",
    )


def _coordinate(key: PackageKey) -> str:
    namespace = f", namespace={key.namespace}" if key.namespace else ""
    return f"PackageCoordinate{{packageType={key.format}{namespace}, packageName={key.name}}}"
