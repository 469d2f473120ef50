"""Copying versions between repositories: all or none, and nothing is ever half."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.core import packages
from registry.core.errors import ResourceNotFound, UpstreamUnavailable, Validation
from registry.core.outcomes import CopyRequest, Done, Failed, Outcome, VersionsRequest
from registry.core.types import Facts, Listed, Origin, Repository, Status, VersionKey
from tests.core.house import EXTERNAL, GROWING, SINGLE, House, package


async def pair(house: House) -> tuple[Repository, Repository]:
    return await house.repo("source"), await house.repo("destination")


async def copy(house: House, source: Repository, destination: Repository, *versions: str, **more: object) -> Outcome:
    return await packages.copy(
        house.services,
        CopyRequest(source, destination, SINGLE, package(), versions, **more),  # type: ignore[arg-type]
    )


async def test_a_copy_keeps_everything_and_moves_no_file(house: House) -> None:
    source, destination = await pair(house)
    facts = Facts(display="Left Pad", summary="pads", readme="r")
    published = (await house.publish(source, facts=facts)).version
    await packages.update_status(
        house.services, VersionsRequest(source, SINGLE, package(), ("1.0.0",)), target=Status.UNLISTED
    )

    outcome = await copy(house, source, destination, "1.0.0")

    detail = await house.store.read(lambda tx: packages.version(tx, destination, VersionKey(package(), "1.0.0")))
    assert outcome == Outcome({"1.0.0": Done(published.revision, Status.UNLISTED)}, {})
    assert detail.facts == facts
    assert detail.version.origin == Origin("INTERNAL", repository="source")
    assert detail.version.published == published.published
    assert detail.version.assets == published.assets
    assert (detail.package.publish, detail.package.upstream) == ("ALLOW", "BLOCK")
    assert await house.stored_files(source) == 1
    assert (await house.told())[-1] == ("destination", "1.0.0", "Created", "Unlisted")


async def test_the_first_copy_of_an_external_version_sets_its_controls(house: House) -> None:
    source, destination = await pair(house)
    await house.retain([source])

    await copy(house, source, destination, "1.0.0")

    row, held = await house.row(destination), await house.held(destination)
    assert row is not None and (row.publish, row.upstream) == ("BLOCK", "ALLOW")
    assert held is not None and held.origin == EXTERNAL


async def test_copying_is_not_publishing(house: House) -> None:
    source, destination = await pair(house)
    await house.publish(source, "1.1.0")
    await house.retain([destination], "1.0.0")  # publish: BLOCK

    outcome = await copy(house, source, destination, "1.1.0")

    assert list(outcome.done) == ["1.1.0"]


async def test_the_guides_sample_of_a_version_that_the_source_lacks(house: House) -> None:
    source, destination = await pair(house)
    await house.publish(source, "0.2.0")

    outcome = await copy(house, source, destination, "0.2.0", "5.6.7", "bad")

    assert outcome == Outcome(
        {},
        {
            "0.2.0": Failed("SKIPPED", "Version 0.2.0 was skipped"),
            "5.6.7": Failed("NOT_FOUND", "Could not find version 5.6.7"),
            "bad": Failed("NOT_FOUND", "Could not find version bad"),
        },
    )
    assert await house.row(destination) is None


async def test_the_guides_sample_of_a_version_that_is_there_already(house: House) -> None:
    source, destination = await pair(house)
    await house.publish(source, "0.2.0")
    await house.publish(source, "0.2.1")
    await copy(house, source, destination, "0.2.1")

    outcome = await copy(house, source, destination, "0.2.1", "0.2.0")
    again = await copy(house, source, destination, "0.2.1", "0.2.0")

    assert list(outcome.done) == ["0.2.0"]
    assert outcome.failed == {}
    assert again == Outcome({}, {})


async def test_the_guides_sample_of_a_version_with_other_content(house: House) -> None:
    source, destination = await pair(house)
    await house.publish(source, "0.2.1")
    await house.publish(source, "0.3.2")
    await house.publish(destination, "0.3.2", {"package.tgz": b"other"})

    outcome = await copy(house, source, destination, "0.3.2", "0.2.1")

    assert outcome == Outcome(
        {},
        {
            "0.2.1": Failed("SKIPPED", "Version 0.2.1 was skipped"),
            "0.3.2": Failed("ALREADY_EXISTS", "Version 0.3.2 already exists"),
        },
    )


async def test_an_overwrite_replaces_the_whole_version(house: House) -> None:
    source, destination = await pair(house)
    new = (await house.publish(source, files={"a": b"new", "b": b"same", "c": b"more"}, native=b"n")).version
    await house.publish(destination, files={"a": b"old", "b": b"same", "d": b"gone"})

    outcome = await copy(house, source, destination, "1.0.0", allow_overwrite=True)

    held = await house.held(destination)
    assert outcome.done == {"1.0.0": Done(new.revision, Status.PUBLISHED)}
    assert held is not None
    assert (held.assets, held.native, held.origin) == (new.assets, new.native, new.origin)
    event = (await house.events())[-1].detail
    assert event["operationType"] == "Updated"
    assert event["changes"] == {
        "assetsAdded": 1,
        "assetsRemoved": 1,
        "assetsUpdated": 1,
        "metadataUpdated": True,
        "statusChanged": False,
    }


async def test_an_identical_version_is_left_alone_by_an_overwrite(house: House) -> None:
    source, destination = await pair(house)
    await house.publish(source)
    await copy(house, source, destination, "1.0.0")

    assert await copy(house, source, destination, "1.0.0", allow_overwrite=True) == Outcome({}, {})
    assert await copy(house, source, source, "1.0.0", allow_overwrite=True) == Outcome({}, {})
    assert len(await house.events()) == 2


async def test_a_revision_says_which_content_is_meant(house: House) -> None:
    source, destination = await pair(house)
    revision = (await house.publish(source)).version.revision

    wrong = await copy(house, source, destination, revisions={"1.0.0": "wrong"})
    right = await copy(house, source, destination, revisions={"1.0.0": revision})

    assert wrong.failed == {
        "1.0.0": Failed("MISMATCHED_REVISION", f"current revision: {revision}, expected revision: wrong")
    }
    assert list(right.done) == ["1.0.0"]


async def test_a_disposed_version_is_neither_copied_nor_overwritten(house: House) -> None:
    source, destination = await pair(house)
    await house.publish(source, "1.0.0")
    await house.publish(source, "2.0.0")
    await copy(house, source, destination, "2.0.0")
    await packages.dispose(house.services, VersionsRequest(source, SINGLE, package(), ("1.0.0",)))
    await packages.dispose(house.services, VersionsRequest(destination, SINGLE, package(), ("2.0.0",)))

    outcome = await copy(house, source, destination, "1.0.0", "2.0.0", allow_overwrite=True)
    careful = await copy(house, source, destination, "2.0.0")

    assert {version: failed.code for version, failed in outcome.failed.items()} == {
        "1.0.0": "NOT_ALLOWED",
        "2.0.0": "NOT_ALLOWED",
    }
    assert careful.failed["2.0.0"].code == "ALREADY_EXISTS"


async def test_the_guides_sample_of_tags(house: House) -> None:
    source, destination = await pair(house)
    await house.publish(source, "1.0.1", tags={"latest": "1.0.1", "next": "1.0.1"})
    await house.publish(source, "1.0.2", tags={"beta": "1.0.2"})
    await house.publish(destination, "1.0.0", tags={"latest": "1.0.0", "old": "1.0.0"})

    await copy(house, source, destination, "1.0.1")

    assert await house.tags(destination) == {"latest": "1.0.1", "next": "1.0.1", "old": "1.0.0"}


async def test_what_is_named_twice_is_copied_once(house: House) -> None:
    source, destination = await pair(house)
    await house.publish(source, "1.0.a")

    outcome = await copy(house, source, destination, "1.0.a", "1.0.A", "1.0.a")

    assert list(outcome.done) == ["1.0.a"]
    assert len(await house.events()) == 2


async def test_upstreams_are_looked_at_only_when_asked_for(house: House) -> None:
    source, destination = await pair(house)
    upstream = await house.repo("up")
    await house.publish(upstream, "1.0.0", tags={"latest": "1.0.0"})
    house.above.holders[VersionKey(package(), "1.0.0")] = upstream

    with pytest.raises(ResourceNotFound):
        await copy(house, source, destination, "1.0.0")
    asked = list(house.above.asked)
    outcome = await copy(house, source, destination, "1.0.0", include_from_upstream=True)

    assert asked == [("reachable", VersionKey(package(), "1.0.0"))]  # by the publish alone
    assert list(outcome.done) == ["1.0.0"]
    assert await house.held(source) is None
    assert await house.tags(destination) == {"latest": "1.0.0"}


async def test_what_is_nowhere_upstream_is_not_found(house: House) -> None:
    source, destination = await pair(house)
    with pytest.raises(ResourceNotFound):
        await copy(house, source, destination, "1.0.0", "bad", include_from_upstream=True)
    await house.publish(source, "2.0.0")

    outcome = await copy(house, source, destination, "1.0.0", include_from_upstream=True)

    assert outcome.failed["1.0.0"].code == "NOT_FOUND"


async def test_a_package_that_is_known_upstream_but_not_in_this_version(house: House) -> None:
    source, destination = await pair(house)
    house.above.listings[package()] = replace(
        await house.above.listing(source, package()),
        unlisted=(Listed("2.0.0", "2.0.0", Status.UNLISTED, b"", (), 1, "2"),),
    )

    outcome = await copy(house, source, destination, "1.0.0", include_from_upstream=True)

    assert outcome == Outcome({}, {"1.0.0": Failed("NOT_FOUND", "Could not find version 1.0.0")})


async def test_tags_that_the_source_shows_go_with_a_version_that_came_from_elsewhere(house: House) -> None:
    source, destination = await pair(house)
    await house.retain([source])
    shown = {"latest": "1.0.0", "next": "9.9.9"}
    house.above.listings[package()] = replace(await house.above.listing(source, package()), tags=shown)

    await copy(house, source, destination, "1.0.0")

    assert await house.tags(destination) == {"latest": "1.0.0"}


async def test_a_registry_that_cannot_be_asked_does_not_stop_a_copy_of_what_is_stored(house: House) -> None:
    source, destination = await pair(house)
    await house.retain([source])
    house.above.listings[package()] = UpstreamUnavailable("down")

    outcome = await copy(house, source, destination, "1.0.0")

    assert list(outcome.done) == ["1.0.0"]


async def test_a_destination_that_went_meanwhile_is_not_found(house: House) -> None:
    source, destination = await pair(house)
    await house.publish(source)
    await house.store.write(lambda tx: tx.repositories.delete(destination.id))

    with pytest.raises(ResourceNotFound):
        await copy(house, source, destination, "1.0.0")


async def test_versions_or_revisions_must_be_given_and_not_both(house: House) -> None:
    source, destination = await pair(house)

    with pytest.raises(Validation):
        await copy(house, source, destination)
    with pytest.raises(Validation):
        await copy(house, source, destination, "1.0.0", revisions={"1.0.0": "r"})


async def test_both_repositories_are_of_one_domain(house: House) -> None:
    source, destination = await pair(house)
    elsewhere = Repository(destination.id, 99, destination.key, "", "", 1)

    with pytest.raises(Validation, match="same domain"):
        await copy(house, source, elsewhere, "1.0.0")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    there=st.dictionaries(st.sampled_from("123"), st.sampled_from(["same", "other"])),
    chosen=st.lists(st.sampled_from("1239"), min_size=1, unique=True),
    overwrite=st.booleans(),
)
async def test_a_copy_is_made_of_all_or_of_none(
    house: House, there: dict[str, str], chosen: list[str], overwrite: bool
) -> None:
    tag = house.clock.now()
    source, destination = await house.repo(f"source-{tag}"), await house.repo(f"destination-{tag}")
    published = {v: (await house.publish(source, v)).version for v in "123"}
    for version, kind in there.items():
        content = {"package.tgz": version.encode() if kind == "same" else b"other"}
        await house.publish(destination, version, content)
    before = {v: await house.held(destination, v) for v in "123"}

    outcome = await copy(house, source, destination, *chosen, allow_overwrite=overwrite)

    after = {v: await house.held(destination, v) for v in "123"}
    same = {v for v in chosen if there.get(v) == "same"}
    if outcome.failed:
        assert after == before
        assert not outcome.done
        assert set(outcome.failed) == set(chosen) - same
    else:
        assert set(outcome.done) == set(chosen) - same
        for version in outcome.done:
            copied = after[version]
            assert copied is not None and copied.revision == published[version].revision
    assert bool(outcome.failed) == ("9" in chosen or (not overwrite and any(there.get(v) == "other" for v in chosen)))


async def test_a_copy_of_a_growing_version_takes_what_it_has_now(house: House) -> None:
    source, destination = await pair(house)
    await house.publish(source, files={"a": b"1"}, info=GROWING)
    request = CopyRequest(source, destination, GROWING, package(info=GROWING), ("1.0.0",))
    await packages.copy(house.services, request)
    await house.publish(source, files={"b": b"2"}, info=GROWING)

    outcome = await packages.copy(house.services, request)

    assert outcome.failed["1.0.0"].code == "ALREADY_EXISTS"
