"""The front door: every request, on the raw ASGI scope.

    /healthz /readyz /metrics
    /v1/...                                          the control plane
    POST /                                           IAM and STS (query protocol)
    /{format}/d/{domain}-{owner}/{repository}/...    the data plane: one adapter each

Starlette serves what adapters answer with; indexes and files go out without it, and what the hot cache holds
does not come here at all (registry.web.http1).
"""

from __future__ import annotations

import itertools
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from registry.core.errors import RegistryError
from registry.web import audit, exchange
from registry.web.address import Addresses
from registry.web.audit import AuditTrail
from registry.web.dataplane import DataPlane
from registry.web.exchange import Exchange
from registry.web.failures import plain
from registry.web.hot import Entry, HotCache
from registry.web.log import Lines
from registry.web.metrics import Metrics
from registry.web.openfiles import OpenFiles
from registry.web.paths import clean, masked
from registry.web.rendered import Indexes
from registry.web.wire import Aborted, send_whole

log = logging.getLogger(__name__)

LONGEST_PATH = 2048
"""Characters of a path that the log shows; lines wait in memory while its reader is slow."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """What lies behind the door.  `ready` and `metrics` raise RegistryError; `control` answers by itself."""

    data: DataPlane
    control: ASGIApp
    ready: Callable[[], Awaitable[None]]
    may_measure: Callable[[Scope], Awaitable[None]]
    iam: ASGIApp | None = None


class Moments(Protocol):
    """How the epoch is asked for where that takes a moment (see registry.core.ports.Store)."""

    async def moment(self, known: int | None = None) -> int | None: ...
    def soon(self, call: Callable[[int | None], None]) -> None: ...


class Front:
    """The ASGI application."""

    def __init__(
        self,
        rooms: Rooms,
        *,
        epoch: Callable[[], int | None],
        moments: Moments | None = None,
        addresses: Addresses,
        indexes: Indexes,
        files: OpenFiles,
        lines: Lines,
        metrics: Metrics,
        trail: AuditTrail | None = None,
    ) -> None:
        self._rooms = rooms
        self._addresses = addresses
        self._indexes = indexes
        self._files = files
        self.lines = lines
        self.metrics = metrics
        self._trail = trail
        self.epoch = epoch
        self._moments = moments
        self.soon = moments.soon if moments is not None else None
        self.hot = HotCache(epoch, shared=moments is not None)
        self.next_id = _ids()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        trip = Exchange(
            id=self.next_id(),
            method=scope["method"],
            started=time.perf_counter(),
            epoch=None if self._moments is not None else self.epoch(),
            indexes=self._indexes,
            files=self._files,
            hot_key=scope.get("packyard.hot"),
            audited=self._trail is not None,
        )
        scope[exchange.KEY] = trip
        watched = _Watched(trip, send)
        try:
            await self._route(scope, receive, watched, trip)
        except ClientDisconnect:
            trip.error = trip.error or "ClientDisconnect"
        except RegistryError as err:
            await self._failed(trip, err, watched)
        except Exception as err:
            log.exception("Unexpected failure of request %s", trip.id)
            await self._failed(trip, err, watched)
        finally:
            self._record(scope, trip)

    def answered(self, entry: Entry, name: str, path: str, status: int, sent: int, seconds: float) -> None:
        """The connection answered from the hot cache by itself."""
        self.metrics.hot += 1
        self.metrics.count(entry.plane, status, sent, seconds)
        moment = time.time_ns() // 1_000_000
        self.lines.hot(entry.log, moment, name, path, status, sent, seconds)
        if self._trail is not None:
            self._trail.keep(audit.finished(entry.audit, moment=moment, request=name))

    async def _route(self, scope: Scope, receive: Receive, send: _Watched, trip: Exchange) -> None:
        self._addresses.settle(scope)
        if self._moments is not None and not scope["path"].startswith("/v1/"):
            trip.epoch = await self._moments.moment(scope.get("packyard.moment"))
        if trip.hot_key is not None:
            entry = await self.hot.renewed(trip.hot_key)
            if entry is not None:
                await _again(entry, scope, receive, send, trip)
                return
        path = clean(scope["raw_path"])
        if path.startswith("/v1/"):
            trip.plane = "control"
            await self._rooms.control(scope, receive, send)
        elif path == "/" and self._rooms.iam is not None and _is_query(scope):
            await self._rooms.iam(scope, receive, send)
        elif (place := self._rooms.data.place(scope, path)) is not None:
            await self._rooms.data(scope, receive, send, place)
            if trip.hold is not None and trip.hot_key is not None and trip.status in (200, 304):
                self._keep(scope, trip)
        else:
            await self._own(scope, send, path)

    async def _own(self, scope: Scope, send: Send, path: str) -> None:
        method = scope["method"]
        if path not in ("/healthz", "/readyz", "/metrics"):
            await send_whole(send, 404, b'{"message":"There is nothing at this address"}\n')
        elif method not in ("GET", "HEAD"):
            await send_whole(send, 405, b'{"message":"Only GET and HEAD"}\n', headers=[(b"allow", b"GET, HEAD")])
        elif path == "/healthz":
            await send_whole(send, 200, b'{"status":"ok"}\n')
        elif path == "/readyz":
            await self._readyz(send)
        else:
            await self._rooms.may_measure(scope)
            text = self.metrics.text({"packyard_index_cache_bytes": self._indexes.cache.held})
            await send_whole(send, 200, text.encode(), "text/plain; version=0.0.4; charset=utf-8")

    async def _readyz(self, send: Send) -> None:
        try:
            await self._rooms.ready()
        except RegistryError as err:
            await send_whole(send, 503, b'{"status":"not ready"}\n', headers=[(b"retry-after", b"1")])
            log.warning("Not ready: %s", err.message)
        else:
            await send_whole(send, 200, b'{"status":"ready"}\n')

    def _keep(self, scope: Scope, trip: Exchange) -> None:
        """Into the hot cache, if nothing was committed since the request began."""
        made = self._rooms.data.entry(trip)
        if made is not None and trip.epoch is not None and trip.epoch == self.epoch():
            if self._trail is not None:
                made.audit = self._trail.records(scope, trip, self._rooms.data.subject(trip))
            self.hot.put(trip.hot_key, made)

    async def _failed(self, trip: Exchange, err: Exception, send: _Watched) -> None:
        """Outside a format: JSON.  A started answer is broken off, so that nobody takes it for a whole one."""
        trip.error = trip.error or type(err).__name__
        if trip.status:
            raise Aborted from err
        status, headers, body = plain(err)
        await send_whole(send, status, body, headers=headers)

    def _record(self, scope: Scope, trip: Exchange) -> None:
        seconds = time.perf_counter() - trip.started
        self.metrics.count(trip.plane or "other", trip.status or 499, trip.sent, seconds)
        moment = time.time_ns() // 1_000_000
        record = {
            "time": moment,
            "id": trip.id,
            "caller": trip.caller,
            "action": trip.route or "-",
            "resource": trip.resource,
            "method": trip.method,
            "path": masked(scope["raw_path"].decode("latin-1"))[:LONGEST_PATH],
            "status": trip.status or 499,
            "bytes": trip.sent,
            "ms": round(seconds * 1000, 3),
            "source": trip.source,
        }
        if trip.error:
            record["error"] = trip.error
        self.lines.add(record)
        if self._trail is not None and trip.plane:
            made = trip.extra.get("audit")
            if made is None:
                subject = trip.extra.get("subject") or self._rooms.data.subject(trip)
                made = self._trail.records(scope, trip, subject)
            self._trail.keep(audit.finished(made, moment=moment, request=trip.id))


class _Watched:
    """`send` that names the request in the answer and notes what went out."""

    __slots__ = ("_send", "_trip")

    def __init__(self, trip: Exchange, send: Send) -> None:
        self._trip = trip
        self._send = send

    async def __call__(self, message: Message) -> None:
        trip = self._trip
        if message["type"] == "http.response.start":
            trip.status = message["status"]
            message["headers"] = [*message["headers"], (b"x-request-id", trip.id.encode())]
        elif trip.method != "HEAD":
            trip.sent += len(message.get("body", b""))
        await self._send(message)


async def _again(entry: Entry, scope: Scope, receive: Receive, send: Send, trip: Exchange) -> None:
    """Answer from the hot cache by way of ASGI: the entry had to be asked about first."""
    hold = entry.hold
    trip.extra["audit"] = entry.audit
    line = msgspec.json.decode(b"{%s}" % entry.log)
    trip.plane, trip.caller, trip.source = entry.plane, line["caller"], line["source"]
    trip.route, trip.resource = line["action"], line["resource"]
    if hold.again is not None:
        await hold.again(scope, receive, send)
        return
    tags = next((value for name, value in scope["headers"] if name == b"if-none-match"), None)
    status, lines, body = 200, hold.head, hold.body
    if tags is not None and entry.unchanged(tags):
        status, lines, body = 304, hold.not_modified, b""
    pairs = [line.split(b": ", 1) for line in lines.split(b"\r\n")[1:-1]]
    await send({"type": "http.response.start", "status": status, "headers": [(n, v) for n, v in pairs]})
    await send({"type": "http.response.body", "body": body})


def _is_query(scope: Scope) -> bool:
    """A request of the query protocol: a form, or a signed address with its action in the query."""
    return scope["method"] == "POST" or (scope["method"] == "GET" and b"Action=" in scope["query_string"])


def _ids() -> Callable[[], str]:
    """Unique names of requests, in the shape of a UUID: a random part per process, then a counter."""
    stem = str(uuid.uuid4())[:24]
    counter = itertools.count(1)
    return lambda: f"{stem}{next(counter):012x}"
