"""Reading a V3 registry: discovery, versions, metadata, and what becomes of its files."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from protocols.nuget import fetch, native
from protocols.nuget.fetch import NuGetFetcher
from protocols.nuget.names import package
from protocols.nuget.remote import remark
from registry.core.errors import UpstreamUnavailable
from registry.core.ports import Confirms, Sidecars
from registry.core.types import Absent, Digests, NotModified, Remote, RemoteFile, RemoteVersion, Staged
from tests.samples.nuget import Package

HOME = "http://feed.test/nuget/"
CDN = "https://cdn.test/files/"
FLAT = f"{CDN}acme.hello/index.json"
INDEX = "https://meta.test/reg/acme.hello/index.json"
HELLO = package("Acme.Hello")


@dataclass
class Reply:
    """One canned answer."""

    status: int
    content: bytes
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)

    async def body(self, limit: int) -> bytes:
        return self.content

    def chunks(self) -> AsyncIterator[bytes]:
        raise AssertionError("documents are read whole")


@dataclass
class Feed:
    """A registry of documents by address; remembers what it was asked, answers 304 to what it knows."""

    pages: dict[str, Any] = field(default_factory=dict)
    base: str = HOME
    asked: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> AsyncIterator[Reply]:
        url = url if "://" in url else self.base + url
        self.asked.append(url)
        await asyncio.sleep(0)
        found = self.pages.get(url)
        if isinstance(found, Exception):
            raise found
        if found is None:
            yield Reply(404, b"", url)
            return
        body = found if isinstance(found, bytes) else json.dumps(found).encode()
        etag = f'"{hashlib.sha256(body).hexdigest()[:8]}"'
        same = (headers or {}).get("if-none-match") == etag
        yield Reply(304 if same else 200, b"" if same else body, url, {"etag": etag})


def service(*resources: tuple[Any, Any], version: str = "3.0.0") -> dict[str, Any]:
    return {"version": version, "resources": [{"@id": address, "@type": kind} for kind, address in resources]}


GALLERY = service(
    ("PackageBaseAddress/3.0.0", CDN),
    ("RegistrationsBaseUrl", "https://meta.test/old/"),
    ("RegistrationsBaseUrl/3.4.0", "https://meta.test/gz/"),
    ("RegistrationsBaseUrl/3.6.0", "https://meta.test/reg/"),
    ("SearchQueryService", "https://search.test/"),
)


def leaf(version: str, **entry: Any) -> dict[str, Any]:
    return {
        "@id": f"https://meta.test/reg/acme.hello/{version}.json",
        "catalogEntry": {
            "@id": f"https://catalog.test/{version}.json",
            "id": "Acme.Hello",
            "version": version,
            "published": "2024-01-02T03:04:05.678+00:00",
            **entry,
        },
        "packageContent": f"{CDN}acme.hello/{version}/acme.hello.{version}.nupkg",
    }


def registration(*leaves: dict[str, Any]) -> dict[str, Any]:
    return {"count": 1, "items": [{"@id": f"{INDEX}#page", "count": len(leaves), "items": list(leaves)}]}


def gallery(versions: list[str], document: Any) -> Feed:
    return Feed({f"{HOME}v3/index.json": GALLERY, FLAT: {"versions": versions}, INDEX: document})


async def listed(feed: Feed, **validators: str) -> Remote:
    found = await NuGetFetcher().listing(feed, HELLO, validators)
    assert isinstance(found, Remote)
    return found


def entries(found: Remote) -> dict[str, dict[str, Any]]:
    return {each.version: native.fields(each.native) for each in found.versions}


async def test_the_flat_container_says_which_versions_there_are() -> None:
    feed = gallery(["1.0.0", "1.1.0-Beta", "nonsense"], registration(leaf("1.0.0", tags="a b"), leaf("9.0.0")))

    found = await listed(feed)

    assert [each.version for each in found.versions] == ["1.0.0", "1.1.0-beta"]
    assert found.display == "Acme.Hello"
    assert entries(found)["1.0.0"]["tags"] == ["a", "b"]
    assert entries(found)["1.1.0-beta"] == {"id": "acme.hello", "version": "1.1.0-beta"}
    [file] = found.versions[1].files
    assert (file.name, file.url) == (
        "acme.hello.1.1.0-beta.nupkg", f"{CDN}acme.hello/1.1.0-beta/acme.hello.1.1.0-beta.nupkg",
    )  # fmt: skip
    assert found.versions[0].published == 1704164645678


async def test_everything_that_a_registration_says_is_kept_but_its_addresses() -> None:
    groups = [
        {"targetFramework": "net8.0", "dependencies": [{"id": "B", "range": "[1.0, )"}, {"id": "C", "range": ""}]},
        {"targetFramework": "net472"},
    ]
    more = {
        "authors": ["Ann", "Bob"], "description": "d", "dependencyGroups": groups, "tags": ["x"], "listed": True,
        "deprecation": {"reasons": ["Legacy"], "message": "old", "alternatePackage": {"id": "N", "range": "*"}},
        "vulnerabilities": [{"advisoryUrl": "https://a.example/1", "severity": "2"}, {"severity": 9}],
        "packageContent": "https://elsewhere.test/x.nupkg", "iconUrl": 7, "title": "nul\0", "unknown": {"a": 1},
    }  # fmt: skip

    found = await listed(gallery(["1.0.0"], registration(leaf("1.0.0", **more))))

    assert entries(found)["1.0.0"] == {
        "id": "Acme.Hello",
        "version": "1.0.0",
        "authors": "Ann, Bob",
        "title": "nul",
        "description": "d",
        "tags": ["x"],
        "dependencyGroups": [
            {
                "targetFramework": "net8.0",
                "dependencies": [{"id": "B", "range": "[1.0.0, )"}, {"id": "C", "range": "(, )"}],
            },
            {"targetFramework": "net472"},
        ],
        "deprecation": more["deprecation"],
        "vulnerabilities": [{"advisoryUrl": "https://a.example/1", "severity": "2"}],
        "requireLicenseAcceptance": False,
    }


@pytest.mark.parametrize("how", [{"listed": False}, {"published": "1900-01-01T00:00:00+00:00"}])
async def test_unlisted_versions_are_known_as_such(how: dict[str, Any]) -> None:
    found = await listed(gallery(["1.0.0"], registration(leaf("1.0.0", **how))))

    assert native.unpack(found.versions[0].native).unlisted


async def test_pages_that_are_not_in_the_index_are_fetched() -> None:
    pages = {f"https://meta.test/reg/acme.hello/page/{n}.json": {"items": [leaf(f"{n}.0.0")]} for n in range(20)}
    document = {"items": [{"@id": address, "count": 1} for address in pages] + [{"@id": "page/gone.json"}]}
    feed = gallery([f"{n}.0.0" for n in range(21)], document)
    feed.pages |= pages

    found = await listed(feed)

    assert len(found.versions) == 21
    assert entries(found)["19.0.0"]["id"] == "Acme.Hello"
    assert "https://meta.test/reg/acme.hello/page/gone.json" in feed.asked


async def test_without_a_flat_container_the_registration_decides() -> None:
    feed = gallery([], registration(leaf("1.0.0")))
    feed.pages[f"{HOME}v3/index.json"] = service(("RegistrationsBaseUrl/Versioned", "https://meta.test/reg"))

    found = await listed(feed)

    assert found.versions[0].files[0].url == f"{CDN}acme.hello/1.0.0/acme.hello.1.0.0.nupkg"
    feed.pages[INDEX] = {"items": [{"@id": "https://meta.test/gone"}]}
    with pytest.raises(UpstreamUnavailable, match="page"):
        await listed(feed)


async def test_without_registrations_there_are_versions_all_the_same() -> None:
    feed = gallery(["1.0.0"], None)

    assert [each.version for each in (await listed(feed)).versions] == ["1.0.0"]


async def test_resources_may_be_lists_and_relative_and_the_index_elsewhere() -> None:
    index = service(
        (["Other/1.0.0", "PackageBaseAddress/3.0.0"], ["../flat"]), ("RegistrationsBaseUrl/3.0.0-beta", "reg"), (1, 2)
    )
    feed = Feed({f"{HOME}index.json": index, f"{HOME}v3/index.json": b"<html>",
                 "http://feed.test/flat/acme.hello/index.json": {"versions": ["1.0"]}})  # fmt: skip

    found = await listed(feed)

    assert found.versions[0].files[0].url == "http://feed.test/flat/acme.hello/1.0/acme.hello.1.0.nupkg"
    assert found.versions[0].version == "1.0.0"


@pytest.mark.parametrize("document", [None, b"", b"[]", {"version": "2.0.0", "resources": []}, service(), b"\xff"])
async def test_an_address_without_a_service_index_is_no_absence(document: Any) -> None:
    with pytest.raises(UpstreamUnavailable, match="service index"):
        await NuGetFetcher().listing(Feed({f"{HOME}v3/index.json": document}), HELLO, {})


async def test_a_service_index_is_remembered_until_something_fails() -> None:
    fetcher, feed = NuGetFetcher(), gallery(["1.0.0"], registration(leaf("1.0.0")))

    await fetcher.listing(feed, HELLO, {})
    await fetcher.listing(feed, HELLO, {})
    assert feed.asked.count(f"{HOME}v3/index.json") == 1
    feed.pages[FLAT] = UpstreamUnavailable("down")
    with pytest.raises(UpstreamUnavailable):
        await fetcher.listing(feed, HELLO, {})
    feed.pages[FLAT] = {"versions": ["1.0.0"]}
    await fetcher.listing(feed, HELLO, {})

    assert feed.asked.count(f"{HOME}v3/index.json") == 2


async def test_a_service_index_is_asked_for_once_by_many_at_once() -> None:
    fetcher, feed = NuGetFetcher(), gallery(["1.0.0"], registration(leaf("1.0.0")))

    await asyncio.gather(*(fetcher.listing(feed, HELLO, {}) for _ in range(20)))

    assert feed.asked.count(f"{HOME}v3/index.json") == 1


async def test_a_package_that_is_not_there_is_absent() -> None:
    feed = gallery(["1.0.0"], registration(leaf("1.0.0")))
    del feed.pages[FLAT]
    assert isinstance(await NuGetFetcher().listing(feed, HELLO, {}), Absent)

    feed.pages[FLAT] = {"versions": []}
    assert isinstance(await NuGetFetcher().listing(feed, HELLO, {}), Absent)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"versions": 1}', b'{"versions"', b"\xff\xfe"])
async def test_nonsense_is_no_absence(body: bytes) -> None:
    feed = gallery([], registration())
    feed.pages[FLAT] = body
    with pytest.raises(UpstreamUnavailable):
        await NuGetFetcher().listing(feed, HELLO, {})

    odd = gallery(["1.0.0"], {"items": [7, {"items": [{"catalogEntry": 3}, {"catalogEntry": {"version": []}}, None]}]})
    assert [each.version for each in (await listed(odd)).versions] == ["1.0.0"]


async def test_a_listing_is_revalidated_by_both_of_its_documents() -> None:
    feed = gallery(["1.0.0"], registration(leaf("1.0.0")))
    fetcher = NuGetFetcher()
    first = await fetcher.listing(feed, HELLO, {})
    assert isinstance(first, Remote)

    assert isinstance(await fetcher.listing(feed, HELLO, first.validators), NotModified)
    feed.pages[INDEX] = registration(leaf("1.0.0", listed=False))
    second = await fetcher.listing(feed, HELLO, first.validators)
    assert isinstance(second, Remote)
    assert native.unpack(second.versions[0].native).unlisted
    feed.pages[FLAT] = {"versions": ["1.0.0", "2.0.0"]}
    third = await fetcher.listing(feed, HELLO, second.validators)
    assert isinstance(third, Remote)
    assert [each.version for each in third.versions] == ["1.0.0", "2.0.0"]
    assert native.unpack(third.versions[0].native).unlisted


async def test_marks_of_a_retained_version_follow_the_registry_and_nothing_else_does() -> None:
    stored = native.pack({"id": "A", "description": "mine", "packageHash": "h"}, semver2=True)
    told = registration(leaf("1.0.0", description="theirs", listed=False, deprecation={"reasons": ["Legacy"]}))
    remote_native = (await listed(gallery(["1.0.0"], told))).versions[0].native

    marked = remark(stored, remote_native)

    assert native.unpack(marked).unlisted and native.unpack(marked).semver2
    assert native.fields(marked) == {
        "id": "A", "description": "mine", "packageHash": "h", "deprecation": {"reasons": ["Legacy"]},
    }  # fmt: skip
    assert remark(marked, remote_native) == marked
    bare = (await listed(gallery(["1.0.0"], None))).versions[0].native
    assert remark(marked, bare) == marked
    plain = (await listed(gallery(["1.0.0"], registration(leaf("1.0.0"))))).versions[0].native
    assert native.unpack(remark(marked, plain)) == native.unpack(stored)


# --- files -----------------------------------------------------------------------------------------


def staged(body: bytes) -> Staged:
    digests = Digests(*(hashlib.new(name, body).hexdigest() for name in ("md5", "sha1", "sha256", "sha512")))
    return Staged(digests, len(body), None, body)


def sha512(body: bytes) -> str:
    return base64.b64encode(hashlib.sha512(body).digest()).decode()


async def offered(feed: Feed, version: str = "1.0.0") -> tuple[Remote, RemoteVersion, RemoteFile]:
    remote = await listed(feed)
    found = next(each for each in remote.versions if each.version == version)
    return remote, found, found.files[0]


async def test_a_file_is_compared_with_the_hash_of_the_catalog() -> None:
    body = Package().nupkg()
    feed = gallery(["1.0.0"], registration(leaf("1.0.0")))
    feed.pages["https://catalog.test/1.0.0.json"] = {"packageHash": sha512(body), "packageHashAlgorithm": "SHA512"}
    fetcher = NuGetFetcher()
    assert isinstance(fetcher, Confirms)
    _, version, file = await offered(feed)
    assert file.digests == {}

    await fetcher.confirm(feed, version, file, staged(body))
    with pytest.raises(UpstreamUnavailable, match="hash"):
        await fetcher.confirm(feed, version, file, staged(Package(description="other").nupkg()))


@pytest.mark.parametrize(
    "catalog", [None, UpstreamUnavailable("down"), b"<html>", {"packageHash": "x"}, {"packageHash": 1}, {}]
)
async def test_without_a_hash_the_archive_itself_is_checked(catalog: Any) -> None:
    body = Package(files={"lib/a": b"\0" * 20}).nupkg()
    feed = gallery(["1.0.0"], registration(leaf("1.0.0")))
    feed.pages["https://catalog.test/1.0.0.json"] = catalog
    _, version, file = await offered(feed)

    await NuGetFetcher().confirm(feed, version, file, staged(body))
    at = body.index(b"lib/a") + 6
    damaged = body[:at] + bytes([body[at] ^ 0xFF]) + body[at + 1 :]
    for wrong in (damaged, body[:-40], b"<html>"):
        with pytest.raises(UpstreamUnavailable, match="damaged"):
            await NuGetFetcher().confirm(feed, version, file, staged(wrong))


async def test_a_hash_in_the_registration_is_the_files_digest() -> None:
    body = Package().nupkg()
    feed = gallery(["1.0.0"], registration(leaf("1.0.0", packageHash=sha512(body), packageHashAlgorithm="SHA512")))

    _, _, file = await offered(feed)

    assert file.digests == {"sha512": hashlib.sha512(body).hexdigest()}


async def test_a_version_is_kept_as_its_package_says_and_judged_as_its_registry_does() -> None:
    body = Package("Acme.HELLO", "1.0+b", description="from the package").nupkg()
    told = {"deprecation": {"reasons": ["Legacy"]}, "listed": False, "description": "from the registry"}
    remote, version, file = await offered(gallery(["1.0.0"], registration(leaf("1.0.0", **told))))

    draft = await NuGetFetcher().draft(HELLO, remote, version, {file.name: staged(body)})

    entry = native.fields(draft.native)
    assert (entry["id"], entry["version"], entry["description"]) == ("Acme.HELLO", "1.0.0+b", "from the package")
    assert (entry["deprecation"], entry["packageHash"]) == ({"reasons": ["Legacy"]}, sha512(body))
    assert native.unpack(draft.native).unlisted
    assert (draft.key.version, draft.display, draft.facts.display) == ("1.0.0", "1.0.0", "Acme.HELLO")
    assert (draft.published, [each.name for each in draft.assets]) == (1704164645678, ["acme.hello.1.0.0.nupkg"])


@pytest.mark.parametrize("body", [b"<html>", Package("Other").nupkg(), Package(version="1.0.1").nupkg()])
async def test_a_file_that_is_another_package_is_not_kept(body: bytes) -> None:
    for told in ({}, {"packageHash": sha512(body), "packageHashAlgorithm": "SHA512"}):
        feed = gallery(["1.0.0"], registration(leaf("1.0.0", **told)))
        _, version, file = await offered(feed)

        with pytest.raises(UpstreamUnavailable, match=r"acme\.hello\.1\.0\.0\.nupkg"):
            await NuGetFetcher().confirm(feed, version, file, staged(body))


async def test_the_nuspec_lies_beside_the_package() -> None:
    fetcher = NuGetFetcher()
    assert isinstance(fetcher, Sidecars)
    _, version, _ = await offered(gallery(["1.0.0"], registration(leaf("1.0.0"))))

    beside = fetcher.sidecar(version, "acme.hello.nuspec")

    assert beside is not None
    assert beside.url == f"{CDN}acme.hello/1.0.0/acme.hello.nuspec"
    assert fetcher.sidecar(version, "other.txt") is None
    assert fetcher.companions(version, "x") == ()


async def test_a_registration_of_absurd_length_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "MAX_PAGES", 3)

    with pytest.raises(UpstreamUnavailable, match="more than 3 pages"):
        await listed(gallery(["1.0.0"], {"items": [{"@id": f"p{n}"} for n in range(4)]}))
