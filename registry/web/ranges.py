"""Conditional and range requests: RFC 9110, sections 13 and 14.  Pure."""

from __future__ import annotations

import re
import time
from email.utils import formatdate, parsedate_to_datetime

MANY = 32
"""More ranges than this are answered with the whole file."""

_RANGE = re.compile(r"([0-9]{0,19})-([0-9]{0,19})")


def matches(header: str, etag: str) -> bool:
    """If-None-Match by weak comparison; `etag` is quoted.  A `-gz` variant of the same document is the same."""
    if header.strip() == "*":
        return True
    ours = _opaque(etag)
    return any(_opaque(each) == ours for each in header.split(","))


def _opaque(tag: str) -> str:
    return tag.strip().removeprefix("W/").strip('"').removesuffix("-gz")


def unmodified_since(header: str, modified: int) -> bool:
    """If-Modified-Since against a time in milliseconds; a date that cannot be read does not count."""
    try:
        return modified // 1000 <= parsedate_to_datetime(header).timestamp()
    except (ValueError, TypeError, OverflowError):
        return False


def unmodified_before(header: str, modified: int) -> bool:
    """The same for clients that send when they themselves wrote what they have: a change within that second counts.

    A time that is still to come says nothing (RFC 9110, section 13.1.3).
    """
    try:
        since = parsedate_to_datetime(header).timestamp()
    except (ValueError, TypeError, OverflowError):
        return False
    return modified // 1000 < since <= time.time()


def http_date(moment: int) -> str:
    """A time in milliseconds as HTTP has it."""
    return formatdate(moment / 1000, usegmt=True)


def may_resume(if_range: str | None, etag: str | None, modified: int) -> bool:
    """If-Range by strong comparison; without the header a range may always be served."""
    if if_range is None:
        return True
    if if_range.startswith('"'):
        return if_range.strip() == etag
    return bool(modified) and if_range.strip() == http_date(modified)


def parse(header: str, size: int) -> list[tuple[int, int]] | None:
    """Ranges as (start, end exclusive).

    None: the header is to be ignored (other unit, malformed, too many, or more than the file).
    An empty list: none can be satisfied, which is 416.
    """
    unit, _, text = header.partition("=")
    if unit.strip().lower() != "bytes":
        return None
    parts = text.split(",")
    if len(parts) > MANY:
        return None
    ranges = []
    for part in parts:
        found = _RANGE.fullmatch(part.strip())
        if found is None or part.strip() == "-":
            return None
        first, last = found.groups()
        if first and last and int(last) < int(first):
            return None
        start = int(first) if first else max(0, size - int(last))
        end = min(size, int(last) + 1) if first and last else size
        if start < end:
            ranges.append((start, end))
    if len(ranges) > 1 and sum(end - start for start, end in ranges) > size:
        return None
    return ranges
