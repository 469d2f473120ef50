"""The view of a repository that is not there, for a caller who may not know that.

Whoever may not read a repository is not told whether it exists.  So a request goes the same way with and without it:
every method asks for the rights that RepoView asks for, with the same refusal, and only who has them hears the truth.
"""

from __future__ import annotations

from dataclasses import dataclass

from registry.core.early import Early, Publisher
from registry.core.errors import ResourceNotFound
from registry.core.ports import Tx
from registry.core.types import Domain, Draft, PackageKey, PackageRow, RepoKey, Repository
from registry.core.view import Published, RepoView


def row(key: RepoKey, domain: Domain) -> Repository:
    """In the place of a repository's row; no row of a database has this id."""
    return Repository(id=-1, domain_id=domain.id, key=key, description="", administrator=key.domain.owner, created=0)


def missing(key: RepoKey) -> ResourceNotFound:
    """What is said of it."""
    return ResourceNotFound(
        f"Repository not found. Repository: '{key.name}', domain: '{key.domain.name}'",
        resource_id=key.name,
        resource_type="repository",
    )


@dataclass(frozen=True, slots=True)
class _Publisher(Publisher):
    """Never gets further than its rights."""

    async def admitted(self, tx: Tx) -> PackageRow | None:
        await self.authorize(tx)
        raise missing(self.repository.key)


@dataclass(frozen=True, slots=True)
class AbsentView(RepoView):
    """As RepoView, but what it allows ends in ResourceNotFound."""

    async def publish(self, draft: Draft, *, early: Early | None = None) -> Published:
        await self.may_publish(draft.key.package)
        raise missing(self.repository.key)

    def _publisher(self, package: PackageKey) -> Publisher:
        return _Publisher(self.services, self.repository, self.info, self.caller, self.context, package)

    async def _require(self, tx: Tx, action: str, package: PackageKey | None = None) -> None:
        await RepoView._require(self, tx, action, package)
        raise missing(self.repository.key)
