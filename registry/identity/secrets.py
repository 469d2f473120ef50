"""Secrets at rest, sealed under the master key.

secrets = Secrets(master_key(keys_directory, environ))    # reads or makes the file; call off the loop
sealed = secrets.seal(b"...", access_key_id)
secrets.unseal(sealed, access_key_id)
secrets.derive("tokens")                                  # a key of 32 bytes for one purpose
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


class Secrets:
    """Seals under one master key of 32 bytes."""

    def __init__(self, master: bytes) -> None:
        raise NotImplementedError

    def seal(self, plain: bytes, name: str) -> bytes:
        """AES-GCM; only the same name unseals it."""
        raise NotImplementedError

    def unseal(self, sealed: bytes, name: str) -> bytes:
        """Raises Unavailable when it was sealed under another key or name, or was changed."""
        raise NotImplementedError

    def derive(self, purpose: str) -> bytes:
        """A key of 32 bytes (HKDF-SHA256) for one purpose."""
        raise NotImplementedError


def master_key(keys: Path, environ: Mapping[str, str]) -> bytes:
    """From PACKYARD_MASTER_KEY (64 hex digits or base64 of 32 bytes), else from `keys`/master, made if absent.  Blocks."""
    raise NotImplementedError
