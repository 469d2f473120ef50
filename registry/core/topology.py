"""Which repositories stand upstream of which, and which external connection a repository has.

Guide, "Working with upstream repositories in CodeArtifact" and "Connect a CodeArtifact repository to a
public repository".  A repository has upstreams or one external connection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from registry.core.errors import Conflict, ResourceNotFound, ServiceQuotaExceeded, Validation
from registry.core.ports import Tx
from registry.core.services import Services
from registry.core.types import Repository


async def set_upstreams(tx: Tx, services: Services, repository: Repository, names: Sequence[str]) -> None:
    """Replace the direct upstreams, in priority order.

    Raises Validation (itself, one twice, a cycle), ServiceQuotaExceeded, ResourceNotFound, Conflict.
    """
    _check_names(services, repository, names)
    connection = (await tx.repositories.connections(repository.domain_id)).get(repository.id)
    if names and connection is not None:
        raise Conflict(
            f"Repository {repository.key.name} has the external connection {connection}: "
            "a repository can have upstream repositories or an external connection, not both",
            resource_id=repository.key.name,
            resource_type="repository",
        )
    targets = [await _upstream(tx, repository, name) for name in names]
    edges = await tx.repositories.edges(repository.domain_id)
    for target in targets:
        if reaches(edges, target.id, repository.id):
            raise Validation(
                f"Repository {target.key.name} cannot be an upstream of {repository.key.name}, "
                f"which is an upstream of it: upstream repositories form no cycle"
            )
    await tx.repositories.set_upstreams(repository.id, [target.id for target in targets])


async def connect(tx: Tx, services: Services, repository: Repository, connection: str) -> None:
    """Raises ResourceNotFound for an unknown connection, Conflict when there is one, or upstreams."""
    if connection not in services.connections:
        raise ResourceNotFound(f"There is no external connection {connection}", resource_id=connection)
    held = (await tx.repositories.connections(repository.domain_id)).get(repository.id)
    upstreams = (await tx.repositories.edges(repository.domain_id)).get(repository.id)
    if held is not None:
        why = f"already has the external connection {held}: a repository can have only one"
    elif upstreams:
        why = "has upstream repositories: a repository can have upstream repositories or an external connection"
    else:
        await tx.repositories.connect(repository.id, connection)
        return
    raise Conflict(
        f"Repository {repository.key.name} {why}", resource_id=repository.key.name, resource_type="repository"
    )


async def disconnect(tx: Tx, repository: Repository, connection: str) -> None:
    """Raises ResourceNotFound when the repository does not have that connection."""
    held = (await tx.repositories.connections(repository.domain_id)).get(repository.id)
    if held != connection:
        raise ResourceNotFound(
            f"Repository {repository.key.name} does not have the external connection {connection}",
            resource_id=connection,
            resource_type="repository",
        )
    await tx.repositories.connect(repository.id, None)


def reaches(edges: Mapping[int, Sequence[int]], start: int, goal: int) -> bool:
    """Is `goal` the repository `start`, or anywhere upstream of it?"""
    seen: set[int] = set()
    waiting = [start]
    while waiting:
        here = waiting.pop()
        if here == goal:
            return True
        if here not in seen:
            seen.add(here)
            waiting.extend(edges.get(here, ()))
    return False


def _check_names(services: Services, repository: Repository, names: Sequence[str]) -> None:
    own = repository.key.name
    if len(names) > services.quotas.direct_upstreams:
        raise ServiceQuotaExceeded(
            f"Repository {own} would have {len(names)} direct upstream repositories; "
            f"at most {services.quotas.direct_upstreams} are allowed",
            resource_id=own,
            resource_type="repository",
        )
    if own in names:
        raise Validation(f"Repository {own} cannot be an upstream of itself")
    for name in names:
        if names.count(name) > 1:
            raise Validation(f"Repository {name} is named twice among the upstreams")


async def _upstream(tx: Tx, repository: Repository, name: str) -> Repository:
    found = await tx.repositories.get(repository.domain_id, name)
    if found is None:
        raise ResourceNotFound(
            f"Upstream repository {name} does not exist in domain {repository.key.domain.name}",
            resource_id=name,
            resource_type="repository",
        )
    return found
