"""Our native form of a version: flags, then its catalog entry as JSON, the repository's base URL left open.

The entry is an object with everything that a registration shows of a version but what changes apart from it: whether
it is listed, when it was published, and its own addresses.  Nothing of it is parsed to be served.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

BASE = b"\0B/"
"""Stands for the endpoint's address, as it is: no JSON has a NUL character, so that no text can look like it."""
BASE_TEXT = BASE.decode()

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
    """The native form of an entry, in which a text may begin with BASE_TEXT."""
    whole = {name: _open(value) if _is_open(value) else value for name, value in entry.items()}
    return Native(msgspec.json.encode(whole), semver2, unlisted).pack()


def _is_open(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(BASE_TEXT)


def _open(text: str) -> msgspec.Raw:
    return msgspec.Raw(b'"' + BASE + msgspec.json.encode(text.removeprefix(BASE_TEXT))[1:])


def unpack(native: bytes) -> Native:
    """The parts."""
    flags, _, entry = native.partition(b"\n")
    bits = int(flags or b"0")
    return Native(entry or b"{}", bool(bits & _SEMVER2), bool(bits & _UNLISTED))


def fields(native: bytes) -> dict[str, Any]:
    """The entry, parsed; addresses of ours begin with BASE_TEXT."""
    found = msgspec.json.decode(unpack(native).entry.replace(BASE, b"\\u0000B/"))
    return found if isinstance(found, dict) else {}
