"""A proxy in front of a real HTTP server that does harm: for tests of what a bad bucket does to us.

    async with Faulty(server.url) as proxy:
        proxy.fault = lambda request: Cut(after=1000)       # None: let it pass
        ... proxy.url ...; proxy.requests

One request a connection goes through it, so that each is met by what `fault` says then.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Seen:
    """A request: its line and headers (lower case)."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Cut:
    """Break the connection off after so many bytes of the answer's body."""

    after: int


@dataclass(frozen=True)
class Say:
    """Answer this instead of asking."""

    status: int
    code: str = "SlowDown"


@dataclass(frozen=True)
class Refuse:
    """Break the connection off at once, the request unread."""


@dataclass(frozen=True)
class Lose:
    """Let the request through, and break off instead of telling the answer."""


@dataclass(frozen=True)
class Hang:
    """Never answer."""


Fault = Cut | Say | Refuse | Lose | Hang | None


@dataclass
class Faulty:
    """On a free loopback port, for as long as its context lasts."""

    target: str
    fault: Callable[[Seen], Fault] = lambda request: None
    requests: list[Seen] = field(default_factory=list)
    url: str = ""

    async def __aenter__(self) -> Self:
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            await self._answer(head, reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()  # no polite end: what is half sent must look so

    async def _answer(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = _parse(head)
        self.requests.append(request)
        fault = self.fault(request)
        if isinstance(fault, Refuse):
            return
        if isinstance(fault, Hang):
            await asyncio.Event().wait()
        body = await reader.readexactly(int(request.headers.get("content-length", 0)))
        if isinstance(fault, Say):
            text = f"<Error><Code>{fault.code}</Code></Error>".encode()
            if request.method == "HEAD":
                text = b""
            writer.write(
                b"HTTP/1.1 %d No\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % (fault.status, len(text))
            )
            writer.write(text)
            await _flushed(writer)
            return
        await self._pass(head, body, fault, writer)

    async def _pass(self, head: bytes, body: bytes, fault: Fault, writer: asyncio.StreamWriter) -> None:
        """The server's answer, byte by byte, up to where it is cut."""
        parts = urlsplit(self.target)
        theirs, ours = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            ours.write(head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            ours.write(body)
            answer = await theirs.readuntil(b"\r\n\r\n")
            if isinstance(fault, Lose):
                await theirs.read()
                return
            writer.write(answer)
            left = fault.after if isinstance(fault, Cut) else None
            while left is None or left > 0:
                chunk = await theirs.read(65_536 if left is None else min(left, 65_536))
                if not chunk:
                    break
                writer.write(chunk)
                await writer.drain()
                left = None if left is None else left - len(chunk)
            await _flushed(writer)
        finally:
            ours.transport.abort()


@contextmanager
def beside(target: str) -> Iterator[Faulty]:
    """The same for tests that do not run in a loop: in a thread of its own."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    ended = asyncio.Event()
    proxy = Faulty(target)

    async def run() -> None:
        async with proxy:
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        loop.close()


async def _flushed(writer: asyncio.StreamWriter) -> None:
    """Everything is with the system, so that an abort takes nothing back."""
    await writer.drain()
    while writer.transport.get_write_buffer_size():
        await asyncio.sleep(0)
    writer.write_eof()
    await asyncio.sleep(0)


def _parse(head: bytes) -> Seen:
    lines = head.decode("latin-1").split("\r\n")
    method, path, _ = lines[0].split(" ", 2)
    return Seen(
        method, path, {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:] if line)}
    )
