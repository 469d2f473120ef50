"""What the control plane does with package groups.

Guide, "Working with package groups in CodeArtifact".  Everything takes a transaction and the domain's row, so that a
caller authorizes and acts in one unit of work; nothing here authorizes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from registry.core.attached import check_tags
from registry.core.clock import new_id
from registry.core.errors import ResourceNotFound, ServiceQuotaExceeded, Validation
from registry.core.groups import folding, patterns
from registry.core.groups.association import KINDS, Line, line, lined
from registry.core.groups.patterns import ROOT, Strength
from registry.core.paging import Page, cut
from registry.core.ports import Store, Tx
from registry.core.services import Services
from registry.core.types import Domain, GroupKey, Mode, PackageGroup, PackageKey, Repository, Restriction

_EXAMINED = 20_000
"""Packages that one page of ListAssociatedPackages looks at; the next page goes on from there."""
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class GroupRecord:
    """DescribePackageGroup."""

    domain: Domain
    line: Line

    @property
    def group(self) -> PackageGroup:
        return self.line.group


@dataclass(frozen=True, slots=True)
class Entry:
    """A repository in one of a group's lists of allowed repositories, as a request names it."""

    kind: Restriction
    repository: str


Updates = Mapping[Restriction, Mapping[Literal["ADDED", "REMOVED"], Sequence[str]]]


async def add_root(tx: Tx, domain: Domain) -> None:
    """The group that every domain has: all packages, from everywhere."""
    modes: dict[Restriction, Mode] = dict.fromkeys(KINDS, "ALLOW")
    root = PackageGroup(domain.id, domain.id, ROOT, "", "", domain.created, modes)
    await tx.groups.add(root, patterns.read(ROOT).found_by())


async def create(
    tx: Tx,
    services: Services,
    domain: Domain,
    text: str,
    *,
    contact: str,
    description: str,
    tags: Mapping[str, str],
    formats: Collection[str] = (),
) -> GroupRecord:
    """Raises Validation (pattern, tags), Conflict, ServiceQuotaExceeded."""
    pattern = patterns.parse(text, services.formats, formats)
    arn = services.arns.group(GroupKey(domain.key, pattern.text))
    check_tags(services, tags, arn)
    limit = services.quotas.package_groups_per_domain
    exists = await tx.groups.get(domain.id, pattern.text) is not None
    if not exists and await tx.groups.count(domain.id, limit + 2) > limit:  # the root is nobody's
        raise ServiceQuotaExceeded(
            f"Domain {domain.key.name} has {limit} package groups, which is the most that are allowed",
            resource_id=pattern.text,
            resource_type="package-group",
        )
    now = services.clock.now()
    modes: dict[Restriction, Mode] = dict.fromkeys(KINDS, "INHERIT")
    made = PackageGroup(new_id(now), domain.id, pattern.text, contact, description, now, modes)
    await tx.groups.add(made, pattern.found_by())
    await tx.policies.set_resource_tags(arn, tags)
    return GroupRecord(domain, await line(tx, made))


async def group(tx: Tx, services: Services, domain: Domain, text: str) -> PackageGroup:
    """Raises Validation for what is no pattern, ResourceNotFound."""
    pattern = patterns.known(text, services.formats)
    found = await tx.groups.get(domain.id, pattern)
    if found is None:
        raise ResourceNotFound(
            f"Package group not found. Package group: '{pattern}', domain: '{domain.key.name}'",
            resource_id=pattern,
            resource_type="package-group",
        )
    return found


async def describe(tx: Tx, services: Services, domain: Domain, text: str) -> GroupRecord:
    """Raises Validation, ResourceNotFound."""
    return GroupRecord(domain, await line(tx, await group(tx, services, domain, text)))


async def update(
    tx: Tx, services: Services, domain: Domain, text: str, *, contact: str | None, description: str | None
) -> GroupRecord:
    """What is None stays.  Raises Validation, ResourceNotFound."""
    found = await group(tx, services, domain, text)
    changed = replace(
        found,
        contact=found.contact if contact is None else contact,
        description=found.description if description is None else description,
    )
    await tx.groups.change(changed)
    return GroupRecord(domain, await line(tx, changed))


async def delete(tx: Tx, services: Services, domain: Domain, text: str) -> GroupRecord:
    """With its lists and tags; returns what it was.  Raises Validation (also for the root), ResourceNotFound."""
    record = await describe(tx, services, domain, text)
    if record.group.pattern == ROOT:
        raise Validation("The root package group /* cannot be deleted", reason="OTHER")
    arn = services.arns.group(GroupKey(domain.key, record.group.pattern))
    await tx.policies.drop_resource_tags(arn, tuple(await tx.policies.resource_tags(arn)))
    await tx.groups.delete(record.group)
    return record


async def configure(
    tx: Tx,
    services: Services,
    domain: Domain,
    text: str,
    *,
    modes: Mapping[Restriction, Mode],
    add: Sequence[Entry] = (),
    remove: Sequence[Entry] = (),
) -> tuple[GroupRecord, Updates]:
    """UpdatePackageGroupOriginConfiguration: set modes, then lists; says which repositories came and went.

    A restriction has a list while its mode is ALLOW_SPECIFIC_REPOSITORIES (guide, "Allowed repository lists").
    What is both added and removed, as in an example of the guide, is removed.
    Raises Validation, ResourceNotFound (group, repository), ServiceQuotaExceeded.
    """
    found = await group(tx, services, domain, text)
    changed = replace(found, modes={**found.modes, **modes})
    if found.pattern == ROOT and "INHERIT" in changed.modes.values():
        raise Validation("The root package group /* has no parent to inherit from")
    for entry in add:
        if changed.modes[entry.kind] != "ALLOW_SPECIFIC_REPOSITORIES":
            raise Validation(
                f"Repository {entry.repository} cannot be added to the allowed repositories of {entry.kind}, "
                f"which is {changed.modes[entry.kind]}: only ALLOW_SPECIFIC_REPOSITORIES has such a list"
            )
    named = await _repositories(tx, domain, [*add, *remove])
    updates: dict[Restriction, dict[Literal["ADDED", "REMOVED"], Sequence[str]]] = {}
    held = await tx.groups.allowed([found.id])
    for kind in KINDS:
        before = {name: repo_id for _, of, repo_id, name in held if of == kind}
        after = dict(before) if changed.modes[kind] == "ALLOW_SPECIFIC_REPOSITORIES" else {}
        after.update((entry.repository, named[entry.repository].id) for entry in add if entry.kind == kind)
        for entry in remove:
            if entry.kind == kind:
                after.pop(entry.repository, None)
        _check_length(services, found, kind, len(after))
        if after != before:
            await tx.groups.allow(found, kind, sorted(after.values()))
        moved: dict[Literal["ADDED", "REMOVED"], Sequence[str]] = {}
        if after.keys() - before.keys():
            moved["ADDED"] = sorted(after.keys() - before.keys())
        if before.keys() - after.keys():
            moved["REMOVED"] = sorted(before.keys() - after.keys())
        if moved:
            updates[kind] = moved
    await tx.groups.change(changed)
    return GroupRecord(domain, await line(tx, changed)), updates


async def _repositories(tx: Tx, domain: Domain, entries: Sequence[Entry]) -> dict[str, Repository]:
    found = {}
    for name in dict.fromkeys(entry.repository for entry in entries):
        repository = await tx.repositories.get(domain.id, name)
        if repository is None:
            raise ResourceNotFound(
                f"Repository not found. Repository: '{name}', domain: '{domain.key.name}'",
                resource_id=name,
                resource_type="repository",
            )
        found[name] = repository
    return found


def _check_length(services: Services, of: PackageGroup, kind: Restriction, count: int) -> None:
    limit = services.quotas.allowed_repositories_per_group
    if count > limit:
        raise ServiceQuotaExceeded(
            f"Package group {of.pattern} would have {count} allowed repositories for {kind}; "
            f"at most {limit} are allowed",
            resource_id=of.pattern,
            resource_type="package-group",
        )


# --- lists -----------------------------------------------------------------------------------


async def list_groups(
    tx: Tx, domain: Domain, prefix: str, *, after: tuple[str, ...] | None, limit: int
) -> Page[GroupRecord]:
    """Those whose pattern begins so, by pattern."""
    rows = await tx.groups.page(domain.id, prefix, None if after is None else after[0], limit + 1)
    page = cut(rows, limit, lambda row: (row.pattern,))
    return Page(tuple([GroupRecord(domain, await line(tx, row)) for row in page.items]), page.last)


async def list_children(
    tx: Tx, services: Services, domain: Domain, text: str, *, after: tuple[str, ...] | None, limit: int
) -> Page[GroupRecord]:
    """The groups whose direct parent it is, by pattern.  Raises Validation, ResourceNotFound."""
    found = await group(tx, services, domain, text)
    hierarchy = await services.groups.hierarchy(tx, domain.id)
    rows = [row for row in hierarchy.children(found) if after is None or row.pattern > after[0]]
    page = cut(rows[: limit + 1], limit, lambda row: (row.pattern,))
    return Page(tuple([GroupRecord(domain, await lined(tx, hierarchy, row)) for row in page.items]), page.last)


async def list_allowed(
    tx: Tx,
    services: Services,
    domain: Domain,
    text: str,
    kind: Restriction,
    *,
    after: tuple[str, ...] | None,
    limit: int,
) -> Page[str]:
    """The names of the list that is in effect, which may be an ancestor's.  Raises Validation, ResourceNotFound."""
    record = await describe(tx, services, domain, text)
    names = sorted(record.line.effective(kind).repositories.values())
    rest = [name for name in names if after is None or name > after[0]]
    return cut(rest[: limit + 1], limit, lambda name: (name,))


async def associated_packages(
    tx: Tx,
    services: Services,
    domain: Domain,
    text: str,
    *,
    preview: bool,
    after: tuple[str, ...] | None,
    limit: int,
    formats: Collection[str] = (),
) -> Page[tuple[PackageKey, Strength]]:
    """The packages of the domain that belong to a group, each once, by format, namespace and name.

    `preview`: to the group that would be made with this pattern, if there is none.  A page may hold less than `limit`,
    or nothing, and yet have a next one.  Raises Validation, ResourceNotFound.
    """
    pattern = patterns.parse(text, services.formats, formats)
    found = await tx.groups.get(domain.id, pattern.text)
    supposed = PackageGroup(0, domain.id, pattern.text, "", "", 0, dict.fromkeys(KINDS, "INHERIT"))
    if found is None and not preview:
        found = await group(tx, services, domain, text)
    hierarchy = await services.groups.hierarchy(tx, domain.id, among=() if found is not None else (supposed,))
    wanted = supposed if found is None else found
    items: list[tuple[PackageKey, Strength]] = []
    last = None if after is None else (after[0], after[1], after[2])
    for _ in range(_EXAMINED // _AT_ONCE):
        packages = await tx.groups.packages(domain.id, pattern.format or None, last, _AT_ONCE)
        for package in packages:
            belongs = hierarchy.associated(package) if pattern.matches(package) is not None else None
            if belongs is not None and belongs[0].id == wanted.id:
                if len(items) == limit:
                    return Page(tuple(items), last)
                items.append((package, belongs[1]))
            last = (package.format, package.namespace or "", package.name)
        if len(packages) < _AT_ONCE:
            return Page(tuple(items))
    return Page(tuple(items), last)


async def associated_group(
    tx: Tx, services: Services, domain: Domain, package: PackageKey
) -> tuple[GroupRecord, Strength]:
    """The group that a package belongs to, or would belong to if it were there."""
    found = await services.groups.of(tx, domain.id, package)
    if found is None:
        raise ResourceNotFound(f"Domain {domain.key.name} has no package groups", resource_id=domain.key.name)
    return GroupRecord(domain, found.line), found.strength


# --- keys ------------------------------------------------------------------------------------


async def keep_keys(store: Store) -> None:
    """Make the keys of all groups anew where other tables of Unicode made them."""
    current = await asyncio.to_thread(folding.version)  # it looks for the library's version in files

    async def work(tx: Tx) -> None:
        if await tx.groups.keyed() == current:
            return
        await tx.groups.keyed(current)
        after = None
        while domains := await tx.domains.page(None, after, 100):
            for domain in domains:
                await _rekey(tx, domain)
            after = f"{domains[-1].key.name}/{domains[-1].key.owner}"

    async def stale(tx: Tx) -> bool:
        return await tx.groups.keyed() != current

    if await store.read(stale):
        await store.write(work)


async def _rekey(tx: Tx, domain: Domain) -> None:
    after = None
    while groups := await tx.groups.page(domain.id, "", after, _AT_ONCE):
        for each in groups:
            await tx.groups.rekey(each.id, patterns.read(each.pattern).found_by())
        after = groups[-1].pattern
