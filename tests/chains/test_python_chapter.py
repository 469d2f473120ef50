"""The guide's chapter "Using CodeArtifact with Python": names, assets, yanked versions, details."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.chains.town import Pypi, Town, pip_client, settle, wheel_name
from tests.samples import pypi as samples
from tests.samples.pypi import Project

PYPI = "public:pypi"
TAGS = ["py3-none-any", "py310-none-any", "py311-none-any"]


def connected(town: Town) -> Pypi:
    """`my` above `middle` above `store`, which has the connection."""
    town.repo("store", connection=PYPI)
    town.repo("middle", "store")
    town.repo("my", "middle")
    return town.pypi("my")


def all_held(town: Town, package: str, version: str = "1.0.0") -> dict[str, list[str]]:
    return {repo: town.assets(repo, package, version) for repo in ("my", "store")}


# --- Requesting Python packages from upstreams and external connections ---------------------------


def test_importing_a_version_imports_all_its_assets(town: Town) -> None:
    package = town.name("torch")
    for tag in TAGS:
        town.index.publish(package, tag=tag)
    project = Project(name=package)
    town.index.upload(project, *samples.sdist(project))
    my = connected(town)

    assert my.fetch(package, "1.0.0", wheel_name(package)).status == 200
    settle(town.front)

    names = sorted([*(wheel_name(package, tag=tag) for tag in TAGS), samples.sdist(project)[0]])
    assert all_held(town, package) == {"my": names, "store": names}
    assert town.held("middle", package, "pypi") == {}
    for repo in ("my", "store"):
        listed = town.aws.list_package_version_assets(**town.at(repo, package, "pypi"), packageVersion="1.0.0")
        for asset in listed["assets"]:
            got = town.aws.get_package_version_asset(
                **town.at(repo, package, "pypi"), packageVersion="1.0.0", asset=asset["name"]
            )
            assert asset["hashes"]["SHA-256"] == hashlib.sha256(got["asset"].read()).hexdigest()


def test_assets_that_are_published_later_join_the_retained_version(town: Town) -> None:
    package = town.name("torch")
    town.index.publish(package)
    my = connected(town)
    my.fetch(package, "1.0.0", wheel_name(package))
    before = town.aws.describe_package_version(**town.at("my", package, "pypi"), packageVersion="1.0.0")

    town.index.publish(package, tag="py311-none-any")
    assert set(my.files(package)) == {wheel_name(package), wheel_name(package, tag="py311-none-any")}
    assert my.fetch(package, "1.0.0", wheel_name(package, tag="py311-none-any")).status == 200

    both = sorted([wheel_name(package), wheel_name(package, tag="py311-none-any")])
    assert all_held(town, package) == {"my": both, "store": both}
    after = town.aws.describe_package_version(**town.at("my", package, "pypi"), packageVersion="1.0.0")
    assert after["packageVersion"]["revision"] != before["packageVersion"]["revision"]


def test_assets_that_appear_in_an_upstream_repository_are_retained_when_they_are_installed(town: Town) -> None:
    town.repo("up")
    town.repo("my", "up")
    up, my = town.pypi("up"), town.pypi("my")
    up.publish("tool")
    my.fetch("tool", "1.0.0", wheel_name("tool"))

    up.publish("tool", tag="py311-none-any")

    assert set(my.files("tool")) == {wheel_name("tool"), wheel_name("tool", tag="py311-none-any")}
    assert my.fetch("tool", "1.0.0", wheel_name("tool", tag="py311-none-any")).status == 200
    assert len(town.assets("my", "tool", "1.0.0")) == 2


# --- Yanked package versions ----------------------------------------------------------------------


@pytest.mark.clients
def test_pip_warns_of_a_yanked_version_also_when_it_was_retained_before(town: Town, tmp_path: Path) -> None:
    package = town.name("attrs")
    for version in ("1.0.0", "2.0.0"):
        town.index.publish(package, version)
    my = connected(town)
    assert f"{package}-2.0.0" in pip_client(tmp_path / "before", my)("install", package)

    town.index.yank(package, "2.0.0", "yanked=true&reason=broken")
    newest = pip_client(tmp_path / "newest", my)("install", package)
    pinned = pip_client(tmp_path / "pinned", my)("install", f"{package}==2.0.0")
    settle(town.front)
    town.aws.disassociate_external_connection(domain="dom", repository=town.name("store"), externalConnection=PYPI)
    kept = pip_client(tmp_path / "kept", my)("install", f"{package}==2.0.0")
    town.aws.associate_external_connection(domain="dom", repository=town.name("store"), externalConnection=PYPI)
    town.index.yank(package, "2.0.0", "yanked=false")
    again = pip_client(tmp_path / "again", my)("install", package)

    assert f"Successfully installed {package}-1.0.0" in newest
    for said in (pinned, kept):
        assert "The candidate selected for download or install is a yanked version" in said
        assert "broken" in said
    assert f"Successfully installed {package}-2.0.0" in again
    assert "yanked" not in again


def refreshed(town: Town, my: Pypi, package: str) -> bool:
    """Do a new mark and a new asset of the public registry arrive?"""
    town.index.yank(package, "1.0.0", "yanked=true")
    town.index.publish(package, tag="py311-none-any")
    files = my.files(package)
    settle(town.front)
    files = my.files(package) or files
    mark = files[wheel_name(package)]["yanked"]
    asset = wheel_name(package, tag="py311-none-any") in files
    assert bool(mark) == asset, files
    return asset


def test_marks_and_assets_are_refreshed(town: Town) -> None:
    package = town.name("torch")
    town.index.publish(package)
    my = connected(town)
    my.fetch(package, "1.0.0", wheel_name(package))

    assert refreshed(town, my, package)


@pytest.mark.parametrize("cause", ["disassociated", "upstream removed", "blocked here", "blocked in the store"])
def test_upstream_configuration_stops_the_refresh(town: Town, cause: str) -> None:
    package = town.name("torch")
    town.index.publish(package)
    my = connected(town)
    my.fetch(package, "1.0.0", wheel_name(package))
    if cause == "disassociated":
        town.aws.disassociate_external_connection(domain="dom", repository=town.name("store"), externalConnection=PYPI)
    elif cause == "upstream removed":
        town.upstreams("my")
    else:
        town.set_controls("my" if cause == "blocked here" else "store", package, "BLOCK", "BLOCK", "pypi")

    assert not refreshed(town, my, package)
    assert my.fetch(package, "1.0.0", wheel_name(package)).status == 200


@pytest.mark.parametrize("status", ["Archived", "Disposed", "Unlisted"])
def test_a_status_upstream_stops_the_refresh_unless_it_is_unlisted(town: Town, status: str) -> None:
    package = town.name("torch")
    town.index.publish(package)
    my = connected(town)
    my.fetch(package, "1.0.0", wheel_name(package))

    town.set_status("store", package, "1.0.0", status, "pypi")

    assert refreshed(town, my, package) == (status == "Unlisted")


def test_an_archived_version_is_not_refreshed(town: Town) -> None:
    package = town.name("torch")
    town.index.publish(package)
    my = connected(town)
    my.fetch(package, "1.0.0", wheel_name(package))
    town.set_status("my", package, "1.0.0", "Archived", "pypi")

    town.index.publish(package, tag="py311-none-any")

    assert my.files(package) == {}
    assert my.fetch(package, "1.0.0", wheel_name(package, tag="py311-none-any")).status == 404
    assert town.assets("my", package, "1.0.0") == [wheel_name(package)]


@pytest.mark.parametrize("where", ["my", "middle"])
def test_direct_publishing_stops_the_refresh(town: Town, where: str) -> None:
    """Here, or in an upstream repository in between."""
    package = town.name("torch")
    my = connected(town)
    town.set_controls(where, package, "ALLOW", "ALLOW", "pypi")
    assert town.pypi(where).publish(package).status == 200
    assert my.fetch(package, "1.0.0", wheel_name(package)).status == 200
    town.index.publish(package)

    assert not refreshed(town, my, package)


def test_a_private_package_may_be_yanked_here_beyond_the_guide(town: Town) -> None:
    town.repo("up")
    town.repo("my", "up")
    town.pypi("up").publish("tool")
    town.pypi("my").fetch("tool", "1.0.0", wheel_name("tool"))

    assert town.pypi("up").yank("tool", "1.0.0", "yanked=true&reason=bad").status == 200

    assert town.pypi("up").files("tool")[wheel_name("tool")]["yanked"] == "bad"
    assert town.pypi("my").files("tool")[wheel_name("tool")]["yanked"] is False  # retained: not edited from there


# --- Python package name normalization ------------------------------------------------------------


@pytest.mark.clients
def test_names_are_normalized_for_the_api_and_free_for_clients(town: Town, tmp_path: Path) -> None:
    town.repo("my")
    my = town.pypi("my")
    for name, version in (("pigeon_cli", "1.0.0"), ("Pigeon.CLI", "1.1.0"), ("pigeon--_.cli", "1.2.0")):
        project = Project(name=name, version=version)
        filename, body = samples.wheel(Project(name="pigeon_cli", version=version))
        assert my.upload(project, filename, body).status == 200

    assert sorted(town.held("my", "pigeon-cli", "pypi")) == ["1.0.0", "1.1.0", "1.2.0"]
    shown = town.aws.list_packages(domain="dom", repository=town.name("my"))["packages"]
    assert [each["package"] for each in shown] == ["pigeon-cli"]
    # The guide wants the normalized name in requests; others are understood, and mean the same package.
    found = town.aws.list_package_versions(**town.at("my", "Pigeon_CLI", "pypi"))
    assert (found["package"], len(found["versions"])) == ("pigeon-cli", 3)
    for number, name in enumerate(("pigeon_cli", "Pigeon.Cli", "pigeon-cli")):
        said = pip_client(tmp_path / str(number), my)("install", f"{name}==1.1.0")
        assert "Successfully installed" in said


# --- View package version details -----------------------------------------------------------------


def details(town: Town, repo: str, package: str) -> tuple[dict[str, Any], set[tuple[str, str, str]], str]:
    at = {**town.at(repo, package, "pypi"), "packageVersion": "1.9.0"}
    shown = town.aws.describe_package_version(**at)["packageVersion"]
    found = town.aws.list_package_version_dependencies(**at)["dependencies"]
    assert not any("namespace" in each for each in found)
    listed = {(each["package"], each["dependencyType"], each["versionRequirement"]) for each in found}
    return shown, listed, town.aws.get_package_version_readme(**at)["readme"]


def hamcrest(name: str) -> Project:
    return Project(
        name=name,
        version="1.9.0",
        summary="Hamcrest framework for matcher objects",
        requires=["six>=1.10", 'typing_extensions; python_version < "3.8"'],
        headers={
            "Home-page": "https://hamcrest.example/PyHamcrest",
            "Project-URL": "Source, https://code.example/hamcrest/PyHamcrest",
            "License": "New BSD",
        },
    )


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_details_of_a_published_version(town: Town, kind: str) -> None:
    town.repo("my")
    project = hamcrest("PyHamcrest")
    built = samples.wheel(project) if kind == "wheel" else samples.sdist(project)
    assert town.pypi("my").upload(project, *built).status == 200

    shown, dependencies, readme = details(town, "my", "pyhamcrest")

    assert len(shown.pop("revision")) == 44
    assert shown.pop("publishedTime").tzinfo is not None
    assert shown == {
        "format": "pypi",
        "packageName": "pyhamcrest",
        "displayName": "PyHamcrest",
        "version": "1.9.0",
        "summary": "Hamcrest framework for matcher objects",
        "homePage": "https://hamcrest.example/PyHamcrest",
        "sourceCodeRepository": "https://code.example/hamcrest/PyHamcrest",
        "licenses": [{"name": "New BSD"}],
        "status": "Published",
        "origin": {"originType": "INTERNAL", "domainEntryPoint": {"repositoryName": town.name("my")}},
    }
    assert dependencies == {
        ("six", "Requires-Dist", ">=1.10"),
        ("typing-extensions", "Requires-Dist", '; python_version < "3.8"'),
    }
    assert readme == "# Sample\n\nRead me.\n"


def test_details_of_an_imported_version(town: Town) -> None:
    name = town.name("PyHamcrest")
    package = name.lower()
    project = hamcrest(name)
    town.index.upload(project, *samples.wheel(project))
    town.index.upload(project, *samples.sdist(project))
    my = connected(town)
    my.fetch(package, "1.9.0", samples.sdist(project)[0])

    there = town.back.boto().describe_package_version(
        domain="pub", repository="main", format="pypi", package=package, packageVersion="1.9.0"
    )["packageVersion"]
    for repo in ("my", "store"):
        shown, dependencies, readme = details(town, repo, package)
        same = {"summary", "homePage", "sourceCodeRepository", "licenses", "displayName", "version", "status"}
        assert {key: shown[key] for key in same} == {key: there[key] for key in same}
        assert shown["publishedTime"] == there["publishedTime"]
        assert shown["origin"] == {"originType": "EXTERNAL", "domainEntryPoint": {"externalConnectionName": PYPI}}
        assert len(dependencies) == 2
        assert readme == "# Sample\n\nRead me.\n"


def test_the_default_display_version_is_the_one_published_last(town: Town) -> None:
    town.repo("my")
    for version in ("2.0.0", "1.0.0"):
        town.pypi("my").publish("tool", version)

    found = town.aws.list_package_versions(**town.at("my", "tool", "pypi"))

    assert found["defaultDisplayVersion"] == "1.0.0"
    assert [each["version"] for each in found["versions"]] == ["2.0.0", "1.0.0"]


# --- Overwriting package assets -------------------------------------------------------------------


def test_an_asset_is_published_again_only_with_the_same_content(town: Town) -> None:
    town.repo("my")
    my = town.pypi("my")
    assert my.publish("tool").status == 200
    before = town.aws.describe_package_version(**town.at("my", "tool", "pypi"), packageVersion="1.0.0")

    same, other = my.publish("tool"), my.publish("tool", code="VALUE = 2\n")
    more = my.publish("tool", tag="py311-none-any", code="VALUE = 2\n")

    assert (same.status, other.status, more.status) == (200, 409, 200)
    assert wheel_name("tool") in other.text
    assert len(town.assets("my", "tool", "1.0.0")) == 2
    after = town.aws.describe_package_version(**town.at("my", "tool", "pypi"), packageVersion="1.0.0")
    assert after["packageVersion"]["publishedTime"] == before["packageVersion"]["publishedTime"]
    town.set_status("my", "tool", "1.0.0", "Deleted", "pypi")
    assert my.publish("tool", code="VALUE = 2\n").status == 200


def test_spellings_of_one_release_are_one_version(town: Town) -> None:
    town.repo("my")
    my = town.pypi("my")

    assert my.publish("tool", "1.0").status == 200
    other = my.publish("tool", "1.0.0")

    assert other.status == 200  # a further asset, under its own name
    assert len(town.held("my", "tool", "pypi")) == 1
    shown = next(iter(town.held("my", "tool", "pypi")))
    for spelled in ("1.0", "1.0.0"):
        found = town.aws.describe_package_version(**town.at("my", "tool", "pypi"), packageVersion=spelled)
        assert found["packageVersion"]["version"] == shown
