"""Package groups: what a question costs among ten groups and among ten thousand, in one run.

    python -m tests.bench.groups [--groups 10000] [--packages 100000]

Every figure is the median of several rounds, in microseconds for one package; the last column is how much dearer many
groups are than ten.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from registry.core.clock import new_id
from registry.core.groups import administration, patterns
from registry.core.groups.association import KINDS, Groups
from registry.core.ports import Tx
from registry.core.types import Domain, DomainKey, PackageGroup, PackageKey, RepoKey, Repository
from storage.metadata.sqlite import SQLiteStore

OWNER = "111122223333"
ROUNDS = 5


def names(count: int, seed: int) -> list[PackageKey]:
    """Names like those of a public registry: words, scopes, dashes."""
    pick = random.Random(seed)
    words = ["".join(pick.choices("abcdefghijklmnopqrstuvwxyz", k=pick.randint(3, 9))) for _ in range(3000)]
    found = set()
    while len(found) < count:
        scope = pick.choice(words[:200]) if pick.random() < 0.3 else None
        found.add(PackageKey("npm", scope, "-".join(pick.choices(words, k=pick.randint(1, 3)))))
    return sorted(found, key=lambda key: (key.namespace or "", key.name))


def drawn(keys: Sequence[PackageKey], count: int) -> list[str]:
    """Patterns of all kinds over these packages."""
    pick = random.Random(7)
    found: dict[str, None] = {}
    while len(found) < count:
        key = pick.choice(keys)
        space, word = key.namespace or "", key.name.split("-")[0]
        found[pick.choice([f"/npm/{space}/{key.name}$", f"/npm/{space}/{word}~", f"/npm/{space}/{word[:3]}*"])] = None
    return list(found)


async def fill(store: SQLiteStore, name: str, texts: Sequence[str]) -> Domain:
    domain = Domain(new_id(1), DomainKey(OWNER, name), 1, "", 1)

    async def work(tx: Tx) -> None:
        await tx.domains.add(domain)
        await administration.add_root(tx, domain)
        for text in texts:
            modes = dict.fromkeys(KINDS, "INHERIT")
            group = PackageGroup(new_id(1), domain.id, text, "", "", 1, modes)  # type: ignore[arg-type]
            await tx.groups.add(group, patterns.read(text).found_by())

    await store.write(work)
    return domain


async def stock(store: SQLiteStore, domain: Domain, keys: Sequence[PackageKey]) -> Repository:
    """Packages without versions: their rows are what lists look at."""
    repository = Repository(new_id(1), domain.id, RepoKey(domain.key, "repo"), "", OWNER, 1)

    async def work(tx: Tx) -> None:
        await tx.repositories.add(repository)
        for key in keys:
            await tx.packages.touch(repository.id, key, display=key.name, publish="ALLOW", upstream="ALLOW", now=1)

    await store.write(work)
    return repository


async def timed(keys: Sequence[PackageKey], ask: Callable[[Sequence[PackageKey]], Awaitable[None]]) -> float:
    """Microseconds for one package."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await ask(keys)
        rounds.append((time.perf_counter() - began) / len(keys) * 1e6)
    return statistics.median(rounds)


async def measure(store: SQLiteStore, domain: Domain, keys: Sequence[PackageKey]) -> dict[str, float]:
    async def first(some: Sequence[PackageKey]) -> None:
        """Each package's first question after a change: from the database."""
        known = Groups()
        for key in some:
            await store.glance(lambda tx, key=key: known.of(tx, domain.id, key, topology=0))  # type: ignore[misc]

    remembered = Groups()

    async def again(some: Sequence[PackageKey]) -> None:
        async def work(tx: Tx) -> None:
            for key in some:
                await remembered.of(tx, domain.id, key, topology=0)

        await store.glance(work)

    await again(keys)
    hierarchy = await store.read(lambda tx: Groups().hierarchy(tx, domain.id))

    async def pure(some: Sequence[PackageKey]) -> None:
        for key in some:
            hierarchy.associated(key)

    return {
        "first question, from the database": await timed(keys, first),
        "the next ones, remembered": await timed(keys, again),
        "in memory, as lists do it": await timed(keys, pure),
    }


async def main(groups: int, packages: int) -> None:
    keys = names(packages, 1)
    asked = random.Random(3).sample(keys, min(2000, packages))
    with tempfile.TemporaryDirectory() as folder:
        store = SQLiteStore(Path(folder) / "meta.db")
        await store.open()
        few = await fill(store, "few", drawn(keys, 10))
        many = await fill(store, "many", drawn(keys, groups))
        await stock(store, many, keys)
        small, large = await measure(store, few, asked), await measure(store, many, asked)
        print(f"{'microseconds for one package':40}{'10 groups':>12}{f'{groups} groups':>14}{'times':>8}")
        for what, figure in small.items():
            print(f"{what:40}{figure:12.1f}{large[what]:14.1f}{large[what] / figure:8.2f}")
        began = time.perf_counter()
        hierarchy = await store.read(lambda tx: Groups().hierarchy(tx, many.id))
        print(f"all {groups} groups read and arranged: {(time.perf_counter() - began) * 1e3:.0f} ms")
        began = time.perf_counter()
        held = [key for key in keys if (found := hierarchy.associated(key)) and found[0].pattern != "/*"]
        print(
            f"{packages} packages associated: {(time.perf_counter() - began) * 1e3:.0f} ms ({len(held)} with a group)"
        )
        await store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--groups", type=int, default=10_000)
    parser.add_argument("--packages", type=int, default=100_000)
    options = parser.parse_args()
    asyncio.run(main(options.groups, options.packages))
