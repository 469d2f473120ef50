"""A bounded memory of small things that can always be found out again."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memory(Generic[K, V]):
    """Forgets everything when it is full, which is cheaper than to keep an order.  Safe between threads."""

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._kept: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        return self._kept.get(key)

    def put(self, key: K, value: V) -> V:
        if len(self._kept) >= self._size and key not in self._kept:
            self._kept = {}
        self._kept[key] = value
        return value
