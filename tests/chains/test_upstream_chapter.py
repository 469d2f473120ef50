"""The guide's chapter "Working with upstream repositories in CodeArtifact", sentence by sentence."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.chains.town import Npm, Pypi, Town, npm_client, pip_client, settle, wheel_name
from tests.harness import Pair

NPM, PYPI = "public:npmjs", "public:pypi"


# --- Requesting a package version with upstream repositories --------------------------------------


def test_a_version_that_the_repository_contains_is_returned_whatever_its_upstreams_have(town: Town) -> None:
    town.repo("up")
    town.repo("my", "up")
    mine = town.npm("my").publish("web", description="mine")
    theirs = town.npm("up").publish("web", description="theirs")

    assert (mine.status, theirs.status) == (201, 201)
    assert town.npm("my").packument("web")["versions"]["1.0.0"]["description"] == "mine"
    assert town.npm("my").fetch("web").body != town.npm("up").fetch("web").body


def test_a_reference_is_copied_when_the_version_is_found_upstream(town: Town) -> None:
    town.repo("up")
    town.repo("my", "up")
    town.npm("up").publish("web")

    assert town.held("my", "web") == {}
    assert town.npm("my").fetch("web").status == 200

    assert town.held("my", "web") == {"1.0.0": "Published"}
    there, here = (town.aws.describe_package_version(**town.at(repo, "web"), packageVersion="1.0.0")["packageVersion"]
                   for repo in ("up", "my"))  # fmt: skip
    assert here == there


def test_what_nobody_has_is_not_found(town: Town) -> None:
    town.repo("store", connection=NPM)
    town.repo("up", "store")
    town.repo("my", "up")

    assert town.npm("my")("GET", "nowhere").status == 404
    assert town.npm("my").fetch("nowhere").status == 404
    assert town.pypi("my").page("nowhere").status == 404


def test_ten_direct_upstreams_and_twenty_five_searched_repositories_at_most(town: Town) -> None:
    for number in range(30):
        town.repo(f"r{number}", *([f"r{number - 1}"] if number else []))
    town.npm("r0").publish("web")

    assert town.npm("r25").versions("web") == ["1.0.0"]  # r24 to r0 are twenty-five
    assert town.npm("r26").versions("web") == []
    assert town.npm("r26").fetch("web").status == 404
    with pytest.raises(ClientError) as refused:
        town.repo("many", *(f"r{number}" for number in range(11)))
    assert refused.value.response["Error"]["Code"] == "ServiceQuotaExceededException"
    town.repo("ten", *(f"r{number}" for number in range(10)))


# --- Package retention from upstream repositories -------------------------------------------------


def test_a_retained_version_outlives_everything_that_happens_to_its_upstream(town: Town) -> None:
    for event in ("disconnected", "version", "package", "edited", "repository"):
        up, my = f"up-{event}", f"my-{event}"
        town.repo(up)
        town.repo(my, up)
        town.npm(up).publish("web")
        body = town.npm(my).fetch("web").body
        if event == "disconnected":
            town.upstreams(my)
        elif event == "version":
            town.set_status(up, "web", "1.0.0", "Deleted")
        elif event == "package":
            town.aws.delete_package(**town.at(up, "web"))
        elif event == "edited":
            town.set_status(up, "web", "1.0.0", "Archived")
        else:
            town.aws.delete_repository(domain="dom", repository=town.name(up))

        assert town.held(my, "web") == {"1.0.0": "Published"}, event
        assert town.npm(my).versions("web") == ["1.0.0"], event
        assert town.npm(my).fetch("web").body == body, event


def test_adding_an_asset_upstream_does_not_edit_the_retained_version(town: Town) -> None:
    town.repo("up")
    town.repo("my", "up")
    town.pypi("up").publish("tool", tag="py3-none-any")
    town.pypi("my").fetch("tool", "1.0.0", wheel_name("tool"))
    before = town.aws.describe_package_version(**town.at("my", "tool", "pypi"), packageVersion="1.0.0")

    town.pypi("up").publish("tool", tag="py311-none-any")
    after = town.aws.describe_package_version(**town.at("my", "tool", "pypi"), packageVersion="1.0.0")

    assert after["packageVersion"] == before["packageVersion"]
    assert town.assets("my", "tool", "1.0.0") == [wheel_name("tool")]


def test_a_deleted_upstream_can_be_made_again_and_is_empty(town: Town) -> None:
    town.repo("up")
    town.repo("my", "up")
    town.npm("up").publish("web")
    town.npm("up").publish("web", "2.0.0")
    town.npm("my").fetch("web")

    deleted = town.aws.delete_repository(domain="dom", repository=town.name("up"))["repository"]
    town.repo("up")

    assert deleted["name"] == town.name("up")
    assert town.aws.describe_repository(domain="dom", repository=town.name("my"))["repository"]["upstreams"] == []
    assert town.npm("my").versions("web") == ["1.0.0"]
    assert town.npm("up").versions("web") == []


# --- Package retention in intermediate repositories -----------------------------------------------


def test_a_version_is_retained_in_the_most_downstream_repository_only(town: Town) -> None:
    town.repo("d")
    town.repo("c", "d")
    town.repo("b", "c")
    town.repo("a", "b")
    town.npm("d").publish("web")
    town.pypi("d").publish("tool")

    assert town.npm("a").fetch("web").status == 200
    assert town.pypi("a").fetch("tool", "1.0.0", wheel_name("tool")).status == 200

    for format, package in (("npm", "web"), ("pypi", "tool")):
        held = {repo: town.held(repo, package, format) for repo in "abcd"}
        assert held == {"a": {"1.0.0": "Published"}, "b": {}, "c": {}, "d": {"1.0.0": "Published"}}


def test_what_comes_from_outside_is_also_retained_where_the_connection_is(town: Town) -> None:
    lodash = town.name("lodash")
    town.public.publish(lodash, "4.17.20")
    town.repo("c", connection=NPM)
    town.repo("b", "c")
    town.repo("a", "b")

    assert town.npm("a").fetch(lodash, "4.17.20").status == 200

    held = {repo: town.held(repo, lodash) for repo in "abc"}
    assert held == {"a": {"4.17.20": "Published"}, "b": {}, "c": {"4.17.20": "Published"}}


def test_asking_in_the_middle_retains_in_the_middle(town: Town) -> None:
    town.repo("c")
    town.repo("b", "c")
    town.repo("a", "b")
    town.npm("c").publish("web")

    town.npm("b").fetch("web")

    assert {repo: bool(town.held(repo, "web")) for repo in "abc"} == {"a": False, "b": True, "c": True}


# --- Fetch packages through an upstream relationship ----------------------------------------------


@pytest.mark.clients
def test_npm_install_brings_just_the_version_that_it_fetched(town: Town, tmp_path: Path) -> None:
    lodash = town.name("lodash")
    for version in ("4.17.19", "4.17.20"):
        town.public.publish(lodash, version)
    town.repo("repo-B", connection=NPM)
    town.repo("repo-A", "repo-B")
    npm = npm_client(tmp_path, town.npm("repo-A"))

    npm("install", lodash)

    assert npm.installed(lodash) == "4.17.20"
    assert town.held("repo-A", lodash) == town.held("repo-B", lodash) == {"4.17.20": "Published"}
    found = town.aws.list_package_versions(**town.at("repo-B", lodash))
    assert found["defaultDisplayVersion"] == "4.17.20"
    assert found["versions"][0]["origin"] == {
        "domainEntryPoint": {"externalConnectionName": NPM},
        "originType": "EXTERNAL",
    }
    assert town.controls("repo-A", lodash) == town.controls("repo-B", lodash) == ("BLOCK", "ALLOW")


def test_other_repositories_use_what_the_store_has_fetched_already(town: Town) -> None:
    lodash = town.name("lodash")
    town.public.publish(lodash)
    town.repo("store", connection=NPM)
    town.repo("a", "store")
    town.repo("b", "store")
    town.npm("a").fetch(lodash)
    town.aws.disassociate_external_connection(domain="dom", repository=town.name("store"), externalConnection=NPM)

    assert town.npm("b").versions(lodash) == ["1.0.0"]
    assert town.npm("b").fetch(lodash).status == 200
    assert town.held("b", lodash) == {"1.0.0": "Published"}


# --- External repository outages and availability of new versions ---------------------------------


@pytest.fixture
def doomed(pair: Pair) -> Town:
    """A town of its own, whose public registry may be stopped."""
    return Town(pair.front, pair.back)


@pytest.mark.clients
def test_an_outage_leaves_what_is_stored_and_says_of_the_rest_that_it_cannot_be_had_now(
    doomed: Town, tmp_path: Path
) -> None:
    town = doomed
    town.public.publish("lodash", "4.17.19")
    town.index.publish("attrs")
    store, pips = Npm(town.front, "repo"), Pypi(town.front, "repo")
    first = npm_client(tmp_path / "first", store)
    first("install", "lodash")
    pip_client(tmp_path / "pip1", pips)("install", "attrs")
    town.public.publish("lodash", "4.17.20")
    town.back.stop()

    second = npm_client(tmp_path / "second", store)
    second("install", "lodash@4.17.19")
    pip_client(tmp_path / "pip2", pips)("install", "attrs")
    fresh = npm_client(tmp_path / "third", store)
    unknown = fresh("install", "express", "--fetch-retries=0", ok=False)
    newer = fresh("install", "lodash@4.17.20", "--fetch-retries=0", ok=False)
    missing = pip_client(tmp_path / "pip3", pips)("install", "--retries=0", "requests", ok=False)

    assert second.installed("lodash") == "4.17.19"
    assert "E502" in unknown
    assert NPM in unknown
    assert "E404" not in unknown + newer
    assert "502" in missing or "requests" in missing
    assert store.fetch("lodash", "4.17.20").status == 502
    assert store("GET", "express").status == 502
    assert pips.page("requests").status == 502
    assert NPM in store("GET", "express").json()["error"]


def test_an_outage_permits_publishing_what_would_normally_be_denied(doomed: Town) -> None:
    town = doomed
    town.public.publish("known")
    town.public.publish("unknown")
    store = Npm(town.front, "repo")
    store.packument("known")

    assert store.publish("known", description="mine").status == 409
    town.back.stop()

    assert store.publish("known", description="mine").status == 409  # what is remembered still counts
    assert store.publish("unknown", description="mine").status == 201
    assert store.publish("brand-new").status == 201


def test_a_new_version_of_the_public_registry_is_there_when_it_is_asked_for(town: Town) -> None:
    lodash = town.name("lodash")
    town.public.publish(lodash)
    town.repo("store", connection=NPM)
    town.repo("my", "store")
    shop = town.npm("my")
    assert shop.versions(lodash) == ["1.0.0"]

    town.public.publish(lodash, "1.0.1")

    assert shop.versions(lodash) == ["1.0.0", "1.0.1"]
    assert shop.tags(lodash) == {"latest": "1.0.1"}
    assert shop.fetch(lodash, "1.0.1").status == 200


def test_a_client_that_names_a_version_that_the_listing_lacks_makes_us_ask_again(doomed: Town) -> None:
    town = doomed
    town.public.publish("lodash")
    shop = Npm(town.front, "repo")
    assert shop.versions("lodash") == ["1.0.0"]
    town.public.publish("lodash", "1.0.1")
    elapsed = threading.Event()
    elapsed.wait(2.1)  # within two seconds a client cannot make us ask twice

    assert shop.fetch("lodash", "1.0.1").status == 200  # though the listing is good for a minute


# --- Upstream repository priority order -----------------------------------------------------------


def test_simple_priority_order(town: Town) -> None:
    for name in ("upstream-1", "upstream-2", "upstream-3"):
        town.repo(name)
        town.npm(name).publish("web", description=name)
        town.pypi(name).publish("tool", summary=name)
    town.repo("my_repo", "upstream-1", "upstream-2", "upstream-3")

    seen = []
    for _ in range(3):
        seen.append(town.npm("my_repo").packument("web")["versions"]["1.0.0"]["description"])
        order = [
            each["repositoryName"]
            for each in town.aws.describe_repository(domain="dom", repository=town.name("my_repo"))["repository"][
                "upstreams"
            ]
        ]
        assert order[0] == town.name(seen[-1])
        town.upstreams("my_repo", *(name.rpartition("-")[0] for name in (*order[1:], order[0])))

    assert seen == ["upstream-1", "upstream-2", "upstream-3"]
    assert town.held("my_repo", "web") == {}  # list-package-versions looks only in my_repo


def test_complex_priority_order(town: Town) -> None:
    """my_repo has A and B, A has C and D, D has E: my_repo, A, C, D, E, B."""
    for name in ("C", "E", "B"):
        town.repo(name)
    town.repo("D", "E")
    town.repo("A", "C", "D")
    town.repo("my_repo", "A", "B")
    order = ["A", "C", "D", "E", "B"]
    for name in order:
        assert town.npm(name)("GET", "web").status == 404
        town.set_controls(name, "web", "ALLOW", "BLOCK")
        assert town.npm(name).publish("web", description=name).status == 201
        town.set_controls(name, "web", "ALLOW", "ALLOW")

    found = []
    for name in order:
        found.append(town.npm("my_repo").packument("web")["versions"]["1.0.0"]["description"])
        town.set_status(name, "web", "1.0.0", "Deleted")

    assert found == order
    assert town.npm("my_repo").versions("web") == []


# --- API behavior with upstream repositories ------------------------------------------------------


def test_operations_ignore_upstream_repositories(town: Town) -> None:
    town.repo("upstream")
    town.repo("target", "upstream")
    town.npm("upstream").publish("lodash", "4.17.20")
    at, one = town.at("target", "lodash"), {"packageVersion": "4.17.20"}
    calls = {
        "delete_package_versions": {"versions": ["4.17.20"]},
        "describe_package": {},
        "describe_package_version": one,
        "dispose_package_versions": {"versions": ["4.17.20"]},
        "get_package_version_asset": {**one, "asset": "package.tgz"},
        "get_package_version_readme": one,
        "list_package_version_assets": one,
        "list_package_version_dependencies": one,
        "list_package_versions": {},
        "update_package_versions_status": {"versions": ["4.17.20"], "targetStatus": "Unlisted"},
    }

    for name, more in calls.items():
        with pytest.raises(town.aws.exceptions.ResourceNotFoundException) as missing:
            getattr(town.aws, name)(**at, **more)
        message = missing.value.response["Error"]["Message"]
        assert message == (
            f"Package not found in repository. RepoId: {at['repository']}, "
            "Package = PackageCoordinate{packageType=npm, packageName=lodash}"
        )
    assert town.aws.list_packages(domain="dom", repository=town.name("target"))["packages"] == []
    described = town.aws.describe_package_version(**town.at("upstream", "lodash"), **one)["packageVersion"]
    assert (described["packageName"], described["version"], described["status"]) == ("lodash", "4.17.20", "Published")


# --- Publishing and upstream repositories ---------------------------------------------------------


@pytest.mark.parametrize("format", ["npm", "pypi"])
def test_publishing_what_is_reachable(town: Town, format: str) -> None:
    package = town.name("mypackage")
    town.public.publish(package) if format == "npm" else town.index.publish(package)
    town.repo("store", connection=NPM if format == "npm" else PYPI)
    town.repo("internal")
    town.repo("myrepo", "store", "internal")
    shop = town.npm("myrepo") if format == "npm" else town.pypi("myrepo")
    inner = town.npm("internal") if format == "npm" else town.pypi("internal")
    inner.publish(package, "2.0.0")

    # 1. Publish ALLOW and upstream ALLOW: what is reachable is a conflict, anything else can be published.
    town.set_controls("myrepo", package, "ALLOW", "ALLOW", format)
    for version in ("1.0.0", "2.0.0"):
        refused = shop.publish(package, version)
        assert refused.status == 409
        assert version in refused.text
    assert shop.publish(package, "1.1.0").status in (200, 201)
    # 2. Publish ALLOW and upstream BLOCK: nothing upstream is reachable.
    town.set_controls("myrepo", package, "ALLOW", "BLOCK", format)
    assert shop.publish(package, "1.0.0").status in (200, 201)
    assert shop.publish(package, "2.0.0").status in (200, 201)
    # 3. Publish BLOCK and upstream ALLOW: no version at all.
    town.set_controls("myrepo", package, "BLOCK", "ALLOW", format)
    blocked = shop.publish(package, "3.0.0")
    assert blocked.status == 403
    assert "publish=BLOCK" in blocked.text
    assert set(town.held("myrepo", package, format)) == {"1.0.0", "1.1.0", "2.0.0"}


def test_a_version_that_is_archived_or_disposed_upstream_is_still_present_there(town: Town) -> None:
    town.repo("up")
    town.repo("my", "up")
    for version, status in (("1.0.0", "Archived"), ("2.0.0", "Disposed"), ("3.0.0", "Unlisted")):
        town.npm("up").publish("web", version)
        town.set_status("up", "web", version, status)

    assert [town.npm("my").publish("web", version).status for version in ("1.0.0", "2.0.0", "3.0.0")] == [409] * 3
    town.set_status("up", "web", "2.0.0", "Deleted")
    assert town.npm("my").publish("web", "2.0.0").status == 201


# --- Connections ----------------------------------------------------------------------------------


def test_a_repository_has_one_connection_or_upstreams(town: Town) -> None:
    town.repo("store", connection=NPM)
    town.repo("plain")
    town.repo("down", "plain")
    store = {"domain": "dom", "repository": town.name("store")}

    for call, more in (
        (town.aws.associate_external_connection, {**store, "externalConnection": PYPI}),
        (town.aws.associate_external_connection, {**store, "externalConnection": NPM}),
        (town.aws.update_repository, {**store, "upstreams": [{"repositoryName": town.name("plain")}]}),
        (
            town.aws.associate_external_connection,
            {"domain": "dom", "repository": town.name("down"), "externalConnection": NPM},
        ),
    ):
        with pytest.raises(town.aws.exceptions.ConflictException):
            call(**more)
    shown = town.aws.describe_repository(**store)["repository"]["externalConnections"]
    assert shown == [{"externalConnectionName": NPM, "packageFormat": "npm", "status": "Available"}]
    gone = town.aws.disassociate_external_connection(**store, externalConnection=NPM)["repository"]
    assert (gone["externalConnections"], gone["upstreams"]) == ([], [])
    with pytest.raises(town.aws.exceptions.ResourceNotFoundException):
        town.aws.disassociate_external_connection(**store, externalConnection=NPM)


def test_the_misprinted_name_of_the_npm_connection_is_not_a_connection(town: Town) -> None:
    town.repo("store")

    with pytest.raises(ClientError) as refused:
        town.aws.associate_external_connection(
            domain="dom", repository=town.name("store"), externalConnection="public:npms"
        )

    assert refused.value.response["Error"]["Code"] in ("ValidationException", "ResourceNotFoundException")


def test_a_removed_upstream_takes_its_own_upstreams_with_it(town: Town) -> None:
    lodash = town.name("lodash")
    town.public.publish(lodash)
    town.repo("store", connection=NPM)
    town.repo("middle", "store")
    town.repo("my", "middle")
    assert town.npm("my").versions(lodash) == ["1.0.0"]

    town.upstreams("my")

    assert town.npm("my").versions(lodash) == []
    assert town.npm("my").fetch(lodash).status == 404


def test_an_unknown_or_circular_upstream_is_refused(town: Town) -> None:
    town.repo("c")
    town.repo("b", "c")
    town.repo("a", "b")

    for name, upstreams in (("c", ["a"]), ("a", ["a"]), ("a", ["b", "b"])):
        with pytest.raises(town.aws.exceptions.ValidationException):
            town.upstreams(name, *upstreams)
    with pytest.raises(town.aws.exceptions.ResourceNotFoundException):
        town.upstreams("a", "nobody")
    settle(town.front)


def test_files_of_our_own_do_not_join_a_version_that_is_present_upstream(town: Town) -> None:
    """Guide: any attempt to publish to it is rejected; and files of two origins are not one version."""
    package = town.name("mypackage")
    town.index.publish(package)
    town.repo("store", connection=PYPI)
    town.repo("my", "store")
    town.pypi("my").fetch(package, "1.0.0", wheel_name(package))
    town.set_controls("my", package, "ALLOW", "ALLOW", "pypi")

    refused = town.pypi("my").publish(package, "1.0.0", "py311-none-any")

    assert refused.status == 409
    assert town.assets("my", package, "1.0.0") == [wheel_name(package)]
