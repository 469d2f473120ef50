"""Many patterns: which group a package belongs to, and which group is whose parent.  Pure.

Guide, "Package group hierarchy and pattern specificity": the most specific match decides, even when it is a weak one;
of patterns that are equally specific (variations of each other), the one that matches strongly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from registry.core.groups import patterns
from registry.core.groups.patterns import Pattern, Strength
from registry.core.types import PackageGroup, PackageKey


class Hierarchy:
    """Groups by the keys of their patterns, so that a question looks at a path's length of keys, not at all groups."""

    def __init__(self, groups: Iterable[PackageGroup]) -> None:
        """Some groups of one domain: all of them, or at least those whose keys a question has."""
        self._groups: dict[str, list[tuple[Pattern, PackageGroup]]] = {}
        self._children: dict[int, list[PackageGroup]] | None = None
        self.groups = tuple(groups)
        for group in self.groups:
            pattern = patterns.read(group.pattern)
            for key in pattern.found_by():
                self._groups.setdefault(key, []).append((pattern, group))

    def associated(self, package: PackageKey) -> tuple[PackageGroup, Strength] | None:
        """The group that a package belongs to; None where not even the root is known."""
        best: tuple[object, PackageGroup, Strength] | None = None
        for pattern, group in self._found(patterns.keys(package.format, package.namespace or "", package.name)):
            strength = pattern.matches(package)
            if strength is not None:
                order = (pattern.rank, strength == "STRONG", pattern.text)
                if best is None or order > best[0]:  # type: ignore[operator]
                    best = (order, group, strength)
        return None if best is None else (best[1], best[2])

    def parent(self, group: PackageGroup) -> PackageGroup | None:
        """The most specific of the groups that match whatever this one matches; None for the root."""
        own = patterns.read(group.pattern)
        best: tuple[object, PackageGroup] | None = None
        for pattern, other in self._found(patterns.keys(own.format, own.namespace, own.name)):
            strength = pattern.contains(own)
            if strength is not None:
                order = (pattern.rank, strength == "STRONG", pattern.text)
                if best is None or order > best[0]:  # type: ignore[operator]
                    best = (order, other)
        return None if best is None else best[1]

    def children(self, group: PackageGroup) -> list[PackageGroup]:
        """Those whose parent it is, by pattern; looks at every group the first time."""
        if self._children is None:
            found: dict[int, list[PackageGroup]] = {}
            for each in sorted(self.groups, key=lambda each: each.pattern):
                parent = self.parent(each)
                if parent is not None:
                    found.setdefault(parent.id, []).append(each)
            self._children = found
        return self._children.get(group.id, [])

    def line(self, group: PackageGroup) -> tuple[PackageGroup, ...]:
        """The group, its parent, and so on up to the root."""
        line = [group]
        while (parent := self.parent(line[-1])) is not None:
            line.append(parent)
        return tuple(line)

    def _found(self, keys: Iterable[str]) -> Iterator[tuple[Pattern, PackageGroup]]:
        groups = self._groups
        for key in keys:
            if key in groups:
                yield from groups[key]
