"""Ends connections that hold a place without using it: one pass a second over all of them.

A head must be whole within `header_timeout` of its first byte.  A body must bring some bytes in every
`body_timeout`, unless it is us who do not read.  An answer must be taken: a write buffer that stays full for
`write_timeout` ends it.  An idle connection is closed after `idle_timeout`.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

SLOWEST = 256
"""Bytes that a body must bring in every second of `body_timeout`, on average."""
LINGER = 5.0


class Phase(enum.Enum):
    """What a connection is doing."""

    IDLE = 1
    HEAD = 2
    BUSY = 3
    LINGER = 4
    CLOSED = 5


@dataclass(slots=True)
class Limits:
    """Bounds of a connection: bytes and seconds."""

    header_bytes: int = 65_536
    header_timeout: float = 20
    body_timeout: float = 60
    write_timeout: float = 120
    idle_timeout: float = 65
    discard_bytes: int = 256 * 1024**2
    _seen: Any = field(default=None, repr=False)
    _common: bytes = b""

    def common(self, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
        """The lines that stand in every answer; put together once per change (a new list each second)."""
        if headers is not self._seen:
            self._common = b"".join([b"%s: %s\r\n" % each for each in headers])
            self._seen = headers
        return self._common


async def reap(connections: Iterable[Any], limits: Limits, interval: float = 1.0) -> None:
    """Run until cancelled.  `connections` is the server's live set."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(interval)
        now = loop.time()
        for connection in list(connections):
            if connection.transport is not None and not connection.transport.is_closing():
                _look(connection, limits, now)


def _look(connection: Any, limits: Limits, now: float) -> None:
    phase, transport = connection.phase, connection.transport
    if connection.stalled is not None and now - connection.stalled > limits.write_timeout:
        transport.abort()
    elif phase is Phase.IDLE:
        if now - connection.since > limits.idle_timeout:
            _end(transport)
    elif phase is Phase.HEAD:
        if now - connection.since > limits.header_timeout:
            connection.refuse(408, "The request's head did not arrive in time")
    elif phase is Phase.LINGER:
        if now - connection.since > LINGER:
            _end(transport)
    elif phase is Phase.BUSY:
        _look_at_body(connection, limits, now)


def _look_at_body(connection: Any, limits: Limits, now: float) -> None:
    cycle = connection.cycle
    waits_for_us = connection.flow.read_paused or (cycle is not None and cycle.waiting_for_100_continue)
    if cycle is None or not cycle.more_body or waits_for_us:
        connection.seen = (now, connection.body_bytes + connection.discarded)
        return
    begun, count = connection.seen
    if now - begun <= limits.body_timeout:
        return
    total = connection.body_bytes + connection.discarded
    if total - count < SLOWEST * limits.body_timeout:
        connection.refuse(408, "The request's body did not arrive in time")
    else:
        connection.seen = (now, total)


def _end(transport: asyncio.Transport) -> None:
    if transport.get_write_buffer_size():
        transport.abort()
    else:
        transport.close()
