"""HTTP/1.1 on a connection: uvicorn's httptools protocol with our rules.

- `Upgrade` is ignored and the body kept.  The parser stops at an upgrade and would deliver no body, so the head
  is fed again without the upgrade, followed by what came after it.  Java's client sends `Upgrade: h2c` on plain http.
- What the hot cache holds is answered right here: no task, no ASGI.
- Heads are bounded in size and time, bodies must keep coming, answers must be taken (see `registry.web.reaper`).
  What frames a body (chunk sizes, extensions, trailers) is bounded by what it frames; trailers are not kept.
- Requests that are sent ahead wait in a short queue, and nothing more is read meanwhile.
- A request that is answered before its body was read keeps its connection: the rest of the body is thrown away,
  within a bound.  One that waits for `100 Continue` in vain is told to close.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Hashable, Sized
from functools import partial
from typing import Any, cast
from urllib.parse import unquote

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl, service_unavailable
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from registry.web.cycle import COPY, Cycle
from registry.web.hot import Entry, key_of
from registry.web.paths import masked
from registry.web.reaper import Limits, Phase

log = logging.getLogger(__name__)

MOST_WAITING = 500
"""Requests that may wait on one connection for the answers before them."""

_UPGRADE = frozenset({b"upgrade", b"http2-settings"})


class _Flow(FlowControl):
    """Nothing more is read while requests wait: each answer would let in another piece full of them."""

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        if not self._waiting:
            super().resume_reading()


class Http1(HttpToolsProtocol):
    """One connection."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        application = cast(Any, config.app)
        self.front = application.front
        self.limits: Limits = application.limits
        self.phase = Phase.HEAD
        self.since = self.loop.time()
        self.stalled: float | None = None
        self.body_bytes = 0
        self.discarded = 0
        self.seen = (self.since, 0)
        self.active: Cycle | None = None
        self._in_head = False
        self._begun = 0
        self._head_bytes = self._taken = self._framing = 0
        self._chunk = 0
        self._skip = False
        self._peer = ""

    # --- the connection ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = _Flow(transport, self.pipeline)
        self._peer = self.client[0] if self.client else ""

    def connection_lost(self, exc: Exception | None) -> None:
        self.phase = Phase.CLOSED
        super().connection_lost(exc)
        for cycle in (self.active, *(waiting for waiting, _ in self.pipeline)):
            if cycle is not None:
                cast(Cycle, cycle).gone()

    def pause_writing(self) -> None:
        self.stalled = self.loop.time()
        self.flow.pause_writing()

    def resume_writing(self) -> None:
        self.stalled = None
        self.flow.resume_writing()

    def data_received(self, data: bytes) -> None:
        if self.phase is Phase.LINGER:
            self._discard(len(data))
            return
        if self.phase is Phase.IDLE:
            self.phase = Phase.HEAD
            self.since = self.loop.time()
        self._chunk = len(data)
        waited, begun, taken = self.phase is Phase.HEAD, self._begun, self._taken
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._without_upgrade(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError:
            self.refuse(400, "Invalid HTTP request")
            return
        if self._in_head:
            # Whatever came before this head in the same piece is not counted.
            if waited or begun == self._begun:
                self._head_bytes += len(data)
                if self._head_bytes > self.limits.header_bytes:
                    self.refuse(431, "The request's head is too large")
        elif begun == self._begun:
            self._framing += len(data) - (self._taken - taken)
            if self._framing > self.limits.header_bytes + 8 * self._taken:
                self.refuse(400, "The request's body is nothing but framing")

    def _without_upgrade(self, rest: bytes) -> None:
        """Feed the head again as if it asked for no upgrade, then what came behind it."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            self.refuse(405, "CONNECT is not offered")
            return
        lines = [b"%s %s HTTP/%s\r\n" % (method, self.url, self.parser.get_http_version().encode())]
        for name, value in self.headers:
            if name == b"connection":
                tokens = [token for token in value.split(b",") if token.strip().lower() not in _UPGRADE]
                value = b",".join(tokens).strip()
            if name not in _UPGRADE and (name != b"connection" or value):
                lines.append(b"%s: %s\r\n" % (name, value))
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.data_received(b"".join(lines) + b"\r\n" + rest)

    def refuse(self, status: int, message: str) -> None:
        """An answer that comes from no application, and the end of the connection."""
        if self.transport.is_closing():
            return
        cycle = self.active
        if cycle is not None and not cycle.response_complete:
            cycle.gone()
            if cycle.response_started:
                self.transport.abort()
                return
        elif cycle is not None and cycle.more_body:
            self.transport.abort()  # its request has been answered
            return
        body = message.encode() + b"\n"
        lines = [f"HTTP/1.1 {status} {_PHRASES[status]}\r\n".encode()]
        lines += [b"%s: %s\r\n" % each for each in self.server_state.default_headers]
        lines.append(b"content-type: text/plain\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body))
        self.transport.write(b"".join(lines) + body)
        self.linger()

    def linger(self) -> None:
        """Close so that the last answer arrives: what still comes in is read and thrown away for a while.

        Closing at once with unread data in the socket would reset the connection under the answer.
        """
        self.phase = Phase.LINGER
        self.since = self.loop.time()
        self.discarded = 0
        self.pipeline.clear()
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def eof_received(self) -> None:
        if self.phase is Phase.LINGER:
            self.transport.close()

    def _discard(self, count: int) -> None:
        self.discarded += count
        if self.discarded > self.limits.discard_bytes:
            self.transport.abort()

    # --- the parser's calls ------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self._skip = False
        self._in_head = True
        self._begun += 1
        self._head_bytes = self._framing = self._taken = 0
        if self.phase is not Phase.BUSY:
            self.phase = Phase.HEAD

    def on_header(self, name: bytes, value: bytes) -> None:
        """Trailers say nothing that we want to know, and come when the head is in use already."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        parser = self.parser
        if parser.should_upgrade() or self.phase is Phase.LINGER or self._too_large():
            self._skip = True
            return
        method = parser.get_method()
        version = parser.get_http_version()
        keep_alive = version != "1.0" and parser.should_keep_alive()
        idle = self.cycle is None or self.cycle.response_complete
        key, tags = None, None
        if method == b"GET":
            found = key_of(self.url, self._peer, self.headers)
            if found is not None:
                key, tags = found
                entry = self.front.hot.fresh(key)
                if entry is not None and keep_alive and idle and not self.flow.write_paused:
                    self._answer(entry, tags)
                    return
        # Whether it holds can be known in a moment: who arrives meanwhile shares the question.
        asks = key is not None and keep_alive and idle and self.front.soon is not None and self.front.hot.has(key)
        self.phase = Phase.BUSY
        self.discarded = self.body_bytes = 0
        self.seen = (self.loop.time(), 0)
        if method != b"GET" and any(n == b"transfer-encoding" and v.lower() != b"chunked" for n, v in self.headers):
            self._skip = True  # else what a client has compressed would be stored as it came
            self.refuse(400, "The only Transfer-Encoding here is chunked")
            return
        if asks:
            asking = _Asking(key, tags, self.url, self.headers, version)
            self.cycle, self.active = cast(RequestResponseCycle, asking), cast(Cycle, asking)
            self.front.soon(partial(self._asked, asking))
            return
        scope = self._scope(method.decode("ascii"), version, self.url, self.headers)
        if scope is None:
            self._skip = True
            return
        scope["packyard.hot"] = key
        self._begin(scope, keep_alive, idle)

    def _too_large(self) -> bool:
        """Refuse a head that came in one piece and is larger than it may be."""
        limit = self.limits.header_bytes
        if self._head_bytes + self._chunk <= limit:
            return False
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size <= limit:
            return False
        self.refuse(431, "The request's head is too large")
        return True

    def _scope(self, method: str, version: str, target: bytes, headers: list[Any]) -> dict[str, Any] | None:
        try:
            url = httptools.parse_url(target)
            raw_path = url.path or b""
            path = raw_path.decode("ascii")
        except (httptools.HttpParserError, UnicodeDecodeError):
            self.refuse(400, "The request's address is not valid")
            return None
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": "",
            "headers": headers,
            "state": {},
            "method": method,
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": url.query or b"",
        }
        self.scope = cast(Any, scope)
        return scope

    def _begin(self, scope: dict[str, Any], keep_alive: bool, idle: bool) -> None:
        """Start the application, or queue the request behind the one under way."""
        limit = self.limit_concurrency
        crowded = limit is not None and (len(self.connections) >= limit or len(self.tasks) >= limit)
        cycle = self._cycle(scope, keep_alive)
        app: Any = service_unavailable if crowded else self.app
        if idle:
            self.active = cycle
            self._start_asgi_task(self.cycle, app)
        elif len(self.pipeline) >= MOST_WAITING:
            self._skip = True
            self.transport.abort()
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, app))

    def _cycle(self, scope: dict[str, Any], keep_alive: bool) -> Cycle:
        """The exchange of the request whose head has just come."""
        cycle = Cycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )
        cycle.closing = self._closing
        cycle.stalling = self._stalling
        if self.scheme == "http":
            scope["packyard.sendfile"] = cycle.send_file
        self.cycle = cast(RequestResponseCycle, cycle)
        return cycle

    def _stalling(self, waits: bool) -> None:
        self.stalled = self.loop.time() if waits else None

    def _closing(self) -> None:
        """The answer is out and the connection is to end."""
        if self.cycle.more_body:
            self.linger()
        else:
            self.transport.close()

    def on_body(self, body: bytes) -> None:
        self._taken += len(body)
        if self._skip:
            return
        cycle = cast(Cycle, self.cycle)
        if cycle.response_complete or cycle.disconnected:
            self._discard(len(body))
            return
        self.body_bytes += len(body)
        if cycle.take(body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()

    def on_message_complete(self) -> None:
        if self._skip:
            return
        cycle = self.cycle
        cycle.more_body = False
        if cycle.response_complete:
            self._rest()
            return
        cycle.message_event.set()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing() or self.phase is Phase.LINGER:
            return
        waiting = self.pipeline.pop() if self.pipeline else None
        self.flow.resume_reading()
        if waiting is not None:
            cycle, app = waiting
            self.active = cast(Cycle, cycle)
            self.seen = (self.loop.time(), self.body_bytes)
            self._start_asgi_task(cycle, app)
        elif not self.cycle.more_body:
            self._rest()

    def _rest(self) -> None:
        """Nothing is under way."""
        if self.phase is Phase.BUSY:
            self.phase = Phase.IDLE
            self.since = self.loop.time()

    # --- the hot cache -----------------------------------------------------------------------

    def _answer(self, entry: Entry, tags: bytes | None) -> None:
        """Write an answer that is known to hold, to a request that starts nothing."""
        self._write(entry, tags, self.url)
        self._skip = True
        self.phase = Phase.IDLE
        self.since = self.loop.time()
        self.server_state.total_requests += 1

    def _asked(self, asking: _Asking, moment: int | None) -> None:
        """The moment is known: write the answer if it holds, else let the application look."""
        if asking.disconnected or self.transport.is_closing():
            return
        entry = self.front.hot.at(asking.key, moment)
        if entry is None or not asking.keep_alive or self.flow.write_paused:
            self._look(asking, moment)
            return
        self._write(entry, asking.tags, asking.url)
        asking.response_started = asking.response_complete = True
        self.on_response_complete()

    def _look(self, asking: _Asking, moment: int | None) -> None:
        scope = self._scope("GET", asking.version, asking.url, asking.headers)
        if scope is None:
            return
        scope["packyard.hot"] = asking.key
        scope["packyard.moment"] = moment
        later: Any = self.cycle  # of a request behind this one, or still ours
        cycle = self.active = self._cycle(scope, asking.keep_alive)
        cycle.more_body = asking.more_body
        if later is not asking:
            self.cycle = later
        self._start_asgi_task(cast(RequestResponseCycle, cycle), self.app)

    def _write(self, entry: Entry, tags: bytes | None, url: bytes) -> None:
        started = time.perf_counter()
        hold = entry.hold
        front = self.front
        name = front.next_id()
        if tags is not None and entry.unchanged(tags):
            status, lines, body = 304, hold.not_modified, b""
        else:
            status, lines, body = 200, hold.head, hold.body
        ending = b"%sx-request-id: %s\r\n\r\n" % (self.limits.common(self.server_state.default_headers), name.encode())
        if len(body) <= COPY:
            self.transport.write(b"".join((lines, ending, body)))
        else:
            self.transport.writelines((lines + ending, body))
        path = url.partition(b"?")[0].decode("latin-1")
        front.answered(entry, name, masked(path), status, len(body), time.perf_counter() - started)


class _Nobody:
    """Who would be woken by a body."""

    def set(self) -> None:
        """There is none."""


class _Asking:
    """A request whose answer is known, if it still holds: in the place of its cycle until the moment is known."""

    __slots__ = (
        "disconnected", "headers", "keep_alive", "key", "more_body", "response_complete", "response_started", "tags",
        "url", "version",
    )  # fmt: skip
    message_event = _Nobody()
    waiting_for_100_continue = False

    def __init__(self, key: Hashable, tags: bytes | None, url: bytes, headers: list[Any], version: str) -> None:
        self.key, self.tags, self.url, self.headers, self.version = key, tags, url, headers, version
        self.disconnected = self.response_started = self.response_complete = False
        self.keep_alive = self.more_body = True

    def gone(self) -> None:
        """The connection has ended."""
        self.disconnected = True


_PHRASES = {
    400: "Bad Request",
    405: "Method Not Allowed",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
}
