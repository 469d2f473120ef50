"""No order of events loses a file that a row refers to, and none leaves rubbish (ARCHITECTURE section 5)."""

from __future__ import annotations

import pytest

from registry.core.types import Blob
from tests.contracts import make
from tests.storage.walk import BODY, DIGESTS, DOMAIN, INITIAL, State, Walk

OLD = Blob(DIGESTS, len(BODY), "initial-1")
"""The row and file that are there at the start."""


def start(walk: Walk, kind: str) -> State:
    """fresh: nothing.  live: a version has it.  orphaned: nobody does.  condemned: and a sweep saw that.
    lost: a version has it, and its file is gone."""
    world = walk.world

    async def claim(tx):
        return await tx.blobs.claim(DOMAIN.id, OLD, make.NOW)

    async def refer(tx):
        await tx.versions.add_assets(world.versions[INITIAL], [make.Asset("file", OLD)])

    if kind != "fresh":
        world.run(claim)
    if kind in ("live", "lost"):
        world.run(refer)
    if kind == "condemned":
        world.run(lambda tx: tx.blobs.condemn(DOMAIN.id, make.NOW, 10))
    files = set() if kind in ("fresh", "lost") else {(OLD.key, INITIAL)}
    return State(*world.took(), frozenset(files), tuple([() for _ in walk.names]))


def problems(walk: Walk, kind: str, state: State, finished: frozenset[str]) -> list[str]:
    """What is wrong with a state."""
    found = []
    keys = {sha256: key for _, sha256, key, *_ in state.blobs}
    files = {key for key, _ in state.files}
    names = {number: name for name, number in walk.world.versions.items()}
    published = set()
    condemned = {row[1] for row in state.blobs if row[7] is not None}
    for version_id, _, _, sha256, *_ in state.assets:
        name = names[version_id]
        published.add(name)
        if sha256 not in keys:
            found.append(f"{name} refers to no row")
        elif sha256 in condemned:
            found.append(f"{name} refers to a condemned row")
        elif keys[sha256] not in files and (kind != "lost" or name in finished):
            found.append(f"{name} lost its file")
    found += [f"{name} was forgotten" for name in ("first", "second") if name in finished - published]
    if len(finished) == len(walk.names):
        found += [f"{key} is a stray that its publisher left" for key in files - set(keys.values())]
        found += [f"{row[1]} has no asset and the sweep does not know" for row in _forgotten(state)]
    return found


def _forgotten(state: State) -> list[tuple[object, ...]]:
    """Rows that nothing refers to, neither condemned nor marked for a look."""
    referred = {sha256 for _, _, _, sha256, *_ in state.assets}
    return [row for row in state.blobs if row[1] not in referred and row[7] is None and not row[8]]


def explore(kind: str, *, publishers: int, sweeps: int) -> int:
    walk = Walk(publishers=publishers, sweeps=sweeps)
    count = 0
    for state, finished in walk.states(start(walk, kind)):
        assert problems(walk, kind, state, finished) == []
        count += 1
    return count


KINDS = ("fresh", "live", "orphaned", "condemned", "lost")


@pytest.mark.parametrize("kind", KINDS)
def test_two_publishers_an_unpublish_and_a_sweep_lose_nothing(kind):
    assert explore(kind, publishers=2, sweeps=1) > 300


@pytest.mark.parametrize("kind", KINDS)
def test_a_publisher_an_unpublish_and_two_sweeps_lose_nothing(kind):
    assert explore(kind, publishers=1, sweeps=2) > 100


def test_two_publishers_an_unpublish_and_two_sweeps_lose_nothing_where_nothing_was():
    assert explore("fresh", publishers=2, sweeps=2) > 1_500


if __name__ == "__main__":  # all of them, in a minute or two: python -m tests.storage.test_walk
    for start_kind in KINDS:
        print(start_kind, explore(start_kind, publishers=2, sweeps=2), "states, nothing lost")
