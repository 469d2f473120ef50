"""Our native form of a version: flags, then its catalog entry as JSON, the repository's base URL left open.

The entry is an object with everything that a registration shows of a version but what changes apart from it: whether
it is listed, when it was published, and its own addresses.  Nothing of it is parsed to be served.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

BASE = b"\\u0000B/"
"""Stands, in JSON, for the endpoint's address; no text that we keep has a NUL character."""
BASE_TEXT = "\0B/"

_SEMVER2, _UNLISTED = 1, 2


class Native(NamedTuple):
    """A version's metadata.  `unlisted`: the external registry that it came from does not list it."""

    entry: bytes
    semver2: bool
    unlisted: bool = False

    def pack(self) -> bytes:
        flags = (_SEMVER2 if self.semver2 else 0) | (_UNLISTED if self.unlisted else 0)
        return b"%d\n%s" % (flags, self.entry)


def pack(entry: Mapping[str, Any], *, semver2: bool, unlisted: bool = False) -> bytes:
    """The native form of an entry."""
    return Native(msgspec.json.encode(entry), semver2, unlisted).pack()


def unpack(native: bytes) -> Native:
    """The parts."""
    flags, _, entry = native.partition(b"\n")
    bits = int(flags or b"0")
    return Native(entry or b"{}", bool(bits & _SEMVER2), bool(bits & _UNLISTED))


def fields(native: bytes) -> dict[str, Any]:
    """The entry, parsed: for search."""
    found = msgspec.json.decode(unpack(native).entry)
    return found if isinstance(found, dict) else {}
