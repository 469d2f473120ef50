"""What indexes of a whole repository are made of: a fragment for each package, kept as long as that is unchanged."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

from registry.core.catalogs import Catalog
from registry.core.types import Listing, PackageKey, Stamp
from registry.core.view import RepoView

F = TypeVar("F")

BATCH = 200
"""Packages that are read at a time."""
MOST = 50_000
"""Fragments that a process keeps; of the repositories used last, at least one is kept whole."""


class Ledger:
    """The fragments of one repository and format."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.stamp: Stamp | None = None
        self.states: dict[PackageKey, Hashable] = {}
        self.fragments: dict[PackageKey, Any] = {}

    async def bring(self, view: RepoView, catalog: Catalog, fragment: Callable[[Listing], Any | None]) -> None:
        """Up to date with the catalog, or with a later one."""
        if self.stamp is not None and self.stamp.value == catalog.stamp.value:
            return
        roll = await view.roll()
        for key in self.states.keys() - roll.keys():
            del self.states[key]
            self.fragments.pop(key, None)
        changed = [key for key, state in roll.items() if self.states.get(key) != state]
        for begin in range(0, len(changed), BATCH):
            some = changed[begin : begin + BATCH]
            made = await asyncio.to_thread(_all, fragment, await view.stored(some))
            for key, each in zip(some, made, strict=True):
                # What was read may be newer than the roll: then it is read once more next time.
                self.states[key] = roll[key]
                if each is None:
                    self.fragments.pop(key, None)
                else:
                    self.fragments[key] = each
        self.stamp = catalog.stamp


def _all(fragment: Callable[[Listing], F | None], listings: Sequence[Listing]) -> list[F | None]:
    return [fragment(each) for each in listings]


class Ledgers:
    """Those of one process; the ones used longest ago go first."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, Ledger] = OrderedDict()

    def of(self, key: Hashable) -> Ledger:
        ledger = self._kept.setdefault(key, Ledger())
        self._kept.move_to_end(key)
        while len(self._kept) > 1 and sum(len(each.states) for each in self._kept.values()) > self._most:
            self._kept.popitem(last=False)
        return ledger
