"""RepoView: one caller, one repository, one format, one request.

Adapters speak to nothing else.  It authorizes, resolves, retains, publishes and records events, so that no
adapter can forget to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from registry.core.ports import Content, Staging
from registry.core.publishing import Published
from registry.core.services import Services
from registry.core.types import (
    Caller,
    Change,
    Draft,
    FormatInfo,
    Listing,
    PackageKey,
    PackageRow,
    Repository,
    Stamp,
    Status,
    Version,
    VersionKey,
)

__all__ = ["Published", "RepoView"]


@dataclass(frozen=True, slots=True)
class RepoView:
    """One caller's view of one repository in one format.  Every method authorizes by itself."""

    services: Services
    caller: Caller
    repository: Repository
    info: FormatInfo
    context: Mapping[str, str] = field(default_factory=dict)

    async def stamp(self, package: PackageKey) -> Stamp:
        """What `listing` would be made from now; cheap.  Needs ReadFromRepository."""
        raise NotImplementedError

    async def listing(self, package: PackageKey) -> Listing:
        """The package with its upstreams merged in; without versions when unknown.  Needs ReadFromRepository."""
        raise NotImplementedError

    async def open(self, key: VersionKey, asset: str, *, retain: bool = True) -> Content:
        """An asset, retained as the guide says (not with `retain` False).  Needs ReadFromRepository."""
        raise NotImplementedError

    async def may_publish(self, package: PackageKey) -> None:
        """Raise AccessDenied early, before a body is read; publish() checks again."""
        raise NotImplementedError

    def stage(self) -> AbstractAsyncContextManager[Staging]:
        """A place for an arriving file."""
        raise NotImplementedError

    async def publish(self, draft: Draft) -> Published:
        """Needs the format's publish actions on the package.  All or nothing, durable when it returns.

        Raises Conflict (here with other content, or reachable upstream), AccessDenied (rights or origin
        controls), ServiceQuotaExceeded.
        """
        raise NotImplementedError

    async def own(self, package: PackageKey) -> tuple[PackageRow, Sequence[Version]] | None:
        """What this repository itself holds of a package, whatever the status.  Needs ReadFromRepository."""
        raise NotImplementedError

    async def change(
        self,
        package: PackageKey,
        *,
        versions: Mapping[str, Change] | None = None,
        tags: Mapping[str, str | None] | None = None,
    ) -> None:
        """Change own versions (canonical spelling) and tags (None removes).  Needs PutPackageMetadata.

        Raises ResourceNotFound for a version that is not in this repository (a tag may point at one that
        only an upstream has).
        """
        raise NotImplementedError

    async def delete(self, package: PackageKey, versions: Sequence[str] | None = None) -> None:
        """Delete own versions, or the whole package.  Needs DeletePackageVersions (DeletePackage)."""
        raise NotImplementedError

    async def set_status(self, key: VersionKey, target: Status) -> None:
        """Finish an Unfinished version by the client's own means.  Needs PublishPackageVersion."""
        raise NotImplementedError

    async def search(self, text: str, limit: int, after: tuple[str, str] | None = None) -> Sequence[PackageRow]:
        """Own and upstream repositories' packages by part of their name.  Needs ReadFromRepository."""
        raise NotImplementedError

    async def facts(self, package: PackageKey, version: str) -> object:
        """Facts of a stored version, or None.  Needs ReadFromRepository."""
        raise NotImplementedError
