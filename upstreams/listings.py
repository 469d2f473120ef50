"""What external registries say of a package, remembered for a while.

A listing is served without asking for `listing_age` seconds, a "not there" for `negative_age`.  Then it is
asked for again with its validators.  When the registry cannot be asked, an older listing is served as stale;
an older "not there" is not: could not ask is never not there.  One request at a time per package and
connection, owned by the server and shared by everyone who waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from registry.config import UpstreamsConfig
from registry.core.errors import UpstreamUnavailable
from registry.core.ports import Clock, Fetcher, Http, Store
from registry.core.types import Absent, CachedListing, NotModified, PackageKey, Remote, RemoteVersion
from upstreams.connections import Connection
from upstreams.memory import Memory
from upstreams.reply import Broken
from upstreams.tasks import Tasks

log = logging.getLogger(__name__)

_BASE = ":base"
"""Among the validators of a stored listing: the address that it came from.  No header has such a name."""
_LONGEST_VALIDATOR = 1024
"""Characters; a longer one would not be taken back."""
_RECHECK = 2_000
"""Milliseconds within which a client that names something unknown does not make us ask again."""
_PAUSE = 1_000
"""Milliseconds after a failure within which the older listing is served without asking again."""
_PATIENCE = 5.0
"""Seconds that a client waits for a refresh while there is an older listing that it could have."""


@dataclass(frozen=True, slots=True)
class Known:
    """An external listing: None when the registry said that there is no such package.

    `stale`: the registry could not be asked.  `expires` (ms) is when to ask again.
    """

    remote: Remote | None
    changed: int
    expires: int
    stale: bool = False

    def version(self, version: str) -> RemoteVersion | None:
        if self.remote is None:
            return None
        return next((each for each in self.remote.versions if each.version == version), None)


@dataclass(frozen=True, slots=True)
class Mark:
    """Which state of a listing is known, and until when (ms)."""

    changed: int
    expires: int
    stale: bool = False


@dataclass(frozen=True, slots=True)
class _Key:
    domain_id: int
    connection: str
    package: PackageKey


class ExternalListings:
    """The cached listings of every domain."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        settings: UpstreamsConfig,
        tasks: Tasks,
        fetchers: Mapping[str, Fetcher],
        http: Callable[[Connection], Http],
        patience: float = _PATIENCE,
    ) -> None:
        self._store = store
        self._clock = clock
        self._positive = settings.listing_age * 1000
        self._negative = settings.negative_age * 1000
        self._tasks = tasks
        self._fetchers = fetchers
        self._http = http
        self._patience = patience
        self._longest = settings.connect_timeout + 4 * settings.read_timeout
        self._asking: dict[_Key, asyncio.Task[Known]] = {}
        self._failed: Memory[_Key, int] = Memory()
        self._limits: Memory[int, int] = Memory()

    async def mark(self, domain_id: int, connection: Connection, package: PackageKey) -> Mark:
        """As get(), for less: nothing is read but an age, as long as that is young enough."""
        ages = await self._store.glance(lambda tx: tx.listings.age(domain_id, (connection.name,), package))
        if connection.name in ages:
            fetched, changed = ages[connection.name]
            limit = self._limits.get(changed)  # a `changed` is never used twice
            if limit is not None and 0 <= self._clock.now() - fetched < limit:
                return Mark(changed, fetched + limit)
        known = await self.get(domain_id, connection, package)
        if not known.stale:
            self._limits.put(known.changed, self._negative if known.remote is None else self._positive)
        return Mark(known.changed, known.expires, known.stale)

    async def get(self, domain_id: int, connection: Connection, package: PackageKey, *, refresh: bool = False) -> Known:
        """The listing, young enough or asked for again.  `refresh` asks at once, though not all the time.

        Raises UpstreamUnavailable when the registry cannot be asked and no listing is known.
        """
        key = _Key(domain_id, connection.name, package)
        task = self._asking.get(key)
        if task is None:
            had = await self._store.read(lambda tx: tx.listings.get(domain_id, connection.name, package))
            known = self._judged(had, connection, refresh=refresh)
            if known is not None:
                return known
            known = self._recently_failed(key, had)
            if known is not None:
                return known
            task = self._asking.get(key) or self._ask(key, connection, had)
        return await self._waited(key, task)

    def _judged(self, had: CachedListing | None, connection: Connection, *, refresh: bool) -> Known | None:
        """What is stored, when it is young enough and of the registry that now bears the name."""
        if had is None or (had.remote is not None and had.remote.validators.get(_BASE) != connection.base):
            return None
        age = self._clock.now() - had.fetched
        limit = self._positive if had.remote is not None else self._negative
        if refresh:
            limit = min(limit, _RECHECK)
        if not 0 <= age < limit:  # below 0: the clock was set back
            return None
        return Known(had.remote, had.changed, had.fetched + limit)

    def _recently_failed(self, key: _Key, had: CachedListing | None) -> Known | None:
        """The older listing while a failure is fresh.  Where there is none, the next client's question is worth it."""
        until = self._failed.get(key) or 0
        return _older(had, until) if self._clock.now() < until else None

    def _ask(self, key: _Key, connection: Connection, had: CachedListing | None) -> asyncio.Task[Known]:
        task = self._tasks.start(
            self._asked(key, connection, had), name=f"listing {connection.name} {key.package.name}"
        )
        self._asking[key] = task
        task.add_done_callback(lambda _: self._asking.pop(key, None))
        return task

    async def _waited(self, key: _Key, task: asyncio.Task[Known]) -> Known:
        """Wait as long as it takes, or while an older listing can be served, not longer than a client likes to."""
        done, _ = await asyncio.wait({task}, timeout=self._patience)
        if not done:
            had = await self._store.read(lambda tx: tx.listings.get(key.domain_id, key.connection, key.package))
            older = _older(had, self._clock.now() + _PAUSE)
            if older is not None:
                return older
        return await asyncio.shield(task)

    async def _asked(self, key: _Key, connection: Connection, had: CachedListing | None) -> Known:
        """Ask the registry and store what it says; the older listing when it cannot be asked."""
        try:
            answer = await self._answer(key, connection, had)
        except UpstreamUnavailable:
            older = _older(had, self._failed.put(key, self._clock.now() + _PAUSE))
            if older is None:
                raise
            return older
        now = self._clock.now()
        if isinstance(answer, NotModified):
            assert had is not None  # else there were no validators to send
            await self._store.write(lambda tx: tx.listings.fresh(key.domain_id, key.connection, key.package, now))
            return Known(had.remote, had.changed, now + self._positive)
        remote = None
        if not isinstance(answer, Absent):
            remote = _timed(answer, had.remote if had else None, now)
            kept = {name: value for name, value in answer.validators.items() if len(value) <= _LONGEST_VALIDATOR}
            remote = replace(remote, validators={**kept, _BASE: connection.base})
        await self._store.write(lambda tx: tx.listings.put(key.domain_id, key.connection, key.package, remote, now))
        stored = await self._store.read(lambda tx: tx.listings.get(key.domain_id, key.connection, key.package))
        changed = stored.changed if stored is not None else now
        return Known(remote, changed, now + (self._positive if remote is not None else self._negative))

    async def _answer(
        self, key: _Key, connection: Connection, had: CachedListing | None
    ) -> Remote | NotModified | Absent:
        """One more try when the body broke off; anything unexpected is the registry's nonsense, never an absence."""
        fetcher = self._fetchers[key.package.format]
        validators = dict(had.remote.validators) if had is not None and had.remote is not None else {}
        if validators.pop(_BASE, None) != connection.base:
            validators = {}
        try:
            try:
                answer = await self._read(fetcher, connection, key.package, validators)
            except Broken:
                answer = await self._read(fetcher, connection, key.package, validators)
        except UpstreamUnavailable as err:
            if connection.name in err.message:
                raise
            # What a format makes of an answer does not know whose it was.
            raise UpstreamUnavailable(f"{connection.name}: {err.message}", retry_after=err.retry_after) from err
        except TimeoutError:
            raise UpstreamUnavailable(f"The external registry {connection.name} did not answer in time") from None
        except Exception as err:
            log.exception("The listing of %s by %s could not be understood", key.package, connection.name)
            raise UpstreamUnavailable(f"The external registry {connection.name} answered nonsense") from err
        if isinstance(answer, NotModified) and not validators:
            raise UpstreamUnavailable(f"The external registry {connection.name} answered 304 unasked")
        return answer

    async def _read(
        self, fetcher: Fetcher, connection: Connection, package: PackageKey, validators: Mapping[str, str]
    ) -> Remote | NotModified | Absent:
        async with asyncio.timeout(self._longest):
            return await fetcher.listing(self._http(connection), package, validators)


def _older(had: CachedListing | None, expires: int) -> Known | None:
    """What was known before, marked as stale.  An older "not there" is no knowledge."""
    if had is None or had.remote is None:
        return None
    return Known(had.remote, had.changed, expires, stale=True)


def _timed(remote: Remote, before: Remote | None, now: int) -> Remote:
    """Versions without a publish time get the time when they were first seen, kept from then on."""
    if all(version.published is not None for version in remote.versions):
        return remote
    seen = {version.version: version.published for version in before.versions} if before is not None else {}
    versions = tuple(
        version if version.published is not None else replace(version, published=seen.get(version.version) or now)
        for version in remote.versions
    )
    return replace(remote, versions=versions)
