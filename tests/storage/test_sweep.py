"""Sweeping and checking a store."""

from __future__ import annotations

import asyncio

import pytest

from storage.sweep import GRACE, check, sweep
from tests.contracts import make
from tests.contracts.blobs import content, keys, pattern, put
from tests.contracts.store import seed
from tests.storage.test_placing import publish

HOUR = 3600 * 1000


@pytest.fixture
async def home(store, root):
    domain, repo = await seed(store)
    return store, root.of(domain.id), repo


async def unpublish(home, name):
    store, _, repo = home

    async def work(tx):
        package = await tx.packages.get(repo.id, make.npm(name))
        await tx.packages.delete(package.id)

    await store.write(work)


async def test_what_is_referred_to_stays(home, root, clock):
    (blob,) = await publish(home, "one", b"body")

    for _ in range(3):
        clock.time += 10 * GRACE
        report = await sweep(home[0], root, clock)

    assert (report.condemned, report.rows, report.strays) == (0, 0, 0)
    assert await content(home[1], blob.key) == b"body"


async def test_what_is_unpublished_goes_after_the_grace_period(home, root, clock):
    await publish(home, "one", b"body", b"other")
    await publish(home, "two", b"other")
    await unpublish(home, "one")

    first = await sweep(home[0], root, clock)
    clock.time += GRACE - 1
    early = await sweep(home[0], root, clock)
    clock.time += 1
    due = await sweep(home[0], root, clock)
    after = await sweep(home[0], root, clock)

    assert [report.condemned for report in (first, early, due, after)] == [1, 0, 0, 0]
    assert [report.rows for report in (first, early, due, after)] == [0, 0, 1, 0]
    assert due.row_bytes == 4
    assert len(await keys(home[1])) == 1


async def test_what_is_published_again_in_time_stays(home, root, clock):
    await publish(home, "one", b"body")
    await unpublish(home, "one")
    await sweep(home[0], root, clock)

    (blob,) = await publish(home, "two", b"body")
    clock.time += 2 * GRACE
    report = await sweep(home[0], root, clock)

    assert report.rows == 0
    assert await content(home[1], blob.key) == b"body"


async def test_a_file_without_a_row_goes_when_it_is_old(home, root, clock):
    await put(home[1], b"a publish that was killed")

    young = await sweep(home[0], root, clock)
    clock.time += GRACE
    old = await sweep(home[0], root, clock)

    assert (young.strays, old.strays, old.stray_bytes) == (0, 1, 25)
    assert await keys(home[1]) == set()


async def test_the_files_of_a_deleted_domain_go(home, root, clock):
    store, files, repo = home
    await publish(home, "one", b"body")
    await store.write(lambda tx: tx.repositories.delete(repo.id))
    await store.write(lambda tx: tx.domains.delete(repo.domain_id))

    clock.time += GRACE
    report = await sweep(store, root, clock)

    assert report.strays == 1
    assert await keys(files) == set()


async def test_a_dry_run_tells_and_changes_nothing(home, root, clock):
    await publish(home, "one", b"body")
    await unpublish(home, "one")
    await put(home[1], b"stray")
    await sweep(home[0], root, clock)
    await publish(home, "two", b"later")
    await unpublish(home, "two")
    clock.time += 2 * GRACE
    before = await keys(home[1])

    dry = await sweep(home[0], root, clock, dry_run=True)
    again = await sweep(home[0], root, clock, dry_run=True)

    assert dry == again
    assert (dry.condemned, dry.rows, dry.row_bytes, dry.strays, dry.stray_bytes) == (1, 1, 4, 1, 5)
    assert await keys(home[1]) == before


async def test_many_rows_go_in_batches(home, root, clock):
    store, _, repo = home
    for start in range(0, 450, 150):

        async def work(tx, start=start):
            for number in range(start, start + 150):
                await tx.blobs.claim(repo.domain_id, make.blob(b"%d" % number), make.NOW)

        await store.write(work)

    report = await sweep(store, root, clock, grace=0)

    assert (report.condemned, report.rows) == (450, 450)


async def test_sweeps_and_publishers_at_once_lose_nothing(home, root, clock):
    """With no grace at all: what was acknowledged stays readable until it is unpublished."""
    store, files, _ = home

    async def publisher(number):
        for turn in range(6):
            name = f"p{number}.{turn}"
            (blob,) = await publish(home, name, b"body %d" % (turn % 2))
            found = await store.read(lambda tx: tx.blobs.find(home[2].domain_id, blob.digests.sha256))  # noqa: B023
            assert await content(files, found.key) == b"body %d" % (turn % 2)
            await unpublish(home, name)

    async def sweeper():
        for _ in range(15):
            await sweep(store, root, clock, grace=HOUR)
            clock.time += 1
            await asyncio.sleep(0)

    await asyncio.gather(*[publisher(number) for number in range(4)], sweeper(), sweeper())
    clock.time += 2 * HOUR
    await sweep(store, root, clock, grace=HOUR)
    clock.time += 2 * HOUR
    await sweep(store, root, clock, grace=HOUR)

    assert await keys(files) == set()


# --- check -------------------------------------------------------------------------------------


async def test_a_sound_store_is_sound(home, root):
    await publish(home, "one", b"body", b"")
    await put(home[1], b"stray")

    report = await check(home[0], root)

    assert report.sound
    assert (report.files, report.bytes, report.strays, report.unreferenced) == (2, 4, 1, 0)


async def test_a_missing_file_is_told_and_left_alone(home, root):
    (blob,) = await publish(home, "one", b"body")
    await home[1].delete(blob.key)

    report = await check(home[0], root, repair=True)

    assert [(fault.kind, fault.key, fault.marked) for fault in report.faults] == [("missing", blob.key, False)]
    assert await home[0].read(lambda tx: tx.blobs.find(home[2].domain_id, blob.digests.sha256)) == blob


@pytest.mark.parametrize(("damage", "kind"), [(b"BODY", "digest"), (b"bo", "size"), (b"bodybody", "size")])
async def test_a_damaged_file_is_told_marked_and_healed(home, root, clock, damage, kind):
    (blob,) = await publish(home, "one", b"body")
    path = home[1].path(blob.key)
    if path is None:
        home[1]._placed[blob.key] = (damage, clock.time)
    else:
        await asyncio.to_thread(path.write_bytes, damage)

    told = await check(home[0], root)
    marked = await check(home[0], root, repair=True)
    (healed,) = await publish(home, "two", b"body")
    after = await check(home[0], root)

    assert [(fault.kind, fault.marked) for fault in (*told.faults, *marked.faults)] == [(kind, False), (kind, True)]
    assert await content(home[1], healed.key) == b"body"
    assert after.sound
    assert after.strays == 1


async def test_large_files_are_checked_whole(home, root):
    await publish(home, "one", pattern(9 * 1024 * 1024))

    assert (await check(home[0], root)).sound
