"""Package groups.  Guide chapter "Working with package groups in CodeArtifact"."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import cache
from typing import TypeVar

from registry.control import model, resources, shapes
from registry.control.call import Call, Need, Params, Result, operation
from registry.control.given import given_tags
from registry.core import repositories
from registry.core.groups import administration
from registry.core.groups.administration import Entry, GroupRecord
from registry.core.groups.patterns import Strength
from registry.core.paging import Page
from registry.core.ports import Tx
from registry.core.services import Services
from registry.core.types import Caller, Domain, PackageKey

T = TypeVar("T")


@cache
def formats() -> frozenset[str]:
    """The package formats of the model: patterns may name them all."""
    return frozenset(model.load().operations["GetAssociatedPackageGroup"].input.members["format"].shape.enum or ())


def within(call: Call, work: Callable[[Tx, Domain], Awaitable[T]]) -> Callable[[Tx], Awaitable[T]]:
    """A unit of work with the row of the request's domain.  Raises ResourceNotFound."""

    async def inside(tx: Tx) -> T:
        return await work(tx, await repositories.domain(tx, call.domain))

    return inside


def tagging(services: Services, caller: Caller, p: Params) -> Iterable[Need]:
    """A group that is made with tags needs the right to tag it."""
    return (Need("TagResource", resources.group(services, caller, p)),) if p.get("tags") else ()


@operation("CreatePackageGroup", on=resources.group, also=tagging)
async def create_package_group(call: Call, p: Params) -> Result:
    async def work(tx: Tx, domain: Domain) -> GroupRecord:
        return await administration.create(
            tx,
            call.services,
            domain,
            p["packageGroup"],
            contact=p.get("contactInfo", ""),
            description=p.get("description", ""),
            tags=given_tags(p),
            formats=formats(),
        )

    return {"packageGroup": shapes.group(await call.write(within(call, work)), call.services.arns)}


@operation("DescribePackageGroup", on=resources.group)
async def describe_package_group(call: Call, p: Params) -> Result:
    async def work(tx: Tx, domain: Domain) -> GroupRecord:
        return await administration.describe(tx, call.services, domain, p["packageGroup"])

    return {"packageGroup": shapes.group(await call.read(within(call, work)), call.services.arns)}


@operation("UpdatePackageGroup", on=resources.group)
async def update_package_group(call: Call, p: Params) -> Result:
    """Replaces what is given and leaves what is omitted."""

    async def work(tx: Tx, domain: Domain) -> GroupRecord:
        return await administration.update(
            tx,
            call.services,
            domain,
            p["packageGroup"],
            contact=p.get("contactInfo"),
            description=p.get("description"),
        )

    return {"packageGroup": shapes.group(await call.write(within(call, work)), call.services.arns)}


@operation("UpdatePackageGroupOriginConfiguration", on=resources.group)
async def update_package_group_origin_configuration(call: Call, p: Params) -> Result:
    async def work(tx: Tx, domain: Domain) -> tuple[GroupRecord, administration.Updates]:
        return await administration.configure(
            tx,
            call.services,
            domain,
            p["packageGroup"],
            modes=p.get("restrictions", {}),
            add=_entries(p, "addAllowedRepositories"),
            remove=_entries(p, "removeAllowedRepositories"),
        )

    record, updates = await call.write(within(call, work))
    return {
        "packageGroup": shapes.group(record, call.services.arns),
        "allowedRepositoryUpdates": {kind: dict(moved) for kind, moved in updates.items()},
    }


def _entries(p: Params, member: str) -> list[Entry]:
    """Raises Validation where one of the two members is left out, which the model leaves optional."""
    return [shapes.entry(member, each) for each in p.get(member, ())]


@operation("DeletePackageGroup", on=resources.group)
async def delete_package_group(call: Call, p: Params) -> Result:
    async def work(tx: Tx, domain: Domain) -> GroupRecord:
        return await administration.delete(tx, call.services, domain, p["packageGroup"])

    return {"packageGroup": shapes.group(await call.write(within(call, work)), call.services.arns)}


@operation("ListPackageGroups", on=resources.domain)
async def list_package_groups(call: Call, p: Params) -> Result:
    after, limit = call.after(), call.limit(100)

    async def work(tx: Tx, domain: Domain) -> Page[GroupRecord]:
        return await administration.list_groups(tx, domain, p.get("prefix", ""), after=after, limit=limit)

    return _groups(call, await call.read(within(call, work)))


@operation("ListSubPackageGroups", on=resources.group)
async def list_sub_package_groups(call: Call, p: Params) -> Result:
    after, limit = call.after(), call.limit(100)

    async def work(tx: Tx, domain: Domain) -> Page[GroupRecord]:
        return await administration.list_children(
            tx, call.services, domain, p["packageGroup"], after=after, limit=limit
        )

    return _groups(call, await call.read(within(call, work)))


def _groups(call: Call, page: Page[GroupRecord]) -> Result:
    return {
        "packageGroups": [shapes.group(each, call.services.arns) for each in page.items],
        "nextToken": call.next(page),
    }


@operation("ListAllowedRepositoriesForGroup", on=resources.group)
async def list_allowed_repositories_for_group(call: Call, p: Params) -> Result:
    after, limit = call.after(), call.limit(100)

    async def work(tx: Tx, domain: Domain) -> Page[str]:
        kind = p["originRestrictionType"]
        return await administration.list_allowed(
            tx, call.services, domain, p["packageGroup"], kind, after=after, limit=limit
        )

    page = await call.read(within(call, work))
    return {"allowedRepositories": list(page.items), "nextToken": call.next(page)}


@operation("ListAssociatedPackages", on=resources.group)
async def list_associated_packages(call: Call, p: Params) -> Result:
    after, limit = call.after(), call.limit(100)

    async def work(tx: Tx, domain: Domain) -> Page[tuple[PackageKey, Strength]]:
        return await administration.associated_packages(
            tx,
            call.services,
            domain,
            p["packageGroup"],
            preview=p.get("preview", False),
            after=after,
            limit=limit,
            formats=formats(),
        )

    page = await call.read(within(call, work))
    return {
        "packages": [{**shapes.coordinates(key), "associationType": strength} for key, strength in page.items],
        "nextToken": call.next(page),
    }


@operation("GetAssociatedPackageGroup", on=resources.domain)
async def get_associated_package_group(call: Call, p: Params) -> Result:
    """The package need not be anywhere; its name is taken in the spelling in which it would be stored."""
    key = resources.package_path(call.services, p)

    async def work(tx: Tx, domain: Domain) -> tuple[GroupRecord, Strength]:
        return await administration.associated_group(tx, call.services, domain, key)

    record, strength = await call.read(within(call, work))
    return {"packageGroup": shapes.group(record, call.services.arns), "associationType": strength}
