"""The guide's chapter "Copy packages between repositories", with versions that clients published or fetched."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.chains.town import Npm, Pypi, Town, settle, wheel_name

NPM, PYPI = "public:npmjs", "public:pypi"
FORMATS = ["npm", "pypi"]


def shop(town: Town, repo: str, format: str) -> Npm | Pypi:
    return town.npm(repo) if format == "npm" else town.pypi(repo)


def publish(at: Npm | Pypi, *versions: str, **more: Any) -> None:
    for version in versions:
        assert at.publish("array-unique", version, **more).status in (200, 201)


def listed(at: Npm | Pypi) -> list[str]:
    if isinstance(at, Npm):
        return at.versions("array-unique")
    return sorted(name.split("-")[1] for name in at.files("array-unique"))


def described(town: Town, repo: str, version: str, format: str, package: str = "array-unique") -> dict[str, Any]:
    at = town.at(repo, package, format)
    found: dict[str, Any] = town.aws.describe_package_version(**at, packageVersion=version)["packageVersion"]
    return found


# --- Copy package versions ------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_versions_are_copied_with_everything_that_they_are(town: Town, format: str) -> None:
    town.repo("my_repo")
    town.repo("repo-2")
    publish(shop(town, "my_repo", format), "4.0.0", "6.0.2", "7.0.0")

    done = town.copy("array-unique", "my_repo", "repo-2", "6.0.2", "4.0.0", format=format)

    there = {version: described(town, "my_repo", version, format) for version in ("4.0.0", "6.0.2")}
    assert done["failedVersions"] == {}
    assert done["successfulVersions"] == {
        version: {"revision": shown["revision"], "status": "Published"} for version, shown in there.items()
    }
    assert {version: described(town, "repo-2", version, format) for version in there} == there
    assert listed(shop(town, "repo-2", format)) == ["4.0.0", "6.0.2"]
    one, other = shop(town, "my_repo", format), shop(town, "repo-2", format)
    if isinstance(one, Npm) and isinstance(other, Npm):
        assert one.fetch("array-unique", "4.0.0").body == other.fetch("array-unique", "4.0.0").body
        dist = [each.packument("array-unique")["versions"]["4.0.0"]["dist"] for each in (one, other)]
        assert dist[0]["integrity"] == dist[1]["integrity"]
        assert town.name("repo-2") in dist[1]["tarball"]  # never an address of the other repository


@pytest.mark.parametrize("format", FORMATS)
def test_one_version_that_does_not_exist_stops_all(town: Town, format: str) -> None:
    town.repo("my_repo")
    town.repo("repo-2")
    publish(shop(town, "my_repo", format), "0.2.0")

    done = town.copy("array-unique", "my_repo", "repo-2", "0.2.0", "5.6.7", format=format)

    assert done["successfulVersions"] == {}
    assert done["failedVersions"] == {
        "0.2.0": {"errorCode": "SKIPPED", "errorMessage": "Version 0.2.0 was skipped"},
        "5.6.7": {"errorCode": "NOT_FOUND", "errorMessage": "Could not find version 5.6.7"},
    }
    assert town.held("repo-2", "array-unique", format) == {}


@pytest.mark.parametrize("format", FORMATS)
def test_an_identical_version_is_not_copied_and_not_listed(town: Town, format: str) -> None:
    town.repo("my_repo")
    town.repo("repo-2")
    publish(shop(town, "my_repo", format), "0.2.1", "0.2.0")
    town.copy("array-unique", "my_repo", "repo-2", "0.2.1", format=format)

    done = town.copy("array-unique", "my_repo", "repo-2", "0.2.1", "0.2.0", format=format)
    again = town.copy("array-unique", "my_repo", "repo-2", "0.2.1", "0.2.0", format=format)

    assert (set(done["successfulVersions"]), done["failedVersions"]) == ({"0.2.0"}, {})
    assert (again["successfulVersions"], again["failedVersions"]) == ({}, {})


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_files_published_twice_are_identical(town: Town, format: str) -> None:
    """Two publishes of the same bytes to two repositories: assets and metadata do not differ."""
    for repo in ("my_repo", "repo-2"):
        town.repo(repo)
        publish(shop(town, repo, format), "1.0.0")

    done = town.copy("array-unique", "my_repo", "repo-2", "1.0.0", format=format)

    assert (done["successfulVersions"], done["failedVersions"]) == ({}, {})


@pytest.mark.parametrize("format", FORMATS)
def test_a_different_version_stops_all_unless_it_may_be_overwritten(town: Town, format: str) -> None:
    town.repo("repo-1")
    town.repo("dest-repo")
    one, other = shop(town, "repo-1", format), shop(town, "dest-repo", format)
    publish(one, "0.2.1")
    publish(one, "0.3.2", **({"description": "new"} if format == "npm" else {"code": "VALUE = 2\n"}))
    publish(other, "0.3.2")
    mine = described(town, "dest-repo", "0.3.2", format)

    done = town.copy("array-unique", "repo-1", "dest-repo", "0.3.2", "0.2.1", format=format)

    assert done["successfulVersions"] == {}
    assert done["failedVersions"] == {
        "0.2.1": {"errorCode": "SKIPPED", "errorMessage": "Version 0.2.1 was skipped"},
        "0.3.2": {"errorCode": "ALREADY_EXISTS", "errorMessage": "Version 0.3.2 already exists"},
    }
    assert described(town, "dest-repo", "0.3.2", format) == mine
    forced = town.copy("array-unique", "repo-1", "dest-repo", "0.3.2", "0.2.1", format=format, allowOverwrite=True)
    assert set(forced["successfulVersions"]) == {"0.2.1", "0.3.2"}
    assert described(town, "dest-repo", "0.3.2", format) == described(town, "repo-1", "0.3.2", format)
    if isinstance(one, Npm) and isinstance(other, Npm):
        assert other.fetch("array-unique", "0.3.2").body == one.fetch("array-unique", "0.3.2").body
        assert other.packument("array-unique")["versions"]["0.3.2"]["description"] == "new"


def test_metadata_alone_makes_a_version_different(town: Town) -> None:
    town.repo("repo-1")
    town.repo("repo-2")
    publish(town.npm("repo-1"), "1.0.0")
    town.copy("array-unique", "repo-1", "repo-2", "1.0.0")
    document = town.npm("repo-1").packument("array-unique")
    document["versions"]["1.0.0"]["deprecated"] = "do not use"
    assert town.npm("repo-1")("PUT", "array-unique", document).status == 200

    done = town.copy("array-unique", "repo-1", "repo-2", "1.0.0")
    forced = town.copy("array-unique", "repo-1", "repo-2", "1.0.0", allowOverwrite=True)

    assert done["failedVersions"]["1.0.0"]["errorCode"] == "ALREADY_EXISTS"
    assert set(forced["successfulVersions"]) == {"1.0.0"}
    assert town.npm("repo-2").packument("array-unique")["versions"]["1.0.0"]["deprecated"] == "do not use"


def test_one_more_asset_makes_a_version_different(town: Town) -> None:
    town.repo("repo-1")
    town.repo("repo-2")
    town.pypi("repo-1").publish("array-unique")
    town.copy("array-unique", "repo-1", "repo-2", "1.0.0", format="pypi")
    town.pypi("repo-1").publish("array-unique", tag="py311-none-any")

    done = town.copy("array-unique", "repo-1", "repo-2", "1.0.0", format="pypi")
    forced = town.copy("array-unique", "repo-1", "repo-2", "1.0.0", format="pypi", allowOverwrite=True)

    assert done["failedVersions"]["1.0.0"]["errorCode"] == "ALREADY_EXISTS"
    assert set(forced["successfulVersions"]) == {"1.0.0"}
    assert len(town.assets("repo-2", "array-unique", "1.0.0")) == 2


def test_a_copy_keeps_the_status_and_what_is_disposed_cannot_be_copied(town: Town) -> None:
    town.repo("repo-1")
    town.repo("repo-2")
    publish(town.npm("repo-1"), "1.0.0", "2.0.0", "3.0.0")
    for version, status in (("1.0.0", "Unlisted"), ("2.0.0", "Archived"), ("3.0.0", "Disposed")):
        town.set_status("repo-1", "array-unique", version, status)

    done = town.copy("array-unique", "repo-1", "repo-2", "1.0.0", "2.0.0")
    refused = town.copy("array-unique", "repo-1", "repo-2", "3.0.0")

    assert {version: each["status"] for version, each in done["successfulVersions"].items()} == {
        "1.0.0": "Unlisted",
        "2.0.0": "Archived",
    }
    assert town.npm("repo-2").versions("array-unique") == []
    assert town.npm("repo-2").fetch("array-unique", "1.0.0").status == 200
    assert town.npm("repo-2").fetch("array-unique", "2.0.0").status == 404
    assert refused["failedVersions"]["3.0.0"]["errorCode"] == "NOT_ALLOWED"


# --- Copy a package from upstream repositories ----------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_upstreams_are_looked_into_only_when_asked_to(town: Town, format: str) -> None:
    town.repo("up")
    town.repo("source", "up")
    town.repo("destination")
    publish(shop(town, "up", format), "1.0.0")

    with pytest.raises(town.aws.exceptions.ResourceNotFoundException):
        town.copy("array-unique", "source", "destination", "1.0.0", format=format)
    absent = town.copy("array-unique", "source", "destination", "9.9.9", format=format, includeFromUpstream=True)
    assert absent["failedVersions"]["9.9.9"]["errorCode"] == "NOT_FOUND"
    publish(shop(town, "source", format), "2.0.0")
    town.set_controls("source", "array-unique", "ALLOW", "ALLOW", format)
    missing = town.copy("array-unique", "source", "destination", "1.0.0", "2.0.0", format=format)
    done = town.copy("array-unique", "source", "destination", "1.0.0", "2.0.0", format=format, includeFromUpstream=True)

    assert {version: each["errorCode"] for version, each in missing["failedVersions"].items()} == {
        "1.0.0": "NOT_FOUND",
        "2.0.0": "SKIPPED",
    }
    assert set(done["successfulVersions"]) == {"1.0.0", "2.0.0"}
    assert town.held("source", "array-unique", format) == {"2.0.0": "Published"}  # copying is no request
    assert set(town.held("destination", "array-unique", format)) == {"1.0.0", "2.0.0"}


@pytest.mark.parametrize("format", FORMATS)
def test_what_only_the_public_registry_has_is_brought_for_a_copy(town: Town, format: str) -> None:
    package = town.name("lodash")
    if format == "npm":
        town.public.publish(package, "4.17.20")
    else:
        town.index.publish(package, "4.17.20")
        town.index.publish(package, "4.17.20", "py311-none-any")
    town.repo("store", connection=NPM if format == "npm" else PYPI)
    town.repo("source", "store")
    town.repo("destination")

    unknown = town.copy(package, "source", "destination", "9.9.9", format=format, includeFromUpstream=True)
    done = town.copy(package, "source", "destination", "4.17.20", format=format, includeFromUpstream=True)
    settle(town.front)

    assert unknown["failedVersions"]["9.9.9"]["errorCode"] == "NOT_FOUND"
    assert set(done["successfulVersions"]) == {"4.17.20"}
    assert town.held("destination", package, format) == {"4.17.20": "Published"}
    assert town.held("store", package, format) == {"4.17.20": "Published"}
    assert described(town, "destination", "4.17.20", format, package)["origin"] == {
        "originType": "EXTERNAL",
        "domainEntryPoint": {"externalConnectionName": NPM if format == "npm" else PYPI},
    }
    if format == "pypi":
        assert len(town.assets("destination", package, "4.17.20")) == 2


def test_a_package_that_nobody_has_is_not_found(town: Town) -> None:
    town.repo("store", connection=NPM)
    town.repo("source", "store")
    town.repo("destination")

    with pytest.raises(town.aws.exceptions.ResourceNotFoundException):
        town.copy("nobody-has-this", "source", "destination", "1.0.0", includeFromUpstream=True)


# --- Copy a scoped npm package, revisions ---------------------------------------------------------


def test_a_scoped_package_is_copied_by_its_namespace(town: Town) -> None:
    town.repo("repo-1")
    town.repo("repo-2")
    town.npm("repo-1").publish("@types/react", "0.12.2")

    done = town.copy("@types/react", "repo-1", "repo-2", "0.12.2")

    assert set(done["successfulVersions"]) == {"0.12.2"}
    assert town.npm("repo-2").versions("@types/react") == ["0.12.2"]
    with pytest.raises(town.aws.exceptions.ResourceNotFoundException):
        town.copy("react", "repo-1", "repo-2", "0.12.2")


def test_revisions_decide_whether_a_version_is_copied(town: Town) -> None:
    town.repo("repo-1")
    town.repo("repo-2")
    publish(town.npm("repo-1"), "0.3.2", "0.3.13")
    revisions = {version: described(town, "repo-1", version, "npm")["revision"] for version in ("0.3.2", "0.3.13")}

    wrong = town.copy("array-unique", "repo-1", "repo-2", versionRevisions={**revisions, "0.3.13": "REVISION-2-SAMPLE"})
    done = town.copy("array-unique", "repo-1", "repo-2", versionRevisions=revisions)

    assert wrong["successfulVersions"] == {}
    assert {version: each["errorCode"] for version, each in wrong["failedVersions"].items()} == {
        "0.3.13": "MISMATCHED_REVISION",
        "0.3.2": "SKIPPED",
    }
    assert {version: each["revision"] for version, each in done["successfulVersions"].items()} == revisions
    for more in ({}, {"versions": ["0.3.2"], "versionRevisions": {"0.3.2": revisions["0.3.2"]}}):
        with pytest.raises(town.aws.exceptions.ValidationException):
            town.copy("array-unique", "repo-1", "repo-2", **more)


def test_copying_between_domains_is_not_possible_and_to_itself_changes_nothing(town: Town) -> None:
    town.repo("repo-1")
    publish(town.npm("repo-1"), "1.0.0")

    with pytest.raises(town.aws.exceptions.ResourceNotFoundException):
        town.copy("array-unique", "repo-1", "not-here", "1.0.0")
    done = town.copy("array-unique", "repo-1", "repo-1", "1.0.0")

    assert (done["successfulVersions"], done["failedVersions"]) == ({}, {})


# --- Required IAM permissions ---------------------------------------------------------------------


def test_a_copier_needs_read_on_the_source_and_copy_on_the_destination(town: Town) -> None:
    source, destination = town.repo("source"), town.repo("destination")
    publish(town.npm("source"), "1.0.0")
    arn = "arn:aws:codeartifact:us-west-2:111122223333:repository/dom/"
    read = {"Effect": "Allow", "Action": "codeartifact:ReadFromRepository", "Resource": arn + source}
    write = {"Effect": "Allow", "Action": "codeartifact:CopyPackageVersions", "Resource": arn + destination}
    call = {
        "domain": "dom",
        "sourceRepository": source,
        "destinationRepository": destination,
        "format": "npm",
        "package": "array-unique",
        "versions": ["1.0.0"],
    }

    for name, statements in (("reader", [read]), ("writer", [write])):
        user = town.user(name, *statements)
        with pytest.raises(user.exceptions.AccessDeniedException):
            user.copy_package_versions(**call)
    assert set(town.user("both", read, write).copy_package_versions(**call)["successfulVersions"]) == {"1.0.0"}


def test_the_guides_sample_policies_let_the_account_copy(town: Town) -> None:
    source, destination = town.repo("source"), town.repo("destination")
    publish(town.npm("source"), "1.0.0")
    user = town.user("nobody")
    call = {
        "domain": "dom",
        "sourceRepository": source,
        "destinationRepository": destination,
        "format": "npm",
        "package": "array-unique",
        "versions": ["1.0.0"],
    }
    for repository, action in ((source, "ReadFromRepository"), (destination, "CopyPackageVersions")):
        with pytest.raises(user.exceptions.AccessDeniedException):
            user.copy_package_versions(**call)
        statement = {
            "Action": [f"codeartifact:{action}"],
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
            "Resource": "*",
        }
        town.aws.put_repository_permissions_policy(
            domain="dom",
            repository=repository,
            policyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )

    assert set(user.copy_package_versions(**call)["successfulVersions"]) == {"1.0.0"}


# --- Best practices for deleting ------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_a_deleted_version_is_restored_from_its_backup(town: Town, format: str) -> None:
    town.repo("my_repo")
    town.repo("backup")
    my = shop(town, "my_repo", format)
    publish(my, "4.0.0")
    before = described(town, "my_repo", "4.0.0", format)
    town.copy("array-unique", "my_repo", "backup", "4.0.0", format=format)

    town.set_status("my_repo", "array-unique", "4.0.0", "Deleted", format)
    assert listed(my) == []
    town.copy("array-unique", "backup", "my_repo", "4.0.0", format=format)

    assert described(town, "my_repo", "4.0.0", format) == before
    assert listed(my) == ["4.0.0"]
    if isinstance(my, Pypi):
        assert my.fetch("array-unique", "4.0.0", wheel_name("array-unique", "4.0.0")).status == 200
    else:
        assert my.fetch("array-unique", "4.0.0").status == 200
