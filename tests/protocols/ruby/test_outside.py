"""A repository with an external connection to a registry that does not behave."""

from __future__ import annotations

import hashlib
import http.client
import itertools
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from protocols.ruby import unmarshal
from tests.chains.public import PublicNpm
from tests.harness import Answer as Got
from tests.harness import Server
from tests.protocols.ruby.test_fetch import dependencies, dependency
from tests.samples.base import Shop
from tests.samples.ruby import Gem, tags
from tests.upstreams.wire import Answer, Asked

_numbers = itertools.count()


class Outside:
    """A server that asks again every time, and a registry every byte of whose answers is ours."""

    def __init__(self, server: Server, public: PublicNpm) -> None:
        self.server, self.public = server, public
        self.answers = public.wire.answers
        self.aws = server.boto()

    def store(self) -> Shop:
        name = f"store{next(_numbers)}"
        self.aws.create_repository(domain="dom", repository=name)
        self.aws.associate_external_connection(domain="dom", repository=name, externalConnection="public:ruby-gems-org")
        return Shop(self.server, "ruby", name)

    def offer(self, *gems: Gem, body: bytes | None = None) -> str:
        """Gems of one name, listed honestly; `body` is sent for all of them."""
        name = gems[0].name
        lines = [f"{gem.tag} |checksum:{hashlib.sha256(gem.build()).hexdigest()}" for gem in gems]
        text = "\n".join(["---", *lines, ""]).encode()
        etag = f'"{hashlib.md5(text).hexdigest()}"'

        def page(asked: Asked) -> Answer:
            if asked.headers.get("if-none-match") == etag:
                return Answer(304, headers={"ETag": etag})
            return Answer(200, text, {"ETag": etag, "Content-Type": "text/plain"})

        self.answers[f"/info/{name}"] = page
        for gem in gems:
            self.answers[f"/gems/{gem.file}"] = Answer(200, gem.build() if body is None else body)
        return name

    def packages(self, shop: Shop) -> list[str]:
        found: Any = self.aws.list_packages(domain="dom", repository=shop.repo)["packages"]
        return [each["package"] for each in found]


@contextmanager
def opened(data: Path) -> Iterator[Outside]:
    settings = {"upstreams": {"listing_age": 0, "negative_age": 0, "connect_timeout": 1, "read_timeout": 2}}
    with PublicNpm() as public:
        connections = {"public:ruby-gems-org": public.base}
        with Server(data, settings=settings, connections=connections) as server:
            yield Outside(server.make("dom"), public)


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    with opened(tmp_path_factory.mktemp("data")) as found:
        yield found


@pytest.fixture
def troubled(tmp_path: Path) -> Iterator[Outside]:
    """For tests whose registry fails so often that it is left alone for a while, or has never had a compact index."""
    with opened(tmp_path) as found:
        yield found


def word() -> str:
    return f"gem{next(_numbers)}"


def fetched(shop: Shop, path: str) -> Got | None:
    """None where the connection was broken off."""
    try:
        return shop("GET", path)
    except (http.client.HTTPException, ConnectionError):
        return None


def test_a_gem_with_another_digest_is_not_kept(troubled: Outside) -> None:
    shop = troubled.store()
    good = Gem(word())
    troubled.offer(good)
    for body in (Gem(good.name, summary="Bad").build(), good.build()[:-512], good.build() * 2):
        gem = Gem(word())
        troubled.offer(gem, body=body)

        answer = fetched(shop, f"gems/{gem.file}")

        assert answer is None or answer.status >= 500
        assert shop("GET", f"gems/{good.file}").status == 200
    assert troubled.packages(shop) == [good.name]


def test_pages_are_asked_for_again_with_their_etag(outside: Outside) -> None:
    gem = Gem(word())
    name = outside.offer(gem)
    shop = outside.store()

    assert tags(shop("GET", f"info/{name}").text) == ["1.0.0"]
    assert tags(shop("GET", f"info/{name}").text) == ["1.0.0"]

    sent = [each.headers.get("if-none-match") for each in outside.public.wire.asked if each.path == f"/info/{name}"]
    assert sent[0] is None
    assert all(each for each in sent[1:])
    assert len(sent) > 1


@pytest.mark.parametrize("status", [401, 500])
def test_could_not_ask_is_never_not_there(troubled: Outside, status: int) -> None:
    name = word()
    troubled.answers[f"/info/{name}"] = Answer(status, b"no")
    shop = troubled.store()

    for path in (f"info/{name}", f"api/v1/dependencies?gems={name}", f"gems/{name}-1.0.0.gem",
                 f"quick/Marshal.4.8/{name}-1.0.0.gemspec.rz"):  # fmt: skip
        answer = shop("GET", path)
        assert (answer.status, path) == (502, path)
        assert answer.headers["retry-after"]
    assert shop("HEAD", "versions").status == 200


def test_what_was_known_is_served_while_the_registry_is_away(troubled: Outside) -> None:
    gem, kept = Gem(word()), Gem(word())
    name = troubled.offer(gem)
    troubled.offer(kept)
    shop = troubled.store()
    before = shop("GET", f"info/{name}")
    assert shop("GET", f"gems/{kept.file}").status == 200

    troubled.public.stop()
    try:
        after = shop("GET", f"info/{name}")
        told: Any = unmarshal.load(shop("GET", f"api/v1/dependencies?gems={name},{kept.name}").body)
        file = shop("GET", f"gems/{kept.file}")
        lost = fetched(shop, f"gems/{gem.file}")
    finally:
        troubled.public.start()

    assert (after.status, after.body) == (200, before.body)
    assert "warning" in after.headers
    assert [each["name"] for each in told] == [name, kept.name]
    assert file.body == kept.build()
    assert lost is None or lost.status >= 500


def test_a_registry_with_nothing_but_a_dependencies_api_will_do(troubled: Outside) -> None:
    gem = Gem(word(), needs=[("rack", ["~> 2.0"], "runtime")])
    java = Gem(gem.name, platform="java")
    body = dependencies(
        dependency(gem.name, "1.0.0", "ruby", ("rack", "~> 2.0")), dependency(gem.name, "1.0.0", "java")
    )
    troubled.answers[f"/api/v1/dependencies?gems={gem.name}"] = Answer(200, body)
    for each in (gem, java):
        troubled.answers[f"/gems/{each.file}"] = Answer(200, each.build())
    shop = troubled.store()

    told: Any = unmarshal.load(shop("GET", f"api/v1/dependencies?gems={gem.name}").body)
    quick = shop("GET", f"quick/Marshal.4.8/{gem.file[:-4]}.gemspec.rz")
    assert quick.status == 200, quick.text
    dump = zlib.decompress(quick.body)
    assert shop("GET", f"gems/{gem.file}").body == gem.build()

    assert {(each["platform"], *map(tuple, each["dependencies"])) for each in told} == {
        ("ruby", ("rack", "~> 2.0")), ("java",),
    }  # fmt: skip
    assert b"rack" in dump
    lines = shop("GET", f"info/{gem.name}").text
    assert f"checksum:{hashlib.sha256(gem.build()).hexdigest()}" in lines
    assert set(tags(lines)) == {"1.0.0", "1.0.0-java"}


def test_a_gem_behind_a_redirect_is_followed(outside: Outside) -> None:
    gem = Gem(word())
    outside.offer(gem)
    outside.answers[f"/elsewhere/{gem.file}"] = outside.answers[f"/gems/{gem.file}"]
    outside.answers[f"/gems/{gem.file}"] = Answer(302, headers={"Location": f"/elsewhere/{gem.file}"})
    shop = outside.store()

    assert shop("GET", f"gems/{gem.file}").body == gem.build()
    assert outside.packages(shop) == [gem.name]


def test_names_that_none_can_have_are_not_asked_for(outside: Outside) -> None:
    shop = outside.store()
    before = len(outside.public.wire.asked)

    for path in ("info/..%2fetc", "info/-x", "api/v1/dependencies?gems=..%2fx,%20,1", "gems/x.gem", "gems/a%2fb-1.gem"):
        assert shop("GET", path).status in (200, 404)

    assert len(outside.public.wire.asked) == before
