"""Scopes, names, versions, negotiation and repository addresses."""

from __future__ import annotations

import functools

import pytest
import semver as reference
from hypothesis import given
from hypothesis import strategies as st

from protocols.swift import accept, names
from protocols.swift.release import address, metadata
from registry.core import semver
from registry.core.errors import Validation

VERSIONS = [
    "1.0.0",
    "0.0.0",
    "1.0.0-alpha.1",
    "10.20.30-0.x-y+build.zip",
    "1.0.0+a",
    "1.2.3----RC-SNAPSHOT.12.9.1--.12",
]
NO_VERSIONS = [
    "",
    "1",
    "1.0",
    "v1.0.0",
    "01.0.0",
    "1.0.0-01",
    "1.0.0-",
    "1.0.0+",
    "1.0.0 ",
    "1.0.0\n",
    "1.0.0-a..b",
    "9" * 300,
]


def test_scope_and_name_are_lower_cased() -> None:
    assert names.canonical("My-Scope", "My_Package-1") == ("my-scope", "my_package-1")


@pytest.mark.parametrize("scope", [None, "", "-a", "a-", "a--b", "a_b", "a" * 41, "a.b", "é", "a\n"])
def test_impossible_scopes(scope: str | None) -> None:
    with pytest.raises(ValueError, match="scope"):
        names.canonical(scope, "name")


@pytest.mark.parametrize("name", ["", "-a", "a-", "a__b", "a.swift", "a" * 102, "a/b", "é", "a\n"])
def test_impossible_names(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        names.canonical("scope", name)


@pytest.mark.parametrize("version", VERSIONS)
def test_versions_are_kept_as_they_are(version: str) -> None:
    assert names.canonical_version(version) == version


@pytest.mark.parametrize("version", NO_VERSIONS)
def test_what_is_no_semantic_version(version: str) -> None:
    with pytest.raises(ValueError, match="semantic"):
        names.canonical_version(version)


_identifier = st.one_of(st.integers(0, 10**12).map(str), st.from_regex(r"[a-zA-Z-][0-9a-zA-Z-]{0,5}", fullmatch=True))
_versions = st.builds(
    lambda core, pre: ".".join(map(str, core)) + ("-" + ".".join(pre) if pre else ""),
    st.tuples(*[st.integers(0, 10**12)] * 3),
    st.lists(_identifier, max_size=3),
)


@given(st.lists(_versions, min_size=2, max_size=8))
def test_the_order_is_that_of_precedence(versions: list[str]) -> None:
    expected = sorted(versions, key=functools.cmp_to_key(lambda a, b: reference.Version.parse(a).compare(b)))
    assert sorted(versions, key=semver.sort) == expected


@pytest.mark.parametrize(
    ("file", "tools"),
    [("Package@swift-5.swift", "5"), ("Package@swift-5.9.1.swift", "5.9.1"), ("Package.swift", None),
     ("Package@swift-.swift", None), ("Package@swift-5.9.1.2.swift", None), ("package@swift-5.swift", None)],
)  # fmt: skip
def test_manifests_for_tools_versions(file: str, tools: str | None) -> None:
    assert names.alternate(file) == tools


@pytest.mark.parametrize(
    "header",
    [None, "", "*/*", "application/json", "application/vnd.swift.registry+json",
     "application/vnd.swift.registry.v1+json",
     "application/vnd.swift.registry", "text/html, application/vnd.swift.registry.v1+json;q=0.5",
     "application/vnd.swift.registry.v2+json, application/vnd.swift.registry.v1+json"],
)  # fmt: skip
def test_forms_that_are_taken(header: str | None) -> None:
    accept.check(header, "json")


@pytest.mark.parametrize("header", ["application/vnd.swift.registry.v2+json", "application/vnd.swift.registry.v9"])
def test_another_version_of_the_api_is_refused(header: str) -> None:
    with pytest.raises(Validation, match="version 1"):
        accept.check(header, "json")


@pytest.mark.parametrize("header", ["application/vnd.swift.registry.v1+zip", "text/html"])
def test_another_form_is_refused(header: str) -> None:
    with pytest.raises(accept.UnsupportedMediaType):
        accept.check(header, "json")


@pytest.mark.parametrize(
    "url",
    ["https://git.example/acme/Hello", "https://git.example/acme/Hello.git", "http://GIT.example/acme/hello/",
     "git@git.example:acme/Hello.git", "ssh://git@git.example:22/acme/Hello", "https://user:pw@git.example:8443/acme/Hello.git/"],
)  # fmt: skip
def test_one_repository_has_one_address(url: str) -> None:
    assert address(url) == "git.example/acme/hello"


@pytest.mark.parametrize("url", ["", " ", "hello", "https://", "https://git.example", "http://[::1", "a b", "x" * 3000])
def test_what_is_no_address(url: str) -> None:
    assert address(url) == ""


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{", b"\xff", b'{"author":"Ada"}', b'{"author":{}}', b'{"author":{"name":"A","organization":{}}}',
     b'{"repositoryURLs":"x"}', b'{"repositoryURLs":[1]}', b'{"licenseURL":1}', b"[" * 100_000],
)  # fmt: skip
def test_metadata_that_breaks_the_schema(body: bytes) -> None:
    with pytest.raises(ValueError, match="metadata"):
        metadata(body)


def test_unknown_members_of_metadata_are_kept() -> None:
    assert metadata(b'{"commitHash":"abc","author":null}') == {"commitHash": "abc", "author": None}
