"""Packages and documents of Maven, Cargo, NuGet, Ruby and Swift that are small to send and dear to read."""

from __future__ import annotations

import io
import struct
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from protocols.cargo import archive as crates
from protocols.maven import pom, xmltext
from protocols.nuget import nuspec
from protocols.ruby import yamltree
from protocols.swift import archive as sources
from protocols.swift import release
from tests.faults.test_archives import within
from tests.harness import Server
from tests.samples import cargo, maven, nuget, ruby, swift
from tests.samples.base import Shop

PACKAGE = b'[package]\nname="left"\nversion="1.0.0"\n'
LAUGHS = (
    '<!DOCTYPE project [<!ENTITY a "' + "ha" * 500 + '">'
    + "".join(f'<!ENTITY {chr(98 + each)} "{f"&{chr(97 + each)};" * 10}">' for each in range(9))
    + "]>"
)  # fmt: skip
OUTSIDE = '<!DOCTYPE project SYSTEM "http://127.0.0.1:9/x" [<!ENTITY j SYSTEM "file:///etc/passwd">]>'


def seconds(work: Any) -> float:
    """Of this thread, which the others' do not count for."""
    started = time.thread_time()
    work()
    return time.thread_time() - started


# --- Cargo ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more",
    [
        b"a." * 30_000 + b"a = 1\n",
        b"".join(b"a." * 300 + b"k%d = 1\n" % each for each in range(500)),
        b"[" + b"a." * 30_000 + b"a]\n",
        b"x = {" + b"a." * 30_000 + b"a = 1}\n",
        b"#" * 600_000,
        b"x = " + b"[" * 100_000,
        b"x = " + b"{a=" * 100_000,
        b"x = " + b"1" * 100_000,
    ],
    ids=["key", "keys", "table", "inline", "long", "arrays", "tables", "number"],
)
def test_a_manifest_that_takes_long_to_read_is_refused(more: bytes) -> None:
    file = cargo.archive([("left-1.0.0/Cargo.toml", PACKAGE + more)])

    def work() -> None:
        with pytest.raises(ValueError, match="crate file"):
            crates.inspect(io.BytesIO(file), "left", "1.0.0")

    within(30, lambda: assert_quick(work))


def assert_quick(work: Any) -> None:
    assert seconds(work) < 2


# --- Maven, NuGet --------------------------------------------------------------------------------


def test_properties_are_not_filled_in_without_end() -> None:
    dependency = "<dependency><artifactId>${a}</artifactId><version>${a}</version></dependency>"
    properties = f"<properties><a>{'${a}' * 900}</a></properties>"
    body = f"<project>{properties}<dependencies>{dependency * 40_000}</dependencies></project>".encode()

    assert within(60, lambda: seconds(lambda: pom.parse(body))) < 10


@pytest.mark.parametrize("doctype", [LAUGHS, OUTSIDE])
def test_entities_of_a_document_are_neither_filled_in_nor_fetched(doctype: str) -> None:
    body = f"{doctype}<project><name>&j;</name><version>1</version></project>".encode()
    try:
        facts, _ = within(10, lambda: pom.parse(body))
        assert (facts.display, facts.summary) == ("", "")
    except ValueError:
        pass  # newer parsers see it at once
    body = f"{doctype.replace('project', 'package')}<package><metadata><id>&j;</id></metadata></package>".encode()
    with pytest.raises(ValueError, match="nuspec"):
        within(10, lambda: nuspec.read(body))


def test_entities_in_attributes_do_not_grow() -> None:
    body = f'{LAUGHS}<project a="&j;"/>'.encode()

    with pytest.raises(ValueError, match="not XML"):
        within(10, lambda: xmltext.root(body, "project"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("bombs") / "data") as server:
        yield server.make("dom", "repo")
        server.stop()
        assert [line for line in server.records() if "exception" in line or line.get("status", 0) >= 500] == []


def test_metadata_of_maven_names_no_more_than_can_be_looked_up(server: Server) -> None:
    shop = Shop(server, "maven", "repo")
    plugin = "".join(
        f"<plugin><prefix>p{each}</prefix><artifactId>a{each}</artifactId></plugin>" for each in range(1001)
    )
    builds = "".join(
        f"<snapshotVersion><extension>jar</extension><value>1-20260101.000000-{each}</value></snapshotVersion>"
        for each in range(101)
    )
    snapshot = (
        "<snapshot><timestamp>20260101.000000</timestamp><buildNumber>1</buildNumber></snapshot>"
        f"<snapshotVersions>{builds}</snapshotVersions>"
    )

    plugins = shop("PUT", "g/maven-metadata.xml", f"<metadata><plugins>{plugin}</plugins></metadata>".encode())
    document = f"<metadata><versioning>{snapshot}</versioning></metadata>".encode()
    built = shop("PUT", "g/a/1-SNAPSHOT/maven-metadata.xml", document)

    assert (plugins.status, built.status) == (400, 400)
    assert "more than 1000 plug-ins" in plugins.text
    assert "more than 100 builds" in built.text


# --- Ruby ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", ["utf-8", "utf-16"])
def test_thousands_of_yaml_directives_are_refused(coding: str) -> None:
    text = "".join(f"%TAG !a{each}! tag:x{each},2000:\n" for each in range(4000)) + "--- a\n"

    with pytest.raises(ValueError, match="directives"):
        yamltree.load(text.encode(coding))


@pytest.mark.parametrize(
    "more",
    [
        "x: &a [1]\ny: [*a, *a]",
        "x: !ruby/object:Gem::Installer {}",
        "x: !!python/object/apply:os.system [id]",
        "x: " + "[" * 100_000,
        "? " * 100_000,
        "x: {" + "a," * 300_000 + "}",
    ],
    ids=["alias", "object", "python", "deep", "keys", "many"],
)
def test_a_specification_that_means_harm_is_refused(server: Server, more: str) -> None:
    gem = ruby.Gem("harm", more=more)

    assert ruby.push(Shop(server, "ruby", "repo"), gem.build()).status == 422


# --- Swift ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_manifest_in_a_coding_that_inflates_without_bound_is_refused(method: int) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("Hello/Package.swift", swift.MANIFEST.encode() + bytes(8_000_000))
    body = bytearray(out.getvalue())
    at = body.rfind(b"PK\x01\x02")
    body[at + 24 : at + 28] = struct.pack("<I", 100)  # the size it declares

    with pytest.raises(ValueError, match="deflated"):
        sources.inspect(io.BytesIO(bytes(body)))


def test_a_directory_of_a_million_entries_is_not_read_into_memory() -> None:
    record = b"PK\x01\x02" + bytes(24) + struct.pack("<HHHHHII", 1, 0, 0, 0, 0, 0, 0) + b"a"
    count = 1_000_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(record) * count, 0, 0)

    with pytest.raises(ValueError, match="too large"):
        sources.inspect(io.BytesIO(record * count + end))


def test_metadata_nested_without_reason_is_refused() -> None:
    for depth, taken in ((50, True), (70, False), (900, False), (100_000, False)):
        body = b'{"x":' + b"[" * depth + b"]" * depth + b"}"
        try:
            release.metadata(body)
            assert taken
        except ValueError:
            assert not taken


@pytest.mark.parametrize("url", ["http://[x", "http://x:99999999/a", "https://\u0000", "ssh://[", "git@[x:y"])
def test_an_address_that_is_none_does_no_harm(server: Server, url: str) -> None:
    shop = Shop(server, "swift", "repo")
    version = f"1.0.{abs(hash(url)) % 10**9}"

    answer = swift.publish(shop, f"acme/odd/{version}", swift.archive(), metadata={"repositoryURLs": [url]})

    assert answer.status == 201
    assert shop("GET", "identifiers?url=https://x.test/nothing").status == 404


def test_answers_that_need_a_token_are_for_no_shared_cache(server: Server) -> None:
    """`public` would let a proxy give what it was sent for a token to everybody."""
    for sample in (cargo.SAMPLE, maven.SAMPLE, nuget.SAMPLE, ruby.SAMPLE, swift.SAMPLE):
        shop = Shop(server, sample.format, "repo")
        assert sample.publish(shop, "shared").status < 300
        for path in (sample.index("shared"), sample.asset("shared")[1]):
            for _ in range(2):
                answer = shop("GET", path)
                told = answer.headers.get("cache-control", "")
                assert (answer.status, "public" in told, "s-maxage" in told) == (200, False, False), path
                assert "private" in told or "no-cache" in told or "no-store" in told, (path, told)
