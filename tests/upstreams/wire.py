"""A registry on loopback that can be bent out of shape: every byte of its answers is ours."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

Body = bytes | Callable[[], AsyncIterator[bytes]]


@dataclass(frozen=True)
class Asked:
    """A request as it came in."""

    path: str
    headers: Mapping[str, str]


@dataclass
class Answer:
    """What to send.  `length` None sends chunked, -1 sends until close, a number is sent as it is, "own" the true one.

    `cut`: break the connection off after the body instead of ending it properly.
    """

    status: int = 200
    body: Body = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | str | None = "own"
    cut: bool = False


Handler = Callable[[Asked], Answer | Awaitable[Answer]]


class Wire:
    """Answers by exact path (with its query); 404 elsewhere.  `asked` keeps every request."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: dict[str, Answer | Handler] = {}
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.connections = 0

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse connections from now on; start() comes back on the same port."""
        if self._server is not None:
            self._server.close()
            for writer in tuple(self._open):
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        self.connections += 1
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        asked = Asked(head[0].split(" ")[1].removeprefix(self.base.rstrip("/")), headers)
        self.asked.append(asked)
        found = self.answers.get(asked.path, Answer(404, b"not here"))
        if callable(found):
            outcome = found(asked)
            found = outcome if isinstance(outcome, Answer) else await outcome
        return await self._send(found, writer)

    async def _send(self, answer: Answer, writer: asyncio.StreamWriter) -> bool:
        length = answer.length
        if length == "own":
            length = len(answer.body) if isinstance(answer.body, bytes) else None
        lines = [f"HTTP/1.1 {answer.status} Whatever", *(f"{k}: {v}" for k, v in answer.headers.items())]
        if length is None:
            lines.append("Transfer-Encoding: chunked")
        elif length != -1:
            lines.append(f"Content-Length: {length}")
        else:
            lines.append("Connection: close")
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        async for piece in _pieces(answer.body):
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if length is None else piece)
            await writer.drain()
        if answer.cut:
            return False
        if length is None:
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        return length != -1


async def _pieces(body: Body) -> AsyncIterator[bytes]:
    if isinstance(body, bytes):
        if body:
            yield body
        return
    async for piece in body():
        yield piece
