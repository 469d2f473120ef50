"""Documents beside a file: `.metadata` (PEP 658), `.provenance` (PEP 740), `.asc`.

A stored wheel's METADATA is read out of the wheel itself when it is asked for, so the bytes are those that
were announced; reading it retains nothing.  What only an external registry has is passed through, checked
against the digest that the registry declared.
"""

from __future__ import annotations

import asyncio
import io
from collections import OrderedDict
from typing import IO, cast

from protocols.pypi import artifact, render
from protocols.pypi.artifact import Document
from protocols.pypi.names import Filename, parse_filename
from protocols.pypi.native import file_facts, unpack
from registry.core.errors import InternalServer, ResourceNotFound
from registry.core.ports import Content
from registry.core.types import Listed, PackageKey, VersionKey
from registry.core.view import RepoView

_KEEP_BYTES = 16 * 1024**2
_FETCH = 128 * 1024
_MAX_FETCHED = 64 * 1024**2


class _Recent:
    """METADATA by the digest of its wheel, bounded by bytes.  Content-addressed: it cannot go stale."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, Document] = OrderedDict()
        self._size = 0

    def get(self, sha256: str) -> Document | None:
        found = self._held.get(sha256)
        if found is not None:
            self._held.move_to_end(sha256)
        return found

    def put(self, sha256: str, document: Document) -> None:
        if sha256 in self._held or len(document.body) > _KEEP_BYTES // 8:
            return
        self._held[sha256] = document
        self._size += len(document.body)
        while self._size > _KEEP_BYTES:
            _, gone = self._held.popitem(last=False)
            self._size -= len(gone.body)


_recent = _Recent()


async def stored_metadata(view: RepoView, key: VersionKey, filename: str) -> Document | None:
    """METADATA of a wheel that some repository of the chain has stored; None where none has, or for an sdist."""
    try:
        named = parse_filename(filename, key.package.name)
    except ValueError:
        return None
    if named.kind != "wheel":
        return None
    try:
        content = await view.open(key, filename, retain=False)
    except ResourceNotFound:
        return None
    sha256 = content.digests.get("sha256", "")
    found = _recent.get(sha256)
    if found is None:
        found = await extracted(content, named)
        if found is not None and sha256:
            _recent.put(sha256, found)
    return found


async def extracted(content: Content, named: Filename) -> Document | None:
    """METADATA out of a stored wheel, wherever it is stored; None for one that cannot be read."""
    try:
        if content.path is not None:
            return await asyncio.to_thread(artifact.read, content.path, named)
        return await _remote(content, named)
    except ValueError:
        return None


async def _remote(content: Content, named: Filename) -> Document | None:
    """From a store without local files: only the ranges of the archive that its reader asks for."""
    if content.size is None:
        return None
    source = _Ranges(content.size)
    while True:
        try:
            return await asyncio.to_thread(artifact.read_wheel, cast(IO[bytes], source.rewound()), named)
        except _Missing as gap:
            end = min(content.size, max(gap.end, gap.start + _FETCH))
            chunks = [chunk async for chunk in content.read(gap.start, end)]
            source.add(gap.start, b"".join(chunks))


class _Missing(Exception):
    """The reader wants bytes that were not fetched yet."""

    def __init__(self, start: int, end: int) -> None:
        self.start = start
        self.end = end


class _Ranges(io.RawIOBase):
    """A read-only file of which only some ranges are known."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._at = 0
        self._known: list[tuple[int, bytes]] = []
        self._total = 0

    def rewound(self) -> _Ranges:
        self._at = 0
        return self

    def add(self, start: int, body: bytes) -> None:
        self._total += len(body)
        if not body or self._total > _MAX_FETCHED:
            raise InternalServer("The stored wheel could not be read")
        self._known.append((start, body))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        base = {0: 0, 1: self._at, 2: self._size}[whence]
        if base + offset < 0:
            raise ValueError("The archive points before its own beginning")
        self._at = base + offset
        return self._at

    def close(self) -> None:
        """Stays usable: the next attempt reads it again."""

    def read(self, size: int = -1) -> bytes:
        end = self._size if size < 0 else min(self._size, self._at + size)
        out = bytearray()
        while self._at < end:
            piece = next((k for k in self._known if k[0] <= self._at < k[0] + len(k[1])), None)
            if piece is None:
                start, self._at = self._at, self._at - len(out)
                raise _Missing(start, end)
            start, body = piece
            out += body[self._at - start : end - start]
            self._at = min(end, start + len(body))
        return bytes(out)


async def metadata_of(view: RepoView, package: PackageKey, version: Listed) -> bytes | None:
    """The metadata file of some wheel of a version, stored or announced by its registry."""
    key = VersionKey(package, version.version)
    wheels = [entry for entry in render.entries((version,)) if entry.file.name.lower().endswith(".whl")]
    for entry in wheels:
        if not entry.file.url:
            document = await stored_metadata(view, key, entry.file.name)
            if document is not None:
                return document.body
        elif entry.facts.core_metadata:
            content = await view.open(key, f"{entry.file.name}.metadata")
            return b"".join([chunk async for chunk in content.read(0, artifact.MAX_METADATA)])
    return None


async def own_document(view: RepoView, key: VersionKey, filename: str, kind: str) -> bytes | None:
    """Provenance or signature that came with an upload, None where we keep none of our own."""
    listing = await view.listing(key.package)
    for version in (*listing.versions, *listing.unlisted):
        if version.version == key.version:
            facts = next((file_facts(file.native) for file in version.files if file.name == filename), None)
            packed = None if facts is None else facts.attested if kind == "provenance" else facts.signature
            return None if packed is None else unpack(packed)
    return None
