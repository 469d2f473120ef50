"""A public Maven repository behind a connection: files by name, checksums, origins, outages."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from tests.chains.public import PublicNpm
from tests.harness import Server
from tests.samples.base import Shop
from tests.samples.maven import Artifact, deploy, jar, metadata, pom
from tests.upstreams.wire import Answer

PUBLISHED = 1_600_000_000
CENTRAL, GOOGLE = "public:maven-central", "public:maven-googleandroid"
SETTINGS = {"upstreams": {"listing_age": 0, "negative_age": 0, "connect_timeout": 2, "read_timeout": 2}}
_numbers = itertools.count()


class PublicMaven(PublicNpm):
    """Files below `/r/`, honest unless told otherwise."""

    def put(self, path: str, body: bytes, *, sha1: bytes | None = b"own") -> None:
        """`sha1`: what lies beside it; None: nothing does."""
        self.wire.answers[f"/r/{path}"] = Answer(200, body)
        if sha1 is not None:
            told = hashlib.sha1(body).hexdigest().encode() if sha1 == b"own" else sha1
            date = {"Last-Modified": formatdate(PUBLISHED, usegmt=True)}
            self.wire.answers[f"/r/{path}.sha1"] = Answer(200, told, date)

    def release(self, artifact: Artifact, *endings: str, listed: bool = True) -> None:
        """A version with these files."""
        for ending in endings or (".pom", ".jar"):
            body = pom(artifact) if ending == ".pom" else jar(artifact, ending)
            self.put(artifact.path(ending), body)
        if listed:
            self.put(artifact.metadata, metadata(artifact))

    def asked(self, part: str = "") -> list[str]:
        """Paths in order."""
        return [path.removeprefix("/r/") for path in self.wire.paths() if part in path]


@dataclass
class Outside:
    """`repo` above `central-store` and `google-store`, each with its connection; fresh names for every test."""

    front: Server
    central: PublicMaven
    google: PublicMaven
    number: int

    def shop(self, name: str = "repo") -> Shop:
        return Shop(self.front, "maven", f"{name}-{self.number}")

    def artifact(self, **more: Any) -> Artifact:
        return Artifact(group=f"com.example.t{self.number}", **more)

    def assets(self, artifact: Artifact, name: str = "repo") -> list[str]:
        """Once nothing goes on in the background."""
        asyncio.run_coroutine_threadsafe(self.front.app.services.resolver.idle(), self.front.loop).result(20)
        found = self.front.boto().list_package_version_assets(
            domain="dom", repository=f"{name}-{self.number}", format="maven", namespace=artifact.group,
            package=artifact.name, packageVersion=artifact.version,
        )  # fmt: skip
        return [each["name"].removeprefix(f"{artifact.name}-{artifact.version}") for each in found["assets"]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, PublicMaven, PublicMaven]]:
    with PublicMaven() as central, PublicMaven() as google:
        connections = {CENTRAL: f"{central.base}r/", GOOGLE: f"{google.base}r"}
        with Server(tmp_path_factory.mktemp("data"), settings=SETTINGS, connections=connections) as front:
            yield front.make("dom"), central, google


@pytest.fixture
def outside(world: tuple[Server, PublicMaven, PublicMaven]) -> Outside:
    return _outside(*world)


@pytest.fixture
def doomed(tmp_path: Path) -> Iterator[Outside]:
    """With registries of its own: one that failed is left alone for a moment, which other tests must not meet."""
    with PublicMaven() as central, PublicMaven() as google:
        connections = {CENTRAL: f"{central.base}r/", GOOGLE: f"{google.base}r"}
        with Server(tmp_path / "data", settings=SETTINGS, connections=connections) as front:
            yield _outside(front.make("dom"), central, google)


def _outside(front: Server, central: PublicMaven, google: PublicMaven) -> Outside:
    number = next(_numbers)
    stores = [f"central-store-{number}", f"google-store-{number}"]
    front.make("dom", *stores, f"repo-{number}", **{f"repo_{number}": stores})
    for store, connection in zip(stores, (CENTRAL, GOOGLE), strict=True):
        front.boto().associate_external_connection(domain="dom", repository=store, externalConnection=connection)
    for each in (central, google):
        each.wire.asked.clear()
    return Outside(front, central, google, number)


def test_a_file_brings_the_usual_ones_with_it_into_both_repositories(outside: Outside) -> None:
    lib = outside.artifact()
    outside.central.release(lib, ".pom", ".jar", "-sources.jar", "-odd.zip")

    answer = outside.shop()("GET", lib.path(".pom"))

    assert (answer.status, answer.body) == (200, pom(lib))
    assert outside.assets(lib) == ["-sources.jar", ".jar", ".pom"]
    assert outside.assets(lib, "central-store") == ["-sources.jar", ".jar", ".pom"]
    told = outside.front.boto().describe_package_version(
        domain="dom", repository=f"repo-{outside.number}", format="maven", namespace=lib.group, package="lib",
        packageVersion="1.0",
    )["packageVersion"]  # fmt: skip
    assert told["publishedTime"].timestamp() == PUBLISHED
    assert told["origin"] == {"domainEntryPoint": {"externalConnectionName": CENTRAL}, "originType": "EXTERNAL"}
    assert told["displayName"] == "The lib"


def test_a_parent_has_its_pom_only(outside: Outside) -> None:
    parent = outside.artifact(packaging="pom")
    outside.central.release(parent, ".pom")

    assert outside.shop()("GET", parent.path(".pom")).status == 200
    assert outside.assets(parent) == [".pom"]
    assert outside.central.asked("sources") == []


def test_an_unusual_file_joins_the_version_when_it_is_asked_for(outside: Outside) -> None:
    lib = outside.artifact()
    outside.google.release(lib, ".pom", "-linux.jar")
    outside.shop()("GET", lib.path(".pom"))
    before = outside.assets(lib)

    answer = outside.shop()("GET", lib.path("-linux.jar"))

    assert (before, answer.status) == ([".pom"], 200)
    assert outside.assets(lib) == outside.assets(lib, "google-store") == ["-linux.jar", ".pom"]


def test_files_of_two_registries_are_not_mixed_into_one_version(outside: Outside) -> None:
    lib = outside.artifact()
    outside.google.release(lib, ".pom")
    outside.shop()("GET", lib.path(".pom"))
    outside.assets(lib)
    outside.central.put(lib.path("-evil.jar"), b"evil")

    assert outside.shop()("GET", lib.path("-evil.jar")).status == 404
    assert outside.assets(lib) == [".pom"]


def test_a_version_that_no_metadata_lists_can_be_had(outside: Outside) -> None:
    marker = outside.artifact(name="p.q.gradle.plugin", packaging="pom")
    outside.central.release(marker, ".pom", listed=False)

    assert outside.shop()("GET", marker.path(".pom")).status == 200
    assert "<version>1.0</version>" in outside.shop()("GET", marker.metadata).text


def test_versions_of_outside_are_listed_without_snapshots(outside: Outside) -> None:
    lib = outside.artifact()
    outside.central.put(lib.metadata, metadata(lib, "1.9", "1.10", "2.0-SNAPSHOT", "../evil", "1.0"))

    answer = outside.shop()("GET", lib.metadata)

    assert re.findall(r"<version>(.*)</version>", answer.text) == ["1.0", "1.9", "1.10"]
    assert outside.shop()("GET", f"{lib.metadata}.sha1").text == hashlib.sha1(answer.body).hexdigest()


def test_snapshots_are_never_fetched_from_outside(outside: Outside) -> None:
    lib = outside.artifact(version="1.0-SNAPSHOT")
    outside.central.put(lib.path(build="20210728.194552-1"), b"x")
    outside.central.put(f"{lib.folder}1.0-SNAPSHOT/maven-metadata.xml", b"<metadata/>")

    shop = outside.shop()
    told = [
        shop("GET", path).status
        for path in (
            lib.path(build="20210728.194552-1"),
            f"{lib.folder}1.0-SNAPSHOT/maven-metadata.xml",
            f"{lib.folder}1.0-20210728.194552-1/lib-1.0-20210728.194552-1.jar",
        )
    ]

    assert told == [404, 404, 404]
    assert outside.central.asked("20210728") == []


@pytest.mark.parametrize("told", [b"%s", b"%s  lib-1.0.jar\n", b"SHA1 (lib-1.0.jar) = %s"])
def test_a_checksum_of_the_source_is_understood_and_counts(outside: Outside, told: bytes) -> None:
    lib = outside.artifact()
    outside.central.put(lib.path(), b"good", sha1=told % hashlib.sha1(b"good").hexdigest().encode())
    outside.central.put(lib.path(".war"), b"bad", sha1=told % hashlib.sha1(b"good").hexdigest().encode())

    good, bad = outside.shop()("GET", lib.path()), outside.shop()("GET", lib.path(".war"))

    assert (good.status, good.body, bad.status) == (200, b"good", 502)
    assert outside.assets(lib) == [".jar"]


def test_a_file_without_a_checksum_is_taken(outside: Outside) -> None:
    lib = outside.artifact()
    outside.central.put(lib.path(".jar.asc"), b"signature", sha1=None)

    assert outside.shop()("GET", lib.path(".jar.asc")).body == b"signature"
    assert outside.shop()("GET", lib.path(".jar.asc.sha1")).text == hashlib.sha1(b"signature").hexdigest()


def test_a_checksum_may_be_asked_for_before_its_file(outside: Outside) -> None:
    lib = outside.artifact()
    outside.central.release(lib)

    answers = {name: outside.shop()("GET", lib.path(f".jar.{name}")).text for name in ("sha512", "sha1")}

    assert answers == {name: hashlib.new(name, jar(lib, ".jar")).hexdigest() for name in answers}


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Answer(404), 404),
        (Answer(410), 404),
        (Answer(403, b"<Error><Code>AccessDenied</Code></Error>"), 404),
        (Answer(403, b"you ask too often"), 502),
        (Answer(401), 502),
        (Answer(500), 502),
        (Answer(200, b"<html>log in</html>", {"Content-Type": "text/html"}), 502),
    ],
)
def test_only_a_clear_no_means_that_something_is_not_there(outside: Outside, answer: Answer, status: int) -> None:
    lib = outside.artifact()
    for path in (lib.path(), lib.path(".jar.sha1"), lib.metadata):
        outside.central.wire.answers[f"/r/{path}"] = answer

    assert outside.shop()("GET", lib.path()).status == status
    assert outside.shop()("GET", lib.metadata).status == status


def test_what_is_kept_is_served_and_the_rest_is_an_outage_when_the_registry_is_gone(doomed: Outside) -> None:
    lib, other = doomed.artifact(), doomed.artifact(name="other")
    doomed.central.release(lib)
    shop = doomed.shop()
    shop("GET", lib.metadata)
    shop("GET", lib.path())
    doomed.assets(lib)
    doomed.central.stop()
    try:
        kept = [shop("GET", path).status for path in (lib.path(), lib.path(".pom"), lib.path(".jar.md5"), lib.metadata)]
        lost = [shop("GET", path) for path in (other.path(), other.metadata)]
    finally:
        doomed.central.start()

    assert kept == [200, 200, 200, 200]
    assert [each.status for each in lost] == [502, 502]
    assert all(int(each.headers["retry-after"]) > 0 for each in lost)


def test_many_clients_ask_the_registry_once(outside: Outside) -> None:
    lib = outside.artifact()
    outside.central.release(lib)
    begun, free = threading.Event(), outside.central.event()

    async def slowly(asked: object) -> Answer:
        begun.set()
        await free.wait()
        return Answer(200, jar(lib, ".jar"))

    outside.central.wire.answers[f"/r/{lib.path()}"] = slowly
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(outside.shop(), "GET", lib.path()) for _ in range(8)]
        begun.wait(20)
        outside.central.set(free)
        assert {each.result().body for each in answers} == {jar(lib, ".jar")}
    assert outside.central.asked(lib.path()).count(lib.path()) == 1


def test_what_the_registry_has_is_not_published_here(outside: Outside) -> None:
    lib = outside.artifact()
    outside.central.release(lib)
    aws = outside.front.boto()
    aws.put_package_origin_configuration(
        domain="dom", repository=f"repo-{outside.number}", format="maven", namespace=lib.group, package="lib",
        restrictions={"publish": "ALLOW", "upstream": "ALLOW"},
    )  # fmt: skip

    assert outside.shop()("PUT", lib.path(), b"mine").status == 409
    assert deploy(outside.shop(), outside.artifact(version="7")).status == 201
    assert re.findall(r"<version>(.*)</version>", outside.shop()("GET", lib.metadata).text) == ["1.0", "7"]


def test_plugins_of_the_registry_s_group_are_told(doomed: Outside) -> None:
    plugin = b"<plugin><name>X</name><prefix>x</prefix><artifactId>x-plugin</artifactId></plugin>"
    group = b"<metadata><plugins>%s</plugins></metadata>" % plugin
    doomed.central.put(f"com/example/t{doomed.number}/maven-metadata.xml", group)
    mine = doomed.artifact(name="y-maven-plugin", packaging="maven-plugin")
    assert deploy(doomed.shop(), mine).status == 201

    answer = doomed.shop()("GET", f"com/example/t{doomed.number}/maven-metadata.xml")

    assert re.findall(r"<prefix>(.*)</prefix>", answer.text) == ["x", "y"]
    doomed.central.stop()
    try:
        kept = doomed.shop()("GET", f"com/example/t{doomed.number}/maven-metadata.xml")
        own = doomed.shop()("GET", "org/nobody/knows/maven-metadata.xml")
    finally:
        doomed.central.start()
    assert kept.text == answer.text
    assert own.status == 502


def test_a_copy_with_upstreams_brings_every_usual_file(outside: Outside) -> None:
    lib = outside.artifact()
    outside.central.release(lib, ".pom", ".jar", "-javadoc.jar")
    outside.front.make("dom", f"copy-{outside.number}")

    done = outside.front.boto().copy_package_versions(
        domain="dom", sourceRepository=f"repo-{outside.number}", destinationRepository=f"copy-{outside.number}",
        format="maven", namespace=lib.group, package="lib", versions=["1.0"], includeFromUpstream=True,
    )  # fmt: skip

    assert list(done["successfulVersions"]) == ["1.0"]
    assert outside.assets(lib, "copy") == ["-javadoc.jar", ".jar", ".pom"]


def test_a_new_version_is_there_at_once_when_its_file_is_asked_for(
    world: tuple[Server, PublicMaven, PublicMaven], tmp_path_factory: pytest.TempPathFactory
) -> None:
    _, central, _ = world
    old, new = Artifact(group="com.fresh"), Artifact(group="com.fresh", version="2.0")
    central.release(old)
    with Server(tmp_path_factory.mktemp("aged"), connections={CENTRAL: f"{central.base}r/"}) as front:
        front.make("dom", "repo").boto().associate_external_connection(
            domain="dom", repository="repo", externalConnection=CENTRAL
        )
        shop = Shop(front, "maven", "repo")
        first = shop("GET", old.metadata).text
        central.release(new)
        still = shop("GET", old.metadata).text
        asked = shop("GET", new.path(".pom")).status
        now = shop("GET", old.metadata).text

    assert (first == still, asked) == (True, 200)
    assert "<release>2.0</release>" in now
