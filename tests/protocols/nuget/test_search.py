"""Search and autocomplete."""

from __future__ import annotations

from typing import Any

import pytest

from tests.protocols.nuget.conftest import Feed
from tests.samples.nuget import Package


@pytest.fixture
def shelf(feed: Feed) -> Feed:
    feed.pushes("Acme", "1.0.0", "1.1.0")
    feed.pushes("Acme.Json", "1.0.0", "2.0.0-beta", "2.0.0-beta.1")
    feed.push(Package("Other", "1.0.0", metadata="<title>The JSON parser</title><tags>text fast</tags>"))
    types = '<packageTypes><packageType name="DotnetTool"/></packageTypes>'
    feed.push(Package("Tool", "1.0.0-rc.1", metadata=types))
    return feed


def hits(feed: Feed, **query: object) -> dict[str, str]:
    text = "&".join(f"{name}={value}" for name, value in query.items())
    return {each["id"]: each["version"] for each in feed.json(f"v3/query?{text}")["data"]}


def test_words_are_looked_for_in_ids_titles_tags_and_descriptions(shelf: Feed) -> None:
    assert hits(shelf, q="json") == {"Acme.Json": "1.0.0", "Other": "1.0.0"}
    assert hits(shelf, q="JSON+parser") == {"Other": "1.0.0"}
    assert hits(shelf, q="tags:fast") == hits(shelf, q="title:parser") == {"Other": "1.0.0"}
    assert hits(shelf, q="packageid:acme") == {"Acme": "1.1.0"}
    assert hits(shelf, q="id:acme") == {"Acme": "1.1.0", "Acme.Json": "1.0.0"}
    assert hits(shelf, q="nothing") == hits(shelf, q="json+nothing") == {}
    assert hits(shelf, q="says+hello").keys() == {"Acme", "Acme.Json", "Other"}


def test_the_package_of_that_very_id_comes_first(shelf: Feed) -> None:
    shelf.pushes("A.Acme", "1.0.0")

    assert list(hits(shelf, q="acme")) == ["Acme", "A.Acme", "Acme.Json"]


def test_prereleases_and_semver_2_are_shown_to_those_who_ask(shelf: Feed) -> None:
    assert hits(shelf) == {"Acme": "1.1.0", "Acme.Json": "1.0.0", "Other": "1.0.0"}
    assert hits(shelf, prerelease="true")["Acme.Json"] == "2.0.0-beta"
    whole = hits(shelf, prerelease="true", semVerLevel="2.0.0")
    assert (whole["Acme.Json"], whole["Tool"]) == ("2.0.0-beta.1", "1.0.0-rc.1")


def test_types_of_packages_can_be_asked_for(shelf: Feed) -> None:
    level: dict[str, Any] = {"prerelease": "true", "semVerLevel": "2.0.0"}

    assert hits(shelf, packageType="dotnettool", **level) == {"Tool": "1.0.0-rc.1"}
    assert hits(shelf, packageType="Dependency", **level).keys() == {"Acme", "Acme.Json", "Other"}
    assert hits(shelf, packageType="Template", **level) == {}


def test_pages_count_packages(shelf: Feed) -> None:
    first = shelf.json("v3/query?take=2")
    second = shelf.json("v3/query?take=2&skip=2")

    assert [len(first["data"]), len(second["data"])] == [2, 1]
    assert first["totalHits"] == second["totalHits"] == 3
    assert shelf.json("v3/query?take=0") == {"totalHits": 3, "data": []}
    assert [each["version"] for each in first["data"][0]["versions"]] == ["1.0.0", "1.1.0"]
    assert [shelf.get(f"v3/query?{each}").status for each in ("take=x", "skip=-1", "take=99999999999")] == [400] * 3
    assert shelf.get("v3/query?take=999999999").status == 200


def test_a_hit_links_to_the_hive_that_has_its_versions(shelf: Feed) -> None:
    [old] = shelf.json("v3/query?q=packageid:acme.json")["data"]
    [new] = shelf.json("v3/query?q=packageid:acme.json&prerelease=true&semVerLevel=2.0.0")["data"]

    assert "registration-gz/" in old["registration"]
    assert "registration-gz-semver2/" in new["registration"]
    assert [shelf.get(each["@id"]).status for each in new["versions"]] == [200, 200, 200]


def test_autocomplete_of_ids_and_of_versions(shelf: Feed) -> None:
    assert shelf.json("v3/autocomplete?q=acme") == {"totalHits": 2, "data": ["Acme", "Acme.Json"]}
    assert shelf.json("v3/autocomplete?id=Acme.Json&prerelease=true&semVerLevel=2.0.0") == {
        "data": ["1.0.0", "2.0.0-beta", "2.0.0-beta.1"]
    }
    assert shelf.json("v3/autocomplete?id=Acme.Json") == {"data": ["1.0.0"]}
    assert shelf.json("v3/autocomplete?id=nothing") == shelf.json("v3/autocomplete?id=a/b") == {"data": []}


def test_a_package_of_an_upstream_repository_is_found(shelf: Feed) -> None:
    below = f"below-{shelf.repo}"
    shelf.server.make("dom", below, **{below.replace("-", "_"): [shelf.repo]})

    assert hits(Feed(shelf.server, "nuget", below), q="acme.json") == {"Acme.Json": "1.0.0"}
