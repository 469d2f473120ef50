"""Digests, memory, tasks, and what a flight does when something of ours breaks."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
from pathlib import Path

import pytest

from registry.core.errors import InternalServer, UpstreamUnavailable
from registry.core.types import Digests, RemoteFile, VersionKey
from tests.upstreams.tiny import TinyFetcher, page
from tests.upstreams.wire import Answer, Wire
from tests.upstreams.world import World, key, package, whole, world_at
from upstreams import flights
from upstreams.digests import agree, strongest
from upstreams.flights import Cargo, Flight, FlightKey, Tail
from upstreams.memory import Memory
from upstreams.tasks import Tasks

BODY = b"some bytes"
TRUE = Digests(*[hashlib.new(name, BODY).hexdigest() for name in ("md5", "sha1", "sha256", "sha512")])


def test_the_strongest_declared_digest_decides() -> None:
    assert strongest({"md5": TRUE.md5, "sha256": TRUE.sha256, "blake2b_256": "x"}) == ("sha256", TRUE.sha256)
    assert agree({"sha256": TRUE.sha256, "sha1": "0" * 40}, TRUE)
    assert not agree({"sha512": "0" * 128, "sha1": TRUE.sha1}, TRUE)


def test_digests_are_read_as_hex_in_any_case_or_as_base64() -> None:
    encoded = base64.b64encode(bytes.fromhex(TRUE.sha512)).decode()

    assert agree({"SHA-512": encoded}, TRUE)
    assert agree({"sha256": TRUE.sha256.upper() + "\n"}, TRUE)


@pytest.mark.parametrize("value", ["", "zz", "z" * 64, base64.b64encode(b"short").decode(), "=" * 40])
def test_a_digest_that_cannot_be_read_matches_nothing(value: str) -> None:
    assert agree({"sha256": value}, TRUE) is (value == "")


def test_no_known_digest_is_no_declaration() -> None:
    assert strongest({"crc32": "ffff", "sha1": ""}) is None
    assert agree({}, TRUE)


def test_a_memory_forgets_all_when_it_is_full() -> None:
    memory: Memory[str, int] = Memory(2)
    for name in ("a", "b", "a"):
        memory.put(name, 1)
    assert memory.get("b") == 1

    memory.put("c", 3)

    assert (memory.get("a"), memory.get("b"), memory.get("c")) == (None, None, 3)


async def test_tasks_that_fail_harm_nobody_and_the_rest_ends_with_their_owner() -> None:
    tasks = Tasks()

    async def fail() -> None:
        raise ValueError

    failing = tasks.start(fail(), name="failing")
    lasting = tasks.start(asyncio.Event().wait(), name="lasting")
    await asyncio.wait([failing])
    await tasks.close()

    assert isinstance(failing.exception(), ValueError)
    assert lasting.cancelled()


def test_the_tail_of_a_flight_holds_what_the_file_does_not_have_yet() -> None:
    tail = Tail()
    tail.append(0, b"abc", written=0)
    tail.append(3, b"def", written=0)
    assert (tail.start(99), tail.piece(0, 2), tail.piece(4, 99), tail.piece(6, 9)) == (0, b"ab", b"ef", b"")

    tail.append(6, b"ghi", written=4)
    assert (tail.start(99), tail.start(1), tail.piece(0, 9)) == (3, 1, b"")

    tail.clear()
    assert tail.start(7) == 7


class Unreadable(TinyFetcher):
    """Finds the files that it fetched to be nothing it knows."""

    async def draft(self, *_: object) -> None:  # type: ignore[override]
        raise KeyError("metadata")


async def test_a_file_that_cannot_be_recorded_is_broken_off_and_not_stored(tmp_path: Path, wire: Wire) -> None:
    async with world_at(tmp_path, wire, fetchers={"tiny": Unreadable()}) as world:
        await world.repository("store", connection="public:tiny")
        world.offer(page({"1.0": {"a.bin": BODY}}), {"a.bin": BODY})

        assert isinstance(await world.refused("store"), InternalServer)
        assert await world.held("store") == {}


async def test_a_connection_of_a_format_without_a_fetcher_is_not_asked(tmp_path: Path, wire: Wire) -> None:
    async with world_at(tmp_path, wire, fetchers={"many": TinyFetcher()}) as world:
        await world.repository("store", connection="public:tiny")

        assert await world.listed("store") == []
        assert wire.asked == []


def flight(world: World) -> Flight:
    cargo = Cargo(
        http=world.resolver.http("public:tiny"),
        file=RemoteFile("a.bin", f"{world.wire.base}files/a.bin", None, {}),
        blobs=world.services.blobs(world.domain.id),
        keep=lambda staged, into: asyncio.sleep(0),
        limit=1000,
        now=0,
    )
    return Flight(FlightKey(world.domain.id, "public:tiny", VersionKey(package(), "1.0"), "a.bin"), cargo)


async def test_a_flight_that_was_cancelled_before_it_began_keeps_nobody_waiting(world: World) -> None:
    cancelled = flight(world)
    cancelled.ended()

    for waiting in (cancelled.departed, cancelled.landed):
        with pytest.raises(UpstreamUnavailable, match="shutting down"):
            await waiting()
    with pytest.raises(UpstreamUnavailable):
        await anext(cancelled.read(0, None))


async def test_a_file_that_was_checked_but_is_not_kept_is_read_by_those_who_follow_and_nobody_later(
    world: World,
) -> None:
    world.wire.answers["/files/a.bin"] = Answer(200, BODY)
    landed = flight(world)
    await landed.fly()
    await landed.departed()
    landed.ended()

    with pytest.raises(UpstreamUnavailable, match="no longer"):
        await anext(landed.read(0, None))


async def test_a_piece_that_is_not_in_the_page_cache_is_read_in_a_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    await asyncio.to_thread(path.write_bytes, BODY)
    fd = await asyncio.to_thread(os.open, path, os.O_RDONLY)
    monkeypatch.setattr(os, "RWF_NOWAIT", 1 << 20)

    assert await flights.piece(fd, 4, 5) == BODY[5:9]
    with pytest.raises(InternalServer):
        await flights.piece(fd, 4, 100)
    await asyncio.to_thread(os.close, fd)


async def test_a_second_reader_keeps_the_staged_file_open(world: World) -> None:
    await world.repository("store", connection="public:tiny")
    body = os.urandom(3_000_000)
    world.offer(page({"1.0": {"a.bin": body}}), {"a.bin": body})
    content = await world.resolver.open(world.repositories["store"], key(), "a.bin")
    slow = content.read()
    got = await anext(slow)

    assert await whole(content) == body
    await world.resolver.idle()

    assert got + b"".join([chunk async for chunk in slow]) == body
