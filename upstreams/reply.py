"""An external registry's answer, its body read with limits."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Mapping

import aiohttp
from multidict import CIMultiDict

from registry.core.errors import UpstreamUnavailable


class Broken(UpstreamUnavailable):
    """A body that ended too early: asking once more may help."""


class Reply:
    """Implements registry.core.ports.HttpReply."""

    def __init__(self, response: aiohttp.ClientResponse, name: str) -> None:
        self.status = response.status
        self.headers = _readable(response.headers)
        self.url = str(response.url)
        self._response = response
        self._name = name

    async def body(self, limit: int) -> bytes:
        """The whole body, decoded.  Raises UpstreamUnavailable when it is longer than `limit`, cut short or slow."""
        if (self._response.content_length or 0) > limit:
            raise self._too_long(limit)
        whole = bytearray()
        async for chunk in self.chunks():
            whole += chunk
            if len(whole) > limit:
                raise self._too_long(limit)
        return bytes(whole)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives.  Raises UpstreamUnavailable when it is cut short or slow."""
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except TimeoutError:
            raise Broken(f"The external registry {self._name} stopped in the middle of its answer") from None
        except (aiohttp.ClientError, OSError, ValueError, zlib.error):
            raise Broken(f"The external registry {self._name} broke off in the middle of its answer") from None

    def _too_long(self, limit: int) -> UpstreamUnavailable:
        return UpstreamUnavailable(f"The external registry {self._name} answered with more than {limit} bytes")


def _readable(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Without those whose bytes are no text: they could be neither kept nor sent back."""
    if all(value.isascii() for value in headers.values()):
        return headers
    kept = [(n, v) for n, v in headers.items() if not any("\ud800" <= char <= "\udfff" for char in v)]
    return CIMultiDict(kept)
