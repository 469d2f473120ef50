"""Page tokens: opaque, bound to their request, and good for following a list that changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core import paging
from registry.core.errors import Validation

KEY = b"a key that stays"
ARGUMENTS = {"domain": "dom", "format": "npm", "absent": None, "list": ["a", "b"]}
last_keys = st.lists(st.text(), max_size=4).map(tuple)


@given(last_keys)
def test_a_token_gives_back_the_key_that_it_was_made_of(last: tuple[str, ...]) -> None:
    token = paging.token(KEY, "ListPackages", ARGUMENTS, last)

    assert paging.after(KEY, "ListPackages", ARGUMENTS, token) == last


def test_no_token_starts_at_the_front_and_the_last_page_has_none() -> None:
    assert paging.after(KEY, "ListPackages", ARGUMENTS, None) is None
    assert paging.token(KEY, "ListPackages", ARGUMENTS, None) is None


def test_a_token_is_made_of_characters_that_the_model_allows() -> None:
    token = paging.token(KEY, "ListPackages", ARGUMENTS, ("ÿ", "~", "\n"))

    assert token is not None
    assert all(c.isascii() and (c.isalnum() or c in "-_") for c in token)
    assert len(token) <= 2000


def test_members_that_are_absent_or_in_another_order_make_no_difference() -> None:
    token = paging.token(KEY, "ListPackages", ARGUMENTS, ("a",))

    assert paging.after(KEY, "ListPackages", {"list": ["a", "b"], "format": "npm", "domain": "dom"}, token) == ("a",)


@pytest.mark.parametrize(
    ("key", "operation", "arguments"),
    [
        (b"another key", "ListPackages", ARGUMENTS),
        (KEY, "ListPackageVersions", ARGUMENTS),
        (KEY, "ListPackages", {**ARGUMENTS, "domain": "mod"}),
        (KEY, "ListPackages", {**ARGUMENTS, "list": ["b", "a"]}),
    ],
)
def test_a_token_of_another_request_is_refused(key: bytes, operation: str, arguments: dict[str, object]) -> None:
    token = paging.token(KEY, "ListPackages", ARGUMENTS, ("a",))

    with pytest.raises(Validation, match="not valid for this request"):
        paging.after(key, operation, arguments, token)


@given(st.text(max_size=60))
def test_a_made_up_token_is_refused(text: str) -> None:
    with pytest.raises(Validation):
        paging.after(KEY, "ListPackages", ARGUMENTS, text)


@given(st.data())
def test_a_token_with_one_bit_changed_is_refused(data: st.DataObject) -> None:
    token = paging.token(KEY, "ListPackages", ARGUMENTS, ("npm", "", "left-pad"))
    assert token is not None
    position = data.draw(st.integers(0, len(token) - 2))  # the last character has bits that carry nothing
    letter = data.draw(st.sampled_from("ABCDEFGHabcdefgh0123456789-_").filter(lambda c: c != token[position]))

    with pytest.raises(Validation):
        paging.after(KEY, "ListPackages", ARGUMENTS, token[:position] + letter + token[position + 1 :])


def test_a_page_is_cut_from_rows_read_with_one_more() -> None:
    assert paging.cut([1, 2, 3], 2, lambda n: (str(n),)) == paging.Page((1, 2), ("2",))
    assert paging.cut([1, 2], 2, lambda n: (str(n),)) == paging.Page((1, 2), None)
    assert paging.cut([], 2, lambda n: (str(n),)) == paging.Page((), None)
