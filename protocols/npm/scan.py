"""The body of a publish, taken apart while it arrives.

It is one JSON document with the tarball inside, in base64.  The scanner passes the text of
`_attachments.*.data` on as bytes and collects the rest, with an empty string in the tarball's place.  So it need
only be right about valid JSON: whatever confuses it is refused when what was collected is decoded.
Attachments named `*.sigstore` are JSON text, not base64 (`npm publish --provenance`), and stay in the document.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator

from protocols.npm import jsontext

MAX_DEPTH = 500
MAX_STEPS = 1_500_000
"""Braces, brackets and keys that are looked at one by one; a packument of ten thousand versions has a fifth of that."""
_STRUCTURE = re.compile(rb'["{}\[\],]')
_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_OPAQUE = re.compile(rb'(?:[^"{}\[\]]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+', re.DOTALL)
_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|([^u]))", re.DOTALL)
_PLAIN = {b"/": b"/", b"n": b"", b"r": b"", b"t": b""}


class TooLong(Exception):
    """What is to be collected is above its limit."""


class Scanner:
    """`feed` the body in chunks; it yields the tarball's base64 text.  `done` gives the rest.

    Both raise ValueError for what cannot be a publish, `feed` raises TooLong.
    """

    def __init__(self, limit: int) -> None:
        self.tarballs: list[str] = []
        """The keys of the attachments seen so far; the last one may still be arriving."""
        self.in_data = False
        self._limit = limit
        self._document = bytearray()
        self._at = 0
        self._depth = 0
        self._steps = 0
        self._keys: list[bytes] = []  # the key that is open at each level of interest
        self._opaque = 0  # depth at which a value of no interest began; 0 outside one
        self._string = -1  # where the string that is being read began
        self._is_key = False
        self._wants_key = False
        self._held = b""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        while chunk:
            if not self.in_data:
                chunk = self._collect(chunk)
                continue
            segment, chunk = self._segment(chunk)
            if segment:
                yield segment

    def done(self) -> bytes:
        if self.in_data or self._depth or self._string >= 0 or not self._document:
            raise ValueError("The request body ends in the middle of the document")
        return bytes(self._document)

    # --- the document ------------------------------------------------------------------------

    def _collect(self, chunk: bytes) -> bytes:
        """Read on in the document; what follows the opening quote of a tarball comes back."""
        document = self._document
        document += chunk
        while self._at < len(document):
            self._steps += 1
            if self._string >= 0:
                if not self._end_string():
                    break
            elif self._opaque:
                self._skip()
            elif self._step():
                rest = bytes(document[self._at :])
                document[self._at :] = b'"'
                self._at += 1
                self._check()
                return rest
        self._check()
        return b""

    def _check(self) -> None:
        if self._steps > MAX_STEPS:
            raise ValueError("The request body has too many parts")
        if len(self._document) > self._limit:
            raise TooLong

    def _end_string(self) -> bool:
        found = _STRING.match(self._document, self._at)
        self._at = found.end() if found else self._at
        if self._at == len(self._document) or self._document[self._at] != 0x22:
            return False  # the chunk ended inside it, perhaps after a backslash
        self._at += 1
        if self._is_key:
            text = bytes(self._document[self._string : self._at])
            self._keys[-1] = jsontext.decode(text, str).encode() if len(text) < 1000 else b""
        self._string = -1
        return True

    def _skip(self) -> None:
        """Over a value of no interest: only its braces count."""
        found = _OPAQUE.match(self._document, self._at)
        self._at = found.end() if found else self._at
        if self._at == len(self._document):
            return
        byte = self._document[self._at]
        if byte == 0x22:
            self._string, self._is_key = self._at, False
        else:
            self._move(byte)
            if self._depth < self._opaque:
                self._opaque = 0
        self._at += 1

    def _move(self, byte: int) -> None:
        self._depth += 1 if byte in b"{[" else -1
        if self._depth < 0:
            raise ValueError("The request body is not JSON")
        if self._depth > MAX_DEPTH:
            raise ValueError("The request body is nested too deeply")

    def _step(self) -> bool:
        """One structural character at a level of interest; True when a tarball's text begins at `_at`."""
        found = _STRUCTURE.search(self._document, self._at)
        if found is None:
            self._at = len(self._document)
            return False
        byte = self._document[found.start()]
        self._at = found.end()
        if byte == 0x22:
            if not self._wants_key and self._is_tarball():
                self._begin()
                return True
            self._string, self._is_key, self._wants_key = found.start(), self._wants_key, False
        elif byte == 0x2C:
            self._wants_key = bool(self._keys)
        else:
            self._move(byte)
            self._nest(byte)
        return False

    def _nest(self, byte: int) -> None:
        if byte == 0x7B and self._opens_interest():
            self._keys.append(b"")
            self._wants_key = True
        elif byte in b"{[":
            self._opaque = self._depth
        else:
            del self._keys[self._depth :]
            self._wants_key = False

    def _opens_interest(self) -> bool:
        match self._keys:
            case []:
                return True
            case [b"_attachments"]:
                return True
            case [b"_attachments", name]:
                return not name.endswith(b".sigstore")
        return False

    def _is_tarball(self) -> bool:
        return len(self._keys) == 3 and self._keys[2] == b"data"

    def _begin(self) -> None:
        self.tarballs.append(self._keys[1].decode("utf-8", "replace"))
        if len(self.tarballs) > 1:
            raise ValueError("The request body holds more than one tarball")
        self.in_data = True

    # --- the tarball -------------------------------------------------------------------------

    def _segment(self, chunk: bytes) -> tuple[bytes, bytes]:
        """Base64 text up to the end of the chunk or of the string, and what follows the string."""
        end = chunk.find(b'"')
        rest = b""
        if end >= 0:
            chunk, rest = chunk[:end], chunk[end + 1 :]
            self.in_data = False
        text = self._held + chunk
        self._held = b""
        if b"\\" in text:
            cut = text.rfind(b"\\", max(0, len(text) - 6))
            if self.in_data and cut >= 0 and not _ESCAPE.match(text, cut):
                text, self._held = text[:cut], text[cut:]
            text = _ESCAPE.sub(_unescaped, text)
            if b"\\" in text:
                raise ValueError("The attachment is not base64")
        return text, rest


def _unescaped(match: re.Match[bytes]) -> bytes:
    if match[1]:
        code = int(match[1], 16)
        return bytes([code]) if code < 128 else b"?"
    return _PLAIN.get(match[2], b"?")


class Base64:
    """Strict base64, piece by piece.  `feed` and `done` raise ValueError."""

    def __init__(self) -> None:
        self._rest = b""
        self._padded = False

    def feed(self, text: bytes) -> bytes:
        if b" " in text or b"\n" in text or b"\r" in text or b"\t" in text:
            text = text.translate(None, b" \n\r\t")
        text = self._rest + text if self._rest else text
        whole = len(text) & ~3
        self._rest = text[whole:]
        if not whole:
            return b""
        if self._padded:
            raise ValueError("The attachment is not base64: it goes on after its padding")
        try:
            bytes_ = binascii.a2b_base64(memoryview(text)[:whole], strict_mode=True)
        except binascii.Error as err:
            raise ValueError(f"The attachment is not base64: {err}") from None
        self._padded = text[whole - 1] == 0x3D
        return bytes_

    def done(self) -> None:
        if self._rest:
            raise ValueError("The attachment is not base64: its length is no multiple of four")
