"""From an open file to a plain socket inside the kernel: no byte passes through the program.

Only for connections without TLS, and only while the transport has nothing of its own to send.  The socket is
used through a duplicate descriptor, so that it cannot become another connection's while we wait.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable

from registry.core.errors import Unavailable
from registry.web.openfiles import OpenFile

WINDOW = 1024 * 1024
"""Bytes that are asked for at once; other connections get their turn in between."""


async def flushed(transport: asyncio.WriteTransport) -> bool:
    """Wait until the transport has handed everything to the system; False when it is closing."""
    pause = 0.0
    while transport.get_write_buffer_size():
        if transport.is_closing():
            return False
        await asyncio.sleep(pause)
        pause = min(0.02, pause + 0.001)
    return not transport.is_closing()


Wait = Callable[[int], Awaitable[None]]
"""Until a descriptor takes bytes again, or the connection ends."""


async def send_file(transport: asyncio.Transport, file: OpenFile, start: int, end: int, writable: Wait) -> int:
    """Send bytes start..end and return how many went, fewer only when the client is gone.

    Raises Unavailable where the file ends early.
    """
    sock: socket.socket = transport.get_extra_info("socket")
    descriptor = os.dup(sock.fileno())
    begun = warmed = start
    try:
        while start < end and not transport.is_closing():
            count = min(WINDOW, end - start)
            if start + count > warmed:
                warmed = min(end, start + 2 * WINDOW)
                await file.warm(start, warmed)
                continue  # the client may have gone meanwhile
            sent = _send(descriptor, file.fd, start, count)
            if sent is None:
                break
            start += sent
            if sent < count:
                await writable(descriptor)
            elif start < end:
                await asyncio.sleep(0)
        return start - begun
    finally:
        os.close(descriptor)


def _send(descriptor: int, fd: int, start: int, count: int) -> int | None:
    """How many bytes went, 0 when the client must take some first; None when it is gone."""
    try:
        sent = os.sendfile(descriptor, fd, start, count)
    except BlockingIOError:
        return 0
    except ConnectionError:
        return None
    except OSError as err:
        raise Unavailable("A stored file cannot be sent") from err
    if sent == 0:
        raise Unavailable("A stored file is shorter than it should be")
    return sent
