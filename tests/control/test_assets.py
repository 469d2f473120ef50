"""Publishing generic packages and reading assets; guide chapter "Using CodeArtifact with generic packages"."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from registry.core.types import Quotas
from tests.control.plane import OWNER, Plane, sha256, start, with_header

VERSION = {
    "domain": "dom",
    "repository": "repo",
    "format": "generic",
    "namespace": "my-ns",
    "package": "my-pkg",
    "packageVersion": "1.0.0+b1",
}


def publishing(name: str, content: bytes, **more: Any) -> dict[str, Any]:
    return {**VERSION, "assetName": name, "assetContent": content, "assetSHA256": sha256(content), **more}


def hashes(content: bytes) -> dict[str, str]:
    names = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-512": "sha512"}
    return {name: hashlib.new(algorithm, content).hexdigest() for name, algorithm in names.items()}


def lose_files(directory: Path) -> int:
    """Delete every file, staged or placed; how many there were."""
    files = [f for f in directory.rglob("*") if f.is_file() and f.stat().st_size]
    for file in files:
        file.unlink()
    return len(files)


async def test_an_asset_is_published_listed_and_read_back(plane: Plane) -> None:
    content = b"some bytes \x00\xff" * 100_000

    made = await plane.call("PublishPackageVersion", **publishing("a.bin", content))
    listed = await plane.call("ListPackageVersionAssets", **VERSION)
    answer = await plane.ask("GetPackageVersionAsset", **VERSION, asset="a.bin")

    asset = {"name": "a.bin", "size": len(content), "hashes": hashes(content)}
    head = {"format": "generic", "namespace": "my-ns", "package": "my-pkg", "version": "1.0.0+b1"}
    revision = made["versionRevision"]
    assert made == {**head, "versionRevision": revision, "status": "Published", "asset": asset}
    assert listed == {**head, "versionRevision": revision, "assets": [asset]}
    assert answer.body == content
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.parsed == {
        "assetName": "a.bin",
        "packageVersion": "1.0.0+b1",
        "packageVersionRevision": revision,
    }


async def test_an_unfinished_version_gains_assets_until_it_is_published(plane: Plane) -> None:
    first = await plane.call("PublishPackageVersion", **publishing("a", b"1", unfinished=True))
    second = await plane.call("PublishPackageVersion", **publishing("b", b"2", unfinished=True))
    early = await plane.ask("GetPackageVersionAsset", **VERSION, asset="a")
    last = await plane.call("PublishPackageVersion", **publishing("c", b"3"))
    late = await plane.ask("PublishPackageVersion", **publishing("d", b"4"))
    page = await plane.call("ListPackageVersionAssets", **VERSION, maxResults=2)
    rest = await plane.call("ListPackageVersionAssets", **VERSION, maxResults=2, nextToken=page["nextToken"])

    assert [v["status"] for v in (first, second, last)] == ["Unfinished", "Unfinished", "Published"]
    assert len({v["versionRevision"] for v in (first, second, last)}) == 3
    assert early.body == b"1"
    assert (late.status, late.code) == (409, "ConflictException")
    assert [a["name"] for a in page["assets"] + rest["assets"]] == ["a", "b", "c"]


async def test_the_same_asset_again_succeeds_and_other_bytes_are_a_conflict(plane: Plane) -> None:
    first = await plane.call("PublishPackageVersion", **publishing("a", b"1"))

    assert await plane.call("PublishPackageVersion", **publishing("a", b"1")) == first
    other = await plane.ask("PublishPackageVersion", **publishing("a", b"2"))

    assert (other.status, other.code) == (409, "ConflictException")
    assert (await plane.ask("GetPackageVersionAsset", **VERSION, asset="a")).body == b"1"


async def test_bytes_that_are_not_the_declared_ones_are_refused_and_leave_nothing(plane: Plane) -> None:
    signed = plane.sign("PublishPackageVersion", plane.keys["admin"], publishing("a", b"what was promised"))

    answer = await plane.send("PublishPackageVersion", replace(signed, body=b"something else"))

    assert (answer.status, answer.code) == (400, "ValidationException")
    assert "do not match the calculated content hashes" in answer.message
    assert (
        await plane.ask("DescribePackage", **{k: v for k, v in VERSION.items() if k != "packageVersion"})
    ).status == 404


async def test_a_digest_in_capitals_is_refused(plane: Plane) -> None:
    params = {**publishing("a", b"1"), "assetSHA256": sha256(b"1").upper()}

    answer = await plane.ask("PublishPackageVersion", **params)

    assert (answer.code, "'assetSHA256'" in answer.message) == ("ValidationException", True)


@pytest.mark.parametrize("content", [b"", b"x"])
async def test_even_an_empty_asset_is_one(plane: Plane, content: bytes) -> None:
    await plane.call("PublishPackageVersion", **publishing("a", content))

    assert (await plane.ask("GetPackageVersionAsset", **VERSION, asset="a")).body == content


async def test_only_generic_packages_are_published_and_names_are_checked(plane: Plane) -> None:
    npm = await plane.ask("PublishPackageVersion", **{**publishing("a", b"1"), "format": "npm"})
    name = await plane.ask("PublishPackageVersion", **publishing("a/b", b"1"))
    unspaced = await plane.ask(
        "PublishPackageVersion", **{k: v for k, v in publishing("a", b"1").items() if k != "namespace"}
    )

    for answer in (npm, name, unspaced):
        assert (answer.status, answer.code) == (400, "ValidationException")
        assert answer.received == 0


async def test_an_asset_above_the_quota_is_refused(tmp_path: Path) -> None:
    async for plane in start(tmp_path, Quotas(asset_bytes=10)):
        await plane.call("CreateDomain", domain="dom")
        await plane.call("CreateRepository", domain="dom", repository="repo")
        signed = plane.sign("PublishPackageVersion", plane.keys["admin"], publishing("a", b"x" * 11))
        undeclared = replace(signed, headers=[h for h in signed.headers if h[0].lower() != "content-length"])

        declared = await plane.send("PublishPackageVersion", signed)
        counted = await plane.send("PublishPackageVersion", undeclared)

        assert (declared.status, declared.code, declared.received) == (402, "ServiceQuotaExceededException", 0)
        assert (counted.status, counted.code, counted.received) == (402, "ServiceQuotaExceededException", 1)


@pytest.mark.parametrize("name", ["名前 é.bin", "a b+(1)~!@^&;,.bin", "n" * 255])
async def test_names_of_all_kinds_come_back(plane: Plane, name: str) -> None:
    await plane.call("PublishPackageVersion", **publishing(name, b"1"))

    answer = await plane.ask("GetPackageVersionAsset", **VERSION, asset=name)

    assert (answer.status, answer.body) == (200, b"1")
    assert answer.headers["x-assetname"].isascii()
    if name.isascii():
        assert answer.parsed["assetName"] == name
    assert (await plane.call("ListPackageVersionAssets", **VERSION))["assets"][0]["name"] == name


async def test_an_asset_of_another_revision_or_name_is_not_given(plane: Plane) -> None:
    made = await plane.call("PublishPackageVersion", **publishing("a", b"1"))

    right = await plane.ask(
        "GetPackageVersionAsset", **VERSION, asset="a", packageVersionRevision=made["versionRevision"]
    )
    wrong = await plane.ask("GetPackageVersionAsset", **VERSION, asset="a", packageVersionRevision="other")
    absent = await plane.ask("GetPackageVersionAsset", **VERSION, asset="b")

    assert right.body == b"1"
    assert (wrong.status, wrong.parsed["resourceType"]) == (404, "package-version")
    assert (absent.status, absent.parsed["resourceType"]) == (404, "asset")


async def test_archived_and_disposed_assets_are_not_given(plane: Plane) -> None:
    await plane.call("PublishPackageVersion", **publishing("a", b"1"))
    target = {k: v for k, v in VERSION.items() if k != "packageVersion"}

    await plane.call("UpdatePackageVersionsStatus", **target, versions=["1.0.0+b1"], targetStatus="Unlisted")
    unlisted = await plane.ask("GetPackageVersionAsset", **VERSION, asset="a")
    await plane.call("UpdatePackageVersionsStatus", **target, versions=["1.0.0+b1"], targetStatus="Archived")
    archived = await plane.ask("GetPackageVersionAsset", **VERSION, asset="a")
    await plane.call("DisposePackageVersions", **target, versions=["1.0.0+b1"])
    disposed = await plane.ask("GetPackageVersionAsset", **VERSION, asset="a")

    assert (unlisted.status, archived.status, disposed.status) == (200, 404, 404)
    assert (await plane.call("ListPackageVersionAssets", **VERSION))["assets"] == []


async def test_a_lost_file_is_an_error_and_no_half_answer(plane: Plane) -> None:
    await plane.call("PublishPackageVersion", **publishing("a", b"1"))
    domain = await plane.call("DescribeDomain", domain="dom")
    assert domain["domain"]["assetSizeBytes"] == 1
    assert await asyncio.to_thread(lose_files, plane.directory / "blobs") == 1

    answer = await plane.ask("GetPackageVersionAsset", **VERSION, asset="a")

    assert (answer.status, answer.code) == (503, "InternalServerException")


async def test_a_client_that_leaves_leaves_nothing(plane: Plane) -> None:
    signed = plane.sign("PublishPackageVersion", plane.keys["admin"], publishing("a", b"x" * 1000))

    sent = await plane.abort(replace(signed, body=b"x" * 500))

    assert sent == []
    assert (await plane.call("ListPackages", domain="dom", repository="repo"))["packages"] == []
    assert await asyncio.to_thread(lose_files, plane.directory / "blobs") == 0


async def test_a_presigned_address_gives_an_asset(plane: Plane) -> None:
    await plane.call("PublishPackageVersion", **publishing("a", b"1"))

    answer = await plane.send(
        "GetPackageVersionAsset", plane.presign("GetPackageVersionAsset", {**VERSION, "asset": "a"})
    )

    assert (answer.status, answer.body) == (200, b"1")


async def test_content_that_is_signed_in_chunks_is_refused_clearly(plane: Plane) -> None:
    signed = plane.sign("PublishPackageVersion", plane.keys["admin"], publishing("a", b"1"))
    chunked = with_header(signed, "x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")

    answer = await plane.send("PublishPackageVersion", chunked)

    assert answer.status in (400, 403)
    assert "x-amz-content-sha256" in answer.message
    assert OWNER not in answer.message
