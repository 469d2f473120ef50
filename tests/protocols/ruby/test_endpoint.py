"""The endpoint as raw requests see it."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import socket
import time
import zlib
from base64 import b64encode
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any
from urllib.parse import urlsplit

import pytest

from protocols.ruby import unmarshal
from tests.chains.town import new_user
from tests.harness import Answer, Server, basic
from tests.samples.base import Shop
from tests.samples.pypi import multipart
from tests.samples.ruby import Gem, push, tags

PUBLIC = "public:ruby-gems-org"
_numbers = itertools.count()


class Town:
    """Two servers for all tests; each test has repositories of its own."""

    def __init__(self, front: Server, back: Server) -> None:
        self.front, self.back = front, back
        self.aws = front.boto()

    def shop(self, name: str = "repo", *upstreams: Shop, connected: bool = False) -> Shop:
        full = f"{name}{next(_numbers)}"
        above = [{"repositoryName": each.repo} for each in upstreams]
        self.aws.create_repository(domain="dom", repository=full, upstreams=above)
        if connected:
            self.aws.associate_external_connection(domain="dom", repository=full, externalConnection=PUBLIC)
        return Shop(self.front, "ruby", full)

    @property
    def public(self) -> Shop:
        return Shop(self.back, "ruby", "main", "pub")

    def word(self) -> str:
        return f"gem{next(_numbers)}"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    settings = {"upstreams": {"listing_age": 0, "negative_age": 0}, "quotas": {"repositories_per_domain": 1000}}
    with Server(tmp_path_factory.mktemp("back")) as back:
        back.make("pub", "main")
        address = back.endpoint("ruby", "main", "pub", token=back.token("pub"))
        with Server(tmp_path_factory.mktemp("front"), settings=settings, connections={PUBLIC: address}) as front:
            yield Town(front.make("dom"), back)


def published(shop: Shop, *gems: Gem) -> None:
    for gem in gems:
        answer = push(shop, gem.build())
        assert answer.status == 200, answer.text


def info(shop: Shop, name: str) -> list[str]:
    answer = shop("GET", f"info/{name}")
    assert answer.status == 200, answer.text
    return tags(answer.text)


def listed(shop: Shop, file: str) -> list[tuple[str, str, str]]:
    """A full index, by the reader of Marshal in the tests."""
    return specs(gzip.decompress(shop("GET", file).body))


def specs(dump: bytes) -> list[tuple[str, str, str]]:
    """[[name, Gem::Version, platform], ...]: the versions are taken for what they hold."""
    plain = dump.replace(b"U:\x11Gem::Version[\x06", b"[\x06")
    value: Any = unmarshal.load(plain)
    return [(name, version[0], platform) for name, version, platform in value]


# --- push ----------------------------------------------------------------------------------------


def test_a_push_is_told_in_one_line_and_a_second_one_too(town: Town) -> None:
    shop, body = town.shop(), Gem().build()

    first, again = push(shop, body), push(shop, body)

    assert (first.status, first.text) == (200, "Successfully registered gem: hola (1.0.0)\n")
    assert (again.status, again.text) == (200, "Gem was already pushed: hola (1.0.0)\n")
    assert first.headers["content-type"].startswith("text/plain")


def test_other_bytes_are_a_conflict(town: Town) -> None:
    shop = town.shop()
    published(shop, Gem())

    answer = push(shop, Gem(summary="Another").build())

    assert answer.status == 409
    assert answer.text.startswith("Repushing of gem versions is not allowed. Version 1.0.0 of package hola already has")


@pytest.mark.parametrize("path", ["/api/v1/gems", "//api//v1/gems", "api/v1/gems/"])
def test_a_host_with_a_slash_makes_no_difference(town: Town, path: str) -> None:
    shop = town.shop()

    assert shop("POST", path, Gem().build()).status == 200


def test_a_key_comes_in_many_forms(town: Town) -> None:
    shop = town.shop()
    token = town.front.token()
    endpoint = f"{shop.endpoint}api/v1/gems"

    for number, header in enumerate(
        [token, f"Bearer {token}", basic(token), f"{basic(token)}, any", f"{basic(token)}, Bearer x"]
    ):
        body = Gem(version=f"1.{number}").build()
        answer = town.front.request("POST", endpoint, body=body, headers={"Authorization": header})
        assert answer.status == 200, (header[:12], answer.text)


@pytest.mark.parametrize(
    "header", [None, "", "wrong", "Bearer wrong", basic("wrong"), "Basic", "Basic %%%", "Digest a b"]
)
def test_a_bad_key_is_a_sentence(town: Town, header: str | None) -> None:
    shop = town.shop()
    headers = {} if header is None else {"Authorization": header}

    answer = town.front.request("POST", f"{shop.endpoint}api/v1/gems", body=Gem().build(), headers=headers)

    assert answer.status == 401
    assert answer.text.startswith("Access denied. ")
    assert answer.headers["www-authenticate"] == 'Basic realm="packyard"'


def test_an_attested_push_comes_as_a_form(town: Town) -> None:
    shop = town.shop()
    kind, body = multipart([("attestations", "[]")], [("gem", "hola-1.0.0.gem", Gem().build())])

    answer = shop("POST", "api/v1/gems", body, {"Content-Type": kind})

    assert (answer.status, info(shop, "hola")) == (200, ["1.0.0"])
    empty, nothing = multipart([("attestations", "[]")], [])
    assert shop("POST", "api/v1/gems", nothing, {"Content-Type": empty}).status == 422


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"", "no gem"), (b"x" * 2000, "header"), (Gem().build(metadata=b"a: !ruby/object:Kernel x"), "object of a kind")],
)
def test_what_is_no_gem_is_refused_with_the_reason(town: Town, body: bytes, reason: str) -> None:
    answer = push(town.shop(), body)

    assert answer.status == 422
    assert reason in answer.text


def test_a_large_gem_of_one_who_may_not_push_is_refused_before_it_is_here(town: Town) -> None:
    shop = town.shop()
    published(shop, Gem())
    town.aws.put_package_origin_configuration(
        domain="dom", repository=shop.repo, format="ruby", package="hola",
        restrictions={"publish": "BLOCK", "upstream": "ALLOW"},
    )  # fmt: skip
    head = f"POST {urlsplit(shop.endpoint).path}api/v1/gems HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n"
    with socket.create_connection((urlsplit(town.front.url).hostname or "", town.front.port), timeout=20) as line:
        line.sendall(f"{head}Authorization: Bearer {town.front.token()}\r\n\r\n".encode())
        line.sendall(Gem(version="2.0.0").build() + bytes(512 * 1024))
        answer = line.recv(65536)

    assert answer.startswith(b"HTTP/1.1 403 ")


def test_platforms_are_assets_of_one_version(town: Town) -> None:
    shop = town.shop()
    published(shop, Gem(), Gem(platform="java"), Gem(platform="x86_64-linux"))

    assets = town.aws.list_package_version_assets(
        domain="dom", repository=shop.repo, format="ruby", package="hola", packageVersion="1.0.0"
    )["assets"]

    assert [each["name"] for each in assets] == [
        "hola-1.0.0-java.gem", "hola-1.0.0-x86_64-linux.gem", "hola-1.0.0.gem",
    ]  # fmt: skip
    assert info(shop, "hola") == ["1.0.0", "1.0.0-java", "1.0.0-x86_64-linux"]
    for gem in (Gem(), Gem(platform="java")):
        assert shop("GET", f"gems/{gem.file}").body == gem.build()


def test_the_api_tells_of_a_gem_what_its_author_wrote(town: Town) -> None:
    shop = town.shop()
    needs = [("rack", ["~> 2.0"], "runtime"), ("rake", [">= 0"], "development")]
    published(shop, Gem(needs=needs))
    where = {"domain": "dom", "repository": shop.repo, "format": "ruby", "package": "hola", "packageVersion": "1.0.0"}

    told = town.aws.describe_package_version(**where)["packageVersion"]
    dependencies = town.aws.list_package_version_dependencies(**where)["dependencies"]

    assert (told["displayName"], told["summary"], told["homePage"]) == (
        "hola", "Says hello", "https://example.com/hola",
    )  # fmt: skip
    assert told["sourceCodeRepository"] == "https://example.com/source"
    assert [each["name"] for each in told["licenses"]] == ["MIT"]
    assert {(d["package"], d["dependencyType"], d["versionRequirement"]) for d in dependencies} == {
        ("rack", "runtime", "~> 2.0"),
        ("rake", "development", ">= 0"),
    }
    assert town.aws.get_package_version_readme(**where)["readme"] == "# Hola\n"


# --- the compact index ---------------------------------------------------------------------------


def test_a_page_has_a_line_for_each_gem_in_the_order_in_which_they_came(town: Town) -> None:
    shop = town.shop()
    gem = Gem(version="1.10", needs=[("b", ["~> 1.0", ">= 1.0.2"], "runtime"), ("c", [">= 0"], "runtime"),
                                     ("dev", [">= 0"], "development")], rubygems=(">= 3",))  # fmt: skip
    published(shop, gem, Gem(version="1.9", ruby=(">= 0",)))

    lines = shop("GET", "info/hola").text.splitlines()

    assert lines[0] == "---"
    day = time.strftime("%Y-%m-%dT", time.gmtime())
    digest = hashlib.sha256(gem.build()).hexdigest()
    assert lines[1].startswith(
        f"1.10 b:>= 1.0.2&~> 1.0,c:>= 0|checksum:{digest},ruby:>= 2.5,rubygems:>= 3,created_at:{day}"
    )
    assert lines[2].startswith("1.9 |checksum:")
    assert len(lines) == 3


def test_the_digests_are_those_that_bundler_checks(town: Town) -> None:
    shop = town.shop()
    published(shop, *(Gem(version=f"1.{n}") for n in range(40)))

    for path in ("info/hola", "versions", "names"):
        plain = shop("GET", path)
        packed = shop("GET", path, headers={"Accept-Encoding": "gzip"})

        digest = b64encode(hashlib.sha256(plain.body).digest()).decode()
        assert plain.headers["etag"] == f'"{hashlib.md5(plain.body).hexdigest()}"' == packed.headers["etag"]
        assert plain.headers["repr-digest"] == f"sha-256=:{digest}:" == packed.headers["repr-digest"]
        assert plain.headers["digest"] == f"sha-256={digest}"
        if path != "names":
            assert gzip.decompress(packed.body) == plain.body
            assert packed.headers["content-encoding"] == "gzip"


def test_versions_has_the_digest_of_every_page(town: Town) -> None:
    shop = town.shop()
    published(shop, Gem(), Gem("other", "2.0"), Gem(version="1.1"), Gem("other", "2.0", platform="java"))

    text = shop("GET", "versions").text

    head, _, rest = text.partition("---\n")
    assert head.startswith("created_at: ")
    rows = [line.split(" ") for line in rest.splitlines()]
    assert [(name, tag) for name, tag, _ in rows] == [
        ("hola", "1.0.0"), ("other", "2.0"), ("hola", "1.1"), ("other", "2.0-java"),
    ]  # fmt: skip
    last = {name: md5 for name, _, md5 in rows}
    for name, md5 in last.items():
        assert hashlib.md5(shop("GET", f"info/{name}").body).hexdigest() == md5
    assert shop("GET", "names").text == "---\nhola\nother\n"


def test_a_client_reads_on_from_where_it_had_come_to(town: Town) -> None:
    shop = town.shop()
    published(shop, Gem())
    before = {path: shop("GET", path) for path in ("versions", "info/hola")}
    published(shop, Gem(version="1.1"))

    for path, old in before.items():
        size = len(old.body)
        sent = {"If-None-Match": old.headers["etag"], "Range": f"bytes={size - 1}-", "Accept-Encoding": "gzip"}
        answer = shop("GET", path, headers=sent)

        whole = shop("GET", path)
        assert answer.status == 206
        assert old.body[:-1] + answer.body == whole.body
        assert answer.headers["content-range"] == f"bytes {size - 1}-{len(whole.body) - 1}/{len(whole.body)}"
        assert "content-encoding" not in answer.headers
        assert answer.headers["repr-digest"] == whole.headers["repr-digest"]
        now = {"If-None-Match": whole.headers["etag"], "Range": f"bytes={len(whole.body) - 1}-"}
        assert shop("GET", path, headers=now).status == 304
        beyond = shop("GET", path, headers={"Range": f"bytes={len(whole.body)}-"})
        assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{len(whole.body)}")
        head = shop("HEAD", path)
        assert (head.status, head.body, head.headers["etag"]) == (200, b"", whole.headers["etag"])


def test_what_is_taken_away_is_in_no_index_and_the_digests_say_so(town: Town) -> None:
    shop = town.shop()
    published(shop, Gem(), Gem(version="1.1"), Gem("other"))
    before = shop("GET", "versions")
    where = {"domain": "dom", "repository": shop.repo, "format": "ruby", "package": "hola"}

    town.aws.update_package_versions_status(**where, versions=["1.0.0"], targetStatus="Unlisted")

    assert info(shop, "hola") == ["1.1"]
    assert "hola 1.0.0" not in shop("GET", "versions").text
    assert listed(shop, "specs.4.8.gz") == [("hola", "1.1", "ruby"), ("other", "1.0.0", "ruby")]
    assert shop("GET", "gems/hola-1.0.0.gem").status == 200
    assert shop("GET", "quick/Marshal.4.8/hola-1.0.0.gemspec.rz").status == 200
    tail = shop("GET", "versions", headers={"Range": f"bytes={len(before.body) - 1}-"})
    assert tail.headers["repr-digest"] != before.headers["repr-digest"]
    town.aws.delete_package(domain="dom", repository=shop.repo, format="ruby", package="hola")
    assert shop("GET", "info/hola").status == 404
    assert shop("GET", "names").text == "---\nother\n"
    assert shop("GET", "gems/hola-1.0.0.gem").status == 404


def test_an_empty_repository_has_empty_indexes(town: Town) -> None:
    shop = town.shop()

    assert shop("HEAD", "").status == 200
    assert shop("HEAD", "versions").status == 200
    assert shop("GET", "versions").text.endswith("Z\n---\n")
    assert shop("GET", "names").text == "---\n"
    assert listed(shop, "latest_specs.4.8.gz") == []
    assert shop("GET", "info/hola").text == "This rubygem could not be found.\n"


# --- the full index and specifications -----------------------------------------------------------


def test_the_full_index_knows_releases_prereleases_and_the_latest(town: Town) -> None:
    shop = town.shop()
    published(
        shop, Gem(version="1.10"), Gem(version="1.9"), Gem(version="2.0.rc1"), Gem(version="1.9", platform="java"),
        Gem("apart", "0.1.a"),
    )  # fmt: skip

    assert listed(shop, "specs.4.8.gz") == [
        ("hola", "1.9", "java"), ("hola", "1.9", "ruby"), ("hola", "1.10", "ruby"),
    ]  # fmt: skip
    assert listed(shop, "latest_specs.4.8.gz") == [("hola", "1.9", "java"), ("hola", "1.10", "ruby")]
    assert listed(shop, "prerelease_specs.4.8.gz") == [("apart", "0.1.a", "ruby"), ("hola", "2.0.rc1", "ruby")]
    answer = shop("GET", "specs.4.8.gz", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in answer.headers


def test_a_change_within_the_second_in_which_the_client_wrote_its_copy_is_seen(town: Town) -> None:
    shop = town.shop()
    published(shop, Gem())
    shop("GET", "specs.4.8.gz")

    def since(moment: float) -> int:
        return shop("GET", "specs.4.8.gz", headers={"If-Modified-Since": formatdate(moment, usegmt=True)}).status

    now = time.time()
    assert since(now) == 200
    assert since(now - 3600) == 200
    assert since(now + 3600) == 200
    etag = shop("GET", "specs.4.8.gz").headers["etag"]
    assert shop("GET", "specs.4.8.gz", headers={"If-None-Match": etag}).status == 304


def test_a_specification_is_a_deflated_dump(town: Town) -> None:
    shop = town.shop()
    published(shop, Gem(needs=[("rack", ["~> 2.0"], "runtime")]), Gem(platform="java"))

    answer = shop("GET", "quick/Marshal.4.8/hola-1.0.0.gemspec.rz")

    dump = zlib.decompress(answer.body)
    assert dump.startswith(b"\x04\x08u:\x17Gem::Specification")
    assert b"rack" in dump
    again = shop("GET", "quick/Marshal.4.8/hola-1.0.0.gemspec.rz", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status == 304
    assert b"java" in zlib.decompress(shop("GET", "quick/Marshal.4.8/hola-1.0.0-java.gemspec.rz").body)
    for absent in ("hola-1.0.1", "hola", "other-1.0.0", "hola-1.0.0-x86"):
        assert shop("GET", f"quick/Marshal.4.8/{absent}.gemspec.rz").status == 404


# --- the dependencies API ------------------------------------------------------------------------


def test_dependencies_are_told_for_every_name_that_is_there(town: Town) -> None:
    shop = town.shop()
    published(shop, Gem(needs=[("rack", ["~> 2.0", ">= 2.0.1"], "runtime")]), Gem("b", "2", platform="java"))

    dump = unmarshal.load(shop("GET", "api/v1/dependencies?gems=hola,b,absent,b,-bad").body)
    document = shop("GET", "api/v1/dependencies.json?gems=hola%2Cb,absent").json()

    assert dump == document == [
        {"name": "hola", "number": "1.0.0", "platform": "ruby", "dependencies": [["rack", ">= 2.0.1, ~> 2.0"]]},
        {"name": "b", "number": "2", "platform": "java", "dependencies": []},
    ]  # fmt: skip
    probe = shop("GET", "api/v1/dependencies")
    assert (probe.status, probe.body) == (200, b"\x04\x08[\x00")
    names = ",".join(f"a{n}" for n in range(1001))
    assert shop("GET", f"api/v1/dependencies?gems={names}").status in (414, 422, 431)


# --- yank ----------------------------------------------------------------------------------------


def yank(shop: Shop, name: str, version: str, platform: str = "") -> Answer:
    body = f"gem_name={name}&version={version}" + (f"&platform={platform}" if platform else "")
    return shop("DELETE", "api/v1/gems/yank", body.encode(), {"Content-Type": "application/x-www-form-urlencoded"})


def test_a_yanked_version_is_unlisted(town: Town) -> None:
    shop = town.shop()
    published(shop, Gem(), Gem(version="1.1"))

    answer = yank(shop, "hola", "1.0.0")

    assert (answer.status, answer.text) == (200, "Successfully deleted gem: hola (1.0.0)\n")
    assert info(shop, "hola") == ["1.1"]
    assert shop("GET", "gems/hola-1.0.0.gem").status == 200
    told = town.aws.describe_package_version(
        domain="dom", repository=shop.repo, format="ruby", package="hola", packageVersion="1.0.0"
    )
    assert told["packageVersion"]["status"] == "Unlisted"
    assert push(shop, Gem().build()).status == 409


def test_one_platform_of_several_is_yanked_alone(town: Town) -> None:
    shop = town.shop()
    published(shop, Gem(), Gem(platform="java"))

    assert yank(shop, "hola", "1.0.0", "java").status == 200
    assert info(shop, "hola") == ["1.0.0"]
    assert push(shop, Gem(platform="java").build()).status == 409
    assert push(shop, Gem().build()).status == 200
    assert listed(shop, "specs.4.8.gz") == [("hola", "1.0.0", "ruby")]
    assert shop("GET", "gems/hola-1.0.0-java.gem").status == 200
    assert yank(shop, "hola", "1.0.0").status == 200
    assert shop("GET", "info/hola").status == 404
    where = {"domain": "dom", "repository": shop.repo, "format": "ruby", "package": "hola"}
    town.aws.update_package_versions_status(**where, versions=["1.0.0"], targetStatus="Published")
    assert info(shop, "hola") == ["1.0.0", "1.0.0-java"]


def test_what_is_not_there_cannot_be_yanked(town: Town) -> None:
    shop = town.shop()
    published(shop, Gem())

    assert yank(shop, "other", "1.0.0").text == "This rubygem could not be found.\n"
    assert yank(shop, "hola", "1.1").text == "The version 1.1 does not exist.\n"
    assert yank(shop, "hola", "1.0.0", "java").status == 404
    assert yank(shop, "hola", "").status == 422
    assert yank(town.shop("above", shop), "hola", "1.0.0").status == 404


# --- documents, owners, sessions -----------------------------------------------------------------


def test_tools_read_documents(town: Town) -> None:
    shop = town.shop()
    published(shop, Gem(needs=[("rack", ["~> 2.0"], "runtime")]), Gem(version="2.0.rc1"), Gem(version="0.9"))

    gem = shop("GET", "api/v1/gems/hola.json").json()
    versions = shop("GET", "api/v1/versions/hola.json").json()

    assert (gem["name"], gem["version"], gem["licenses"], gem["info"]) == ("hola", "1.0.0", ["MIT"], "Says hello")
    assert gem["dependencies"]["runtime"] == [{"name": "rack", "requirements": "~> 2.0"}]
    assert gem["sha"] == hashlib.sha256(town.front.get(gem["gem_uri"], token=town.front.token()).body).hexdigest()
    assert [(each["number"], each["prerelease"]) for each in versions] == [
        ("2.0.rc1", True), ("1.0.0", False), ("0.9", False),
    ]  # fmt: skip
    for path in ("api/v1/gems/other.json", "api/v1/versions/other.json", "api/v1/gems/hola"):
        assert shop("GET", path).status == 404


def test_owners_are_the_repositorys(town: Town) -> None:
    shop = town.shop()
    published(shop, Gem())

    assert town.front.account in shop("GET", "api/v1/gems/hola/owners.yaml").text
    assert shop("GET", "api/v1/gems/hola/owners.json").json()[0]["handle"] == town.front.account
    assert shop("GET", "api/v1/gems/other/owners.yaml").status == 404
    answer = shop("POST", "api/v1/gems/hola/owners", b"email=a%40example.com")
    assert answer.status == 405
    assert "policies" in answer.text


def test_signing_in_is_answered_with_a_sentence(town: Town) -> None:
    shop = town.shop()

    for method, path in (("POST", "api/v1/api_key"), ("PUT", "api/v1/api_key"), ("GET", "api/v1/profile/me.yaml")):
        answer = shop(method, path, b"name=x")
        assert (answer.status, path) == (405, path)
        assert "packyard login gem" in answer.text


def test_other_methods_and_paths_are_told_in_a_line(town: Town) -> None:
    shop = town.shop()

    assert shop("PUT", "versions").status == 405
    assert shop("GET", "nothing/here").status == 404
    assert shop("GET", "info/..%2f..%2fetc").status == 404
    assert shop("GET", "gems/..%2f..%2fx-1.0.gem").status == 404
    assert shop("GET", "info/").status == 404


# --- upstreams -----------------------------------------------------------------------------------


def test_indexes_of_a_repository_hold_what_its_upstreams_have(town: Town) -> None:
    up = town.shop("up")
    shop = town.shop("repo", up)
    published(up, Gem(), Gem("above"))
    published(shop, Gem("here"))

    assert shop("GET", "names").text == "---\nabove\nhere\nhola\n"
    assert info(shop, "hola") == ["1.0.0"]
    assert shop("GET", "gems/hola-1.0.0.gem").body == Gem().build()
    assert shop("GET", "names").text == "---\nabove\nhere\nhola\n"
    published(up, Gem("later"))
    assert "later" in shop("GET", "names").text
    assert ("later", "1.0.0", "ruby") in listed(shop, "specs.4.8.gz")
    town.aws.update_repository(domain="dom", repository=shop.repo, upstreams=[])
    assert shop("GET", "names").text == "---\nhere\nhola\n"


def test_where_a_connection_is_in_reach_gems_are_found_by_name(town: Town) -> None:
    store = town.shop("store", connected=True)
    shop = town.shop("repo", store)
    word, other = town.word(), town.word()
    java = Gem(word, platform="java")
    published(town.public, Gem(word, needs=[(other, ["~> 1.0"], "runtime")]), java, Gem(other))

    assert shop("GET", "versions").status == 404
    assert shop("HEAD", "versions").status == 200
    assert shop("HEAD", "").status == 200
    assert info(shop, word) == ["1.0.0", "1.0.0-java"]
    told: Any = unmarshal.load(shop("GET", f"api/v1/dependencies?gems={word},{other}").body)
    assert [(each["name"], each["dependencies"]) for each in told] == [
        (word, [[other, "~> 1.0"]]), (word, []), (other, []),
    ]  # fmt: skip
    page = shop("GET", f"info/{word}").body
    assert b"rack" not in zlib.decompress(shop("GET", f"quick/Marshal.4.8/{java.file[:-4]}.gemspec.rz").body)
    assert town.aws.list_packages(domain="dom", repository=shop.repo)["packages"] == []

    assert shop("GET", f"gems/{java.file}").body == java.build()

    for repo in (shop.repo, store.repo):
        where = {"domain": "dom", "repository": repo, "format": "ruby", "package": word, "packageVersion": "1.0.0"}
        assets = town.aws.list_package_version_assets(**where)["assets"]
        assert [each["name"] for each in assets] == [java.file]
        assert town.aws.describe_package_version(**where)["packageVersion"]["summary"] == "Says hello"
    # The page is the same to the byte, and the other platform can still be had.
    assert shop("GET", f"info/{word}").body == page == town.public("GET", f"info/{word}").body
    assert shop("GET", f"gems/{word}-1.0.0.gem").status == 200
    assert listed(shop, "specs.4.8.gz") == [(word, "1.0.0", "java"), (word, "1.0.0", "ruby")]


def test_what_the_registry_yanks_stays_where_it_was_retained(town: Town) -> None:
    store = town.shop("store", connected=True)
    word = town.word()
    published(town.public, Gem(word), Gem(word, "1.1"))
    assert store("GET", f"gems/{word}-1.0.0.gem").status == 200

    assert yank(town.public, word, "1.0.0").status == 200
    assert yank(town.public, word, "1.1").status == 200

    assert info(store, word) == ["1.0.0"]
    assert store("GET", f"gems/{word}-1.1.gem").status == 404
    assert store("GET", f"gems/{word}-1.0.0.gem").status == 200


def test_a_version_that_the_registry_has_cannot_be_pushed(town: Town) -> None:
    store = town.shop("store", connected=True)
    word = town.word()
    published(town.public, Gem(word))

    answer = push(store, Gem(word, summary="Mine").build())

    assert answer.status == 409
    assert "upstream" in answer.text


def test_names_that_differ_by_case_are_two_gems(town: Town) -> None:
    shop = town.shop()
    published(shop, Gem("Hola"), Gem("hola"))

    assert shop("GET", "names").text == "---\nHola\nhola\n"
    assert json.loads(shop("GET", "api/v1/gems/Hola.json").body)["name"] == "Hola"


def test_indexes_of_many_gems_agree_with_the_pages_of_each(town: Town) -> None:
    far = town.shop("far")
    up = town.shop("up", far)
    shop = town.shop("repo", up)
    published(far, Gem("a", "1.0"), Gem("b", "1.0"), Gem("c", "1.0"), Gem("d", "1.0"))
    published(up, Gem("b", "1.1"), Gem("e", "1.0"))
    published(shop, Gem("c", "1.1"), Gem("f", "1.0"))
    town.aws.put_package_origin_configuration(
        domain="dom", repository=shop.repo, format="ruby", package="c",
        restrictions={"publish": "ALLOW", "upstream": "ALLOW"},
    )  # fmt: skip
    where = {"domain": "dom", "format": "ruby", "versions": ["1.0"]}
    town.aws.update_package_versions_status(
        **where, repository=far.repo, package="a", targetStatus="Archived"
    )  # the only one

    def agree() -> set[str]:
        rows = [line.split(" ") for line in shop("GET", "versions").text.split("---\n")[1].splitlines()]
        shown = {f"{name} {tag}" for name, tag, _ in rows}
        last = {name: md5 for name, _, md5 in rows}
        for name in "abcdef":
            page = shop("GET", f"info/{name}")
            assert page.status == (200 if name in last else 404), name
            if name in last:
                assert hashlib.md5(page.body).hexdigest() == last[name]
                assert {f"{name} {tag}" for tag in tags(page.text)} == {s for s in shown if s.split()[0] == name}
        return shown

    # A package published into `up` takes nothing from further up.
    assert agree() == {"b 1.1", "c 1.0", "c 1.1", "d 1.0", "e 1.0", "f 1.0"}
    group = {"domain": "dom", "packageGroup": "/ruby//d$"}
    town.aws.create_package_group(**group)
    town.aws.update_package_group_origin_configuration(**group, restrictions={"INTERNAL_UPSTREAM": "BLOCK"})
    assert agree() == {"b 1.1", "c 1.0", "c 1.1", "e 1.0", "f 1.0"}
    town.aws.delete_package_group(**group)
    assert agree() == {"b 1.1", "c 1.0", "c 1.1", "d 1.0", "e 1.0", "f 1.0"}


def test_who_may_not_read_sees_no_index(town: Town) -> None:
    shop = town.shop()
    published(shop, Gem())
    statement = {"Effect": "Allow", "Resource": "*"}
    may = [{**statement, "Action": ["codeartifact:GetAuthorizationToken", "sts:GetServiceBearerToken"]}]
    token = new_user(town.front, f"reader{next(_numbers)}", *may).get_authorization_token(domain="dom")
    stranger = Shop(town.front, "ruby", shop.repo, token=token["authorizationToken"])

    for path in (
        "", "versions", "names", "info/hola", "specs.4.8.gz", "latest_specs.4.8.gz", "prerelease_specs.4.8.gz",
        "quick/Marshal.4.8/hola-1.0.0.gemspec.rz", "api/v1/dependencies", "api/v1/dependencies?gems=hola",
        "api/v1/dependencies.json?gems=hola", "gems/hola-1.0.0.gem", "api/v1/gems/hola.json",
        "api/v1/versions/hola.json", "api/v1/gems/hola/owners.yaml",
    ):  # fmt: skip
        assert (stranger("GET", path).status, path) == (403, path)
        assert (Shop(town.front, "ruby", shop.repo, token="")("GET", path).status, path) == (401, path)
    assert push(stranger, Gem(version="2").build()).status == 403
    assert yank(stranger, "hola", "1.0.0").status == 403
    assert info(shop, "hola") == ["1.0.0"]
