"""The view of a repository that is not there, for a caller who may not know that.

Whoever may not read a repository is not told whether it exists.  So a request goes the same way with and without it:
every method asks for the rights that RepoView asks for, with the same refusal, and only who has them hears the truth.
"""

from __future__ import annotations

from dataclasses import dataclass

from registry.core import rights
from registry.core.errors import ResourceNotFound
from registry.core.ports import Tx
from registry.core.types import Domain, Draft, PackageKey, RepoKey, Repository
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
class AbsentView(RepoView):
    """As RepoView, but what it allows ends in ResourceNotFound."""

    async def may_publish(self, package: PackageKey) -> None:
        async def work(tx: Tx) -> None:
            await rights.require_publish(
                tx,
                self.services,
                repository=self.repository,
                info=self.info,
                caller=self.caller,
                package=package,
                context=self.context,
            )

        await self.services.store.glance(work)
        raise missing(self.repository.key)

    async def publish(self, draft: Draft) -> Published:
        await self.may_publish(draft.key.package)
        raise missing(self.repository.key)

    async def _require(self, tx: Tx, action: str, package: PackageKey | None = None) -> None:
        await RepoView._require(self, tx, action, package)
        raise missing(self.repository.key)
