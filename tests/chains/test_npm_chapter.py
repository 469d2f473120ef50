"""The guide's chapter "Using CodeArtifact with npm": commands, tags, and what the API shows of a version."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest

from tests.chains.town import Town, npm_client
from tests.samples import npm as samples

# --- npm tag handling -----------------------------------------------------------------------------


def test_copying_moves_the_tags_of_the_copied_version(town: Town) -> None:
    """The table of "npm tags and the CopyPackageVersions API"."""
    town.repo("S")
    town.repo("D")
    town.npm("S").publish("web-helper", "1.0.1")
    town.npm("D").publish("web-helper", "1.0.0")
    town.npm("S").tag("web-helper", "beta", "1.0.1")

    town.copy("web-helper", "S", "D", "1.0.1")

    assert town.npm("D").tags("web-helper") == {"latest": "1.0.1", "beta": "1.0.1"}
    assert town.npm("S").tags("web-helper") == {"latest": "1.0.1", "beta": "1.0.1"}
    # Tags are then modified directly in the destination repository.
    town.npm("D").tag("web-helper", "latest", "1.0.0")
    assert town.npm("D").tags("web-helper") == {"latest": "1.0.0", "beta": "1.0.1"}
    assert town.npm("S").tags("web-helper") == {"latest": "1.0.1", "beta": "1.0.1"}


def test_copying_leaves_tags_of_other_versions_where_they_are(town: Town) -> None:
    town.repo("S")
    town.repo("D")
    town.npm("S").publish("web-helper", "1.0.0", tag="stable")
    town.npm("S").publish("web-helper", "2.0.0-rc.1", tag="next")
    town.npm("D").publish("web-helper", "0.9.0")

    town.copy("web-helper", "S", "D", "1.0.0")

    assert town.npm("D").tags("web-helper") == {"latest": "0.9.0", "stable": "1.0.0"}


def test_tags_that_come_from_upstream_are_copied_with_their_version_too(town: Town) -> None:
    """All tags aliasing that version: what `npm dist-tag ls` shows in the source, and the source's own."""
    package = town.name("web-helper")
    town.public.publish(package, "1.0.0")
    town.public.publish(package, "2.0.0-rc.1", tag="next")
    town.repo("store", connection="public:npmjs")
    town.repo("S", "store")
    for name in ("retained", "brought"):
        town.repo(name)
    town.npm("S").fetch(package, "2.0.0-rc.1")
    assert town.npm("S").tags(package) == {"latest": "1.0.0", "next": "2.0.0-rc.1"}

    town.copy(package, "S", "retained", "2.0.0-rc.1")
    town.copy(package, "S", "brought", "1.0.0", "2.0.0-rc.1", includeFromUpstream=True)

    assert town.npm("retained").tags(package) == {"latest": "2.0.0-rc.1", "next": "2.0.0-rc.1"}  # the only one there
    assert town.npm("brought").tags(package) == {"latest": "1.0.0", "next": "2.0.0-rc.1"}


def test_the_sources_own_tag_is_copied_where_an_upstream_overrides_it(town: Town) -> None:
    town.repo("U")
    town.repo("R", "U")
    town.repo("D")
    town.npm("R").publish("web-helper", "1.0.0")
    town.npm("U").publish("web-helper", "1.0.1")
    town.set_controls("R", "web-helper", "ALLOW", "ALLOW")

    town.copy("web-helper", "R", "D", "1.0.0")

    assert town.npm("D").tags("web-helper") == {"latest": "1.0.0"}
    assert town.aws.list_package_versions(**town.at("D", "web-helper"))["defaultDisplayVersion"] == "1.0.0"


def test_different_tags_of_repository_and_upstream_are_both_received(town: Town) -> None:
    """The first table of "npm tags and upstream repositories"."""
    town.repo("U")
    town.repo("R", "U")
    town.npm("R").publish("web-helper", "1.0.0")
    town.npm("U").publish("web-helper", "1.0.1", tag="alpha")
    town.set_controls("R", "web-helper", "ALLOW", "ALLOW")

    assert town.npm("R").tags("web-helper") == {"latest": "1.0.0", "alpha": "1.0.1"}
    document = town.npm("R").packument("web-helper")
    assert document["dist-tags"] == {"latest": "1.0.0", "alpha": "1.0.1"}


def test_of_the_same_tag_the_upstream_one_is_used(town: Town) -> None:
    town.repo("U")
    town.repo("R", "U")
    town.npm("R").publish("web-helper", "1.0.0")
    town.npm("U").publish("web-helper", "1.0.1")
    town.set_controls("R", "web-helper", "ALLOW", "ALLOW")

    assert town.npm("R").tags("web-helper") == {"latest": "1.0.1"}


@pytest.mark.clients
def test_a_version_just_published_downstream_is_not_what_npm_installs(town: Town, tmp_path: Path) -> None:
    """The third table: install web-helper gives 1.0.1, web-helper@1.0.2 the one just published."""
    town.repo("U")
    town.repo("R", "U")
    town.npm("U").publish("web-helper", "1.0.1")
    town.npm("R").fetch("web-helper", "1.0.1")
    town.set_controls("R", "web-helper", "ALLOW", "ALLOW")
    assert town.npm("R").publish("web-helper", "1.0.2").status == 201

    newest, exact = (npm_client(tmp_path / name, town.npm("R")) for name in ("newest", "exact"))
    newest("install", "web-helper")
    exact("install", "web-helper@1.0.2")

    assert newest.installed("web-helper") == "1.0.1"
    assert exact.installed("web-helper") == "1.0.2"
    assert town.npm("R").tags("web-helper") == {"latest": "1.0.1"}
    # The repository's own tag is there all the same, and is what the API displays.
    assert town.aws.list_package_versions(**town.at("R", "web-helper"))["defaultDisplayVersion"] == "1.0.2"
    town.upstreams("R")
    assert town.npm("R").tags("web-helper") == {"latest": "1.0.2"}


@pytest.mark.clients
def test_dist_tag_add_rm_ls(town: Town, tmp_path: Path) -> None:
    town.repo("my")
    for version in ("1.0.0", "1.1.0"):
        town.npm("my").publish("@scope/ui", version)
    npm = npm_client(tmp_path, town.npm("my"))

    npm("dist-tag", "add", "@scope/ui@1.0.0", "stable")
    listed = npm("dist-tag", "ls", "@scope/ui")
    npm("install", "@scope/ui@stable")
    npm("dist-tag", "rm", "@scope/ui", "stable")
    after = npm("dist-tag", "ls", "@scope/ui")

    assert sorted(listed.split("\n")[:2]) == ["latest: 1.1.0", "stable: 1.0.0"]
    assert npm.installed("@scope/ui") == "1.0.0"
    assert "stable" not in after


def test_the_default_display_version(town: Town) -> None:
    """The version referenced by `latest`; else the most recently published one."""
    town.repo("my")
    for version, tag in (("2.0.0", "next"), ("1.0.0", "old")):
        town.npm("my").publish("web", version, tag=tag)

    def shown() -> str:
        found: str = town.aws.list_package_versions(**town.at("my", "web"))["defaultDisplayVersion"]
        return found

    assert shown() == "1.0.0"  # published last
    town.npm("my").tag("web", "latest", "2.0.0")
    assert shown() == "2.0.0"
    town.set_status("my", "web", "2.0.0", "Deleted")
    assert shown() == "1.0.0"


# --- npm command support --------------------------------------------------------------------------


@pytest.mark.clients
@pytest.mark.slow
@pytest.mark.parametrize("version", ["npm6", "npm11"])
def test_supported_commands(town: Town, tmp_path: Path, version: str) -> None:
    """The table "Supported commands that interact with a repository", one after the other."""
    town.repo("my")
    shop = town.npm("my")
    npm = npm_client(tmp_path / "home", shop, version)
    for number in ("1.0.0", "1.1.0"):
        folder = npm.home.folder / f"web-{number}"
        folder.mkdir()
        manifest = {
            "name": "web",
            "version": number,
            "homepage": "https://web.example/",
            "bugs": {"url": "https://web.example/bugs"},
            "scripts": {"test": "true"},
        }
        (folder / "package.json").write_text(json.dumps(manifest))
        npm("publish", cwd=folder)  # publish
    (npm.home.work / "package.json").write_text(
        '{"name": "app", "version": "1.0.0", "private": true, "scripts": {"test": "echo tested"}}'
    )

    assert "ping" in npm("ping").lower()
    npm("install", "--save", "web@1.0.0")
    assert npm.installed("web") == "1.0.0"
    npm("ci")
    assert "tested" in npm("install-test")
    assert "tested" in npm("install-ci-test")
    assert "1.1.0" in npm("outdated", ok=False)  # exit status 1: something is
    package = json.loads((npm.home.work / "package.json").read_text())
    package["dependencies"]["web"] = "^1.0.0"
    (npm.home.work / "package.json").write_text(json.dumps(package))
    npm("update")
    assert npm.installed("web") == "1.1.0"
    assert json.loads(npm("view", "web", "versions", "--json")) == ["1.0.0", "1.1.0"]
    assert npm("view", "web", "homepage").strip() == "https://web.example/"
    npm("deprecate", "web@1.0.0", "use 1.1.0")
    assert npm("view", "web@1.0.0", "deprecated").strip() == "use 1.1.0"
    assert "https://web.example/bugs" in npm("bugs", "web", "--no-browser")
    assert "https://web.example/" in npm("docs", "web", "--no-browser")
    npm("dist-tag", "add", "web@1.0.0", "old")


@pytest.mark.clients
def test_npm_ping_verifies_the_right_to_read(town: Town, tmp_path: Path) -> None:
    """Guide, "Verifying npm authentication and authorization"."""
    town.repo("my")
    stranger = town.user(
        "stranger", {"Effect": "Allow", "Action": ["codeartifact:GetAuthorizationToken", "sts:*"], "Resource": "*"}
    )
    token = stranger.get_authorization_token(domain="dom")["authorizationToken"]

    good = npm_client(tmp_path / "good", town.npm("my"))("ping")
    refused = npm_client(tmp_path / "denied", town.npm("my", token=token))("ping", ok=False)
    unknown = npm_client(tmp_path / "unknown", town.npm("my", token="nonsense"))("ping", ok=False)

    assert "PONG" in good
    assert "E403" in refused
    assert "ReadFromRepository" in refused
    assert "E401" in unknown


# --- View package version details -----------------------------------------------------------------

MANIFEST = {
    "description": "Packs modules for the browser.",
    "homepage": "https://webpack.example/",
    "repository": {"type": "git", "url": "git+https://code.example/webpack/webpack.git"},
    "license": "MIT",
    "dependencies": {"@webassemblyjs/ast": "1.8.5", "acorn": "^6.2.1"},
    "devDependencies": {"jest": "^24"},
    "peerDependencies": {"react": "*"},
    "optionalDependencies": {"fsevents": "~2", "acorn": "^6.2.1"},
}


def test_details_of_a_version_in_a_namespace(town: Town) -> None:
    town.repo("my")
    town.npm("my").send(samples.Publish("@types/webpack", "4.41.5", manifest=MANIFEST, readme="# Webpack\n"))
    at = {"domain": "dom", "repository": town.name("my"), "format": "npm", "namespace": "types", "package": "webpack"}

    shown = town.aws.describe_package_version(**at, packageVersion="4.41.5")["packageVersion"]

    published, revision = shown.pop("publishedTime"), shown.pop("revision")
    assert shown == {
        "format": "npm",
        "namespace": "types",
        "packageName": "webpack",
        "displayName": "@types/webpack",
        "version": "4.41.5",
        "summary": "Packs modules for the browser.",
        "homePage": "https://webpack.example/",
        "sourceCodeRepository": "https://code.example/webpack/webpack.git",
        "licenses": [{"name": "MIT"}],
        "status": "Published",
        "origin": {"originType": "INTERNAL", "domainEntryPoint": {"repositoryName": town.name("my")}},
    }
    assert published.tzinfo is not None
    assert len(base64.b64decode(revision)) == 32

    found = town.aws.list_package_version_dependencies(**at, packageVersion="4.41.5")
    assert found["versionRevision"] == revision
    listed = {
        (d.get("namespace"), d["package"], d["dependencyType"], d["versionRequirement"]) for d in found["dependencies"]
    }
    assert listed == {
        ("webassemblyjs", "ast", "regular", "1.8.5"),
        (None, "acorn", "optional", "^6.2.1"),
        (None, "jest", "dev", "^24"),
        (None, "react", "peer", "*"),
        (None, "fsevents", "optional", "~2"),
    }
    readme = town.aws.get_package_version_readme(**at, packageVersion="4.41.5")
    assert (readme["readme"], readme["versionRevision"]) == ("# Webpack\n", revision)
    assert (readme["format"], readme["namespace"], readme["package"], readme["version"]) == (
        "npm", "types", "webpack", "4.41.5",
    )  # fmt: skip


def test_two_packages_of_one_name_in_different_namespaces(town: Town) -> None:
    town.repo("my")
    for name in ("webpack", "@types/webpack", "@typescript/webpack"):
        town.npm("my").publish(name, description=name)

    def listed(**where: str) -> list[str]:
        found = town.aws.list_packages(domain="dom", repository=town.name("my"), **where)["packages"]
        return [f"@{each['namespace']}/{each['package']}" if "namespace" in each else each["package"] for each in found]

    assert listed(format="npm") == ["webpack", "@types/webpack", "@typescript/webpack"]
    assert listed(format="npm", namespace="types") == ["@types/webpack", "@typescript/webpack"]  # a prefix
    assert listed(format="npm", namespace="types", packagePrefix="web") == ["@types/webpack", "@typescript/webpack"]
    assert listed(packagePrefix="x") == []
    for name in ("webpack", "@types/webpack"):
        shown = town.aws.describe_package_version(**town.at("my", name), packageVersion="1.0.0")["packageVersion"]
        assert shown["summary"] == name


def test_the_asset_of_a_version(town: Town) -> None:
    town.repo("my")
    publish = samples.Publish("@types/react", "0.12.2")
    town.npm("my").send(publish)
    at = town.at("my", "@types/react")

    listed = town.aws.list_package_version_assets(**at, packageVersion="0.12.2")
    got = town.aws.get_package_version_asset(**at, packageVersion="0.12.2", asset="package.tgz")

    assert listed["assets"] == [
        {
            "name": "package.tgz",
            "size": len(publish.tgz),
            "hashes": {
                "MD5": hashlib.md5(publish.tgz).hexdigest(),
                "SHA-1": hashlib.sha1(publish.tgz).hexdigest(),
                "SHA-256": hashlib.sha256(publish.tgz).hexdigest(),
                "SHA-512": hashlib.sha512(publish.tgz).hexdigest(),
            },
        }
    ]
    assert got["asset"].read() == publish.tgz
    assert (got["assetName"], got["packageVersion"]) == ("package.tgz", "0.12.2")
    assert got["packageVersionRevision"] == listed["versionRevision"]


def test_an_imported_version_is_described_as_its_registry_does(town: Town) -> None:
    package = f"@far/{town.name('webpack')}"
    town.public.send(samples.Publish(package, "4.41.5", manifest=MANIFEST, readme="# Webpack\n"))
    town.repo("store", connection="public:npmjs")
    town.repo("my", "store")
    town.npm("my").fetch(package, "4.41.5")

    shown = town.aws.describe_package_version(**town.at("my", package), packageVersion="4.41.5")["packageVersion"]

    there = town.public.packument(package)
    assert shown["summary"] == MANIFEST["description"]
    assert shown["homePage"] == MANIFEST["homepage"]
    assert shown["sourceCodeRepository"] == "https://code.example/webpack/webpack.git"
    assert shown["licenses"] == [{"name": "MIT"}]
    assert shown["publishedTime"].isoformat()[:19] == there["time"]["4.41.5"][:19]
    assert shown["origin"] == {"originType": "EXTERNAL", "domainEntryPoint": {"externalConnectionName": "public:npmjs"}}
    readme = town.aws.get_package_version_readme(**town.at("my", package), packageVersion="4.41.5")
    assert readme["readme"] == "# Webpack\n"
    found = town.aws.list_package_version_dependencies(**town.at("my", package), packageVersion="4.41.5")
    assert len(found["dependencies"]) == 5


def test_versions_are_sorted_by_publish_time_when_asked(town: Town) -> None:
    town.repo("my")
    order = ["5.0.0-beta.7", "4.41.2", "1.0.0"]
    for version in reversed(order):
        town.npm("my").publish("webpack", version, tag="latest" if version == "4.41.2" else "other")
    at = town.at("my", "webpack")
    pages = town.aws.get_paginator("list_package_versions").paginate(
        **at, sortBy="PUBLISHED_TIME", PaginationConfig={"PageSize": 1}
    )

    assert [each["version"] for page in pages for each in page["versions"]] == order
    assert town.aws.list_package_versions(**at)["defaultDisplayVersion"] == "4.41.2"
    assert [each["version"] for each in town.aws.list_package_versions(**at)["versions"]] == order
    assert len(town.aws.list_package_versions(**at, originType="INTERNAL")["versions"]) == 3
    assert town.aws.list_package_versions(**at, originType="EXTERNAL")["versions"] == []
