"""The guide's chapter "Working with package groups in CodeArtifact", on every way into a repository."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.chains.test_origin_controls_chapter import NPM, PYPI, connected, fetch, public, publish, shop, versions
from tests.chains.town import Town, npm_client, pip_client

FORMATS = ["npm", "pypi"]
KINDS = ("EXTERNAL_UPSTREAM", "INTERNAL_UPSTREAM", "PUBLISH")


def group(town: Town, pattern: str, *, allowed: dict[str, list[str]] | None = None, **modes: str) -> str:
    """A group with these restrictions; `allowed` are repositories of this test, by restriction."""
    town.aws.create_package_group(domain="dom", packageGroup=pattern)
    return change(town, pattern, allowed=allowed, **modes)


def change(town: Town, pattern: str, *, allowed: dict[str, list[str]] | None = None, **modes: str) -> str:
    lists = [
        {"originRestrictionType": kind, "repositoryName": town.name(name)}
        for kind, names in (allowed or {}).items()
        for name in names
    ]
    more: dict[str, Any] = {"addAllowedRepositories": lists} if lists else {}
    town.aws.update_package_group_origin_configuration(
        domain="dom", packageGroup=pattern, restrictions=dict(modes.items()), **more
    )
    return pattern


@contextmanager
def root(town: Town, **modes: str) -> Iterator[None]:
    """The root group, for a while."""
    change(town, "/*", **modes)
    try:
        yield
    finally:
        change(town, "/*", **dict.fromkeys(KINDS, "ALLOW"))


def path(town: Town, format: str, name: str, suffix: str = "$") -> str:
    return f"/{format}//{town.name(name)}{suffix}"


# --- Publishing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_a_group_stops_publishing_and_says_so(town: Town, format: str) -> None:
    """RULINGS 4.6: 403, naming the control and the group."""
    secret = town.name("secret")
    town.repo("one")
    town.repo("two")
    pattern = group(
        town,
        path(town, format, "secret", "~"),
        PUBLISH="ALLOW_SPECIFIC_REPOSITORIES",
        allowed={"PUBLISH": ["two"]},
    )

    refused = shop(town, "one", format).publish(secret)

    assert refused.status == 403
    assert pattern in refused.text and "PUBLISH=BLOCK" in refused.text
    assert publish(shop(town, "two", format), secret) in (200, 201)
    assert publish(shop(town, "one", format), f"{secret}-tools") == 403
    assert publish(shop(town, "one", format), f"{secret}x") in (200, 201)  # another word
    change(town, pattern, PUBLISH="BLOCK")
    assert publish(shop(town, "two", format), secret, "1.1.0") == 403
    change(town, pattern, PUBLISH="INHERIT")
    assert publish(shop(town, "one", format), secret) in (200, 201)


def test_generic_packages_obey_too(town: Town) -> None:
    import hashlib

    repo = town.repo("files")
    group(town, f"/generic/{town.name('space')}/*", PUBLISH="BLOCK")
    content = b"content"

    def upload(namespace: str) -> None:
        town.aws.publish_package_version(
            domain="dom",
            repository=repo,
            format="generic",
            namespace=namespace,
            package="tool",
            packageVersion="1",
            assetName="a.bin",
            assetContent=content,
            assetSHA256=hashlib.sha256(content).hexdigest(),
        )

    with pytest.raises(town.aws.exceptions.AccessDeniedException, match="PUBLISH=BLOCK"):
        upload(town.name("space"))
    upload(town.name("other"))


# --- From upstreams and connections ---------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_ingestion_through_one_repository(town: Town, format: str) -> None:
    """Guide, "Allowing ingestion from external repositories through one repository"."""
    package = town.name("web")
    for version in ("1.0.0", "2.0.0"):
        publish(public(town, format), package, version)
    connected(town, "repoB", format)
    connected(town, "repoC", format)
    town.repo("repoA", "repoB")
    town.repo("other", "repoB")
    pattern = group(
        town,
        path(town, format, "web"),
        PUBLISH="BLOCK",
        EXTERNAL_UPSTREAM="ALLOW_SPECIFIC_REPOSITORIES",
        INTERNAL_UPSTREAM="ALLOW_SPECIFIC_REPOSITORIES",
        allowed={"INTERNAL_UPSTREAM": ["repoA"], "EXTERNAL_UPSTREAM": ["repoB"]},
    )

    assert versions(shop(town, "repoA", format), package) == ["1.0.0", "2.0.0"]
    assert fetch(shop(town, "repoA", format), package) == 200
    assert set(town.held("repoA", package, format)) == set(town.held("repoB", package, format)) == {"1.0.0"}
    for closed in ("repoC", "other"):
        assert versions(shop(town, closed, format), package) == []
        assert fetch(shop(town, closed, format), package) == 404
        assert town.held(closed, package, format) == {}
    # Guide, "Default package origin control settings": a group that restricts decides alone.
    assert town.controls("repoA", package, format) == ("ALLOW", "ALLOW")
    # A change is seen at once, in metadata and assets, and what is here stays.
    change(town, pattern, EXTERNAL_UPSTREAM="BLOCK")
    assert versions(shop(town, "repoB", format), package) == ["1.0.0"]
    assert fetch(shop(town, "repoB", format), package, "2.0.0") == 404
    assert versions(shop(town, "repoA", format), package) == ["1.0.0"]
    change(town, pattern, EXTERNAL_UPSTREAM="ALLOW")
    assert versions(shop(town, "repoA", format), package) == ["1.0.0", "2.0.0"]
    town.aws.delete_package_group(domain="dom", packageGroup=pattern)
    assert versions(shop(town, "other", format), package) == ["1.0.0", "2.0.0"]


@pytest.mark.parametrize("format", FORMATS)
def test_retention_from_upstream_repositories(town: Town, format: str) -> None:
    package = town.name("lib")
    town.repo("team")
    town.repo("middle", "team")
    town.repo("my", "middle")
    publish(shop(town, "team", format), package)
    pattern = group(town, path(town, format, "lib"), INTERNAL_UPSTREAM="BLOCK")
    my = shop(town, "my", format)

    assert (versions(my, package), fetch(my, package)) == ([], 404)
    # The repository in between gains nothing, and yet lets nothing through that it may not gain itself.
    change(town, pattern, INTERNAL_UPSTREAM="ALLOW_SPECIFIC_REPOSITORIES", allowed={"INTERNAL_UPSTREAM": ["my"]})
    assert (versions(my, package), fetch(my, package)) == ([], 404)
    change(town, pattern, allowed={"INTERNAL_UPSTREAM": ["middle"]})
    assert (versions(my, package), fetch(my, package)) == (["1.0.0"], 200)
    assert set(town.held("my", package, format)) == {"1.0.0"}
    # What comes from an upstream repository needs no right to come from outside.
    change(town, pattern, EXTERNAL_UPSTREAM="BLOCK")
    publish(shop(town, "team", format), package, "1.1.0")
    assert fetch(my, package, "1.1.0") == 200


@pytest.mark.parametrize("format", FORMATS)
def test_a_block_of_package_or_group_always_wins(town: Town, format: str) -> None:
    """Guide, "How package origin controls interact with package group origin controls"."""
    package = town.name("both")
    publish(public(town, format), package)
    connected(town, "repo", format)
    repo = shop(town, "repo", format)
    pattern = group(town, path(town, format, "both"))

    table = [("ALLOW", "ALLOW", True), ("BLOCK", "ALLOW", False), ("ALLOW", "BLOCK", False), ("BLOCK", "BLOCK", False)]
    for number, (own, upper, open) in enumerate(table):
        town.set_controls("repo", package, own, own, format)
        change(town, pattern, PUBLISH=upper, EXTERNAL_UPSTREAM=upper)
        assert ("1.0.0" in versions(repo, package)) is open, (own, upper)
        assert (publish(repo, package, f"0.{number}.0") != 403) is open, (own, upper)
    assert fetch(repo, package) == 404
    town.set_controls("repo", package, "ALLOW", "ALLOW", format)
    change(town, pattern, PUBLISH="ALLOW", EXTERNAL_UPSTREAM="BLOCK")
    assert publish(repo, package) in (200, 201)  # the public one is not reachable, so this is no conflict


def test_a_copy_is_stopped_by_a_weak_match_only(town: Town) -> None:
    """RULINGS 4.3."""
    package = town.name("patch")
    town.repo("one")
    town.repo("two")
    town.npm("one").publish(package)
    pattern = group(town, f"/npm//{package}$", **dict.fromkeys(KINDS, "BLOCK"))
    assert set(town.copy(package, "one", "two", "1.0.0")["successfulVersions"]) == {"1.0.0"}
    assert town.controls("two", package) == ("ALLOW", "ALLOW")
    town.aws.delete_package(**town.at("two", package))
    town.aws.delete_package_group(domain="dom", packageGroup=pattern)
    group(town, f"/npm//{package.upper()}$")

    refused = town.copy(package, "one", "two", "1.0.0")

    assert refused["successfulVersions"] == {}
    failure = refused["failedVersions"]["1.0.0"]
    assert failure["errorCode"] == "NOT_ALLOWED" and f"/npm//{package.upper()}$" in failure["errorMessage"]
    assert town.held("two", package) == {}


def test_copying_from_upstream_obeys_the_groups(town: Town) -> None:
    package = town.name("far")
    town.public.publish(package)
    town.repo("store", connection=NPM)
    town.repo("my", "store")
    town.repo("to")
    pattern = group(town, f"/npm//{package}$", EXTERNAL_UPSTREAM="BLOCK")

    with pytest.raises(town.aws.exceptions.ResourceNotFoundException):
        town.copy(package, "my", "to", "1.0.0", includeFromUpstream=True)
    assert town.held("store", package) == {}
    change(town, pattern, EXTERNAL_UPSTREAM="ALLOW")
    assert set(town.copy(package, "my", "to", "1.0.0", includeFromUpstream=True)["successfulVersions"]) == {"1.0.0"}


# --- Weak matches ---------------------------------------------------------------------------------


def test_the_spicy_client(town: Town) -> None:
    """Guide, "Strong and weak match": variations are neither published nor fetched."""
    client = town.name("anycompany-spicy-client")
    town.repo("my", connection=NPM)
    group(town, f"/npm//{client}$", PUBLISH="ALLOW", EXTERNAL_UPSTREAM="BLOCK")
    my = town.npm("my")
    variations = [client.replace("-spicy", each) for each in ("_spicy", ".spicy", "--spicy")]
    variations.append(client.replace("l", "1"))
    for each in [client, *variations]:
        town.public.publish(each, "99.0.0")

    for each in [client, *variations]:
        assert (my.versions(each), my.fetch(each, "99.0.0").status) == ([], 404), each
    assert my.publish(client).status == 201
    for each in variations:
        refused = my.publish(each)
        assert refused.status == 403 and "weak match" in refused.text, each
    assert my.versions(client) == ["1.0.0"]
    # A group of its own frees one variation.
    group(town, f"/npm//{variations[0]}$", EXTERNAL_UPSTREAM="ALLOW")
    assert my.versions(variations[0]) == ["99.0.0"]
    assert my.versions(variations[1]) == []


def test_a_package_that_was_there_before_its_name_became_a_variation_stays(town: Town) -> None:
    """RULINGS 4.5."""
    name = town.name("old_tool")
    town.repo("my")
    my = town.npm("my")
    my.publish(name)
    group(town, f"/npm//{name.replace('_', '-')}$")

    assert my.publish(name, "1.1.0").status == 403
    assert my.versions(name) == ["1.0.0"] and my.fetch(name).status == 200


# --- Defaults by the group (RULINGS 4.1) ----------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_defaults_follow_the_groups_effective_modes(town: Town, format: str) -> None:
    inside, outside = town.name("inside"), town.name("outside")
    publish(public(town, format), outside)
    connected(town, "store", format)
    town.repo("my", "store")
    group(town, path(town, format, "inside"))
    group(town, path(town, format, "outside"))
    publish(shop(town, "my", format), inside)
    assert town.controls("my", inside, format) == ("ALLOW", "BLOCK")
    town.aws.delete_package(**town.at("my", inside, format))

    with root(town, INTERNAL_UPSTREAM="ALLOW_SPECIFIC_REPOSITORIES"):
        publish(shop(town, "my", format), inside)
        fetch(shop(town, "store", format), outside)

    assert town.controls("my", inside, format) == ("ALLOW", "ALLOW")
    assert town.controls("store", outside, format) == ("ALLOW", "ALLOW")


# --- The dependency substitution attack, under the documented settings ----------------------------


def protect(town: Town, format: str, name: str) -> None:
    """Guide, "Allowing packages with private names to be published, but not ingested"."""
    group(town, path(town, format, name, "~"), PUBLISH="ALLOW", EXTERNAL_UPSTREAM="BLOCK", INTERNAL_UPSTREAM="ALLOW")


@pytest.mark.clients
def test_npm_never_gets_the_attackers_package(town: Town, tmp_path: Path) -> None:
    """One repository with upstreams; case, separators, confusable letters; the higher version first and later."""
    secret = town.name("corp-mail")
    protect(town, "npm", "corp-mail")
    town.repo("team")
    town.repo("store", connection=NPM)
    town.repo("my", "store", "team")
    variations = [secret.replace("-mail", each) for each in (".mail", "_mail", "--mail", "-mai1", "-rnail")]
    for each in [secret, *variations]:  # the attacker is there first
        town.public.publish(each, "99.0.0", scripts={"install": "exit 1"})
    npm = npm_client(tmp_path / "first", town.npm("my"))
    assert "404" in npm("install", secret, ok=False)

    assert town.npm("team").publish(secret, "1.0.0").status == 201
    assert town.npm("team").publish(f"{secret}-x", "1.0.0", dependencies={secret: "*"}).status == 201
    npm("install", secret, f"{secret}-x")
    assert (npm.installed(secret), npm.installed(f"{secret}-x")) == ("1.0.0", "1.0.0")
    assert "404" in npm_client(tmp_path / "second", town.npm("my"))("install", variations[0], ok=False)
    for each in variations:
        assert town.npm("my").versions(each) == [], each
    town.public.publish(secret, "99.1.0")  # and later
    npm("update")
    assert npm.installed(secret) == "1.0.0"
    for each in [secret, *variations]:
        for repo in ("store", "my"):
            assert town.npm(repo).fetch(each, "99.0.0").status == 404
            assert "99.0.0" not in town.held(repo, each)
    assert npm("view", secret, "versions", "--json").strip() in ('"1.0.0"', '[\n  "1.0.0"\n]')


@pytest.mark.clients
def test_npm_finds_no_other_case_of_a_private_name(town: Town) -> None:
    """The client writes names as they are given; legacy packages have capitals."""
    secret = town.name("corp-case")
    protect(town, "npm", "corp-case")
    town.repo("my", connection=NPM)
    for each in (secret.upper(), secret.replace("corp", "CORP"), secret.replace("i", "I")):
        answer = town.npm("my")("GET", each)
        assert answer.status == 404, each
        assert town.npm("my").fetch(each, "99.0.0").status == 404


@pytest.mark.clients
def test_pip_never_gets_the_attackers_package(town: Town, tmp_path: Path) -> None:
    secret = town.name("corp-mail")
    protect(town, "pypi", "corp-mail")
    town.repo("team")
    town.repo("store", connection=PYPI)
    town.repo("my", "store", "team")
    lookalikes = [secret.replace("-mail", each) for each in ("-mai1", "-rnail")]
    for each in [secret, *lookalikes]:
        town.index.publish(each, "99.0.0")
    pip = pip_client(tmp_path / "first", town.pypi("my"))
    assert "No matching distribution" in pip("install", secret, ok=False)

    assert town.pypi("team").publish(secret, "1.0.0").status == 200
    for spelled in (secret.upper().replace("-", "_"), secret.replace("-", ".")):
        said = pip_client(tmp_path / spelled, town.pypi("my"))("install", spelled)
        assert "Successfully installed" in said and "1.0.0" in said
        assert "99.0.0" not in said
    assert "No matching distribution" in pip("install", lookalikes[0], ok=False)
    assert all(town.pypi("my").files(each) == {} for each in lookalikes)
    town.index.publish(secret, "99.1.0")
    said = pip("install", "--upgrade", "--pre", secret)
    assert f"{secret}-1.0.0" in said and "99.1.0" not in said
    for each in [secret, *lookalikes]:
        for repo in ("store", "my"):
            assert "99.0.0" not in town.held(repo, each, "pypi")


@pytest.mark.parametrize("format", FORMATS)
def test_the_guard_of_a_private_package_is_lifted_by_name_only(town: Town, format: str) -> None:
    """RULINGS 4.4: beside an internal package nothing comes from outside, unless a group says so of this one name."""
    secret = town.name("dual")
    town.repo("team")
    connected(town, "store", format)
    town.repo("my", "store", "team")
    my = shop(town, "my", format)
    publish(shop(town, "team", format), secret)
    publish(public(town, format), secret, "99.0.0")
    prefix = group(town, path(town, format, "dual", "~"), EXTERNAL_UPSTREAM="ALLOW")
    assert versions(my, secret) == ["1.0.0"]
    exact = group(town, path(town, format, "dual"))
    assert versions(my, secret) == ["1.0.0"]  # a group that only inherits says nothing

    change(town, exact, EXTERNAL_UPSTREAM="ALLOW")

    assert versions(my, secret) == ["1.0.0", "99.0.0"]
    town.aws.delete_package_group(domain="dom", packageGroup=exact)
    assert versions(my, secret) == ["1.0.0"]
    town.aws.delete_package_group(domain="dom", packageGroup=prefix)
