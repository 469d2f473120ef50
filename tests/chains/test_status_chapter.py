"""The guide's chapters "Package version status" and "Update package version status", with both formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.chains.town import Npm, Pypi, Town, npm_client, pip_client, wheel_name
from tests.harness import Answer

FORMATS = ["npm", "pypi"]


def shop(town: Town, repo: str, format: str) -> Npm | Pypi:
    return town.npm(repo) if format == "npm" else town.pypi(repo)


def fetch(at: Npm | Pypi, package: str, version: str = "1.0.0") -> Answer:
    if isinstance(at, Npm):
        return at.fetch(package, version)
    return at.fetch(package, version, wheel_name(package, version))


def listed(at: Npm | Pypi, package: str) -> list[str]:
    if isinstance(at, Npm):
        return at.versions(package)
    return sorted(name.split("-")[1] for name in at.files(package))


def published(town: Town, format: str, *versions: str, repo: str = "my") -> Npm | Pypi:
    town.repo(repo)
    at = shop(town, repo, format)
    for version in versions:
        assert at.publish("chalk", version).status in (200, 201)
    return at


# --- What each status means for package managers --------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("status", ["Unlisted", "Archived", "Disposed"])
def test_a_version_that_is_not_published(town: Town, format: str, status: str) -> None:
    at = published(town, format, "1.0.0", "2.0.0")
    body = fetch(at, "chalk", "2.0.0").body

    town.set_status("my", "chalk", "2.0.0", status, format)

    assert listed(at, "chalk") == ["1.0.0"]
    answer = fetch(at, "chalk", "2.0.0")
    if status == "Unlisted":
        assert (answer.status, answer.body) == (200, body)
    else:
        assert answer.status == 404
    again = at.publish("chalk", "2.0.0")  # the very same bytes
    assert again.status == 409
    assert status in again.text
    assert town.held("my", "chalk", format) == {"1.0.0": "Published", "2.0.0": status}
    if format == "npm":
        assert isinstance(at, Npm)
        assert at.tags("chalk") == {"latest": "1.0.0"}
        document = at.packument("chalk")
        assert "2.0.0" not in document["time"]
        assert at("GET", "chalk/2.0.0").status == 404


@pytest.mark.parametrize("format", FORMATS)
def test_a_package_whose_only_version_is_unlisted(town: Town, format: str) -> None:
    at = published(town, format, "1.0.0")

    town.set_status("my", "chalk", "1.0.0", "Unlisted", format)

    assert listed(at, "chalk") == []
    assert fetch(at, "chalk").status == 200


@pytest.mark.parametrize("format", FORMATS)
def test_an_archived_version_can_come_back_and_a_disposed_one_only_goes(town: Town, format: str) -> None:
    at = published(town, format, "1.0.0", "2.0.0")
    body = fetch(at, "chalk").body
    before = town.aws.describe_package_version(**town.at("my", "chalk", format), packageVersion="1.0.0")

    town.set_status("my", "chalk", "1.0.0", "Archived", format)
    town.set_status("my", "chalk", "1.0.0", "Unlisted", format)
    assert fetch(at, "chalk").body == body
    town.set_status("my", "chalk", "1.0.0", "Published", format)

    assert listed(at, "chalk") == ["1.0.0", "2.0.0"]
    assert fetch(at, "chalk").body == body
    after = town.aws.describe_package_version(**town.at("my", "chalk", format), packageVersion="1.0.0")
    assert after["packageVersion"] == before["packageVersion"]  # a status change keeps the revision
    town.set_status("my", "chalk", "1.0.0", "Disposed", format)
    assert town.assets("my", "chalk", "1.0.0", format) == []
    for target in ("Archived", "Unlisted", "Published"):
        done = town.aws.update_package_versions_status(
            **town.at("my", "chalk", format), versions=["1.0.0"], targetStatus=target
        )
        assert done["successfulVersions"] == {}
        assert done["failedVersions"]["1.0.0"]["errorCode"] == "NOT_ALLOWED"
    town.set_status("my", "chalk", "1.0.0", "Deleted", format)
    assert town.held("my", "chalk", format) == {"2.0.0": "Published"}


@pytest.mark.parametrize("format", FORMATS)
def test_a_deleted_version_can_be_published_again_with_other_content(town: Town, format: str) -> None:
    at = published(town, format, "1.0.0")
    assert isinstance(at, Npm | Pypi)
    other: dict[str, Any] = {"description": "other"} if format == "npm" else {"code": "VALUE = 2\n"}
    refused = at.publish("chalk", "1.0.0", **other)

    town.set_status("my", "chalk", "1.0.0", "Deleted", format)
    assert listed(at, "chalk") == []
    assert fetch(at, "chalk").status == 404
    accepted = at.publish("chalk", "1.0.0", **other)

    assert refused.status == 409
    assert "already" in refused.text
    assert accepted.status in (200, 201)
    assert listed(at, "chalk") == ["1.0.0"]


def test_versions_of_all_statuses_are_listed_unless_one_is_asked_for(town: Town) -> None:
    statuses = {"1.0.0": "Published", "2.0.0": "Unlisted", "3.0.0": "Archived", "4.0.0": "Disposed"}
    published(town, "npm", *statuses)
    for version, status in statuses.items():
        if status != "Published":
            town.set_status("my", "chalk", version, status)

    assert town.held("my", "chalk") == statuses
    for version, status in statuses.items():
        found = town.aws.list_package_versions(**town.at("my", "chalk"), status=status)["versions"]
        assert [each["version"] for each in found] == [version]
    # The tag `latest` went with the version that had it: the most recently published one that can be had.
    assert town.aws.list_package_versions(**town.at("my", "chalk"))["defaultDisplayVersion"] in statuses


def test_generic_packages_have_the_statuses_too(town: Town) -> None:
    town.repo("my")
    at = {"domain": "dom", "repository": town.name("my"), "format": "generic", "namespace": "ns", "package": "tool"}
    body = {
        "assetContent": b"bytes",
        "assetName": "a.bin",
        "assetSHA256": __import__("hashlib").sha256(b"bytes").hexdigest(),
    }
    for version in ("1", "2"):
        town.aws.publish_package_version(**at, packageVersion=version, **body, unfinished=version == "2")
    shown = {each["version"]: each["status"] for each in town.aws.list_package_versions(**at)["versions"]}

    assert shown == {"1": "Published", "2": "Unfinished"}
    done = town.aws.update_package_versions_status(**at, versions=["2"], targetStatus="Published")
    assert done["successfulVersions"]["2"]["status"] == "Published"
    with pytest.raises(town.aws.exceptions.ConflictException):
        town.aws.publish_package_version(**at, packageVersion="2", **{**body, "assetName": "b.bin"})
    with pytest.raises(town.aws.exceptions.ValidationException):
        town.aws.update_package_versions_status(**at, versions=["2"], targetStatus="Unfinished")
    with pytest.raises(town.aws.exceptions.ValidationException):
        town.aws.update_package_versions_status(**at, versions=["2"], targetStatus="Disposed")


# --- Statuses in upstream repositories ------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("status", ["Unlisted", "Archived", "Disposed"])
def test_the_status_upstream_is_respected(town: Town, format: str, status: str) -> None:
    """Guide, "Importing new assets and package version status in upstream repositories"."""
    published(town, format, "1.0.0", "2.0.0", repo="up")
    town.repo("middle", "up")
    town.repo("my", "middle")
    town.set_status("up", "chalk", "1.0.0", status, format)
    at = shop(town, "my", format)

    assert listed(at, "chalk") == ["2.0.0"]
    answer = fetch(at, "chalk")

    if status == "Unlisted":
        assert answer.status == 200
        assert town.held("my", "chalk", format) == {"1.0.0": "Unlisted"}
    else:
        assert answer.status == 404
        assert town.held("my", "chalk", format) == {}


@pytest.mark.parametrize("format", FORMATS)
def test_a_status_in_a_nearer_repository_hides_the_version_further_up(town: Town, format: str) -> None:
    published(town, format, "1.0.0", repo="up")
    town.repo("my", "up")
    at = shop(town, "my", format)
    fetch(at, "chalk")

    town.set_status("my", "chalk", "1.0.0", "Archived", format)

    assert listed(at, "chalk") == []
    assert fetch(at, "chalk").status == 404
    assert listed(shop(town, "up", format), "chalk") == ["1.0.0"]
    town.set_status("my", "chalk", "1.0.0", "Deleted", format)
    assert listed(at, "chalk") == ["1.0.0"]
    assert fetch(at, "chalk").status == 200


def test_an_archived_version_in_the_store_is_not_fetched_from_outside_again(town: Town) -> None:
    package = town.name("chalk")
    town.public.publish(package)
    town.repo("store", connection="public:npmjs")
    town.repo("my", "store")
    town.npm("store").fetch(package)
    town.set_status("store", package, "1.0.0", "Archived")

    assert town.npm("my").versions(package) == []
    assert town.npm("my").fetch(package).status == 404


# --- With real clients ----------------------------------------------------------------------------


@pytest.mark.clients
def test_an_unlisted_version_that_a_lock_file_names_is_still_installed_by_npm_ci(town: Town, tmp_path: Path) -> None:
    published(town, "npm", "4.0.0", "4.1.0")
    npm = npm_client(tmp_path / "locked", town.npm("my"))
    npm("install", "chalk@4.1.0")
    lock = (npm.home.work / "package-lock.json").read_text()
    town.set_status("my", "chalk", "4.1.0", "Unlisted")

    viewed = npm_client(tmp_path / "view", town.npm("my"))("view", "chalk", "versions", "--json")
    fresh = npm_client(tmp_path / "fresh", town.npm("my"))
    fresh("install", "chalk")
    again = npm_client(tmp_path / "ci", town.npm("my"))
    (again.home.work / "package.json").write_text((npm.home.work / "package.json").read_text())
    (again.home.work / "package-lock.json").write_text(lock)
    again("ci")

    assert json.loads(viewed) in (["4.0.0"], "4.0.0")
    assert fresh.installed("chalk") == "4.0.0"
    assert again.installed("chalk") == "4.1.0"
    # Archived breaks the build of who has it not cached.
    town.set_status("my", "chalk", "4.1.0", "Archived")
    broken = npm_client(tmp_path / "broken", town.npm("my"))
    (broken.home.work / "package.json").write_text((npm.home.work / "package.json").read_text())
    (broken.home.work / "package-lock.json").write_text(lock)
    assert "E404" in broken("ci", ok=False)


@pytest.mark.clients
def test_pip_does_not_see_an_unlisted_version_but_gets_it_by_its_address(town: Town, tmp_path: Path) -> None:
    at = published(town, "pypi", "1.0.0", "2.0.0")
    assert isinstance(at, Pypi)
    town.set_status("my", "chalk", "2.0.0", "Unlisted", "pypi")

    newest = pip_client(tmp_path / "one", at)("install", "chalk")
    pinned = pip_client(tmp_path / "two", at)("install", "chalk==2.0.0", ok=False)
    address = f"{at.endpoint}simple/chalk/2.0.0/{wheel_name('chalk', '2.0.0')}"
    direct = pip_client(tmp_path / "three", at)("install", address.replace("http://", f"http://aws:{at.token}@"))

    assert "Successfully installed chalk-1.0.0" in newest
    assert "No matching distribution" in pinned
    assert "Successfully installed chalk-2.0.0" in direct


# --- Update package version status, its parameters ------------------------------------------------


def test_updates_with_revisions_and_expected_statuses(town: Town) -> None:
    published(town, "npm", "4.0.0", "4.1.0")
    at = town.at("my", "chalk")
    revisions = {each["version"]: each["revision"] for each in town.aws.list_package_versions(**at)["versions"]}

    def update(**more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        done = town.aws.update_package_versions_status(**at, **{"targetStatus": "Archived", **more})
        return done["successfulVersions"], done["failedVersions"]

    both = ["4.1.0", "4.0.0"]
    mismatch = "current status: Published, expected status: Unlisted"
    done, failed = update(versions=both, expectedStatus="Unlisted")
    assert done == {}
    assert failed == {version: {"errorCode": "MISMATCHED_STATUS", "errorMessage": mismatch} for version in both}
    assert update(versions=both, versionRevisions={**revisions, "4.0.0": "other"}) == ({}, {
        "4.0.0": {
            "errorCode": "MISMATCHED_REVISION",
            "errorMessage": f"current revision: {revisions['4.0.0']}, expected revision: other",
        },
        "4.1.0": {"errorCode": "SKIPPED", "errorMessage": "version 4.1.0 is skipped"},
    })  # fmt: skip
    with pytest.raises(town.aws.exceptions.ValidationException):
        update(versions=both, versionRevisions={"4.0.0": revisions["4.0.0"]})
    done, failed = update(versions=both, versionRevisions=revisions, targetStatus="Published")
    assert failed == {}
    assert done == {version: {"revision": revisions[version], "status": "Published"} for version in both}
    done, failed = update(versions=["4.0.0", "9.9.9"])
    assert done == {}
    assert {version: each["errorCode"] for version, each in failed.items()} == {
        "4.0.0": "SKIPPED",
        "9.9.9": "NOT_FOUND",
    }
    assert town.held("my", "chalk") == {"4.0.0": "Published", "4.1.0": "Published"}
    disposed = town.aws.dispose_package_versions(**at, versions=["4.0.0"], expectedStatus="Published")
    assert disposed["successfulVersions"] == {"4.0.0": {"revision": revisions["4.0.0"], "status": "Disposed"}}
    deleted = town.aws.delete_package_versions(**at, versions=both)["successfulVersions"]
    assert deleted == {version: {"revision": revisions[version], "status": "Deleted"} for version in both}


def test_a_scoped_package_is_named_by_its_namespace_without_the_sign(town: Town) -> None:
    town.repo("my")
    town.npm("my").publish("@nestjs/core", "8.0.0")
    at = {"domain": "dom", "repository": town.name("my"), "format": "npm", "package": "core"}

    done = town.aws.update_package_versions_status(
        **at, namespace="nestjs", versions=["8.0.0"], targetStatus="Unlisted"
    )

    assert done["successfulVersions"]["8.0.0"]["status"] == "Unlisted"
    with pytest.raises(town.aws.exceptions.ResourceNotFoundException):
        town.aws.update_package_versions_status(**at, versions=["8.0.0"], targetStatus="Unlisted")


@pytest.mark.parametrize("format", FORMATS)
def test_deleting_a_package_takes_versions_tags_and_configuration(town: Town, format: str) -> None:
    at = published(town, format, "1.0.0", "2.0.0")
    town.set_controls("my", "chalk", "ALLOW", "ALLOW", format)

    deleted = town.aws.delete_package(**town.at("my", "chalk", format))["deletedPackage"]

    assert deleted == {
        "format": format,
        "package": "chalk",
        "originConfiguration": {"restrictions": {"publish": "ALLOW", "upstream": "ALLOW"}},
    }
    assert listed(at, "chalk") == []
    assert fetch(at, "chalk").status == 404
    with pytest.raises(town.aws.exceptions.ResourceNotFoundException):
        town.aws.describe_package(**town.at("my", "chalk", format))
    with pytest.raises(town.aws.exceptions.ResourceNotFoundException):
        town.aws.delete_package(**town.at("my", "chalk", format))
    assert at.publish("chalk", "1.0.0").status in (200, 201)
    assert listed(at, "chalk") == ["1.0.0"]
    assert town.controls("my", "chalk", format) == ("ALLOW", "BLOCK")


def test_a_package_can_exist_without_versions(town: Town) -> None:
    at = published(town, "npm", "1.0.0")
    assert isinstance(at, Npm)
    town.set_status("my", "chalk", "1.0.0", "Deleted")

    shown = town.aws.list_packages(domain="dom", repository=town.name("my"))["packages"]
    found = town.aws.list_package_versions(**town.at("my", "chalk"))

    assert [each["package"] for each in shown] == ["chalk"]
    assert found["versions"] == []
    assert found.get("defaultDisplayVersion") is None
    assert at("GET", "chalk").status == 404
