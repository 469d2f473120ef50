"""Repositories, their upstreams and endpoints.  Guide chapter "Working with repositories in CodeArtifact"."""

from __future__ import annotations

from collections.abc import Iterable

from registry.control import resources, shapes
from registry.control.call import Call, Need, Params, Result, operation
from registry.control.given import given_tags, given_upstreams
from registry.core import repositories
from registry.core.ports import Tx
from registry.core.repositories import RepositoryRecord
from registry.core.services import Services
from registry.core.types import Caller, RepoKey, RepositoryFilter


def creating(services: Services, caller: Caller, p: Params) -> Iterable[Need]:
    """Tags need TagResource on the new repository, each upstream AssociateWithDownstreamRepository on itself."""
    domain = resources.domain_key(caller, p)
    if p.get("tags"):
        yield Need("TagResource", resources.repository(services, caller, p))
    for name in dict.fromkeys(given_upstreams(p) or ()):
        yield joining(services, RepoKey(domain, name))


def joining(services: Services, upstream: RepoKey) -> Need:
    """The right to use a repository as an upstream (guide, "Create a repository with an upstream repository")."""
    return Need("AssociateWithDownstreamRepository", resources.repository_target(services, upstream))


@operation("CreateRepository", on=resources.new_repository, also=creating)
async def create_repository(call: Call, p: Params) -> Result:
    record = await call.write(
        lambda tx: repositories.create_repository(
            tx,
            call.services,
            RepoKey(call.domain, p["repository"]),
            description=p.get("description", ""),
            upstreams=given_upstreams(p) or (),
            administrator=call.caller.account,
            tags=given_tags(p),
        )
    )
    return {"repository": shapes.repository(record, call.services.arns)}


@operation("DescribeRepository", on=resources.repository)
async def describe_repository(call: Call, p: Params) -> Result:
    record = await call.read(lambda tx: repositories.describe_repository(tx, call.services, call.repository))
    return {"repository": shapes.repository(record, call.services.arns)}


@operation("UpdateRepository", on=resources.repository)
async def update_repository(call: Call, p: Params) -> Result:
    """Replaces what is given and leaves what is omitted.  Only upstreams that are new need their right."""
    upstreams = given_upstreams(p)

    async def work(tx: Tx) -> RepositoryRecord:
        if upstreams:
            before = await repositories.describe_repository(tx, call.services, call.repository)
            for name in dict.fromkeys(upstreams):
                if name not in before.upstreams:
                    await call.require(tx, joining(call.services, RepoKey(call.domain, name)))
        return await repositories.update_repository(
            tx, call.services, call.repository, description=p.get("description"), upstreams=upstreams
        )

    return {"repository": shapes.repository(await call.write(work), call.services.arns)}


@operation("DeleteRepository", on=resources.repository)
async def delete_repository(call: Call, p: Params) -> Result:
    record = await call.write(lambda tx: repositories.delete_repository(tx, call.services, call.repository))
    return {"repository": shapes.repository(record, call.services.arns)}


@operation("ListRepositories", on=resources.account)
async def list_repositories(call: Call, p: Params) -> Result:
    """The repositories that the caller's account administers, in whatever domain."""
    after, limit = call.after(), call.limit(50)
    where = RepositoryFilter(prefix=p.get("repositoryPrefix"), administrator=call.caller.account)
    page = await call.read(lambda tx: repositories.list_repositories(tx, where, after=after, limit=limit))
    return {
        "repositories": [shapes.repository_summary(each, call.services.arns) for each in page.items],
        "nextToken": call.next(page),
    }


@operation("GetRepositoryEndpoint", on=resources.repository)
async def get_repository_endpoint(call: Call, p: Params) -> Result:
    """One address serves IPv4 and IPv6, so that `endpointType` makes no difference."""
    info = call.info
    path = await call.glance(lambda tx: repositories.endpoint_path(tx, call.repository, info.name))
    return {"repositoryEndpoint": call.base + path}
