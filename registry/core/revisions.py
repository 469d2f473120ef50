"""Package version revisions: a digest over assets and metadata.

Guide, "Package version revision": a string that identifies a specific set of assets and metadata.
The same content has the same revision in every repository; status, times and tags are not part of it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable

from registry.core.types import Asset


def revision(native: bytes, assets: Iterable[Asset]) -> str:
    """44 characters of base64: a SHA-256 over the version's metadata and its assets by name.

    Facts are read out of these, so they add nothing.
    """
    digest = hashlib.sha256()
    _field(digest, native)
    for asset in sorted(assets, key=lambda a: a.name):
        _field(digest, asset.name.encode())
        _field(digest, asset.blob.digests.sha256.encode())
        _field(digest, asset.native)
    return base64.b64encode(digest.digest()).decode()


def _field(digest: hashlib._Hash, value: bytes) -> None:
    """Length first, so that no two lists of fields run into the same bytes."""
    digest.update(len(value).to_bytes(8, "big"))
    digest.update(value)
