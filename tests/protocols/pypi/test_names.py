"""Names, versions, their order, and file names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import InvalidVersion, Version

from protocols.pypi.names import (
    canonical,
    canonical_version,
    check_filename,
    display_version,
    parse_filename,
    parse_version,
    sort_key,
)

numbers = st.one_of(st.integers(0, 12), st.integers(0, 10**20))


@st.composite
def versions(draw: st.DrawFn) -> str:
    """Any PEP 440 version."""
    text = f"{draw(st.integers(1, 3))}!" if draw(st.booleans()) else ""
    text += ".".join(str(n) for n in draw(st.lists(numbers, min_size=1, max_size=4)))
    if draw(st.booleans()):
        text += draw(st.sampled_from(["a", "b", "rc"])) + str(draw(numbers))
    if draw(st.booleans()):
        text += f".post{draw(numbers)}"
    if draw(st.booleans()):
        text += f".dev{draw(numbers)}"
    if draw(st.booleans()):
        text += "+" + ".".join(draw(st.lists(st.from_regex(r"[a-z0-9]{1,4}", fullmatch=True), min_size=1, max_size=3)))
    return text


@given(versions(), versions())
def test_keys_order_as_pep_440_does(a: str, b: str) -> None:
    assert (sort_key(a) < sort_key(b)) == (Version(a) < Version(b))
    assert (sort_key(a) == sort_key(b)) == (Version(a) == Version(b))


@given(versions())
def test_a_key_holds_only_what_every_collation_orders_alike(text: str) -> None:
    assert sort_key(text).isascii()
    assert sort_key(text).isalnum()
    assert sort_key(text) == sort_key(text).lower()


@given(versions())
def test_a_version_is_normalized_once_and_stays(text: str) -> None:
    once = canonical_version(text)

    assert canonical_version(once) == once
    assert canonical_version(display_version(text)) == once
    assert Version(once) == Version(text)


@given(st.from_regex(r"[^#/\s\x00-\x1f\x7f]{1,40}", fullmatch=True), versions())
def test_legacy_versions_come_before_all_others(text: str, version: str) -> None:
    assert isinstance(sort_key(text), str)
    try:
        Version(text)
    except InvalidVersion:
        assert sort_key(text) < sort_key(version)
        assert canonical_version(text) == text
        with pytest.raises(ValueError, match="PEP 440"):
            parse_version(text)


def test_trailing_zeros_do_not_make_another_release() -> None:
    assert canonical_version("1.0") == canonical_version("1.0.0") == canonical_version("v1") == "1"
    assert display_version("1.0.0") == "1.0.0"
    assert canonical_version("1.0+Ubuntu-1") == canonical_version("1+ubuntu.1")


@pytest.mark.parametrize("text", ["", "a b", "1#2", "1/2", "1\n", "x" * 256])
def test_what_cannot_be_a_version_of_any_kind_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="version"):
        canonical_version(text)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("My.Pkg_Name", "my-pkg-name"),
        ("a--b__c..d", "a-b-c-d"),
        ("A", "a"),
        ("zope.interface", "zope-interface"),
        ("0", "0"),
    ],
)
def test_names_are_folded_as_the_specification_says(name: str, expected: str) -> None:
    assert canonical(None, name) == (None, expected)
    assert canonical("", name) == (None, expected)


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", ".", "a b", "a/b", "é", "a\n", "\u017f", "\u212a", "x" * 256, "a\u0000"]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        canonical(None, name)


def test_a_namespace_is_refused() -> None:
    with pytest.raises(ValueError, match="namespace"):
        canonical("ns", "a")


@pytest.mark.parametrize(
    ("filename", "kind", "project", "version"),
    [
        ("foo-1.0-py3-none-any.whl", "wheel", "foo", "1.0"),
        ("My_Pkg-1.0.0+local.1-1build-cp311-abi3-manylinux_2_17_x86_64.whl", "wheel", "my-pkg", "1.0.0+local.1"),
        ("my-pkg-1.0.tar.gz", "sdist", "my-pkg", "1.0"),
        ("My.Pkg-1.0.zip", "sdist", "my-pkg", "1.0"),
        ("x-1.0-py2.7.egg", "egg", "x", "1.0"),
        ("x-1.0-py2.7-linux-x86_64.egg", "egg", "x", "1.0"),
        ("foo-1.0-beta.tar.gz", "sdist", "foo", "1.0-beta"),
    ],
)
def test_file_names_say_kind_project_and_version(filename: str, kind: str, project: str, version: str) -> None:
    named = parse_filename(filename)

    assert (named.kind, named.project, named.version) == (kind, project, version)


def test_the_project_settles_where_a_name_with_dashes_ends() -> None:
    assert parse_filename("a-2-3.tar.gz", "a-2").version == "3"
    assert parse_filename("a-2-3.tar.gz", "a").version == "2-3"
    assert parse_filename("foo-2004c.tar.gz", "foo").version == "2004c"
    with pytest.raises(ValueError, match="not a file of the project"):
        parse_filename("other-1.0.tar.gz", "foo")


@pytest.mark.parametrize(
    "filename",
    ["", ".", "..", "foo", "foo.exe", "foo-1.0.exe", "foo-1.0.whl", "foo-1.0-py3-none.whl", "foo.tar.gz", "-1.0.tar.gz",
     "a/foo-1.0.tar.gz", "a\\foo-1.0.tar.gz", "foo-1.0.tar.gz\n", "foo\u202e-1.0.tar.gz", "foo bar-1.0.tar.gz",
     "foo-1.0-x y-none-any.whl", "f" * 255 + "-1.0.tar.gz", "foo-.tar.gz"],
)  # fmt: skip
def test_other_file_names_are_refused(filename: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_filename(filename)


@given(st.text(max_size=60), st.sampled_from(["", ".whl", ".tar.gz", ".zip", ".egg"]))
def test_any_file_name_is_understood_or_refused(stem: str, ending: str) -> None:
    for project in (None, "foo"):
        try:
            named = parse_filename(stem + ending, project)
        except ValueError:
            continue
        check_filename(stem + ending)
        assert named.version


def test_a_legacy_wheel_is_understood_though_nobody_can_publish_it() -> None:
    assert parse_filename("foo-not.a.version-py3-none-any.whl").version == "not.a.version"
    assert display_version("not.a.version") == "not.a.version"
    with pytest.raises(ValueError, match="build number"):
        parse_filename("foo-1.0-nonumber-py3-none-any.whl")


def test_a_very_long_version_is_refused() -> None:
    with pytest.raises(ValueError, match="longer"):
        parse_version("1." * 200 + "0")
