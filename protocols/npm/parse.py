"""The bodies that clients send, read into values that cannot be wrong.

`receive` takes a PUT apart while it arrives: the tarball goes to a staged file, the rest is a Document.
`take` does the same with one that has arrived.
Everything raises Validation (400) or TooLarge (413), and leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import msgspec
from msgspec import Raw

from protocols.npm import jsontext, names
from protocols.npm.scan import Base64, Scanner, TooLong
from registry.core.digests import held
from registry.core.errors import TooLarge, Validation
from registry.core.ports import Staging
from registry.core.types import PackageKey, Staged

MAX_REQUEST = 2 * 1024**3
"""Guide, "Asset size limits": the maximum size of a publishing request."""
MAX_DOCUMENT = 64 * 1024**2
"""All but the tarball; `npm deprecate` sends a whole packument back."""
MAX_SMALL = 1024**2
WHOLE = 256 * 1024
"""A request up to here is read whole and taken apart in one go."""
_PIECE = 256 * 1024
_INLINE = 256 * 1024


class Attachment(msgspec.Struct):
    """One of `_attachments`, its text taken out."""

    length: Raw = Raw()
    data: Raw = Raw()


class Document(msgspec.Struct):
    """What the server reads of a PUT; everything else in it is ignored."""

    id: Raw = msgspec.field(default=Raw(), name="_id")
    name: Raw = Raw()
    tags: dict[str, Raw] = msgspec.field(default_factory=dict, name="dist-tags")
    versions: dict[str, Raw] | None = None
    readme: Raw = Raw()
    attachments: dict[str, Attachment] = msgspec.field(default_factory=dict, name="_attachments")
    users: Raw = Raw()
    maintainers: Raw = Raw()


@dataclass(frozen=True, slots=True)
class Received:
    """A PUT that has arrived whole.  `tarball` is the staged attachment, `key` its name in the document."""

    document: Document
    key: str = ""
    tarball: Staged | None = None


class refusing:
    """Turns ValueError, which pure functions raise, into Validation.  `with refusing("what it is of"): ...`"""

    __slots__ = ("_what",)

    def __init__(self, what: str = "") -> None:
        self._what = what

    def __enter__(self) -> None:
        return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, ValueError):
            raise Validation(f"{self._what}: {error}" if self._what else str(error)) from None


def package(full: str) -> PackageKey:
    """The package that a path names.  Raises Validation."""
    with refusing():
        return names.package(full)


async def receive(
    chunks: AsyncIterator[bytes], begin: Callable[[], Awaitable[Staging]], *, max_tarball: int
) -> Received:
    """Read a PUT.  `begin` opens the staging file when a tarball starts (and may refuse)."""
    scanner = Scanner(MAX_DOCUMENT)
    tarball: _Tarball | None = None
    total = 0
    with refusing("The request body is not a publish document"):
        async for chunk in chunks:
            total += len(chunk)
            if total > MAX_REQUEST:
                raise TooLarge(f"The request is larger than {MAX_REQUEST} bytes")
            for segment in _feed(scanner, chunk):
                if tarball is None:
                    tarball = _Tarball(await begin(), max_tarball)
                await tarball.write(segment)
        text = scanner.done()
    staged = await tarball.done() if tarball else None
    return _received(scanner, await _document(text), staged)


def take(scanner: Scanner, body: bytes, *, max_tarball: int) -> Received:
    """Read a PUT that has arrived; better in a thread.  `scanner.tarballs` then says whether it has a tarball."""
    with refusing("The request body is not a publish document"):
        segments = list(_feed(scanner, body))
        text = scanner.done()
    staged = unpacked(b"".join(segments), max_tarball=max_tarball) if segments else None
    with refusing("The request body is not a publish document"):
        document = jsontext.decode(text, Document)
    return _received(scanner, document, staged)


def unpacked(text: bytes, *, max_tarball: int) -> Staged:
    """The tarball that this base64 is.  Raises Validation."""
    base64 = Base64()
    with refusing():
        tarball = base64.feed(text)
        if len(tarball) > max_tarball:
            raise TooLarge(f"The tarball is larger than {max_tarball} bytes")
        base64.done()
    return held(tarball)


def _received(scanner: Scanner, document: Document, staged: Staged | None) -> Received:
    if staged is None and scanner.tarballs:
        raise Validation(f"The attachment {scanner.tarballs[0]!r} is empty")
    if scanner.tarballs and scanner.tarballs[0] not in document.attachments:
        raise Validation("The document has _attachments twice")
    return Received(document, scanner.tarballs[0] if scanner.tarballs else "", staged)


def _feed(scanner: Scanner, chunk: bytes) -> Iterator[bytes]:
    try:
        yield from scanner.feed(chunk)
    except TooLong:
        raise TooLarge(f"The package document is larger than {MAX_DOCUMENT} bytes") from None


class _Tarball:
    """Base64 text on its way to a staged file, in pieces that are worth a thread hop."""

    def __init__(self, staging: Staging, limit: int) -> None:
        self._staging = staging
        self._limit = limit
        self._base64 = Base64()
        self._waiting: list[bytes] = []
        self._size = 0
        self._total = 0

    async def write(self, segment: bytes) -> None:
        self._waiting.append(segment)
        self._size += len(segment)
        if self._size >= _PIECE:
            await self._flush()

    async def _flush(self) -> None:
        piece = self._base64.feed(b"".join(self._waiting))
        self._waiting.clear()
        self._size = 0
        self._total += len(piece)
        if self._total > self._limit:
            raise TooLarge(f"The tarball is larger than {self._limit} bytes")
        if piece:
            await self._staging.write(piece)

    async def done(self) -> Staged:
        with refusing():
            await self._flush()
            self._base64.done()
        return await self._staging.done()


async def _document(text: bytes) -> Document:
    with refusing("The request body is not a publish document"):
        if len(text) < _INLINE:
            return jsontext.decode(text, Document)
        return await asyncio.to_thread(jsontext.decode, text, Document)


def small(body: bytes, encoding: str | None = None) -> Any:
    """A small JSON body as a value."""
    with refusing("The request body is not JSON"):
        if encoding == "gzip":
            body = _gunzip(body)
        return jsontext.decode(body, object)


def _gunzip(body: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        text = unpacker.decompress(body, MAX_SMALL)
    except (zlib.error, gzip.BadGzipFile):
        raise ValueError("not gzip") from None
    if unpacker.unconsumed_tail:
        raise TooLarge(f"The request body is larger than {MAX_SMALL} bytes")
    return text
