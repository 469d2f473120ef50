"""The search order: guide, "Upstream repository priority order"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from registry.core.ports import Tx
from tests.upstreams.world import World
from upstreams.chain import Chains, search

GUIDE = {"my_repo": ["A", "B"], "A": ["C", "D"], "D": ["E"]}


def order(start: str, edges: Mapping[str, Sequence[str]], limit: int = 25, closed: Sequence[str] = ()) -> list[str]:
    names = sorted({start, *edges, *(each for targets in edges.values() for each in targets)})
    ids = {name: index for index, name in enumerate(names)}
    by_id = {ids[name]: [ids[each] for each in targets] for name, targets in edges.items()}
    steps = search(ids[start], by_id, limit, closed=[ids[each] for each in closed])
    return [names[step.id] for step in steps]


def test_the_guides_example_is_searched_in_the_guides_order() -> None:
    assert order("my_repo", GUIDE) == ["my_repo", "A", "C", "D", "E", "B"]


def test_a_repository_that_is_reached_twice_is_searched_once_where_it_comes_first() -> None:
    assert order("R", {"R": ["A", "B"], "A": ["C"], "B": ["C", "D"]}) == ["R", "A", "C", "B", "D"]


def test_the_search_ends_silently_after_25_upstreams() -> None:
    chain = {f"r{n:03}": [f"r{n + 1:03}"] for n in range(40)}

    assert order("r000", chain) == [f"r{n:03}" for n in range(26)]
    assert len(order("R", {"R": [f"u{n:03}" for n in range(40)]})) == 26


def test_a_closed_repository_is_searched_but_not_its_upstreams() -> None:
    assert order("my_repo", GUIDE, closed=["A"]) == ["my_repo", "A", "B"]
    assert order("my_repo", GUIDE, closed=["my_repo"]) == ["my_repo"]


def slowly(node: int, edges: Mapping[int, Sequence[int]], found: list[int]) -> list[int]:
    """The definition, word for word."""
    if node not in found:
        found.append(node)
        for upstream in edges.get(node, ()):
            slowly(upstream, edges, found)
    return found


@given(
    st.dictionaries(st.integers(0, 12), st.lists(st.integers(0, 12), unique=True, max_size=5), max_size=13),
    st.integers(0, 14),
)
def test_the_order_is_depth_first_whatever_the_graph(edges: dict[int, list[int]], limit: int) -> None:
    steps = search(0, edges, limit)

    assert [step.id for step in steps] == slowly(0, edges, [])[: limit + 1]
    assert steps[0].parent is None
    assert all(step.parent is not None and step.id in edges[step.parent] for step in steps[1:])


async def test_a_chain_is_remembered_until_the_topology_changes(world: World) -> None:
    await world.repository("top")
    repo = await world.repository("a", ["top"])
    chains = Chains(25)

    first = await world.store.read(lambda tx: chains.of(tx, repo))
    again = await world.store.read(lambda tx: chains.of(tx, repo))
    await world.repository("b", ["a"])
    changed = await world.store.read(lambda tx: chains.of(tx, repo))

    assert again is first
    assert changed is not first
    assert changed.ids == first.ids


async def test_the_chain_of_a_repository_whose_domain_is_gone_is_itself(world: World) -> None:
    repo = await world.repository("a")

    async def work(tx: Tx) -> None:
        await tx.repositories.delete(repo.id)
        await tx.domains.delete(world.domain.id)

    await world.store.write(work)

    chain = await world.store.read(lambda tx: Chains(25).of(tx, repo))

    assert chain.ids == (repo.id,)
