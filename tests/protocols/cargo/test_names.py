"""Names, paths, versions and requirements of crates."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.cargo import names
from registry.core import semver


@pytest.mark.parametrize(
    ("name", "path", "prefix"),
    [
        ("a", "1/a", "1"),
        ("A1", "2/a1", "2"),
        ("a2X", "3/a/a2x", "3/a"),
        ("Foo_Bar", "fo/o_/foo_bar", "Fo/o_"),
        ("serde", "se/rd/serde", "se/rd"),
    ],
)
def test_where_the_index_keeps_a_crate(name: str, path: str, prefix: str) -> None:
    assert (names.index_path(name), names.prefix(name)) == (path, prefix)


@pytest.mark.parametrize("name", ["", "1a", "-a", "_a", "a.b", "a/b", "a b", "é", "a" * 65, "a\n", "../a"])
def test_what_no_crate_may_be_called(name: str) -> None:
    with pytest.raises(ValueError, match="crate's name"):
        names.canonical(None, name)


def test_case_counts_for_nothing_and_there_are_no_namespaces() -> None:
    assert names.canonical(None, "Foo_Bar-2") == (None, "foo_bar-2")
    with pytest.raises(ValueError, match="no namespace"):
        names.canonical("ns", "foo")


def test_rivals_are_the_names_that_read_the_same() -> None:
    assert set(names.rivals("a-b_c")) == {"a-b-c", "a_b-c", "a_b_c"}
    assert names.rivals("abc") == ()
    long = "-".join("abcdefghijklmnopqrstuvwxyz")
    assert names.rivals(long) == (long.replace("-", "_"),)


@pytest.mark.parametrize(
    "text",
    ["", "1", "1.2", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3+", "v1.2.3", "1.2.3 ", "1.2.3-a..b", "1.2.x",
     "18446744073709551616.0.0", "1.2.3-" + "a" * 300, "1.2.3\n"],
)  # fmt: skip
def test_what_is_no_version(text: str) -> None:
    with pytest.raises(ValueError, match=r"semantic version|number above"):
        names.canonical_version(text)


def test_build_metadata_is_no_part_of_the_identity() -> None:
    assert names.canonical_version("1.0.7-rc.1+build.5") == "1.0.7-rc.1"
    assert semver.sort("1.0.7+x") == semver.sort("1.0.7")


def test_the_order_is_that_of_semver() -> None:
    ordered = [
        "0.9.9", "1.0.0-0", "1.0.0-2", "1.0.0-10", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-alpha-1",
        "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "10.0.0",
    ]  # fmt: skip

    backwards = ordered[::-1]
    assert sorted(backwards, key=semver.sort) == ordered


_identifier = st.from_regex(r"(0|[1-9][0-9]{0,3}|[0-9]{0,2}[a-zA-Z-][0-9a-zA-Z-]{0,3})", fullmatch=True)
_versions = st.builds(
    lambda core, pre: ".".join(map(str, core)) + ("-" + ".".join(pre) if pre else ""),
    st.tuples(*[st.integers(0, 2**40)] * 3),
    st.lists(_identifier, max_size=3),
)


def _precedence(version: str) -> tuple[object, ...]:
    """Semantic Versioning 2.0, section 11, word for word."""
    core, dash, pre = version.partition("-")
    parts = tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in pre.split(".")) if dash else ()
    return (*map(int, core.split(".")), not dash, parts)


@settings(max_examples=50)
@given(_versions, _versions)
def test_any_two_versions_sort_by_precedence(one: str, other: str) -> None:
    assert names.canonical_version(one) == one
    assert (semver.sort(one) < semver.sort(other)) == (_precedence(one) < _precedence(other))


@pytest.mark.parametrize(
    "text", ["1", "^1.2", "~1.2.3", "=1.2.3-rc.1", ">=1, <2", "*", "1.*", "> 1.2.3-a, <= 2.0.0+x", "1.x", "<0.0.0-0"]
)
def test_requirements_that_cargo_reads(text: str) -> None:
    assert names.requirement(text) == text


@pytest.mark.parametrize(
    "text", ["", "a", ">=", "1..2", "1,", "1 2", "^^1", "01", "1.2.3.4", "1" * 2000, ",".join("1" * 40)]
)
def test_requirements_that_would_break_an_index(text: str) -> None:
    with pytest.raises(ValueError, match="version requirement"):
        names.requirement(text)
