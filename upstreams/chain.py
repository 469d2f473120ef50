"""The search order through a repository and its upstreams, and a cache of it.

Guide, "Upstream repository priority order": depth first, a repository before its upstreams, upstreams in
their listed order.  Each repository is searched once; the search ends silently after a number of upstreams.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from registry.core.ports import Tx
from registry.core.types import Hop, Repository
from upstreams.memory import Memory


@dataclass(frozen=True, slots=True)
class Step:
    """A repository of a search, and the one whose upstream it is there (None for the repository asked)."""

    id: int
    parent: int | None


def search(
    start: int,
    edges: Mapping[int, Sequence[int]],
    limit: int,
    *,
    closed: Collection[int] = (),
    among: Collection[int] | None = None,
) -> tuple[Step, ...]:
    """The steps from `start`, at most `limit` of them besides it.

    A `closed` repository is searched itself, its upstreams are not.  With `among`, no other repository counts.
    """
    steps: list[Step] = []
    seen: set[int] = set()
    waiting = [Step(start, None)]
    while waiting and len(steps) <= limit:
        step = waiting.pop()
        if step.id in seen:
            continue
        seen.add(step.id)
        steps.append(step)
        if step.id not in closed:
            upstreams = edges.get(step.id, ())
            waiting.extend(Step(each, step.id) for each in reversed(upstreams) if among is None or each in among)
    return tuple(steps)


@dataclass(frozen=True, slots=True)
class Chain:
    """What a repository searches, as of one state of its domain's topology."""

    topology: int
    steps: tuple[Step, ...]
    hops: tuple[Hop, ...]
    edges: Mapping[int, Sequence[int]]
    limit: int

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(step.id for step in self.steps)

    def without(self, closed: Collection[int]) -> Chain:
        """The chain when these repositories take nothing from their upstreams or their connection."""
        if not closed:
            return self
        known = {hop.repository.id: hop for hop in self.hops}
        steps = search(self.steps[0].id, self.edges, self.limit, closed=closed, among=known)
        hops = []
        for step in steps:
            hop = known[step.id]
            hops.append(Hop(hop.repository, None) if step.id in closed else hop)
        return Chain(self.topology, steps, tuple(hops), self.edges, self.limit)


class Chains:
    """Chains by repository, good as long as the domain's topology counter stands still.

    Ask it within reads only: what a write has not committed yet must not be remembered.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: Memory[int, Chain] = Memory(4096)

    async def of(self, tx: Tx, repo: Repository) -> Chain:
        """One point read when it is known.  A repository that is gone has itself as its chain."""
        domain = await tx.domains.by_id(repo.domain_id)
        topology = domain.topology if domain is not None else -1
        kept = self._kept.get(repo.id)
        if kept is not None and kept.topology == topology:
            return kept
        return self._kept.put(repo.id, await self._read(tx, repo, topology))

    async def _read(self, tx: Tx, repo: Repository, topology: int) -> Chain:
        edges = await tx.repositories.edges(repo.domain_id)
        connections = await tx.repositories.connections(repo.domain_id)
        steps: list[Step] = []
        hops: list[Hop] = []
        for step in search(repo.id, edges, self._limit):
            # The repository asked may just have gone; edges never lead to one that has.
            hop = repo if step.id == repo.id else await tx.repositories.by_id(step.id)
            assert hop is not None
            steps.append(step)
            hops.append(Hop(hop, connections.get(step.id)))
        return Chain(topology, tuple(steps), tuple(hops), edges, self._limit)
