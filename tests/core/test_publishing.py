"""Publishing: what may arrive, what stays as it was, and what is told of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from registry.core import packages
from registry.core.errors import AccessDenied, Conflict, ResourceNotFound, ServiceQuotaExceeded
from registry.core.outcomes import VersionsRequest
from registry.core.types import Facts, FormatInfo, Origin, Quotas, Repository, Status, VersionKey
from tests.core.house import GENERIC, GROWING, SINGLE, House, opened, package


async def set_status(house: House, repo: Repository, info: FormatInfo, version: str, target: Status) -> None:
    request = VersionsRequest(repo, info, package(info=info), (version,))
    outcome = await packages.update_status(house.services, request, target=target)
    assert version in outcome.done


async def test_a_first_publish_makes_package_version_controls_tags_and_event(house: House) -> None:
    repo = await house.repo()

    published = await house.publish(repo, tags={"latest": "1.0.0"}, facts=Facts(display="Left Pad"))

    row, held = await house.row(repo), await house.held(repo)
    assert published.created
    assert row is not None and (row.publish, row.upstream, row.configured) == ("ALLOW", "BLOCK", False)
    assert row.display == "Left Pad"
    assert held == published.version
    assert held.status is Status.PUBLISHED
    assert held.origin == Origin("INTERNAL", repository="repo")
    assert len(held.revision) == 44
    assert [asset.name for asset in held.assets] == ["package.tgz"]
    assert await house.tags(repo) == {"latest": "1.0.0"}
    (event,) = await house.events()
    assert event.detail["changes"] == {
        "assetsAdded": 1,
        "assetsRemoved": 0,
        "metadataUpdated": True,
        "assetsUpdated": 0,
        "statusChanged": True,
    }
    assert event.detail["operationType"] == "Created"
    assert event.detail["sequenceNumber"] == row.seq == 1


async def test_what_was_published_can_be_read_back(house: House) -> None:
    repo = await house.repo()

    published = await house.publish(repo, files={"package.tgz": b"bytes"})

    key = published.version.assets[0].blob.key
    assert b"".join([chunk async for chunk in house.files.of(repo.domain_id).read(key)]) == b"bytes"


async def test_the_same_content_again_succeeds_and_changes_nothing(house: House) -> None:
    repo = await house.repo()
    first = await house.publish(repo)

    again = await house.publish(repo, tags={"beta": "1.0.0"})

    row = await house.row(repo)
    assert not again.created
    assert again.version == first.version
    assert row is not None and row.seq == 1
    assert await house.tags(repo) == {}
    assert len(await house.events()) == 1
    assert await house.stored_files(repo) == 1


@pytest.mark.parametrize("info", [SINGLE, GROWING, GENERIC], ids=lambda info: info.name)
async def test_other_bytes_under_the_same_name_are_a_conflict_and_leave_no_file(house: House, info: FormatInfo) -> None:
    repo = await house.repo()
    first = await house.publish(repo, files={"a": b"one"}, info=info)

    with pytest.raises(Conflict, match="already has an asset a with different content"):
        await house.publish(repo, files={"a": b"two"}, info=info)

    assert await house.held(repo, key=package(info=info)) == first.version
    assert await house.stored_files(repo) == 1
    assert len(await house.events()) == 1


async def test_a_single_shot_version_takes_no_further_asset(house: House) -> None:
    repo = await house.repo()
    await house.publish(repo, files={"a": b"one"})

    with pytest.raises(Conflict, match="already exists"):
        await house.publish(repo, files={"a": b"one", "b": b"two"})
    with pytest.raises(Conflict, match="already exists"):
        await house.publish(repo, files={})


async def test_a_growing_format_takes_further_assets(house: House) -> None:
    repo = await house.repo()
    first = await house.publish(repo, files={"b": b"one"}, info=GROWING, facts=Facts(summary="known"))

    second = await house.publish(
        repo, files={"a": b"two"}, info=GROWING, native=b"other", facts=Facts(summary="other", homepage="h", readme="r")
    )

    held = await house.held(repo, key=package(info=GROWING))
    detail = await house.store.read(lambda tx: packages.version(tx, repo, VersionKey(package(info=GROWING), "1.0.0")))
    assert held == second.version
    assert [asset.name for asset in held.assets] == ["a", "b"]
    assert held.native == b"{}"
    assert held.published == first.version.published
    assert held.revision != first.version.revision
    assert detail.facts == Facts(summary="known", homepage="h", readme="r")
    assert [e.detail["operationType"] for e in await house.events()] == ["Created", "Updated"]
    assert [e.detail["sequenceNumber"] for e in await house.events()] == [1, 2]


async def test_an_unfinished_generic_version_takes_assets_until_it_is_finished(house: House) -> None:
    repo = await house.repo()
    await house.publish(repo, files={"a": b"1"}, info=GENERIC, finish=False)
    unfinished = await house.publish(repo, files={"b": b"2"}, info=GENERIC, finish=False)
    finished = await house.publish(repo, files={"c": b"3"}, info=GENERIC)

    with pytest.raises(Conflict, match="is Published and takes no further assets"):
        await house.publish(repo, files={"d": b"4"}, info=GENERIC)
    same = await house.publish(repo, files={"b": b"2"}, info=GENERIC, finish=False)

    assert unfinished.version.status is Status.UNFINISHED
    assert finished.version.status is Status.PUBLISHED
    assert finished.version.published > unfinished.version.published
    assert not same.created
    assert same.version == finished.version
    assert [e.detail["changes"]["statusChanged"] for e in await house.events()] == [True, False, True]  # type: ignore[index]


async def test_the_identical_asset_finishes_an_unfinished_version(house: House) -> None:
    repo = await house.repo()
    await house.publish(repo, files={"a": b"1"}, info=GENERIC, finish=False)

    finished = await house.publish(repo, files={"a": b"1"}, info=GENERIC)

    assert finished.created
    assert finished.version.status is Status.PUBLISHED


@pytest.mark.parametrize("status", [Status.UNLISTED, Status.ARCHIVED])
async def test_what_is_hidden_is_still_there_and_not_published_again(house: House, status: Status) -> None:
    repo = await house.repo()
    await house.publish(repo)
    await set_status(house, repo, SINGLE, "1.0.0", status)

    with pytest.raises(Conflict, match=f"with status {status}"):
        await house.publish(repo)


async def test_a_disposed_version_is_not_published_again_and_a_deleted_one_is(house: House) -> None:
    repo = await house.repo()
    await house.publish(repo)
    request = VersionsRequest(repo, SINGLE, package(), ("1.0.0",))
    await packages.dispose(house.services, request)

    with pytest.raises(Conflict, match="with status Disposed"):
        await house.publish(repo)
    await packages.delete_versions(house.services, request)
    again = await house.publish(repo, files={"package.tgz": b"other"})

    assert again.created


# --- controls and upstreams ------------------------------------------------------------------


async def test_a_blocked_package_takes_no_publish_and_names_its_control(house: House) -> None:
    repo = await house.repo()
    await packages.put_origin(house.services, repo, package(), publish="BLOCK", upstream="ALLOW", display="left-pad")

    with pytest.raises(AccessDenied, match="publish=BLOCK"):
        await house.publish(repo)
    with pytest.raises(AccessDenied, match="publish=BLOCK"):
        await house.view(repo).may_publish(package())

    assert await house.stored_files(repo) == 0


async def test_a_version_that_is_reachable_upstream_is_a_conflict(house: House) -> None:
    repo = await house.repo()
    house.above.reach[VersionKey(package(), "1.0.0")] = "external:public:npmjs"

    with pytest.raises(Conflict, match="present upstream"):
        await house.publish(repo)
    other = await house.publish(repo, "1.0.1")

    assert other.created
    assert await house.held(repo) is None


async def test_nobody_is_asked_where_the_package_takes_nothing_from_upstream(house: House) -> None:
    repo = await house.repo()
    await house.publish(repo)
    house.above.asked.clear()
    house.above.reach[VersionKey(package(), "1.0.1")] = "external:public:npmjs"

    published = await house.publish(repo, "1.0.1")

    assert published.created
    assert house.above.asked == []


async def test_nobody_is_asked_for_a_format_without_upstreams(house: House) -> None:
    repo = await house.repo()
    house.above.reach[VersionKey(package(info=GENERIC), "1.0.0")] = "upstream:other"

    await house.publish(repo, info=GENERIC)

    assert house.above.asked == []


async def test_an_addition_to_a_version_that_was_published_here_asks_nobody(house: House) -> None:
    repo = await house.repo()
    await packages.put_origin(
        house.services, repo, package(info=GROWING), publish="ALLOW", upstream="ALLOW", display="x"
    )
    await house.publish(repo, files={"a": b"1"}, info=GROWING)
    house.above.reach[VersionKey(package(info=GROWING), "1.0.0")] = "upstream:other"
    house.above.asked.clear()

    await house.publish(repo, files={"b": b"2"}, info=GROWING)

    assert house.above.asked == []


async def test_rights_come_before_everything_else(house: House) -> None:
    repo = await house.repo()
    await house.publish(repo)
    stranger = await house.user("stranger", [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}])

    with pytest.raises(AccessDenied):
        await house.publish(repo, files={"package.tgz": b"other"}, caller=stranger)


async def test_a_format_may_need_more_than_one_right(house: House) -> None:
    repo = await house.repo()
    nuget = FormatInfo(
        "npm",
        SINGLE.canonical,
        SINGLE.canonical_version,
        SINGLE.sort,
        publish=("PublishPackageVersion", "ReadFromRepository"),
    )
    resource = house.services.arns.package(repo.key, package())
    writer = await house.user(
        "writer", [{"Effect": "Allow", "Action": "codeartifact:PublishPackageVersion", "Resource": resource}]
    )

    assert (await house.publish(repo, caller=writer)).created
    with pytest.raises(AccessDenied):
        await house.publish(repo, "1.0.1", info=nuget, caller=writer)


async def test_a_repository_that_went_meanwhile_is_not_found(house: House) -> None:
    repo = await house.repo()
    await house.store.write(lambda tx: tx.repositories.delete(repo.id))

    with pytest.raises(ResourceNotFound, match="does not exist any more"):
        await house.publish(repo)

    assert await house.stored_files(repo) == 0


# --- quotas ----------------------------------------------------------------------------------


async def test_quotas_on_size_and_number_of_assets(tmp_path: Path) -> None:
    async with opened(tmp_path, Quotas(assets_per_version=2, asset_bytes=5)) as house:
        repo = await house.repo()

        with pytest.raises(ServiceQuotaExceeded, match="6 bytes"):
            await house.publish(repo, files={"a": b"123456"}, info=GROWING)
        await house.publish(repo, files={"a": b"12345", "b": b"1"}, info=GROWING)
        with pytest.raises(ServiceQuotaExceeded, match="3 assets"):
            await house.publish(repo, files={"c": b"1"}, info=GROWING)

        held = await house.held(repo, key=package(info=GROWING))
        assert held is not None and len(held.assets) == 2


# --- at the same time ------------------------------------------------------------------------


async def test_of_many_different_publishes_of_one_version_exactly_one_wins_whole(house: House) -> None:
    repo = await house.repo()

    outcomes = await asyncio.gather(
        *(house.publish(repo, files={"package.tgz": str(n).encode()}) for n in range(12)), return_exceptions=True
    )

    won = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert len(won) == 1
    assert all(isinstance(outcome, Conflict) for outcome in outcomes if outcome not in won)
    assert await house.held(repo) == won[0].version
    assert await house.stored_files(repo) == 1
    assert len(await house.events()) == 1


async def test_identical_publishes_at_once_all_succeed_and_one_creates(house: House) -> None:
    repo = await house.repo()

    outcomes = await asyncio.gather(*(house.publish(repo) for _ in range(12)))

    assert sum(outcome.created for outcome in outcomes) == 1
    assert len({outcome.version.id for outcome in outcomes}) == 1
    assert await house.stored_files(repo) == 1
    assert len(await house.events()) == 1


async def test_assets_that_arrive_at_once_all_join_one_version(house: House) -> None:
    repo = await house.repo()

    await asyncio.gather(*(house.publish(repo, files={f"f{n}": b"%d" % n}, info=GROWING) for n in range(8)))

    held = await house.held(repo, key=package(info=GROWING))
    assert held is not None
    assert [asset.name for asset in held.assets] == [f"f{n}" for n in range(8)]
    assert [e.detail["sequenceNumber"] for e in await house.events()] == list(range(1, 9))


async def test_a_control_that_is_set_while_the_upstream_is_asked_counts(house: House) -> None:
    repo = await house.repo()
    asked = house.above.reachable

    async def reachable(asked_repo: Repository, key: VersionKey) -> str | None:
        await packages.put_origin(house.services, repo, package(), publish="BLOCK", upstream="ALLOW", display="x")
        return await asked(asked_repo, key)

    house.above.reachable = reachable  # type: ignore[method-assign]

    with pytest.raises(AccessDenied, match="publish=BLOCK"):
        await house.publish(repo)

    assert await house.held(repo) is None
    assert await house.stored_files(repo) == 0
