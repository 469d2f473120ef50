"""One request and its answer on an HTTP/1.1 connection: the ASGI side of registry.web.http1."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from registry.web.openfiles import OpenFile
from registry.web.sendfile import flushed, send_file
from registry.web.wire import STATUS_LINES, Aborted

log = logging.getLogger(__name__)

COPY = 16_384
"""Up to here head and body are joined into one buffer."""

_BAD = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class Cycle(RequestResponseCycle):
    """As uvicorn's, but an answer that cannot be ended breaks the connection off.

    The protocol sets `closing`, which ends the connection after the answer, and `stalling`, which is told that we
    wait for the client.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._chunks: list[bytes] = []
        self._waiting = 0

    closing: Callable[[], None]
    stalling: Callable[[bool], None]
    _head: bytes = b""
    _bodiless: bool = False
    _waiter: asyncio.Future[None] | None = None

    async def run_asgi(self, app: Any) -> None:
        try:
            await app(self.scope, self.receive, self.send)
        except Aborted:
            self.transport.abort()
        except Exception:
            log.exception("Unexpected failure of the application")
            if self.response_started:
                self.transport.abort()
            else:
                await self.send_500_response()
        else:
            if not self.response_complete and not self.disconnected and not self.transport.is_closing():
                log.error("The application ended without a whole answer")
                self.transport.abort()
        finally:
            self.on_response = _nothing

    def take(self, chunk: bytes) -> int:
        """A piece of the body has come; returns how much of it waits to be read."""
        self._chunks.append(chunk)
        self._waiting += len(chunk)
        self.message_event.set()
        return self._waiting

    async def receive(self) -> Any:
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        if not self.disconnected and not self.response_complete:
            self.flow.resume_reading()
            await self.message_event.wait()
            self.message_event.clear()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        chunks, self._chunks, self._waiting = self._chunks, [], 0
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def send(self, message: Any) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if not self.response_started:
            self._start(message["status"], message.get("headers", ()))
        elif not self.response_complete:
            self._continue(message.get("body", b""), message.get("more_body", False))
        else:
            raise RuntimeError("The answer is complete already")

    async def send_file(self, file: OpenFile, start: int, end: int) -> int:
        """A part of the body, straight from a file; the rest of the answer follows by `send`.

        Returns how many bytes went; fewer than asked when the client is gone.

        Only for plain connections and answers with a length.
        """
        if self._head:
            self.transport.write(self._head)
            self._head = b""
        if self.disconnected or not await flushed(self.transport):
            return 0
        self.expected_content_length -= end - start
        sent = await send_file(self.transport, file, start, end, self._writable)
        if sent < end - start:
            self.transport.abort()
        return sent

    async def _writable(self, descriptor: int) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        self.stalling(True)
        loop.add_writer(descriptor, self.wake)
        try:
            await self._waiter
        finally:
            loop.remove_writer(descriptor)
            self.stalling(False)

    def wake(self) -> None:
        """End a wait for the socket."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def gone(self) -> None:
        """The connection has ended."""
        if not self.response_complete:
            self.disconnected = True
        self.message_event.set()
        self.wake()

    def _start(self, status: int, headers: Any) -> None:
        self.response_started = True
        lines = [STATUS_LINES[status]]
        closes = False
        for name, value in (*self.default_headers, *headers):
            if _BAD.search(value):
                raise RuntimeError(f"Invalid value of header {name!r}")
            if name == b"content-length":
                self.expected_content_length = int(value)
                self.chunked_encoding = False
            elif name == b"transfer-encoding":
                continue
            elif name == b"connection":
                closes = b"close" in value.lower()
            lines.append(b"%s: %s\r\n" % (name, value))
        if self.waiting_for_100_continue and self.more_body:
            # The client holds its body back; whether it ever sends it, only closing keeps us in step.
            self.keep_alive = False
        self.waiting_for_100_continue = False
        if closes:
            self.keep_alive = False
        elif not self.keep_alive:
            lines.append(b"connection: close\r\n")
        bodiless = self.scope["method"] == "HEAD" or status in (204, 304) or status < 200
        if self.chunked_encoding is None and not bodiless:
            if self.scope["http_version"] == "1.0":
                self.keep_alive = False  # the end of the connection is the end of the body
            else:
                self.chunked_encoding = True
                lines.append(b"transfer-encoding: chunked\r\n")
        if bodiless:
            self.expected_content_length = 0
        lines.append(b"\r\n")
        self._bodiless = bodiless
        self._head = b"".join(lines)  # goes out with the first bytes of the body

    def _continue(self, body: Any, more: bool) -> None:
        parts: list[Any] = [self._head] if self._head else []
        self._head = b""
        if not self._bodiless:
            if self.chunked_encoding:
                if body:
                    parts += (b"%x\r\n" % len(body), body, b"\r\n")
                if not more:
                    parts.append(b"0\r\n\r\n")
            else:
                if self.chunked_encoding is False:
                    self.expected_content_length -= len(body)
                    if self.expected_content_length < 0:
                        raise RuntimeError("The body is longer than its Content-Length")
                if body:
                    parts.append(body)
        if len(body) <= COPY:
            self.transport.write(b"".join(parts))
        else:
            self.transport.writelines(parts)
        if not more:
            if self.expected_content_length > 0:
                raise RuntimeError("The body is shorter than its Content-Length")
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self.closing()
            self.on_response()


def _nothing() -> None:
    """After the answer."""
