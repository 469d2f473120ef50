"""Declared digests: reading and checking them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from registry.core.types import Digests

_STRONGEST_FIRST = (("sha512", 64), ("sha256", 32), ("sha1", 20), ("md5", 16))


def strongest(declared: Mapping[str, str]) -> tuple[str, str] | None:
    """(algorithm, lower-case hex) of the strongest digest that we also compute; hex and base64 are understood.

    One that cannot be read counts as (algorithm, ""), which nothing matches: it must not pass for none.
    """
    by_name = {name.lower().replace("-", ""): value for name, value in declared.items()}
    for name, size in _STRONGEST_FIRST:
        if by_name.get(name):
            return name, _hex(by_name[name].strip(), size)
    return None


def agree(declared: Mapping[str, str], digests: Digests) -> bool:
    """True when the strongest declared digest is that of the file, or none is declared."""
    wanted = strongest(declared)
    return wanted is None or getattr(digests, wanted[0]) == wanted[1]


def _hex(value: str, size: int) -> str:
    try:
        if len(value) == size * 2:
            return bytes.fromhex(value).hex()
        decoded = base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error):
        return ""
    return decoded.hex() if len(decoded) == size else ""
