"""`packyard backup` and `restore`: between every pair of engines, beside a running server, and what is refused."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import stat
import threading
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from registry import moving
from registry.config import Config, parse
from registry.drivers import storage
from registry.moving import Refused
from storage.backup.engines import Engine, Unmovable
from storage.backup.manifest import Damaged
from storage.backup.postgres import PostgresEngine
from storage.backup.sqlite import SQLiteEngine
from storage.sweep import check
from tests.harness import Server

run = asyncio.run
Configs = Callable[..., Config]
Fill = Callable[[Config], dict[str, bytes]]


def server(config: Config) -> Server:
    """A server on those stores."""
    made = Server(config.data)
    made.config = replace(config, server=replace(config.server, port=0))
    return made


def publish(server: Server, version: str, body: bytes) -> None:
    server.boto().publish_package_version(
        domain="dom",
        repository="repo",
        format="generic",
        namespace="ns",
        package="tool",
        packageVersion=version,
        assetName="tool.bin",
        assetContent=body,
        assetSHA256=hashlib.sha256(body).hexdigest(),
    )


def fetch(server: Server, version: str) -> bytes:
    """With a token of its own: the access key's secret must have come along."""
    token = server.boto().get_authorization_token(domain="dom")["authorizationToken"]
    address = server.endpoint("generic", "repo") + f"ns/tool/{version}/tool.bin"
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return bytes(answer.read())


BODIES = {"1.0": b"one", "2.0": b"two" * 100_000, "3.0": b"", "4.0": b"one"}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a server that has been, with some packages."""
    data = tmp_path_factory.mktemp("filled") / "data"
    with server(parse({"storage": {"data": str(data)}}, {})) as running:
        running.make("dom", "repo")
        for version, body in BODIES.items():
            publish(running, version, body)
    return data


@pytest.fixture
def fill(filled: Path) -> Callable[[Config], dict[str, bytes]]:
    """Gives a place some packages; what each version must give back."""

    def copy(config: Config) -> dict[str, bytes]:
        shutil.copytree(filled, config.data)
        return BODIES

    return copy


def engine(config: Config) -> Engine:
    if config.storage.database:
        return PostgresEngine(config.storage.database)
    return SQLiteEngine(config.data / "packyard.db")


async def everything(config: Config) -> dict[str, list[str]]:
    """Every row of every table, but for the keys of files, which are each store's own."""
    found = {}
    async with engine(config).source() as source:
        for shape in source.shapes:
            kept = [place for place, name in enumerate(shape.names) if (shape.table, name) != ("blob", "key")]
            rows = [repr([row[place] for place in kept]) async for batch in source.rows(shape) for row in batch]
            found[shape.table] = sorted(rows)
    return found


async def sound(config: Config) -> None:
    async with storage(config) as (store, blobs, _):
        assert (await check(store, blobs)).sound


def test_a_server_moves_through_every_pair_of_engines_and_back(fill: Fill, config: Configs, tmp_path: Path):
    places = [
        config("a"),
        config("b", "postgres", "s3"),
        config("c", "sqlite", "s3"),
        config("d", "postgres", "files"),
        config("e"),
    ]
    bodies = fill(places[0])
    before = run(everything(places[0]))

    for number, (old, new) in enumerate(pairwise(places)):
        run(moving.backup(old, tmp_path / f"backup{number}", {}, secrets=True))
        run(moving.restore(new, tmp_path / f"backup{number}", {}, force=False))

        assert run(everything(new)) == before
        run(sound(new))

    for place in (places[1], places[-1]):
        with server(place) as running:
            assert {version: fetch(running, version) for version in bodies} == bodies
            publish(running, "5.0", b"goes on")


def test_a_backup_beside_a_busy_server_is_one_state(config: Configs, tmp_path: Path):
    busy = config("busy")
    ended = threading.Event()
    published: list[str] = []

    def work(running: Server) -> None:
        while not ended.is_set():
            publish(running, f"1.{len(published)}", f"body {len(published)}".encode())
            published.append(f"1.{len(published)}")

    with server(busy) as running:
        running.make("dom", "repo")
        thread = threading.Thread(target=work, args=(running,))
        thread.start()
        try:
            while len(published) < 3:
                ended.wait(0.01)
            acknowledged = len(published)
            run(moving.backup(busy, tmp_path / "backup", {}, secrets=True))
        finally:
            ended.set()
            thread.join()

    copy = config("copy")
    run(moving.restore(copy, tmp_path / "backup", {}, force=False))
    run(sound(copy))
    with server(copy) as running:
        for number in range(acknowledged):
            assert fetch(running, f"1.{number}") == f"body {number}".encode()


def test_a_second_backup_copies_only_what_is_new_and_forgets_what_is_gone(fill: Fill, config: Configs, tmp_path: Path):
    place, backup = config("place"), tmp_path / "backup"
    fill(place)
    first = run(moving.backup(place, backup, {}, secrets=True))
    with server(place) as running:
        publish(running, "9.0", b"new")

    second = run(moving.backup(place, backup, {}, secrets=False))

    assert (first.fresh, second.fresh) == (3, 1)
    assert second.manifest.files == 4
    assert len(list((backup / "rows").iterdir())) == 1
    assert not (backup / "keys").exists()
    assert (run(moving.verify(backup))).files == 4


def test_secrets_in_a_backup_are_for_the_owner_alone(fill: Fill, config: Configs, tmp_path: Path):
    place, backup = config("place"), tmp_path / "backup"
    fill(place)

    run(moving.backup(place, backup, {}, secrets=True))

    assert stat.S_IMODE(backup.stat().st_mode) == 0o700
    for path in backup.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert (backup / "keys" / "master").read_bytes() == (place.data / "keys" / "master").read_bytes()


def test_without_its_master_key_a_backup_is_not_restored(fill: Fill, config: Configs, tmp_path: Path):
    place, backup, new = config("place"), tmp_path / "backup", config("new")
    bodies = fill(place)
    run(moving.backup(place, backup, {}, secrets=False))

    with pytest.raises(Refused, match="no master key"):
        run(moving.restore(new, backup, {}, force=False))
    with pytest.raises(Refused, match="not the one"):
        run(moving.restore(new, backup, {"PACKYARD_MASTER_KEY": "00" * 32}, force=False))

    (new.data / "keys").mkdir(parents=True)
    (new.data / "keys" / "master").write_bytes((place.data / "keys" / "master").read_bytes())
    run(moving.restore(new, backup, {}, force=False))
    with server(new) as running:
        assert fetch(running, "1.0") == bodies["1.0"]


def test_what_is_in_use_is_replaced_only_by_force_and_only_when_no_server_runs(
    fill: Fill, config: Configs, tmp_path: Path
):
    place, backup, other = config("place"), tmp_path / "backup", config("other")
    fill(place)
    run(moving.backup(place, backup, {}, secrets=True))
    with server(other) as running:
        running.make("theirs", "repo")
        with pytest.raises(Refused, match="running"):
            run(moving.restore(other, backup, {}, force=True))

    with pytest.raises(Refused, match="--force"):
        run(moving.restore(other, backup, {}, force=False))
    run(moving.restore(other, backup, {}, force=True))

    assert run(everything(other)) == run(everything(place))


def test_an_unfinished_or_damaged_backup_is_refused_and_changes_nothing(fill: Fill, config: Configs, tmp_path: Path):
    place, backup, new = config("place"), tmp_path / "backup", config("new")
    fill(place)
    run(moving.backup(place, backup, {}, secrets=True))
    manifest = (backup / "manifest.json").read_bytes()

    (backup / "manifest.json").unlink()
    with pytest.raises(Damaged, match="no finished backup"):
        run(moving.restore(new, backup, {}, force=False))

    (backup / "manifest.json").write_bytes(manifest)
    sample = next(path for path in sorted((backup / "files").glob("*/*/*")) if path.stat().st_size)
    good = sample.read_bytes()
    sample.write_bytes(good[:-1] + b"!")
    for attempt in (moving.verify(backup), moving.restore(new, backup, {}, force=False)):
        with pytest.raises(Damaged, match="not the file that was stored"):
            run(attempt)
    assert not (new.data / "packyard.db").exists()

    sample.write_bytes(good)
    rows = backup / json.loads(manifest)["tables"]["package"]["file"]
    rows.write_bytes(rows.read_bytes()[:-3] + b"abc")
    with pytest.raises(Damaged, match="package"):
        run(moving.verify(backup))
    with pytest.raises(Damaged, match="package"):
        run(moving.restore(new, backup, {}, force=False))
    assert not (new.data / "packyard.db").exists()


def test_a_restore_that_was_cut_short_goes_on_with_the_files_that_are_there(
    fill: Fill, config: Configs, tmp_path: Path
):
    place, backup, new = config("place"), tmp_path / "backup", config("new", "sqlite", "s3")
    fill(place)
    run(moving.backup(place, backup, {}, secrets=True))
    manifest = json.loads((backup / "manifest.json").read_bytes())
    rows = backup / manifest["tables"]["version"]["file"]
    good = rows.read_bytes()
    rows.write_bytes(b"damaged")
    with pytest.raises(Damaged):
        run(moving.restore(new, backup, {}, force=False))
    rows.write_bytes(good)

    restored = run(moving.restore(new, backup, {}, force=False))

    assert (restored.loaded.files, restored.loaded.fresh) == (3, 0)
    assert run(everything(new)) == run(everything(place))


def test_a_file_that_the_store_has_lost_is_named_and_heals_by_upload(fill: Fill, config: Configs, tmp_path: Path):
    place, backup, new = config("place"), tmp_path / "backup", config("new")
    bodies = fill(place)
    lost = hashlib.sha256(b"one").hexdigest()
    (path,) = (place.data / "blobs").glob(f"*/{lost[:2]}/{lost}.*")
    path.unlink()

    saved = run(moving.backup(place, backup, {}, secrets=True))
    run(moving.restore(new, backup, {}, force=False))

    assert [name.partition("/")[2] for name in saved.manifest.lost] == [lost]
    with server(new) as running:
        assert fetch(running, "2.0") == bodies["2.0"]
        publish(running, "1.0", b"one")
        assert fetch(running, "4.0") == b"one"


@pytest.mark.parametrize("change", [{"schema": [1, 9999]}, {"version": 99}, {"tables": {}}])
def test_a_backup_of_another_kind_is_refused(fill: Fill, config: Configs, tmp_path: Path, change: dict[str, Any]):
    place, backup, new = config("place"), tmp_path / "backup", config("new")
    fill(place)
    run(moving.backup(place, backup, {}, secrets=True))
    manifest = json.loads((backup / "manifest.json").read_bytes())
    (backup / "manifest.json").write_text(json.dumps(manifest | change))

    with pytest.raises((Damaged, Unmovable)):
        run(moving.restore(new, backup, {}, force=False))
    assert not (new.data / "packyard.db").exists()


def test_an_older_schema_is_restored_and_then_brought_up_to_date(fill: Fill, config: Configs, tmp_path: Path):
    place, backup, new = config("place"), tmp_path / "backup", config("new", "postgres")
    fill(place)
    run(moving.backup(place, backup, {}, secrets=True))
    manifest = json.loads((backup / "manifest.json").read_bytes())
    old = {name: manifest["tables"][name] for name in ("account", "domain", "repository", "blob")}
    (backup / "manifest.json").write_text(json.dumps(manifest | {"schema": [1], "tables": old}))

    run(moving.restore(new, backup, {}, force=False))

    after, before = run(everything(new)), run(everything(place))
    assert after["repository"] == before["repository"]
    assert set(after) == set(before)


def test_a_backup_lies_apart_from_the_data_and_nothing_comes_of_nothing(fill: Fill, config: Configs, tmp_path: Path):
    place = config("place")
    with pytest.raises(Refused, match="nothing to back up"):
        run(moving.backup(place, tmp_path / "backup", {}, secrets=True))
    fill(place)
    with pytest.raises(Refused, match="apart"):
        run(moving.backup(place, place.data / "backup", {}, secrets=True))

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(OSError, match="holds no backup"):
        run(moving.backup(place, tmp_path / "mine", {}, secrets=True))


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_many_rows_arrive_and_none_twice(config: Configs, database: str):
    place = config("many", database)
    place.data.mkdir()
    wanted = [[f"{number:012d}", number] for number in range(10_000)]

    async def fill_and_read() -> list[list[Any]]:
        async with engine(place).target([1]) as target:
            shape = next(each for each in target.shapes if each.table == "account")
            for start in range(0, len(wanted), 50):
                await target.add(shape, wanted[start : start + 50])
        async with engine(place).source() as source:
            return sorted([list(row) async for batch in source.rows(shape) for row in batch])

    assert run(fill_and_read()) == wanted
