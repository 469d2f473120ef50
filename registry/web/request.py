"""Req: what a handler of a format sees of a request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request

from registry.core.errors import TooLarge
from registry.core.types import Caller


@dataclass(frozen=True, slots=True)
class Req:
    """A request below a repository's endpoint.

    `path` holds the captured parts, percent-decoded once; `rest` is the raw path below the endpoint.
    `base` is the endpoint's absolute URL as the client sees it, ending in "/".
    """

    request: Request
    method: str
    path: Mapping[str, str]
    rest: str
    base: str
    caller: Caller | None
    id: str

    @property
    def headers(self) -> Headers:
        return self.request.headers

    @property
    def query(self) -> QueryParams:
        return self.request.query_params

    async def stream(self) -> AsyncIterator[bytes]:
        """The body as it arrives.  Raises starlette's ClientDisconnect when it is cut short."""
        async for chunk in self.request.stream():
            if chunk:
                yield chunk

    async def body(self, limit: int) -> bytes:
        """The whole body.  Raises TooLarge above `limit` bytes."""
        whole = bytearray()
        async for chunk in self.stream():
            whole += chunk
            if len(whole) > limit:
                raise TooLarge(f"The request body is larger than {limit} bytes")
        return bytes(whole)
