"""The two parts of a publish, however they arrive."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.cargo.framing import MAX_METADATA, Framed
from registry.core.errors import TooLarge, Validation
from tests.samples.cargo import framed


async def chunks(body: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(body), size):
        yield body[at : at + size]


async def take(body: bytes, size: int = 7, *, announced: int = -1, limit: int = 1000) -> tuple[bytes, bytes]:
    parts = Framed(chunks(body, size), announced)
    text = await parts.metadata()
    return text, b"".join([bytes(piece) async for piece in parts.file(limit)])


@given(st.binary(max_size=60), st.binary(max_size=60), st.integers(1, 200))
async def test_parts_come_out_as_they_went_in(text: bytes, file: bytes, size: int) -> None:
    assert await take(framed(text, file), size) == (text, file)


@given(st.binary(max_size=30), st.binary(max_size=30), st.data())
async def test_a_body_that_is_cut_is_refused(text: bytes, file: bytes, data: st.DataObject) -> None:
    whole = framed(text, file)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(Validation, match="shorter than it says"):
        await take(whole[:cut])


async def test_what_follows_is_refused() -> None:
    with pytest.raises(Validation, match="follows"):
        await take(framed(b"{}", b"file") + b"x")


async def test_lengths_are_checked_before_anything_is_read() -> None:
    with pytest.raises(TooLarge, match="metadata"):
        await take((MAX_METADATA + 1).to_bytes(4, "little"))
    with pytest.raises(Validation, match="shorter than it says"):
        await take((1000).to_bytes(4, "little") + b"x" * 100, announced=104)
    with pytest.raises(TooLarge, match="larger than 10 bytes"):
        await take(framed(b"{}", b"x" * 11), limit=10)
