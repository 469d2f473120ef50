"""What every metadata driver must do with package groups.

A driver's test module imports all of this and gives the fixture `store`: an open, empty store.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from registry.core.errors import Conflict
from registry.core.groups import folding
from registry.core.groups.association import KINDS
from registry.core.types import PackageGroup, PackageKey
from tests.contracts import make
from tests.contracts.make import NOW
from tests.contracts.store import seed


def group(domain, pattern, number, **modes):
    return PackageGroup(number, domain.id, pattern, "", "", NOW, {**dict.fromkeys(KINDS, "INHERIT"), **modes})


async def test_a_group_comes_back_as_it_was_added(store):
    domain, _ = await seed(store)
    made = replace(
        group(domain, "/npm/é~", 7, PUBLISH="BLOCK", EXTERNAL_UPSTREAM="ALLOW"), contact="c", description="d"
    )

    async def work(tx):
        before = await tx.domains.by_id(domain.id)
        await tx.groups.add(made, ["n/npm/é", "n/npm/e"])
        after = await tx.domains.by_id(domain.id)
        return after.topology - before.topology, await tx.groups.get(domain.id, "/npm/é~")

    assert await store.write(work) == (1, made)
    assert await store.glance(lambda tx: tx.groups.get(domain.id, "/npm/É~")) is None
    assert await store.glance(lambda tx: tx.groups.get(domain.id + 1, "/npm/é~")) is None
    with pytest.raises(Conflict):
        await store.write(lambda tx: tx.groups.add(replace(made, id=8), []))


async def test_groups_are_found_by_any_of_their_keys(store):
    domain, _ = await seed(store)
    other, _ = await seed(store, "other")
    texts = ["/a/*", "/b/*", "/c/*"]

    async def work(tx):
        for number, text in enumerate(texts, 1):
            await tx.groups.add(group(domain, text, number), [text, f"second of {text}"])
        await tx.groups.add(group(other, "/a/*", 9), ["/a/*"])

    async def found(tx, *keys):
        return sorted(each.pattern for each in await tx.groups.under(domain.id, keys))

    await store.write(work)
    many = [f"none {number}" for number in range(1200)]
    assert await store.read(lambda tx: found(tx, "/a/*", "second of /a/*", "second of /c/*")) == ["/a/*", "/c/*"]
    assert await store.read(lambda tx: found(tx, *many, "/b/*")) == ["/b/*"]
    assert await store.read(lambda tx: found(tx)) == []
    await store.write(lambda tx: tx.groups.rekey(1, ["new"]))
    assert await store.read(lambda tx: found(tx, "/a/*", "second of /a/*")) == []
    assert await store.read(lambda tx: found(tx, "new")) == ["/a/*"]


async def test_groups_are_listed_by_code_point(store):
    domain, _ = await seed(store)
    texts = ["/*", "/npm/*", "/npm//B$", "/npm//a$", "/npm//b$", "/npm/s~"]

    async def work(tx):
        for number, text in enumerate(texts, 1):
            await tx.groups.add(group(domain, text, number), [text])

    async def page(tx, prefix="", after=None, limit=10):
        return [each.pattern for each in await tx.groups.page(domain.id, prefix, after, limit)]

    await store.write(work)
    assert await store.read(page) == sorted(texts)
    assert await store.read(lambda tx: page(tx, "/npm//", None, 2)) == ["/npm//B$", "/npm//a$"]
    assert await store.read(lambda tx: page(tx, "/npm//", "/npm//a$")) == ["/npm//b$"]
    assert await store.read(lambda tx: tx.groups.count(domain.id, 100)) == 6
    assert await store.read(lambda tx: tx.groups.count(domain.id, 4)) == 4


async def test_a_group_changes_and_goes_with_what_belongs_to_it(store):
    domain, repo = await seed(store)
    second = make.repository(domain, "second")
    made = group(domain, "/npm/*", 7)
    changed = replace(made, description="d", modes={**made.modes, "PUBLISH": "ALLOW_SPECIFIC_REPOSITORIES"})

    async def work(tx):
        await tx.repositories.add(second)
        await tx.groups.add(made, ["/npm"])
        await tx.groups.change(changed)
        await tx.groups.allow(made, "PUBLISH", [repo.id, second.id])
        await tx.groups.allow(made, "INTERNAL_UPSTREAM", [second.id])
        await tx.groups.allow(made, "PUBLISH", [repo.id, second.id])
        return await tx.groups.get(domain.id, "/npm/*"), await tx.groups.allowed([7, 8])

    assert await store.write(work) == (
        changed,
        [
            (7, "INTERNAL_UPSTREAM", second.id, "second"),
            (7, "PUBLISH", repo.id, "repo"),
            (7, "PUBLISH", second.id, "second"),
        ],
    )
    await store.write(lambda tx: tx.repositories.delete(second.id))
    assert await store.read(lambda tx: tx.groups.allowed([7])) == [(7, "PUBLISH", repo.id, "repo")]
    assert await store.read(lambda tx: tx.groups.allowed([])) == []
    await store.write(lambda tx: tx.groups.delete(made))
    assert await store.read(lambda tx: tx.groups.get(domain.id, "/npm/*")) is None
    assert await store.read(lambda tx: tx.groups.under(domain.id, ["/npm"])) == []
    await store.write(lambda tx: tx.groups.add(made, ["/npm"]))
    assert await store.read(lambda tx: tx.groups.allowed([7])) == []


async def test_groups_go_with_their_domain_and_its_tags(store):
    domain, repo = await seed(store)
    other, _ = await seed(store, "d_m")
    tagged = [f"arn:aws:codeartifact:r:{make.OWNER}:package-group/{name}/npm/%2a" for name in ("dom", "d_m")]

    async def work(tx):
        await tx.groups.add(group(domain, "/npm/*", 7), ["/npm"])
        for arn in tagged:
            await tx.policies.set_resource_tags(arn, {"k": "v"})
        await tx.domains.delete(other.id)

    await store.write(lambda tx: tx.repositories.delete(repo.id))
    for found in await store.read(lambda tx: _repositories(tx, other)):
        await store.write(lambda tx, found=found: tx.repositories.delete(found.id))
    await store.write(work)
    assert await store.read(lambda tx: tx.policies.resource_tags(tagged[0])) == {"k": "v"}
    assert await store.read(lambda tx: tx.policies.resource_tags(tagged[1])) == {}
    await store.write(lambda tx: tx.domains.delete(domain.id))
    assert await store.read(lambda tx: tx.groups.get(domain.id, "/npm/*")) is None


async def _repositories(tx, domain):
    from registry.core.types import RepositoryFilter

    return await tx.repositories.page(RepositoryFilter(domain_id=domain.id), None, 10)


async def test_the_version_of_the_folds_is_remembered(store):
    assert await store.read(lambda tx: tx.groups.keyed()) == ""
    assert await store.write(lambda tx: tx.groups.keyed(folding.version())) == folding.version()
    assert await store.read(lambda tx: tx.groups.keyed()) == folding.version()


async def test_a_domains_packages_are_listed_once_each(store):
    domain, repo = await seed(store)
    second = make.repository(domain, "second")
    other, elsewhere = await seed(store, "other")

    async def work(tx):
        await tx.repositories.add(second)
        for where, key in (
            (repo, make.npm("b")),
            (second, make.npm("b")),
            (second, make.npm("a", "space")),
            (repo, PackageKey("pypi", None, "a")),
            (elsewhere, make.npm("x")),
        ):
            await make.touched(tx, where, key)

    async def page(tx, format=None, after=None, limit=10):
        return await tx.groups.packages(domain.id, format, after, limit)

    await store.write(work)
    assert other.id != domain.id
    every = [make.npm("b"), make.npm("a", "space"), PackageKey("pypi", None, "a")]
    assert await store.read(page) == every
    assert await store.read(lambda tx: page(tx, "npm")) == every[:2]
    assert await store.read(lambda tx: page(tx, None, ("npm", "", "b"), 1)) == every[1:2]
