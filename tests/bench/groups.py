"""Package groups: what a question costs among ten groups and among ten thousand, in one run.

Every figure is the median of several rounds, in microseconds of CPU for one package; the last column is how much
dearer many groups are than ten.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from registry.core.clock import new_id
from registry.core.groups import administration, patterns
from registry.core.groups.association import KINDS, Groups
from registry.core.ports import Tx
from registry.core.types import Domain, DomainKey, PackageGroup, PackageKey, RepoKey, Repository
from storage.metadata.sqlite import SQLiteStore
from tests.bench.table import Table

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
        began = time.thread_time()
        await ask(keys)
        rounds.append((time.thread_time() - began) / len(keys) * 1e6)
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


def groups(scratch: Path, seconds: int) -> list[Table]:
    """Ten groups, ten thousand, a hundred thousand packages; `seconds` changes nothing."""
    return [asyncio.run(_compared(scratch / "groups.db", 10_000, 100_000))]


async def _compared(file: Path, count: int, packages: int) -> Table:
    table = Table(
        f"Package groups: the group of a package, µs of CPU ({packages:,} packages)",
        ("question", "10 groups", f"{count:,} groups", "times"),
    )
    keys = names(packages, 1)
    asked = random.Random(3).sample(keys, min(2000, packages))
    store = SQLiteStore(file)
    await store.open()
    try:
        few = await fill(store, "few", drawn(keys, 10))
        many = await fill(store, "many", drawn(keys, count))
        await stock(store, many, keys)
        small, large = await measure(store, few, asked), await measure(store, many, asked)
        for what, figure in small.items():
            table.add(what, figure, large[what], large[what] / figure)
    finally:
        await store.close()
    return table
