"""Decoded external listings, kept while they are in use: one packument is many megabytes to decode.

The key is a row and its `changed`, which is never used twice, so an entry is never wrong, only old.
What is handed out is shared: nobody changes it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from registry.core.types import Remote


class ListingMemo:
    """The most recently used listings, bounded by the sum of their encoded sizes.  Safe between threads."""

    def __init__(self, limit: int = 16 * 1024 * 1024) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._entries: OrderedDict[tuple[int, int], tuple[Remote, int]] = OrderedDict()
        self._size = 0

    def get(self, row: int, changed: int) -> Remote | None:
        with self._lock:
            entry = self._entries.get((row, changed))
            if entry is None:
                return None
            self._entries.move_to_end((row, changed))
            return entry[0]

    def put(self, row: int, changed: int, remote: Remote, size: int) -> None:
        """`size` is that of the encoded listing; one that is larger than the whole memo is not kept."""
        if size > self._limit:
            return
        with self._lock:
            old = self._entries.pop((row, changed), None)
            self._size += size - (old[1] if old else 0)
            self._entries[(row, changed)] = (remote, size)
            while self._size > self._limit:
                _, (_, freed) = self._entries.popitem(last=False)
                self._size -= freed
