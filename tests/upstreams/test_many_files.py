"""Versions of several files: guide, "Requesting Python packages from upstreams and external connections"."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import pytest
import pytest_asyncio

from registry.core.errors import ResourceNotFound, UpstreamUnavailable
from registry.core.ports import Tx
from registry.core.types import Origin, Status
from tests.upstreams.tiny import page
from tests.upstreams.wire import Answer
from tests.upstreams.world import World, key, package, whole
from upstreams import companions

FILES = {"a.whl": b"wheel", "b.whl": b"other wheel", "c.tar.gz": b"source"}


@pytest_asyncio.fixture
async def many(world: World) -> World:
    await world.repository("store", connection="public:many")
    await world.repository("repo", ["store"])
    world.offer(page({"1.0": FILES}), FILES)
    return world


def marked(marks: Mapping[str, str], files: Mapping[str, bytes] = FILES) -> dict[str, Any]:
    document = page({"1.0": files})
    for name, mark in marks.items():
        document["versions"]["1.0"]["files"][name]["mark"] = mark
    return document


async def marks(world: World, repo: str) -> dict[str, bytes]:
    listing = await world.resolver.listing(world.repositories[repo], package(format="many"))
    return {file.name: file.native for each in listing.versions for file in each.files}


async def stored_marks(world: World, repo: str) -> dict[str, bytes]:
    async def work(tx: Tx) -> dict[str, bytes]:
        row = await tx.packages.get(world.repositories[repo].id, package(format="many"))
        versions = await tx.versions.of([row.id]) if row is not None else []
        return {asset.name: asset.native for each in versions for asset in each.assets}

    return await world.store.read(work)


async def test_one_file_brings_all_files_of_its_version(many: World) -> None:
    assert await many.fetched("repo", asset="a.whl", format="many") == b"wheel"

    assert await many.held("repo", format="many") == {"1.0": sorted(FILES)}
    assert await many.held("store", format="many") == {"1.0": sorted(FILES)}
    assert len(many.wire.paths()) == 4


async def test_a_companion_that_cannot_be_had_keeps_nobody_from_the_file(many: World) -> None:
    many.wire.answers["/files/b.whl"] = Answer(403)

    assert await many.fetched("repo", asset="a.whl", format="many") == b"wheel"

    assert "b.whl" not in (await many.held("repo", format="many"))["1.0"]


async def test_a_file_that_is_published_later_is_listed_and_retained_with_the_next_install(many: World) -> None:
    await many.fetched("repo", asset="a.whl", format="many")
    more = {**FILES, "d.whl": b"new"}
    many.offer(page({"1.0": more}), more)
    many.clock.pass_seconds(61)

    assert set(await marks(many, "repo")) == set(more)
    await many.fetched("repo", asset="a.whl", format="many")

    assert await many.held("repo", format="many") == {"1.0": sorted(more)}


async def test_a_file_that_is_new_in_an_upstream_repository_is_retained(many: World) -> None:
    outside = Origin("EXTERNAL", connection="public:many")
    await many.publish("store", "2.0", {"x.whl": b"x"}, format="many", origin=outside)
    await many.fetched("repo", "2.0", "x.whl", format="many")

    async def work(tx: Tx) -> None:
        row = await tx.packages.get(many.repositories["store"].id, package(format="many"))
        assert row is not None
        version = await tx.versions.get(row.id, "2.0")
        assert version is not None
        await tx.versions.delete(version.id)

    await many.store.write(work)
    await many.publish("store", "2.0", {"x.whl": b"x", "y.whl": b"y"}, format="many", origin=outside)

    assert await many.fetched("repo", "2.0", "y.whl", format="many") == b"y"
    assert await many.held("repo", format="many") == {"2.0": ["x.whl", "y.whl"]}


async def test_marks_follow_the_registry_and_are_kept_for_when_it_is_gone(many: World) -> None:
    await many.fetched("repo", asset="a.whl", format="many")
    many.offer(marked({"a.whl": "yanked"}))
    many.clock.pass_seconds(61)

    assert (await marks(many, "repo"))["a.whl"] == b"yanked"
    await many.resolver.idle()
    assert (await stored_marks(many, "repo"))["a.whl"] == b"yanked"
    assert (await stored_marks(many, "store"))["a.whl"] == b"yanked"

    await many.store.write(lambda tx: tx.repositories.connect(many.repositories["store"].id, None))
    assert (await marks(many, "repo"))["a.whl"] == b"yanked"


async def test_a_directly_published_version_gains_nothing_from_outside(many: World) -> None:
    await many.publish("repo", "1.0", {"a.whl": b"mine"}, format="many")
    many.offer(marked({"a.whl": "yanked"}))

    assert await marks(many, "repo") == {"a.whl": b""}
    assert isinstance(await many.refused("repo", asset="b.whl", format="many"), ResourceNotFound)
    assert await many.fetched("repo", asset="a.whl", format="many") == b"mine"
    assert await many.held("repo", format="many") == {"1.0": ["a.whl"]}


@pytest.mark.parametrize("status", [Status.ARCHIVED, Status.DISPOSED, Status.UNFINISHED])
async def test_a_version_that_is_out_of_use_is_neither_served_nor_refreshed(many: World, status: Status) -> None:
    outside = Origin("EXTERNAL", connection="public:many")
    await many.publish("repo", "1.0", {"a.whl": b"wheel"}, format="many", status=status, origin=outside)

    assert await marks(many, "repo") == {}
    assert isinstance(await many.refused("repo", asset="a.whl", format="many"), ResourceNotFound)
    assert isinstance(await many.refused("repo", asset="b.whl", format="many"), ResourceNotFound)


async def test_a_version_that_is_out_of_use_upstream_gives_no_files(many: World) -> None:
    outside = Origin("EXTERNAL", connection="public:many")
    await many.publish("repo", "1.0", {"a.whl": b"wheel"}, format="many", origin=outside)
    await many.publish("store", "1.0", {"x.whl": b"x"}, format="many", status=Status.ARCHIVED, origin=outside)

    assert isinstance(await many.refused("repo", asset="x.whl", format="many"), ResourceNotFound)
    assert isinstance(await many.refused("repo", asset="b.whl", format="many"), ResourceNotFound)


async def test_a_version_of_another_connection_gives_no_files(many: World) -> None:
    outside = Origin("EXTERNAL", connection="private:many")
    await many.publish("repo", "1.0", {"a.whl": b"wheel"}, format="many", origin=outside)

    assert isinstance(await many.refused("repo", asset="b.whl", format="many"), ResourceNotFound)
    assert await many.fetched("repo", asset="a.whl", format="many") == b"wheel"
    assert await many.held("repo", format="many") == {"1.0": ["a.whl"]}


async def test_a_registry_that_lists_the_version_ends_the_search_for_its_files(many: World) -> None:
    await many.repository("further", ["store"])
    await many.repository("top", ["store", "further"])
    await many.publish("further", "1.0", {"z.whl": b"z"}, format="many")

    assert isinstance(await many.refused("top", asset="z.whl", format="many"), ResourceNotFound)


async def test_what_the_registry_lists_may_still_be_found_further_up(many: World) -> None:
    await many.repository("further")
    await many.repository("top", ["store", "further"])
    outside = Origin("EXTERNAL", connection="public:many")
    await many.publish("further", "1.0", {"z.whl": b"z"}, format="many", origin=outside)

    assert await many.fetched("top", asset="z.whl", format="many") == b"z"


async def test_companions_are_not_looked_for_without_end(many: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(companions, "_WAITING", 0)

    assert await many.fetched("repo", asset="a.whl", format="many") == b"wheel"

    assert await many.held("repo", format="many") == {"1.0": ["a.whl"]}


# --- documents beside files ------------------------------------------------------------------


def noted(note: bytes | None = None) -> dict[str, Any]:
    document = page({"1.0": FILES})
    if note is not None:
        digests = document["versions"]["1.0"]["files"]["a.whl"]["digests"]
        digests["note"] = hashlib.sha256(note).hexdigest()
    return document


async def test_a_document_beside_a_file_is_served_and_not_retained(many: World) -> None:
    many.offer(noted(b"note"))
    many.wire.answers["/files/a.whl.note"] = Answer(200, b"note")

    content = await many.resolver.open(many.repositories["repo"], key(format="many"), "a.whl.note")

    assert (await whole(content), content.size, content.source) == (b"note", 4, "external:public:many")
    assert await whole(content, 1, 3) == b"ot"
    assert await many.held("repo", format="many") == {}


async def test_a_document_without_a_digest_is_served_as_it_comes(many: World) -> None:
    many.wire.answers["/files/a.whl.note"] = Answer(200, b"note")

    assert await many.fetched("repo", asset="a.whl.note", format="many") == b"note"


async def test_a_document_with_a_wrong_digest_is_not_served(many: World) -> None:
    many.offer(noted(b"note"))
    many.wire.answers["/files/a.whl.note"] = Answer(200, b"nonsense")

    assert isinstance(await many.refused("repo", asset="a.whl.note", format="many"), UpstreamUnavailable)


@pytest.mark.parametrize(("status", "error"), [(404, ResourceNotFound), (403, UpstreamUnavailable)])
async def test_a_document_that_cannot_be_had_is_an_error(many: World, status: int, error: type[Exception]) -> None:
    many.wire.answers["/files/a.whl.note"] = Answer(status)

    assert isinstance(await many.refused("repo", asset="a.whl.note", format="many"), error)


# --- whole versions --------------------------------------------------------------------------


async def test_securing_fetches_a_version_whole_into_the_repository_with_the_connection(many: World) -> None:
    repo = many.repositories["repo"]

    holder = await many.resolver.secure(repo, key(format="many"))
    again = await many.resolver.secure(repo, key(format="many"))

    assert holder == again == many.repositories["store"]
    assert await many.held("store", format="many") == {"1.0": sorted(FILES)}
    assert await many.held("repo", format="many") == {}


async def test_securing_finds_the_nearest_holder_whatever_the_status(many: World) -> None:
    repo = many.repositories["repo"]
    await many.publish("repo", "1.0", {"a.whl": b"mine"}, format="many", status=Status.ARCHIVED)

    assert await many.resolver.secure(repo, key(format="many")) == repo


async def test_securing_what_is_nowhere_gives_nothing(many: World) -> None:
    repo = many.repositories["repo"]

    assert await many.resolver.secure(repo, key("2.0", format="many")) is None
    assert await many.resolver.secure(repo, key("2.0")) is None
    many.offer(page({"1.0": FILES, "2.0": {"d.whl": b"d"}}), {"d.whl": b"d"})
    many.clock.pass_seconds(3)
    assert await many.resolver.secure(repo, key("2.0", format="many")) == many.repositories["store"]


async def test_securing_tells_an_outage_from_an_absence(many: World) -> None:
    repo = many.repositories["repo"]
    await many.listed("repo", format="many")
    await many.wire.stop()
    many.clock.pass_seconds(61)

    with pytest.raises(UpstreamUnavailable):
        await many.resolver.secure(repo, key("2.0", format="many"))
    with pytest.raises(UpstreamUnavailable):
        await many.resolver.secure(repo, key("1.0", format="many"))
    with pytest.raises(UpstreamUnavailable):
        await many.resolver.secure(repo, key("1.0", "unknown", format="many"))


async def test_a_document_of_a_retained_version_still_comes_from_its_registry(many: World) -> None:
    many.wire.answers["/files/a.whl.note"] = Answer(200, b"note")
    await many.fetched("repo", asset="a.whl", format="many")

    assert await many.fetched("repo", asset="a.whl.note", format="many") == b"note"
    await many.store.write(lambda tx: tx.repositories.connect(many.repositories["store"].id, None))
    assert isinstance(await many.refused("repo", asset="a.whl.note", format="many"), ResourceNotFound)


async def test_a_version_that_the_registry_no_longer_lists_has_no_companions(many: World) -> None:
    await many.fetched("repo", asset="a.whl", format="many")
    many.offer(page({"2.0": FILES}))
    many.clock.pass_seconds(61)

    assert await many.fetched("repo", asset="a.whl", format="many") == b"wheel"


async def test_a_direct_publication_is_not_looked_at_for_companions(many: World) -> None:
    """It may come between the fetch and the look."""
    await many.publish("repo", "1.0", {"a.whl": b"mine"}, format="many")
    repo = many.repositories["repo"]
    versions = many.resolver.versions

    assert await versions.missing(repo, many.services.formats["many"], key(format="many"), "a.whl") == ()
    assert await versions.missing(repo, many.services.formats["many"], key("2.0", format="many"), "a.whl") == ()


async def test_bringing_what_is_there_changes_nothing(many: World) -> None:
    await many.publish("repo", "1.0", {"a.whl": b"mine"}, format="many")

    await many.resolver.versions.bring(
        many.repositories["repo"], many.services.formats["many"], key(format="many"), "a.whl"
    )

    assert many.wire.asked == []
