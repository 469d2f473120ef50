"""The body of a publish: a 32-bit length and the JSON, a 32-bit length and the .crate, nothing after.

Read while it arrives: the JSON is held, which is why it has a limit, the file is handed on piece by piece.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

from registry.core.errors import TooLarge, Validation

MAX_METADATA = 4 * 1024**2
_CUT = "The request body is shorter than it says"


class Framed:
    """A body that is taken apart.  `announced` is its Content-Length, -1 when that is unknown."""

    def __init__(self, chunks: AsyncIterator[bytes], announced: int = -1) -> None:
        self._chunks = chunks
        self._announced = announced
        self._ready = memoryview(b"")
        self._taken = 0

    async def metadata(self) -> bytes:
        """The first part.  Raises Validation, TooLarge."""
        size = await self._length()
        if size > MAX_METADATA:
            raise TooLarge(f"The crate's metadata is larger than {MAX_METADATA} bytes")
        self._check(size)
        return b"".join([bytes(piece) async for piece in self._pieces(size)])

    async def file(self, limit: int) -> AsyncGenerator[memoryview, None]:
        """The second part, which is the last.  Raises Validation, TooLarge."""
        size = await self._length()
        if size > limit:
            raise TooLarge(f"The .crate file is larger than {limit} bytes")
        self._check(size)
        async for piece in self._pieces(size):
            yield piece
        if self._ready or await self._more():
            raise Validation("Something follows the .crate file in the request body")

    def _check(self, size: int) -> None:
        if 0 <= self._announced < self._taken + size:
            raise Validation(_CUT)

    async def _length(self) -> int:
        return int.from_bytes(b"".join([bytes(piece) async for piece in self._pieces(4)]), "little")

    async def _pieces(self, size: int) -> AsyncGenerator[memoryview, None]:
        while size:
            if not self._ready and not await self._more():
                raise Validation(_CUT)
            piece, self._ready = self._ready[:size], self._ready[size:]
            size -= len(piece)
            self._taken += len(piece)
            yield piece

    async def _more(self) -> bool:
        async for chunk in self._chunks:
            if chunk:
                self._ready = memoryview(chunk)
                return True
        return False
