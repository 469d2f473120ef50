"""A whole server in front of a public registry that means harm.

Whatever it answers, our clients get an answer (never 500, and "not there" only where it said so), nothing that was
not checked is kept, nobody else is asked, and other packages go on.
"""

from __future__ import annotations

import gzip
import itertools
import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.chains.public import PublicNpm, tarball
from tests.faults.publishes import settled
from tests.harness import Answer as Got
from tests.harness import Server
from tests.upstreams.wire import Answer, Asked, Handler

JSON = "application/vnd.pypi.simple.v1+json"


class Evil:
    """`repo` above a repository with a connection for each format, both to one registry.

    What is called `left` here has a name of its own in each test.
    """

    def __init__(self, front: Server, public: PublicNpm, name: str) -> None:
        self.name = name
        self.front = front
        self.public = public
        self.before = settled(front)
        self.body = tarball(name, "1.0.0")

    def npm(self, path: str = "left") -> Got:
        return self.front.get(self.front.endpoint("npm") + self._named(path), token=self.front.token())

    def file(self) -> Got:
        return self.npm("left/-/left-1.0.0.tgz")

    def pypi(self, path: str = "simple/left/", accept: str = JSON) -> Got:
        address = self.front.endpoint("pypi") + self._named(path)
        return self.front.get(address, token=self.front.token(), headers={"Accept": accept})

    def document(self, **dist: Any) -> bytes:
        dist = {"tarball": f"{self.public.base}left/-/left-1.0.0.tgz", **dist}
        versions = {"1.0.0": {"name": "left", "version": "1.0.0", "dist": dist}}
        text = json.dumps({"name": "left", "dist-tags": {"latest": "1.0.0"}, "versions": versions})
        return self._named(text).encode()

    def answers(self, path: str, answer: Answer | Handler) -> None:
        self.public.wire.answers[self._named(path)] = answer

    def lists(self, body: bytes | None = None, headers: Mapping[str, str] | None = None, **dist: Any) -> None:
        body = self.document(**dist) if body is None else body
        self.answers("/left", Answer(200, body, {"Content-Type": "application/json", **(headers or {})}))

    def sends(self, answer: Answer) -> None:
        self.answers("/left/-/left-1.0.0.tgz", answer)

    def offers(self, **file: Any) -> None:
        """A page of the simple index with one file."""
        entry = {"filename": "left-1.tar.gz", "url": f"{self.public.base}py/f/left-1.tar.gz", "hashes": {}, **file}
        body = self._named(json.dumps({"meta": {"api-version": "1.0"}, "name": "left", "files": [entry]}))
        self.answers("/py/simple/left/", Answer(200, body.encode(), {"Content-Type": JSON}))
        self.answers("/py/f/left-1.tar.gz", Answer(200, b"bytes"))

    def kept(self) -> list[str]:
        pages = self.front.boto().list_packages(domain="dom", repository="repo", packagePrefix=self.name)
        return [each["package"] for each in pages["packages"]]

    def _named(self, text: str) -> str:
        return text.replace("left", self.name)


@pytest.fixture(scope="module")
def fronts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, PublicNpm]]:
    """One server and one registry for all; every test has a package of its own."""
    settings = {"upstreams": {"listing_age": 0, "negative_age": 0, "connect_timeout": 2, "read_timeout": 1}}
    with PublicNpm() as public:
        addresses = {"public:npmjs": public.base, "public:pypi": public.base + "py/"}
        with Server(tmp_path_factory.mktemp("evil") / "data", settings=settings, connections=addresses) as front:
            front.make("dom", "npm-store", "pypi-store", "repo", repo=["npm-store", "pypi-store"])
            for name, connection in (("npm-store", "public:npmjs"), ("pypi-store", "public:pypi")):
                front.boto().associate_external_connection(domain="dom", repository=name, externalConnection=connection)
            yield front, public
            front.stop()
            assert [line for line in front.records() if line.get("status") == 500] == []


@pytest.fixture
def evil(fronts: tuple[Server, PublicNpm]) -> Iterator[Evil]:
    yield Evil(*fronts, f"evil{next(_number)}")
    fronts[1].wire.answers.clear()
    fronts[1].wire.asked.clear()


_number = itertools.count()

OUT = [
    "file:///etc/passwd",
    "ftp://127.0.0.1/x",
    "//169.254.169.254/latest/meta-data/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fe80::1]/",
    "http://2130706433:PORT/secret",
    "http://0x7f000001:PORT/secret",
    "http://127.1:PORT/secret",
    "http://127.0.0.1.:PORT/secret",
    "http://\uff11\uff12\uff17.0.0.1:PORT/secret",
    "http://127.0.0.1:0/",
    "http://127.0.0.1:99999/",
    "http://[::1/",
    "javascript:alert(1)",
    "data:,x",
    "\x7f",
]


@pytest.mark.parametrize("address", OUT)
def test_nobody_else_is_asked(evil: Evil, address: str) -> None:
    address = address.replace("PORT", str(evil.public.wire.port))
    evil.public.wire.answers["/secret"] = Answer(200, b"secret")

    for status in (302, 307):
        evil.answers("/left", Answer(status, headers={"Location": address.encode().decode("latin-1")}))
        assert (evil.npm().status, evil.file().status) == (502, 502)
    evil.lists(tarball=address)
    assert evil.file().status == 502
    evil.lists()
    evil.sends(Answer(302, headers={"Location": address.encode().decode("latin-1")}))
    assert evil.file().status == 502
    evil.offers(url=address)
    assert evil.pypi("simple/left/1/left-1.tar.gz").status in (404, 502)
    evil.offers(provenance=address)
    assert evil.pypi().status == 200
    assert evil.pypi("simple/left/1/left-1.tar.gz.provenance").status in (404, 502)

    assert "/secret" not in evil.public.wire.paths()
    assert evil.kept() == []


def test_redirects_that_grow_or_turn_in_circles_end(evil: Evil) -> None:
    def grows(asked: Asked) -> Answer:
        evil.public.wire.answers[asked.path + "x"] = grows
        return Answer(301, headers={"Location": asked.path + "x"})

    evil.answers("/left", grows)
    assert evil.npm().status == 502
    evil.answers("/left", lambda asked: Answer(301, headers={"Location": asked.path}))
    assert evil.npm().status == 502
    assert len(evil.public.wire.asked) < 40


@pytest.mark.parametrize("status", [201, 204, 206, 300, 304, 400, 401, 403, 405, 451, 599, 700])
def test_only_404_and_410_mean_not_there(evil: Evil, status: int) -> None:
    for path in ("/left", "/py/simple/left/"):
        evil.answers(path, Answer(status, b""))
    assert (evil.npm().status, evil.file().status, evil.pypi().status) == (502, 502, 502)

    evil.lists()
    evil.sends(Answer(status, evil.body))
    assert evil.file().status == 502
    assert evil.kept() == []


@pytest.mark.parametrize(
    "headers",
    [
        {"ETag": "\xff\xfe"},
        {"Last-Modified": "\xff"},
        {"ETag": "x" * 8000},
        {"ETag": '"' + "x" * 60_000 + '"'},
        {"Content-Type": "\xff/\xfe"},
        {"Retry-After": "9" * 5000},
        {"Set-Cookie": "a=b"},
        {"Content-Encoding": "bogus"},
        {"Link": "x" * 30_000},
    ],
)
def test_odd_headers_do_no_harm(evil: Evil, headers: dict[str, str]) -> None:
    evil.lists(headers=headers)
    evil.sends(Answer(200, evil.body, headers))

    for _ in range(2):
        assert evil.npm().status == 200
    assert evil.file().body == evil.body


@pytest.mark.parametrize(
    "headers",
    [{"X": "y" * 100_000}, {"Content-Length": "5"}, {"Content-Length": "-5"}, {"Transfer-Encoding": "chunked"}],
)
def test_a_page_in_broken_http_harms_nobody_else(evil: Evil, headers: dict[str, str]) -> None:
    other = evil.public.publish("right", "1.0.0")
    evil.lists(headers=headers)

    for _ in range(4):
        assert evil.npm().status == 502

    assert evil.npm("right/-/right-1.0.0.tgz").body == other


def test_a_listing_that_inflates_without_end_is_refused(evil: Evil) -> None:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(b" " * 1_000_000) for _ in range(300)) + packer.flush()
    evil.lists(bomb, {"Content-Encoding": "gzip"})

    answer = evil.npm()

    assert answer.status == 502
    assert b"more than" in answer.body


def test_a_listing_without_end_is_refused(evil: Evil) -> None:
    async def endless() -> Any:
        while True:
            yield b" " * 1_000_000

    evil.answers("/left", Answer(200, endless, {"Content-Type": "application/json"}, length=None))

    assert evil.npm().status == 502


@pytest.mark.parametrize(
    ("answer", "dist"),
    [
        (Answer(200, b""), {}),
        (Answer(200, b"<html>", {"Content-Type": "text/html"}), {}),
        (Answer(206, b"x", {"Content-Range": "bytes 0-0/1"}), {}),
        (Answer(200, b"other bytes than listed"), {"shasum": "0" * 40}),
        (Answer(200, gzip.compress(b"x" * 9999)), {"integrity": "sha512-" + "A" * 86 + "=="}),
        (Answer(200, b"short", length=5000), {}),
    ],
)
def test_what_cannot_be_the_file_is_not_kept(evil: Evil, answer: Answer, dist: dict[str, Any]) -> None:
    evil.lists(**dist)
    evil.sends(answer)

    assert evil.file().status == 502
    assert evil.kept() == []
    assert settled(evil.front) == evil.before


@pytest.mark.parametrize(
    "file",
    [
        {"upload-time": "0001-01-01T00:00:00+14:00"},
        {"upload-time": "9999-12-31T23:59:59-14:00"},
        {"size": 10**30},
        {"size": -1},
        {"hashes": {"<script>": "aa", "md5": ""}},
        {"requires-python": "<script>\x00\r\n\"'"},
        {"yanked": "<script>alert(1)</script>"},
        {"gpg-sig": True, "provenance": "javascript:alert(1)"},
        {"core-metadata": {"sha256": '"><script>'}},
    ],
)
def test_an_odd_entry_of_an_index_is_shown_plain(evil: Evil, file: dict[str, Any]) -> None:
    evil.offers(**file)

    pages = [evil.pypi(), evil.pypi(accept="text/html"), evil.pypi("pypi/left/json")]

    assert [page.status for page in pages] == [200, 200, 200]
    assert b"<script" not in pages[1].body
    assert b"javascript:" not in pages[0].body
    assert evil.pypi("simple/left/1/left-1.tar.gz").body == b"bytes"


@pytest.mark.parametrize(
    "name", ["../../left-1.tar.gz", "<b>-1.tar.gz", "left-1.tar.gz\n", "right-1.tar.gz", ".", "\u2028-1.zip"]
)
def test_a_file_of_a_strange_name_is_left_out(evil: Evil, name: str) -> None:
    evil.offers(filename=name)

    assert evil.pypi().status in (200, 404)
    assert name.strip().encode() not in evil.pypi(accept="text/html").body.replace(b"left-1.tar.gz\n", b"")


@pytest.mark.parametrize("version", ["__proto__", "../../x", "1.0.0/../../x", "<script>", "1.0.0\n", "9" * 5000, ""])
def test_a_version_of_a_strange_name_is_left_out(evil: Evil, version: str) -> None:
    document = json.loads(evil.document())
    document["versions"][version] = document["versions"]["1.0.0"]
    document["dist-tags"] = {"latest": version, "__proto__": "1.0.0", version: "1.0.0"}
    evil.lists(json.dumps(document).encode())

    assert list(evil.npm().json()["versions"]) == ["1.0.0"]


def test_a_version_that_says_it_is_another_package_is_left_out(evil: Evil) -> None:
    document = json.loads(evil.document())
    document["versions"]["2.0.0"] = {**document["versions"]["1.0.0"], "name": "right", "version": "2.0.0"}
    document["versions"]["3.0.0"] = {**document["versions"]["1.0.0"], "version": "4.0.0"}
    evil.lists(json.dumps(document).encode())

    assert list(evil.npm().json()["versions"]) == ["1.0.0"]
