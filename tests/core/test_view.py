"""RepoView: what an adapter holds.  Every method asks first whether the caller may."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from registry.core import packages
from registry.core.errors import AccessDenied, Conflict, ResourceNotFound
from registry.core.outcomes import VersionsRequest
from registry.core.revisions import revision
from registry.core.types import Change, Facts, Repository, Status, VersionKey
from registry.core.view import RepoView
from tests.core.house import GENERIC, House, package

KEY = VersionKey(package(), "1.0.0")

Use = Callable[[RepoView], Awaitable[object]]

USES: dict[str, tuple[str, Use]] = {
    "stamp": ("ReadFromRepository", lambda v: v.stamp(package())),
    "listing": ("ReadFromRepository", lambda v: v.listing(package())),
    "open": ("ReadFromRepository", lambda v: v.open(KEY, "package.tgz")),
    "own": ("ReadFromRepository", lambda v: v.own(package())),
    "facts": ("ReadFromRepository", lambda v: v.facts(package(), "1.0.0")),
    "search": ("ReadFromRepository", lambda v: v.search("left", 10)),
    "may_publish": ("PublishPackageVersion", lambda v: v.may_publish(package())),
    "set_status": ("PublishPackageVersion", lambda v: v.set_status(KEY, Status.UNLISTED)),
    "change": ("PutPackageMetadata", lambda v: v.change(package(), tags={"beta": "1.0.0"})),
    "delete": ("DeletePackageVersions", lambda v: v.delete(package(), ["1.0.0"])),
    "delete package": ("DeletePackage", lambda v: v.delete(package())),
}


def resource(house: House, repo: Repository, action: str) -> str:
    arns = house.services.arns
    return arns.repository(repo.key) if action == "ReadFromRepository" else arns.package(repo.key, package())


@pytest.mark.parametrize("use", USES)
async def test_each_method_needs_its_right_and_no_other(house: House, use: str) -> None:
    repo = await house.repo()
    await house.publish(repo)
    action, run = USES[use]
    everything_else = await house.user(
        "other",
        [
            {"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": f"codeartifact:{action}", "Resource": "*"},
        ],
    )
    only_this = await house.user(
        "only",
        [{"Effect": "Allow", "Action": f"codeartifact:{action}", "Resource": resource(house, repo, action)}],
    )

    with pytest.raises(AccessDenied):
        await run(house.view(repo, caller=everything_else))
    await run(house.view(repo, caller=only_this))


async def test_a_token_of_another_domain_opens_nothing(house: House) -> None:
    repo = await house.repo()
    other = type(house.admin)(
        house.admin.account, house.admin.arn, house.admin.user_id, house.admin.name, token_domain=repo.domain_id + 1
    )

    with pytest.raises(AccessDenied):
        await house.view(repo, caller=other).stamp(package())


async def test_reading_goes_to_the_resolver(house: House) -> None:
    view = house.view(await house.repo())

    await view.stamp(package())
    await view.listing(package())
    await view.open(KEY, "a", retain=False)
    await view.search("left", 5, (("types"), "node"))

    assert house.above.asked == [
        ("stamp", package()),
        ("listing", package()),
        ("open", (KEY, "a", False)),
        ("search", ("npm", "left", ("types", "node"), 5)),
    ]


async def test_own_shows_what_is_here_whatever_its_status(house: House) -> None:
    repo = await house.repo()
    view = house.view(repo)

    assert await view.own(package()) is None
    await house.publish(repo, "1.0.0")
    await house.publish(repo, "2.0.0")
    await view.set_status(KEY, Status.ARCHIVED)
    found = await view.own(package())

    assert found is not None
    row, versions = found
    assert row == await house.row(repo)
    assert [(v.display, v.status) for v in versions] == [("1.0.0", Status.ARCHIVED), ("2.0.0", Status.PUBLISHED)]
    assert versions[0].assets[0].name == "package.tgz"


async def test_facts_are_those_of_a_stored_version(house: House) -> None:
    repo = await house.repo()
    view = house.view(repo)
    assert await view.facts(package(), "1.0.0") is None
    await house.publish(repo, facts=Facts(summary="s"))

    assert await view.facts(package(), "1.0.0") == Facts(summary="s")
    assert await view.facts(package(), "2.0.0") is None


async def test_what_is_staged_and_not_published_leaves_no_trace(house: House) -> None:
    repo = await house.repo()

    async with house.view(repo).stage() as staging:
        await staging.write(b"half a file")

    assert await house.stored_files(repo) == 0


# --- changes ---------------------------------------------------------------------------------


async def test_a_change_of_metadata_is_another_revision_and_an_event(house: House) -> None:
    repo = await house.repo()
    before = (await house.publish(repo, native=b"old")).version

    await house.view(repo).change(package(), versions={"1.0.0": Change(native=lambda native: native + b"er")})

    held = await house.held(repo)
    assert held is not None
    assert held.native == b"older"
    assert held.revision == revision(b"older", before.assets) != before.revision
    event = (await house.events())[-1].detail
    assert event["changes"]["metadataUpdated"] is True  # type: ignore[index]
    assert event["changes"]["statusChanged"] is False  # type: ignore[index]
    assert event["sequenceNumber"] == 2
    assert event["packageVersionRevision"] == held.revision


async def test_a_change_of_status_keeps_the_revision(house: House) -> None:
    repo = await house.repo()
    before = (await house.publish(repo)).version

    await house.view(repo).change(package(), versions={"1.0.0": Change(status=Status.UNLISTED)})

    held = await house.held(repo)
    assert held is not None and (held.status, held.revision) == (Status.UNLISTED, before.revision)


async def test_a_change_that_changes_nothing_counts_nothing(house: House) -> None:
    repo = await house.repo()
    await house.publish(repo, tags={"latest": "1.0.0"})

    await house.view(repo).change(
        package(),
        versions={"1.0.0": Change(native=lambda native: native, status=Status.PUBLISHED)},
        tags={"latest": "1.0.0", "absent": None},
    )

    row = await house.row(repo)
    assert row is not None and row.seq == 1
    assert len(await house.events()) == 1


async def test_tags_are_set_moved_and_removed_and_the_indexes_know(house: House) -> None:
    repo = await house.repo()
    await house.publish(repo, tags={"latest": "1.0.0", "old": "1.0.0"})

    await house.view(repo).change(package(), tags={"latest": "9.9.9", "next": "1.0.0", "old": None})

    row = await house.row(repo)
    assert await house.tags(repo) == {"latest": "9.9.9", "next": "1.0.0"}
    assert row is not None and row.seq == 2
    assert len(await house.events()) == 1


async def test_a_change_to_what_is_not_here_changes_nothing_at_all(house: House) -> None:
    repo = await house.repo()
    view = house.view(repo)
    with pytest.raises(ResourceNotFound):
        await view.change(package(), tags={"latest": "1.0.0"})
    await house.publish(repo)

    with pytest.raises(ResourceNotFound):
        await view.change(
            package(),
            versions={"1.0.0": Change(status=Status.UNLISTED), "2.0.0": Change(status=Status.UNLISTED)},
            tags={"latest": "1.0.0"},
        )

    held = await house.held(repo)
    assert held is not None and held.status is Status.PUBLISHED
    assert await house.tags(repo) == {}
    assert len(await house.events()) == 1


async def test_what_is_disposed_changes_no_more(house: House) -> None:
    repo = await house.repo()
    await house.publish(repo)
    await packages.dispose(house.services, VersionsRequest(repo, house.view(repo).info, package(), ("1.0.0",)))

    with pytest.raises(Conflict, match="Disposed"):
        await house.view(repo).change(package(), versions={"1.0.0": Change(status=Status.PUBLISHED)})
    with pytest.raises(Conflict, match="Disposed"):
        await house.view(repo).set_status(KEY, Status.PUBLISHED)


# --- deletion and status ---------------------------------------------------------------------


async def test_a_client_deletes_versions_all_or_none(house: House) -> None:
    repo = await house.repo()
    await house.publish(repo, "1.0.0")
    view = house.view(repo)

    with pytest.raises(ResourceNotFound, match=r"Version = 2\.0\.0"):
        await view.delete(package(), ["1.0.0", "2.0.0"])
    assert await house.held(repo) is not None
    await view.delete(package(), ["1.0.0"])

    assert await house.held(repo) is None
    assert await house.row(repo) is not None


async def test_a_client_deletes_a_package(house: House) -> None:
    repo = await house.repo()
    await house.publish(repo)

    await house.view(repo).delete(package())

    assert await house.row(repo) is None
    with pytest.raises(ResourceNotFound):
        await house.view(repo).delete(package())


async def test_a_client_finishes_a_version(house: House) -> None:
    repo = await house.repo()
    await house.publish(repo, info=GENERIC, finish=False)
    view = house.view(repo, GENERIC)

    await view.set_status(VersionKey(package(info=GENERIC), "1.0.0"), Status.PUBLISHED)

    held = await house.held(repo, key=package(info=GENERIC))
    assert held is not None and held.status is Status.PUBLISHED
    with pytest.raises(ResourceNotFound):
        await view.set_status(VersionKey(package(info=GENERIC), "2.0.0"), Status.PUBLISHED)
