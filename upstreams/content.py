"""Assets that can be served at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from registry.core.ports import BlobStore
from registry.core.types import Asset


@dataclass(slots=True)
class Stored:
    """A stored file: implements registry.core.ports.Content."""

    size: int | None
    digests: Mapping[str, str]
    modified: int
    source: str
    path: Path | None
    blobs: BlobStore
    key: str
    redirects: bool = False

    @classmethod
    def of(cls, asset: Asset, blobs: BlobStore, source: str, *, redirects: bool = False) -> Stored:
        blob = asset.blob
        digests = {
            "md5": blob.digests.md5,
            "sha1": blob.digests.sha1,
            "sha256": blob.digests.sha256,
            "sha512": blob.digests.sha512,
        }
        return cls(blob.size, digests, asset.uploaded, source, blobs.path(blob.key), blobs, blob.key, redirects)

    @property
    def identity(self) -> str:
        """A key is made once, so this names the same bytes for ever."""
        return self.key

    def read(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        return self.blobs.read(self.key, start, end)

    async def link(self, *, media_type: str, disposition: str) -> str | None:
        """An address in the store itself, where the format's clients may be sent there and the settings want it."""
        if not self.redirects:
            return None
        return await self.blobs.link(self.key, media_type=media_type, disposition=disposition)


@dataclass(slots=True)
class Document:
    """A small document in memory: implements registry.core.ports.Content."""

    body: bytes
    size: int | None
    digests: Mapping[str, str]
    modified: int
    source: str
    path: Path | None = None

    async def read(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        yield self.body[start:end]
