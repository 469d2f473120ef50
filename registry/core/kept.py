"""Bounded maps for what decisions were made from."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from registry.core.ports import Tx

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """A bounded map that forgets what was not asked for lately: two generations, of which the older one goes.

    Units of work run in several threads: each step is one dictionary operation, and losing an entry is harmless.
    """

    def __init__(self, size: int) -> None:
        self._half = size // 2
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        value = self._young.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[key] = value


def keep(tx: Tx, kept: Kept[Hashable, V], key: Hashable, value: V) -> None:
    """Counters of what is never committed are given out again, so only what is committed is kept under them."""
    if not tx.writes:
        kept.put(key, value)
