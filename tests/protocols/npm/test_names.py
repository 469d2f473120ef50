"""Names, versions, tags: canonical spelling and order."""

from __future__ import annotations

import pytest
import semver
from hypothesis import given
from hypothesis import strategies as st

from protocols.npm import names
from registry.core.semver import sort
from registry.core.types import PackageKey

number = st.integers(0, 2**53 - 1) | st.integers(0, 20)
identifier = number.map(str) | st.from_regex(r"[0-9]{0,3}[A-Za-z-][0-9A-Za-z-]{0,4}", fullmatch=True)
prerelease = st.lists(identifier, max_size=3).map(lambda parts: "-" + ".".join(parts) if parts else "")
versions = st.builds("{}.{}.{}{}".format, number, number, number, prerelease)


@given(versions, versions)
def test_sort_keys_order_as_semver_does(one: str, other: str) -> None:
    expected = semver.Version.parse(one).compare(other)

    left, right = sort(one).encode(), sort(other).encode()

    assert (left > right) - (left < right) == expected


@given(versions)
def test_a_strict_version_is_canonical_and_build_metadata_is_not_part_of_it(version: str) -> None:
    assert names.canonical_version(version) == version
    assert names.canonical_version(f" v{version}+build.7 ") == version


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v1.2.3", "1.2.3"),
        ("=1.2.3", "1.2.3"),
        ("= v1.2.3", "1.2.3"),
        ("1.2.3beta", "1.2.3-beta"),
        ("1.2.3-beta.01", "1.2.3-beta.1"),
        ("01.02.03", "1.2.3"),
        ("1.2.3-", "1.2.3--"),
        ("1.0.0+a", "1.0.0"),
        ("1.0.0-0A.x--y", "1.0.0-0A.x--y"),
    ],
)
def test_versions_are_cleaned_loosely(text: str, expected: str) -> None:
    assert names.canonical_version(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "1", "1.2", "1.2.x", "latest", "1.2.3.4", "1.2.3+", "1.2.3-a..b", "1.2.3-a_b", "9007199254740992.0.0",
     "1.2.3-" + "a" * 300, "１.2.3", "1.2.3 4.5.6", "1.2.3-é", "1.2.3\n\n4"],
)  # fmt: skip
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"semantic version|number above"):
        names.canonical_version(text)


@pytest.mark.parametrize("full", ["left", "@acme/bar", "JSONStream", "-", "@s/_x", "a.b-c_d~e", "x" * 214, "1"])
def test_names_survive_unchanged(full: str) -> None:
    assert names.full_name(names.package(full)) == full


@pytest.mark.parametrize(
    "full",
    ["", "@acme", "@acme/", "@/bar", "acme/bar", ".hidden", "_x", "a b", "a%2fb", "é", "x" * 215, "@a/b/c", "..",
     "@acme/..", "@../x", "node_modules", "a\n", "@@a/b", "@a/.b", "a\\b", "a?b", "a#b"],
)  # fmt: skip
def test_what_is_no_name_is_refused(full: str) -> None:
    with pytest.raises(ValueError):
        names.package(full)


def test_the_namespace_is_the_scope_without_its_sign() -> None:
    assert names.package("@acme/bar") == PackageKey("npm", "acme", "bar")
    assert names.quoted(PackageKey("npm", "acme", "bar")) == "@acme%2fbar"
    with pytest.raises(ValueError, match="scope"):
        names.canonical("@acme", "bar")


@pytest.mark.parametrize("file", ["bar-1.0.0-rc.1.tgz", "@acme/bar-1.0.0-rc.1.tgz", "bar-v1.0.0-rc.1.tgz"])
def test_both_forms_of_a_file_name_name_their_version(file: str) -> None:
    assert names.version_in_file(PackageKey("npm", "acme", "bar"), file) == "1.0.0-rc.1"


@pytest.mark.parametrize("file", ["foo-1.0.0.tgz", "bar.tgz", "bar-.tgz", "bar-1.0.0.tar", "1.0.0.tgz", "bar-x.tgz"])
def test_a_file_of_something_else_is_refused(file: str) -> None:
    with pytest.raises(ValueError):
        names.version_in_file(PackageKey("npm", "acme", "bar"), file)


@pytest.mark.parametrize(
    "text",
    ["1", "1.2", "v1", "1.x", "x", "*", ">1", ">= 1.2.3", "~1", "^1.2", "1 - 2", "1 || 2", "1.2.3", "=1", " ", "~>1"],
)
def test_a_range_is_no_tag(text: str) -> None:
    with pytest.raises(ValueError, match="tag"):
        names.tag(text)


@pytest.mark.parametrize("text", ["latest", "next", "v1-lts", "beta.1", "release-1.x", "1.x-lts", "old-latest", "é"])
def test_other_words_are_tags(text: str) -> None:
    assert names.tag(text) == text
