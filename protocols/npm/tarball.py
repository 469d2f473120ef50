"""What a published tarball says of itself, read from its headers without unpacking anything.

Blocking: call it in a thread.  Limits on entries, sizes and compression ratio hold whatever the archive claims.
The client unpacks by dropping the first path component; a later entry replaces an earlier one of the same name.
"""

from __future__ import annotations

import contextlib
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MAX_ENTRIES = 500_000
MAX_UNPACKED = 16 * 1024**3
MAX_RATIO = 250
FREE_OF_RATIO = 256 * 1024**2
"""Bytes that may be unpacked from anything: a second's work."""
MIN_MEMBER = 1024
"""Bytes of a gzip member on average, beyond the first thousand: each costs a copy of what follows it."""
MAX_MANIFEST = 4 * 1024**2
MAX_README = 512 * 1024
_MAX_EXTENSION = 1024**2
_BLOCK = 512
_MANY = 64
"""Entries that are more than a glance."""
_CHUNK = 256 * 1024
_README = re.compile(r"readme(?:\.(?:md|markdown|mdown|mkd|txt|rst))?\Z", re.IGNORECASE)


@dataclass(slots=True)
class Contents:
    """What the archive holds."""

    manifest: bytes | None = None
    readme: str | None = None
    readme_name: str = ""
    files: int = 0
    unpacked: int = 0
    shrinkwrap: bool = False
    gyp: bool = False


@dataclass(frozen=True, slots=True)
class _Entry:
    path: str
    size: int
    kind: bytes


class Heavy(Exception):
    """There is more to unpack than was to be done at once."""


def inspect(source: Path | BinaryIO, *, heavy: int | None = None) -> Contents:
    """Read the whole archive.  Raises ValueError for what is not a gzipped tar, or breaks a limit.

    With `heavy`, raises Heavy for one that unpacks to more than so many bytes, or has many entries.
    """
    if isinstance(source, Path):
        with source.open("rb") as file:
            return inspect(file, heavy=heavy)
    return _walk(_Inflated(source, heavy=heavy), Contents())


def find_readme(file: BinaryIO, limit: int = 16 * 1024**2) -> str | None:
    """The readme, looked for in the first `limit` unpacked bytes; None when there is none or it is broken."""
    contents = Contents()
    with contextlib.suppress(ValueError):
        _walk(_Inflated(file, stop=limit), contents)
    return contents.readme


def _walk(source: _Inflated, contents: Contents) -> Contents:
    extra: dict[str, bytes] = {}
    entries = 0
    while (header := source.take(_BLOCK)) and header.strip(b"\0"):
        entries += 1
        if entries > MAX_ENTRIES:
            raise ValueError(f"The tarball has more than {MAX_ENTRIES} entries")
        if entries > _MANY and source.heavy is not None:
            raise Heavy
        entry = _entry(header, extra)
        if entry.kind in (b"x", b"L"):
            extra |= _extension(entry, source.take(_limited(entry.size, _MAX_EXTENSION)))
        else:
            _note(entry, source, contents)
            if entry.kind != b"g":
                extra = {}
        source.skip(-source.taken % _BLOCK)
    return contents


def _limited(size: int, limit: int) -> int:
    if size > limit:
        raise ValueError(f"A header or manifest of {size} bytes in the tarball is above the limit of {limit}")
    return size


def _entry(header: bytes, extra: dict[str, bytes]) -> _Entry:
    if len(header) < _BLOCK:
        raise ValueError("The tarball ends in the middle of an entry")
    if _number(header[148:156]) != sum(header[:148]) + 8 * 32 + sum(header[156:]):
        raise ValueError("The tarball has a damaged header")
    name = header[:100].split(b"\0", 1)[0]
    if header[257:262] == b"ustar" and header[262:264] != b" \0" and header[345:346] != b"\0":
        name = header[345:500].split(b"\0", 1)[0] + b"/" + name
    name = extra.get("path", name)
    kind = header[156:157]
    declared = extra.get("size")
    size = _number(header[124:136]) if declared is None or kind in (b"x", b"L", b"g") else _digits(declared)
    # Links, directories and devices have no content, whatever their header says.
    return _Entry(name.decode("utf-8", "replace"), 0 if kind in (b"1", b"2", b"3", b"4", b"5", b"6") else size, kind)


def _number(field: bytes) -> int:
    if field[0] & 0x80:
        return int.from_bytes(field, "big") & ~(0x80 << 8 * (len(field) - 1))
    text = field.strip(b" \0")
    # int() alone would take signs and underscores, and a size below zero leads backwards.
    if not text.isdigit() and text:
        raise ValueError("The tarball has a damaged header")
    try:
        return int(text, 8) if text else 0
    except ValueError:
        raise ValueError("The tarball has a damaged header") from None


def _digits(text: bytes) -> int:
    if not text.isdigit() or len(text) > 19:
        raise ValueError("The tarball has a damaged header")
    return int(text)


def _extension(entry: _Entry, body: bytes) -> dict[str, bytes]:
    if entry.kind == b"L":
        return {"path": body.rstrip(b"\0")}
    found: dict[str, bytes] = {}
    at = 0
    while at < len(body):
        length = body[at : at + 20].partition(b" ")[0]
        end = at + _digits(length)
        key, equals, text = body[at + len(length) + 1 : end - 1].partition(b"=")
        if not equals or end > len(body):
            raise ValueError("The tarball has a damaged header")
        if key in (b"path", b"size"):
            found[key.decode()] = text
        at = end
    return found


def _note(entry: _Entry, source: _Inflated, contents: Contents) -> None:
    if entry.kind not in (b"0", b"\0", b"7"):
        source.skip(entry.size)
        return
    contents.files += 1
    contents.unpacked += entry.size
    name = "/".join(part for part in entry.path.split("/")[1:] if part not in ("", "."))
    if name == "package.json":
        contents.manifest = source.take(_limited(entry.size, MAX_MANIFEST))
        return
    contents.shrinkwrap |= name == "npm-shrinkwrap.json"
    contents.gyp |= name == "binding.gyp"
    head = 0
    if _README.match(name) and (not contents.readme_name or name.lower() == "readme.md"):
        head = min(entry.size, MAX_README)
        contents.readme, contents.readme_name = source.take(head).decode("utf-8", "replace"), name
    source.skip(entry.size - head)


class _Inflated:
    """The unpacked bytes of a gzip file, forward only, within limits."""

    def __init__(self, file: BinaryIO, stop: int = MAX_UNPACKED, heavy: int | None = None) -> None:
        self._file = file
        self._gzip = zlib.decompressobj(wbits=31)
        self._ready = b""
        self._at = 0
        self._stop = stop
        self.heavy = heavy
        self._in = 0
        self._members = 1
        self.taken = 0

    def take(self, size: int) -> bytes:
        """The next bytes; fewer at the end."""
        parts = []
        while size:
            if self._at == len(self._ready) and not self._fill():
                break
            part = self._ready[self._at : self._at + size]
            self._at += len(part)
            self.taken += len(part)
            size -= len(part)
            parts.append(part)
        return b"".join(parts)

    def skip(self, size: int) -> None:
        """Drop bytes.  Raises ValueError when they are not all there."""
        while size:
            if self._at == len(self._ready) and not self._fill():
                raise ValueError("The tarball ends in the middle of an entry")
            step = min(size, len(self._ready) - self._at)
            self._at += step
            self.taken += step
            size -= step

    def _fill(self) -> bool:
        self._at, self._ready = 0, b""
        while not self._ready:
            if self._gzip.eof:
                # Members may follow one another; anything else after the end is ignored, as tar does.
                rest = self._gzip.unused_data or self._read()
                if rest[:2] != b"\x1f\x8b":
                    return False
                self._members += 1
                if self._members > 1000 + self._in // MIN_MEMBER:
                    raise ValueError("The tarball consists of too many gzip members")
                self._gzip = zlib.decompressobj(wbits=31)
                source = rest
            else:
                source = self._gzip.unconsumed_tail or self._read()
                if not source:
                    raise ValueError("The tarball is cut short")
            try:
                self._ready = self._gzip.decompress(source, _CHUNK)
            except zlib.error:
                raise ValueError("The tarball is not gzip") from None
        unpacked = self.taken + len(self._ready)
        if self.heavy is not None and unpacked > self.heavy:
            raise Heavy
        if unpacked > self._stop or unpacked > max(MAX_RATIO * self._in, FREE_OF_RATIO):
            raise ValueError("The tarball unpacks to more than is allowed")
        return True

    def _read(self) -> bytes:
        chunk = self._file.read(_CHUNK)
        self._in += len(chunk)
        return chunk
