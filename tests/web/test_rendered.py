"""The cache of rendered indexes: once per state, compressed, bounded."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from registry.core.errors import ResourceNotFound
from registry.core.types import Listed, Listing, PackageKey, Stamp, Status
from registry.web.cache import ByteCache
from registry.web.indexes import accepts_gzip
from registry.web.rendered import Indexes, Rendered

PACKAGE = PackageKey("npm", None, "left")


def listing(state: int, versions: int = 1) -> Listing:
    listed = tuple(Listed(f"{n}", f"{n}", Status.PUBLISHED, b"", (), 0, f"{n:09}") for n in range(versions))
    return Listing(PACKAGE, "left", listed, (), {}, Stamp(state))


class Kitchen:
    """Counts what is asked of it."""

    def __init__(self, versions: int = 1) -> None:
        self.state = 1
        self.renders = 0
        self.versions = versions
        self.indexes = Indexes(1_000_000)

    async def listing(self) -> Listing:
        await asyncio.sleep(0)
        return listing(self.state, self.versions)

    def render(self, found: Listing) -> bytes:
        self.renders += 1
        return f"state {found.stamp.value} ".encode() * 500

    async def get(self, key: str = "key") -> Rendered:
        return await self.indexes.get(key, Stamp(self.state), self.listing, self.render)


@pytest.mark.parametrize("versions", [1, 500])
async def test_an_index_is_rendered_once_for_all_who_ask_at_once(versions: int) -> None:
    kitchen = Kitchen(versions)

    made = await asyncio.gather(*(kitchen.get() for _ in range(50)))

    assert kitchen.renders == 1
    assert len({id(each) for each in made}) == 1
    assert made[0].gzip is not None
    assert gzip.decompress(made[0].gzip) == made[0].body


async def test_a_new_stamp_renders_anew_and_an_old_one_never_comes_back() -> None:
    kitchen = Kitchen()
    first = await kitchen.get()

    kitchen.state = 2
    second = await kitchen.get()

    assert (first.body[:7], second.body[:7]) == (b"state 1", b"state 2")
    assert not first.alive
    assert first.etag != second.etag


async def test_what_is_unknown_is_not_remembered() -> None:
    kitchen = Kitchen()

    def absent(found: Listing) -> bytes:
        raise ResourceNotFound("left")

    with pytest.raises(ResourceNotFound):
        await kitchen.indexes.get("key", Stamp(1), kitchen.listing, absent)

    assert (await kitchen.get()).body


async def test_one_who_leaves_does_not_stop_the_rendering_for_others() -> None:
    kitchen = Kitchen()
    leaving = asyncio.ensure_future(kitchen.get())
    staying = asyncio.ensure_future(kitchen.get())
    await asyncio.sleep(0)

    leaving.cancel()

    assert (await staying).body
    assert kitchen.renders == 1


async def test_the_same_index_has_the_same_bytes_and_tag() -> None:
    one, other = await Kitchen().get(), await Kitchen().get()

    assert (one.body, one.gzip, one.etag) == (other.body, other.gzip, other.etag)


class Thing:
    def __init__(self, size: int) -> None:
        self.size, self.alive, self.used = size, True, False


def test_the_cache_stays_within_its_bound_and_keeps_what_is_used() -> None:
    cache: ByteCache[Thing] = ByteCache(100)
    kept = Thing(10)
    cache.put("kept", kept)

    for number in range(1000):
        kept.used = True
        cache.put(number, Thing(10))
        assert cache.held <= 100

    assert kept.alive
    assert sum(each.size for each in cache.values()) == cache.held


def test_what_is_too_large_is_not_kept() -> None:
    cache: ByteCache[Thing] = ByteCache(100)
    cache.put("small", Thing(20))

    cache.put("large", large := Thing(90))

    assert list(cache) == ["small"]
    assert not large.alive


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("br, gzip;q=0.5", True),
        ("*", True),
        ("gzip;q=0, *", False),
        ("GZIP", True),
        ("identity", False),
        ("", False),
        ("br;q=1, *;q=0", False),
        ("gzip;q=x", False),
    ],
)
def test_gzip_is_sent_to_who_takes_it(header: str, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted
