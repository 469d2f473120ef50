"""Files on their way from an external registry: shared, followed, checked, or broken off."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import re
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from registry.core.errors import RegistryError, ResourceNotFound, UpstreamUnavailable
from registry.core.types import Quotas
from tests.upstreams.tiny import page
from tests.upstreams.wire import Answer, Asked, Wire
from tests.upstreams.world import World, key, whole, world_at

BODY = bytes(range(256)) * 8192  # 2 MiB
FILE = "/files/a.bin"


@pytest_asyncio.fixture
async def store(world: World) -> World:
    """A repository with a connection, whose registry lists one honest file."""
    await world.repository("store", connection="public:tiny")
    world.offer(page({"1.0": {"a.bin": BODY}}), {"a.bin": BODY})
    return world


async def files(tmp_path: Path) -> list[Path]:
    """Every stored or staged file."""
    found = await asyncio.to_thread(lambda: [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()])
    return [path for path in found if path.suffix != ".run" and path.name != "lock"]


class Slow:
    """A body that comes piece by piece, as the test says."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        self.gates = [asyncio.Event() for _ in pieces]

    async def __call__(self) -> AsyncIterator[bytes]:
        for piece, gate in zip(self.pieces, self.gates, strict=True):
            await gate.wait()
            yield piece

    def let(self, *which: int) -> None:
        for index in which:
            self.gates[index].set()


async def test_fifty_readers_share_one_fetch_and_each_gets_the_whole_file(store: World, tmp_path: Path) -> None:
    readers = [store.fetched("store") for _ in range(50)]

    bodies = await asyncio.gather(*readers)

    assert all(body == BODY for body in bodies)
    assert store.wire.paths().count(FILE) == 1
    assert store.wire.paths().count("/pack") == 1
    assert len(await files(tmp_path)) == 1


async def test_the_first_bytes_are_readable_before_the_last_have_been_sent(store: World) -> None:
    slow = Slow(BODY[:1000], BODY[1000:])
    store.wire.answers[FILE] = Answer(200, slow, length=len(BODY))
    slow.let(0)

    content = await store.resolver.open(store.repositories["store"], key(), "a.bin")
    reading = content.read()
    first = await anext(reading)

    assert content.size == len(BODY)
    assert BODY.startswith(first)
    assert not slow.gates[1].is_set()
    slow.let(1)
    assert first + b"".join([chunk async for chunk in reading]) == BODY


async def test_whoever_has_the_last_byte_can_rely_on_the_file_being_stored(store: World) -> None:
    content = await store.resolver.open(store.repositories["store"], key(), "a.bin")
    got = 0
    async for chunk in content.read():
        got += len(chunk)
        if got == len(BODY):
            assert await store.held("store") == {"1.0": ["a.bin"]}
    assert got == len(BODY)


async def test_the_client_that_leaves_does_not_end_the_flight(store: World) -> None:
    slow = Slow(BODY[:1000], BODY[1000:])
    store.wire.answers[FILE] = Answer(200, slow, length=len(BODY))
    slow.let(0)
    content = await store.resolver.open(store.repositories["store"], key(), "a.bin")
    reading = content.read()
    await anext(reading)
    await reading.aclose()  # type: ignore[attr-defined]

    slow.let(1)
    await store.resolver.idle()

    assert await store.held("store") == {"1.0": ["a.bin"]}


async def test_a_part_of_the_file_is_readable_as_soon_as_it_has_arrived(store: World) -> None:
    slow = Slow(BODY[:500_000], BODY[500_000:])
    store.wire.answers[FILE] = Answer(200, slow, length=len(BODY))
    slow.let(0)
    content = await store.resolver.open(store.repositories["store"], key(), "a.bin")

    early = await whole(content, 1000, 400_000)
    slow.let(1)
    late = await whole(content, len(BODY) - 10)
    await store.resolver.idle()
    after = await whole(content, 5, 25)

    assert early == BODY[1000:400_000]
    assert late == BODY[-10:]
    assert after == BODY[5:25]


async def test_a_reader_that_comes_late_begins_at_the_start(store: World) -> None:
    slow = Slow(BODY[:500_000], BODY[500_000:1_000_000], BODY[1_000_000:])
    store.wire.answers[FILE] = Answer(200, slow, length=len(BODY))
    slow.let(0)
    repo = store.repositories["store"]
    first = asyncio.create_task(whole(await store.resolver.open(repo, key(), "a.bin")))
    slow.let(1)
    second = asyncio.create_task(whole(await store.resolver.open(repo, key(), "a.bin")))
    slow.let(2)

    assert await first == await second == BODY
    assert store.wire.paths().count(FILE) == 1


async def test_two_repositories_that_ask_at_once_both_retain_the_file_of_one_flight(store: World) -> None:
    await store.repository("left", ["store"])
    await store.repository("right", ["store"])
    slow = Slow(BODY[:1000], BODY[1000:])
    store.wire.answers[FILE] = Answer(200, slow, length=len(BODY))
    slow.let(0)
    contents = [await store.resolver.open(store.repositories[name], key(), "a.bin") for name in ("left", "right")]
    slow.let(1)

    assert [await whole(content) == BODY for content in contents] == [True, True]
    assert await store.held("left") == await store.held("right") == await store.held("store") == {"1.0": ["a.bin"]}
    assert store.wire.paths().count(FILE) == 1


async def broken(world: World) -> tuple[bytes, RegistryError]:
    """What a reader got before it was broken off (nothing when opening failed), and why."""
    got = bytearray()
    try:
        content = await world.resolver.open(world.repositories["store"], key(), "a.bin")
        async for chunk in content.read():
            got += chunk
    except RegistryError as err:
        await world.resolver.idle()
        return bytes(got), err
    raise AssertionError("the file was served whole")


LIE = BODY[:-1] + b"X"
FAULTS: dict[str, Answer] = {
    "a wrong checksum": Answer(200, LIE),
    "a wrong checksum without a length": Answer(200, LIE, length=None),
    "a truncated body": Answer(200, BODY[:-5], length=len(BODY), cut=True),
    "a truncated chunked body": Answer(200, BODY[:-5], length=None, cut=True),
    "a chunked body that ends too early": Answer(200, BODY[:-5], length=None),
    "a body without a length that ends too early": Answer(200, BODY[:-5], length=-1),
    "more than was declared": Answer(200, BODY + b"more", length=None),
    "another length": Answer(200, BODY + b"more"),
    "an error page": Answer(500, b"oops"),
    "too busy": Answer(429, b"", {"Retry-After": "1000"}),
    "no permission": Answer(403, b""),
    "credentials wanted": Answer(401, b""),
    "a sign-in page": Answer(200, b"<html>" + BODY, {"Content-Type": "text/html; charset=utf-8"}, length=None),
    "an unknown encoding": Answer(200, BODY, {"Content-Encoding": "sparkle"}),
    "a broken encoding": Answer(200, BODY, {"Content-Encoding": "gzip"}),
    "a truncated encoding": Answer(200, gzip.compress(BODY)[:-20], {"Content-Encoding": "gzip"}),
    "a missing file that is listed": Answer(404, b""),
    "partial content unasked": Answer(206, BODY),
    "a redirect without an end": Answer(302, b"", {"Location": "a.bin"}),
    "a redirect to nowhere": Answer(302, b""),
    "a redirect to another scheme": Answer(302, b"", {"Location": "ftp://127.0.0.1/a.bin"}),
    "a redirect to no address": Answer(302, b"", {"Location": "http://[oops/a.bin"}),
}


@pytest.mark.parametrize("fault", sorted(FAULTS))
async def test_a_faulty_file_never_completes_and_is_never_stored(store: World, tmp_path: Path, fault: str) -> None:
    store.wire.answers[FILE] = FAULTS[fault]

    got, error = await broken(store)

    assert len(got) < len(BODY)
    assert isinstance(error, UpstreamUnavailable)
    assert await store.held("store") == {}
    assert await files(tmp_path) == []
    store.wire.answers[FILE] = Answer(200, BODY)
    assert await store.fetched("store") == BODY


async def test_a_small_file_with_a_wrong_checksum_fails_before_anything_is_sent(store: World) -> None:
    store.offer(page({"1.0": {"a.bin": b"small"}}), {"a.bin": b"smalL"})

    got, error = await broken(store)

    assert got == b""
    assert "digest" in error.message


async def test_followers_of_a_lying_file_are_all_broken_off(store: World) -> None:
    store.wire.answers[FILE] = FAULTS["a wrong checksum"]

    outcomes = await asyncio.gather(*[broken(store) for _ in range(10)])

    assert all(len(got) < len(BODY) for got, _ in outcomes)


def flaky(answers: list[Answer]) -> Callable[[Asked], Answer]:
    return lambda asked: answers.pop(0)


async def test_a_download_that_breaks_off_goes_on_where_it_stood(store: World) -> None:
    half = len(BODY) // 2

    def rest(asked: Asked) -> Answer:
        found = re.fullmatch(r"bytes=(\d+)-", asked.headers.get("range", ""))
        if found is None:
            return Answer(200, BODY[:half], {"ETag": '"e"'}, length=len(BODY), cut=True)
        start = int(found[1])
        return Answer(206, BODY[start:], {"Content-Range": f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"})

    store.wire.answers[FILE] = rest

    assert await store.fetched("store") == BODY
    assert store.wire.asked[-1].headers["if-range"] == '"e"'


async def test_a_download_goes_on_even_where_the_registry_knows_no_ranges(store: World) -> None:
    cut = Answer(200, BODY[:1000], length=len(BODY), cut=True)
    store.wire.answers[FILE] = flaky([cut, Answer(200, BODY[:700_000], length=len(BODY), cut=True), Answer(200, BODY)])

    assert await store.fetched("store") == BODY


async def test_a_download_that_goes_on_with_another_file_is_refused(store: World) -> None:
    cut = Answer(200, BODY[:1000], length=len(BODY), cut=True)
    store.wire.answers[FILE] = flaky([cut, Answer(206, BODY[5:], {"Content-Range": "bytes 5-9/10"})])

    _, error = await broken(store)

    assert "could not go on" in error.message


async def test_a_file_that_is_shorter_the_second_time_is_refused(store: World) -> None:
    cut = Answer(200, BODY[:700_000], length=len(BODY), cut=True)
    store.wire.answers[FILE] = flaky([cut, Answer(200, BODY[:1000])])

    got, _ = await broken(store)

    assert len(got) < 700_001


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_file_that_is_encoded_although_nobody_asked_is_decoded(store: World, coding: str) -> None:
    packed = gzip.compress(BODY) if coding == "gzip" else zlib.compress(BODY)
    store.wire.answers[FILE] = Answer(200, packed, {"Content-Encoding": coding})

    assert await store.fetched("store") == BODY
    assert store.wire.asked[-1].headers["accept-encoding"] == "identity"


async def test_an_archive_that_is_labelled_as_encoded_is_stored_as_it_is(store: World) -> None:
    archive = gzip.compress(BODY)
    store.offer(page({"1.0": {"a.tgz": archive}}))
    store.wire.answers["/files/a.tgz"] = Answer(200, archive, {"Content-Encoding": "gzip"})

    assert await store.fetched("store", asset="a.tgz") == archive


async def test_a_web_page_is_believed_only_when_its_digest_is_declared(store: World) -> None:
    html = {"Content-Type": "text/html"}
    store.wire.answers[FILE] = Answer(200, BODY, html)
    assert await store.fetched("store") == BODY

    document = page({"2.0": {"b.bin": BODY, "c.html": BODY}})
    for file in document["versions"]["2.0"]["files"].values():
        file["digests"] = {}
    store.offer(document)
    store.clock.pass_seconds(3)
    store.wire.answers["/files/b.bin"] = store.wire.answers["/files/c.html"] = Answer(200, BODY, html)

    assert isinstance(await store.refused("store", "2.0", "b.bin"), UpstreamUnavailable)
    assert await store.fetched("store", "2.0", "c.html") == BODY


@pytest.mark.parametrize("length", [None, -1, "own"])
async def test_without_any_declaration_the_length_of_the_answer_decides(store: World, length: int | str | None) -> None:
    document = page({"1.0": {"a.bin": BODY}})
    document["versions"]["1.0"]["files"]["a.bin"] = {"url": "files/a.bin"}
    store.offer(document)
    store.wire.answers[FILE] = Answer(200, BODY, length=length)

    assert await store.fetched("store") == BODY


async def test_without_a_digest_a_broken_download_is_not_pieced_together(store: World) -> None:
    document = page({"1.0": {"a.bin": BODY}})
    document["versions"]["1.0"]["files"]["a.bin"]["digests"] = {}
    store.offer(document)
    store.wire.answers[FILE] = Answer(200, BODY[:-5], length=len(BODY), cut=True)

    await broken(store)

    assert store.wire.paths().count(FILE) == 1


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512"])
async def test_every_known_digest_is_checked(store: World, algorithm: str) -> None:
    document = page({"1.0": {"a.bin": BODY}})
    file = document["versions"]["1.0"]["files"]["a.bin"]
    file["digests"] = {algorithm: hashlib.new(algorithm, BODY).hexdigest().upper()}
    store.offer(document, {"a.bin": LIE})

    await broken(store)
    store.wire.answers[FILE] = Answer(200, BODY)

    assert await store.fetched("store") == BODY


async def test_a_file_above_the_quota_is_not_fetched(tmp_path: Path, wire: Wire) -> None:
    async with world_at(tmp_path, wire, quotas=Quotas(asset_bytes=1000)) as world:
        await world.repository("store", connection="public:tiny")
        world.offer(page({"1.0": {"a.bin": BODY}}), {"a.bin": BODY})
        declared = await broken(world)
        document = page({"1.0": {"a.bin": BODY}})
        document["versions"]["1.0"]["files"]["a.bin"].pop("size")
        world.clock.pass_seconds(61)
        world.offer(document)
        wire.answers[FILE] = Answer(200, BODY, length=None)
        undeclared = await broken(world)

    assert "larger than" in declared[1].message
    assert "more" in undeclared[1].message


async def test_a_file_that_has_left_the_registry_is_looked_for_again(store: World) -> None:
    def gone(asked: Asked) -> Answer:
        store.offer(page({"3.0": {"c.bin": b"three"}}))
        return Answer(404)

    assert await store.listed("store") == ["1.0"]
    store.clock.pass_seconds(3)
    store.wire.answers[FILE] = gone

    assert isinstance(await store.refused("store"), ResourceNotFound)


async def test_leaving_the_server_breaks_off_what_is_under_way(tmp_path: Path, wire: Wire) -> None:
    slow = Slow(BODY[:1000], BODY[1000:])
    async with world_at(tmp_path, wire) as world:
        await world.repository("store", connection="public:tiny")
        world.offer(page({"1.0": {"a.bin": BODY}}))
        wire.answers[FILE] = Answer(200, slow, length=len(BODY))
        slow.let(0)
        content = await world.resolver.open(world.repositories["store"], key(), "a.bin")
        reading = asyncio.create_task(whole(content))
        await asyncio.sleep(0)

    with pytest.raises(UpstreamUnavailable):
        await reading
    slow.let(1)
