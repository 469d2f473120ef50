"""The stored packages of one format along a search, as a whole."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping

from registry.core.catalogs import Catalog
from registry.core.ports import Tx
from registry.core.services import Services
from registry.core.types import PackageKey, Repository, Stamp
from upstreams.chain import Chain
from upstreams.external import External
from upstreams.memory import Memory
from upstreams.survey import Surveys

_PAGE = 1000


class Catalogs:
    """Reads catalogs; one per server, for what it remembers."""

    def __init__(self, services: Services, surveys: Surveys, external: Callable[[], External]) -> None:
        self._services = services
        self._surveys = surveys
        self._external = external
        self._kept: Memory[tuple[int, str], tuple[int, Catalog]] = Memory()
        self._shapes: Memory[tuple[int, int], Hashable] = Memory(256)

    async def catalog(self, repo: Repository, format: str) -> Catalog:
        """One statement over an index, and none at all while nothing was committed anywhere."""
        store = self._services.store
        epoch = store.epoch()
        kept = self._kept.get((repo.id, format))
        if kept is not None and kept[0] == epoch:
            return kept[1]

        async def work(tx: Tx) -> Catalog:
            chain = await self._surveys.chain(tx, repo, format)
            pulse = await tx.packages.pulse(chain.ids, format)
            complete = not any(self._external().speaks(hop.connection, format) for hop in chain.hops)
            return Catalog(Stamp((await self._shape(tx, repo, chain), pulse)), complete)

        catalog = await store.read(work)
        if epoch is not None:
            self._kept.put((repo.id, format), (epoch, catalog))
        return catalog

    async def roll(self, repo: Repository, format: str) -> Mapping[PackageKey, Hashable]:
        """Package -> the shape of the search, and the counter of each of its rows."""

        async def work(tx: Tx) -> dict[PackageKey, list[Hashable]]:
            chain = await self._surveys.chain(tx, repo, format)
            shape = await self._shape(tx, repo, chain)
            states: dict[PackageKey, list[Hashable]] = {}
            for namespace, name, repo_id, package_id, seq in await tx.packages.roll(chain.ids, format):
                key = PackageKey(format, namespace or None, name)
                states.setdefault(key, [shape]).append((repo_id, package_id, seq))
            return states

        found = await self._services.store.read(work)
        return {key: (state[0], frozenset(state[1:])) for key, state in found.items()}

    async def _shape(self, tx: Tx, repo: Repository, chain: Chain) -> Hashable:
        """All that decides on what a package shows besides its own rows: the hops, their connections, the groups.

        The domain's topology counter would do too, but it grows with much that changes nothing here.
        """
        if len(chain.steps) == 1:
            return chain.ids
        groups = self._shapes.get((repo.domain_id, chain.topology))
        if groups is None:
            groups = self._shapes.put((repo.domain_id, chain.topology), await _groups(tx, repo.domain_id))
        return chain.steps, tuple(hop.connection for hop in chain.hops), groups


async def _groups(tx: Tx, domain_id: int) -> Hashable:
    """What the package groups of a domain say, as one value."""
    found: list[Hashable] = []
    after = None
    while page := await tx.groups.page(domain_id, "", after, _PAGE):
        lists = await tx.groups.allowed([group.id for group in page])
        found += [(group.pattern, frozenset(group.modes.items())) for group in page]
        found += lists
        after = page[-1].pattern
    return hash(tuple(found)), len(found)
