"""A cache bounded by bytes, whose readers may hold on to a value as long as it is alive.

Second chance instead of strict recency: a hit only sets a flag, so that a reader who kept the value itself
(the hot cache) can say that it is in use without coming here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Protocol, TypeVar


class Sized(Protocol):
    """A cached value.  `alive` turns False when it leaves the cache; readers set `used`."""

    size: int
    alive: bool
    used: bool


V = TypeVar("V", bound=Sized)


class ByteCache(dict[Hashable, V]):
    """Key -> value, at most `limit` bytes in all."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit
        self.held = 0
        self._order: OrderedDict[Hashable, None] = OrderedDict()

    def put(self, key: Hashable, value: V) -> None:
        """Keep it, unless it is larger than a quarter of the whole; others make room."""
        self.drop(key)
        if value.size > self.limit // 4:
            value.alive = False
            return
        self[key] = value
        self._order[key] = None
        self.held += value.size
        while self.held > self.limit:
            oldest = next(iter(self._order))
            candidate = self[oldest]
            if candidate.used and candidate is not value:
                candidate.used = False
                self._order.move_to_end(oldest)
            else:
                self.drop(oldest)

    def drop(self, key: Hashable) -> None:
        """Forget it; absent is fine."""
        value = self.pop(key, None)
        if value is not None:
            value.alive = False
            self.held -= value.size
            del self._order[key]
