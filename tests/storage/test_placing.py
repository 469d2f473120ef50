"""Publishers' files: placed once, claimed, and dropped by whoever lost."""

from __future__ import annotations

import asyncio

import pytest

from registry.core.errors import Conflict, ResourceNotFound
from registry.core.placing import claim_all, storing
from registry.core.types import Asset
from storage.sweep import check
from tests.contracts import make
from tests.contracts.blobs import content, keys, put
from tests.contracts.store import seed


@pytest.fixture
async def home(store, root):
    """A domain with a repository, and its files."""
    domain, repo = await seed(store)
    return store, root.of(domain.id), repo


async def publish(home, name, *bodies, fails=None):
    """Publish bodies as a version of a package; return the blobs that the rows name."""
    store, files, repo = home

    async def work(tx, claims):
        blobs = await claim_all(tx, claims, make.NOW)
        package = await make.touched(tx, repo, make.npm(name))
        assets = [Asset(f"file {number}", blob) for number, blob in enumerate(blobs)]
        await tx.versions.add(make.version(package, "1.0.0", *assets), make.Facts())
        if fails:
            raise fails
        return blobs

    async def staged(rest, ready):
        if not rest:
            return await storing(store, files, repo.domain_id, ready, work)
        async with files.stage() as staging:
            await staging.write(rest[0])
            return await staged(rest[1:], [*ready, await staging.done()])

    return await staged(list(bodies), [])


async def test_a_published_file_is_placed_and_named(home):
    (blob,) = await publish(home, "one", b"body")

    assert await content(home[1], blob.key) == b"body"
    assert await keys(home[1]) == {blob.key}


async def test_the_same_bytes_are_stored_once(home):
    (first,) = await publish(home, "one", b"body")
    (second,) = await publish(home, "two", b"body")
    third, fourth = await publish(home, "three", b"body", b"body")

    assert first == second == third == fourth
    assert await keys(home[1]) == {first.key}


async def test_publishers_of_the_same_bytes_at_once_agree(home):
    results = await asyncio.gather(*[publish(home, f"p{number}", b"body") for number in range(12)])

    assert len({blobs[0] for blobs in results}) == 1
    assert await keys(home[1]) == {results[0][0].key}


async def test_a_publish_that_fails_leaves_no_file(home):
    with pytest.raises(KeyError):
        await publish(home, "one", b"body", b"other", fails=KeyError("judged"))

    assert await keys(home[1]) == set()


async def test_a_conflict_leaves_what_was_there(home):
    (blob,) = await publish(home, "one", b"body")

    with pytest.raises(Conflict):
        await publish(home, "one", b"other body")
    assert await keys(home[1]) == {blob.key}


async def test_a_lost_file_is_healed_by_publishing_it_again(home):
    (blob,) = await publish(home, "one", b"body")
    await home[1].delete(blob.key)

    (healed,) = await publish(home, "two", b"body")

    assert healed.key != blob.key
    assert await content(home[1], healed.key) == b"body"
    found = await home[0].read(lambda tx: tx.blobs.find(home[2].domain_id, blob.digests.sha256))
    assert found == healed


async def test_a_file_that_is_cut_short_counts_as_lost(home, tmp_path):
    (blob,) = await publish(home, "one", b"body")
    path = home[1].path(blob.key)
    if path is None:
        pytest.skip("this driver keeps no local files")
    await asyncio.to_thread(path.write_bytes, b"bo")

    (healed,) = await publish(home, "two", b"body")

    assert await content(home[1], healed.key) == b"body"


async def test_a_stored_blob_can_be_claimed_without_its_bytes(home):
    store, files, repo = home
    (blob,) = await publish(home, "one", b"body")

    async def work(tx, claims):
        return await claim_all(tx, claims, make.NOW)

    assert await storing(store, files, repo.domain_id, [blob], work) == (blob,)


async def test_a_blob_that_is_gone_is_not_found(home):
    store, files, repo = home

    async def work(tx, claims):
        return await claim_all(tx, claims, make.NOW)

    with pytest.raises(ResourceNotFound):
        await storing(store, files, repo.domain_id, [make.blob(b"never stored")], work)


async def test_a_row_that_vanishes_after_the_look_is_made_again(home):
    """The sweep takes row and file between the publisher's look and its unit of work."""
    store, files, repo = home
    old = make.blob(b"body")
    key = await put(files, b"body")
    old = type(old)(old.digests, old.size, key)
    await store.write(lambda tx: tx.blobs.claim(repo.domain_id, old, make.NOW))

    class Sweeping:
        """The same store; before the first write, the sweep goes by."""

        swept = False

        def __getattr__(self, name):
            return getattr(store, name)

        async def write(self, work):
            if not self.swept:
                self.swept = True
                await store.write(lambda tx: tx.blobs.condemn(repo.domain_id, 0, 9))
                assert await store.write(lambda tx: tx.blobs.reap(repo.domain_id, 1, 9)) == [old]
                await files.delete(key)
            return await store.write(work)

    (blob,) = await publish((Sweeping(), files, repo), "one", b"body")

    assert blob.key != key
    assert await content(files, blob.key) == b"body"
    assert await keys(files) == {blob.key}


async def test_publishing_unpublishing_and_sweeping_at_once_lose_no_file(home, root):
    """The sweep here grants no grace to rows: only the rows' own protocol keeps what is referred to."""
    store, files, repo = home
    busy = 4

    async def publisher(number):
        nonlocal busy
        for turn in range(6):
            body = b"shared %d" % (turn % 2)
            await publish(home, f"p{number}", body, b"own %d" % number)
            if turn < 5:
                package = await store.read(lambda tx: tx.packages.get(repo.id, make.npm(f"p{number}")))
                await store.write(lambda tx, package=package: tx.packages.delete(package.id))
        busy -= 1

    async def sweeper():
        gone = 0
        while busy:
            await store.write(lambda tx: tx.blobs.examine(repo.domain_id, make.NOW, 10))
            for blob in await store.write(lambda tx: tx.blobs.reap(repo.domain_id, make.NOW + 1, 10)):
                await files.delete(blob.key)
                gone += 1
        return gone

    *_, gone = await asyncio.gather(*[publisher(number) for number in range(4)], sweeper())

    report = await check(store, root)
    assert report.sound, report.faults
    assert gone
    for number in range(4):
        package = await store.read(lambda tx, number=number: tx.packages.get(repo.id, make.npm(f"p{number}")))
        (version,) = await store.read(lambda tx, package=package: tx.versions.of([package.id]))
        assert [await content(files, asset.blob.key) for asset in version.assets] == [b"shared 1", b"own %d" % number]
