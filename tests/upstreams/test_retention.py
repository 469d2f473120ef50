"""Where fetched versions are kept: guide, "Package retention from upstream repositories"."""

from __future__ import annotations

from registry.core.errors import ResourceNotFound, UpstreamUnavailable
from registry.core.types import Status
from tests.upstreams.tiny import page
from tests.upstreams.world import World, key, package, whole

BODY = bytes(range(256)) * 40


async def _chain(world: World) -> None:
    """repo-a above repo-b above repo-c, which has the connection."""
    await world.repository("repo-c", connection="public:tiny")
    await world.repository("repo-b", ["repo-c"])
    await world.repository("repo-a", ["repo-b"])
    world.offer(page({"1.0": {"a.bin": BODY}}), {"a.bin": BODY})


async def test_an_external_version_is_kept_where_it_was_asked_and_where_the_connection_is_but_not_between(
    world: World,
) -> None:
    await _chain(world)

    assert await world.fetched("repo-a") == BODY

    assert await world.held("repo-a") == {"1.0": ["a.bin"]}
    assert await world.held("repo-b") == {}
    assert await world.held("repo-c") == {"1.0": ["a.bin"]}


async def test_a_listing_retains_nothing(world: World) -> None:
    await _chain(world)

    assert await world.listed("repo-a") == ["1.0"]

    assert await world.held("repo-a") == await world.held("repo-c") == {}


async def test_a_version_of_an_upstream_is_kept_in_the_repository_that_was_asked(world: World) -> None:
    await _chain(world)
    await world.publish("repo-c", "2.0", {"a.bin": b"two"})

    content = await world.resolver.open(world.repositories["repo-a"], key("2.0"), "a.bin")

    assert (content.source, await whole(content)) == ("upstream:repo-c", b"two")
    assert await world.held("repo-a") == {"2.0": ["a.bin"]}
    assert await world.held("repo-b") == {}


async def test_what_is_kept_outlives_its_source(world: World) -> None:
    await _chain(world)
    await world.fetched("repo-a")
    await world.wire.stop()
    await world.store.write(lambda tx: tx.repositories.delete(world.repositories["repo-b"].id))

    assert await world.fetched("repo-a") == BODY
    assert await world.listed("repo-a") == ["1.0"]


async def test_what_the_source_drops_stays_listed_once_it_is_kept(world: World) -> None:
    await _chain(world)
    await world.fetched("repo-a")
    world.offer(page({"3.0": {"c.bin": b"three"}}))
    world.clock.pass_seconds(61)

    assert await world.listed("repo-a") == ["1.0", "3.0"]


async def test_nothing_is_retained_when_only_stored_files_are_wanted(world: World) -> None:
    await _chain(world)
    await world.publish("repo-c", "2.0", {"a.bin": b"two"})
    repo = world.repositories["repo-a"]

    content = await world.resolver.open(repo, key("2.0"), "a.bin", retain=False)
    try:
        await world.resolver.open(repo, key("1.0"), "a.bin", retain=False)
    except ResourceNotFound:
        absent = True

    assert await whole(content) == b"two"
    assert absent
    assert await world.held("repo-a") == {}


async def test_the_tags_of_a_listing_are_those_of_the_registry(world: World) -> None:
    await _chain(world)
    world.offer(page({"1.0": {"a.bin": BODY}}, tags={"latest": "1.0", "gone": "9.9"}))

    listing = await world.resolver.listing(world.repositories["repo-a"], package())

    assert listing.tags == {"latest": "1.0"}


async def test_an_archived_version_nearby_hides_the_same_version_further_up(world: World) -> None:
    await _chain(world)
    await world.publish("repo-b", "1.0", {"a.bin": b"old"}, status=Status.ARCHIVED)

    assert await world.listed("repo-a") == []
    assert isinstance(await world.refused("repo-a"), ResourceNotFound)


async def test_an_unlisted_version_is_served_but_not_listed(world: World) -> None:
    await _chain(world)
    await world.publish("repo-b", "1.0", {"a.bin": b"old"}, status=Status.UNLISTED)

    listing = await world.resolver.listing(world.repositories["repo-a"], package())

    assert [each.version for each in listing.unlisted] == ["1.0"]
    assert not listing.versions
    assert await world.fetched("repo-a") == b"old"


async def test_a_version_that_no_registry_has_is_not_found(world: World) -> None:
    await _chain(world)

    assert isinstance(await world.refused("repo-a", "9.9"), ResourceNotFound)
    assert isinstance(await world.refused("repo-a", "1.0", "b.bin"), ResourceNotFound)
    assert isinstance(await world.refused("repo-a", name="other"), ResourceNotFound)


async def test_could_not_ask_is_never_not_there(world: World) -> None:
    await _chain(world)
    await world.wire.stop()

    assert isinstance(await world.refused("repo-a"), UpstreamUnavailable)
    assert isinstance(await world.refused("repo-a", name="other"), UpstreamUnavailable)
