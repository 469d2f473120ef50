"""Names, versions, platforms and file names of gems."""

from __future__ import annotations

import functools
import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.ruby import names

# In the order of Gem::Version of RubyGems 3.3; those of a line are equal.
ASCENDING = [
    ["0.a"], ["0.0.beta2-0"], ["0", "0.0.0"], ["0.1.a"], ["0.1"], ["1.B"], ["1.a.0.b"], ["1.a.0.0.b"],
    ["1.a", "1.0.0.a"], ["1.a.0.0.1"], ["1.a.0.1"], ["1.a.9"], ["1.a.10"], ["1.b.1", "1.0.b1", "1.0.b.1"], ["1.pre"],
    ["1.0.rc1"], ["1", "1.0", "1.00"], ["1.0.1.a"], ["1.0.1"], ["1.1.2"], ["1.2.b1"], ["1.2", "1.2.0"], ["1.10"],
    ["2-1"], ["2", "2.0.0"], ["10"], ["10.0.0.1"], ["100000000000000000000"],
]  # fmt: skip
SEGMENT = st.sampled_from(["0", "1", "2", "10", "00", "a", "b", "rc", "pre", "B", "a1", "0a", "a0b"])
VERSION = st.builds(lambda rest: ".".join(["1", *rest]), st.lists(SEGMENT, max_size=7))


def slow_compare(left: str, right: str) -> int:
    """Gem::Version#<=> of RubyGems 3.3, word by word."""

    def segments(version: str) -> list[int | str]:
        found = [int(each) if each.isdigit() else each for each in re.findall(r"[0-9]+|[a-z]+", version, re.I)]
        at = next((n for n, each in enumerate(found) if isinstance(each, str)), len(found))
        out: list[int | str] = []
        for part in (found[:at], found[at:]):
            while part and part[-1] == 0:
                part = part[:-1]
            out += part
        return out

    for ours, theirs in itertools.zip_longest(segments(left), segments(right), fillvalue=0):
        if ours == theirs:
            continue
        if isinstance(ours, str) != isinstance(theirs, str):
            return -1 if isinstance(ours, str) else 1
        return -1 if ours < theirs else 1  # type: ignore[operator]
    return 0


def sign(left: str, right: str) -> int:
    ours, theirs = names.sort_key(names.canonical_version(left)), names.sort_key(names.canonical_version(right))
    return (ours > theirs) - (ours < theirs)


def test_versions_are_ordered_as_ruby_orders_them() -> None:
    flat = [(rank, version) for rank, line in enumerate(ASCENDING) for version in line]

    for (rank, left), (other, right) in itertools.product(flat, repeat=2):
        assert sign(left, right) == (rank > other) - (rank < other), (left, right)


@settings(deadline=None)
@given(VERSION, VERSION)
def test_the_text_that_orders_versions_agrees_with_a_slow_comparison(left: str, right: str) -> None:
    assert sign(left, right) == slow_compare(left, right)


@settings(deadline=None)
@given(st.lists(VERSION, min_size=3, max_size=12))
def test_sorting_by_text_is_sorting_by_comparison(versions: list[str]) -> None:
    by_text = sorted(versions, key=lambda each: (names.sort_key(each), each))

    assert by_text == sorted(sorted(versions), key=functools.cmp_to_key(slow_compare))


@pytest.mark.parametrize("text", ["1.0", "1", "1.10", "2.0.0.rc1", "1.0.0.a10", "0"])
def test_a_version_is_its_text(text: str) -> None:
    assert names.canonical_version(text) == text


def test_a_dash_begins_a_prerelease() -> None:
    assert names.canonical_version("1.0-rc1") == "1.0.pre.rc1"
    assert names.is_prerelease(names.canonical_version("1.0-1"))
    assert not names.is_prerelease("1.0.1")


@pytest.mark.parametrize("text", ["", " 1", "1.", ".1", "a", "1..2", "1.0\n", "1,0", "1|0", "1.0/..", "1" * 256, "١"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="version"):
        names.canonical_version(text)


@pytest.mark.parametrize("name", ["rails", "Rails", "a", "net-http2", "a.b_c-d", "3d", "x1", "a" * 255])
def test_names_are_kept_as_they_are(name: str) -> None:
    assert names.canonical(None, name) == (None, name)


@pytest.mark.parametrize(
    "name", ["", "1", "123", "-a", ".a", "_a", "a b", "a/b", "a,b", "a|b", "a\n", "é", "a%2f", "a" * 256, "..", "a:b"]
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="gem name"):
        names.canonical(None, name)


def test_gems_have_no_namespace() -> None:
    with pytest.raises(ValueError, match="no namespace"):
        names.canonical("space", "a")


@pytest.mark.parametrize(
    ("file", "readings"),
    [
        ("rack-3.0.0.gem", [("rack", "3.0.0", "ruby")]),
        ("net-http2-0.18.4.gem", [("net-http2", "0.18.4", "ruby")]),
        ("nokogiri-1.15.0-x86_64-linux-gnu.gem", [("nokogiri", "1.15.0", "x86_64-linux-gnu")]),
        ("foo-1.0-universal-darwin-22.gem",
         [("foo", "1.0", "universal-darwin-22"), ("foo-1.0-universal-darwin", "22", "ruby")]),
        ("a-1-2.gem", [("a-1", "2", "ruby"), ("a", "1", "2")]),
        ("a-b-1.0.rc1-java.gem", [("a-b", "1.0.rc1", "java")]),
        ("a-1-ruby.gem", []),
        ("a.gem", []),
        ("a-1.0", []),
        ("../a-1.0.gem", []),
    ],
)  # fmt: skip
def test_a_file_name_is_read_in_every_way_that_it_can_be(file: str, readings: list[tuple[str, str, str]]) -> None:
    assert [(each.name, each.version, each.platform) for each in names.readings(file)] == readings


@settings(deadline=None)
@given(
    st.from_regex(r"\A[a-z][a-z0-9._-]{0,12}\Z"),
    VERSION,
    st.sampled_from(["ruby", "java", "x86_64-linux", "arm64-darwin-23"]),
)
def test_whatever_is_written_is_among_its_readings(name: str, version: str, platform: str) -> None:
    written = f"{names.full_name(name, version, platform)}.gem"

    assert names.Filename(name, version, platform) in list(names.readings(written))


def test_only_files_of_gems_are_assets() -> None:
    names.asset_name("a-1.0.gem")
    with pytest.raises(ValueError, match="file name"):
        names.asset_name("a.tar.gz")
