"""Reading other registries, and what becomes of their gems."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from protocols.ruby import marshal, offered
from protocols.ruby.fetch import RubyFetcher
from protocols.ruby.native import FileFacts, file_facts
from registry.core.errors import UpstreamUnavailable
from registry.core.types import Absent, NotModified, PackageKey, Remote, Staged
from storage.blobs.memory import MemoryBlobs
from tests.samples.ruby import Gem

HOLA = PackageKey("ruby", None, "hola")
SHA = "ab" * 32
PAGE = f"""---
1.0.0 rack:>= 2.0.1&~> 2.0,b:>= 0|checksum:{SHA},ruby:>= 2.5,rubygems:>= 3,created_at:2026-01-02T03:04:05Z
1.0.0-java |checksum:{SHA}
0.9.pre1 |checksum:{SHA},later:some:thing
"""


@dataclass
class Reply:
    """One canned answer."""

    status: int
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    url: str = "http://gems.test/r/info/hola"

    async def body(self, limit: int) -> bytes:
        return self.content

    def chunks(self) -> AsyncIterator[bytes]:
        raise AssertionError("an index is read whole")


class Registry:
    """A registry with canned answers by path, 404 for others; remembers what it was asked."""

    base = "http://gems.test/r/"

    def __init__(self, **answers: Reply) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, str]]] = []

    @asynccontextmanager
    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> AsyncIterator[Reply]:
        self.asked.append((url, dict(headers or {})))
        yield self.answers.get(url.split("?")[0].rpartition("/")[0].rpartition("/")[2], Reply(404))


async def test_a_page_of_the_compact_index_is_a_listing() -> None:
    http = Registry(info=Reply(200, PAGE.encode(), {"ETag": '"e"', "Last-Modified": "then"}))

    found = await RubyFetcher().listing(http, HOLA, {})

    assert isinstance(found, Remote)
    assert found.validators == {"If-None-Match": '"e"'}
    assert [(each.version, each.published) for each in found.versions] == [
        ("1.0.0", 1767323045000), ("0.9.pre1", None),
    ]  # fmt: skip
    plain, java = found.versions[0].files
    assert (plain.name, plain.url, plain.digests) == (
        "hola-1.0.0.gem", "http://gems.test/r/gems/hola-1.0.0.gem", {"sha256": SHA},
    )  # fmt: skip
    assert file_facts(plain.native) == FileFacts(needs="rack:>= 2.0.1&~> 2.0,b:>= 0", ruby=">= 2.5", rubygems=">= 3")
    assert (java.name, file_facts(java.native).platform) == ("hola-1.0.0-java.gem", "java")


async def test_a_page_is_asked_for_conditionally() -> None:
    http = Registry(info=Reply(304))

    assert isinstance(await RubyFetcher().listing(http, HOLA, {"If-None-Match": '"e"'}), NotModified)
    assert http.asked[0][1]["If-None-Match"] == '"e"'


async def test_only_404_and_410_mean_that_a_gem_is_not_there() -> None:
    for status in (404, 410):
        assert isinstance(await RubyFetcher().listing(Registry(info=Reply(status)), HOLA, {}), Absent)
    for status in (200, 204, 301, 400, 401, 403, 418):
        with pytest.raises(UpstreamUnavailable):
            await RubyFetcher().listing(Registry(info=Reply(status, b"<html>")), HOLA, {})
    with pytest.raises(UpstreamUnavailable):
        await RubyFetcher().listing(Registry(v1=Reply(403)), HOLA, {})


def dependencies(*members: bytes) -> bytes:
    return marshal.document(marshal.array(members))


def dependency(name: str, number: str, platform: str, *needs: tuple[str, str]) -> bytes:
    pairs = [marshal.array([marshal.string(each), marshal.string(wanted)]) for each, wanted in needs]
    return marshal.mapping(
        [
            (marshal.symbol("name"), marshal.string(name)),
            (marshal.symbol("number"), marshal.string(number)),
            (marshal.symbol("platform"), marshal.string(platform)),
            (marshal.symbol("dependencies"), marshal.array(pairs)),
        ]
    )


async def test_where_there_is_no_compact_index_the_dependencies_are_asked_for() -> None:
    body = dependencies(dependency("hola", "1.0", "java", ("rack", "~> 2.0, >= 2.0.1")), dependency("b", "1", "ruby"))
    http = Registry(v1=Reply(200, body))

    found = await RubyFetcher().listing(http, HOLA, {})

    assert isinstance(found, Remote)
    assert [url for url, _ in http.asked] == ["info/hola", "api/v1/dependencies?gems=hola"]
    (version,) = found.versions
    assert (version.version, version.files[0].name, version.files[0].digests) == ("1.0", "hola-1.0-java.gem", {})
    assert file_facts(version.files[0].native).needs == "rack:>= 2.0.1&~> 2.0"
    assert isinstance(await RubyFetcher().listing(Registry(v1=Reply(200, dependencies())), HOLA, {}), Absent)
    with pytest.raises(UpstreamUnavailable):
        await RubyFetcher().listing(Registry(v1=Reply(200, b"<html>")), HOLA, {})


async def test_a_registry_known_to_have_a_compact_index_is_asked_once() -> None:
    fetcher = RubyFetcher()
    http = Registry(info=Reply(200, PAGE.encode()))
    await fetcher.listing(http, HOLA, {})
    http.answers = {}

    assert isinstance(await fetcher.listing(http, HOLA, {}), Absent)
    assert len(http.asked) == 2


@pytest.mark.parametrize(
    "line",
    [
        "1.0", "1.0 ", "1.0 |", "1.0 a:>= 1|", "1.0-java b:>= 0&< 2|checksum:x", "1.0 |checksum:,ruby:",
    ],
)  # fmt: skip
def test_lines_may_be_short(line: str) -> None:
    (offer,) = offered.from_info(f"---\n{line}\n".encode())

    assert (offer.version, offer.sha256, offer.created) == ("1.0", "", None)


@pytest.mark.parametrize(
    "line", ["", "x", "1.0 a|b:c d", "1.0 ../a:>= 0|", "1.0-a/b |", "1.0 a:>> 1|", "1.0 |ruby:x", "-1.0 |", "1/2 |"]
)
def test_a_line_that_cannot_be_used_is_left_out(line: str) -> None:
    found = offered.from_info(f"---\n{line}\n2.0 |checksum:{SHA}\n".encode())

    assert [offer.version for offer in found][-1:] == ["2.0"]
    assert len(found) == 1 or line.startswith("1.0 a|b")


def test_of_two_lines_for_one_gem_the_later_holds() -> None:
    (offer,) = offered.from_info(f"---\n1.0 |checksum:{'0' * 64}\n1.0 |checksum:{SHA}\n".encode())

    assert offer.sha256 == SHA


@pytest.mark.parametrize("body", [b"", b"<html></html>", b"\xff---\n", b"{}", b"x---\n1.0 |\n"])
def test_what_is_no_page_is_no_empty_listing(body: bytes) -> None:
    with pytest.raises(ValueError, match="compact index"):
        offered.from_info(body)


async def staged(body: bytes) -> Staged:
    async with MemoryBlobs().of(1).stage() as staging:
        await staging.write(body)
        done = await staging.done()
        return Staged(done.digests, done.size, None, body)


async def test_a_fetched_gem_keeps_the_words_of_its_index() -> None:
    gem = Gem(needs=[("rack", [">= 2.0.1", "~> 2.0"], "runtime"), ("b", [">= 0"], "runtime")])
    body = gem.build()
    page = PAGE.replace(SHA, hashlib.sha256(body).hexdigest())
    http = Registry(info=Reply(200, page.encode()))
    fetcher = RubyFetcher()
    remote = await fetcher.listing(http, HOLA, {})
    assert isinstance(remote, Remote)

    draft = await fetcher.draft(HOLA, remote, remote.versions[0], {gem.file: await staged(body)})

    (asset,) = draft.assets
    facts, told = file_facts(asset.native), file_facts(remote.versions[0].files[0].native)
    assert (facts.needs, facts.ruby, facts.rubygems) == (told.needs, told.ruby, told.rubygems)
    assert facts.spec
    assert (draft.facts.summary, draft.published, asset.uploaded) == ("Says hello", 1767323045000, 1767323045000)
    assert (draft.exists, draft.key.version) == ("add", "1.0.0")


async def test_a_file_that_is_another_gem_is_kept_as_it_was_listed() -> None:
    remote = await RubyFetcher().listing(Registry(info=Reply(200, PAGE.encode())), HOLA, {})
    assert isinstance(remote, Remote)

    for body in (Gem("other").build(), b"no gem at all"):
        draft = await RubyFetcher().draft(HOLA, remote, remote.versions[0], {"hola-1.0.0.gem": await staged(body)})
        assert draft.assets[0].native == remote.versions[0].files[0].native
        assert draft.facts.summary == ""
