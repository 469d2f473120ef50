"""A raw connection to a server: bytes out, answers in."""

from __future__ import annotations

import http.client
import socket
from typing import Any

from tests.harness import Answer, Server, basic


class _Half:
    """What http.client reads one answer from, without closing it at the end."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.closed = False

    def makefile(self, *_: Any) -> Any:
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def close(self) -> None:
        self.closed = True

    def flush(self) -> None: ...


class Raw:
    """One connection."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self.socket.makefile("rb")

    def head(self, method: str, path: str, *lines: str, token: bool = True) -> bytes:
        """A request's head, with a token unless told otherwise."""
        named = [f"{method} {path} HTTP/1.1", f"Host: {self.server.host}", *lines]
        if token:
            named.append(f"Authorization: {basic(self.server.token('dom'))}")
        return ("\r\n".join(named) + "\r\n\r\n").encode()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self, method: str = "GET") -> Answer:
        """The next answer on this connection; interim ones are returned as they are."""
        status = self._stream.peek(12)[:12]
        if status.startswith(b"HTTP/1.1 100"):
            assert self._stream.readline() == b"HTTP/1.1 100 Continue\r\n"
            assert self._stream.readline() == b"\r\n"
            return Answer(100, {}, b"")
        reply = http.client.HTTPResponse(_Half(self._stream), method=method)  # type: ignore[arg-type]
        reply.begin()
        return Answer(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())

    def ended(self) -> bool:
        """Wait for the end of the connection; anything but an end is an error."""
        try:
            return bool(self._stream.read(1) == b"")
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self._stream.close()
        self.socket.close()
