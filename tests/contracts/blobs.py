"""What every blob driver must do.  A driver's test module imports all of this and gives the fixture `root`:

an open driver (`of`, `domains`, `close`), whose clock is the fixture `clock`.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import Any

import pytest

from registry.core.errors import Unavailable
from registry.core.types import Staged

LARGE = 3 * 256 * 1024 + 17


async def put(files: Any, *chunks: bytes) -> str:
    """Stage and place these bytes."""
    async with files.stage() as staging:
        for chunk in chunks:
            await staging.write(chunk)
        return str(await files.place(await staging.done()))


async def content(files: Any, key: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in files.read(key, start, end)])


async def keys(files: Any) -> set[str]:
    return {stat.key async for stat in files.walk()}


def pattern(size: int) -> bytes:
    return (b"0123456789abcdef" * (size // 16 + 1))[:size]


async def test_what_is_placed_can_be_read_back(root):
    files = root.of(1)

    key = await put(files, b"one ", b"wheel")

    assert await content(files, key) == b"one wheel"
    assert await files.stat(key) == 9


async def test_a_staged_file_has_its_size_and_four_digests(root):
    body = pattern(LARGE)

    async with root.of(1).stage() as staging:
        for start in range(0, len(body), 10_000):
            await staging.write(memoryview(body)[start : start + 10_000])
        staged = await staging.done()

    assert isinstance(staged, Staged)
    assert staged.size == len(body)
    for name in ("md5", "sha1", "sha256", "sha512"):
        assert getattr(staged.digests, name) == hashlib.new(name, body).hexdigest()


@pytest.mark.parametrize("size", [0, 1, 20_000, 256 * 1024 - 1, 256 * 1024, LARGE])
async def test_what_nobody_follows_is_stored_all_the_same(root, size):
    files, body = root.of(1), pattern(size)

    async with files.stage(followed=False) as staging:
        for start in range(0, len(body), 100_000):
            await staging.write(body[start : start + 100_000])
        staged = await staging.done()
        with await asyncio.to_thread(staged.open) as file:
            assert await asyncio.to_thread(file.read) == body
        first, second = await files.place(staged), await files.place(staged)

    assert staged.size == size
    for name in ("md5", "sha1", "sha256", "sha512"):
        assert getattr(staged.digests, name) == hashlib.new(name, body).hexdigest()
    assert first != second
    assert await content(files, first) == await content(files, second) == body


async def test_what_nobody_follows_and_nobody_places_leaves_no_trace(root):
    files = root.of(1)

    with pytest.raises(KeyError):
        async with files.stage(followed=False) as staging:
            await staging.write(pattern(LARGE))
            raise KeyError("the client went away")

    assert await keys(files) == set()


async def test_done_may_be_asked_twice(root):
    async with root.of(1).stage() as staging:
        await staging.write(b"x")

        assert await staging.done() == await staging.done()


async def test_nothing_can_be_written_after_done(root):
    async with root.of(1).stage() as staging:
        await staging.done()

        with pytest.raises(ValueError):
            await staging.write(b"late")


async def test_an_empty_file_is_a_file(root):
    files = root.of(1)

    key = await put(files)

    assert await files.stat(key) == 0
    assert await content(files, key) == b""


async def test_what_is_staged_but_never_placed_leaves_no_trace(root):
    files = root.of(1)

    async with files.stage() as staging:
        await staging.write(b"half a wheel")
        path = staging.path

    assert await keys(files) == set()
    assert not await asyncio.to_thread(path.exists)


async def test_a_failure_while_staging_leaves_no_trace(root):
    files = root.of(1)

    with pytest.raises(KeyError):
        async with files.stage() as staging:
            await staging.write(pattern(LARGE))
            path = staging.path
            raise KeyError("the client went away")

    assert await keys(files) == set()
    assert not await asyncio.to_thread(path.exists)


async def test_a_cancelled_upload_leaves_no_trace(root):
    files = root.of(1)
    arrived = asyncio.Event()
    paths = []

    async def upload():
        async with files.stage() as staging:
            paths.append(staging.path)
            await staging.write(pattern(LARGE))
            arrived.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(upload())
    await arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not await asyncio.to_thread(paths[0].exists)
    assert await keys(files) == set()


async def test_the_growing_file_can_be_followed(root):
    body = pattern(LARGE)

    async with root.of(1).stage() as staging:
        await staging.write(body)
        await staging.done()
        seen = await asyncio.to_thread(staging.path.read_bytes)

        assert staging.written == len(body)
        assert seen == body


async def test_a_few_bytes_are_soon_visible_to_those_who_follow(root):
    async with root.of(1).stage() as staging:
        await staging.write(b"first")
        async with asyncio.timeout(5):
            while staging.written < 5:
                await asyncio.sleep(0)

        assert await asyncio.to_thread(staging.path.read_bytes) == b"first"


async def test_the_staged_file_stays_readable_after_placing(root):
    files = root.of(1)

    async with files.stage() as staging:
        await staging.write(b"followers are still reading")
        await files.place(await staging.done())

        assert await asyncio.to_thread(staging.path.read_bytes) == b"followers are still reading"


async def test_placing_the_same_bytes_twice_gives_two_keys(root):
    files = root.of(1)

    async with files.stage() as staging:
        await staging.write(b"same")
        staged = await staging.done()
        first, second = await files.place(staged), await files.place(staged)

    assert first != second
    await files.delete(first)
    assert await content(files, second) == b"same"


async def test_a_key_names_its_bytes(root):
    assert hashlib.sha256(b"same").hexdigest() in await put(root.of(1), b"same")


@pytest.mark.parametrize(("start", "end"), [(0, 1), (5, 5), (1, None), (65_535, 65_537), (200_000, 786_449)])
async def test_a_part_can_be_read(root, start, end):
    files, body = root.of(1), pattern(LARGE)
    key = await put(files, body)

    assert await content(files, key, start, end) == body[start:end]


async def test_large_files_come_in_pieces(root):
    files = root.of(1)
    key = await put(files, pattern(LARGE))

    assert max([len(chunk) async for chunk in files.read(key)]) <= 256 * 1024


async def test_a_part_beyond_the_end_is_unavailable(root):
    files = root.of(1)
    key = await put(files, b"short")

    with pytest.raises(Unavailable):
        await content(files, key, 0, 6)


async def test_reading_what_is_not_there_is_unavailable(root):
    files = root.of(1)
    key = await put(files, b"gone")
    await files.delete(key)

    with pytest.raises(Unavailable):
        await content(files, key)
    assert await files.stat(key) is None


async def test_deleting_twice_is_fine(root):
    files = root.of(1)
    key = await put(files, b"gone")

    await files.delete(key)
    await files.delete(key)

    assert await keys(files) == set()


@pytest.mark.parametrize("key", ["", "..", "../../secret", "/etc/passwd", "lost/" + "0" * 64, "ab/" + "ab" * 32])
async def test_what_is_no_key_names_no_file(root, key):
    files = root.of(1)

    assert await files.stat(key) is None
    assert files.path(key) is None
    await files.delete(key)
    with pytest.raises(Unavailable):
        await content(files, key)


async def test_a_domain_sees_only_its_own_files(root):
    mine, other = root.of(1), root.of(2)
    key = await put(mine, b"mine")

    assert await other.stat(key) is None
    assert await keys(other) == set()
    with pytest.raises(Unavailable):
        await content(other, key)
    await other.delete(key)
    assert await content(mine, key) == b"mine"


async def test_the_walk_tells_key_size_and_time_of_placing(root, clock):
    files = root.of(1)
    clock.time = 1_700_000_000_123
    key = await put(files, b"12345")

    stats = [stat async for stat in files.walk()]

    assert [(stat.key, stat.size) for stat in stats] == [(key, 5)]
    if hasattr(root, "clock"):
        assert stats[0].modified == clock.time
    else:  # the times are those of whoever keeps the files
        assert abs(stats[0].modified - time.time() * 1000) < 60_000


async def test_the_domains_with_files_are_known(root):
    await put(root.of(3), b"x")
    await put(root.of(12), b"y")

    assert await root.domains() == [3, 12]


async def test_a_local_path_holds_the_bytes_where_there_is_one(root):
    files = root.of(1)
    key = await put(files, b"served by the kernel")
    path = files.path(key)

    if path is not None:
        assert await asyncio.to_thread(path.read_bytes) == b"served by the kernel"


async def test_many_uploads_at_once_do_not_mix(root):
    files = root.of(1)
    bodies = [bytes([number]) * (number * 1000 + 1) for number in range(24)]

    placed = await asyncio.gather(*[put(files, body[:500], body[500:]) for body in bodies])

    assert [await content(files, key) for key in placed] == bodies
