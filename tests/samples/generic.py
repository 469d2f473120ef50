"""Builds generic assets and requests for them."""

from __future__ import annotations

import hashlib

from tests.harness import Answer
from tests.samples.base import Shop

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


class _Sample:
    """Implements tests.samples.base.Sample."""

    format = "generic"
    connection = None
    dependency = None
    readme = False

    def coordinates(self, word: str) -> tuple[str | None, str]:
        return "ns", word

    def publish(self, shop: Shop, word: str, version: str = "1.0.0", *, marker: str = "") -> Answer:
        return shop("PUT", f"ns/{word}/{version}/file.bin", content(f"{word} {version} {marker}"))

    def index(self, word: str) -> str:
        return f"ns/{word}/"

    def versions(self, answer: Answer, word: str) -> set[str]:
        return {each["version"] for each in answer.json()["versions"]}

    def asset(self, word: str, version: str = "1.0.0") -> tuple[str, str]:
        return "file.bin", f"ns/{word}/{version}/file.bin"


SAMPLE = _Sample()
