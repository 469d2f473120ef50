"""JSON as clients and registries really write it, decoded with msgspec.

Beyond the strict grammar: a byte order mark, and halves of surrogate pairs (the npm registry cuts a readme at
64 KiB of UTF-16, now and then through an emoji), which become U+FFFD.
"""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

T = TypeVar("T")

_BOM = b"\xef\xbb\xbf"
_ESCAPE = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\.")


def decode(text: bytes | bytearray | memoryview | msgspec.Raw, type: type[T]) -> T:
    """The document as that type.  Raises ValueError, with what was wrong, for everything else."""
    raw = memoryview(text)
    if raw[:3] == _BOM:
        raw = raw[3:]
    try:
        # msgspec checks neither the UTF-8 of what it passes through as Raw, nor of what it skips.
        str(raw, "utf-8")
    except UnicodeDecodeError as err:
        raise ValueError(f"not UTF-8 at byte {err.start}") from None
    return part(raw, type)


def part(text: bytes | memoryview | msgspec.Raw, type: type[T]) -> T:
    """A piece of a document that `decode` has read.  Raises ValueError."""
    try:
        try:
            return msgspec.json.decode(text, type=type)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            return msgspec.json.decode(_ESCAPE.sub(_whole, bytes(text)), type=type)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except msgspec.DecodeError as err:
        raise ValueError(str(err)) from None


def encode(value: object) -> bytes:
    """Compact JSON."""
    return msgspec.json.encode(value)


def _whole(match: re.Match[bytes]) -> bytes:
    found = match[0]
    return rb"\ufffd" if len(found) == 6 and found[1:2] == b"u" else found
