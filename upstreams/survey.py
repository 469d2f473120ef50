"""What our own rows say along a search, read in one unit of work.

Where the origin controls of a package or of its package group let nothing through, the search ends at that
repository (INTERNAL_UPSTREAM, or EXTERNAL_UPSTREAM where it has a connection); where any hop
holds the package privately, versions that came from outside are left out (rulings, "Origin controls" 2, 4).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from registry.core.groups.association import Groups
from registry.core.origin import DEFAULT_MODES, hides_external, is_private, may_take
from registry.core.ports import Tx
from registry.core.types import Hop, PackageKey, PackageRow, Repository, Version, VersionFilter, VersionKey
from upstreams.chain import Chain, Chains, Step
from upstreams.memory import Memory

_TOGETHER = 500
"""Packages whose versions are read at once."""


@dataclass(frozen=True, slots=True)
class Survey:
    """The hops that count for a package, and their rows by repository id.

    `private`: versions that came from outside are hidden, but for those in the repository asked.
    """

    chain: Chain
    rows: Mapping[int, PackageRow]
    private: bool

    def hops(self) -> Sequence[tuple[Step, Hop]]:
        return tuple(zip(self.chain.steps, self.chain.hops, strict=True))

    def shows(self, step: Step, version: Version) -> bool:
        return not self.private or step.parent is None or version.origin.type != "EXTERNAL"

    def asks(self, hop: Hop) -> str | None:
        """The connection to ask at this hop."""
        return None if self.private else hop.connection

    def connections(self) -> tuple[str, ...]:
        """Every connection to ask, once, in order."""
        asked = (self.asks(hop) for hop in self.chain.hops)
        return tuple(dict.fromkeys(name for name in asked if name is not None))


@dataclass(frozen=True, slots=True)
class PackageSurvey(Survey):
    """With every version and tag."""

    versions: Mapping[int, Sequence[Version]]
    tags: Mapping[int, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class VersionSurvey(Survey):
    """With one version, by repository id."""

    held: Mapping[int, Version]


class Surveys:
    """Reads surveys; one per server, for what it remembers."""

    def __init__(self, limit: int, alone: Collection[str] = (), groups: Groups | None = None) -> None:
        """`alone`: formats whose packages are never looked for in upstream repositories (generic)."""
        self._groups = groups or Groups()
        self._chains = Chains(limit)
        self._alone = frozenset(alone)
        self._private: Memory[tuple[int, int], bool] = Memory()

    async def of_rows(self, tx: Tx, repo: Repository, key: PackageKey) -> Survey:
        """The hops and their package rows: two point reads when the topology is known."""
        chain, rows = await self._along(tx, repo, key)
        return Survey(chain, rows, await self._hides(tx, chain, key, rows))

    async def of_package(self, tx: Tx, repo: Repository, key: PackageKey) -> PackageSurvey:
        """Everything that a listing needs."""
        chain, rows = await self._along(tx, repo, key)
        by_row = {row.id: repo_id for repo_id, row in rows.items()}
        versions: dict[int, list[Version]] = {repo_id: [] for repo_id in rows}
        for version in await tx.versions.of(tuple(by_row)):
            versions[by_row[version.package_id]].append(version)
        tags = {by_row[row_id]: found for row_id, found in (await tx.packages.tags(tuple(by_row))).items()}
        return PackageSurvey(chain, rows, await self._hides(tx, chain, key, rows), versions, tags)

    async def of_packages(self, tx: Tx, repo: Repository, keys: Sequence[PackageKey]) -> list[PackageSurvey]:
        """The same of many packages of one format, for less: everything but their controls is read together."""
        if not keys:
            return []
        whole = await self.chain(tx, repo, keys[0].format)
        found: list[tuple[Chain, Mapping[int, PackageRow], bool]] = []
        for key in keys:
            if len(whole.steps) > 1:
                chain, rows = await self._along(tx, repo, key)
                found.append((chain, rows, await self._hides(tx, chain, key, rows)))
            else:  # nothing comes from anywhere, so that no control can keep it out
                row = await tx.packages.get(repo.id, key)
                found.append((whole, {repo.id: row} if row is not None else {}, False))
        ids = [row.id for _, rows, _ in found for row in rows.values()]
        versions: dict[int, list[Version]] = {row_id: [] for row_id in ids}
        for some in (ids[at : at + _TOGETHER] for at in range(0, len(ids), _TOGETHER)):
            for version in await tx.versions.of(some):
                versions[version.package_id].append(version)
        tags = await self._tags(tx, ids)
        return [
            PackageSurvey(
                chain,
                rows,
                private,
                {repo_id: versions[row.id] for repo_id, row in rows.items()},
                {repo_id: tags.get(row.id, {}) for repo_id, row in rows.items()},
            )
            for chain, rows, private in found
        ]

    async def _tags(self, tx: Tx, ids: Sequence[int]) -> dict[int, dict[str, str]]:
        found: dict[int, dict[str, str]] = {}
        for at in range(0, len(ids), _TOGETHER):
            found |= await tx.packages.tags(ids[at : at + _TOGETHER])
        return found

    async def of_version(self, tx: Tx, repo: Repository, key: VersionKey) -> VersionSurvey:
        """Everything that finding one version needs."""
        chain, rows = await self._along(tx, repo, key.package)
        held = {}
        for repo_id, row in rows.items():
            version = await tx.versions.get(row.id, key.version)
            if version is not None:
                held[repo_id] = version
        return VersionSurvey(chain, rows, await self._hides(tx, chain, key.package, rows), held)

    async def alone(self, tx: Tx, repo: Repository) -> bool:
        """Has it neither upstreams nor a connection?"""
        chain = await self._chains.of(tx, repo)
        return len(chain.steps) == 1 and chain.hops[0].connection is None

    async def chain(self, tx: Tx, repo: Repository, format: str) -> Chain:
        """What is searched for packages of a format, before any package's controls shorten it."""
        chain = await self._chains.of(tx, repo)
        return chain.without({repo.id}) if format in self._alone else chain

    async def repositories(self, tx: Tx, repo: Repository) -> tuple[int, ...]:
        """The whole chain, nearest first."""
        return (await self._chains.of(tx, repo)).ids

    async def _along(self, tx: Tx, repo: Repository, key: PackageKey) -> tuple[Chain, dict[int, PackageRow]]:
        """The chain, shortened where controls block, and its package rows."""
        whole = await self._chains.of(tx, repo)
        if key.format in self._alone:
            whole = whole.without({repo.id})
        rows = {row.repo_id: row for row in await tx.packages.across(whole.ids, key)}
        group = await self._groups.of(tx, repo.domain_id, key, topology=whole.topology)
        closed = set()
        for hop in whole.hops:
            repo_id = hop.repository.id
            modes = DEFAULT_MODES if group is None else group.modes(repo_id)
            if not may_take(rows.get(repo_id), modes, connected=hop.connection is not None):
                closed.add(repo_id)
        chain = whole.without(closed)
        return chain, {repo_id: row for repo_id, row in rows.items() if repo_id in chain.ids}

    async def _hides(self, tx: Tx, chain: Chain, key: PackageKey, rows: Mapping[int, PackageRow]) -> bool:
        private = False
        for row in rows.values():
            private = private or (row.upstream == "BLOCK" and await self._is_private(tx, row))
        if not private:
            return False
        asked = chain.hops[0].repository
        modes = await self._groups.modes(tx, asked, key, topology=chain.topology)
        return hides_external(rows.get(asked.id), private_in_chain=private, modes=modes)

    async def _is_private(self, tx: Tx, row: PackageRow) -> bool:
        """Every change to a package counts its `seq` up, so an answer holds for as long as that stands."""
        known = self._private.get((row.id, row.seq))
        if known is None:
            internal = await tx.versions.page(row.id, VersionFilter(origin="INTERNAL"), None, 1)
            known = self._private.put((row.id, row.seq), is_private(row, internal))
        return known
