"""Ids, versions, ranges: the guide's normalization, the client's order."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.nuget import names, ranges


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("1.00", "1.0.0"),  # the guide's examples
        ("1.01.1", "1.1.1"),
        ("1.00.0.1", "1.0.0.1"),
        ("1.0.0.0", "1.0.0"),
        ("1.0.01.0", "1.0.1"),
        ("1.0.7+r3456", "1.0.7"),
        ("12.0.03.0", "12.0.3"),
        ("1", "1.0.0"),  # the client's
        ("01.02.03.04", "1.2.3.4"),
        ("1.0-RC", "1.0.0-RC"),
        (" 1.0.0-beta.1+a.b-c ", "1.0.0-beta.1"),
        ("2147483647.0.0", "2147483647.0.0"),
        ("1.0.0-0a.-0.x", "1.0.0-0a.-0.x"),
        ("0" * 200 + "7", "7.0.0"),
    ],
)
def test_a_version_is_normalized_as_the_client_does(given: str, normal: str) -> None:
    assert names.parse_version(given).normal == normal
    assert names.canonical_version(given) == normal.lower()


@pytest.mark.parametrize(
    "text",
    ["", "a", "v1.0", "1.0.0.0.0", "1..0", "1.0.", "1.0.0-", "1.0.0-a..b", "1.0.0-beta.01", "1.0.0-00", "1.0.0+",
     "1.0+a+b", "1.0.0-a_b", "2147483648.0", "1 .0", "-1.0", "1.0.0-é", "١.0", "1.0\n.0", "9" * 300],
)  # fmt: skip
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        names.canonical_version(text)


def _table(kind: str) -> list[list[str]]:
    lines = (Path(__file__).parent / "versions.tsv").read_text().splitlines()
    return [line.split("\t")[1:] for line in lines if line.startswith(f"{kind}\t")]


def test_versions_are_read_as_the_clients_own_library_reads_them() -> None:
    def read(text: str) -> list[str]:
        try:
            version = names.parse_version(text)
        except ValueError:
            return ["ERR"]
        return [version.normal, str(version.semver2)]

    table = _table("v")
    assert len(table) > 100
    assert [(text, told) for text, *told in table if read(text) != told] == []


def test_versions_are_compared_as_the_clients_own_library_compares_them() -> None:
    table = _table("c")
    keys = [
        (names.sort(names.canonical_version(one)), names.sort(names.canonical_version(other)))
        for one, other, _ in table
    ]

    assert len(table) > 100
    assert [(a > b) - (a < b) for a, b in keys] == [int(told) for _, _, told in table]


def test_ranges_are_read_as_the_clients_own_library_reads_them() -> None:
    def read(text: str) -> str:
        try:
            return ranges.parse(text).normal
        except ValueError:
            return "ERR"

    table = _table("r")
    assert len(table) > 50
    assert [(text, told) for text, told in table if read(text) != told] == []


def test_versions_are_ordered_as_the_client_orders_them() -> None:
    ascending = [
        "0.0.1", "0.9.9.9", "1.0.0--2147483648", "1.0.0--1", "1.0.0-0", "1.0.0-1", "1.0.0-2", "1.0.0-10",
        "1.0.0-2147483647", "1.0.0--2147483649", "1.0.0-2147483648", "1.0.0-Alpha", "1.0.0-alpha.1", "1.0.0-alpha.1.a",
        "1.0.0-alpha.a", "1.0.0-alpha-", "1.0.0-alpha-1", "1.0.0-alpha1", "1.0.0-BETA", "1.0.0-rc", "1.0.0", "1.0.0.1",
        "1.0.0.2-a", "1.0.0.2", "1.0.1", "1.2.0", "1.10.0", "2.0.0", "10.0.0", "2147483647.0.0",
    ]  # fmt: skip
    keys = [names.sort(names.canonical_version(each)) for each in ascending]

    assert [(low, high) for low, high in pairwise(zip(keys, ascending, strict=True)) if low[0] >= high[0]] == []


_labels = st.lists(st.text("0129abCZ-", min_size=1, max_size=4), max_size=3).map(".".join)
_versions = st.builds(
    lambda numbers, labels: ".".join(map(str, numbers)) + (f"-{labels}" if labels else ""),
    st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=4),
    _labels,
)


def _key(text: str) -> tuple[object, ...]:
    """The order in plain words: numbers, release above prerelease, labels one by one."""
    version = names.parse_version(text)
    labels = []
    for label in version.labels.split(".") if version.labels else ():
        number = label.removeprefix("-").isdigit() and -(2**31) <= int(label) < 2**31
        labels.append((0, int(label), "") if number else (1, 0, label.upper()))
    return version.numbers, not version.labels, labels


@given(_versions, _versions)
def test_the_sort_key_orders_any_two_versions_as_their_parts_do(one: str, other: str) -> None:
    try:
        keys = _key(one), _key(other)
    except ValueError:
        return
    sorts = [names.sort(names.canonical_version(each)) for each in (one, other)]

    assert (sorts[0] < sorts[1], sorts[0] == sorts[1]) == (keys[0] < keys[1], keys[0] == keys[1])


@given(_versions)
def test_a_canonical_version_stays_as_it_is(text: str) -> None:
    try:
        canonical = names.canonical_version(text)
    except ValueError:
        return

    assert names.canonical_version(canonical) == canonical == canonical.lower()


def test_ids_are_kept_in_lower_case() -> None:
    assert names.canonical(None, "Newtonsoft.JSON") == (None, "newtonsoft.json")
    assert names.canonical(None, "_a-b.c_1") == (None, "_a-b.c_1")
    assert names.canonical(None, "Größe.Ä") == (None, "größe.ä")
    assert names.package("x" * 100).name == "x" * 100


@pytest.mark.parametrize(
    "id", ["", ".a", "a.", "a..b", "a--b", "a b", "a/b", "a\\b", "..", "$id$", "a\n", "x" * 101, "a\0"]
)
def test_what_cannot_be_an_id_is_refused(id: str) -> None:
    with pytest.raises(ValueError):
        names.canonical(None, id)


def test_there_are_no_namespaces() -> None:
    with pytest.raises(ValueError):
        names.canonical("acme", "hello")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("", "(, )"),
        ("1.0", "[1.0.0, )"),
        ("[1.0]", "[1.0.0, 1.0.0]"),
        ("[1.0,2.0)", "[1.0.0, 2.0.0)"),
        ("(1.0, 2.0]", "(1.0.0, 2.0.0]"),
        ("(,1.0]", "(, 1.0.0]"),
        ("[,1.0]", "(, 1.0.0]"),
        (" ( 1.0 , ) ", "(1.0.0, )"),
        ("1.0.0-rc.1", "[1.0.0-rc.1, )"),
        ("what?", "what?"),
        ("(1.0)", "(1.0.0, 1.0.0)"),
        ("[1,2,3]", "[1,2,3]"),
        ("[", "["),
    ],
)
def test_a_range_is_shown_in_its_normal_form(given: str, shown: str) -> None:
    assert ranges.shown(given)[0] == shown


def test_a_range_needs_semver_2_when_a_bound_does() -> None:
    assert [ranges.shown(each)[1] for each in ("1.0-a", "1.0-a.b", "[1.0, 2.0+x]", "(, 3.0-b.1)")] == [
        False, True, True, True,
    ]  # fmt: skip
