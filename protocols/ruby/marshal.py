"""Ruby's Marshal format 4.8: a writer for the types that indexes and specifications need; pure.

Symbols are always written out, never as a link to an earlier one, and no object is linked.  So what is dumped stands
for itself wherever it is put, and an index is a count and a join of its members.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

HEADER = b"\x04\x08"
NIL = b"0"
TRUE = b"T"
FALSE = b"F"
_UTF8 = b"\x06:\x06ET"
_YEARS = range(1900, 1900 + (1 << 16))


def document(body: bytes) -> bytes:
    """A whole dump."""
    return HEADER + body


def integer(value: int) -> bytes:
    """A Fixnum.  Raises ValueError beyond 30 bits, where Ruby has another type."""
    if not -(1 << 30) <= value < 1 << 30:
        raise ValueError(f"{value} is no Fixnum")
    return b"i" + _long(value)


def _long(value: int) -> bytes:
    if value == 0:
        return b"\0"
    if 0 < value < 123:
        return bytes((value + 5,))
    if -124 < value < 0:
        return bytes((value - 5 + 256,))
    size = 1
    while not -(1 << 8 * size) <= value < 1 << 8 * size:
        size += 1
    body = (value % (1 << 8 * size)).to_bytes(size, "little")
    return bytes((size if value > 0 else 256 - size,)) + body


def _sized(body: bytes) -> bytes:
    return _long(len(body)) + body


def string(text: str) -> bytes:
    """A String in UTF-8."""
    return b'I"' + _sized(text.encode("utf-8", "replace")) + _UTF8


def optional(text: str | None) -> bytes:
    return NIL if text is None else string(text)


def symbol(name: str) -> bytes:
    return b":" + _sized(name.encode())


def array(members: Sequence[bytes]) -> bytes:
    return joined(len(members), members)


def joined(count: int, pieces: Iterable[bytes]) -> bytes:
    """An Array of `count` members, some of which may come in one piece."""
    return b"[" + _long(count) + b"".join(pieces)


def mapping(pairs: Sequence[tuple[bytes, bytes]]) -> bytes:
    return b"{" + _long(len(pairs)) + b"".join(key + value for key, value in pairs)


def instance(class_name: str, variables: Mapping[str, bytes]) -> bytes:
    """An object of its instance variables, `@` left out."""
    head = b"o" + symbol(class_name) + _long(len(variables))
    return head + b"".join(symbol(f"@{name}") + value for name, value in variables.items())


def by_dump(class_name: str, value: bytes) -> bytes:
    """An object that made itself a value (marshal_dump)."""
    return b"U" + symbol(class_name) + value


def by_text(class_name: str, body: bytes) -> bytes:
    """An object that made itself bytes (_dump)."""
    return b"u" + symbol(class_name) + _sized(body)


def time(moment: int) -> bytes:
    """A Time in UTC, of milliseconds since the epoch, as time.c packs it."""
    at = datetime.fromtimestamp(moment / 1000, UTC)
    if at.year not in _YEARS:
        raise ValueError("a year that Ruby cannot pack")
    first = 1 << 31 | 1 << 30 | (at.year - 1900) << 14 | (at.month - 1) << 10 | at.day << 5 | at.hour
    second = at.minute << 26 | at.second << 20 | at.microsecond
    body = first.to_bytes(4, "little") + second.to_bytes(4, "little")
    return b"Iu" + symbol("Time") + _sized(body) + _long(1) + symbol("zone") + NIL
