"""Domains, repositories, upstreams, external connections, resource policies and tags.

Everything takes a transaction, so that a caller authorizes and acts in one unit of work; nothing here
authorizes.  Records are what the control plane shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from registry.core.paging import Page
from registry.core.ports import Tx
from registry.core.services import Services
from registry.core.types import Domain, DomainKey, PolicyDocument, RepoKey, Repository, RepositoryFilter


@dataclass(frozen=True, slots=True)
class DomainRecord:
    """DescribeDomain."""

    domain: Domain
    arn: str
    repository_count: int
    asset_bytes: int


@dataclass(frozen=True, slots=True)
class RepositoryRecord:
    """DescribeRepository.  `connections` are (name, format) pairs."""

    repository: Repository
    arn: str
    upstreams: tuple[str, ...]
    connections: tuple[tuple[str, str], ...]


async def create_domain(
    tx: Tx, services: Services, key: DomainKey, *, encryption_key: str | None, tags: Mapping[str, str]
) -> DomainRecord:
    """Raises Conflict, ServiceQuotaExceeded (domains, tags)."""
    raise NotImplementedError


async def domain(tx: Tx, key: DomainKey) -> Domain:
    """Raises ResourceNotFound."""
    raise NotImplementedError


async def describe_domain(tx: Tx, services: Services, key: DomainKey) -> DomainRecord:
    """Raises ResourceNotFound."""
    raise NotImplementedError


async def list_domains(tx: Tx, owner: str, *, after: tuple[str, ...] | None, limit: int) -> Page[Domain]:
    """The domains of an account, by name."""
    raise NotImplementedError


async def delete_domain(tx: Tx, services: Services, key: DomainKey) -> DomainRecord | None:
    """None when there is none.  Raises Conflict while it holds repositories."""
    raise NotImplementedError


async def create_repository(
    tx: Tx,
    services: Services,
    key: RepoKey,
    *,
    description: str,
    upstreams: Sequence[str],
    administrator: str,
    tags: Mapping[str, str],
) -> RepositoryRecord:
    """Raises ResourceNotFound (domain, upstream), Conflict, ServiceQuotaExceeded, Validation."""
    raise NotImplementedError


async def repository(tx: Tx, key: RepoKey) -> Repository:
    """Raises ResourceNotFound for the domain or the repository."""
    raise NotImplementedError


async def describe_repository(tx: Tx, services: Services, key: RepoKey) -> RepositoryRecord:
    """Raises ResourceNotFound."""
    raise NotImplementedError


async def list_repositories(
    tx: Tx, where: RepositoryFilter, *, after: tuple[str, ...] | None, limit: int
) -> Page[Repository]:
    """By name."""
    raise NotImplementedError


async def update_repository(
    tx: Tx, services: Services, key: RepoKey, *, description: str | None, upstreams: Sequence[str] | None
) -> RepositoryRecord:
    """What is None stays.  Raises as create_repository; Conflict when the repository has a connection."""
    raise NotImplementedError


async def delete_repository(tx: Tx, services: Services, key: RepoKey) -> RepositoryRecord:
    """Remove it with everything in it; returns what it was.  Raises ResourceNotFound."""
    raise NotImplementedError


async def associate_connection(tx: Tx, services: Services, key: RepoKey, connection: str) -> RepositoryRecord:
    """Raises ResourceNotFound (repository, unknown connection), Conflict (has one, or has upstreams)."""
    raise NotImplementedError


async def disassociate_connection(tx: Tx, services: Services, key: RepoKey, connection: str) -> RepositoryRecord:
    """Raises ResourceNotFound when the repository does not have that connection."""
    raise NotImplementedError


async def endpoint_path(tx: Tx, key: RepoKey, format: str) -> str:
    """The path of a repository's endpoint, `/{format}/d/{domain}-{owner}/{repository}/`.  Raises ResourceNotFound."""
    raise NotImplementedError


async def policy(tx: Tx, arn: str) -> PolicyDocument:
    """Raises ResourceNotFound when none is set."""
    raise NotImplementedError


async def put_policy(
    tx: Tx, services: Services, arn: str, domain_id: int, document: str, *, revision: str | None
) -> PolicyDocument:
    """Set it.  Raises Conflict when `revision` is given and is not the current one, Validation when it is too long.
    The caller has parsed the document."""
    raise NotImplementedError


async def delete_policy(tx: Tx, arn: str, domain_id: int, *, revision: str | None) -> PolicyDocument:
    """Returns what it was.  Raises ResourceNotFound, Conflict for a stale revision."""
    raise NotImplementedError


async def tag(tx: Tx, services: Services, arn: str, tags: Mapping[str, str]) -> None:
    """Add or overwrite.  Raises ResourceNotFound, ServiceQuotaExceeded above the quota, Validation for `aws:` keys."""
    raise NotImplementedError


async def untag(tx: Tx, services: Services, arn: str, keys: Sequence[str]) -> None:
    """Raises ResourceNotFound."""
    raise NotImplementedError


async def tags(tx: Tx, services: Services, arn: str) -> dict[str, str]:
    """Raises ResourceNotFound."""
    raise NotImplementedError
