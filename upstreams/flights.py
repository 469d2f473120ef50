"""One fetch per external file, followed by any number of readers while it arrives.

A flight belongs to the server, not to the client that began it, and goes on when the client leaves.  It
stages the body; followers read the growing file.  The last bytes are kept back until the whole file has been
checked against its declared digest, placed and recorded: a client that has all of it can rely on its being
stored, and a wrong one can never complete.  When it fails, reading raises, so that the front breaks the
connection off instead of ending it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from registry.core.errors import InternalServer, RegistryError, UpstreamUnavailable
from registry.core.ports import BlobStore, Http
from registry.core.types import Blob, RemoteFile, Repository, Staged, VersionKey
from upstreams.digests import agree
from upstreams.download import Download, Gone
from upstreams.tasks import Tasks

log = logging.getLogger(__name__)

_KEPT_BACK = 64
_PIECE = 256 * 1024
_REMEMBERED = 1024
"""Flights that have landed; a look at the store takes no longer than these take to be forgotten."""

Keep = Callable[[Staged, Sequence[Repository]], Awaitable[Blob | None]]
"""Place a checked file and record it in these repositories; None: it need not be kept."""


@dataclass(frozen=True, slots=True)
class FlightKey:
    """What is fetched once."""

    domain_id: int
    connection: str
    version: VersionKey
    asset: str


@dataclass(frozen=True, slots=True)
class Cargo:
    """What a flight needs to know of its file."""

    http: Http
    file: RemoteFile
    blobs: BlobStore
    keep: Keep
    limit: int
    now: int
    confirm: Callable[[Staged], Awaitable[None]] | None = None
    """A further look at the file when it is here; raises for one that must not be kept."""


class Tail:
    """What has arrived, but is not in the staged file yet: staging writes in larger pieces and a little later."""

    def __init__(self) -> None:
        self._chunks: deque[tuple[int, bytes]] = deque()

    def append(self, start: int, chunk: bytes, *, written: int) -> None:
        """Add a chunk; forget those that the file has."""
        self._chunks.append((start, chunk))
        while self._chunks and self._chunks[0][0] + len(self._chunks[0][1]) <= written:
            self._chunks.popleft()

    def start(self, end: int) -> int:
        """Where it begins, or `end` when it is empty or begins later."""
        return min(self._chunks[0][0], end) if self._chunks else end

    def piece(self, start: int, end: int) -> bytes:
        """Some bytes from there on; none when they are in the file."""
        for begin, chunk in self._chunks:
            if begin <= start < begin + len(chunk):
                return chunk[start - begin : end - begin]
        return b""

    def clear(self) -> None:
        self._chunks.clear()


class Flight:
    """One file under way."""

    def __init__(self, key: FlightKey, cargo: Cargo) -> None:
        self.key = key
        self.size: int | None = None
        self.blob: Blob | None = None
        self.closing = False
        self._cargo = cargo
        self._targets: dict[int, Repository] = {}
        self._visible = 0
        self._landed = False
        self._error: Exception | None = None
        self._ready = asyncio.Event()
        self._over = asyncio.Event()
        self._progress = asyncio.Event()
        self._tail = Tail()
        self._fd = -1
        self._readers = 0

    def board(self, targets: Sequence[Repository]) -> bool:
        """Have the file recorded in these repositories too; False when it is too late for that."""
        if not self.closing:
            self._targets.update((each.id, each) for each in targets)
            return True
        return all(each.id in self._targets for each in targets)

    async def departed(self) -> None:
        """Wait until the answer's head is here and is good.  Raises what the flight failed with."""
        await self._ready.wait()
        if self._error is not None:
            raise self._error

    async def over(self) -> None:
        """Wait for the end, whichever it is."""
        await self._over.wait()

    async def landed(self) -> None:
        """Wait until the file is stored.  Raises what the flight failed with."""
        await self.over()
        if self._error is not None:
            raise self._error

    def ended(self) -> None:
        """For a flight that was cancelled before it could begin."""
        if not self._over.is_set():
            self._error = UpstreamUnavailable("The server is shutting down")
            self._ready.set()
            self._over.set()

    async def fly(self) -> None:
        """The whole flight; never raises but when it is cancelled."""
        try:
            await self._fetch()
        except (RegistryError, Gone) as err:
            self._error = err
        except asyncio.CancelledError:
            self._error = UpstreamUnavailable("The server is shutting down")
            raise
        except Exception as err:
            log.exception("A file could not be fetched: %s", self.key)
            self._error = InternalServer("The file could not be fetched")
            self._error.__cause__ = err
        finally:
            self.closing = True
            self._ready.set()
            self._over.set()
            self._moved()
            await self._close()

    async def _fetch(self) -> None:
        cargo = self._cargo
        async with cargo.blobs.stage() as staging:
            async with Download(cargo.http, cargo.file, name=self.key.connection, limit=cargo.limit) as download:
                self.size = download.size
                self._fd = await asyncio.to_thread(os.open, staging.path, os.O_RDONLY | os.O_CLOEXEC)
                received = 0
                async for chunk in download.chunks():
                    await staging.write(chunk)
                    self._tail.append(received, chunk, written=staging.written)
                    received += len(chunk)
                    # What came all at once, or may be a web page, is shown when it has been checked:
                    # a wrong one then gets a clean error.
                    if received != self.size and not download.page:
                        self._show(received)
            staged = await staging.done()
            if not agree(cargo.file.digests, staged.digests):
                raise UpstreamUnavailable(
                    f"{cargo.file.name} from {self.key.connection} does not have the digest that is declared for it"
                )
            if cargo.confirm is not None:
                await cargo.confirm(staged)
            self._show(staged.size)
            self.closing = True
            self.blob = await cargo.keep(staged, tuple(self._targets.values()))
            self.size = staged.size
            self._visible = staged.size
            self._landed = True
            self._tail.clear()

    def _show(self, received: int) -> None:
        """Let followers read, but for the last bytes."""
        if received > _KEPT_BACK:
            self._visible = received - _KEPT_BACK
            self._ready.set()
            self._moved()

    def _moved(self) -> None:
        moved, self._progress = self._progress, asyncio.Event()
        moved.set()

    async def read(self, start: int, end: int | None) -> AsyncIterator[bytes]:
        """Bytes start..end as they arrive.  Raises when the flight fails."""
        if self._over.is_set() and self._fd < 0:
            async for chunk in self._stored(start, end):
                yield chunk
            return
        self._readers += 1
        try:
            while end is None or start < end:
                progress = self._progress
                ready = min(self._visible, end) if end is not None else self._visible
                if start < ready:
                    chunk = self._tail.piece(start, ready) or await piece(
                        self._fd, min(self._tail.start(ready) - start, _PIECE), start
                    )
                    start += len(chunk)
                    yield chunk
                elif self._landed:
                    return
                elif self._error is not None:
                    raise self._error
                else:
                    await progress.wait()
        finally:
            self._readers -= 1
            if self._over.is_set():
                await self._close()

    async def _stored(self, start: int, end: int | None) -> AsyncIterator[bytes]:
        if self._error is not None or self.blob is None:
            raise self._error or UpstreamUnavailable("The file is no longer here")
        async for chunk in self._cargo.blobs.read(self.blob.key, start, end):
            yield chunk

    async def _close(self) -> None:
        """When nobody reads any more."""
        if self._readers == 0 and self._fd >= 0:
            fd, self._fd = self._fd, -1
            await asyncio.shield(asyncio.to_thread(os.close, fd))


async def piece(fd: int, length: int, start: int) -> bytes:
    """What was just written is in the page cache, and read without leaving the loop."""
    buffer = bytearray(length)
    try:
        got = os.preadv(fd, [buffer], start, os.RWF_NOWAIT)
    except (OSError, AttributeError):
        got = 0
    if got:
        return bytes(memoryview(buffer)[:got])
    chunk = await asyncio.to_thread(os.pread, fd, length, start)
    if not chunk:
        raise InternalServer("A staged file is shorter than it was")
    return chunk


@dataclass(slots=True)
class Following:
    """An asset that is still arriving: implements registry.core.ports.Content."""

    flight: Flight
    size: int | None
    digests: Mapping[str, str]
    modified: int
    source: str
    path: Path | None = None

    def read(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        return self.flight.read(start, end)


class Flights:
    """Everything under way."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._under_way: dict[FlightKey, Flight] = {}
        self._landed: dict[FlightKey, float] = {}

    async def join(
        self, key: FlightKey, cargo: Cargo, targets: Sequence[Repository], *, since: float | None = None
    ) -> Following | None:
        """Follow the flight of this file, begun now if there is none.

        None: one has come to its end, which is past for these targets, or has landed after `since` (by the monotonic
        clock), when the caller looked at what is stored; look again.
        Raises UpstreamUnavailable, or Gone when the registry does not have the file.
        """
        flight = self._under_way.get(key)
        if flight is None:
            if since is not None and self._landed.get(key, since) > since:
                return None
            flight = self._begin(key, cargo)
        if not flight.board(targets):
            await flight.over()
            return None
        await flight.departed()
        return Following(
            flight,
            flight.size,
            dict(cargo.file.digests),
            cargo.file.uploaded if cargo.file.uploaded is not None else cargo.now,
            f"external:{key.connection}",
        )

    def _begin(self, key: FlightKey, cargo: Cargo) -> Flight:
        flight = Flight(key, cargo)
        self._under_way[key] = flight
        task = self._tasks.start(flight.fly(), name=f"flight {key.connection} {key.asset}")
        task.add_done_callback(lambda _: self._ended(flight))
        return flight

    def _ended(self, flight: Flight) -> None:
        del self._under_way[flight.key]
        flight.ended()
        if flight.blob is not None:
            self._landed.pop(flight.key, None)
            self._landed[flight.key] = time.monotonic()
            while len(self._landed) > _REMEMBERED:
                self._landed.pop(next(iter(self._landed)))
