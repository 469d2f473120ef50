"""Which address may follow which, who gets our credentials, and which proxy is in between."""

from __future__ import annotations

import base64
import urllib.request
from collections.abc import Callable, Mapping
from typing import Self

from yarl import URL

from upstreams import guard


def same_origin(one: URL, other: URL) -> bool:
    """Scheme, host and port agree."""
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


def may_follow(source: URL, target: URL, *, home: str) -> bool:
    """May what `source` answers send us to `target`?

    http and https only, never from https down to http, and not from a public registry into our own network
    (see upstreams.guard, which also looks at what names resolve to).
    """
    if target.scheme not in ("http", "https") or (source.scheme == "https" and target.scheme == "http"):
        return False
    host = target.host or ""
    if host == home:
        return True
    return guard.plain(host) and not guard.link_local(host) and (guard.inside(home) or not guard.inside(host))


class Proxies:
    """The proxies of the environment, read once."""

    def __init__(self, by_scheme: Mapping[str, str], bypass: Callable[[str], bool]) -> None:
        self._known = {scheme: _split(URL(address)) for scheme, address in by_scheme.items()}
        self._bypass = bypass

    @classmethod
    def of_environment(cls) -> Self:
        proxies = {k: v for k, v in urllib.request.getproxies().items() if k in ("http", "https") and "://" in v}
        return cls(proxies, lambda host: bool(urllib.request.proxy_bypass(host)))

    def knows(self, host: str) -> bool:
        """Is it a proxy's host?"""
        return any(address.host == host for address, _ in self._known.values())

    def to(self, url: URL) -> tuple[URL | None, dict[str, str]]:
        """The proxy for an address, and the headers that it wants."""
        proxy, headers = self._known.get(url.scheme, (None, {}))
        if proxy is None or self._bypass(f"{url.host}:{url.port}"):
            return None, {}
        return proxy, headers


def _split(address: URL) -> tuple[URL, dict[str, str]]:
    if address.user is None and address.password is None:
        return address, {}
    credentials = base64.b64encode(f"{address.user or ''}:{address.password or ''}".encode()).decode("ascii")
    return address.with_user(None), {"Proxy-Authorization": f"Basic {credentials}"}
