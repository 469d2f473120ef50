"""Builds generic assets and requests for them."""

from __future__ import annotations

import hashlib

NAMES = (
    "asset.tar.gz",
    "a b+é~!@^&().tar.gz",
    "日本語.bin",
    "[x]{y};,-_.z",
    "ǅǈⅣ٣ʰ.dat",
    "x" * 255,
)
"""Names that the guide allows."""

REFUSED = ("", ".", "..", " a", "a ", "a  b", "a/b", "a\\b", "a#b", "a%b", "a'b", 'a"b', "a=b", "a?b", "a*b",
           "a:b", "a<b", "a|b", "a$b", "a`b", "a\tb", "a\nb",
           "a\x7fb", "e\u0301", "a\u00a0b", "²", "😀", "x" * 256)  # fmt: skip
"""Names that it does not."""


def content(seed: str, size: int = 200) -> bytes:
    """Bytes that differ by seed."""
    block = hashlib.sha256(seed.encode()).digest()
    return (block * (size // len(block) + 1))[:size]
