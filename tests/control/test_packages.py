"""Packages and versions; guide chapter "Working with packages in CodeArtifact"."""

from __future__ import annotations

from typing import Any

import pytest

from registry.core.types import Dependency, Facts, License, Origin, Status
from tests.control.plane import OWNER, Plane

REPO = {"domain": "dom", "repository": "repo"}
CHALK = {**REPO, "format": "npm", "package": "chalk"}


async def test_packages_are_listed_with_their_origin_controls(plane: Plane) -> None:
    await plane.publish("repo", "acorn", "1.0.0")
    await plane.publish("repo", "ast", "1.0.0", namespace="webassemblyjs")
    await plane.publish("repo", "Flask", "1.0", format="pypi")

    listed = await plane.call("ListPackages", **REPO)

    direct = {"originConfiguration": {"restrictions": {"publish": "ALLOW", "upstream": "BLOCK"}}}
    assert listed == {
        "packages": [
            {"format": "npm", "package": "acorn", **direct},
            {"format": "npm", "namespace": "webassemblyjs", "package": "ast", **direct},
            {"format": "pypi", "package": "flask", **direct},
        ]
    }


async def test_lists_of_packages_are_filtered_and_paged(plane: Plane) -> None:
    for name in ("path", "pat-test", "other"):
        await plane.publish("repo", name, "1.0.0")
    for scope in ("types", "typescript", "babel"):
        await plane.publish("repo", "core", "1.0.0", namespace=scope)

    async def names(**where: Any) -> list[str]:
        found = await plane.call("ListPackages", **REPO, **where)
        return [f"{p.get('namespace', '')}/{p['package']}" for p in found["packages"]]

    assert await names(format="npm", packagePrefix="pat") == ["/pat-test", "/path"]
    assert await names(format="npm", namespace="types") == ["types/core", "typescript/core"]
    assert await names(publish="BLOCK") == []
    assert await names(upstream="BLOCK", format="pypi") == []
    first = await plane.call("ListPackages", **REPO, maxResults=4)
    rest = await names(maxResults=4, nextToken=first["nextToken"])
    assert len(first["packages"]) + len(rest) == 6
    answer = await plane.ask("ListPackages", **REPO, namespace="types")
    assert answer.code == "ValidationException"


async def test_a_name_is_canonical_and_a_format_may_be_missing_here(plane: Plane) -> None:
    await plane.publish("repo", "Flask", "1.0", format="pypi")

    found = await plane.call("DescribePackage", **REPO, format="pypi", package="FLASK")
    missing = await plane.ask("DescribePackage", **REPO, format="swift", package="x")
    absent = await plane.ask("DescribePackage", **REPO, format="pypi", package="none")
    unnamed = await plane.ask("DescribePackage", **REPO, format="generic", package="none")

    restrictions = {"publish": "ALLOW", "upstream": "BLOCK"}
    assert found["package"] == {
        "format": "pypi",
        "name": "flask",
        "originConfiguration": {"restrictions": restrictions},
    }
    assert missing.code == "ValidationException" and "swift" in missing.message
    assert (absent.code, absent.parsed["resourceType"]) == ("ResourceNotFoundException", "package")
    assert unnamed.code == "ValidationException" and "namespace" in unnamed.message


async def test_versions_are_listed_newest_first_with_their_origin(plane: Plane) -> None:
    for version in ("1.0.0", "1.0.1", "0.1.0"):
        await plane.publish("repo", "kind-of", version)
    target = {**REPO, "format": "npm", "package": "kind-of"}

    listed = await plane.call("ListPackageVersions", **target)
    by_time = await plane.call("ListPackageVersions", **target, sortBy="PUBLISHED_TIME", maxResults=2)
    rest = await plane.call(
        "ListPackageVersions", **target, sortBy="PUBLISHED_TIME", maxResults=2, nextToken=by_time["nextToken"]
    )

    assert [v["version"] for v in listed["versions"]] == ["1.0.1", "1.0.0", "0.1.0"]
    assert [v["version"] for v in by_time["versions"] + rest["versions"]] == ["0.1.0", "1.0.1", "1.0.0"]
    head = {k: v for k, v in listed.items() if k != "versions"}
    assert head == {"format": "npm", "package": "kind-of", "defaultDisplayVersion": "0.1.0"}
    version = listed["versions"][0]
    assert len(version["revision"]) == 44
    assert {k: v for k, v in version.items() if k not in ("version", "revision")} == {
        "status": "Published",
        "origin": {"domainEntryPoint": {"repositoryName": "repo"}, "originType": "INTERNAL"},
    }


async def test_lists_of_versions_are_filtered(plane: Plane) -> None:
    for version in ("1.0.0", "2.0.0"):
        await plane.publish("repo", "chalk", version, tags={"latest": version})
    await plane.call("UpdatePackageVersionsStatus", **CHALK, versions=["1.0.0"], targetStatus="Archived")

    async def versions(**where: Any) -> list[str]:
        return [v["version"] for v in (await plane.call("ListPackageVersions", **CHALK, **where))["versions"]]

    assert await versions(status="Archived") == ["1.0.0"]
    assert await versions(status="Published") == ["2.0.0"]
    assert await versions(originType="EXTERNAL") == []
    assert await versions(originType="INTERNAL") == ["2.0.0", "1.0.0"]
    assert await versions(originType="UNKNOWN") == []
    assert (await plane.ask("ListPackageVersions", **{**CHALK, "package": "none"})).status == 404


async def test_a_version_is_described_with_its_facts(plane: Plane) -> None:
    facts = Facts(
        display="PyHamcrest",
        summary="Hamcrest framework for matcher objects",
        homepage="https://example.com/PyHamcrest",
        source="https://example.com/PyHamcrest.git",
        licenses=(License("New BSD"), License(None, "https://example.com/license")),
        readme="# Hello",
        dependencies=(Dependency(None, "numpy", "regular", ">=1"), Dependency("ns", "six", "dev", "*")),
    )
    published = await plane.publish("repo", "PyHamcrest", "1.9.0", format="pypi", facts=facts)
    target = {**REPO, "format": "pypi", "package": "pyhamcrest", "packageVersion": "1.9.0"}

    described = (await plane.call("DescribePackageVersion", **target))["packageVersion"]
    readme = await plane.call("GetPackageVersionReadme", **target)
    dependencies = await plane.call("ListPackageVersionDependencies", **target)

    head = {"format": "pypi", "package": "pyhamcrest", "version": "1.9.0", "versionRevision": published.revision}
    assert described["publishedTime"].timestamp() == pytest.approx(published.published / 1000)
    del described["publishedTime"]
    assert described == {
        "format": "pypi",
        "packageName": "pyhamcrest",
        "displayName": "PyHamcrest",
        "version": "1.9.0",
        "summary": "Hamcrest framework for matcher objects",
        "homePage": "https://example.com/PyHamcrest",
        "sourceCodeRepository": "https://example.com/PyHamcrest.git",
        "licenses": [{"name": "New BSD"}, {"url": "https://example.com/license"}],
        "revision": published.revision,
        "status": "Published",
        "origin": {"domainEntryPoint": {"repositoryName": "repo"}, "originType": "INTERNAL"},
    }
    assert readme == {**head, "readme": "# Hello"}
    assert dependencies == {
        **head,
        "dependencies": [
            {"package": "numpy", "dependencyType": "regular", "versionRequirement": ">=1"},
            {"namespace": "ns", "package": "six", "dependencyType": "dev", "versionRequirement": "*"},
        ],
    }


async def test_a_version_without_a_readme_and_an_unknown_one_are_not_found(plane: Plane) -> None:
    await plane.publish("repo", "chalk", "1.0.0")

    for operation, version in [
        ("GetPackageVersionReadme", "1.0.0"),
        ("GetPackageVersionReadme", "2.0.0"),
        ("DescribePackageVersion", "2.0.0"),
        ("ListPackageVersionAssets", "2.0.0"),
        ("ListPackageVersionDependencies", "2.0.0"),
    ]:
        answer = await plane.ask(operation, **CHALK, packageVersion=version)
        assert (answer.code, answer.parsed["resourceType"]) == ("ResourceNotFoundException", "package-version")
        assert version in answer.parsed["resourceId"]


async def test_statuses_change_together_or_not_at_all(plane: Plane) -> None:
    old = (await plane.publish("repo", "chalk", "4.0.0")).revision
    new = (await plane.publish("repo", "chalk", "4.1.0")).revision
    update = {**CHALK, "versions": ["4.1.0", "4.0.0"], "targetStatus": "Archived"}

    unexpected = await plane.call("UpdatePackageVersionsStatus", **update, expectedStatus="Unlisted")
    wrong = await plane.call("UpdatePackageVersionsStatus", **update, versionRevisions={"4.1.0": "other", "4.0.0": old})
    done = await plane.call("UpdatePackageVersionsStatus", **update, versionRevisions={"4.1.0": new, "4.0.0": old})
    disposed = await plane.call("DisposePackageVersions", **CHALK, versions=["4.0.0"], expectedStatus="Archived")
    odd = await plane.ask("UpdatePackageVersionsStatus", **update, versionRevisions={"4.1.0": new})

    message = "current status: Published, expected status: Unlisted"
    mismatch = {"errorCode": "MISMATCHED_STATUS", "errorMessage": message}
    assert unexpected == {"successfulVersions": {}, "failedVersions": {"4.1.0": mismatch, "4.0.0": mismatch}}
    assert wrong["successfulVersions"] == {}
    assert wrong["failedVersions"] == {
        "4.0.0": {"errorCode": "SKIPPED", "errorMessage": "version 4.0.0 is skipped"},
        "4.1.0": {
            "errorCode": "MISMATCHED_REVISION",
            "errorMessage": f"current revision: {new}, expected revision: other",
        },
    }
    assert done == {
        "successfulVersions": {
            "4.1.0": {"revision": new, "status": "Archived"},
            "4.0.0": {"revision": old, "status": "Archived"},
        },
        "failedVersions": {},
    }
    assert disposed["successfulVersions"] == {"4.0.0": {"revision": old, "status": "Disposed"}}
    assert odd.code == "ValidationException"


@pytest.mark.parametrize("target", ["Unfinished", "Disposed", "Deleted", "Perhaps"])
async def test_a_status_that_is_no_target_is_refused(plane: Plane, target: str) -> None:
    await plane.publish("repo", "chalk", "1.0.0")

    answer = await plane.ask("UpdatePackageVersionsStatus", **CHALK, versions=["1.0.0"], targetStatus=target)

    assert answer.code == "ValidationException"


async def test_versions_and_packages_are_deleted(plane: Plane) -> None:
    revision = (await plane.publish("repo", "chalk", "1.0.0")).revision
    await plane.publish("repo", "chalk", "2.0.0")

    deleted = await plane.call("DeletePackageVersions", **CHALK, versions=["1.0.0"])
    missing = await plane.call("DeletePackageVersions", **CHALK, versions=["1.0.0", "2.0.0"])
    listed = await plane.call("ListPackageVersions", **CHALK)
    package = await plane.call("DeletePackage", **CHALK)
    gone = await plane.ask("DescribePackage", **CHALK)
    again = await plane.ask("DeletePackage", **CHALK)

    assert deleted == {
        "successfulVersions": {"1.0.0": {"revision": revision, "status": "Deleted"}},
        "failedVersions": {},
    }
    assert {v: f["errorCode"] for v, f in missing["failedVersions"].items()} == {
        "1.0.0": "NOT_FOUND",
        "2.0.0": "SKIPPED",
    }
    assert [v["version"] for v in listed["versions"]] == ["2.0.0"]
    assert package["deletedPackage"]["package"] == "chalk"
    assert package["deletedPackage"]["originConfiguration"]["restrictions"]["publish"] == "ALLOW"
    assert (gone.status, again.status) == (404, 404)


async def test_origin_controls_are_set_also_for_a_package_that_is_not_there_yet(plane: Plane) -> None:
    restrictions = {"publish": "BLOCK", "upstream": "ALLOW"}

    put = await plane.call("PutPackageOriginConfiguration", **CHALK, restrictions=restrictions)

    assert put == {"originConfiguration": {"restrictions": restrictions}}
    assert (await plane.call("DescribePackage", **CHALK))["package"]["originConfiguration"] == put[
        "originConfiguration"
    ]
    assert (await plane.call("ListPackageVersions", **CHALK))["versions"] == []


async def test_versions_are_copied_as_in_the_guide(plane: Plane) -> None:
    await plane.call("CreateRepository", domain="dom", repository="repo-2")
    revision = (await plane.publish("repo", "array-unique", "0.2.0")).revision
    await plane.publish("repo", "array-unique", "0.2.1")
    copy = {
        "domain": "dom",
        "sourceRepository": "repo",
        "destinationRepository": "repo-2",
        "format": "npm",
        "package": "array-unique",
    }

    missing = await plane.call("CopyPackageVersions", **copy, versions=["0.2.0", "5.6.7"])
    one = await plane.call("CopyPackageVersions", **copy, versionRevisions={"0.2.0": revision})
    again = await plane.call("CopyPackageVersions", **copy, versions=["0.2.0", "0.2.1"])
    both = await plane.ask("CopyPackageVersions", **copy, versions=["0.2.0"], versionRevisions={"0.2.0": revision})
    neither = await plane.ask("CopyPackageVersions", **copy)
    unknown = await plane.ask("CopyPackageVersions", **{**copy, "package": "none"}, versions=["1"])
    nowhere = await plane.ask("CopyPackageVersions", **{**copy, "sourceRepository": "none"}, versions=["1"])

    assert missing == {
        "successfulVersions": {},
        "failedVersions": {
            "0.2.0": {"errorCode": "SKIPPED", "errorMessage": "Version 0.2.0 was skipped"},
            "5.6.7": {"errorCode": "NOT_FOUND", "errorMessage": "Could not find version 5.6.7"},
        },
    }
    assert one["successfulVersions"] == {"0.2.0": {"revision": revision, "status": "Published"}}
    assert list(again["successfulVersions"]) == ["0.2.1"] and again["failedVersions"] == {}
    assert (both.code, neither.code) == ("ValidationException", "ValidationException")
    assert (unknown.status, nowhere.status) == (404, 404)


async def test_copying_needs_the_right_to_read_the_source_and_to_copy_into_the_destination(plane: Plane) -> None:
    arn = f"arn:aws:codeartifact:us-west-2:{OWNER}:repository/dom"

    def allow(*pairs: tuple[str, str]) -> str:
        made = [f'{{"Effect":"Allow","Action":"codeartifact:{a}","Resource":"{arn}/{r}"}}' for a, r in pairs]
        return f'{{"Version":"2012-10-17","Statement":[{",".join(made)}]}}'

    await plane.call("CreateRepository", domain="dom", repository="repo-2")
    await plane.publish("repo", "p", "1.0.0")
    await plane.user("reader", document=allow(("ReadFromRepository", "repo")))
    await plane.user("writer", document=allow(("CopyPackageVersions", "repo-2")))
    await plane.user("copier", document=allow(("ReadFromRepository", "repo"), ("CopyPackageVersions", "repo-2")))
    copy = {"domain": "dom", "sourceRepository": "repo", "destinationRepository": "repo-2", "format": "npm"}

    statuses = [
        (await plane.ask("CopyPackageVersions", user, **copy, package="p", versions=["1.0.0"])).status
        for user in ("reader", "writer", "copier")
    ]

    assert statuses == [403, 403, 200]


async def test_a_right_may_be_given_for_one_package(plane: Plane) -> None:
    arn = f"arn:aws:codeartifact:us-west-2:{OWNER}:package/dom/repo/npm//chalk"
    own = f'{{"Effect":"Allow","Action":"codeartifact:UpdatePackageVersionsStatus","Resource":"{arn}"}}'
    await plane.user("steward", document=f'{{"Version":"2012-10-17","Statement":[{own}]}}')
    for name in ("chalk", "other"):
        await plane.publish("repo", name, "1.0.0")

    statuses = [
        (
            await plane.ask(
                "UpdatePackageVersionsStatus",
                "steward",
                **{**CHALK, "package": name},
                versions=["1.0.0"],
                targetStatus="Unlisted",
            )
        ).status
        for name in ("chalk", "other")
    ]

    assert statuses == [200, 403]


def test_origins_and_statuses_are_those_of_the_model() -> None:
    assert Origin("EXTERNAL", connection="public:npmjs").repository is None
    assert [s.value for s in Status] == ["Published", "Unfinished", "Unlisted", "Archived", "Disposed", "Deleted"]
