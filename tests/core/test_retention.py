"""Retention: what comes from upstream stays, in the right repositories, and is never replaced."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest

from registry.core import packages, publishing
from registry.core.errors import AccessDenied, ResourceNotFound
from registry.core.outcomes import VersionsRequest
from registry.core.ports import Tx
from registry.core.types import Facts, FormatInfo, Origin, PackageKey, PackageRow, Repository, Status, VersionKey
from tests.core.house import EXTERNAL, GROWING, SINGLE, House, package

ELSEWHERE = Origin("EXTERNAL", connection="public:pypi")


async def control(house: House, repo: Repository, upstream: str, info: FormatInfo = SINGLE) -> None:
    assert upstream in ("ALLOW", "BLOCK")
    await packages.put_origin(
        house.services,
        repo,
        package(info=info),
        publish="ALLOW",
        upstream="ALLOW" if upstream == "ALLOW" else "BLOCK",
        display="x",
    )


async def status(house: House, repo: Repository, target: Status, info: FormatInfo = SINGLE) -> None:
    request = VersionsRequest(repo, info, package(info=info), ("1.0.0",))
    assert not (await packages.update_status(house.services, request, target=target)).failed


def key(info: FormatInfo = SINGLE) -> VersionKey:
    return VersionKey(package(info=info), "1.0.0")


async def test_a_fetched_version_is_kept_in_the_store_and_the_asked_repository(house: House) -> None:
    store, asked = await house.repo("npm-store"), await house.repo("asked")

    kept = await house.retain([store, asked], facts=Facts(display="Left Pad"))

    assert kept == (await house.held(store), await house.held(asked))
    assert [version.origin for version in kept] == [EXTERNAL, EXTERNAL]
    assert kept[0].revision == kept[1].revision
    assert kept[0].published == kept[1].published
    for repo in (store, asked):
        row = await house.row(repo)
        assert row is not None and (row.publish, row.upstream, row.display) == ("BLOCK", "ALLOW", "Left Pad")
    assert await house.stored_files(store) == 1
    assert await house.told() == [
        ("npm-store", "1.0.0", "Created", "Published"),
        ("asked", "1.0.0", "Created", "Published"),
    ]


async def test_retaining_again_changes_nothing(house: House) -> None:
    store, asked = await house.repo("npm-store"), await house.repo("asked")
    first = await house.retain([store, asked])

    again = await house.retain([store, asked])

    assert again == first
    assert len(await house.events()) == 2
    row = await house.row(asked)
    assert row is not None and row.seq == 1


async def test_retaining_at_once_keeps_one_version_and_one_file(house: House) -> None:
    store, asked = await house.repo("npm-store"), await house.repo("asked")

    kept = await asyncio.gather(*(house.retain([store, asked]) for _ in range(6)))

    assert len(set(kept)) == 1
    assert await house.stored_files(store) == 1
    assert len(await house.events()) == 2


async def test_other_bytes_under_a_kept_name_do_not_replace_it(house: House) -> None:
    store = await house.repo("npm-store")
    (first,) = await house.retain([store], files={"a": b"one"})

    (again,) = await house.retain([store], files={"a": b"two"})

    assert again == first
    assert await house.stored_files(store) == 1


async def test_further_assets_of_a_growing_format_join_what_is_kept(house: House) -> None:
    store, asked = await house.repo("store"), await house.repo("asked")
    await house.retain([store], files={"a": b"1"}, info=GROWING)

    kept = await house.retain([store, asked], files={"b": b"2"}, info=GROWING, facts=Facts(homepage="h"))

    assert [[asset.name for asset in version.assets] for version in kept] == [["a", "b"], ["a", "b"]]
    assert await house.told() == [
        ("store", "1.0.0", "Created", "Published"),
        ("store", "1.0.0", "Updated", "Published"),
        ("asked", "1.0.0", "Created", "Published"),
    ]


async def test_a_single_shot_version_that_is_kept_never_grows(house: House) -> None:
    store = await house.repo("store")
    (first,) = await house.retain([store], files={"a": b"1"})

    assert await house.retain([store], files={"b": b"2"}) == (first,)


async def test_assets_of_different_origins_are_not_mixed(house: House) -> None:
    store = await house.repo("store")
    (first,) = await house.retain([store], files={"a": b"1"}, info=GROWING)

    assert await house.retain([store], files={"b": b"2"}, info=GROWING, origin=ELSEWHERE) == (first,)


async def test_a_published_version_takes_no_assets_from_outside(house: House) -> None:
    store = await house.repo("store")
    published = await house.publish(store, files={"a": b"1"}, info=GROWING)

    assert await house.retain([store], files={"b": b"2"}, info=GROWING) == (published.version,)


async def test_an_archived_version_neither_grows_nor_travels(house: House) -> None:
    store, asked = await house.repo("store"), await house.repo("asked")
    await house.retain([store], files={"a": b"1"}, info=GROWING)
    await status(house, store, Status.ARCHIVED, GROWING)

    (kept,) = await house.retain([store, asked], files={"b": b"2"}, info=GROWING)

    assert kept.status is Status.ARCHIVED
    assert len(kept.assets) == 1
    assert await house.row(asked, package(info=GROWING)) is None


async def test_a_store_that_takes_nothing_from_outside_refuses(house: House) -> None:
    store, asked = await house.repo("store"), await house.repo("asked")
    await control(house, store, "BLOCK")

    with pytest.raises(AccessDenied, match="upstream=BLOCK"):
        await house.retain([store, asked])

    assert await house.held(asked) is None
    assert await house.stored_files(store) == 0


async def test_an_asked_repository_that_takes_nothing_is_left_out(house: House) -> None:
    store, asked = await house.repo("store"), await house.repo("asked")
    await control(house, asked, "BLOCK")

    kept = await house.retain([store, asked])

    assert kept == (await house.held(store),)
    assert await house.held(asked) is None


async def test_what_is_kept_stays_usable_whatever_the_controls_become(house: House) -> None:
    store = await house.repo("store")
    first = await house.retain([store], files={"a": b"1"}, info=GROWING)
    await control(house, store, "BLOCK", GROWING)

    assert await house.retain([store], files={"b": b"2"}, info=GROWING) == first
    assert await house.stored_files(store) == 1


async def test_a_repository_that_went_meanwhile_keeps_nothing(house: House) -> None:
    store = await house.repo("store")
    await house.store.write(lambda tx: tx.repositories.delete(store.id))

    with pytest.raises(ResourceNotFound):
        await house.retain([store])

    assert await house.stored_files(store) == 0


class Late:
    """A store whose units of work first see the package as it was before it came to be.

    An engine with several writers shows this when another commits between a look and the lock.
    """

    def __init__(self, house: House) -> None:
        self._store = house.store

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def write(self, work: Callable[[Tx], Awaitable[object]]) -> object:
        async def unit(tx: Tx) -> object:
            nouns = {noun: getattr(tx, noun) for noun in Tx.__annotations__}
            looked: list[PackageKey] = []

            async def get(repo_id: int, key: PackageKey) -> PackageRow | None:
                looked.append(key)
                return None if len(looked) < 3 else await tx.packages.get(repo_id, key)

            packages = SimpleNamespace(get=get, touch=tx.packages.touch)
            return await work(SimpleNamespace(**{**nouns, "packages": packages}))  # type: ignore[arg-type]

        return await self._store.write(unit)


async def test_a_version_that_another_process_keeps_meanwhile_is_kept_once(house: House) -> None:
    store = await house.repo("store")
    first = await house.retain([store], files={"a": b"1"}, info=GROWING)
    house.services = replace(house.services, store=Late(house))  # type: ignore[arg-type]

    again = await house.retain([store], files={"a": b"1"}, info=GROWING)

    assert again == first
    assert len(await house.events()) == 1
    assert await house.stored_files(store) == 1


# --- from another repository -----------------------------------------------------------------


async def retain_stored(house: House, source: Repository, target: Repository, info: FormatInfo = SINGLE) -> object:
    return await publishing.retain_stored(house.services, info=info, source=source, target=target, key=key(info))


async def test_a_stored_version_is_retained_with_everything_but_tags(house: House) -> None:
    upstream, asked = await house.repo("up"), await house.repo("asked")
    facts = Facts(display="Left Pad", summary="pads", readme="# hi")
    await house.publish(upstream, facts=facts, tags={"latest": "1.0.0"})
    await status(house, upstream, Status.UNLISTED)

    await retain_stored(house, upstream, asked)

    detail = await house.store.read(lambda tx: packages.version(tx, asked, key()))
    original = await house.held(upstream)
    assert original is not None
    assert detail.facts == facts
    assert detail.version.status is Status.UNLISTED
    assert detail.version.origin == Origin("INTERNAL", repository="up")
    assert detail.version.revision == original.revision
    assert detail.version.published == original.published
    assert detail.version.assets == original.assets
    assert (detail.package.publish, detail.package.upstream) == ("BLOCK", "ALLOW")
    assert await house.tags(asked) == {}
    assert await house.stored_files(upstream) == 1


async def test_deleting_it_upstream_leaves_what_was_retained(house: House) -> None:
    upstream, asked = await house.repo("up"), await house.repo("asked")
    await house.publish(upstream)
    await retain_stored(house, upstream, asked)

    await house.store.write(lambda tx: tx.repositories.delete(upstream.id))

    held = await house.held(asked)
    assert held is not None
    content = house.files.of(asked.domain_id).read(held.assets[0].blob.key)
    assert b"".join([chunk async for chunk in content]) == b"1.0.0"


async def test_new_assets_upstream_follow_into_what_was_retained(house: House) -> None:
    upstream, asked = await house.repo("up"), await house.repo("asked")
    await house.publish(upstream, files={"a": b"1"}, info=GROWING)
    await retain_stored(house, upstream, asked, GROWING)
    await house.publish(upstream, files={"b": b"2"}, info=GROWING)

    await retain_stored(house, upstream, asked, GROWING)

    held = await house.held(asked, key=package(info=GROWING))
    assert held is not None and [asset.name for asset in held.assets] == ["a", "b"]


@pytest.mark.parametrize("closed", [Status.ARCHIVED, Status.DISPOSED])
async def test_what_is_not_offered_upstream_is_not_retained(house: House, closed: Status) -> None:
    upstream, asked = await house.repo("up"), await house.repo("asked")
    await house.publish(upstream)
    if closed is Status.ARCHIVED:
        await status(house, upstream, closed)
    else:
        await packages.dispose(house.services, VersionsRequest(upstream, SINGLE, package(), ("1.0.0",)))

    with pytest.raises(ResourceNotFound):
        await retain_stored(house, upstream, asked)


async def test_nothing_upstream_is_not_found_and_makes_no_package(house: House) -> None:
    upstream, asked = await house.repo("up"), await house.repo("asked")

    with pytest.raises(ResourceNotFound):
        await retain_stored(house, upstream, asked)
    await house.publish(upstream, "2.0.0")
    with pytest.raises(ResourceNotFound):
        await retain_stored(house, upstream, asked)

    assert await house.row(asked) is None


async def test_a_blocked_package_retains_nothing(house: House) -> None:
    upstream, asked = await house.repo("up"), await house.repo("asked")
    await house.publish(upstream)
    await control(house, asked, "BLOCK")

    with pytest.raises(AccessDenied, match="upstream=BLOCK"):
        await retain_stored(house, upstream, asked)


# --- refreshing ------------------------------------------------------------------------------


async def refresh(house: House, *repos: Repository, **what: object) -> bool:
    native, assets = what.get("native"), what.get("assets")
    assert native is None or isinstance(native, bytes)
    assert assets is None or isinstance(assets, dict)
    return await publishing.refresh(house.services, repositories=repos, key=key(GROWING), native=native, assets=assets)


async def test_newer_metadata_reaches_every_holder_once(house: House) -> None:
    store, asked = await house.repo("store"), await house.repo("asked")
    before = await house.retain([store, asked], files={"a": b"1", "b": b"2"}, info=GROWING)

    first = await refresh(house, store, asked, native=b"new", assets={"a": b"yanked", "unknown": b"x"})
    second = await refresh(house, store, asked, native=b"new", assets={"a": b"yanked"})

    assert (first, second) == (True, False)
    for repo, old in zip((store, asked), before, strict=True):
        held = await house.held(repo, key=package(info=GROWING))
        assert held is not None
        assert held.native == b"new"
        assert [asset.native for asset in held.assets] == [b"yanked", b"file b"]
        assert held.revision != old.revision
    assert [e.detail["changes"]["metadataUpdated"] for e in await house.events()][2:] == [True, True]  # type: ignore[index]


async def test_one_holder_that_is_up_to_date_is_left_alone(house: House) -> None:
    store, asked = await house.repo("store"), await house.repo("asked")
    await house.retain([store, asked], info=GROWING)
    await refresh(house, store, native=b"new")

    assert await refresh(house, store, asked, native=b"new")

    assert [e.detail["repositoryName"] for e in await house.events()] == ["store", "asked", "store", "asked"]


async def test_a_published_version_is_not_refreshed(house: House) -> None:
    store = await house.repo("store")
    await house.publish(store, info=GROWING)
    await control(house, store, "ALLOW", GROWING)

    assert not await refresh(house, store, native=b"new")


async def test_neither_a_blocked_package_nor_an_archived_or_absent_version_is_refreshed(house: House) -> None:
    store, asked, empty = await house.repo("store"), await house.repo("asked"), await house.repo("empty")
    await house.retain([store, asked], info=GROWING)
    await control(house, store, "BLOCK", GROWING)
    await status(house, asked, Status.ARCHIVED, GROWING)
    await control(house, empty, "ALLOW", GROWING)

    assert not await refresh(house, store, asked, empty, await house.repo("none"), native=b"new")
