"""Revisions: the same content is the same revision everywhere, any change another."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from registry.core.revisions import revision
from registry.core.types import Asset, Blob
from tests.core.house import digests

assets = st.builds(
    lambda name, seed, native, uploaded, key: Asset(name, Blob(digests(seed), 1, key), native, uploaded),
    st.text(max_size=3),
    st.sampled_from("ab"),
    st.binary(max_size=2),
    st.integers(0, 3),
    st.text(max_size=2),
)
contents = st.tuples(st.binary(max_size=3), st.lists(assets, max_size=3, unique_by=lambda a: a.name))


def content(native: bytes, of: list[Asset]) -> tuple[object, ...]:
    """What counts."""
    return native, frozenset((a.name, a.blob.digests.sha256, a.native) for a in of)


@given(contents, contents)
def test_revisions_are_equal_exactly_when_the_content_is(
    one: tuple[bytes, list[Asset]], two: tuple[bytes, list[Asset]]
) -> None:
    assert (revision(*one) == revision(*two)) == (content(*one) == content(*two))


@given(contents, st.randoms())
def test_the_order_of_assets_does_not_count(one: tuple[bytes, list[Asset]], random: st.DataObject) -> None:
    native, of = one
    shuffled = sorted(of, key=lambda _: random.random())  # type: ignore[attr-defined]

    assert revision(native, shuffled) == revision(native, of)
    assert len(revision(native, of)) == 44
