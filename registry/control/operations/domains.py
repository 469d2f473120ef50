"""Domains.  Guide chapter "Working with domains in CodeArtifact"."""

from __future__ import annotations

from collections.abc import Iterable

from registry.control import resources, shapes
from registry.control.call import Call, Need, Params, Result, operation
from registry.control.given import given_tags
from registry.core import repositories
from registry.core.paging import Page
from registry.core.ports import Tx
from registry.core.services import Services
from registry.core.types import Caller, Repository, RepositoryFilter


def tagging(services: Services, caller: Caller, p: Params) -> Iterable[Need]:
    """A domain that is made with tags needs the right to tag it."""
    return (Need("TagResource", resources.new_domain(services, caller, p)),) if p.get("tags") else ()


@operation("CreateDomain", on=resources.new_domain, also=tagging)
async def create_domain(call: Call, p: Params) -> Result:
    record = await call.write(
        lambda tx: repositories.create_domain(
            tx, call.services, call.domain, encryption_key=p.get("encryptionKey"), tags=given_tags(p)
        )
    )
    return {"domain": shapes.domain(record, call.services.arns)}


@operation("DescribeDomain", on=resources.domain)
async def describe_domain(call: Call, p: Params) -> Result:
    record = await call.read(lambda tx: repositories.describe_domain(tx, call.services, call.domain))
    return {"domain": shapes.domain(record, call.services.arns)}


@operation("ListDomains", on=resources.account)
async def list_domains(call: Call, p: Params) -> Result:
    """The domains of the caller's account."""
    after, limit = call.after(), call.limit(100)
    page = await call.read(lambda tx: repositories.list_domains(tx, call.caller.account, after=after, limit=limit))
    return {
        "domains": [shapes.domain_summary(each, call.services.arns) for each in page.items],
        "nextToken": call.next(page),
    }


@operation("DeleteDomain", on=resources.domain)
async def delete_domain(call: Call, p: Params) -> Result:
    """The model has no ResourceNotFound here: deleting what is not there succeeds."""
    record = await call.write(lambda tx: repositories.delete_domain(tx, call.services, call.domain))
    if record is None:
        return {}
    return {"domain": shapes.domain(record, call.services.arns, status="Deleted")}


@operation("ListRepositoriesInDomain", on=resources.domain)
async def list_repositories_in_domain(call: Call, p: Params) -> Result:
    after, limit = call.after(), call.limit(50)

    async def work(tx: Tx) -> Page[Repository]:
        domain = await repositories.domain(tx, call.domain)
        where = RepositoryFilter(domain.id, p.get("repositoryPrefix"), p.get("administratorAccount"))
        return await repositories.list_repositories(tx, where, after=after, limit=limit)

    page = await call.read(work)
    return {
        "repositories": [shapes.repository_summary(each, call.services.arns) for each in page.items],
        "nextToken": call.next(page),
    }
