"""What is particular to the file driver: durability of names, dead runs, full disks."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil

import pytest

from registry.core.errors import Unavailable
from storage.blobs import filesystem
from storage.blobs.filesystem import FileBlobs
from tests.contracts.blobs import content, keys, pattern, put


@pytest.fixture
async def files(tmp_path):
    driver = FileBlobs(tmp_path / "blobs")
    await driver.open()
    yield driver
    await driver.close()


async def test_a_file_lies_where_the_layout_says(files, tmp_path):
    key = await put(files.of(7), b"body")

    path = files.of(7).path(key)

    assert path.parent.parent == tmp_path / "blobs" / "7"
    assert path.name.startswith(f"{path.parent.name}")
    assert await asyncio.to_thread(path.read_bytes) == b"body"


async def test_file_and_names_are_made_durable_before_placing_ends(files, monkeypatch):
    synced = []
    real = os.fsync

    def fsync(descriptor):
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    monkeypatch.setattr(filesystem.os, "fsync", fsync)
    key = await put(files.of(7), b"body")
    path = files.of(7).path(key)

    assert {str(path), str(path.parent), str(path.parent.parent), str(files.root)} <= set(synced)
    assert synced[-2:] == [str(path), str(path.parent)]


async def test_a_small_body_is_written_once_and_only_where_it_stays(files, monkeypatch):
    written = []
    real = os.write

    def write(descriptor, data):
        written.append((os.readlink(f"/proc/self/fd/{descriptor}"), len(data)))
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    async with files.of(1).stage(followed=False) as staging:
        await staging.write(pattern(10_000))
        key = await files.of(1).place(await staging.done())

    assert [entry for entry in written if entry[1] > 1] == [(str(files.of(1).path(key)), 10_000)]


async def test_directories_that_were_removed_are_made_again(files):
    await put(files.of(1), b"first")
    await asyncio.to_thread(shutil.rmtree, files.root / "1")

    assert await content(files.of(1), await put(files.of(1), b"second")) == b"second"


async def test_a_body_is_written_once(files, monkeypatch):
    written = []
    real = os.write

    def write(descriptor, data):
        written.append(len(data))
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    async with files.of(1).stage() as staging:
        await staging.write(pattern(1_000_000))
        staged = await staging.done()
        key = await files.of(1).place(staged)
        inode = await asyncio.to_thread(staged.path.stat)

    path = files.of(1).path(key)
    assert (await asyncio.to_thread(path.stat)).st_ino == inode.st_ino
    assert sum(size for size in written if size > 1) == 1_000_000


@pytest.mark.parametrize(
    ("where", "followed"),
    [("write", True), ("link", True), ("fsync", True), ("write", False), ("utime", False), ("fsync", False)],
)
async def test_a_full_disk_is_unavailable_and_leaves_nothing(files, monkeypatch, where, followed):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, where, full)
        with pytest.raises(Unavailable, match="full"):
            async with files.of(1).stage(followed=followed) as staging:
                await staging.write(b"body")
                await files.of(1).place(await staging.done())

    assert await keys(files.of(1)) == set()
    assert await asyncio.to_thread(lambda: list(files.staging_directory.iterdir())) == []
    assert await content(files.of(1), await put(files.of(1), b"body")) == b"body"


async def test_a_file_system_without_links_copies(files, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    key = await put(files.of(1), b"body")

    assert await content(files.of(1), key) == b"body"


async def test_a_read_that_the_disk_refuses_is_unavailable(files, monkeypatch):
    key = await put(files.of(1), b"body")

    def broken(*args):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "pread", broken)
    with pytest.raises(Unavailable):
        await content(files.of(1), key)


async def test_a_file_cut_short_while_it_is_read_is_unavailable(files):
    key = await put(files.of(1), pattern(200_000))
    path = files.of(1).path(key)
    reader = files.of(1).read(key)
    await anext(reader)
    await asyncio.to_thread(os.truncate, path, 70_000)

    with pytest.raises(Unavailable):
        async for _ in reader:
            pass


async def test_staged_files_of_dead_runs_are_removed_at_the_next_start(tmp_path):
    dead = tmp_path / "blobs" / "staging" / "0123456789abcdef"
    await asyncio.to_thread(dead.mkdir, parents=True)
    await asyncio.to_thread((dead / "half").write_bytes, b"half a wheel")
    await asyncio.to_thread(dead.with_suffix(".run").touch)

    driver = FileBlobs(tmp_path / "blobs")
    await driver.open()
    left = await asyncio.to_thread(dead.exists)
    await driver.close()

    assert not left


async def test_staged_files_of_other_living_runs_stay(files, tmp_path):
    async with files.of(1).stage() as staging:
        await staging.write(b"still arriving")
        other = FileBlobs(tmp_path / "blobs")
        await other.open()
        await other.close()
        staged = await staging.done()
        key = await files.of(1).place(staged)

    assert await content(files.of(1), key) == b"still arriving"


async def test_what_lies_in_the_directory_and_is_no_key_is_not_walked(files, tmp_path):
    key = await put(files.of(1), b"body")
    path = files.of(1).path(key)
    await asyncio.to_thread((path.parent / "notes.txt").write_text, "x")
    await asyncio.to_thread((path.parent.parent / "README").write_text, "x")

    assert await keys(files.of(1)) == {key}
