"""Keys that keep their order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from registry.core.clock import SystemClock, new_id


@given(st.lists(st.integers(0, 1_700_000_000_000), min_size=2, max_size=20))
def test_every_key_is_greater_than_the_one_before_whatever_the_clock_says(times: list[int]) -> None:
    keys = [new_id(now) for now in times]

    assert keys == sorted(set(keys))
    assert all(0 < key < 2**63 for key in keys)


def test_the_system_clock_gives_milliseconds_of_our_time() -> None:
    assert 1_700_000_000_000 < SystemClock().now() < 4_000_000_000_000
