"""The external registries of a search, asked together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from registry.core.errors import UpstreamUnavailable
from registry.core.ports import Asking, Fetcher, Http
from registry.core.types import PackageKey
from upstreams.connections import Connection
from upstreams.listings import ExternalListings, Known, Mark

T = TypeVar("T")


class External:
    """Connections by name, with what their registries say."""

    def __init__(
        self,
        connections: Mapping[str, Connection],
        fetchers: Mapping[str, Fetcher],
        listings: ExternalListings,
        http: Callable[[Connection], Http],
    ) -> None:
        self._connections = connections
        self._fetchers = fetchers
        self._listings = listings
        self._http = http

    def fetcher(self, format: str) -> Fetcher:
        return self._fetchers[format]

    def asking(self, format: str) -> Asking | None:
        """The fetcher of a format whose registries list no files."""
        fetcher = self._fetchers.get(format)
        return fetcher if isinstance(fetcher, Asking) else None

    def http(self, name: str) -> Http:
        return self._http(self._connections[name])

    def concerned(self, names: Sequence[str], package: PackageKey) -> tuple[str, ...]:
        """Those that may have the package: of its format, or gone from the settings, so that nobody knows."""
        return tuple(name for name in names if self.concerns(name, package))

    def concerns(self, name: str | None, package: PackageKey) -> bool:
        if name is None or package.format not in self._fetchers:
            return False
        connection = self._connections.get(name)
        return connection is None or connection.format == package.format

    def speaks(self, name: str | None, format: str) -> bool:
        """May this connection have packages of the format?"""
        return self.concerns(name, PackageKey(format, None, ""))

    async def word(self, domain_id: int, name: str, package: PackageKey, *, refresh: bool = False) -> Known:
        """What one registry says.  Raises UpstreamUnavailable."""
        return await self._listings.get(domain_id, self._connection(name), package, refresh=refresh)

    async def words(
        self, domain_id: int, names: Sequence[str], package: PackageKey
    ) -> dict[str, Known | UpstreamUnavailable]:
        """What each says; the error of one that could not be asked."""
        return await _each(names, lambda name: self.word(domain_id, name, package))

    async def marks(
        self, domain_id: int, names: Sequence[str], package: PackageKey
    ) -> dict[str, Mark | UpstreamUnavailable]:
        """Which state of what each says is known."""
        return await _each(names, lambda name: self._listings.mark(domain_id, self._connection(name), package))

    def _connection(self, name: str) -> Connection:
        connection = self._connections.get(name)
        if connection is None:
            raise UpstreamUnavailable(f"The external connection {name} is not in this server's settings")
        return connection


async def _each(names: Sequence[str], ask: Callable[[str], Awaitable[T]]) -> dict[str, T | UpstreamUnavailable]:
    async def answer(name: str) -> T | UpstreamUnavailable:
        try:
            return await ask(name)
        except UpstreamUnavailable as err:
            return err

    if len(names) < 2:
        return {name: await answer(name) for name in names}
    return dict(zip(names, await asyncio.gather(*map(answer, names)), strict=True))
