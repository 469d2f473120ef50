"""Secrets at rest, sealed under the master key.

    secrets = Secrets(master_key(keys_directory, environ))    # reads or makes the file; call off the loop
    sealed = secrets.seal(b"...", access_key_id)
    secrets.unseal(sealed, access_key_id)
    secrets.derive("tokens")                                  # a key of 32 bytes for one purpose

The master key itself seals nothing: every use has a key of its own, derived by HKDF.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import re
import secrets as random
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from registry.core.errors import Unavailable

SIZE = 32
VARIABLE = "PACKYARD_MASTER_KEY"
_NONCE = 12
_VERSION = b"\x01"


class KeyFileError(Exception):
    """The master key is not usable; the message says why and holds no part of it."""


class Secrets:
    """Seals under one master key of 32 bytes."""

    def __init__(self, master: bytes) -> None:
        if len(master) != SIZE:
            raise KeyFileError(f"The master key must be {SIZE} bytes")
        self._master = master
        self._cipher = AESGCM(self.derive("sealed secrets"))

    def seal(self, plain: bytes, name: str) -> bytes:
        """AES-GCM; only the same name unseals it."""
        nonce = os.urandom(_NONCE)
        return _VERSION + nonce + self._cipher.encrypt(nonce, plain, name.encode())

    def unseal(self, sealed: bytes, name: str) -> bytes:
        """Raises Unavailable when it was sealed under another key or name, or was changed."""
        try:
            if sealed[:1] != _VERSION:
                raise InvalidTag
            return self._cipher.decrypt(sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :], name.encode())
        except (InvalidTag, ValueError):
            raise Unavailable("A stored secret cannot be unsealed; was the master key changed?") from None

    def derive(self, purpose: str) -> bytes:
        """A key of 32 bytes (HKDF-SHA256) for one purpose."""
        return HKDF(SHA256(), SIZE, salt=None, info=f"packyard {purpose}".encode()).derive(self._master)


def master_key(keys: Path, environ: Mapping[str, str]) -> bytes:
    """From PACKYARD_MASTER_KEY (64 hex digits, or base64 of 32 bytes), else from the file `keys`/master.

    The file is made if absent, mode 0600; of several processes that start at once, one makes it for all.
    Blocks.  Raises KeyFileError.
    """
    if text := environ.get(VARIABLE, "").strip():
        return _read(text, VARIABLE)
    path = keys / "master"
    try:
        keys.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
        return _read(path.read_text().strip(), "The master key file")
    except (OSError, UnicodeDecodeError) as err:
        reason = err.strerror if isinstance(err, OSError) else "it is not text"
        raise KeyFileError(f"The master key file cannot be used: {reason}") from err


def _make(path: Path) -> None:
    """Whole or not at all: a link to a finished file fails where another process was first."""
    fresh = path.with_name(f".master.{random.token_hex(8)}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(random.token_hex(SIZE) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _read(text: str, source: str) -> bytes:
    if re.fullmatch(r"[0-9a-fA-F]{64}", text):
        return bytes.fromhex(text)
    with contextlib.suppress(binascii.Error, ValueError):
        if len(key := base64.b64decode(text, validate=True)) == SIZE:
            return key
    raise KeyFileError(f"{source} must be 64 hex digits, or base64 of 32 bytes")
