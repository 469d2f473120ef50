"""Every interleaving of publishers, an unpublish and sweeps, over the real protocol and the real row logic.

An actor is a coroutine of the real code (`placing.storing`, `sweep.sweep_domain`) over doors that yield each atomic
step instead of doing it: a unit of work, a look at a file, placing one, deleting one.  The walk decides whose step
comes next, for every choice.  A state is the rows, the files and what each actor has seen so far; an actor is brought
back to a state by telling a new coroutine what it had seen.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry.core.placing import Claims, Vanished, claim_all, storing
from registry.core.ports import Tx
from registry.core.types import Asset, Blob, BlobStat, Staged
from storage.metadata.listing_memo import ListingMemo
from storage.metadata.sqlite import upgrade
from storage.metadata.sqlite_connection import Connection, drive
from storage.sweep import Tally, sweep_domain
from tests.contracts import make

BODY = b"the bytes that everybody publishes"
DOMAIN = make.domain()
DIGESTS = make.digests(BODY)
INITIAL = "initial"


@dataclass(frozen=True)
class State:
    """Rows of blob and asset, files with whose they are, and what each actor has been told."""

    blobs: tuple[tuple[Any, ...], ...]
    assets: tuple[tuple[Any, ...], ...]
    files: frozenset[tuple[str, str]]
    seen: tuple[tuple[Any, ...], ...]


class World:
    """One database and one set of files, put into a state and asked what became of it."""

    def __init__(self) -> None:
        self.connection = Connection(Path(":memory:"), ListingMemo(), busy_ms=0, cache_kib=1000, read_only=False)
        upgrade(self.connection, 0)
        self.versions = {}
        self._rows: tuple[Any, Any] | None = None
        self._changes = 0
        self.files: set[tuple[str, str]] = set()
        self.finished: set[str] = set()
        drive(self._seed, self.connection.tx)

    async def _seed(self, tx: Tx) -> None:
        repo = make.repository(DOMAIN)
        await tx.domains.add(DOMAIN)
        await tx.repositories.add(repo)
        for name in (INITIAL, "first", "second"):
            self.versions[name] = (await make.published(tx, repo, make.npm(), f"{len(self.versions)}.0.0")).id

    def run(self, work: Callable[[Tx], Awaitable[Any]]) -> Any:
        """One unit of work; what it raises is raised in the actor."""
        raw = self.connection.raw
        raw.execute("savepoint unit")
        try:
            result = drive(work, self.connection.tx)
        except BaseException:
            raw.execute("rollback to unit")
            raw.execute("release unit")
            raise
        raw.execute("release unit")
        return result

    def rows(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        raw = self.connection.raw
        return (
            tuple(raw.execute("select domain_id, sha256, key, size, md5, sha1, sha512, condemned, loose from blob")),
            tuple(raw.execute("select version_id, name, domain_id, sha256, uploaded, native from asset order by 1")),
        )

    def put(self, state: State) -> None:
        if self._rows != (state.blobs, state.assets):
            raw = self.connection.raw
            raw.execute("begin")
            raw.execute("delete from asset")
            raw.execute("delete from blob")
            raw.executemany("insert into blob values (?, ?, ?, ?, ?, ?, ?, ?, ?)", state.blobs)
            raw.executemany("insert into asset values (?, ?, ?, ?, ?, ?)", state.assets)
            raw.execute("commit")
            self._rows, self._changes = (state.blobs, state.assets), raw.total_changes
        self.files = set(state.files)

    def took(self) -> tuple[Any, Any]:
        """The rows as they are now."""
        changes = self.connection.raw.total_changes
        if self._rows is None or changes != self._changes:
            self._rows, self._changes = self.rows(), changes
        return self._rows


@dataclass(frozen=True)
class Raised:
    """A result that is raised in the actor."""

    kind: type[Exception]
    args: tuple[Any, ...]


class Step:
    """What an actor wants to do next; the walk sends the result back.

    `opens`: whatever the actor was told before makes no difference any more.
    """

    def __init__(self, do: Callable[[World], Any], *, opens: bool = False) -> None:
        self.do = do
        self.opens = opens

    def __await__(self) -> Generator[Step, Any, Any]:
        result = yield self
        if isinstance(result, Raised):
            raise result.kind(*result.args)
        return result


class StoreDoor:
    """`ports.Store` for one actor.  A sweep's units of work that write do not depend on what went before."""

    def __init__(self, *, sweeps: bool = False) -> None:
        self._sweeps = sweeps

    async def read(self, work: Callable[[Tx], Awaitable[Any]]) -> Any:
        return await Step(lambda world: world.run(work))

    async def write(self, work: Callable[[Tx], Awaitable[Any]]) -> Any:
        return await Step(lambda world: world.run(work), opens=self._sweeps)

    glance = read

    def epoch(self) -> int | None:
        return None


class FilesDoor:
    """`ports.BlobStore` for one actor.  Keys tell who placed them."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._placed = 0

    async def stat(self, key: str) -> int | None:
        return await Step(lambda world: len(BODY) if key in {file for file, _ in world.files} else None)

    async def place(self, staged: Staged) -> str:
        self._placed += 1
        key = f"{self._name}-{self._placed}"

        def do(world: World) -> str:
            world.files.add((key, self._name))
            return key

        return await Step(do)

    async def delete(self, key: str) -> None:
        def do(world: World) -> None:
            world.files -= {file for file in world.files if file[0] == key}

        await Step(do)

    async def walk(self) -> AsyncIterator[BlobStat]:
        """A file is older than the grace period when whoever placed it has finished."""

        def do(world: World) -> tuple[BlobStat, ...]:
            return tuple(
                BlobStat(key, len(BODY), make.NOW if owner in world.finished else make.NOW + 1)
                for key, owner in sorted(world.files)
            )

        for stat in await Step(do, opens=True):
            yield stat


class Actors:
    """The cast, by name; `start` gives a new coroutine of the real code."""

    def __init__(self, world: World, *, publishers: int, sweeps: int) -> None:
        self._world = world
        names = ("first", "second")[:publishers]
        self.names = (*names, "unpublish", *[f"sweep {number}" for number in range(sweeps)])

    def start(self, name: str) -> Coroutine[Any, Any, Any]:
        if name in ("first", "second"):
            return self._publish(name)
        if name == "unpublish":
            return self._unpublish()
        return sweep_domain(StoreDoor(), FilesDoor(name), DOMAIN.id, make.HandClock(), Tally(), dry_run=False, grace=0)

    async def _publish(self, name: str) -> None:
        async def work(tx: Tx, claims: Claims) -> Blob:
            (blob,) = await claim_all(tx, claims, make.NOW)
            await tx.versions.add_assets(self._world.versions[name], [Asset("file", blob)])
            return blob

        staged = Staged(DIGESTS, len(BODY), Path("staged"))
        await storing(StoreDoor(), FilesDoor(name), DOMAIN.id, [staged], work)

    async def _unpublish(self) -> None:
        version = self._world.versions[INITIAL]
        await StoreDoor().write(lambda tx: tx.versions.drop_assets(version))


class Walk:
    """All states that can be reached from one."""

    def __init__(self, *, publishers: int, sweeps: int) -> None:
        self.world = World()
        self.actors = Actors(self.world, publishers=publishers, sweeps=sweeps)
        self.names = self.actors.names
        self._standing: dict[tuple[str, tuple[Any, ...]], tuple[Any, ...]] = {}
        self._steps: dict[tuple[str, tuple[Any, ...]], Step | None] = {}

    def states(self, start: State) -> Generator[tuple[State, frozenset[str]], None, None]:
        """Each state once, with the names of those who have finished."""
        todo, known = [start], {start}
        while todo:
            state = todo.pop()
            pending = self._pending(state)
            finished = frozenset(self.names) - pending.keys()
            yield state, finished
            for name, step in pending.items():
                following = self._after(state, finished, name, step)
                if following not in known:
                    known.add(following)
                    todo.append(following)

    def _pending(self, state: State) -> dict[str, Step]:
        told = zip(self.names, state.seen, strict=True)
        return {name: step for name, seen in told if (step := self._next(name, seen)) is not None}

    def _merged(self, name: str, told: tuple[Any, ...]) -> tuple[Any, ...]:
        """Of all that an actor may have been told on the way to the same point, one that stands for them."""
        step = self._next(name, told)
        if step is None:
            key: tuple[Any, ...] = ("finished",)
        elif step.opens:
            key = ("opens", _work(step))
        else:
            since = max([n for n in range(len(told)) if self._opened(name, told[:n])], default=0)
            opening = self._next(name, told[:since])
            key = (_work(opening) if opening is not None else None, told[since:])
        return self._standing.setdefault((name.split()[0], key), told)

    def _opened(self, name: str, told: tuple[Any, ...]) -> bool:
        step = self._next(name, told)
        return step is not None and step.opens

    def _next(self, name: str, told: tuple[Any, ...]) -> Step | None:
        """The actor's next step after what it was told; None when it has finished.  A step can be done many times."""
        if (name, told) not in self._steps:
            self._steps[name, told] = self._told(name, told)
        return self._steps[name, told]

    def _told(self, name: str, told: tuple[Any, ...]) -> Step | None:
        actor = self.actors.start(name)
        try:
            step = actor.send(None)
            for result in told:
                step = actor.send(result)
        except StopIteration:
            return None
        actor.close()
        assert isinstance(step, Step)
        return step

    def _after(self, state: State, finished: frozenset[str], name: str, step: Step) -> State:
        self.world.put(state)
        self.world.finished = set(finished) | {INITIAL}
        try:
            result = _frozen(step.do(self.world))
        except Vanished as error:
            result = Raised(Vanished, error.args)
        seen = list(state.seen)
        position = self.names.index(name)
        seen[position] = self._merged(name, (*seen[position], result))
        first_sweep = self.names.index("unpublish") + 1
        sweeps = sorted(seen[first_sweep:], key=repr)  # they are alike, so which is which makes no difference
        return State(*self.world.took(), frozenset(self.world.files), (*seen[:first_sweep], *sweeps))


def _work(step: Step) -> Any:
    """Which piece of code a step runs: the unit of work if there is one."""
    for cell in step.do.__closure__ or ():
        if hasattr(cell.cell_contents, "__code__"):
            return cell.cell_contents.__code__
    return step.do.__code__


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return frozenset(value) if isinstance(value, set) else value
