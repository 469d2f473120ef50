"""Two servers: one plays the public registry of the other."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.chains.town import settle
from tests.harness import Pair, Server
from tests.protocols.nuget.conftest import Feed
from tests.samples.nuget import Package, registered

SEMVER2 = "v3/registration-gz-semver2/"
_numbers = itertools.count()


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The front's address of the public registry ends in `index.json`, as users give it."""
    with Server(tmp_path_factory.mktemp("back")) as back:
        back.make("pub", "main")
        address = back.endpoint("nuget", "main", "pub", token=back.token("pub")) + "v3/index.json"
        settings = {"upstreams": {"listing_age": 0, "negative_age": 0}, "quotas": {"repositories_per_domain": 10_000}}
        with Server(
            tmp_path_factory.mktemp("front"), settings=settings, connections={"public:nuget-org": address}
        ) as front:
            front.make("dom")
            yield Pair(front, back)


@dataclass(frozen=True)
class Town:
    """`store` has the connection, `below` is below it; `id` is a package of `outside` that no other test has."""

    outside: Feed
    store: Feed
    below: Feed
    id: str


@pytest.fixture
def town(servers: Pair) -> Town:
    number = next(_numbers)
    store, below = f"store{number}", f"below{number}"
    servers.front.make("dom", store, below, **{below: [store]})
    servers.front.boto().associate_external_connection(
        domain="dom", repository=store, externalConnection="public:nuget-org"
    )
    outside = Feed(servers.back, "nuget", "main", "pub")
    return Town(outside, Feed(servers.front, "nuget", store), Feed(servers.front, "nuget", below), f"Acme.P{number}")


def held(feed: Feed, id: str) -> list[str]:
    client = feed.server.boto()
    try:
        found = client.list_package_versions(**feed.at(id))["versions"]
    except client.exceptions.ResourceNotFoundException:
        return []
    return [each["version"] for each in found]


def fetch(feed: Feed, id: str, version: str) -> bytes:
    name = id.lower()
    answer = feed.get(f"v3/flat/{name}/{version}/{name}.{version}.nupkg")
    assert answer.status == 200, answer.text
    settle(feed.server)
    return answer.body


def test_metadata_comes_through_and_only_a_fetched_version_is_kept(town: Town) -> None:
    package = Package(town.id, "1.0.0-Beta.1+b", dependencies=[("Acme.Base", "1.0")])
    town.outside.push(package)
    town.outside.pushes(town.id, "2.0.0")
    id = town.id.lower()

    entries = registered(town.below.json(f"{SEMVER2}{id}/index.json"))
    nuspec = town.below.get(f"v3/flat/{id}/1.0.0-beta.1/{id}.nuspec")

    assert town.below.versions(id) == ["1.0.0-beta.1", "2.0.0"]
    assert entries["1.0.0-Beta.1+b"]["dependencyGroups"][0]["dependencies"] == [
        {"id": "Acme.Base", "range": "[1.0.0, )"}
    ]
    assert nuspec.body == package.nuspec()
    assert held(town.below, id) == held(town.store, id) == []
    assert fetch(town.below, town.id, "1.0.0-beta.1") == package.nupkg()
    assert held(town.below, id) == held(town.store, id) == ["1.0.0-Beta.1"]
    assert town.below.get(f"v3/flat/{id}/1.0.0-beta.1/{id}.nuspec").body == package.nuspec()
    seen = registered(town.below.json(f"{SEMVER2}{id}/index.json"))
    assert seen["1.0.0-Beta.1+b"] == entries["1.0.0-Beta.1+b"] | {
        "packageSize": len(package.nupkg()),
        "isPrerelease": True,
    }


def test_every_address_of_a_repository_below_is_its_own(town: Town) -> None:
    town.outside.push(Package(town.id, "1.0.0", metadata="<readme>r.md</readme>", files={"r.md": b"# R"}))
    fetch(town.below, town.id, "1.0.0")

    seen = town.below.walk()

    assert {url: each.status for url, each in seen.items() if each.status != 200} == {}
    assert not [url for url, each in seen.items() if town.outside.server.host.encode() in each.body]


def test_marks_of_what_was_kept_follow_the_registry(town: Town) -> None:
    town.outside.pushes(town.id, "1.0.0", "1.1.0")
    id = town.id.lower()
    assert fetch(town.below, id, "1.0.0") != fetch(town.below, id, "1.1.0")
    revision = town.below.server.boto().describe_package_version(**town.below.at(id, packageVersion="1.1.0"))

    town.outside("DELETE", f"v3/package/{id}/1.1.0")
    shown = registered(town.below.json(f"{SEMVER2}{id}/index.json"))
    settle(town.below.server)

    assert [shown[version]["listed"] for version in ("1.0.0", "1.1.0")] == [True, False]
    assert town.below.json(f"v3/query?q={id}")["data"][0]["version"] == "1.0.0"
    now = town.below.server.boto().describe_package_version(**town.below.at(id, packageVersion="1.1.0"))
    assert now["packageVersion"]["status"] == "Published"
    assert now["packageVersion"]["revision"] != revision["packageVersion"]["revision"]
    town.outside("POST", f"v3/package/{id}/1.1.0")
    assert registered(town.below.json(f"{SEMVER2}{id}/index.json"))["1.1.0"]["listed"]


def test_what_the_registry_has_cannot_be_pushed(town: Town) -> None:
    town.outside.pushes(town.id, "1.0.0")

    answer = town.below.push(Package(town.id.upper(), "1.0", description="mine"))

    assert answer.status == 409
    assert "upstream" in answer.headers["x-nuget-warning"]


def test_symbols_and_marks_belong_to_versions_that_were_pushed_here(town: Town) -> None:
    town.outside.pushes(town.id, "1.0.0")
    fetch(town.below, town.id, "1.0.0")

    assert town.below.push(Package(town.id), "v3/symbolpackage/").status == 403
    assert town.store("DELETE", f"v3/package/{town.id}/9.0.0").status == 404
