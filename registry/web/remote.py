"""What fetchers of several formats read alike in other registries' answers; pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

LATEST = 253_402_300_799_000
"""The last millisecond that can be written as a date."""


def validators(headers: Mapping[str, str]) -> dict[str, str]:
    """The request headers that ask whether an answer still holds (RFC 9110, section 13.1)."""
    if etag := headers.get("etag"):
        return {"if-none-match": etag}
    if modified := headers.get("last-modified"):
        return {"if-modified-since": modified}
    return {}


def milliseconds(text: object) -> int | None:
    """A time in ISO 8601, UTC where it names no zone; None for whatever is none, or lies outside the years."""
    if not isinstance(text, str):
        return None
    try:
        when = datetime.fromisoformat(text)
        stamp = int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000 + 0.5)
    except (ValueError, OverflowError):
        return None
    return stamp if 0 <= stamp <= LATEST else None
