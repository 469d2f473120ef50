"""Heads of answers, as ASGI events and as bytes."""

from __future__ import annotations

import http

from starlette.types import Send

Raw = list[tuple[bytes, bytes]]

STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode("ascii") for status in http.HTTPStatus
}


def head(status: int, headers: Raw) -> bytes:
    """Status line and header lines, without the blank line that ends them."""
    return STATUS_LINES[status] + b"".join(b"%s: %s\r\n" % each for each in headers)


async def start_answer(send: Send, status: int, headers: Raw) -> None:
    """Send status and headers."""
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def send_whole(
    send: Send, status: int, body: bytes, media_type: str = "application/json", headers: Raw | None = None
) -> None:
    """A small answer in one piece."""
    fixed = [(b"content-type", media_type.encode()), (b"content-length", b"%d" % len(body)), *(headers or [])]
    await start_answer(send, status, fixed)
    await send({"type": "http.response.body", "body": body})


class Aborted(Exception):
    """An answer that has begun cannot be ended; the connection must be broken off."""
