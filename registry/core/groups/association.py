"""What a package's group says of one repository, read from the store and remembered.

    modes = await services.groups.modes(tx, repository, package)

Of a domain with few groups all are kept in memory; else a question is answered by one indexed statement over the keys
that the package's path has, whatever the number of groups.  The answer is remembered for as long as the domain's
topology counter stands still, which every change to a group grows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from registry.core.groups import patterns
from registry.core.groups.hierarchy import Hierarchy
from registry.core.groups.patterns import Strength
from registry.core.origin import DEFAULT_MODES, Modes
from registry.core.ports import Tx
from registry.core.types import Control, Mode, PackageGroup, PackageKey, Repository, Restriction

KINDS: tuple[Restriction, ...] = ("EXTERNAL_UPSTREAM", "INTERNAL_UPSTREAM", "PUBLISH")
_REMEMBERED = 16_384
_DOMAINS = 64
_PAGE = 1000
_FEW = 64
"""Up to so many groups of a domain are kept in memory whole."""

Lists = Mapping[tuple[int, Restriction], Mapping[int, str]]
"""(group, kind) -> repository -> its name."""


@dataclass(frozen=True, slots=True)
class Effective:
    """One restriction as it works: of which group, and what that one says."""

    mode: Mode
    of: PackageGroup
    repositories: Mapping[int, str]

    def at(self, repo_id: int) -> Control:
        if self.mode == "ALLOW_SPECIFIC_REPOSITORIES":
            return "ALLOW" if repo_id in self.repositories else "BLOCK"
        return "BLOCK" if self.mode == "BLOCK" else "ALLOW"


@dataclass(frozen=True, slots=True)
class Line:
    """A group with everything that it may inherit from: itself, its parent, and so on up to the root."""

    groups: tuple[PackageGroup, ...]
    lists: Lists = field(repr=False)

    @property
    def group(self) -> PackageGroup:
        return self.groups[0]

    @property
    def parent(self) -> PackageGroup | None:
        return self.groups[1] if len(self.groups) > 1 else None

    def effective(self, kind: Restriction) -> Effective:
        """Guide, "Restriction settings": of the first group upwards that does not inherit, with its list."""
        of = next((each for each in self.groups if each.modes[kind] != "INHERIT"), self.groups[-1])
        mode = of.modes[kind]
        lists = self.lists.get((of.id, kind), {}) if mode == "ALLOW_SPECIFIC_REPOSITORIES" else {}
        return Effective("ALLOW" if mode == "INHERIT" else mode, of, lists)


@dataclass(frozen=True, slots=True)
class Association:
    """The group that a package belongs to, and how strongly.  A weak match is blocked in every way."""

    line: Line
    strength: Strength
    everywhere: Modes | None = None
    """What it says of every repository, where it says the same of all."""

    @classmethod
    def of(cls, line: Line, strength: Strength) -> Association:
        found = cls(line, strength)
        specific = any(line.effective(kind).mode == "ALLOW_SPECIFIC_REPOSITORIES" for kind in KINDS)
        return found if specific and strength == "STRONG" else cls(line, strength, found.modes(0))

    def modes(self, repo_id: int) -> Modes:
        """Decided for one repository."""
        if self.everywhere is not None:
            return self.everywhere
        group = self.line.group
        if self.strength == "WEAK":
            return Modes("BLOCK", "BLOCK", "BLOCK", open=False, group=group.pattern, weak=True)
        external, internal, publish = (self.line.effective(kind) for kind in KINDS)
        return Modes(
            publish=publish.at(repo_id),
            internal_upstream=internal.at(repo_id),
            external_upstream=external.at(repo_id),
            open=external.mode == internal.mode == publish.mode == "ALLOW",
            by_name=_chosen(group),
            group=group.pattern,
            of={
                "EXTERNAL_UPSTREAM": external.of.pattern,
                "INTERNAL_UPSTREAM": internal.of.pattern,
                "PUBLISH": publish.of.pattern,
            },
        )


@dataclass(slots=True)
class Groups:
    """What is known of the groups of a server's domains; bounded, and forgotten all at once when full.

    Units of work run in several threads: each step is one dictionary operation, and losing an answer is harmless.
    """

    _known: dict[tuple[int, int, PackageKey], Association | None] = field(default_factory=dict)
    _whole: dict[int, tuple[int, Hierarchy | None]] = field(default_factory=dict)

    async def modes(self, tx: Tx, repository: Repository, package: PackageKey, *, topology: int | None = None) -> Modes:
        """The effective origin controls of the package's group for a repository.

        `topology` saves a look-up where the domain's counter has been read in the same unit of work.
        """
        found = await self.of(tx, repository.domain_id, package, topology=topology)
        return DEFAULT_MODES if found is None else found.modes(repository.id)

    async def of(
        self, tx: Tx, domain_id: int, package: PackageKey, *, topology: int | None = None
    ) -> Association | None:
        """The group of a package; None in a domain that is just going."""
        if topology is None:
            domain = await tx.domains.by_id(domain_id)
            topology = -1 if domain is None else domain.topology
        question = (domain_id, topology, package)
        known = self._known
        if question in known:
            return known[question]
        answer = await self._read(tx, domain_id, topology, package)
        # What a write sees may never be committed, and its counter be given out again.
        if not tx.writes:
            if len(known) >= _REMEMBERED:
                known = self._known = {}
            known[question] = answer
        return answer

    async def hierarchy(self, tx: Tx, domain_id: int, *, among: Sequence[PackageGroup] = ()) -> Hierarchy:
        """All groups of a domain, for lists; with `among`, as if these were there too.  Long: not for a glance."""
        domain = await tx.domains.by_id(domain_id)
        topology = -1 if domain is None else domain.topology
        kept = self._whole.get(domain_id)
        if kept is not None and kept[0] == topology and kept[1] is not None and not among:
            return kept[1]
        hierarchy = Hierarchy([*await _all(tx, domain_id), *among])
        if not among:
            self._keep(tx, domain_id, topology, hierarchy)
        return hierarchy

    async def _read(self, tx: Tx, domain_id: int, topology: int, package: PackageKey) -> Association | None:
        """From memory where all groups are there, else by the keys of the package's path."""
        kept = self._whole.get(domain_id)
        if (kept is None or kept[0] != topology) and not tx.writes:
            few = await tx.groups.page(domain_id, "", None, _FEW + 1)
            kept = self._keep(tx, domain_id, topology, Hierarchy(few) if len(few) <= _FEW else None)
        hierarchy = kept[1] if kept is not None and kept[0] == topology else None
        if hierarchy is None:
            keys = tuple(dict.fromkeys(patterns.keys(package.format, package.namespace or "", package.name)))
            hierarchy = Hierarchy(await tx.groups.under(domain_id, keys))
        found = hierarchy.associated(package)
        return None if found is None else Association.of(await lined(tx, hierarchy, found[0]), found[1])

    def _keep(self, tx: Tx, domain_id: int, topology: int, hierarchy: Hierarchy | None) -> tuple[int, Hierarchy | None]:
        kept = (topology, hierarchy)
        if not tx.writes:
            if len(self._whole) >= _DOMAINS:
                self._whole = {}
            self._whole[domain_id] = kept
        return kept


async def line(tx: Tx, group: PackageGroup) -> Line:
    """A group with its ancestors."""
    pattern = patterns.read(group.pattern)
    keys = tuple(dict.fromkeys(patterns.keys(pattern.format, pattern.namespace, pattern.name)))
    return await lined(tx, Hierarchy(await tx.groups.under(group.domain_id, keys)), group)


async def lined(tx: Tx, hierarchy: Hierarchy, group: PackageGroup) -> Line:
    """The same, where the hierarchy is known."""
    groups = hierarchy.line(group)
    return Line(groups, await _lists(tx, groups))


async def _lists(tx: Tx, groups: Sequence[PackageGroup]) -> Lists:
    specific = [group.id for group in groups if "ALLOW_SPECIFIC_REPOSITORIES" in group.modes.values()]
    lists: dict[tuple[int, Restriction], dict[int, str]] = {}
    for group_id, kind, repo_id, name in await tx.groups.allowed(specific):
        lists.setdefault((group_id, kind), {})[repo_id] = name
    return lists


async def _all(tx: Tx, domain_id: int) -> list[PackageGroup]:
    groups: list[PackageGroup] = []
    after = None
    while page := await tx.groups.page(domain_id, "", after, _PAGE):
        groups += page
        after = page[-1].pattern
    return groups


def _chosen(group: PackageGroup) -> bool:
    """Has somebody said of this one package that it may come from outside?  (RULINGS 4.4)

    A group says nothing by being there: new ones inherit.
    """
    mode = group.modes["EXTERNAL_UPSTREAM"]
    return patterns.read(group.pattern).names_one and mode in ("ALLOW", "ALLOW_SPECIFIC_REPOSITORIES")
