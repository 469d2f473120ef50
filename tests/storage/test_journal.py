"""Small files survive a loss of power: what the journal holds is what was acknowledged."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import random
import shutil
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from registry.core.digests import held
from storage.blobs import journal as journals
from storage.blobs.base import fresh_key
from storage.blobs.filesystem import FileBlobs
from storage.blobs.journal import Journal, recover
from tests.contracts.blobs import content, keys

ROOT = Path(__file__).parents[2]


def body(number: int, size: int = 300) -> bytes:
    return (b"%d " % number * size)[:size]


class Disk:
    """Files below a root, written as the driver does, with a journal beside them."""

    def __init__(self, folder: Path, **settings: int) -> None:
        self.root = folder / "blobs"
        self.path = folder / "run.journal"
        self.root.mkdir(parents=True, exist_ok=True)
        self.journal = Journal(self.path, self.root, first=0, **settings)

    def put(self, text: bytes, domain: int = 7) -> Path | None:
        """The file, or None when the journal did not take it."""
        key = fresh_key(hashlib.sha256(text).hexdigest())
        target = self.root / str(domain) / key
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text)
        return target if self.journal.add(domain, key, text) else None

    def holds(self) -> list[bytes]:
        """What would be found after a crash, one half after the other."""
        found = []
        with self.path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            for start in (0, size // 2):
                found += [record.body for record in journals.records(file.fileno(), start, start + size // 2)]
        return found


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path, half=4096)


def test_files_that_a_loss_of_power_took_are_written_again(disk: Disk) -> None:
    files = [file for file in [disk.put(body(number)) for number in range(8)] if file is not None]
    files[0].unlink()
    files[1].write_bytes(b"")
    files[2].write_bytes(files[2].read_bytes()[:10])
    files[3].write_bytes(bytes(300))
    untouched = [file.stat().st_ino for file in files[4:]]

    assert recover(disk.path, disk.root) == 4

    assert [file.read_bytes() for file in files] == [body(number) for number in range(8)]
    assert [file.stat().st_ino for file in files[4:]] == untouched
    assert not disk.path.exists()
    assert len([file for file in disk.root.rglob("*") if file.is_file()]) == 8


def test_directories_that_a_loss_of_power_took_are_made_again(disk: Disk) -> None:
    files = [file for file in [disk.put(body(number)) for number in range(8)] if file is not None]
    shutil.rmtree(disk.root)

    assert recover(disk.path, disk.root) == 8

    assert [file.read_bytes() for file in files] == [body(number) for number in range(8)]


def test_a_half_that_is_full_is_settled_and_used_again(disk: Disk) -> None:
    texts = [body(number) for number in range(100)]

    for text in texts:
        if disk.put(text) is None:
            assert disk.journal._settling is not None
            disk.journal._settling.join()
            assert disk.put(text) is not None

    held_now = disk.holds()
    assert texts[-1] in held_now
    assert 9 <= len(held_now) < 25
    disk.journal.close()
    assert not disk.path.exists()
    assert {file.read_bytes() for file in disk.root.rglob("*.*") if file.is_file()} == set(texts)


def test_what_an_earlier_generation_left_is_no_record(disk: Disk) -> None:
    """Records of a half are found up to the last of its own; older ones lie behind them."""
    texts = [body(number, 900) for number in range(4)]
    for text in texts:
        disk.put(text)
    half = disk.journal._halves[0]
    disk.journal._settle(half)

    disk.put(body(9, 100))

    assert disk.holds() == [body(9, 100)]


def test_a_torn_record_ends_the_half_and_nothing_before_it(disk: Disk) -> None:
    for number in range(5):
        disk.put(body(number))
    size = journals._HEADER.size + 300
    for at in range(4 * size, 5 * size, 7):
        with disk.path.open("r+b") as file:
            file.seek(at)
            byte = file.read(1)
            file.seek(at)
            file.write(bytes([byte[0] ^ 0xFF]))

        assert disk.holds()[:5] == [body(number) for number in range(4)]

        with disk.path.open("r+b") as file:
            file.seek(at)
            file.write(byte)
    assert disk.holds() == [body(number) for number in range(5)]


def test_no_record_lies_behind_one_that_was_not_written(disk: Disk) -> None:
    """Whoever writes at once with others: at any moment the records have no gap."""
    big = Disk(disk.root.parent / "big", half=1 << 20)
    with ThreadPoolExecutor(8) as pool:
        placed = list(pool.map(big.put, [body(number, 50 + number) for number in range(300)]))

    assert None not in placed
    assert sorted(big.holds(), key=len) == [body(number, 50 + number) for number in range(300)]


def test_a_body_that_is_not_small_is_left_to_the_caller(disk: Disk) -> None:
    assert disk.put(bytes(journals.LARGEST + 1)) is None


def test_there_is_no_journal_for_the_first_few(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    disk.journal = Journal(disk.path, disk.root, first=3)

    assert [disk.put(body(number)) is None for number in range(5)] == [True, True, True, False, False]
    assert disk.path.stat().st_size == 2 * journals.HALF


def test_a_disk_without_room_for_a_journal_goes_without(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journals.os, "pwrite", full)

    assert disk.put(b"body") is None
    assert disk.put(b"other") is None
    assert not disk.path.exists()


def test_a_flush_that_fails_acknowledges_nothing_and_ends_the_journal(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = disk.put(b"before")
    synced = []
    real = os.fsync

    def broken(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    def fsync(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    monkeypatch.setattr(journals.os, "fdatasync", broken)
    monkeypatch.setattr(journals.os, "fsync", fsync)
    with pytest.raises(OSError, match="Input/output"):
        disk.put(b"during")

    assert str(first) in synced
    assert disk.put(b"after") is None


def test_files_that_cannot_be_made_durable_are_written_again(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    file = disk.put(b"body")
    assert file is not None
    before = file.stat().st_ino
    real, failures = journals._sync, [OSError(errno.EIO, "Input/output error")]

    def sync(*args: object) -> None:
        if failures:
            raise failures.pop()
        real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(journals, "_sync", sync)
    disk.journal.close()

    assert file.read_bytes() == b"body"
    assert file.stat().st_ino != before
    assert not disk.path.exists()


def test_a_journal_whose_files_cannot_be_made_durable_stays(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    disk.put(b"body")

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(journals, "_sync", broken)
    disk.journal.close()

    assert disk.holds() == [b"body"]


@pytest.mark.parametrize("together", [True, False])
def test_many_files_are_made_durable_together_where_that_can_be_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, together: bool
) -> None:
    disk = Disk(tmp_path)
    asked = []
    for number in range(journals.MANY):
        disk.put(body(number))
    monkeypatch.setattr(journals, "_syncfs_call", lambda: (lambda fd: asked.append(fd) or 0) if together else None)
    synced = []
    monkeypatch.setattr(journals, "fsync", lambda path: synced.append(str(path)))

    disk.journal.close()

    assert (len(asked), len(synced) > journals.MANY) == ((1, False) if together else (0, True))


async def small(files: FileBlobs, text: bytes) -> str:
    return await files.of(1).place(held(text))


async def test_the_driver_keeps_small_files_in_its_journal_and_ends_without_one(tmp_path: Path) -> None:
    files = FileBlobs(tmp_path / "blobs")
    await files.open()
    texts = [body(number) for number in range(40)]

    placed = await asyncio.gather(*[small(files, text) for text in texts])
    there = await asyncio.to_thread(list, (tmp_path / "blobs" / "staging").glob("*.journal"))
    await files.close()

    assert len(there) == 1
    assert not await asyncio.to_thread(list, (tmp_path / "blobs" / "staging").glob("*.journal"))
    again = FileBlobs(tmp_path / "blobs")
    await again.open()
    assert [await content(again.of(1), key) for key in placed] == texts
    await again.close()


async def test_a_refused_file_leaves_no_trace_when_the_journal_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = FileBlobs(tmp_path / "blobs")
    await files.open()
    for number in range(journals.FIRST + 1):
        await small(files, body(number))

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(journals.os, "fdatasync", broken)
        with pytest.raises(Exception, match="cannot be used now"):
            await small(files, b"refused")

    assert len(await keys(files.of(1))) == journals.FIRST + 1
    key = await small(files, b"afterwards")
    assert await content(files.of(1), key) == b"afterwards"
    await files.close()


PROGRAM = """
import asyncio, sys
from pathlib import Path
from registry.core.digests import held
from storage.blobs.filesystem import FileBlobs

async def main():
    files = FileBlobs(Path(sys.argv[1]))
    await files.open()
    async def placer(start):
        for number in range(start, 10**6, 4):
            key = await files.of(1).place(held(b"%d " % number * 40))
            print(number, key, flush=True)
    await asyncio.gather(*[placer(start) for start in range(4)])

asyncio.run(main())
"""


async def test_what_a_killed_program_acknowledged_comes_back_after_a_loss_of_power(tmp_path: Path) -> None:
    """Killed, then every file that was not made durable by itself is damaged, as a loss of power would."""
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, str(tmp_path / "blobs"), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert program.stdout is not None
    lines = [await program.stdout.readline() for _ in range(400)]
    program.send_signal(signal.SIGKILL)
    rest, _ = await program.communicate()
    told = [line.split() for line in b"".join([*lines, rest]).decode().splitlines()]
    acknowledged = {line[1]: b"%d " % int(line[0]) * 40 for line in told if len(line) == 2 and len(line[1]) == 84}

    files = FileBlobs(tmp_path / "blobs")
    chance = random.Random(7)
    for key in list(acknowledged)[journals.FIRST :]:
        path = files.of(1).path(key)
        assert path is not None
        await asyncio.to_thread(chance.choice([path.unlink, lambda path=path: path.write_bytes(b"")]))
    await files.open()

    assert [await content(files.of(1), key) for key in acknowledged] == list(acknowledged.values())
    await files.close()
