"""Files that are placed while the draft is still being made: rights first, and no trace of what is not published."""

from __future__ import annotations

from dataclasses import replace

import pytest

from registry.core.absent import AbsentView
from registry.core.digests import held
from registry.core.early import Early
from registry.core.errors import AccessDenied, Conflict, ResourceNotFound, Unavailable
from registry.core.types import Repository
from tests.core.house import House, package

DENIED = [{"Effect": "Deny", "Action": "codeartifact:PublishPackageVersion", "Resource": "*"}]


async def publish(house: House, repo: Repository, body: bytes, version: str = "1.0.0", known: bool = True) -> bool:
    """Publish with an early start; whether the version was made."""
    view = house.view(repo)
    async with house.drafted(repo, version, {"package.tgz": body}) as draft:
        async with view.early(package(), [held(body)], version=version if known else None) as early:
            return (await view.publish(draft, early=early)).created


@pytest.mark.parametrize("known", [True, False])
async def test_what_was_placed_early_is_what_the_version_has(house: House, known: bool) -> None:
    repo = await house.repo()

    for number in range(3):
        assert await publish(house, repo, f"body {number}".encode(), f"{number}.0.0", known)

    assert await house.stored_files(repo) == 3
    for number in range(3):
        version = await house.held(repo, f"{number}.0.0")
        assert version is not None
        blob = version.assets[0].blob
        assert b"".join([chunk async for chunk in house.files.of(repo.domain_id).read(blob.key)]) == b"body %d" % number


async def test_bytes_that_are_stored_already_are_not_placed_again(house: House) -> None:
    repo = await house.repo()
    await publish(house, repo, b"same", "1.0.0")

    async with house.view(repo).early(package(), [held(b"same"), held(b"new"), held(b"new")]) as early:
        assert [early.ahead.take(held(body).digests.sha256) is None for body in (b"same", b"old")] == [True, True]

    assert await publish(house, repo, b"same", "2.0.0")
    assert await house.stored_files(repo) == 1


@pytest.mark.parametrize("known", [True, False])
async def test_what_is_there_already_stays_as_it_is(house: House, known: bool) -> None:
    repo = await house.repo()
    await publish(house, repo, b"first")

    assert not await publish(house, repo, b"first", known=known)
    with pytest.raises(Conflict):
        await publish(house, repo, b"other", known=known)

    assert await house.stored_files(repo) == 1


async def test_a_draft_that_comes_to_nothing_leaves_no_file(house: House) -> None:
    repo = await house.repo()

    with pytest.raises(ValueError, match="no archive"):
        async with house.view(repo).early(package(), [held(b"body")]):
            raise ValueError("no archive")

    assert await house.stored_files(repo) == 0


async def test_files_of_another_draft_are_placed_by_themselves(house: House) -> None:
    repo = await house.repo()
    view = house.view(repo)

    async with house.drafted(repo, "1.0.0", {"package.tgz": b"real"}) as draft:
        async with view.early(package(), [held(b"expected")], version="2.0.0") as early:
            assert (await view.publish(draft, early=early)).created

    assert await house.stored_files(repo) == 1


async def test_who_may_not_publish_has_nothing_written(house: House) -> None:
    repo = await house.repo()
    caller = await house.user("reader", DENIED)
    view = house.view(repo, caller=caller)

    with pytest.raises(AccessDenied):
        async with view.early(package(), [held(b"body")]):
            pass

    assert await house.stored_files(repo) == 0


async def test_a_repository_that_is_not_there_takes_no_files(house: House) -> None:
    repo = await house.repo()
    seen = house.view(repo)
    absent = AbsentView(seen.services, seen.caller, replace(repo, id=-1), seen.info)

    with pytest.raises(ResourceNotFound):
        async with absent.early(package(), [held(b"body")]):
            pass

    assert await house.stored_files(repo) == 0


async def test_a_file_that_cannot_be_placed_fails_the_publish(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = await house.repo()

    def full(*_: object) -> None:
        raise Unavailable("The disk is full.")

    monkeypatch.setattr(type(house.files.of(repo.domain_id)), "_place", full)
    with pytest.raises(Unavailable):
        await publish(house, repo, b"body")
    with pytest.raises(KeyError):
        async with house.view(repo).early(package(), [held(b"body")]):
            raise KeyError("the client went away")

    assert await house.held(repo) is None


def test_an_early_start_knows_its_files() -> None:
    early = Early(None, [held(b"a"), held(b"b")], None)  # type: ignore[arg-type]

    assert early.covers([held(b"a"), held(b"b")])
    assert not early.covers([held(b"b"), held(b"a")])
    assert not early.covers([held(b"a")])
