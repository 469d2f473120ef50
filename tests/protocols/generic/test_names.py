"""Names of the guide's chapter "Generic package constraints"."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.generic.names import canonical, canonical_version, check_asset_name
from tests.samples.generic import NAMES, REFUSED


@pytest.mark.parametrize("name", NAMES)
def test_the_guides_names_are_allowed(name: str) -> None:
    check_asset_name(name)


@pytest.mark.parametrize("name", REFUSED)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="asset"):
        check_asset_name(name)


@given(st.text(st.characters(exclude_categories=[]), max_size=12))
def test_the_rule_is_the_guides(name: str) -> None:
    letters = {"Ll", "Lm", "Lo", "Lt", "Lu", "Nl", "Nd"}
    expected = (
        name not in {"", ".", ".."}
        and name.strip(" ") == name
        and "  " not in name
        and all(char in "~!@^&()-_+[]{};,. " or unicodedata.category(char) in letters for char in name)
    )
    try:
        check_asset_name(name)
        allowed = True
    except ValueError:
        allowed = False

    assert allowed == expected


def test_names_stay_as_given() -> None:
    assert canonical("My-NS", "Pkg+é") == ("My-NS", "Pkg+é")
    assert canonical_version("1.0+B~x") == "1.0+B~x"


@pytest.mark.parametrize("namespace", [None, "", "a b", "a/b", "a#b", "\ud800", "x" * 256])
def test_a_namespace_is_needed_and_checked(namespace: str | None) -> None:
    with pytest.raises(ValueError, match="namespace"):
        canonical(namespace, "pkg")


@pytest.mark.parametrize("text", ["", "a b", "a/b", "a#b", "a\n", "x" * 256])
def test_packages_and_versions_are_checked(text: str) -> None:
    with pytest.raises(ValueError, match="package name"):
        canonical("ns", text)
    with pytest.raises(ValueError, match="version"):
        canonical_version(text)
