"""The four digests that every stored file has, in one pass."""

from __future__ import annotations

import hashlib

from registry.core.types import Digests, Staged

_NAMES = ("md5", "sha1", "sha256", "sha512")


class Hasher:
    """Takes a file piece by piece; any thread, one at a time."""

    __slots__ = ("_hashes",)

    def __init__(self) -> None:
        self._hashes = [hashlib.new(name, usedforsecurity=False) for name in _NAMES]

    def update(self, chunk: bytes | bytearray | memoryview) -> None:
        for each in self._hashes:
            each.update(chunk)

    def digests(self) -> Digests:
        return Digests(*[each.hexdigest() for each in self._hashes])


def digests(body: bytes) -> Digests:
    """Of a body in memory: about 6 microseconds a KiB."""
    return Digests(
        hashlib.md5(body, usedforsecurity=False).hexdigest(),
        hashlib.sha1(body, usedforsecurity=False).hexdigest(),
        hashlib.sha256(body).hexdigest(),
        hashlib.sha512(body).hexdigest(),
    )


def held(body: bytes) -> Staged:
    """A small file that has arrived in memory, as a staged file."""
    return Staged(digests(body), len(body), None, body)
