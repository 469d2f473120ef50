"""Documents beside a file: `.metadata` (PEP 658), `.provenance` (PEP 740), `.asc`.

A stored wheel's METADATA is read out of the wheel itself when it is asked for, so the bytes are those that
were announced; reading it retains nothing.  What only an external registry has is passed through, checked
against the digest that the registry declared.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import IO

from protocols.pypi import artifact, render
from protocols.pypi.artifact import Document
from protocols.pypi.names import Filename, parse_filename
from protocols.pypi.native import file_facts, unpack
from registry.core.errors import ResourceNotFound
from registry.core.ports import Content
from registry.core.types import Listed, PackageKey, VersionKey
from registry.core.view import RepoView
from registry.web import stored

_KEEP_BYTES = 16 * 1024**2


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

    def read(file: IO[bytes]) -> Document | None:
        try:
            return artifact.read_wheel(file, named)
        except ValueError:
            return None

    return await stored.read(content, read)


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
