"""Reading a registry, and what becomes of its files."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from protocols.pypi import sidecars
from protocols.pypi.fetch import PyPIFetcher
from protocols.pypi.names import parse_filename
from protocols.pypi.native import FileFacts, encode, file_facts, version_facts
from registry.core.errors import UpstreamUnavailable
from registry.core.ports import Sidecars
from registry.core.types import Absent, NotModified, PackageKey, Remote, RemoteFile, RemoteVersion, Staged
from storage.blobs.memory import MemoryBlobs
from tests.samples import pypi as samples
from tests.samples.pypi import Project

FOO = PackageKey("pypi", None, "sample-pkg")
JSON = "application/vnd.pypi.simple.v1+json"


@dataclass
class Reply:
    """One canned answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    url: str = "http://index.test/r/simple/sample-pkg/"

    async def body(self, limit: int) -> bytes:
        return self.content

    def chunks(self) -> AsyncIterator[bytes]:
        raise AssertionError("an index is read whole")


@dataclass
class Registry:
    """A registry with one answer; remembers what it was asked."""

    reply: Reply
    base: str = "http://index.test/r/"
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @asynccontextmanager
    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> AsyncIterator[Reply]:
        self.asked.append((url, dict(headers or {})))
        yield self.reply


def index(**more: Any) -> bytes:
    name, _ = samples.wheel(Project())
    return json.dumps({"meta": {"api-version": "1.0"}, "name": "sample-pkg",
                       "files": [{"filename": name, "url": f"/f/{name}", "hashes": {}, **more}]}).encode()  # fmt: skip


async def test_json_is_asked_for_first_and_validators_are_kept() -> None:
    http = Registry(
        Reply(200, {"Content-Type": f"{JSON}; charset=utf-8", "ETag": '"e"', "Last-Modified": "then"}, index())
    )

    found = await PyPIFetcher().listing(http, FOO, {})

    assert isinstance(found, Remote)
    assert found.validators == {"If-None-Match": '"e"', "If-Modified-Since": "then"}
    assert found.versions[0].files[0].url == "http://index.test/f/sample_pkg-1.0.0-py3-none-any.whl"
    ((url, headers),) = http.asked
    assert url == "simple/sample-pkg/"
    assert headers["Accept"].startswith(JSON)


async def test_an_address_that_ends_in_simple_is_understood() -> None:
    http = Registry(Reply(404), base="http://index.test/r/simple/")

    await PyPIFetcher().listing(http, FOO, {})

    assert http.asked[0][0] == "sample-pkg/"


async def test_a_revalidation_sends_the_validators() -> None:
    http = Registry(Reply(304))

    found = await PyPIFetcher().listing(http, FOO, {"If-None-Match": '"e"'})

    assert isinstance(found, NotModified)
    assert http.asked[0][1]["If-None-Match"] == '"e"'


@pytest.mark.parametrize("status", [404, 410])
async def test_only_a_plain_answer_means_absent(status: int) -> None:
    assert isinstance(await PyPIFetcher().listing(Registry(Reply(status)), FOO, {}), Absent)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(304),
        Reply(401),
        Reply(403),
        Reply(204),
        Reply(200, {"Content-Type": "application/json"}, index()),
        Reply(200, {}, index()),
        Reply(200, {"Content-Type": JSON}, b"<html>"),
        Reply(200, {"Content-Type": JSON}, b'{"files":'),
        Reply(200, {"Content-Type": "text/html"}, b"<html><body>Please sign in</body></html>"),
        Reply(200, {"Content-Type": "text/html; charset=nonsense"}, b"<title>Links for sample-pkg</title>"),
    ],
)
async def test_anything_else_is_not_an_answer(reply: Reply) -> None:
    with pytest.raises(UpstreamUnavailable):
        await PyPIFetcher().listing(Registry(reply), FOO, {})


async def test_html_is_understood() -> None:
    body = b'<html><body><a href="../../f/sample-pkg-1.0.tar.gz">sample-pkg-1.0.tar.gz</a></body></html>'

    found = await PyPIFetcher().listing(Registry(Reply(200, {"Content-Type": "text/html"}, body)), FOO, {})

    assert isinstance(found, Remote)
    assert found.versions[0].files[0].url == "http://index.test/r/f/sample-pkg-1.0.tar.gz"


def release(*files: RemoteFile) -> tuple[Remote, RemoteVersion]:
    version = RemoteVersion("1", "1.0.0", b"", 5000, files)
    return Remote("sample-pkg", (version,), {}, {}), version


async def staged(blobs: Any, body: bytes) -> Any:
    """A context whose value is the staged file."""

    @asynccontextmanager
    async def context() -> AsyncIterator[Staged]:
        async with blobs.stage() as staging:
            await staging.write(body)
            yield await staging.done()

    return context()


async def test_a_draft_reads_its_metadata_from_the_files() -> None:
    project = Project(name="Sample.Pkg", requires=["dep>=1"])
    name, body = samples.wheel(project)
    native = encode(FileFacts(requires_python=">=3.8", core_metadata="f" * 64, yanked="old"))
    remote, version = release(
        RemoteFile(name, "http://x/", None, {}, native, 7000),
        RemoteFile("sample-pkg-1.0.0.tar.bz2", "http://y/", None, {}),
    )
    blobs = MemoryBlobs().of(1)

    async with await staged(blobs, body) as wheel, await staged(blobs, b"bzipped") as old:
        draft = await PyPIFetcher().draft(FOO, remote, version, {name: wheel, "sample-pkg-1.0.0.tar.bz2": old})

    assert (draft.key.version, draft.display, draft.published, draft.exists) == ("1", "1.0.0", 5000, "add")
    assert draft.facts.display == "Sample.Pkg"
    assert draft.facts.dependencies[0].package == "dep"
    assert json.loads(bytes(version_facts(draft.native).info))["name"] == "Sample.Pkg"
    kept = {asset.name: asset for asset in draft.assets}
    assert kept[name].uploaded == 7000
    facts = file_facts(kept[name].native)
    assert (facts.yanked, facts.requires_python) == ("old", ">=3.8")
    assert facts.core_metadata not in {None, "f" * 64}
    assert len(kept) == 2
    assert kept["sample-pkg-1.0.0.tar.bz2"].uploaded == 5000


async def test_a_file_that_cannot_be_read_is_kept_all_the_same() -> None:
    name = "sample_pkg-1.0.0-py3-none-any.whl"
    native = encode(FileFacts(core_metadata="f" * 64))
    remote, version = release(RemoteFile(name, "http://x/", None, {}, native, None))

    async with await staged(MemoryBlobs().of(1), b"no zip") as wheel:
        draft = await PyPIFetcher().draft(FOO, remote, version, {name: wheel, "odd": wheel})

    assert draft.facts.display == "sample-pkg"
    assert {asset.name: file_facts(asset.native).core_metadata for asset in draft.assets} == {name: None, "odd": None}


def test_all_files_of_a_release_go_together() -> None:
    files = (RemoteFile("a", "", None, {}), RemoteFile("b", "", None, {}))
    fetcher = PyPIFetcher()

    assert fetcher.companions(release(*files)[1], "a") == files
    assert isinstance(fetcher, Sidecars)


@dataclass
class Stored:
    """Content of a store without local files; counts what is read."""

    whole: bytes
    digests: Mapping[str, str] = field(default_factory=dict)
    modified: int = 0
    source: str = "local"
    path: None = None
    sent: int = 0

    @property
    def size(self) -> int:
        return len(self.whole)

    async def read(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        piece = self.whole[start:end]
        self.sent += len(piece)
        for at in range(0, len(piece), 1000):
            yield piece[at : at + 1000]


async def test_metadata_is_read_from_a_remote_store_by_ranges() -> None:
    stem = "big-1.0.dist-info"
    body = samples.zipped({"big/noise": bytes(range(256)) * 4, f"{stem}/METADATA": b"Name: big\n"})
    # What lies before the archive is not looked at: a wheel of a gigabyte costs no more than a small one.
    content = Stored(b"\0" * 3_000_000 + body)

    document = await sidecars.extracted(content, parse_filename("big-1.0-py3-none-any.whl"))

    assert document is not None
    assert document.body == b"Name: big\n"
    assert content.sent < 600_000


async def test_a_damaged_file_in_a_remote_store_has_no_metadata() -> None:
    named = parse_filename("big-1.0-py3-none-any.whl")

    assert await sidecars.extracted(Stored(b"x" * 1000), named) is None
    assert await sidecars.extracted(Stored(b""), named) is None
