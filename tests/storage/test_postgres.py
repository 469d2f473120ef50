"""What is particular to the PostgreSQL store: others that change the same, broken roads, a server that goes away."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from registry.core.errors import Conflict, InternalServer, RegistryError, Unavailable, Validation
from registry.core.types import RepositoryFilter
from storage.metadata import migrate
from storage.metadata.postgres import RUNS, PostgresStore
from tests import postgres
from tests.contracts import make
from tests.contracts.make import NOW, OWNER
from tests.contracts.store import seed
from tests.proxy import Proxy


@pytest.fixture
async def opened(database):
    """Opens stores on one fresh database; closes them at the end."""
    await postgres.reset(database)
    stores = []

    async def opens(**settings):
        address = settings.pop("address", database)
        store = PostgresStore(address, **{"patience": 5.0, **settings})
        stores.append(store)
        await store.open()
        return store

    yield opens
    for store in stores:
        await store.close()


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgres.Cluster]:
    """A server of one's own, which may be stopped and killed."""
    yield own(tmp_path_factory)
    with contextlib.suppress(RuntimeError):
        own(tmp_path_factory).revive()


_own: list[postgres.Cluster] = []


def own(factory: pytest.TempPathFactory) -> postgres.Cluster:
    if not _own:
        postgres.shared()  # skips where there is none
        _own.append(postgres.private())
    return _own[0]


async def intruder(address: str) -> asyncpg.Connection:
    """Another program's connection."""
    return await asyncpg.connect(address, ssl=False)


async def apart(work, *args):
    return await asyncio.to_thread(work, *args)


async def touch(store, repo, name="left"):
    return await store.write(lambda tx: make.touched(tx, repo, make.npm(name)))


async def seq(store, repo, name="left"):
    row = await store.read(lambda tx: tx.packages.get(repo.id, make.npm(name)))
    return 0 if row is None else row.seq


# --- others at the same time -----------------------------------------------------------------


async def test_processes_that_change_the_same_package_lose_no_change(opened):
    stores = [await opened(connections=3) for _ in range(3)]
    _, repo = await seed(stores[0])

    await asyncio.gather(*[touch(stores[number % 3], repo) for number in range(60)])

    assert await seq(stores[0], repo) == 60


async def test_units_of_work_that_lock_each_other_out_both_get_through(opened):
    one, two = await opened(), await opened()
    _, repo = await seed(one)
    for name in ("a", "b"):
        await touch(one, repo, name)

    def both(names):
        async def work(tx):
            for name in names:
                await make.touched(tx, repo, make.npm(name))
                await tx.identity.revision()

        return work

    await asyncio.gather(*[one.write(both("ab")) for _ in range(5)], *[two.write(both("ba")) for _ in range(5)])

    assert (await seq(one, repo, "a"), await seq(one, repo, "b")) == (11, 11)


async def test_a_decision_on_what_was_read_never_misses_what_somebody_else_committed(opened):
    """Each adds an account if there are fewer than five: the lock is had only after the look."""
    one, two = await opened(), await opened()

    def attempt(number):
        async def work(tx):
            count = len(await tx.identity.accounts())
            if count < 5:
                await tx.identity.add_account(f"{number:012}", NOW)

        return work

    await asyncio.gather(*[(one, two)[n % 2].write(attempt(n)) for n in range(20)])

    assert len(await one.read(lambda tx: tx.identity.accounts())) == 5


async def test_every_run_of_a_unit_of_work_starts_clean(opened):
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
    assert len(runs) == RUNS


async def test_processes_see_each_other_at_once(opened):
    """After every acknowledged change the other one's moment has moved, and it reads the new state."""
    one, two = await opened(), await opened()
    _, repo = await seed(one)
    moments = set()

    for number in range(1, 20):
        writer, reader = (one, two) if number % 2 else (two, one)
        await touch(writer, repo)
        moments.add((reader is one, await reader.moment()))
        assert await reader.glance(lambda tx: tx.packages.get(repo.id, make.npm())) == await writer.read(
            lambda tx: tx.packages.get(repo.id, make.npm())
        )
        assert await seq(reader, repo) == number

    assert len(moments) == 19


async def test_requests_that_arrive_together_share_one_question(opened):
    store = await opened()

    answers = [set(await asyncio.gather(*[store.moment() for _ in range(50)])) for _ in range(10)]

    assert all(len(each) == 1 for each in answers)
    assert len(set.union(*answers)) == 1
    assert store._moments.asked <= 30


async def test_a_request_sees_its_own_change_whatever_it_had_asked(opened):
    store = await opened()
    _, repo = await seed(store)
    assert await store.moment() == store.epoch() is not None

    await touch(store, repo)

    assert store.epoch() is None


# --- what is wrong with a unit of work -------------------------------------------------------------


async def test_a_defective_statement_is_our_own_fault_and_hurts_nobody_else(opened):
    store = await opened()
    _, repo = await seed(store)

    results = await asyncio.gather(
        store.write(lambda tx: tx.identity._sql.run("insert into nowhere values (1)")),
        touch(store, repo),
        store.read(lambda tx: tx.identity._sql.fetch("select nothing")),
        return_exceptions=True,
    )

    assert isinstance(results[0], InternalServer)
    assert results[1].seq == 1
    assert isinstance(results[2], InternalServer)


async def test_a_failure_that_a_unit_of_work_swallows_is_not_acknowledged(opened):
    """PostgreSQL answers COMMIT of a failed transaction with ROLLBACK and no error."""
    store = await opened()
    _, repo = await seed(store)

    async def work(tx):
        await make.touched(tx, repo, make.npm())
        with contextlib.suppress(asyncpg.PostgresError):
            await tx.identity._sql.run("insert into nowhere values (1)")

    with pytest.raises(InternalServer):
        await store.write(work)
    assert await seq(store, repo) == 0


async def test_a_character_that_cannot_be_stored_is_the_callers_fault(opened):
    store = await opened()
    _, repo = await seed(store)

    with pytest.raises(Validation):
        await store.read(lambda tx: tx.packages.search([repo.id], "npm", "a\0b", None, 10))
    with pytest.raises(Validation):
        await store.write(lambda tx: tx.policies.set_resource_tags("arn:x", {"a": "\0"}))


async def test_whoever_leaves_breaks_nothing(opened):
    """Canceled in the middle of everything, units of work still end whole, and connections stay."""
    store, other = await opened(connections=3), await opened()
    _, repo = await seed(store)
    tasks = [asyncio.create_task(touch(store, repo)) for _ in range(30)]
    for number, task in enumerate(tasks):
        await asyncio.sleep(0.001)
        if number % 2:
            task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)

    assert all(isinstance(result, asyncio.CancelledError) or result.seq for result in results)
    await store.close()
    assert await seq(other, repo) == 30


async def test_a_closed_store_is_unavailable(opened):
    store = await opened()
    await store.close()

    for work in (store.read, store.glance, store.write):
        with pytest.raises(Unavailable):
            await work(lambda tx: tx.identity.revision())
    assert (await store.moment(), store.epoch()) == (None, None)


async def test_closing_finishes_what_is_under_way(opened):
    store, other = await opened(connections=2), await opened()
    _, repo = await seed(store)
    writes = [asyncio.create_task(touch(store, repo)) for _ in range(10)]
    await asyncio.sleep(0)

    await store.close()

    assert [result.seq for result in await asyncio.gather(*writes)] != []
    assert await seq(other, repo) == 10


# --- locks, slowness, too few connections ----------------------------------------------------------


@contextlib.asynccontextmanager
async def locked(address: str, name: str = "left") -> AsyncIterator[None]:
    """Another program holds the row of a package."""
    connection = await intruder(address)
    await connection.execute("begin")
    await connection.execute(f"update package set seq = seq where name = '{name}'")
    try:
        yield
    finally:
        connection.terminate()


async def test_a_locked_row_makes_its_change_unavailable_and_nothing_else(opened, database):
    store = await opened(connections=4, patience=0.5)
    _, repo = await seed(store)
    await touch(store, repo)

    async with locked(database):
        waiting = [asyncio.create_task(touch(store, repo)) for _ in range(8)]
        await asyncio.sleep(0.05)
        began = time.monotonic()
        assert await seq(store, repo) == 1
        assert time.monotonic() - began < 0.4
        results = await asyncio.gather(*waiting, return_exceptions=True)

    assert {type(result) for result in results} == {Unavailable}
    assert all(result.undone for result in results)
    assert (await touch(store, repo)).seq == 2


async def test_a_row_that_is_given_back_is_waited_for(opened, database):
    store = await opened()
    _, repo = await seed(store)
    await touch(store, repo)

    async with locked(database):
        waiting = asyncio.create_task(touch(store, repo))
        await asyncio.sleep(0.1)
        assert not waiting.done()

    assert (await waiting).seq == 2


async def test_a_slow_statement_is_unavailable(opened):
    store = await opened(patience=0.3)

    for run in (store.read, store.write):
        began = time.monotonic()
        with pytest.raises(Unavailable) as failure:
            await run(lambda tx: tx.identity._sql.fetch("select pg_sleep(20)"))
        assert failure.value.undone
        assert time.monotonic() - began < 2
    assert await store.read(lambda tx: tx.identity.revision()) == 1


async def test_when_all_connections_are_in_use_one_waits_and_not_for_ever(opened):
    store = await opened(connections=2, patience=0.6)
    sleep = [
        asyncio.create_task(store.read(lambda tx: tx.identity._sql.fetch("select pg_sleep(0.3)"))) for _ in range(2)
    ]
    await asyncio.sleep(0.01)
    assert await store.read(lambda tx: tx.identity.revision()) == 1
    await asyncio.gather(*sleep)

    busy = [asyncio.create_task(store.read(lambda tx: tx.identity._sql.fetch("select pg_sleep(20)"))) for _ in range(6)]
    results = await asyncio.gather(*busy, return_exceptions=True)
    assert {type(result) for result in results} == {Unavailable}


# --- broken roads -----------------------------------------------------------------------------------


async def kill(address: str) -> int:
    """End every other session of the database, as an administrator does; how many there were."""
    connection = await intruder(address)
    try:
        return await connection.fetchval(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
    finally:
        await connection.close()


async def test_killed_connections_are_replaced_and_nothing_is_lost_or_done_twice(opened, database):
    store = await opened()
    _, repo = await seed(store)
    await store.moment()
    done, unsure = 0, 0
    killed = 0

    async def write():
        nonlocal done, unsure
        try:
            await touch(store, repo)
            done += 1
        except Unavailable as error:
            unsure += not error.undone

    for _ in range(5):
        writes = [asyncio.create_task(write()) for _ in range(20)]
        await asyncio.sleep(0.005)
        killed += await kill(database)
        await asyncio.gather(*writes)

    assert killed > 5
    assert done <= await seq(store, repo) <= done + unsure
    assert await store.moment() is not None


async def test_reading_goes_on_over_killed_connections(opened, database):
    store = await opened()
    await asyncio.gather(*[store.read(lambda tx: tx.identity.revision()) for _ in range(10)])
    await kill(database)

    assert await asyncio.gather(*[store.read(lambda tx: tx.identity.revision()) for _ in range(10)]) == [1] * 10
    assert await store.moment() is not None


def by_way_of(proxy: Proxy, address: str) -> str:
    """The same database, by way of a proxy."""
    head, _, rest = address.rpartition("@")
    return f"{head}@127.0.0.1:{proxy.port}/{rest.rpartition('/')[2]}"


@pytest.fixture
def proxy(database: str) -> Iterator[Proxy]:
    with Proxy("127.0.0.1", postgres.shared().port) as proxy:
        yield proxy


async def test_a_commit_whose_answer_is_lost_is_looked_up_and_not_run_again(opened, database, proxy):
    store = await opened(address=by_way_of(proxy, database))
    _, repo = await seed(store)
    proxy.lose_answer_to(b"commit\0")
    runs = []

    async def work(tx):
        runs.append(1)
        return (await make.touched(tx, repo, make.npm())).seq

    assert await store.write(work) == 1
    assert proxy.lost.is_set()
    assert (runs, await seq(store, repo)) == ([1], 1)


async def test_a_commit_that_nobody_can_tell_of_is_neither_success_nor_run_again(opened, database, proxy):
    """Every connection went with it: the server may have crashed, and then gives out transaction numbers again."""
    store = await opened(address=by_way_of(proxy, database))
    _, repo = await seed(store)
    proxy.lose_answer_to(b"commit\0", cut_all=True)
    runs = []

    async def work(tx):
        runs.append(1)
        return await make.touched(tx, repo, make.npm())

    with pytest.raises(Unavailable) as failure:
        await store.write(work)
    assert not failure.value.undone
    assert (runs, await seq(store, repo)) == ([1], 1)


async def test_a_commit_that_is_broken_off_is_run_again(opened, database):
    """A trigger that runs at COMMIT holds it up, and the session is ended meanwhile."""
    store = await opened()
    _, repo = await seed(store)
    other = await intruder(database)
    await other.execute(
        "create function hold() returns trigger language plpgsql as"
        " $$ begin perform pg_advisory_xact_lock_shared(77); return null; end $$;"
        "create constraint trigger hold after insert on package initially deferred for each row execute function hold()"
    )
    try:
        await other.execute("select pg_advisory_lock(77)")
        runs = []

        async def work(tx):
            runs.append(1)
            return (await make.touched(tx, repo, make.npm())).seq

        writing = asyncio.create_task(store.write(work))
        while not (
            victim := await other.fetchval(
                "select pid from pg_stat_activity where wait_event = 'advisory' and query = 'commit'"
                " and datname = current_database()"
            )
        ):
            await asyncio.sleep(0.01)
        await other.fetchval("select pg_terminate_backend($1)", victim)
        await other.execute("select pg_advisory_unlock(77)")

        assert await writing == 1
        assert (runs, await seq(store, repo)) == ([1, 1], 1)
    finally:
        await other.execute("drop trigger hold on package; drop function hold()")
        await other.close()


async def test_a_road_that_falls_silent_is_unavailable_in_time_and_heals(opened, database, proxy):
    store = await opened(address=by_way_of(proxy, database), patience=0.4)
    _, repo = await seed(store)
    proxy.silent = True

    began = time.monotonic()
    results = await asyncio.gather(
        store.read(lambda tx: tx.identity.revision()), touch(store, repo), store.moment(), return_exceptions=True
    )
    assert [type(result) for result in results] == [Unavailable, Unavailable, type(None)]
    assert time.monotonic() - began < 4
    proxy.silent = False
    proxy.cut()

    await healed(store)
    assert (await touch(store, repo)).seq == 1


# --- a server that goes away ----------------------------------------------------------------------------


async def healed(store: PostgresStore) -> None:
    """Wait until it answers again."""
    async with asyncio.timeout(15):
        while True:
            with contextlib.suppress(RegistryError):
                await store.read(lambda tx: tx.identity.revision())
                return
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["restarted", "crashed"])
async def test_a_restarted_server_is_found_again_and_nothing_acknowledged_is_lost(opened, cluster, how):
    address = await apart(cluster.database)
    store = await opened(address=address)
    _, repo = await seed(store)
    done, unsure = 0, 0
    kinds = set()
    ending = asyncio.Event()

    async def writer():
        nonlocal done, unsure
        while not ending.is_set():
            try:
                await touch(store, repo)
                done += 1
            except RegistryError as error:
                kinds.add(type(error))
                unsure += isinstance(error, Unavailable) and not error.undone
                await asyncio.sleep(0.01)

    writers = [asyncio.create_task(writer()) for _ in range(4)]
    await asyncio.sleep(0.1)
    await apart(cluster.restart, how)
    await healed(store)
    before = done
    async with asyncio.timeout(10):
        while done < before + 5:
            await asyncio.sleep(0.01)
    ending.set()
    await asyncio.gather(*writers)

    assert kinds <= {Unavailable}
    assert done <= await seq(store, repo) <= done + unsure
    assert await store.moment() is not None


async def test_while_the_server_is_down_everybody_hears_so_at_once(opened, cluster):
    store = await opened(address=await apart(cluster.database))
    await apart(cluster.stop)

    began = time.monotonic()
    results = await asyncio.gather(
        *[store.read(lambda tx: tx.identity.revision()) for _ in range(50)], return_exceptions=True
    )
    assert {type(result) for result in results} == {Unavailable}
    assert await store.moment() is None
    assert time.monotonic() - began < 2
    assert all(result.retry_after >= 1 and "5432" not in result.message for result in results)

    await apart(cluster.start)
    await healed(store)
    assert await store.moment() is not None


# --- opening -------------------------------------------------------------------------------------------------


async def refused(address: str) -> str:
    """What is said of a database that cannot be used."""
    with pytest.raises(Unavailable) as failure:
        await PostgresStore(address, patience=2).open()
    return failure.value.message


async def test_a_database_that_cannot_be_used_is_named_without_its_password(database):
    cluster = postgres.shared()
    with Proxy("127.0.0.1", 1) as nobody:
        told = [
            await refused(cluster.address("postgres", password="not-the-secret")),
            await refused(cluster.address("nowhere")),
            await refused("postgresql://u:hidden@127.0.0.1:1/x"),
            await refused("postgresql://u:hidden@127.0.0.1:99999/x"),
            await refused(f"postgresql://u:hidden@127.0.0.1:{nobody.port}/x"),
            await refused("postgresql://u:hidden@host.invalid/x"),
            await refused("postgresql://u:hidden@127.0.0.1/x?sslmode=whatever"),
        ]

    assert "password authentication failed" in told[0]
    assert '"nowhere" does not exist' in told[1]
    for each in told:
        assert each.startswith("The database cannot be used: ")
        assert "\n" not in each and "secret" not in each and "hidden" not in each


async def test_a_database_of_another_encoding_or_a_later_version_is_refused(opened, database):
    cluster = postgres.shared()
    await apart(cluster.sql, "create database latin encoding 'LATIN1' template template0")
    assert "its encoding is LATIN1" in await refused(cluster.address("latin"))

    store = await opened()
    await store.write(
        lambda tx: tx.identity._sql.run("insert into migration (number, name, applied) values (9999, 'later', 0)")
    )
    with pytest.raises(migrate.SchemaTooNew, match="9999"):
        await PostgresStore(database).open()


async def test_processes_that_open_an_empty_database_together_migrate_once():
    address = await apart(lambda: postgres.shared().database(empty=True))
    stores = [PostgresStore(address) for _ in range(6)]

    await asyncio.gather(*[store.open() for store in stores])

    known = [migration.number for migration in await apart(migrate.pending, (), "postgres")]
    rows = await stores[0].read(lambda tx: tx.identity._sql.fetch("select number from migration order by number"))
    assert [row[0] for row in rows] == known
    assert await stores[5].write(lambda tx: tx.identity.add_account(OWNER, NOW))
    for store in stores:
        await store.close()
    await apart(postgres.shared().drop, address)


async def test_texts_are_ordered_by_code_point(opened):
    """As on SQLite, whatever the database's own collation is: pages and prefixes depend on it."""
    store = await opened()
    names = ["a", "B", "_", "é", "Z", "~", "😀", "z"]
    domain, _ = await seed(store)

    async def work(tx):
        for name in names:
            await tx.repositories.add(make.repository(domain, name))

    await store.write(work)
    page = await store.read(lambda tx: tx.repositories.page(RepositoryFilter(domain_id=domain.id), None, 100))
    found = [repository.key.name for repository in page if repository.key.name in names]
    assert found == sorted(names)


def test_the_log_of_failures_names_no_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Unavailable):
        asyncio.run(PostgresStore("postgresql://u:hidden@127.0.0.1:1/x").open())

    assert "hidden" not in caplog.text
