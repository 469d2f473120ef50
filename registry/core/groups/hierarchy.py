"""Many patterns: which group a package belongs to, and which group is whose parent.  Pure.

Guide, "Package group hierarchy and pattern specificity": the most specific match decides, even when it is a weak one;
of patterns that are equally specific (variations of each other), the one that matches strongly.

Patterns are kept by what they say, folded, so that a question looks at a few lengths of a path, not at all groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

from registry.core.groups import patterns
from registry.core.groups.folding import folds
from registry.core.groups.patterns import Level, Pattern, Rank, Strength
from registry.core.types import PackageGroup, PackageKey

Entry = tuple[Pattern, Rank, PackageGroup]


class _Stems:
    """Patterns that end in `~` or `*`, by how a text begins."""

    __slots__ = ("_by_stem", "_lengths")

    def __init__(self) -> None:
        self._by_stem: dict[str, list[Entry]] = {}
        self._lengths: tuple[int, ...] = ()

    def add(self, stem: str, entry: Entry) -> None:
        self._by_stem.setdefault(stem, []).append(entry)
        if len(stem) not in self._lengths:
            self._lengths = tuple(sorted({*self._lengths, len(stem)}, reverse=True))

    def of(self, text: str) -> Iterator[list[Entry]]:
        """Longest first."""
        for length in self._lengths:
            if length <= len(text):
                found = self._by_stem.get(text[:length])
                if found is not None:
                    yield found


class Hierarchy:
    """Some groups of one domain: all of them, or at least those that a question can come to."""

    def __init__(self, groups: Iterable[PackageGroup]) -> None:
        self.groups = tuple(groups)
        self._children: dict[int, list[PackageGroup]] | None = None
        self._names: dict[tuple[str, str, str], list[Entry]] = {}
        self._name_stems: dict[tuple[str, str], _Stems] = {}
        self._spaces: dict[tuple[str, str], list[Entry]] = {}
        self._space_stems: dict[str, _Stems] = {}
        self._formats: dict[str, list[Entry]] = {}
        self._root: list[Entry] = []
        for group in self.groups:
            pattern = patterns.read(group.pattern)
            self._add(pattern, (pattern, pattern.rank, group))

    def _add(self, pattern: Pattern, entry: Entry) -> None:
        format = pattern.format
        if pattern.level is Level.ROOT:
            self._root.append(entry)
        elif pattern.level is Level.FORMAT:
            self._formats.setdefault(format, []).append(entry)
        for space, name in product(folds(pattern.namespace), folds(pattern.name)):
            match pattern.level:
                case Level.NAMESPACE_PREFIX:
                    self._space_stems.setdefault(format, _Stems()).add(space, entry)
                case Level.NAMESPACE:
                    self._spaces.setdefault((format, space), []).append(entry)
                case Level.NAME_PREFIX:
                    self._name_stems.setdefault((format, space), _Stems()).add(name, entry)
                case Level.NAME:
                    self._names.setdefault((format, space, name), []).append(entry)

    def associated(self, package: PackageKey) -> tuple[PackageGroup, Strength] | None:
        """The group that a package belongs to; None where not even the root is known."""
        best: tuple[tuple[Rank, bool, str], PackageGroup, Strength] | None = None
        for alike in self._candidates(package.format, package.namespace or "", package.name):
            for pattern, rank, group in alike:
                if best is not None and rank < best[0][0]:
                    continue
                strength = pattern.matches(package)
                if strength is not None:
                    order = (rank, strength == "STRONG", pattern.text)
                    if best is None or order > best[0]:
                        best = (order, group, strength)
        return None if best is None else (best[1], best[2])

    def parent(self, group: PackageGroup) -> PackageGroup | None:
        """The most specific of the groups that match whatever this one matches; None for the root."""
        own = patterns.read(group.pattern)
        best: tuple[tuple[Rank, bool, str], PackageGroup] | None = None
        for alike in self._candidates(own.format, own.namespace, own.name):
            for pattern, rank, other in alike:
                if best is not None and rank < best[0][0]:
                    continue
                strength = pattern.contains(own)
                if strength is not None:
                    order = (rank, strength == "STRONG", pattern.text)
                    if best is None or order > best[0]:
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

    def _candidates(self, format: str, namespace: str, name: str) -> Iterator[list[Entry]]:
        """Every pattern that can match these coordinates or what begins so, roughly the most specific first."""
        spaces, names = folds(namespace), folds(name)
        for space in spaces:
            for each in names:
                if (found := self._names.get((format, space, each))) is not None:
                    yield found
            stems = self._name_stems.get((format, space))
            if stems is not None:
                for each in names:
                    yield from stems.of(each)
            if (found := self._spaces.get((format, space))) is not None:
                yield found
        stems = self._space_stems.get(format)
        if stems is not None:
            for space in spaces:
                yield from stems.of(space)
        if (found := self._formats.get(format)) is not None:
            yield found
        yield self._root
