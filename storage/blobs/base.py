"""What the drivers share: keys, and what a disk's errors mean."""

from __future__ import annotations

import errno
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from registry.core.errors import Unavailable

CHUNK = 64 * 1024
LARGE_CHUNK = 256 * 1024
LARGE = 8 * 1024 * 1024
"""From this size on bodies are read in large chunks."""

_KEY = re.compile(r"([0-9a-f]{2})/\1[0-9a-f]{62}\.[0-9a-f]{16}")


def fresh_key(sha256: str) -> str:
    """`AA/SHA256.NONCE`: nobody else knows it, and it is never made again."""
    return f"{sha256[:2]}/{sha256}.{secrets.token_hex(8)}"


def is_key(key: str) -> bool:
    """Whether this is a key at all; anything else names no file."""
    return _KEY.fullmatch(key) is not None


def chunk_size(length: int) -> int:
    """How much to read at once from a body of this length."""
    return LARGE_CHUNK if length >= LARGE else CHUNK


def lost(key: str) -> Unavailable:
    """A file that a row names is not there, or not whole."""
    return Unavailable(f"The stored file {key.rpartition('/')[2].partition('.')[0]} cannot be read.", retry_after=30)


@contextmanager
def disk_errors() -> Iterator[None]:
    """Translate what a disk says into Unavailable."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Unavailable("The disk is full.", retry_after=30) from error
        raise Unavailable("The stored files cannot be used now.") from error
