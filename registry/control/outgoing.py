"""Answers of the control plane on the wire: a document, a stream, an error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.types import Receive, Send

from registry.control.call import Payload
from registry.control.failures import Failure
from registry.control.model import Operation
from registry.control.restjson import serialize

Headers = list[tuple[bytes, bytes]]

_JSON = (b"content-type", b"application/json")


@dataclass(frozen=True, slots=True)
class Answer:
    """Ready to be sent: nothing of it can turn into an error answer any more.

    `rest` follows `body` in a stream; a fault in it breaks the connection off, so that no client takes a part for
    the whole.
    """

    status: int
    headers: Headers
    body: bytes
    rest: AsyncIterator[bytes] | None = None

    async def send(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        if self.rest is None:
            await send({"type": "http.response.body", "body": self.body})
            return
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        gone = asyncio.ensure_future(_gone(receive))
        try:
            async for chunk in self.rest:
                if gone.done():
                    return
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()
            close = getattr(self.rest, "aclose", None)  # a generator lets go of its file at once
            if close is not None:
                await close()


async def result(operation: Operation, value: Mapping[str, Any], request_id: str) -> Answer:
    """By the operation's output shape.  Reads the first chunk of a payload, so that a lost file is an error."""
    headers, document = serialize(operation.output, value)
    headers.append((b"x-amzn-requestid", request_id.encode("ascii")))
    if operation.output.payload is None:
        return Answer(200, [_JSON, _length(len(document)), *headers], document)
    payload: Payload = value[operation.output.payload]
    chunks = aiter(payload.chunks)
    first = await anext(chunks, b"")
    headers += [(b"content-type", b"application/octet-stream"), _length(payload.size)]
    return Answer(200, headers, first, chunks)


def failure(failed: Failure, request_id: str) -> Answer:
    """What is left of the request's body is not waited for."""
    body = msgspec.json.encode(failed.document)
    headers = [
        _JSON,
        _length(len(body)),
        (b"x-amzn-requestid", request_id.encode("ascii")),
        (b"x-amzn-errortype", failed.type.encode("ascii")),
        *((name.encode("ascii"), value.encode("ascii")) for name, value in failed.headers.items()),
    ]
    return Answer(failed.status, headers, body)


def _length(size: int) -> tuple[bytes, bytes]:
    return (b"content-length", str(size).encode("ascii"))


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
