"""Package origin controls along a search (guide, "Editing package origin controls") and the guard against confusion."""

from __future__ import annotations

import pytest
import pytest_asyncio

from registry.core.errors import ResourceNotFound
from registry.core.ports import Tx
from registry.core.types import Control, Origin
from tests.upstreams.tiny import page
from tests.upstreams.world import World, key, package

BLOCK: tuple[Control, Control] = ("ALLOW", "BLOCK")
EVIL = page({"9.9": {"a.bin": b"evil"}}, tags={"latest": "9.9"})


@pytest_asyncio.fixture
async def mixed(world: World) -> World:
    """`repo` above `team`, where packages are published, and `npm-store`, which has the connection."""
    await world.repository("store", connection="public:tiny")
    await world.repository("team")
    await world.repository("repo", ["team", "store"])
    world.offer(EVIL, {"a.bin": b"evil"})
    return world


async def test_a_blocked_package_takes_nothing_from_upstream(mixed: World) -> None:
    await mixed.publish("repo", "1.0", {"a.bin": b"own"}, controls=BLOCK)
    await mixed.publish("team", "2.0", {"a.bin": b"team"}, controls=("ALLOW", "ALLOW"))

    assert await mixed.listed("repo") == ["1.0"]
    assert isinstance(await mixed.refused("repo", "2.0"), ResourceNotFound)
    assert isinstance(await mixed.refused("repo", "9.9"), ResourceNotFound)
    assert await mixed.resolver.reachable(mixed.repositories["repo"], key("2.0")) is None
    assert mixed.wire.asked == []


async def test_a_block_ends_the_search_through_that_repository_only(mixed: World) -> None:
    await mixed.repository("side", ["store"])
    await mixed.repository("top", ["repo", "side"])
    outside = Origin("EXTERNAL", connection="public:tiny")
    await mixed.publish("repo", "1.0", {"a.bin": b"own"}, controls=BLOCK, origin=outside)

    assert await mixed.listed("top") == ["1.0", "9.9"]
    assert await mixed.listed("repo") == ["1.0"]


async def test_a_blocked_repository_does_not_ask_its_connection(mixed: World) -> None:
    outside = Origin("EXTERNAL", connection="public:tiny")
    await mixed.publish("store", "1.0", {"a.bin": b"old"}, controls=BLOCK, origin=outside)

    assert await mixed.listed("store") == ["1.0"]
    assert isinstance(await mixed.refused("repo", "9.9"), ResourceNotFound)
    assert mixed.wire.asked == []


async def test_a_public_package_does_not_shadow_a_private_one_beside_it(mixed: World) -> None:
    await mixed.publish("team", "1.0", {"a.bin": b"own"}, controls=BLOCK, tags={"latest": "1.0"})

    listing = await mixed.resolver.listing(mixed.repositories["repo"], package())

    assert [each.version for each in listing.versions] == ["1.0"]
    assert listing.tags == {"latest": "1.0"}
    assert isinstance(await mixed.refused("repo", "9.9"), ResourceNotFound)
    assert mixed.wire.asked == []


async def test_neither_does_one_that_is_stored_already(mixed: World) -> None:
    assert await mixed.fetched("store", "9.9") == b"evil"
    await mixed.publish("team", "1.0", {"a.bin": b"own"}, controls=BLOCK)

    assert await mixed.listed("repo") == ["1.0"]
    assert isinstance(await mixed.refused("repo", "9.9"), ResourceNotFound)
    assert await mixed.resolver.reachable(mixed.repositories["repo"], key("9.9")) is None
    assert await mixed.resolver.secure(mixed.repositories["repo"], key("9.9")) is None
    assert await mixed.listed("store") == ["9.9"]


async def test_what_is_in_the_repository_already_stays_usable(mixed: World) -> None:
    assert await mixed.fetched("repo", "9.9") == b"evil"
    await mixed.publish("team", "1.0", {"a.bin": b"own"}, controls=BLOCK)

    assert await mixed.listed("repo") == ["1.0", "9.9"]
    assert await mixed.fetched("repo", "9.9") == b"evil"


async def test_an_owner_who_allows_it_gets_both(mixed: World) -> None:
    await mixed.publish("team", "1.0", {"a.bin": b"own"}, controls=BLOCK)
    await mixed.publish("repo", "0.5", {"a.bin": b"older"})

    async def allow(tx: Tx) -> None:
        row = await tx.packages.get(mixed.repositories["repo"].id, package())
        assert row is not None
        await tx.packages.set_controls(row.id, "ALLOW", "ALLOW")

    assert await mixed.listed("repo") == ["0.5", "1.0"]
    await mixed.store.write(allow)

    assert await mixed.listed("repo") == ["0.5", "1.0", "9.9"]


@pytest.mark.parametrize("controls", [("ALLOW", "ALLOW"), ("BLOCK", "ALLOW")])
async def test_a_package_that_is_not_blocked_is_not_private(mixed: World, controls: tuple[Control, Control]) -> None:
    await mixed.publish("team", "1.0", {"a.bin": b"own"}, controls=controls)

    assert await mixed.listed("repo") == ["1.0", "9.9"]
