"""What every metadata driver must do as a store: units of work, isolation, durability of what was said.

A driver's test module imports all of this and gives the fixture `store`: an open, empty store.
"""

from __future__ import annotations

import asyncio

import pytest

from registry.core.errors import Conflict
from tests.contracts import make


async def seed(store, name="dom"):
    """A domain with a repository."""
    domain = make.domain(name)
    repo = make.repository(domain)

    async def work(tx):
        await tx.domains.add(domain)
        await tx.repositories.add(repo)

    await store.write(work)
    return domain, repo


async def test_what_was_written_is_read_by_the_next_request(store):
    domain, repo = await seed(store)

    assert await store.read(lambda tx: tx.domains.get(domain.key)) == (
        await store.glance(lambda tx: tx.domains.by_id(domain.id))
    )
    assert await store.glance(lambda tx: tx.repositories.get(domain.id, "repo")) == repo


async def test_a_unit_of_work_gives_its_result(store):
    async def work(tx):
        return 42

    assert [await store.read(work), await store.glance(work), await store.write(work)] == [42, 42, 42]


async def test_a_unit_of_work_that_raises_leaves_nothing(store):
    domain = make.domain()

    async def work(tx):
        await tx.domains.add(domain)
        raise KeyError("changed my mind")

    with pytest.raises(KeyError):
        await store.write(work)
    assert await store.read(lambda tx: tx.domains.get(domain.key)) is None


async def test_a_failing_unit_of_work_does_not_hurt_its_neighbors(store):
    domains = [make.domain(f"dom{number}") for number in range(20)]

    async def write(number):
        async def work(tx):
            await tx.domains.add(domains[number])
            if number % 3 == 0:
                raise KeyError(number)
            return number

        return await store.write(work)

    results = await asyncio.gather(*[write(number) for number in range(20)], return_exceptions=True)
    names = [domain.key.name for domain in await store.read(lambda tx: tx.domains.page(None, None, 100))]

    assert [isinstance(result, KeyError) for result in results] == [number % 3 == 0 for number in range(20)]
    assert sorted(names) == sorted(f"dom{number}" for number in range(20) if number % 3)


async def test_reading_units_of_work_cannot_write(store):
    domain = make.domain()

    for run in (store.read, store.glance):
        with pytest.raises(Exception):  # noqa: B017
            await run(lambda tx: tx.domains.add(domain))
    assert await store.read(lambda tx: tx.domains.get(domain.key)) is None


async def test_two_that_make_the_same_thing_get_one_conflict(store):
    async def write():
        domain = make.domain("same")
        return await store.write(lambda tx: tx.domains.add(domain))

    results = await asyncio.gather(write(), write(), write(), return_exceptions=True)

    assert [type(result) for result in results if result is not None] == [Conflict, Conflict]


async def test_the_counter_of_a_package_loses_no_change(store):
    _, repo = await seed(store)

    await asyncio.gather(*[store.write(lambda tx: make.touched(tx, repo, make.npm())) for _ in range(50)])

    row = await store.read(lambda tx: tx.packages.get(repo.id, make.npm()))
    assert row.seq == 50


async def test_a_read_sees_one_state(store):
    """Two counters that are always written together are always read together."""
    _, repo = await seed(store)

    async def both(tx):
        await make.touched(tx, repo, make.npm("a"))
        await make.touched(tx, repo, make.npm("b"))

    async def look(tx):
        first = await tx.packages.get(repo.id, make.npm("a"))
        second = await tx.packages.get(repo.id, make.npm("b"))
        return (first and first.seq) == (second and second.seq)

    async def reader(run):
        return all([await run(look) for _ in range(40)])

    async def writer():
        for _ in range(40):
            await store.write(both)
        return True

    assert await asyncio.gather(writer(), reader(store.read), reader(store.glance)) == [True, True, True]


async def test_the_epoch_moves_with_every_commit_and_with_nothing_else(store):
    before = await store.moment()
    await store.read(lambda tx: tx.domains.page(None, None, 1))
    assert before is not None
    assert before == store.epoch() == await store.moment()

    await seed(store, "one")
    between = await store.moment()
    await seed(store, "two")

    assert len({before, between, await store.moment()}) == 3


async def test_a_canceled_waiter_does_not_disturb_the_others(store):
    domains = [make.domain(f"dom{number}") for number in range(10)]
    tasks = [asyncio.create_task(store.write(lambda tx, domain=domain: tx.domains.add(domain))) for domain in domains]
    await asyncio.sleep(0)
    tasks[0].cancel()

    results = await asyncio.gather(*tasks, return_exceptions=True)

    names = {domain.key.name for domain in await store.read(lambda tx: tx.domains.page(None, None, 100))}
    assert results[1:] == [None] * 9
    assert names >= {f"dom{number}" for number in range(1, 10)}
