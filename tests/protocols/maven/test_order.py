"""Maven's version order, against answers of Maven's own class (`versions.tsv`)."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from protocols.maven.order import compare, highest, sort_key

VECTORS = [
    line.split("\t")
    for line in (Path(__file__).parent / "versions.tsv").read_text().splitlines()
    if not line.startswith("#")
]

PIECES = (
    *("0", "00", "1", "2", "10", "20240101", ".", "-", "alpha", "a", "b", "m"),
    *("beta", "rc", "cr", "snapshot", "ga", "final", "sp", "jre", "x"),
)

versions = st.lists(
    st.sampled_from(PIECES),
    min_size=1,
    max_size=8,
).map("".join)


def sign(number: int) -> int:
    return (number > 0) - (number < 0)


def test_versions_compare_as_maven_compares_them() -> None:
    wrong = [(a, b) for a, b, expected, _ in VECTORS if sign(compare(a, b)) != int(expected)]

    assert len(VECTORS) == 2000
    assert wrong == []


def test_the_text_sorts_like_the_comparison_but_for_its_circles() -> None:
    wrong = []
    for a, b, expected, _ in VECTORS:
        one, other = sort_key(a), sort_key(b)
        if (one > other) - (one < other) != int(expected):
            wrong.append((a, b))

    assert len(wrong) < len(VECTORS) / 100


def test_maven_s_comparison_goes_round_in_circles() -> None:
    assert compare("1.0.rc.x", "1") < 0 < compare("1-1", "1")
    assert compare("1.0.rc.x", "1-1") > 0

    assert sort_key("1.0.rc.x") < sort_key("1") < sort_key("1-1")


@given(versions, versions)
def test_a_comparison_can_be_turned_round(one: str, other: str) -> None:
    assert sign(compare(one, other)) == -sign(compare(other, one))
    assert compare(one, one) == 0


@given(versions)
def test_versions_that_are_equal_have_the_same_text(version: str) -> None:
    for other in (version.upper(), f"{version}-0" if version[-1].isdigit() else version):
        assert compare(version, other) == 0
        assert sort_key(version) == sort_key(other)


def test_ordinary_versions_are_in_order() -> None:
    ascending = [
        "1.0-alpha", "1.0-beta", "1.0-M1", "1.0-rc1", "1.0-SNAPSHOT", "1.0", "1.0-sp", "1.0-xyz", "1.0-1", "1.0.1",
        "1.1", "1.9", "1.10", "2", "20041231", "100000000000", "9" * 200,
    ]  # fmt: skip

    assert sorted(set(ascending), key=sort_key) == ascending
    assert all(compare(a, b) < 0 for a, b in pairwise(ascending))
    assert highest(ascending) == ascending[-1]
    assert sort_key("1") == sort_key("1.0.0") == sort_key("1-ga") == sort_key("1.0.Final")
