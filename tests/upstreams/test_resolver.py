"""Stamps, searches, and what is left of the resolver."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from registry.core.errors import ResourceNotFound, UpstreamUnavailable
from registry.core.ports import Tx
from registry.core.types import Status
from tests.upstreams.tiny import NotedFetcher, page
from tests.upstreams.wire import Wire
from tests.upstreams.world import World, key, package, whole, world_at
from upstreams import assets
from upstreams.survey import Surveys


async def stamp(world: World, repo: str) -> object:
    return (await world.resolver.stamp(world.repositories[repo], package())).value


async def test_a_stamp_changes_with_everything_that_a_listing_is_made_of(world: World) -> None:
    await world.repository("store", connection="public:tiny")
    await world.repository("team")
    await world.repository("repo", ["team", "store"])
    world.offer(page({"1.0": {"a.bin": b"one"}}))
    seen = [await stamp(world, "repo")]

    async def differs() -> None:
        value = await stamp(world, "repo")
        listing = await world.resolver.listing(world.repositories["repo"], package())
        assert value not in seen
        assert listing.stamp.value == value
        assert await stamp(world, "repo") == value
        seen.append(value)

    await world.publish("team", "2.0", {"a.bin": b"two"})
    await differs()
    await world.publish("repo", "3.0", {"a.bin": b"three"})
    await differs()
    world.offer(page({"1.1": {"a.bin": b"one"}}))
    world.clock.pass_seconds(61)
    await differs()
    await world.repository("another")
    await differs()
    await world.store.write(lambda tx: tx.repositories.connect(world.repositories["store"].id, None))
    await differs()


async def test_a_stamp_costs_no_question_while_nothing_changes(world: World) -> None:
    await world.repository("store", connection="public:tiny")
    world.offer(page({"1.0": {"a.bin": b"one"}}))
    repo = world.repositories["store"]
    await world.resolver.stamp(repo, package())
    first = await world.resolver.stamp(repo, package())

    again = [await world.resolver.stamp(repo, package()) for _ in range(3)]

    assert all(each is first for each in again)
    assert len(world.wire.asked) == 1


async def test_a_stamp_without_an_epoch_reads_ages_only(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.repository("store", connection="public:tiny")
    world.offer(page({"1.0": {"a.bin": b"one"}}))
    monkeypatch.setattr(world.store, "epoch", lambda: None)
    first = await stamp(world, "store")
    world.clock.pass_seconds(30)
    second = await stamp(world, "store")
    world.clock.pass_seconds(31)
    third = await stamp(world, "store")

    assert first == second == third
    assert len(world.wire.asked) == 2


async def test_search_finds_packages_of_the_whole_chain_once(world: World) -> None:
    await world.repository("team")
    await world.repository("repo", ["team"])
    for repo, name in (("team", "alpha"), ("repo", "alpha"), ("team", "alphabet"), ("team", "beta")):
        await world.publish(repo, "1.0", {"a.bin": b"x"}, name=name)

    found = await world.resolver.search(world.repositories["repo"], "tiny", "alph", None, 10)
    page_two = await world.resolver.search(world.repositories["repo"], "tiny", "", ("", "alpha"), 1)

    assert [row.key.name for row in found] == ["alpha", "alphabet"]
    assert [row.key.name for row in page_two] == ["alphabet"]


async def test_a_listing_is_named_as_the_nearest_repository_spells_it(world: World) -> None:
    await world.repository("store", connection="public:tiny")
    world.offer(page({"1.0": {"a.bin": b"one"}}, display="Pack"), {"a.bin": b"one"})
    repo = world.repositories["store"]

    from_outside = (await world.resolver.listing(repo, package())).display
    unknown = (await world.resolver.listing(repo, package("unknown"))).display
    await world.publish("store", "2.0", {"a.bin": b"two"})
    own = (await world.resolver.listing(repo, package())).display

    assert (from_outside, unknown, own) == ("Pack", "unknown", "pack")


async def test_several_connections_are_asked_together(world: World) -> None:
    for name in ("one", "two"):
        await world.repository(name, connection="public:tiny" if name == "one" else "private:lost")
    await world.repository("repo", ["one", "two"])
    world.offer(page({"1.0": {"a.bin": b"one"}}), {"a.bin": b"one"})

    listing = await world.resolver.listing(world.repositories["repo"], package())

    assert [each.version for each in listing.versions] == ["1.0"]
    assert listing.stale
    assert await world.fetched("repo") == b"one"
    assert isinstance(await world.refused("repo", "9.9"), UpstreamUnavailable)


async def test_an_outage_of_a_nearer_registry_does_not_hide_what_is_stored_further_up(world: World) -> None:
    await world.repository("store", connection="public:tiny")
    await world.repository("team")
    await world.repository("repo", ["store", "team"])
    await world.publish("team", "1.0", {"a.bin": b"team"})
    await world.wire.stop()

    assert await world.fetched("repo") == b"team"
    assert await world.listed("repo") == ["1.0"]


async def test_a_version_that_leaves_its_source_meanwhile_is_looked_for_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.repository("team")
    await world.repository("repo", ["team"])
    await world.publish("team", "1.0", {"a.bin": b"team"})
    retain = assets.retention.retain_stored

    async def too_late(*args: object, **kwargs: object) -> None:
        async def archive(tx: Tx) -> None:
            row = await tx.packages.get(world.repositories["team"].id, package())
            version = await tx.versions.get(row.id, "1.0") if row else None
            assert version is not None
            await tx.versions.change(version.id, status=Status.ARCHIVED)

        await world.store.write(archive)
        await retain(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(assets.retention, "retain_stored", too_late)

    assert isinstance(await world.refused("repo"), ResourceNotFound)


async def test_what_never_stands_still_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.repository("team")
    await world.repository("repo", ["team"])
    await world.publish("team", "1.0", {"a.bin": b"team"})

    async def never(*args: object, **kwargs: object) -> None:
        raise ResourceNotFound("gone again")

    monkeypatch.setattr(assets.retention, "retain_stored", never)

    assert isinstance(await world.refused("repo"), UpstreamUnavailable)


async def test_a_reader_that_joins_while_the_file_is_being_recorded_gets_the_stored_one(world: World) -> None:
    """The second repository comes too late for the flight: it retains what the first has brought."""
    await world.repository("store", connection="public:tiny")
    await world.repository("left", ["store"])
    await world.repository("right", ["store"])
    world.offer(page({"1.0": {"a.bin": b"one"}}), {"a.bin": b"one"})
    write, joined = world.store.write, asyncio.Event()
    recording = asyncio.Event()

    async def slow(work: object) -> object:
        if "storing" in getattr(work, "__qualname__", ""):
            recording.set()
            await joined.wait()
        return await write(work)  # type: ignore[arg-type]

    world.store.write = slow  # type: ignore[method-assign, assignment]
    left = asyncio.create_task(world.fetched("left"))
    await recording.wait()
    right = asyncio.create_task(world.fetched("right"))
    while sum(task.get_name().startswith("flight") for task in asyncio.all_tasks()) < 1:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    joined.set()

    assert await left == await right == b"one"
    assert await world.held("right") == {"1.0": ["a.bin"]}
    assert world.wire.paths().count("/files/a.bin") == 1


async def test_a_single_file_format_has_documents_of_retained_versions_too(tmp_path: Path, wire: Wire) -> None:
    async with world_at(tmp_path, wire, fetchers={"tiny": NotedFetcher()}) as world:
        await world.repository("store", connection="public:tiny")
        world.offer(page({"1.0": {"a.bin": b"one"}}), {"a.bin": b"one", "a.bin.note": b"note"})
        await world.fetched("store")

        assert await world.fetched("store", asset="a.bin.note") == b"note"
        assert isinstance(await world.refused("store", asset="b.bin.note"), ResourceNotFound)
        await world.publish("store", "2.0", {"a.bin": b"own"})
        assert isinstance(await world.refused("store", "2.0", "a.bin.note"), ResourceNotFound)
        assert await world.held("store") == {"1.0": ["a.bin"], "2.0": ["a.bin"]}


async def test_what_was_brought_while_we_searched_is_served_from_the_repository_itself(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.repository("repo")
    await world.publish("repo", "1.0", {"a.bin": b"one"})
    glance = world.store.glance

    async def blind(work: object) -> object:
        monkeypatch.setattr(world.store, "glance", glance)

    monkeypatch.setattr(world.store, "glance", blind)
    content = await world.resolver.open(world.repositories["repo"], key(), "a.bin")

    assert (content.source, await whole(content)) == ("local", b"one")


async def test_reachable_names_the_upstream_that_has_the_version(world: World) -> None:
    await world.repository("team")
    await world.repository("repo", ["team"])
    await world.publish("team", "1.0", {"a.bin": b"one"})
    await world.publish("repo", "2.0", {"a.bin": b"two"})

    assert await world.resolver.reachable(world.repositories["repo"], key("1.0")) == "upstream:team"
    assert await world.resolver.reachable(world.repositories["repo"], key("2.0")) is None


async def test_a_format_without_upstreams_is_looked_for_in_the_repository_alone(world: World) -> None:
    await world.repository("team")
    repo = await world.repository("repo", ["team"])
    await world.publish("team", "1.0", {"a.bin": b"one"})
    alone = Surveys(25, ["tiny"])

    survey = await world.store.read(lambda tx: alone.of_rows(tx, repo, package()))

    assert survey.chain.ids == (repo.id,)
    assert survey.rows == {}
