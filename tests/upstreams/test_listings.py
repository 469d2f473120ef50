"""What external registries say, cached: ages, validators, outages, nonsense."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from registry.core.errors import ResourceNotFound, UpstreamUnavailable
from registry.core.ports import Tx
from registry.core.types import Remote
from tests.upstreams.tiny import TinyFetcher, page
from tests.upstreams.wire import Answer, Asked, Wire
from tests.upstreams.world import SETTINGS, World, key, package, world_at
from upstreams.client import Client
from upstreams.connections import Connection
from upstreams.listings import ExternalListings
from upstreams.tasks import Tasks

ONE = page({"1.0": {"a.bin": b"one"}})
TWO = page({"1.0": {"a.bin": b"one"}, "2.0": {"b.bin": b"two"}})


@pytest_asyncio.fixture
async def store(world: World) -> World:
    await world.repository("store", connection="public:tiny")
    world.offer(ONE, {"a.bin": b"one", "b.bin": b"two"})
    return world


def down(asked: Asked) -> Answer:
    return Answer(500)


async def test_a_listing_is_served_for_a_minute_without_asking_again(store: World) -> None:
    assert await store.listed("store") == ["1.0"]
    store.offer(TWO)
    store.clock.pass_seconds(59)

    assert await store.listed("store") == ["1.0"]
    assert len(store.wire.asked) == 1

    store.clock.pass_seconds(2)
    assert await store.listed("store") == ["1.0", "2.0"]


async def test_an_old_listing_is_asked_for_with_its_validators(store: World) -> None:
    await store.listed("store")
    before = await store.resolver.stamp(store.repositories["store"], package())
    store.clock.pass_seconds(61)

    assert await store.listed("store") == ["1.0"]
    after = await store.resolver.stamp(store.repositories["store"], package())

    assert "if-none-match" in store.wire.asked[1].headers
    assert len(store.wire.asked) == 2
    assert after.value == before.value
    assert (after.expires or 0) > (before.expires or 0)


async def test_a_package_that_is_not_there_is_asked_for_again_after_ten_seconds(store: World) -> None:
    assert await store.listed("store", name="late") == []
    store.offer(ONE, name="late")
    store.clock.pass_seconds(9)
    assert await store.listed("store", name="late") == []
    store.clock.pass_seconds(2)

    assert await store.listed("store", name="late") == ["1.0"]


async def test_a_registry_that_is_down_leaves_the_older_listing_as_stale(store: World) -> None:
    await store.listed("store")
    await store.wire.stop()
    store.clock.pass_seconds(3600)

    listing = await store.resolver.listing(store.repositories["store"], package())
    stamp = await store.resolver.stamp(store.repositories["store"], package())

    assert [each.version for each in listing.versions] == ["1.0"]
    assert listing.stale
    assert stamp.stale
    assert (stamp.expires or 0) <= store.clock.now() + 1000


async def test_a_registry_that_comes_back_is_asked_again(store: World) -> None:
    await store.listed("store")
    await store.wire.stop()
    store.clock.pass_seconds(61)
    await store.listed("store")
    await store.wire.start()
    store.offer(TWO)
    store.clock.pass_seconds(2)

    assert await store.listed("store") == ["1.0", "2.0"]


async def test_an_old_absence_is_no_answer_when_the_registry_is_down(store: World) -> None:
    assert await store.listed("store", name="late") == []
    await store.wire.stop()
    store.clock.pass_seconds(11)

    with pytest.raises(UpstreamUnavailable):
        await store.listed("store", name="late")
    with pytest.raises(UpstreamUnavailable):
        await store.resolver.stamp(store.repositories["store"], package("late"))


async def test_after_a_failure_the_older_listing_is_served_for_a_moment_without_asking(store: World) -> None:
    await store.listed("store")
    store.wire.answers["/pack"] = down
    store.clock.pass_seconds(61)

    for _ in range(5):
        assert await store.listed("store") == ["1.0"]

    assert len(store.wire.asked) == 1 + 3  # one question with its attempts


async def test_a_failure_without_an_older_listing_is_forgotten_at_once(store: World) -> None:
    store.wire.answers["/late"] = down
    with pytest.raises(UpstreamUnavailable):
        await store.listed("store", name="late")

    store.offer(ONE, name="late")

    assert await store.listed("store", name="late") == ["1.0"]


async def test_stored_versions_are_listed_while_the_registry_is_down_and_nothing_is_known_of_it(store: World) -> None:
    await store.publish("store", "5.0", {"a.bin": b"own"})
    await store.wire.stop()

    listing = await store.resolver.listing(store.repositories["store"], package())
    stamp = await store.resolver.stamp(store.repositories["store"], package())

    assert [each.version for each in listing.versions] == ["5.0"]
    assert listing.stale
    assert stamp.stale
    assert isinstance(await store.refused("store", "6.0"), UpstreamUnavailable)


async def test_a_version_that_the_listing_lacks_makes_us_ask_at_once(store: World) -> None:
    await store.listed("store")
    store.offer(TWO)
    store.clock.pass_seconds(3)

    assert await store.fetched("store", "2.0", "b.bin") == b"two"


async def test_naming_nonsense_does_not_make_us_ask_all_the_time(store: World) -> None:
    await store.listed("store")
    store.clock.pass_seconds(3)

    for _ in range(20):
        assert isinstance(await store.refused("store", "9.9"), ResourceNotFound)

    assert len(store.wire.asked) == 2


async def test_what_an_old_listing_lacks_is_no_absence_while_the_registry_is_down(store: World) -> None:
    await store.listed("store")
    await store.wire.stop()
    store.clock.pass_seconds(61)

    assert isinstance(await store.refused("store", "2.0"), UpstreamUnavailable)
    assert isinstance(await store.refused("store", "1.0", "z.bin"), UpstreamUnavailable)


def listings_of(world: World, client: Client, tasks: Tasks, *, patience: float = 5) -> ExternalListings:
    """Listings beside the resolver's."""
    return ExternalListings(
        store=world.store,
        clock=world.clock,
        settings=SETTINGS,
        tasks=tasks,
        fetchers={"tiny": TinyFetcher()},
        http=client.to,
        patience=patience,
    )


async def test_what_one_registry_said_does_not_hold_for_another_of_the_same_name(store: World) -> None:
    other = Wire()
    await other.start()
    other.answers["/pack"] = Answer(200, json.dumps(TWO).encode())
    async with Client(SETTINGS) as client:
        listings = listings_of(store, client, Tasks())
        known = [
            await listings.get(store.domain.id, Connection("public:tiny", "tiny", wire.base), package())
            for wire in (store.wire, other, store.wire)
        ]
        await other.stop()
        known.append(await listings.get(store.domain.id, Connection("public:tiny", "tiny", other.base), package()))

    assert [len(each.remote.versions) for each in known if each.remote] == [1, 2, 1, 1]
    assert [each.stale for each in known] == [False, False, False, True]
    assert not any("if-none-match" in asked.headers for asked in (*store.wire.asked, *other.asked))


async def test_a_hundred_clients_ask_the_registry_once(store: World) -> None:
    listings = await asyncio.gather(*[store.listed("store") for _ in range(100)])

    assert listings == [["1.0"]] * 100
    assert len(store.wire.asked) == 1


async def test_a_client_that_leaves_does_not_end_the_question(store: World) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def slow(_: Asked) -> Answer:
        asked.set()
        await answer.wait()
        return Answer(200, json.dumps(ONE).encode())

    store.wire.answers["/pack"] = slow
    client = asyncio.create_task(store.listed("store"))
    await asked.wait()
    client.cancel()
    answer.set()
    await store.resolver.idle()

    assert await store.listed("store") == ["1.0"]
    assert len(store.wire.asked) == 1


NONSENSE: dict[str, Answer] = {
    "html": Answer(200, b"<html>hello</html>", {"Content-Type": "text/html"}),
    "html that calls itself json": Answer(200, b"<html>hello</html>", {"Content-Type": "application/json"}),
    "another document": Answer(200, b'["a"]'),
    "half a document": Answer(200, json.dumps(ONE).encode()[:-10]),
    "an empty body": Answer(200, b""),
    "no content": Answer(204, b""),
    "a truncated body": Answer(200, json.dumps(ONE).encode(), length=5000, cut=True),
    "a broken chunk": Answer(200, json.dumps(ONE).encode(), length=None, cut=True),
    "too much": Answer(200, b" " * 1_000_001),
    "too much that was not announced": Answer(200, b" " * 1_000_001, length=None),
    "a compressed bomb": Answer(200, gzip.compress(b" " * 50_000_000), {"Content-Encoding": "gzip"}),
    "broken compression": Answer(200, b"no gzip at all", {"Content-Encoding": "gzip"}),
    "forbidden": Answer(403, b"{}"),
    "credentials wanted": Answer(401, b"{}"),
    "not modified, unasked": Answer(304, b""),
    "unavailable": Answer(503, b"", {"Retry-After": "60"}),
    "too many requests": Answer(429, b"", {"Retry-After": "soon"}),
    "too many requests until a date": Answer(429, b"", {"Retry-After": "Wed, 21 Oct 2065 07:28:00 GMT"}),
}


@pytest.mark.parametrize("nonsense", sorted(NONSENSE))
async def test_nonsense_is_not_an_answer_and_is_never_stored(store: World, nonsense: str) -> None:
    store.wire.answers["/pack"] = NONSENSE[nonsense]

    with pytest.raises(UpstreamUnavailable):
        await store.listed("store")
    assert isinstance(await store.refused("store"), UpstreamUnavailable)
    store.clock.pass_seconds(2)
    store.offer(ONE)

    assert await store.listed("store") == ["1.0"]


@pytest.mark.parametrize("nonsense", sorted(NONSENSE))
async def test_nonsense_does_not_displace_what_is_known(store: World, nonsense: str) -> None:
    await store.listed("store")
    store.clock.pass_seconds(61)
    if nonsense != "not modified, unasked":
        store.wire.answers["/pack"] = NONSENSE[nonsense]

    assert await store.listed("store") == ["1.0"]


async def test_a_compressed_listing_is_understood(store: World) -> None:
    store.wire.answers["/pack"] = Answer(200, gzip.compress(json.dumps(ONE).encode()), {"Content-Encoding": "gzip"})

    assert await store.listed("store") == ["1.0"]


async def test_a_body_that_breaks_off_once_is_asked_for_again(store: World) -> None:
    answers = [Answer(200, b"{", length=100, cut=True), Answer(200, json.dumps(ONE).encode())]
    store.wire.answers["/pack"] = lambda asked: answers.pop(0)

    assert await store.listed("store") == ["1.0"]


async def test_versions_without_a_time_keep_the_time_when_they_were_first_seen(store: World) -> None:
    first = store.clock.now()
    await store.listed("store")
    timed = json.loads(json.dumps(TWO))
    timed["versions"]["2.0"]["published"] = 1234
    store.offer(timed)
    store.clock.pass_seconds(61)

    listing = await store.resolver.listing(store.repositories["store"], package())

    assert {each.version: each.published for each in listing.versions} == {"1.0": first, "2.0": 1234}


async def test_a_refresh_that_takes_too_long_is_not_waited_for_while_there_is_an_older_listing(store: World) -> None:
    """Clients give up after some seconds: pip after 15."""
    asked, answer = asyncio.Event(), asyncio.Event()

    async def slow(_: Asked) -> Answer:
        asked.set()
        await answer.wait()
        return Answer(200, json.dumps(TWO).encode())

    tasks = Tasks()
    connection = Connection("public:tiny", "tiny", store.wire.base)
    async with Client(SETTINGS) as client:
        listings = listings_of(store, client, tasks, patience=0.01)
        await listings.get(store.domain.id, connection, package())
        await tasks.idle()
        store.clock.pass_seconds(61)
        store.wire.answers["/pack"] = slow
        old = await listings.get(store.domain.id, connection, package())
        answer.set()
        await tasks.idle()
        new = await listings.get(store.domain.id, connection, package())

    assert old.stale
    assert len(old.remote.versions if old.remote else ()) == 1
    assert not new.stale
    assert len(new.remote.versions if new.remote else ()) == 2


class Endless(TinyFetcher):
    """Never comes to an end."""

    async def listing(self, *_: object) -> Remote:
        await asyncio.Event().wait()
        raise AssertionError


class Buggy(TinyFetcher):
    """Trips over what it reads."""

    async def listing(self, *_: object) -> Remote:
        raise KeyError("dist")


@pytest_asyncio.fixture
async def odd(tmp_path: Path, wire: Wire) -> AsyncIterator[World]:
    settings = replace(SETTINGS, connect_timeout=0, read_timeout=0)
    async with world_at(tmp_path, wire, settings=settings, fetchers={"tiny": Endless(), "many": Buggy()}) as world:
        await world.repository("store", connection="public:tiny")
        await world.repository("more", connection="public:many")
        yield world


async def test_a_question_has_an_end(odd: World) -> None:
    with pytest.raises(UpstreamUnavailable, match="in time"):
        await odd.listed("store")


async def test_an_old_absence_is_not_served_while_the_question_is_under_way(store: World) -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def slow(_: Asked) -> Answer:
        asked.set()
        await answer.wait()
        return Answer(200, json.dumps(ONE).encode())

    tasks = Tasks()
    connection = Connection("public:tiny", "tiny", store.wire.base)
    async with Client(SETTINGS) as client:
        listings = listings_of(store, client, tasks, patience=0)
        assert (await listings.get(store.domain.id, connection, package("late"))).remote is None
        await tasks.idle()
        store.clock.pass_seconds(11)
        store.wire.answers["/late"] = slow
        waiting = asyncio.create_task(listings.get(store.domain.id, connection, package("late")))
        await asked.wait()
        answer.set()

        assert (await waiting).remote is not None


async def test_a_fetcher_that_trips_is_no_absence(odd: World) -> None:
    with pytest.raises(UpstreamUnavailable, match="nonsense"):
        await odd.listed("more", format="many")


async def test_a_cached_listing_from_the_future_is_asked_for_again(store: World) -> None:
    async def work(tx: Tx) -> None:
        await tx.listings.put(store.domain.id, "public:tiny", package(), None, store.clock.now() + 1_000_000)

    await store.store.write(work)

    assert await store.listed("store") == ["1.0"]


async def test_a_connection_that_the_settings_lost_is_not_an_absence(store: World) -> None:
    await store.repository("lost", connection="private:lost")

    with pytest.raises(UpstreamUnavailable, match="settings"):
        await store.listed("lost")


async def test_a_connection_of_another_format_is_not_asked(store: World) -> None:
    assert await store.listed("store", format="many") == []
    assert store.wire.asked == []


async def test_a_version_that_the_format_refuses_is_left_out(store: World) -> None:
    store.offer(page({"1.0": {"a.bin": b"one"}, "refused": {"b.bin": b"two"}}))

    assert await store.listed("store") == ["1.0"]


async def test_reachable_asks_anew_and_takes_an_outage_for_absence(store: World) -> None:
    repo = store.repositories["store"]
    assert await store.resolver.reachable(repo, key("1.0")) == "external:public:tiny"
    assert await store.resolver.reachable(repo, key("2.0")) is None
    store.offer(TWO)
    store.clock.pass_seconds(3)
    assert await store.resolver.reachable(repo, key("2.0")) == "external:public:tiny"
    await store.wire.stop()
    store.clock.pass_seconds(3)

    assert await store.resolver.reachable(repo, key("3.0")) is None
    assert await store.resolver.reachable(repo, key("1.0", "unknown")) is None
