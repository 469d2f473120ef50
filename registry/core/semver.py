"""Semantic Versioning 2.0.0: what several formats share; pure."""

from __future__ import annotations

import re

MAX = 256
"""Characters of a version."""
MAX_NUMBER = 2**63 - 1

_IDENTIFIER = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_STRICT = re.compile(
    r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"
    rf"(?:-{_IDENTIFIER}(?:\.{_IDENTIFIER})*)?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?\Z",
    re.ASCII,
)


def strict(text: str) -> str:
    """The version as it is.  Raises ValueError for what breaks the grammar, or has a number above 2^63 - 1."""
    match = _STRICT.match(text) if len(text) <= MAX else None
    if match is None:
        raise ValueError(f"{text[:80]!r} is not a semantic version")
    if any(int(number) > MAX_NUMBER for number in match.group(1, 2, 3)):
        raise ValueError(f"{text[:80]!r} has a number above {MAX_NUMBER}")
    return text


def is_prerelease(version: str) -> bool:
    """Of a version with or without build metadata."""
    return "-" in version.partition("+")[0]


def sort(version: str) -> str:
    """A text that orders versions by precedence (section 11), byte by byte; build metadata counts for nothing.

    A number is its length in two hex digits, then its digits.  A prerelease identifier is `1` and a number, or
    `2`, the text and `!`, which is below every character of an identifier.  A release ends in `~`, above both.
    """
    core, dash, prerelease = version.partition("+")[0].partition("-")
    key = "".join(map(_number, core.split(".")))
    if not dash:
        return f"{key}~"
    return key + "".join(f"1{_number(part)}" if part.isdigit() else f"2{part}!" for part in prerelease.split("."))


def _number(digits: str) -> str:
    return f"{min(len(digits), 255):02x}{digits}"
