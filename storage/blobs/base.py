"""What the drivers share: keys, threads, and what a disk's errors mean."""

from __future__ import annotations

import asyncio
import errno
import re
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import TypeVar

from registry.core.errors import Unavailable

T = TypeVar("T")

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


async def acquired(executor: Executor, acquire: Callable[[], T], release: Callable[[T], object]) -> T:
    """Acquire something in a thread.  If the caller is cancelled meanwhile, it is released as soon as it is there."""
    future = executor.submit(acquire)
    try:
        return await asyncio.shield(asyncio.wrap_future(future))
    except asyncio.CancelledError:

        def undo(future: Future[T]) -> None:
            if not future.cancelled() and future.exception() is None:
                release(future.result())

        future.add_done_callback(undo)
        raise
