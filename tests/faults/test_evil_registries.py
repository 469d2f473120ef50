"""A whole server in front of registries of Maven, Cargo, NuGet and Ruby that mean harm (see test_evil_registry)."""

from __future__ import annotations

import hashlib
import itertools
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from protocols.nuget import fetch
from tests.chains.public import PublicNpm
from tests.faults.publishes import settled
from tests.harness import Answer as Got
from tests.harness import Server
from tests.samples import cargo, maven, nuget, ruby
from tests.upstreams.wire import Answer

CONNECTIONS = {
    "maven": "public:maven-central",
    "cargo": "public:crates-io",
    "nuget": "public:nuget-org",
    "ruby": "public:ruby-gems-org",
}
_number = itertools.count()


@dataclass
class Evil:
    """One format's registry.  `index` is the document that lists versions, `file` the path of version 1.0.0's file."""

    format: str
    word: str
    front: Server
    public: PublicNpm

    def __post_init__(self) -> None:
        self.made = _MADE[self.format](self.word, f"{self.public.base}{self.format}/")
        self.before = settled(self.front)
        for path, body in self.made.settings.items():
            self.sends(path, Answer(200, body))

    def sends(self, path: str, answer: Answer) -> None:
        self.public.wire.answers[f"/{self.format}/{path}"] = answer

    def lists(self, body: bytes | None = None, **more: Any) -> None:
        self.sends(self.made.index, Answer(200, self.made.listing if body is None else body, **more))

    def gives(self, answer: Answer | None = None) -> None:
        self.sends(self.made.file, answer or Answer(200, self.made.body))

    def get(self, path: str) -> Got:
        return self.front.get(self.front.endpoint(self.format) + path, token=self.front.token())

    def listing(self) -> Got:
        return self.get(self.made.our_index)

    def file(self) -> Got:
        return self.get(self.made.our_file)

    def kept(self) -> list[str]:
        pages = self.front.boto().list_packages(domain="dom", repository="repo", packagePrefix=self.word)
        return [each["package"] for each in pages["packages"]]


@dataclass
class Made:
    """What an honest registry has, and where; `our_...` are our own addresses."""

    index: str
    listing: bytes
    file: str
    body: bytes
    our_index: str
    our_file: str
    settings: dict[str, bytes]


def _maven(word: str, base: str) -> Made:
    artifact = maven.Artifact("com.evil", word, "1.0.0")
    body = maven.jar(artifact)
    path = artifact.path()
    sums = {f"{path}.sha1": hashlib.sha1(body).hexdigest().encode()}
    return Made(artifact.metadata, maven.metadata(artifact), path, body, artifact.metadata, path, sums)


def _cargo(word: str, base: str) -> Made:
    body = cargo.crate(word)
    index, file = cargo.path(word), f"api/v1/crates/{word}/1.0.0/download"
    listing = json.dumps(cargo.line(word, "1.0.0", body)).encode() + b"\n"
    config = json.dumps({"dl": f"{base}api/v1/crates", "api": base}).encode()
    return Made(index, listing, file, body, index, file, {"config.json": config})


def _nuget(word: str, base: str) -> Made:
    body = nuget.Package(word).nupkg()
    index, file = f"flat/{word}/index.json", f"flat/{word}/1.0.0/{word}.1.0.0.nupkg"
    kinds = (("flat/", "PackageBaseAddress/3.0.0"), ("reg/", "RegistrationsBaseUrl/3.6.0"))
    service = {"version": "3.0.0", "resources": [{"@id": base + path, "@type": kind} for path, kind in kinds]}
    return Made(
        index, b'{"versions":["1.0.0"]}', file, body, f"v3/{index}", f"v3/{file}",
        {"v3/index.json": json.dumps(service).encode()},
    )  # fmt: skip


def _ruby(word: str, base: str) -> Made:
    body = ruby.Gem(word).build()
    index, file = f"info/{word}", f"gems/{word}-1.0.0.gem"
    listing = f"---\n1.0.0 |checksum:{hashlib.sha256(body).hexdigest()}\n".encode()
    return Made(index, listing, file, body, index, file, {})


_MADE: dict[str, Callable[[str, str], Made]] = {"maven": _maven, "cargo": _cargo, "nuget": _nuget, "ruby": _ruby}


@pytest.fixture(scope="module")
def fronts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, PublicNpm]]:
    settings = {"upstreams": {"listing_age": 0, "negative_age": 0, "connect_timeout": 2, "read_timeout": 1}}
    with PublicNpm() as public:
        addresses = {
            name: f"{public.base.replace('://', '://who:password@')}{format}/" for format, name in CONNECTIONS.items()
        }
        with Server(tmp_path_factory.mktemp("evil") / "data", settings=settings, connections=addresses) as front:
            stores = [f"{format}-store" for format in CONNECTIONS]
            front.make("dom", *stores, "repo", repo=stores)
            for format, name in CONNECTIONS.items():
                front.boto().associate_external_connection(
                    domain="dom", repository=f"{format}-store", externalConnection=name
                )
            yield front, public
            front.stop()
            said = front.log.getvalue()
            assert "password" not in said
            assert [line for line in front.records() if line.get("status") == 500] == []


@pytest.fixture(params=CONNECTIONS)
def evil(request: pytest.FixtureRequest, fronts: tuple[Server, PublicNpm]) -> Iterator[Evil]:
    number = "".join(chr(ord("a") + int(each)) for each in str(next(_number)))
    yield Evil(request.param, f"evil{number}", *fronts)
    fronts[1].wire.answers.clear()
    fronts[1].wire.asked.clear()


def test_an_honest_registry_is_believed(evil: Evil) -> None:
    """Else the tests below would say nothing."""
    evil.lists()
    evil.gives()

    assert evil.listing().status == 200
    assert b"1.0.0" in evil.listing().body
    assert evil.file().body == evil.made.body
    assert evil.kept() == [evil.word]


BROKEN = {
    "html": b"<!DOCTYPE html><html><body>Sign in to the network</body></html>",
    "nothing": b"",
    "cut": None,
    "zeros": bytes(300),
    "deep": b"[" * 300_000,
    "number": b"5",
    "text": "\ufeff\u2028{".encode(),
}


@pytest.mark.parametrize("broken", ["html", "cut", "zeros", "deep", "number", "text"])
def test_an_index_that_is_none_is_never_not_there(evil: Evil, broken: str) -> None:
    body = BROKEN[broken]
    if body is None:
        body = evil.made.listing[: len(evil.made.listing) // 2]
        if evil.format == "ruby":
            body = b"--"
    evil.lists(body)

    assert evil.listing().status == 502, evil.listing().body
    assert evil.kept() == []


@pytest.mark.parametrize("status", [204, 206, 401, 403, 429, 500])
def test_an_answer_that_says_nothing_is_never_not_there(evil: Evil, status: int) -> None:
    """NuGet's flat container may answer 204 of a package that is not there."""
    evil.lists()
    evil.sends(evil.made.index, Answer(status, b"no"))
    said = evil.listing().status
    assert said in (502, 503, 504) or (evil.format, status, said) == ("nuget", 204, 404)

    evil.lists()
    evil.gives(Answer(status, evil.made.body))
    assert evil.file().status in (502, 503, 504)
    assert evil.kept() == []


def test_a_registry_that_hangs_is_never_not_there(evil: Evil) -> None:
    async def slow() -> Any:
        import asyncio

        yield b" "
        await asyncio.sleep(30)

    evil.sends(evil.made.index, Answer(200, slow, length=None))

    assert evil.listing().status in (502, 503, 504)


@pytest.mark.parametrize(
    "address",
    ["file:///etc/passwd", "http://169.254.169.254/x", "http://localhost.:PORT/secret",
     "http://[::ffff:127.0.0.1]:PORT/secret", "//169.254.169.254/x", "http://[x"],
)  # fmt: skip
def test_redirects_lead_nowhere_else(evil: Evil, address: str) -> None:
    """Of the addresses below, those that are this very machine may be asked, but not with the credentials."""
    address = address.replace("PORT", str(evil.public.wire.port))
    evil.sends("../secret", Answer(200, b"secret"))
    evil.public.wire.answers["/secret"] = Answer(200, b"secret")
    evil.sends(evil.made.index, Answer(302, headers={"Location": address}))
    assert evil.listing().status == 502
    evil.lists()
    evil.gives(Answer(302, headers={"Location": address}))
    assert evil.file().status == 502
    assert evil.kept() == []
    for asked in evil.public.wire.asked:
        if asked.path == "/secret":
            assert "authorization" not in {name.lower() for name in asked.headers}


def test_an_index_that_inflates_without_end_is_refused(evil: Evil) -> None:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(b" " * 1_000_000) for _ in range(100)) + packer.flush()
    evil.lists(bomb, headers={"Content-Encoding": "gzip"})

    assert evil.listing().status == 502


def test_an_index_without_end_is_refused(evil: Evil) -> None:
    async def endless() -> Any:
        while True:
            yield b" " * 1_000_000

    evil.sends(evil.made.index, Answer(200, endless, length=None))

    assert evil.listing().status == 502


@pytest.mark.parametrize("body", [b"", b"<html>", b"other bytes"], ids=["nothing", "html", "other"])
def test_bytes_that_cannot_be_the_file_are_not_kept(evil: Evil, body: bytes) -> None:
    evil.lists()
    evil.gives(Answer(200, body))

    assert evil.file().status == 502
    assert evil.kept() == []
    assert settled(evil.front) == evil.before


def test_a_file_cut_short_or_of_another_package_is_not_kept(evil: Evil) -> None:
    evil.lists()
    evil.gives(Answer(200, evil.made.body[:-9], length=len(evil.made.body)))
    try:
        assert evil.file().status == 502
    except OSError:
        pass
    except Exception as err:  # a download that began is broken off
        assert "IncompleteRead" in type(err).__name__
    assert evil.kept() == []

    other = _MADE[evil.format]("someoneelse", evil.public.base)
    evil.gives(Answer(200, other.body))
    try:
        assert evil.file().status == 502
    except Exception as err:
        assert "IncompleteRead" in type(err).__name__
    assert evil.kept() == []
    assert settled(evil.front) == evil.before


VERSIONS = ["../../x", "1.0.0/../x", "<script>", "1.0.0\n", "9" * 3000, "", "%2e%2e", "1.0.0\x00", "..", "1 0"]


def test_versions_of_strange_names_are_left_out(evil: Evil) -> None:
    first = evil.made.listing
    if evil.format == "maven":
        shown = "".join(
            f"<version>{v}</version>" for v in ["../../x", "1.0.0/../x", "9" * 3000, "", "..", "1 0", "a:b"]
        )
        body = first.replace(b"<versions>", b"<versions>" + shown.encode())
    elif evil.format == "cargo":
        lines = [json.dumps({**json.loads(first), "vers": version}).encode() for version in VERSIONS]
        other = json.dumps({**json.loads(first), "name": "another", "vers": "3.0.0"}).encode()
        body = b"\n".join([first, *lines, other, b"{}", b"null", b"\xff"])
    elif evil.format == "nuget":
        body = json.dumps({"versions": ["1.0.0", *VERSIONS, None, 5, {}]}).encode()
    else:
        body = first + "".join(f"{version} |checksum:{'0' * 64}\n" for version in VERSIONS).encode()
    evil.lists(body)

    answer = evil.listing()

    assert answer.status == 200
    assert b"1.0.0" in answer.body
    for mark in (b"../", b"<script", b"999999", b"%2e", b"another", b"\x00"):
        assert mark not in answer.body, mark


def test_pages_of_a_registration_have_a_limit_together(
    fronts: tuple[Server, PublicNpm], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "MAX_REGISTRATION", 5000)
    for count, status in ((3, 200), (9, 502)):
        evil = Evil("nuget", f"evilpages{count}", *fronts)
        evil.lists()
        pages = [{"@id": f"{evil.public.base}nuget/page{each}"} for each in range(count)]
        evil.sends(f"reg/{evil.word}/index.json", Answer(200, json.dumps({"items": pages}).encode()))
        for each in range(count):
            evil.sends(f"page{each}", Answer(200, json.dumps({"items": [], "x": "y" * 900}).encode()))
        assert evil.listing().status == status
    evil.public.wire.answers.clear()
