"""A whole server in front of a V3 registry that means harm, or does not work."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from registry.config import ConnectionConfig
from tests.chains.public import PublicNpm as Public
from tests.chains.town import settle
from tests.harness import Answer as Got
from tests.harness import Server
from tests.protocols.nuget.conftest import Feed
from tests.samples.nuget import Package, registered
from tests.upstreams.wire import Answer, Handler

SEMVER2 = "v3/registration-gz-semver2/"
_numbers = itertools.count()


@dataclass(frozen=True)
class Evil:
    """`home` has the service index and is given credentials, `cdn` has everything else; `id` is this test's package."""

    feed: Feed
    home: Public
    cdn: Public
    id: str

    @property
    def package(self) -> Package:
        return Package(self.id, "1.0.0")

    def answers(self, path: str, answer: Answer | Handler | Any) -> None:
        """A document, or an answer as it is, below the registry's resources."""
        made = answer if isinstance(answer, Answer) or callable(answer) else Answer(200, json.dumps(answer).encode())
        self.cdn.wire.answers[f"/{path}"] = made

    def lists(self, **entry: Any) -> None:
        """One version, as it should be."""
        self.answers(f"flat/{self.id}/index.json", {"versions": ["1.0.0"]})
        shown = {"@id": f"{self.cdn.base}catalog/{self.id}.json", "id": self.id, "version": "1.0.0", **entry}
        leaf = {"catalogEntry": shown, "packageContent": "x"}
        self.answers(f"reg/{self.id}/index.json", {"items": [{"items": [leaf]}]})

    def sends(self, answer: Answer) -> None:
        self.answers(f"flat/{self.id}/1.0.0/{self.id}.1.0.0.nupkg", answer)

    def versions(self) -> Got:
        return self.feed.get(f"v3/flat/{self.id}/index.json")

    def file(self) -> Got:
        answer = self.feed.get(f"v3/flat/{self.id}/1.0.0/{self.id}.1.0.0.nupkg")
        settle(self.feed.server)
        return answer

    def kept(self) -> list[str]:
        found = self.feed.server.boto().list_packages(domain="dom", repository="repo", packagePrefix=self.id)
        return [each["package"] for each in found["packages"] if each["package"] == self.id]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Public, Public]]:
    settings = {"upstreams": {"listing_age": 0, "negative_age": 0, "connect_timeout": 2, "read_timeout": 1}}
    with Public() as home, Public() as cdn:
        index = {"version": "3.0.0", "resources": [
            {"@id": f"{cdn.base}flat", "@type": "PackageBaseAddress/3.0.0"},
            {"@id": f"{cdn.base}reg/", "@type": "RegistrationsBaseUrl/3.6.0"},
        ]}  # fmt: skip
        home.wire.answers["/deep/feed/index.json"] = Answer(200, json.dumps(index).encode())
        address = ConnectionConfig(f"{home.base}deep/feed/index.json", username="me", password_env="FEED_PASSWORD")
        with Server(
            tmp_path_factory.mktemp("evil"),
            settings=settings,
            connections={"public:nuget-org": address},
            environ={"FEED_PASSWORD": "secret"},
        ) as front:
            front.make("dom", "repo")
            front.boto().associate_external_connection(
                domain="dom", repository="repo", externalConnection="public:nuget-org"
            )
            yield front, home, cdn
            front.stop()
            assert [line for line in front.records() if line.get("status") == 500] == []


@pytest.fixture
def evil(places: tuple[Server, Public, Public]) -> Iterator[Evil]:
    front, home, cdn = places
    yield Evil(Feed(front, "nuget", "repo"), home, cdn, f"evil{next(_numbers)}x")
    cdn.wire.answers.clear()


def test_credentials_go_to_the_configured_host_and_to_no_other(evil: Evil) -> None:
    evil.lists()
    evil.sends(Answer(200, evil.package.nupkg()))

    assert evil.file().body == evil.package.nupkg()

    secret = "Basic " + base64.b64encode(b"me:secret").decode()
    assert {each.headers.get("authorization") for each in evil.home.wire.asked} == {secret}
    assert {each.headers.get("authorization") for each in evil.cdn.wire.asked} == {None}
    assert evil.kept() == [evil.id]


@pytest.mark.parametrize(
    "sent",
    [
        b"<html>please log in</html>",
        b"",
        Package("Other", "1.0.0").nupkg(),
        Package("evil", "1.0.1").nupkg(),
        Package("evil", "1.0.0").nupkg()[:-50],
        b"PK\x03\x04" + b"\0" * 5000,
    ],
)
def test_what_is_not_the_package_is_never_kept(evil: Evil, sent: bytes) -> None:
    evil.lists()
    evil.sends(Answer(200, sent))

    assert evil.file().status == 502
    assert evil.kept() == []
    evil.sends(Answer(200, evil.package.nupkg()))
    assert evil.file().status == 200


def test_a_package_must_have_the_hash_of_the_catalog(evil: Evil) -> None:
    good = evil.package.nupkg()
    sha512 = base64.b64encode(hashlib.sha512(good).digest()).decode()
    evil.lists()
    evil.answers(f"catalog/{evil.id}.json", {"packageHash": sha512, "packageHashAlgorithm": "SHA512"})
    evil.sends(Answer(200, Package(evil.id, "1.0.0", description="not that one").nupkg()))

    assert evil.file().status == 502
    assert evil.kept() == []
    evil.sends(Answer(200, good))
    assert evil.file().body == good


def test_a_package_that_is_cut_short_is_broken_off_or_refused(evil: Evil) -> None:
    body = Package(evil.id, "1.0.0", files={"lib/x": hashlib.sha512(b"x").digest() * 4000}).nupkg()
    evil.lists()
    evil.sends(Answer(200, body[: len(body) // 2], length=len(body), cut=True))

    with pytest.raises(Exception):  # noqa: B017  (whatever the client's library calls it)
        assert evil.file().status == 200
    assert evil.kept() == []


@pytest.mark.parametrize("status", [201, 206, 300, 304, 400, 401, 403, 500])
def test_could_not_ask_is_not_absent(evil: Evil, status: int) -> None:
    evil.answers(f"flat/{evil.id}/index.json", Answer(status, b""))

    assert (evil.versions().status, evil.file().status) == (502, 502)
    evil.answers(f"flat/{evil.id}/index.json", Answer(404, b""))
    assert (evil.versions().status, evil.file().status) == (404, 404)


def test_registrations_that_do_not_work_hide_no_version_that_was_known(evil: Evil) -> None:
    evil.lists(description="known")
    assert registered(evil.feed.json(f"{SEMVER2}{evil.id}/index.json"))["1.0.0"]["description"] == "known"

    evil.answers(f"reg/{evil.id}/index.json", Answer(500, b""))
    stale = evil.feed.get(f"{SEMVER2}{evil.id}/index.json")

    assert (stale.status, "warning" in stale.headers) == (200, True)
    assert registered(stale.json())["1.0.0"]["description"] == "known"


@pytest.mark.parametrize("address", ["http://169.254.169.254/x/", "file:///etc/", "//2130706433/", "javascript:x"])
def test_pages_may_not_lead_anywhere(evil: Evil, address: str) -> None:
    evil.answers(f"flat/{evil.id}/index.json", {"versions": ["1.0.0"]})
    evil.answers(f"reg/{evil.id}/index.json", {"items": [{"@id": address}]})

    assert evil.versions().status in (200, 502)
    assert evil.kept() == []


def test_what_a_registry_says_cannot_break_out_of_our_documents(evil: Evil) -> None:
    evil.lists(
        description='\0B/"},"x":"\0', title="\\u0000B/", tags=["<script>", "\0B/"], iconUrl="javascript:alert(1)"
    )

    document = evil.feed.get(f"{SEMVER2}{evil.id}/index.json")

    entry = registered(document.json())["1.0.0"]
    assert entry["description"] == 'B/"},"x":"'
    assert entry["title"] == "\\u0000B/"
    assert evil.cdn.base.encode() not in document.body
