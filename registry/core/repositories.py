"""Domains and repositories, and all that belongs to them: upstreams, connections, policies, tags.

Everything takes a transaction, so that a caller authorizes and acts in one unit of work; nothing here
authorizes.  Records are what the control plane shows.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from registry.core import topology
from registry.core.attached import check_tags, delete_policy, policy, put_policy, tag, tags, untag
from registry.core.clock import new_id
from registry.core.errors import Conflict, ResourceNotFound, ServiceQuotaExceeded
from registry.core.groups.administration import add_root
from registry.core.paging import Page, cut
from registry.core.ports import Tx
from registry.core.services import Services
from registry.core.types import Domain, DomainKey, RepoKey, Repository, RepositoryFilter

__all__ = [
    "DomainRecord",
    "RepositoryRecord",
    "associate_connection",
    "create_domain",
    "create_repository",
    "delete_domain",
    "delete_policy",
    "delete_repository",
    "describe_domain",
    "describe_repository",
    "disassociate_connection",
    "domain",
    "endpoint_path",
    "list_domains",
    "list_repositories",
    "policy",
    "put_policy",
    "repository",
    "tag",
    "tags",
    "untag",
    "update_repository",
]


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
    arn = services.arns.domain(key)
    check_tags(services, tags, arn)
    if await tx.domains.get(key) is None:
        limit = services.quotas.domains_per_account
        if len(await tx.domains.page(key.owner, None, limit)) >= limit:
            raise ServiceQuotaExceeded(
                f"Account {key.owner} has {limit} domains, which is the most that are allowed",
                resource_id=key.name,
                resource_type="domain",
            )
    now = services.clock.now()
    created = Domain(new_id(now), key, now, _encryption_key(services, key, encryption_key), topology=1)
    await tx.domains.add(created)
    await add_root(tx, created)
    await tx.policies.set_resource_tags(arn, tags)
    return DomainRecord(created, arn, 0, 0)


async def domain(tx: Tx, key: DomainKey) -> Domain:
    """Raises ResourceNotFound."""
    found = await tx.domains.get(key)
    if found is None:
        raise ResourceNotFound(
            f"Domain not found. Domain: '{key.name}', owner: '{key.owner}'",
            resource_id=key.name,
            resource_type="domain",
        )
    return found


async def describe_domain(tx: Tx, services: Services, key: DomainKey) -> DomainRecord:
    """Raises ResourceNotFound."""
    found = await domain(tx, key)
    count, size = await tx.domains.usage(found.id)
    return DomainRecord(found, services.arns.domain(key), count, size)


async def list_domains(tx: Tx, owner: str, *, after: tuple[str, ...] | None, limit: int) -> Page[Domain]:
    """The domains of an account, by name."""
    rows = await tx.domains.page(owner, None if after is None else "/".join(after), limit + 1)
    return cut(rows, limit, lambda row: (row.key.name, row.key.owner))


async def delete_domain(tx: Tx, services: Services, key: DomainKey) -> DomainRecord | None:
    """None when there is none.  Raises Conflict while it holds repositories."""
    found = await tx.domains.get(key)
    if found is None:
        return None
    if await tx.repositories.page(RepositoryFilter(domain_id=found.id), None, 1):
        raise Conflict(
            f"Domain {key.name} contains repositories; delete them first",
            resource_id=key.name,
            resource_type="domain",
        )
    await tx.domains.delete(found.id)
    return DomainRecord(found, services.arns.domain(key), 0, 0)


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
    arn = services.arns.repository(key)
    check_tags(services, tags, arn)
    within = await domain(tx, key.domain)
    if await tx.repositories.get(within.id, key.name) is None:
        await _check_room(tx, services, within)
    now = services.clock.now()
    made = Repository(new_id(now), within.id, key, description, administrator, now)
    await tx.repositories.add(made)
    if upstreams:
        await topology.set_upstreams(tx, services, made, upstreams)
    await tx.policies.set_resource_tags(arn, tags)
    return RepositoryRecord(made, arn, tuple(upstreams), ())


async def repository(tx: Tx, key: RepoKey) -> Repository:
    """Raises ResourceNotFound for the domain or the repository."""
    within = await domain(tx, key.domain)
    found = await tx.repositories.get(within.id, key.name)
    if found is None:
        raise ResourceNotFound(
            f"Repository not found. Repository: '{key.name}', domain: '{key.domain.name}'",
            resource_id=key.name,
            resource_type="repository",
        )
    return found


async def describe_repository(tx: Tx, services: Services, key: RepoKey) -> RepositoryRecord:
    """Raises ResourceNotFound."""
    return await _record(tx, services, await repository(tx, key))


async def list_repositories(
    tx: Tx, where: RepositoryFilter, *, after: tuple[str, ...] | None, limit: int
) -> Page[Repository]:
    """By name."""
    start = None if after is None else (after[0], after[1], after[2])
    rows = await tx.repositories.page(where, start, limit + 1)
    return cut(rows, limit, lambda row: (row.key.name, row.key.domain.name, row.key.domain.owner))


async def update_repository(
    tx: Tx, services: Services, key: RepoKey, *, description: str | None, upstreams: Sequence[str] | None
) -> RepositoryRecord:
    """What is None stays.  Raises as create_repository; Conflict when the repository has a connection."""
    found = await repository(tx, key)
    if upstreams is not None:
        await topology.set_upstreams(tx, services, found, upstreams)
    if description is not None:
        await tx.repositories.describe(found.id, description)
        found = replace(found, description=description)
    return await _record(tx, services, found)


async def delete_repository(tx: Tx, services: Services, key: RepoKey) -> RepositoryRecord:
    """Remove it with everything in it; returns what it was.  Raises ResourceNotFound."""
    record = await describe_repository(tx, services, key)
    await tx.repositories.delete(record.repository.id)
    return record


async def associate_connection(tx: Tx, services: Services, key: RepoKey, connection: str) -> RepositoryRecord:
    """Raises ResourceNotFound (repository, unknown connection), Conflict (has one, or has upstreams)."""
    found = await repository(tx, key)
    await topology.connect(tx, services, found, connection)
    return await _record(tx, services, found)


async def disassociate_connection(tx: Tx, services: Services, key: RepoKey, connection: str) -> RepositoryRecord:
    """Raises ResourceNotFound when the repository does not have that connection."""
    found = await repository(tx, key)
    await topology.disconnect(tx, found, connection)
    return await _record(tx, services, found)


async def endpoint_path(tx: Tx, key: RepoKey, format: str) -> str:
    """The path of a repository's endpoint, `/{format}/d/{domain}-{owner}/{repository}/`.  Raises ResourceNotFound."""
    found = await repository(tx, key)
    return f"/{format}/d/{found.key.domain.name}-{found.key.domain.owner}/{found.key.name}/"


async def _record(tx: Tx, services: Services, found: Repository) -> RepositoryRecord:
    targets = (await tx.repositories.edges(found.domain_id)).get(found.id, ())
    rows = [await tx.repositories.by_id(target) for target in targets]
    name = (await tx.repositories.connections(found.domain_id)).get(found.id)
    # A connection that the configuration no longer knows is still shown.
    connections = () if name is None else ((name, services.connections.get(name, "")),)
    upstreams = tuple(row.key.name for row in rows if row is not None)
    return RepositoryRecord(found, services.arns.repository(found.key), upstreams, connections)


async def _check_room(tx: Tx, services: Services, within: Domain) -> None:
    limit = services.quotas.repositories_per_domain
    if len(await tx.repositories.page(RepositoryFilter(domain_id=within.id), None, limit)) >= limit:
        raise ServiceQuotaExceeded(
            f"Domain {within.key.name} has {limit} repositories, which is the most that are allowed",
            resource_id=within.key.name,
            resource_type="domain",
        )


def _encryption_key(services: Services, key: DomainKey, asked: str | None) -> str:
    """The ARN of the key that was named (by ARN, id or alias), or of one that is the domain's own."""
    prefix = f"arn:{services.arns.partition}:kms:{services.arns.region}:{key.owner}:"
    if asked is None:
        return f"{prefix}key/{uuid.uuid5(uuid.NAMESPACE_OID, services.arns.domain(key))}"
    if asked.startswith("arn:"):
        return asked
    return prefix + (asked if asked.startswith("alias/") else f"key/{asked}")
