"""The guide's chapters "Editing package origin controls" and "Dependency substitution attacks", played through."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chains.town import Npm, Pypi, Town, npm_client, pip_client, wheel_name

NPM, PYPI = "public:npmjs", "public:pypi"
FORMATS = ["npm", "pypi"]


def connected(town: Town, name: str, format: str, *upstreams: str) -> None:
    town.repo(name, *upstreams, connection=NPM if format == "npm" else PYPI)


def shop(town: Town, repo: str, format: str) -> Npm | Pypi:
    return town.npm(repo) if format == "npm" else town.pypi(repo)


def public(town: Town, format: str) -> Npm | Pypi:
    return town.public if format == "npm" else town.index


def publish(at: Npm | Pypi, package: str, version: str = "1.0.0") -> int:
    return at.publish(package, version).status


def fetch(at: Npm | Pypi, package: str, version: str = "1.0.0") -> int:
    if isinstance(at, Npm):
        return at.fetch(package, version).status
    return at.fetch(package, version, wheel_name(package, version)).status


def versions(at: Npm | Pypi, package: str) -> list[str]:
    if isinstance(at, Npm):
        return at.versions(package)
    return sorted(name.split("-")[1] for name in at.files(package))


# --- Default package origin control settings ------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_defaults_by_the_first_arrival(town: Town, format: str) -> None:
    inside, outside = town.name("inside"), town.name("outside")
    publish(public(town, format), outside)
    connected(town, "store", format)
    town.repo("team")
    town.repo("my", "team", "store")
    assert publish(shop(town, "team", format), inside) in (200, 201)

    assert fetch(shop(town, "my", format), outside) == 200
    assert fetch(shop(town, "my", format), inside) == 200

    assert town.controls("team", inside, format) == ("ALLOW", "BLOCK")
    assert town.controls("store", outside, format) == ("BLOCK", "ALLOW")
    assert town.controls("my", outside, format) == ("BLOCK", "ALLOW")
    # What was retained from a repository keeps coming from there.
    assert town.controls("my", inside, format)[1] == "ALLOW"
    assert publish(shop(town, "team", format), inside, "1.1.0") in (200, 201)
    assert fetch(shop(town, "my", format), inside, "1.1.0") == 200


# --- Common package access control scenarios ------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_an_external_version_is_published_for_an_existing_internal_package(town: Town, format: str) -> None:
    package = town.name("package-a")
    connected(town, "repoA", format)
    repo = shop(town, "repoA", format)
    assert [publish(repo, package, version) for version in ("1.1.0", "2.1.0")] in ([200] * 2, [201] * 2)
    assert town.controls("repoA", package, format) == ("ALLOW", "BLOCK")

    assert publish(public(town, format), package, "3.0.0") in (200, 201)

    assert versions(repo, package) == ["1.1.0", "2.1.0"]
    assert fetch(repo, package, "3.0.0") == 404
    assert set(town.held("repoA", package, format)) == {"1.1.0", "2.1.0"}
    assert publish(repo, package, "3.0.0") in (200, 201)  # not reachable, so not a conflict


@pytest.mark.parametrize("format", FORMATS)
def test_an_internal_version_is_published_for_an_existing_external_package(town: Town, format: str) -> None:
    package = town.name("package-b")
    publish(public(town, format), package, "3.0.0")
    connected(town, "repoA", format)
    repo = shop(town, "repoA", format)
    assert fetch(repo, package, "3.0.0") == 200
    assert town.controls("repoA", package, format) == ("BLOCK", "ALLOW")

    refused = repo.publish(package, "1.2.0")

    assert refused.status == 403
    assert "publish=BLOCK" in refused.text
    # An owner can explicitly override the rejection.
    town.set_controls("repoA", package, "ALLOW", "ALLOW", format)
    assert publish(repo, package, "1.2.0") in (200, 201)
    assert versions(repo, package) == ["1.2.0", "3.0.0"]


@pytest.mark.parametrize("format", FORMATS)
def test_a_patched_version_of_an_existing_external_package_is_published(town: Town, format: str) -> None:
    package = town.name("package-b")
    for version in ("1.0.0", "1.2.0"):
        publish(public(town, format), package, version)
    connected(town, "repo", format)
    repo = shop(town, "repo", format)
    fetch(repo, package, "1.0.0")

    town.set_controls("repo", package, "ALLOW", "BLOCK", format)
    assert publish(repo, package, "1.1.0") in (200, 201)
    assert versions(repo, package) == ["1.0.0", "1.1.0"]
    town.set_controls("repo", package, "BLOCK", "ALLOW", format)

    assert versions(repo, package) == ["1.0.0", "1.1.0", "1.2.0"]
    assert fetch(repo, package, "1.2.0") == 200
    assert publish(repo, package, "1.3.0") == 403


@pytest.mark.parametrize("format", FORMATS)
def test_a_patched_version_comes_from_a_repository_where_the_public_one_is_not_reachable(
    town: Town, format: str
) -> None:
    """Guide, "Publishing patched package versions"."""
    package = town.name("mydep")
    for version in ("1.0.0", "1.1.0"):
        publish(public(town, format), package, version)
    connected(town, "store", format)
    town.repo("consume", "store")
    town.repo("isolated")
    repo = shop(town, "consume", format)
    fetch(repo, package, "1.0.0")
    town.set_controls("consume", package, "ALLOW", "ALLOW", format)
    assert publish(repo, package, "1.1.0") == 409
    town.set_controls("consume", package, "BLOCK", "ALLOW", format)

    assert publish(shop(town, "isolated", format), package, "1.1.0") in (200, 201)
    copied = town.copy(package, "isolated", "consume", "1.1.0", format=format)

    assert set(copied["successfulVersions"]) == {"1.1.0"}
    mine = town.aws.describe_package_version(**town.at("consume", package, format), packageVersion="1.1.0")
    assert mine["packageVersion"]["origin"] == {
        "originType": "INTERNAL",
        "domainEntryPoint": {"repositoryName": town.name("isolated")},
    }
    assert town.controls("consume", package, format) == ("BLOCK", "ALLOW")
    assert versions(repo, package) == ["1.0.0", "1.1.0"]
    ours, theirs = shop(town, "isolated", format), public(town, format)
    if format == "npm":
        assert isinstance(repo, Npm) and isinstance(ours, Npm) and isinstance(theirs, Npm)
        assert repo.fetch(package, "1.1.0").body == ours.fetch(package, "1.1.0").body
    # Other versions still come from outside.
    publish(theirs, package, "1.2.0")
    assert fetch(repo, package, "1.2.0") == 200


# --- Package origin control settings --------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_here_stays_usable_whatever_the_controls_become(town: Town, format: str) -> None:
    package = town.name("web")
    publish(public(town, format), package)
    publish(public(town, format), package, "2.0.0")
    connected(town, "store", format)
    town.repo("my", "store")
    repo = shop(town, "my", format)
    fetch(repo, package)

    town.set_controls("my", package, "BLOCK", "BLOCK", format)

    assert versions(repo, package) == ["1.0.0"]
    assert fetch(repo, package) == 200
    assert fetch(repo, package, "2.0.0") == 404
    assert publish(repo, package, "3.0.0") == 403
    # The controls of one repository are not those of another.
    assert versions(shop(town, "store", format), package) == ["1.0.0", "2.0.0"]
    town.set_controls("my", package, "BLOCK", "ALLOW", format)
    assert versions(repo, package) == ["1.0.0", "2.0.0"]


def test_a_block_in_the_store_keeps_versions_from_everyone_below(town: Town) -> None:
    package = town.name("web")
    town.public.publish(package)
    town.repo("store", connection=NPM)
    town.repo("middle", "store")
    town.repo("my", "middle")
    town.set_controls("store", package, "ALLOW", "BLOCK")

    assert town.npm("my").versions(package) == []
    assert town.npm("my").fetch(package).status == 404
    town.set_controls("store", package, "ALLOW", "ALLOW")
    town.set_controls("middle", package, "ALLOW", "BLOCK")
    assert town.npm("my").versions(package) == []  # BLOCK at a hop ends the search through it
    assert town.npm("store").versions(package) == ["1.0.0"]


def test_controls_can_be_set_before_the_first_version_and_go_with_the_package(town: Town) -> None:
    town.repo("my")

    town.set_controls("my", "reserved", "BLOCK", "ALLOW")
    assert town.held("my", "reserved") == {}
    assert town.npm("my").publish("reserved").status == 403
    deleted = town.aws.delete_package(**town.at("my", "reserved"))["deletedPackage"]

    assert deleted == {
        "format": "npm",
        "package": "reserved",
        "originConfiguration": {"restrictions": {"publish": "BLOCK", "upstream": "ALLOW"}},
    }
    assert town.npm("my").publish("reserved").status == 201
    assert town.controls("my", "reserved") == ("ALLOW", "BLOCK")
    # Deleting all versions leaves the package and its configuration.
    town.set_controls("my", "reserved", "ALLOW", "ALLOW")
    town.set_status("my", "reserved", "1.0.0", "Deleted")
    assert town.controls("my", "reserved") == ("ALLOW", "ALLOW")


def test_packages_are_listed_by_their_controls(town: Town) -> None:
    town.repo("my")
    town.npm("my").publish("inside")
    town.set_controls("my", "open", "ALLOW", "ALLOW")
    town.set_controls("my", "shut", "BLOCK", "BLOCK")

    def listed(**where: str) -> list[str]:
        found = town.aws.list_packages(domain="dom", repository=town.name("my"), **where)
        return [each["package"] for each in found["packages"]]

    assert listed() == ["inside", "open", "shut"]
    assert listed(publish="ALLOW") == ["inside", "open"]
    assert listed(upstream="BLOCK") == ["inside", "shut"]
    assert listed(publish="ALLOW", upstream="ALLOW") == ["open"]


# --- Dependency substitution attacks (rulings, "Origin controls and groups" 4) --------------------


@pytest.mark.clients
def test_npm_is_not_confused_by_a_higher_version_beside_an_internal_package(town: Town, tmp_path: Path) -> None:
    secret = town.name("secret")
    town.repo("team")
    town.repo("store", connection=NPM)
    for order in (("team", "store"), ("store", "team")):
        town.repo("-".join(order), *order)
    town.npm("team").publish(secret, "1.0.0")
    town.public.publish(secret, "99.0.0")

    for order in ("team-store", "store-team"):
        npm = npm_client(tmp_path / order, town.npm(order))
        npm("install", secret)
        assert npm.installed(secret) == "1.0.0"
        refused = npm_client(tmp_path / f"{order}-2", town.npm(order))("install", f"{secret}@99.0.0", ok=False)
        assert "No matching version" in refused or "E404" in refused
        assert town.npm(order).fetch(secret, "99.0.0").status == 404
        assert town.npm(order).tags(secret) == {"latest": "1.0.0"}
    # Even when somebody has fetched the attacker's version into the store.
    assert town.npm("store").fetch(secret, "99.0.0").status == 200
    for order in ("team-store", "store-team"):
        assert town.npm(order).versions(secret) == ["1.0.0"]
        assert town.npm(order).fetch(secret, "99.0.0").status == 404
    # The team's next release is not held up by it.
    assert town.npm("team").publish(secret, "1.1.0").status == 201
    assert town.npm("store-team").versions(secret) == ["1.0.0", "1.1.0"]


@pytest.mark.clients
def test_pip_is_not_confused_by_a_higher_version_beside_an_internal_package(town: Town, tmp_path: Path) -> None:
    secret = town.name("secret")
    town.repo("team")
    town.repo("store", connection=PYPI)
    town.repo("my", "store", "team")
    town.pypi("team").publish(secret, "1.0.0")
    town.index.publish(secret, "99.0.0")

    said = pip_client(tmp_path / "one", town.pypi("my"))("install", secret)
    refused = pip_client(tmp_path / "two", town.pypi("my"))("install", f"{secret}==99.0.0", ok=False)

    assert f"Successfully installed {secret}-1.0.0" in said
    assert "No matching distribution" in refused
    assert fetch(town.pypi("my"), secret, "99.0.0") == 404
    assert fetch(town.pypi("store"), secret, "99.0.0") == 200
    assert versions(town.pypi("my"), secret) == ["1.0.0"]


@pytest.mark.parametrize("format", FORMATS)
def test_an_owner_may_let_both_in(town: Town, format: str) -> None:
    package = town.name("both")
    town.repo("team")
    connected(town, "store", format)
    town.repo("my", "team", "store")
    publish(shop(town, "team", format), package, "1.0.0")
    publish(public(town, format), package, "2.0.0")
    repo = shop(town, "my", format)
    assert versions(repo, package) == ["1.0.0"]
    fetch(repo, package, "1.0.0")
    assert versions(repo, package) == ["1.0.0"]  # retaining is not the owner's choice

    town.set_controls("my", package, "BLOCK", "ALLOW", format)

    assert versions(repo, package) == ["1.0.0", "2.0.0"]
    assert fetch(repo, package, "2.0.0") == 200


def test_an_internal_package_deep_in_the_chain_is_guarded_too(town: Town) -> None:
    secret = town.name("secret")
    town.repo("team")
    town.repo("shared", "team")
    town.repo("store", connection=NPM)
    town.repo("base", "store")
    town.repo("my", "base", "shared")
    town.npm("team").publish(f"@corp/{secret}")
    town.public.publish(f"@corp/{secret}", "99.0.0")

    assert town.npm("my").versions(f"@corp/{secret}") == ["1.0.0"]
    assert town.npm("base").versions(f"@corp/{secret}") == ["99.0.0"]  # it does not see the team's


def test_the_guard_survives_the_internal_packages_own_updates(town: Town) -> None:
    """Deleting and publishing again, disposing, and setting another control do not open a gap."""
    secret = town.name("secret")
    town.repo("team")
    town.repo("store", connection=NPM)
    town.repo("my", "store", "team")
    team, my = town.npm("team"), town.npm("my")
    team.publish(secret)
    town.public.publish(secret, "99.0.0")

    for status in ("Unlisted", "Archived", "Disposed"):
        town.set_status("team", secret, "1.0.0", status)
        assert my.versions(secret) == [], status
    team.publish(secret, "1.1.0")
    assert my.versions(secret) == ["1.1.0"]
    # The owner opens the package in its own repository: then it is not private any more.
    town.set_controls("team", secret, "ALLOW", "ALLOW")
    assert my.versions(secret) == ["1.1.0", "99.0.0"]
