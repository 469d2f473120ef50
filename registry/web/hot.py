"""The hot cache: whole answers, by everything of a request that an answer can depend on.

An entry was made for one caller by the ordinary way, authorization included.  It holds

- at the same store epoch (nothing was committed by anyone since it was made): as it is,
- after any commit: once `current` has asked again who the caller is, what the caller may do and what the index
  would be made from (one glance each), or, for a file, not at all,
- never beyond the token's expiry, the listing's age, or a second without asking, since policies may name times.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Iterable

from registry.core.errors import RegistryError
from registry.web import ranges
from registry.web.exchange import Hold

ENTRIES = 8_192
LONGEST = 4096
"""Bytes of a request that are kept as a key; what asks at greater length takes the ordinary way."""
TRUSTED = 1.0
"""Seconds for which an entry is given without asking again, at the same epoch."""

_IGNORED = frozenset(
    {
        b"connection", b"keep-alive", b"cache-control", b"pragma", b"if-none-match", b"accept-language", b"referer",
        b"npm-session", b"npm-command", b"npm-scope", b"npm-in-ci", b"npm-auth-type", b"pacote-version",
        b"pacote-req-type", b"pacote-pkg-id", b"pacote-integrity", b"x-request-id", b"traceparent", b"tracestate",
        b"x-nuget-session-id", b"x-nuget-client-version",
        b"x-amzn-trace-id",
    }
)  # fmt: skip
"""Headers that no answer to a GET depends on; any other is part of the key."""
_UNFIT = frozenset({b"range", b"if-range", b"if-match", b"if-modified-since", b"if-unmodified-since", b"expect",
                    b"content-length", b"transfer-encoding", b"upgrade", b"trailer", b"te"})  # fmt: skip
"""Headers of requests that take the ordinary way."""


def key_of(url: bytes, client: str, headers: Iterable[tuple[bytes, bytes]]) -> tuple[Hashable, bytes | None] | None:
    """(key, If-None-Match) of a GET request, or None for one that takes the ordinary way.  Names are lower case."""
    parts: list[Hashable] = [url, client]
    tags = None
    for name, value in headers:
        if name in _IGNORED:
            if name == b"if-none-match":
                tags = value
        elif name in _UNFIT:
            return None
        else:
            parts.append(name)
            parts.append(value)
    return tuple(parts), tags


class Entry:
    """An answer to give again.  `log` is what its lines in the log have in common, as the inside of a JSON object.

    `audit` is what its audit records have in common.
    """

    __slots__ = ("asked", "audit", "current", "epoch", "expires", "hold", "log", "meter", "plane", "size", "whole")

    def __init__(
        self,
        hold: Hold,
        *,
        epoch: int,
        expires: float,
        log: bytes,
        plane: str,
        current: Callable[[], Awaitable[int | None]] | None,
        meter: Callable[[], None] | None = None,
    ) -> None:
        """`meter` counts a request where rates are limited, and raises Throttling."""
        self.meter = meter
        self.hold = hold
        self.epoch = epoch
        self.expires = expires
        self.log = log
        self.plane = plane
        self.current = current
        self.audit: list[dict[str, object]] = []
        self.asked = time.monotonic()
        self.size = len(hold.body)

    def fresh(self, epoch: int | None, moment: float) -> bool:
        """May it be given without asking anyone?"""
        return (
            self.epoch == epoch
            and moment - self.asked < TRUSTED
            and moment < self.expires
            and bool(self.hold.owner.alive)
        )

    def renew(self, epoch: int, moment: float) -> None:
        """It was found to hold at this epoch."""
        self.epoch = epoch
        self.asked = moment

    def unchanged(self, tags: bytes) -> bool:
        """Does If-None-Match name what the client has already?"""
        return tags == self.hold.etag or ranges.matches(tags.decode("latin-1"), self.hold.etag.decode("latin-1"))


class HotCache:
    """Entries by key; the oldest goes first.  Bodies live, bounded, in the caches that own them."""

    def __init__(self, epoch: Callable[[], int | None], entries: int = ENTRIES, *, shared: bool = False) -> None:
        """`shared`: asking costs time, so requests of one epoch share one look at whether an entry still holds."""
        self.epoch = epoch
        self._shared = shared
        self._looks: dict[tuple[Hashable, int], asyncio.Future[int | None]] = {}
        self._limit = entries
        self._entries: dict[Hashable, Entry] = {}

    def fresh(self, key: Hashable) -> Entry | None:
        """An entry whose head and body may be given at once."""
        return self.at(key, self.epoch()) if key in self._entries else None

    def has(self, key: Hashable) -> bool:
        """Whether there is an entry that may be given at once, if it holds."""
        entry = self._entries.get(key)
        return entry is not None and entry.hold.again is None and entry.meter is None

    def at(self, key: Hashable, epoch: int | None) -> Entry | None:
        """As `fresh`, at an epoch that is known."""
        entry = self._entries.get(key)
        direct = entry is not None and entry.hold.again is None and entry.meter is None
        if entry is not None and direct and entry.fresh(epoch, time.monotonic()):
            entry.hold.owner.used = True
            return entry
        return None

    async def renewed(self, key: Hashable) -> Entry | None:
        """An entry that holds, having asked where that is cheap."""
        entry = self._entries.get(key)
        if entry is None or not _admitted(entry):
            return None
        moment = time.monotonic()
        if entry.fresh(self.epoch(), moment):
            return entry
        if entry.current is not None and moment < entry.expires and entry.hold.owner.alive:
            try:
                epoch = await self._look(key, entry.current)
            except RegistryError:
                epoch = None  # the ordinary way tells the client why
            if epoch is not None and entry.hold.owner.alive:
                entry.renew(epoch, moment)
                entry.hold.owner.used = True
                return entry
        self._entries.pop(key, None)
        return None

    async def _look(self, key: Hashable, current: Callable[[], Awaitable[int | None]]) -> int | None:
        epoch = self.epoch()
        if not self._shared or epoch is None:
            return await current()
        look = self._looks.get((key, epoch))
        if look is None:
            look = self._looks[key, epoch] = asyncio.ensure_future(current())
            look.add_done_callback(lambda done: self._looked((key, epoch), done))
        return await asyncio.shield(look)

    def _looked(self, look: tuple[Hashable, int], done: asyncio.Future[int | None]) -> None:
        self._looks.pop(look, None)
        if not done.cancelled():
            done.exception()  # seen by whoever still waits

    def put(self, key: Hashable, entry: Entry) -> None:
        """Keep it, unless its key is unusually long."""
        self._entries.pop(key, None)
        if isinstance(key, tuple) and sum(len(part) for part in key) > LONGEST:
            return
        self._entries[key] = entry
        while len(self._entries) > self._limit:
            self._entries.pop(next(iter(self._entries)))


def _admitted(entry: Entry) -> bool:
    """Whether the limits of rates allow it; where they do not, the ordinary way says so in the format's own form."""
    try:
        if entry.meter is not None:
            entry.meter()
    except RegistryError:
        return False
    return True
