"""What is particular to the SQLite store: group commit, several processes, crashes, full disks."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
from pathlib import Path

import pytest

from registry.core.errors import Conflict, InternalServer, Unavailable
from registry.core.placing import claim_all, storing
from registry.core.types import PackageFilter
from storage.blobs.filesystem import FileBlobs
from storage.metadata.sqlite import SQLiteStore
from storage.metadata.sqlite_connection import ForeignAwait
from storage.sweep import check
from tests.contracts import make
from tests.contracts.blobs import keys
from tests.contracts.store import seed

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def opened(tmp_path):
    """Opens stores on one file; closes them at the end."""
    stores = []

    async def opens(**settings):
        store = SQLiteStore(tmp_path / "packyard.db", **settings)
        await store.open()
        stores.append(store)
        return store

    yield opens
    for store in stores:
        await store.close()


async def apart(work, *args):
    """Run what would block the loop in a thread."""
    return await asyncio.to_thread(work, *args)


@pytest.fixture
def intruder(tmp_path):
    """Another program's connection to the file."""
    connections = []

    def connect():
        connections.append(sqlite3.connect(tmp_path / "packyard.db", isolation_level=None, check_same_thread=False))
        return connections[0]

    yield connect
    for connection in connections:
        connection.close()


async def test_units_of_work_that_wait_share_a_commit(opened):
    store = await opened()
    _, repo = await seed(store)
    commits = []
    store._writer._connection.raw.set_trace_callback(
        lambda statement: commits.append(statement) if statement.lower() == "commit" else None
    )

    await asyncio.gather(*[store.write(lambda tx: make.touched(tx, repo, make.npm())) for _ in range(100)])

    assert 1 <= len(commits) < 50


async def test_nothing_is_acknowledged_before_the_commit(opened, intruder):
    """Whoever is told looks at once, on another connection."""
    store = await opened()
    _, repo = await seed(store)
    other = await apart(intruder)

    async def write():
        row = await store.write(lambda tx: make.touched(tx, repo, make.npm()))
        (seq,) = (await apart(lambda: other.execute("select seq from package").fetchall()))[0]
        assert seq >= row.seq

    await asyncio.gather(*[write() for _ in range(30)])


async def test_every_run_of_a_unit_of_work_starts_clean(opened):
    """A unique violation that the tables do not foresee is run again, up to three times, from the same state."""
    store = await opened()
    _, repo = await seed(store)
    runs = []

    async def work(tx):
        row = await make.touched(tx, repo, make.npm())
        runs.append(row.seq)
        if len(runs) < 3:
            await tx.identity._sql.run("insert into migration (number, name, applied) values (1, '', 0)")
        return row.seq

    assert await store.write(work) == 1
    assert runs == [1, 1, 1]


async def test_a_lasting_unique_violation_is_a_conflict(opened):
    store = await opened()
    runs = []

    async def work(tx):
        runs.append(1)
        await tx.identity._sql.run("insert into migration (number, name, applied) values (1, '', 0)")

    with pytest.raises(Conflict):
        await store.write(work)
    assert len(runs) == 4


async def test_a_defective_statement_is_our_own_fault_and_hurts_nobody_else(opened):
    store = await opened()
    _, repo = await seed(store)

    results = await asyncio.gather(
        store.write(lambda tx: tx.identity._sql.run("insert into nowhere values (1)")),
        store.write(lambda tx: make.touched(tx, repo, make.npm())),
        store.read(lambda tx: tx.identity._sql.fetch("select nothing")),
        return_exceptions=True,
    )

    assert isinstance(results[0], InternalServer)
    assert results[1].seq == 1
    assert isinstance(results[2], InternalServer)


async def test_awaiting_something_else_is_named_as_what_it_is(opened):
    store = await opened()
    _, repo = await seed(store)

    async def work(tx):
        if tx.writes:
            await make.touched(tx, repo, make.npm())
        await asyncio.sleep(0)

    for run in (store.read, store.glance, store.write):
        with pytest.raises(ForeignAwait, match="awaits nothing but its transaction"):
            await run(work)
    assert await store.read(lambda tx: tx.packages.get(repo.id, make.npm())) is None


async def test_a_lock_that_another_program_holds_is_waited_for(opened, intruder):
    store = await opened(patience=30)
    _, repo = await seed(store)
    other = await apart(intruder)
    await apart(other.execute, "begin immediate")

    waiting = asyncio.create_task(store.write(lambda tx: make.touched(tx, repo, make.npm())))
    done, _ = await asyncio.wait([waiting], timeout=0.05)
    await apart(other.execute, "rollback")

    assert not done
    assert (await waiting).seq == 1


async def test_a_lock_that_is_never_given_back_makes_writing_unavailable_and_reading_not(opened, intruder):
    store = await opened(patience=0)
    domain, repo = await seed(store)
    other = await apart(intruder)
    await apart(other.execute, "begin immediate")

    results = await asyncio.gather(
        *[store.write(lambda tx: make.touched(tx, repo, make.npm())) for _ in range(3)], return_exceptions=True
    )
    assert [type(result) for result in results] == [Unavailable] * 3
    assert (await store.glance(lambda tx: tx.domains.by_id(domain.id))).key == domain.key
    await apart(other.execute, "rollback")

    assert (await store.write(lambda tx: make.touched(tx, repo, make.npm()))).seq == 1


async def test_a_full_disk_is_unavailable_and_leaves_the_store_usable(opened):
    store = await opened()
    _, repo = await seed(store)
    raw = store._writer._connection.raw

    async def large(tx):
        package = await make.touched(tx, repo, make.npm("large"))
        await tx.versions.add(make.version(package, "1.0.0", native=bytes(500_000)), make.Facts())

    await apart(lambda: raw.execute(f"pragma max_page_count = {raw.execute('pragma page_count').fetchone()[0] + 5}"))
    with pytest.raises(Unavailable):
        await store.write(large)
    await apart(raw.execute, "pragma max_page_count = 1000000")
    await store.write(large)

    assert len(await store.read(lambda tx: tx.packages.page(repo.id, PackageFilter(), None, 10))) == 1


async def test_a_commit_that_fails_fails_all_of_its_group(opened):
    store = await opened()
    _, repo = await seed(store)
    refusing = [True]
    store._writer._connection.raw.set_authorizer(
        lambda action, argument, *_: (
            sqlite3.SQLITE_DENY
            if refusing[0] and action == sqlite3.SQLITE_TRANSACTION and argument == "COMMIT"
            else sqlite3.SQLITE_OK
        )
    )

    results = await asyncio.gather(
        *[store.write(lambda tx: make.touched(tx, repo, make.npm())) for _ in range(5)], return_exceptions=True
    )
    refusing[0] = False

    assert [type(result) for result in results] == [Unavailable] * 5
    assert await store.read(lambda tx: tx.packages.get(repo.id, make.npm())) is None
    assert (await store.write(lambda tx: make.touched(tx, repo, make.npm()))).seq == 1


async def test_what_is_no_database_is_unavailable(tmp_path):
    await apart((tmp_path / "packyard.db").write_bytes, b"this is no database" * 1000)

    with pytest.raises(Unavailable):
        await SQLiteStore(tmp_path / "packyard.db").open()


async def test_a_closed_store_is_unavailable(opened):
    store = await opened()
    await store.close()

    for run in (store.read, store.glance, store.write):
        with pytest.raises(Unavailable):
            await run(lambda tx: tx.identity.accounts())
    assert store.epoch() is None


async def test_closing_finishes_what_is_queued(opened):
    store = await opened()
    _, repo = await seed(store)

    waiting = [asyncio.create_task(store.write(lambda tx: make.touched(tx, repo, make.npm()))) for _ in range(20)]
    await asyncio.sleep(0)
    await store.close()

    assert sorted([row.seq for row in await asyncio.gather(*waiting)]) == list(range(1, 21))


async def test_two_stores_on_one_file_see_each_other_at_once(opened):
    one, two = await opened(), await opened()
    _, repo = await seed(one)
    before = two.epoch()

    for turn in range(1, 11):
        row = await (one if turn % 2 else two).write(lambda tx: make.touched(tx, repo, make.npm()))
        seen = [await store.glance(lambda tx: tx.packages.get(repo.id, make.npm())) for store in (one, two)]
        assert [row.seq, *[each.seq for each in seen]] == [turn] * 3

    assert two.epoch() != before


async def _crashing(directory: Path, name: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.storage.crashing", str(directory), name, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )


async def _acknowledged(process: asyncio.subprocess.Process, enough: int) -> set[int]:
    """Read so many acknowledgements, kill the program, and read what it had said besides."""
    assert process.stdout is not None
    said = [await process.stdout.readline() for _ in range(enough)]
    process.send_signal(signal.SIGKILL)
    rest = await process.stdout.read()
    await process.wait()
    whole = [line for line in [*said, *rest.splitlines(keepends=True)] if line.endswith(b"\n")]
    return {int(line) for line in whole}


async def test_what_killed_processes_had_acknowledged_is_there_whole(opened, tmp_path, clock):
    """Two processes publish into one database and one directory, until both are killed."""
    store = await opened()
    _, repo = await seed(store)

    processes = {name: await _crashing(tmp_path, name) for name in ("a", "b")}
    said = await asyncio.gather(*[_acknowledged(process, 40) for process in processes.values()])
    files = FileBlobs(tmp_path / "blobs")
    await files.open()
    rows = await store.read(lambda tx: tx.packages.page(repo.id, PackageFilter(), None, 1_000_000))
    versions = await store.read(lambda tx: tx.versions.of([row.id for row in rows[:30_000]]))
    report = await check(store, files)
    left = await apart(lambda: sorted(path.name for path in (tmp_path / "blobs" / "staging").rglob("*")))
    await files.close()

    names = {row.key.name for row in rows}
    assert names >= {f"{name}{number}" for name, numbers in zip(processes, said, strict=True) for number in numbers}
    assert len(versions) == len(rows) <= 30_000
    assert all(len(version.assets) == 1 for version in versions)
    assert report.sound
    assert len(left) == 3, "the directory and the lock of this run, and nothing of the killed ones"


async def test_a_publish_that_the_full_database_refuses_leaves_no_file(opened, tmp_path):
    store = await opened()
    _, repo = await seed(store)
    files = FileBlobs(tmp_path / "blobs")
    await files.open()
    raw = store._writer._connection.raw
    await apart(lambda: raw.execute(f"pragma max_page_count = {raw.execute('pragma page_count').fetchone()[0] + 5}"))

    async def work(tx, claims):
        await claim_all(tx, claims, make.NOW)
        package = await make.touched(tx, repo, make.npm("large"))
        await tx.versions.add(make.version(package, "1.0.0", native=bytes(500_000)), make.Facts())

    with pytest.raises(Unavailable):
        async with files.of(repo.domain_id).stage() as staging:
            await staging.write(b"body")
            await storing(store, files.of(repo.domain_id), repo.domain_id, [await staging.done()], work)
    left = await keys(files.of(repo.domain_id))
    await files.close()

    assert left == set()
