"""How external registries are asked: the only place that opens sockets outwards.

    async with Client(settings) as client:
        async with client.to(connection).get("simple/name/", headers) as reply: ...

Connections are pooled.  A transport fault, a time-out, a truncated body, and an answer that says "not
now" (408, 425, 429, 5xx) become UpstreamUnavailable after a few attempts; any other status is returned.
Credentials go to the connection's own origin only, never along a redirect to another, and stand in no
message.  Proxies are those of the environment (HTTPS_PROXY, NO_PROXY, ...), so are certificate authorities
(SSL_CERT_FILE, SSL_CERT_DIR); a .netrc is not read.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from registry import __version__
from registry.config import UpstreamsConfig
from registry.core.errors import UpstreamUnavailable
from upstreams.circuit import Circuit
from upstreams.connections import Connection
from upstreams.guard import Guard
from upstreams.memory import Memory
from upstreams.origins import Proxies, may_follow, same_origin
from upstreams.reply import Reply

_NOT_NOW = frozenset({408, 425, 429, 500, 502, 503, 504, 507, 508, 509, 520, 521, 522, 523, 524, 527, 529})
_OVERLOADED = frozenset({408, 429, 502, 503, 504, 520, 521, 522, 523, 524})
"""Answers that say something of the whole registry, not only of one page."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 8
_ATTEMPTS = 3
_LONGEST = 6 * 3600
"""Seconds for one answer, however large, that keeps coming drop by drop."""
_LONGEST_WAIT = 3.0
"""Seconds of a Retry-After that are waited for; more is passed on to our client."""


class _Failed(Exception):
    """One attempt came to nothing; `again` says whether another may fare better."""

    def __init__(self, why: str, retry_after: float | None = None, *, again: bool = True) -> None:
        super().__init__(why)
        self.why = why
        self.retry_after = retry_after
        self.again = again


class Client:
    """The pooled sessions, one per registry's host, and the circuits."""

    def __init__(self, settings: UpstreamsConfig) -> None:
        self.settings = settings
        self._trust: ssl.SSLContext | None = None
        self._sessions: dict[str, tuple[aiohttp.ClientSession, Guard]] = {}
        self._proxies = Proxies({}, lambda host: False)
        self._circuits: Memory[URL, Circuit] = Memory(1024)

    async def __aenter__(self) -> Self:
        self._trust = await asyncio.to_thread(ssl.create_default_context)
        self._proxies = await asyncio.to_thread(Proxies.of_environment)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._trust = None
        for session, guard in self._sessions.values():
            await session.close()
            await guard.close()
        self._sessions.clear()

    def to(self, connection: Connection) -> Registry:
        return Registry(self, connection)

    def circuit(self, origin: URL) -> Circuit:
        """Origins are few, but a registry that redirects wildly must not fill the memory."""
        return self._circuits.get(origin) or self._circuits.put(origin, Circuit(time.monotonic))

    def _session(self, home: str) -> aiohttp.ClientSession:
        """The pool of a registry's host: what names may resolve to depends on whose word they are."""
        assert self._trust is not None, "the client is not open"
        known = self._sessions.get(home)
        if known is None:
            guard = Guard(home, exempt=self._proxies.knows)
            session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=256, limit_per_host=64, ssl=self._trust, keepalive_timeout=30, resolver=guard
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": f"packyard/{__version__}"},
                timeout=aiohttp.ClientTimeout(
                    total=_LONGEST,
                    sock_connect=self.settings.connect_timeout,
                    sock_read=self.settings.read_timeout,
                ),
                read_bufsize=256 * 1024,
                max_line_size=64 * 1024,
                max_field_size=64 * 1024,
            )
            known = self._sessions[home] = (session, guard)
        return known[0]

    async def send(self, url: URL, headers: Mapping[str, str], *, home: str) -> aiohttp.ClientResponse:
        """One request, without following redirects.  Raises aiohttp's errors and TimeoutError."""
        proxy, extra = self._proxies.to(url)
        return await self._session(home).get(
            url,
            headers={**headers, **extra} if url.scheme == "http" else headers,
            proxy=proxy,
            proxy_headers=extra or None,
            allow_redirects=False,
            auto_decompress=headers.get("Accept-Encoding") != "identity",
        )


class Registry:
    """One external registry: implements registry.core.ports.Http."""

    def __init__(self, client: Client, connection: Connection) -> None:
        self.base = connection.base
        self.name = connection.name
        self._client = client
        self._authorization = connection.authorization
        self._home = URL(connection.base)

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> AbstractAsyncContextManager[Reply]:
        """`url` may be relative to `base`.  Ask for identity encoding to get a file's bytes as they are."""
        return self._get(url, dict(headers or {}))

    @asynccontextmanager
    async def _get(self, url: str, headers: dict[str, str]) -> AsyncIterator[Reply]:
        response = await self._asked(self._address(url), headers)
        try:
            yield Reply(response, self.name)
        finally:
            # A body that was not read to its end would block the connection: it is closed then, else reused.
            response.close() if not response.content.is_eof() else response.release()

    def _address(self, url: str) -> URL:
        try:
            # String joining: a base may have a path, and a relative path may hold "%2f" or "@scope".
            url = url.replace(" ", "%20")
            target = URL(url if "://" in url else self.base + url.lstrip("/"), encoded=True)
            if target.user or target.password:
                target = target.with_user(None)
        except ValueError as err:
            raise UpstreamUnavailable(f"{self.name} names an address that is none") from err
        if not target.host or not _port(target) or not may_follow(self._home, target, home=self._home.host or ""):
            raise UpstreamUnavailable(f"{self.name} names an address that it may not send us to")
        return target

    async def _asked(self, url: URL, headers: dict[str, str]) -> aiohttp.ClientResponse:
        """Attempts with pauses between them."""
        failure = _Failed("")
        for attempt in range(_ATTEMPTS):
            if attempt:
                pause = failure.retry_after if failure.retry_after is not None else 0.1 * 4 ** (attempt - 1)
                await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311
            try:
                return await self._followed(url, headers)
            except _Failed as err:
                failure = err
                if not err.again or (err.retry_after or 0) > _LONGEST_WAIT:
                    break
        raise UpstreamUnavailable(
            f"The external registry {self.name} could not be asked: {failure.why}",
            retry_after=max(1, round(failure.retry_after or 5)),
        )

    async def _followed(self, url: URL, headers: dict[str, str]) -> aiohttp.ClientResponse:
        """One attempt along its redirects.  Raises _Failed."""
        for _ in range(_MOST_REDIRECTS + 1):
            response = await self._sent(url, headers)
            if response.status not in _REDIRECTS:
                return response
            location = response.headers.get("Location", "")
            response.close() if not response.content.is_eof() else response.release()
            url = self._redirected(url, location)
        raise _Failed("it redirects without end", again=False)

    def _redirected(self, url: URL, location: str) -> URL:
        try:
            target = url.join(URL(location, encoded=True))
            if target.user or target.password:
                target = target.with_user(None)
        except ValueError as err:
            raise _Failed("it redirects to an address that is none", again=False) from err
        known = location and target.host and _port(target)
        if not known or not may_follow(url, target, home=self._home.host or ""):
            raise _Failed("it redirects to an address that it may not send us to", again=False)
        return target.with_fragment(None)

    async def _sent(self, url: URL, headers: dict[str, str]) -> aiohttp.ClientResponse:
        """One request through the circuit of its origin.  Raises _Failed."""
        circuit = self._client.circuit(url.origin())
        wait = circuit.blocked()
        if wait is not None:
            raise _Failed("it failed several times in a row and is left alone for a moment", wait, again=False)
        if self._authorization and same_origin(url, self._home):
            headers = {**headers, "Authorization": self._authorization}
        try:
            response = await self._client.send(url, headers, home=self._home.host or "")
        except aiohttp.ClientResponseError:
            # Somebody is there and speaks, but not HTTP as it should be: that may be one page's fault.
            circuit.answered()
            raise _Failed("its answer is not understood", again=False) from None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as err:
            circuit.failed()
            # Whoever waited for a time-out once does not want to wait for it three times.
            raise _Failed(reason(err), again=not isinstance(err, TimeoutError)) from None
        except BaseException:
            circuit.given_up()
            raise
        if response.status not in _NOT_NOW:
            circuit.answered()
            return response
        response.close()
        circuit.failed() if response.status in _OVERLOADED else circuit.answered()
        raise _Failed(f"it answered {response.status}", _retry_after(response.headers.get("Retry-After")))


def reason(err: BaseException) -> str:
    """What went wrong, in words that name no address and no credential."""
    if isinstance(err, TimeoutError):
        return "it did not answer in time"
    if isinstance(err, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return "its certificate or encryption is not to be trusted"
    if isinstance(err, aiohttp.ClientConnectorDNSError):
        return "its name could not be resolved"
    if isinstance(err, aiohttp.ClientConnectorError | ConnectionRefusedError):
        return "it refused the connection"
    if isinstance(err, aiohttp.ClientPayloadError):
        return "its answer was cut short"
    return "the connection broke"


def _retry_after(value: str | None) -> float | None:
    """RFC 9110 section 10.2.3: seconds, or a date."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdecimal():
        return float(min(int(value[:9]), 3600))
    try:
        return min(max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0), 3600.0)
    except (ValueError, TypeError, OverflowError):
        return None


def _port(url: URL) -> bool:
    """Has it a port that there can be?"""
    try:
        return url.port is not None and 0 < url.port < 65536
    except ValueError:
        return False
