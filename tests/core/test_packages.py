"""Lists, statuses, disposal, deletion and origin configuration of packages."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.core import packages
from registry.core.errors import ResourceNotFound, Validation
from registry.core.outcomes import Done, Failed, VersionsRequest
from registry.core.paging import Page
from registry.core.types import (
    Dependency,
    Facts,
    FormatInfo,
    PackageFilter,
    PackageKey,
    Repository,
    Status,
    VersionFilter,
    VersionKey,
)
from tests.core.house import GENERIC, GROWING, SINGLE, House, package


def asked(repo: Repository, *versions: str, info: FormatInfo = SINGLE, **more: object) -> VersionsRequest:
    revisions, expected = more.get("revisions", {}), more.get("expected")
    assert isinstance(revisions, dict)
    assert expected is None or isinstance(expected, Status)
    return VersionsRequest(repo, info, package(info=info), versions, revisions, expected)


ANY = VersionFilter()


async def listed(
    house: House, repo: Repository, where: VersionFilter = ANY, info: FormatInfo = SINGLE
) -> packages.VersionList:
    return await house.store.read(
        lambda tx: packages.list_versions(tx, repo, info, package(info=info), where, after=None, limit=100)
    )


def names(page: Page[packages.Version]) -> list[str]:  # type: ignore[name-defined]
    return [version.display for version in page.items]


# --- lists -----------------------------------------------------------------------------------


async def test_packages_are_listed_by_format_namespace_and_name(house: House) -> None:
    repo, other = await house.repo(), await house.repo("other")
    for key in (package("b"), package("a", namespace="types"), package("a"), package("z", GROWING)):
        await house.publish(repo, key=key, info=GROWING if key.format == "pypi" else SINGLE)
    await house.publish(other, key=package("elsewhere"))

    async def keys(where: PackageFilter) -> list[PackageKey]:
        page = await house.store.read(lambda tx: packages.list_packages(tx, repo, where, after=None, limit=10))
        assert page.last is None
        return [row.key for row in page.items]

    assert await keys(PackageFilter()) == [
        package("a"),
        package("b"),
        package("a", namespace="types"),
        package("z", GROWING),
    ]
    assert await keys(PackageFilter(format="npm", namespace_prefix="typ")) == [package("a", namespace="types")]
    assert await keys(PackageFilter(name_prefix="b")) == [package("b")]
    assert await keys(PackageFilter(publish="BLOCK")) == []
    with pytest.raises(Validation, match="namespace cannot be used by itself"):
        await keys(PackageFilter(namespace_prefix="typ"))


async def test_pages_of_packages_hold_together_while_others_come_and_go(house: House) -> None:
    repo = await house.repo()
    for name in "bdfhj":
        await house.publish(repo, key=package(name))
    seen, after = [], None

    for change in "aeimq":
        page = await house.store.read(
            lambda tx, after=after: packages.list_packages(tx, repo, PackageFilter(), after=after, limit=2)
        )
        seen += [row.key.name for row in page.items]
        after = page.last
        if after is None:
            break
        await house.publish(repo, key=package(change))

    assert [name for name in seen if name in "bdfhj"] == list("bdfhj")
    assert len(seen) == len(set(seen))


async def test_versions_are_listed_newest_first_by_order_or_by_time(house: House) -> None:
    repo = await house.repo()
    for version in ("1.10.0", "1.9.0", "1.2.0"):
        await house.publish(repo, version)

    by_version = await listed(house, repo)
    by_time = await listed(house, repo, VersionFilter(order="published"))

    assert names(by_version.page) == ["1.10.0", "1.9.0", "1.2.0"]
    assert names(by_time.page) == ["1.2.0", "1.9.0", "1.10.0"]
    assert by_version.package.key == package()


async def test_versions_are_filtered_by_status_and_origin(house: House) -> None:
    repo = await house.repo()
    await house.retain([repo], "1.0.0")
    await packages.put_origin(house.services, repo, package(), publish="ALLOW", upstream="BLOCK", display="x")
    await house.publish(repo, "2.0.0")
    await packages.update_status(house.services, asked(repo, "2.0.0"), target=Status.ARCHIVED)

    assert names((await listed(house, repo)).page) == ["2.0.0", "1.0.0"]
    assert names((await listed(house, repo, VersionFilter(status=Status.ARCHIVED))).page) == ["2.0.0"]
    assert names((await listed(house, repo, VersionFilter(origin="EXTERNAL"))).page) == ["1.0.0"]


@pytest.mark.parametrize("order", ["version", "published"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_pages_of_versions_neither_skip_nor_repeat(house: House, order: str, limit: int) -> None:
    repo = await house.repo()
    versions = [f"{n // 3}.{n % 3}.0" for n in range(7)]
    house.clock.now = lambda: 1_700_000_000_000  # type: ignore[method-assign]  # everything in one millisecond
    for version in versions:
        await house.publish(repo, version)
    where = VersionFilter(order="published" if order == "published" else "version")
    seen: list[str] = []
    after: tuple[str, ...] | None = None

    while True:
        found = await house.store.read(
            lambda tx, after=after: packages.list_versions(tx, repo, SINGLE, package(), where, after=after, limit=limit)
        )
        seen += names(found.page)
        after = found.page.last
        if after is None:
            break

    assert seen == sorted(versions, reverse=True)


async def test_versions_of_equal_order_and_time_are_not_lost_between_pages(house: House) -> None:
    repo = await house.repo()
    flat = FormatInfo("npm", SINGLE.canonical, SINGLE.canonical_version, lambda v: "same")
    house.clock.now = lambda: 1_700_000_000_000  # type: ignore[method-assign]
    for version in ("1", "2", "3"):
        await house.publish(repo, version, info=flat, exists="conflict")
    where = VersionFilter(order="published")

    first = await house.store.read(
        lambda tx: packages.list_versions(tx, repo, flat, package(), where, after=None, limit=2)
    )
    second = await house.store.read(
        lambda tx: packages.list_versions(tx, repo, flat, package(), where, after=first.page.last, limit=2)
    )

    assert names(first.page) + names(second.page) == ["3", "2", "1"]


async def test_the_default_version_is_what_the_tag_names_else_the_latest_published(house: House) -> None:
    repo = await house.repo()
    await house.publish(repo, "1.0.0")
    await house.publish(repo, "3.0.0")
    await house.publish(repo, "2.0.0")

    assert (await listed(house, repo)).default == "2.0.0"
    await house.view(repo).change(package(), tags={"latest": "1.0.0"})
    assert (await listed(house, repo)).default == "1.0.0"
    await house.view(repo).change(package(), tags={"latest": "9.9.9"})
    assert (await listed(house, repo)).default == "2.0.0"


async def test_there_is_no_default_without_a_published_version(house: House) -> None:
    repo = await house.repo()
    await house.publish(repo, info=GENERIC, finish=False)

    assert (await listed(house, repo, info=GENERIC)).default is None


async def test_a_version_shows_its_facts_assets_and_dependencies(house: House) -> None:
    repo = await house.repo()
    needs = tuple(Dependency(None, f"dep{n}", "regular", "^1") for n in range(5))
    facts = Facts(display="x", summary="s", readme="# read me", dependencies=needs)
    await house.publish(repo, files={f"{n}.whl": b"%d" % n for n in range(5)}, info=GROWING, facts=facts)
    key = VersionKey(package(info=GROWING), "1.0.0")

    async def assets(after: tuple[str, ...] | None) -> packages.AssetList:
        return await house.store.read(lambda tx: packages.list_assets(tx, repo, key, after=after, limit=3))

    async def dependencies(after: tuple[str, ...] | None) -> packages.DependencyList:
        return await house.store.read(lambda tx: packages.list_dependencies(tx, repo, key, after=after, limit=3))

    detail = await house.store.read(lambda tx: packages.version(tx, repo, key))
    first, last = await assets(None), await assets(("2.whl",))
    some = await dependencies(None)
    rest = await dependencies(some.page.last)

    assert detail.facts == facts
    assert [a.name for a in first.page.items] == ["0.whl", "1.whl", "2.whl"]
    assert first.page.last == ("2.whl",)
    assert [a.name for a in last.page.items] == ["3.whl", "4.whl"]
    assert last.page.last is None
    assert some.page.items + rest.page.items == needs
    assert rest.page.last is None
    assert detail.version == await house.held(repo, key=package(info=GROWING))


async def test_what_is_not_here_is_not_found_with_its_name(house: House) -> None:
    repo = await house.repo()
    missing = VersionKey(PackageKey("npm", "types", "node"), "1")

    with pytest.raises(ResourceNotFound, match=r"RepoId: repo, Package = .*namespace=types, packageName=node") as err:
        await house.store.read(lambda tx: packages.version(tx, repo, missing))
    assert (err.value.resource_id, err.value.resource_type) == ("node", "package")
    await house.publish(repo)
    with pytest.raises(ResourceNotFound, match="Version = 9") as err:
        await house.store.read(lambda tx: packages.version(tx, repo, VersionKey(package(), "9")))
    assert err.value.resource_type == "package-version"


async def test_an_asset_is_served_by_name_and_revision(house: House) -> None:
    repo = await house.repo()
    published = (await house.publish(repo)).version
    key = VersionKey(package(), "1.0.0")

    async def asset(name: str = "package.tgz", revision: str | None = None) -> bytes:
        _, found = await house.store.read(lambda tx: packages.asset(tx, repo, key, name, revision))
        return b"".join([chunk async for chunk in house.files.of(repo.domain_id).read(found.blob.key)])

    assert await asset() == await asset(revision=published.revision) == b"1.0.0"
    with pytest.raises(ResourceNotFound, match="no revision other any more"):
        await asset(revision="other")
    with pytest.raises(ResourceNotFound, match="Asset nothing"):
        await asset("nothing")
    await packages.update_status(house.services, asked(repo, "1.0.0"), target=Status.ARCHIVED)
    with pytest.raises(ResourceNotFound, match=r"Asset package\.tgz"):
        await asset()


# --- statuses --------------------------------------------------------------------------------


async def test_a_status_is_set_and_told_and_keeps_the_revision(house: House) -> None:
    repo = await house.repo()
    before = (await house.publish(repo)).version

    outcome = await packages.update_status(house.services, asked(repo, "1.0.0"), target=Status.UNLISTED)

    held = await house.held(repo)
    assert outcome == packages.Outcome({"1.0.0": Done(before.revision, Status.UNLISTED)}, {})
    assert held is not None and (held.status, held.revision) == (Status.UNLISTED, before.revision)
    event = (await house.events())[-1].detail
    assert event["operationType"] == "Updated"
    assert event["packageVersionState"] == "Unlisted"
    assert event["changes"]["statusChanged"] is True  # type: ignore[index]


async def test_the_status_it_has_already_is_a_success_without_event(house: House) -> None:
    repo = await house.repo()
    await house.publish(repo)

    outcome = await packages.update_status(house.services, asked(repo, "1.0.0"), target=Status.PUBLISHED)

    assert list(outcome.done) == ["1.0.0"]
    assert len(await house.events()) == 1


async def test_finishing_a_version_publishes_it_now(house: House) -> None:
    repo = await house.repo()
    before = (await house.publish(repo, info=GENERIC, finish=False)).version

    await packages.update_status(house.services, asked(repo, "1.0.0", info=GENERIC), target=Status.PUBLISHED)

    held = await house.held(repo, key=package(info=GENERIC))
    assert held is not None
    assert held.status is Status.PUBLISHED
    assert held.published > before.published


async def test_a_version_spelled_in_two_ways_is_changed_once(house: House) -> None:
    repo = await house.repo()
    spelled = FormatInfo("npm", SINGLE.canonical, lambda v: v.lower(), SINGLE.sort)
    await house.publish(repo, "1.0.a")

    outcome = await packages.update_status(
        house.services, asked(repo, "1.0.A", "1.0.a", info=spelled), target=Status.ARCHIVED
    )

    assert list(outcome.done) == ["1.0.A", "1.0.a"]
    assert len(await house.events()) == 2


@pytest.mark.parametrize("target", [Status.UNFINISHED, Status.DISPOSED, Status.DELETED])
async def test_only_three_statuses_are_targets(house: House, target: Status) -> None:
    repo = await house.repo()
    await house.publish(repo)

    with pytest.raises(Validation, match=f"targetStatus {target} is not allowed"):
        await packages.update_status(house.services, asked(repo, "1.0.0"), target=target)


async def test_the_guides_sample_of_a_wrong_expected_status(house: House) -> None:
    repo = await house.repo()
    for version in ("4.0.0", "4.1.0"):
        await house.publish(repo, version)

    outcome = await packages.update_status(
        house.services, asked(repo, "4.1.0", "4.0.0", expected=Status.UNLISTED), target=Status.ARCHIVED
    )

    wrong = Failed("MISMATCHED_STATUS", "current status: Published, expected status: Unlisted")
    assert outcome == packages.Outcome({}, {"4.0.0": wrong, "4.1.0": wrong})


async def test_the_guides_sample_of_a_wrong_revision_skips_the_others(house: House) -> None:
    repo = await house.repo()
    right = {version: (await house.publish(repo, version)).version.revision for version in ("4.0.0", "4.1.0")}

    outcome = await packages.update_status(
        house.services,
        asked(repo, "4.1.0", "4.0.0", revisions={**right, "4.1.0": "wrong"}),
        target=Status.ARCHIVED,
    )

    assert outcome == packages.Outcome(
        {},
        {
            "4.0.0": Failed("SKIPPED", "version 4.0.0 is skipped"),
            "4.1.0": Failed("MISMATCHED_REVISION", f"current revision: {right['4.1.0']}, expected revision: wrong"),
        },
    )
    assert names((await listed(house, repo, VersionFilter(status=Status.PUBLISHED))).page) == ["4.1.0", "4.0.0"]


async def test_revisions_must_be_of_the_versions_that_are_named(house: House) -> None:
    repo = await house.repo()
    await house.publish(repo)

    with pytest.raises(Validation, match="versionRevisions"):
        await packages.update_status(
            house.services, asked(repo, "1.0.0", revisions={"2.0.0": "x"}), target=Status.ARCHIVED
        )


async def test_an_unknown_package_is_not_found_and_an_unknown_version_fails_alone(house: House) -> None:
    repo = await house.repo()
    with pytest.raises(ResourceNotFound):
        await packages.dispose(house.services, asked(repo, "1.0.0"))
    await house.publish(repo)

    outcome = await packages.dispose(house.services, asked(repo, "1.0.0", "bad version", "2.0.0"))

    assert {version: failed.code for version, failed in outcome.failed.items()} == {
        "1.0.0": "SKIPPED",
        "2.0.0": "NOT_FOUND",
        "bad version": "NOT_FOUND",
    }
    assert outcome.failed["2.0.0"].message == "Could not find version 2.0.0"


async def test_disposing_drops_the_assets_for_good(house: House) -> None:
    repo = await house.repo()
    before = (await house.publish(repo)).version

    outcome = await packages.dispose(house.services, asked(repo, "1.0.0", expected=Status.PUBLISHED))
    again = await packages.dispose(house.services, asked(repo, "1.0.0"))
    back = await packages.update_status(house.services, asked(repo, "1.0.0"), target=Status.PUBLISHED)

    held = await house.held(repo)
    assert held is not None and (held.status, held.assets) == (Status.DISPOSED, ())
    assert outcome.done == again.done == {"1.0.0": Done(before.revision, Status.DISPOSED)}
    assert back.failed["1.0.0"].code == "NOT_ALLOWED"
    events = await house.events()
    assert len(events) == 2
    assert events[-1].detail["changes"]["assetsRemoved"] == 1  # type: ignore[index]
    assert events[-1].detail["packageVersionState"] == "Disposed"


async def test_deleting_takes_versions_and_their_tags_and_leaves_the_package(house: House) -> None:
    repo = await house.repo()
    first = (await house.publish(repo, "1.0.0", tags={"latest": "1.0.0", "old": "1.0.0"})).version
    await house.publish(repo, "2.0.0", tags={"latest": "2.0.0"})

    outcome = await packages.delete_versions(house.services, asked(repo, "1.0.0"))
    await packages.delete_versions(house.services, asked(repo, "2.0.0"))

    row = await house.row(repo)
    assert outcome.done == {"1.0.0": Done(first.revision, Status.DELETED)}
    assert row is not None and row.seq == 4
    assert await house.tags(repo) == {}
    assert (await listed(house, repo)).page.items == ()
    assert [e.detail["operationType"] for e in await house.events()] == ["Created", "Created", "Deleted", "Deleted"]
    assert [e.detail["sequenceNumber"] for e in await house.events()] == [1, 2, 3, 4]


async def test_deleting_a_package_takes_everything_and_tells_of_each_version(house: House) -> None:
    repo = await house.repo()
    await house.publish(repo, "1.0.0")
    await house.publish(repo, "2.0.0", tags={"latest": "2.0.0"})

    deleted = await packages.delete_package(house.services, repo, package())

    assert (deleted.publish, deleted.upstream) == ("ALLOW", "BLOCK")
    assert await house.row(repo) is None
    assert (await house.told())[2:] == [
        ("repo", "1.0.0", "Deleted", "Published"),
        ("repo", "2.0.0", "Deleted", "Published"),
    ]
    with pytest.raises(ResourceNotFound):
        await packages.delete_package(house.services, repo, package())


async def test_controls_are_set_before_any_version_comes(house: House) -> None:
    repo = await house.repo()

    made = await packages.put_origin(
        house.services, repo, package(), publish="BLOCK", upstream="BLOCK", display="Left Pad"
    )
    changed = await packages.put_origin(
        house.services, repo, package(), publish="ALLOW", upstream="BLOCK", display="other"
    )

    assert (made.publish, made.upstream, made.configured, made.display) == ("BLOCK", "BLOCK", True, "Left Pad")
    assert (changed.publish, changed.display, changed.id) == ("ALLOW", "Left Pad", made.id)
    assert changed.seq > made.seq
    assert await house.store.read(lambda tx: packages.package(tx, repo, package())) == changed
    assert await house.events() == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    chosen=st.lists(st.sampled_from(["1.0.0", "2.0.0", "3.0.0", "9.9.9"]), min_size=1, unique=True),
    target=st.sampled_from([Status.PUBLISHED, Status.UNLISTED, Status.ARCHIVED]),
    expected=st.sampled_from([None, Status.PUBLISHED, Status.UNLISTED]),
    wrong=st.booleans(),
)
async def test_statuses_change_for_all_or_for_none(
    house: House, chosen: list[str], target: Status, expected: Status | None, wrong: bool
) -> None:
    repo = await house.repo(f"r{len(await house.events())}-{house.clock.now()}")
    for version in ("1.0.0", "2.0.0", "3.0.0"):
        await house.publish(repo, version)
    await packages.update_status(house.services, asked(repo, "2.0.0"), target=Status.UNLISTED)
    before = {v.display: v for v in (await listed(house, repo)).page.items}
    revisions = {v: before[v].revision if v in before and not wrong else "wrong" for v in chosen}

    outcome = await packages.update_status(
        house.services, asked(repo, *chosen, revisions=revisions, expected=expected), target=target
    )

    after = {v.display: v for v in (await listed(house, repo)).page.items}
    assert set(outcome.done) | set(outcome.failed) == set(chosen)
    assert not (outcome.done and outcome.failed)
    if outcome.failed:
        assert after == before
        assert any(failed.code != "SKIPPED" for failed in outcome.failed.values())
    else:
        assert {v: after[v].status for v in chosen} == dict.fromkeys(chosen, target)
        assert {v: row for v, row in after.items() if v not in chosen} == {
            v: row for v, row in before.items() if v not in chosen
        }
    assert {v: row.revision for v, row in after.items()} == {v: row.revision for v, row in before.items()}
