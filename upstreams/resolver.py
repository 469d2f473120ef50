"""The search through a repository, its upstreams and their external connections.

resolver = UpstreamResolver(connections=..., fetchers=..., settings=...)
services = Services(..., resolver=resolver, connections=resolver.formats)
resolver.attach(services)
async with resolver:        # owns the HTTP session and every task; leave it after the last request
    ...
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from registry.config import UpstreamsConfig
from registry.core.ports import Fetcher
from registry.core.services import Services
from upstreams.connections import Connection


class UpstreamResolver:
    """Implements registry.core.ports.Resolver."""

    def __init__(
        self, *, connections: Mapping[str, Connection], fetchers: Mapping[str, Fetcher], settings: UpstreamsConfig
    ) -> None:
        """`connections` as upstreams.connections.catalog() gives them; `fetchers` by format name."""
        raise NotImplementedError

    @property
    def formats(self) -> dict[str, str]:
        """For Services.connections: connection name -> format."""
        raise NotImplementedError

    def attach(self, services: Services) -> None:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        raise NotImplementedError

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        raise NotImplementedError
