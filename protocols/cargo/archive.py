"""What is in a .crate: a gzipped tar with one directory `{name}-{version}/` that holds Cargo.toml.

Blocking: call it in a thread.  Nothing is unpacked to disk; limits hold whatever the archive claims.
"""

from __future__ import annotations

import re
import tarfile
import tomllib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from protocols.cargo.manifest import MAX_README

MAX_ENTRIES = 100_000
MAX_UNPACKED = 4 * 1024**3
FREE_OF_RATIO = 256 * 1024**2
MAX_RATIO = 250
MAX_MANIFEST = 512 * 1024
MAX_DOTS = 256
"""Dots in one line of a manifest: what reading a dotted key takes grows with the square of its parts."""
_MAX_READ = 8 * 1024**2
_MEMBERS = 1000
_STEP = 256 * 1024
_README = re.compile(r"readme(?:\.(?:md|markdown|txt|rst))?\Z", re.IGNORECASE)
_DAMAGE = (tarfile.TarError, zlib.error, ValueError, EOFError, OSError, OverflowError, LookupError, RecursionError)


@dataclass(slots=True)
class Contents:
    """`[package]` of the manifest, and the text of the readme that it names, or of the usual one."""

    package: dict[str, Any] = field(default_factory=dict)
    readme: str | None = None


def inspect(file: BinaryIO, name: str, version: str) -> Contents:
    """Read the whole archive.  Raises ValueError for one that is not of this crate, unsafe or beyond a limit."""
    try:
        found = _walked(file, f"{name}-{version}")
    except _DAMAGE as err:
        raise ValueError(f"The .crate file cannot be taken: {_told(err)}") from None
    for key, wanted in (("name", name), ("version", version)):
        if found.package.get(key) != wanted:
            raise ValueError(f"The Cargo.toml in the .crate file has {key} {found.package.get(key)!r}, not {wanted!r}")
    return found


def look(file: BinaryIO, name: str, version: str) -> Contents:
    """The same for one whose digest was verified: what can be read of it, and nothing more is asked."""
    try:
        return _walked(file, f"{name}-{version}")
    except _DAMAGE:
        return Contents()


def _told(err: BaseException) -> str:
    if isinstance(err, tomllib.TOMLDecodeError):
        return f"its Cargo.toml is not TOML ({err})"
    return str(err) if isinstance(err, ValueError) and not isinstance(err, UnicodeError) else "it is damaged"


def _walked(file: BinaryIO, root: str) -> Contents:
    found = Contents()
    texts: dict[str, bytes] = {}
    manifest: bytes | None = None
    for archive, entry in _entries(file):
        path = _path(entry, root)
        if path == "Cargo.toml":
            if entry.size > MAX_MANIFEST:
                raise ValueError(f"its Cargo.toml is larger than {MAX_MANIFEST} bytes")
            manifest = _bytes(archive, entry)
        elif "readme" in path.lower() and entry.size <= MAX_README and len(texts) < 16:
            texts[path] = _bytes(archive, entry)
    if manifest is None:
        raise ValueError(f"it has no {root}/Cargo.toml")
    if any(line.count(b".") > MAX_DOTS for line in manifest.split(b"\n")):
        raise ValueError(f"its Cargo.toml has a line with more than {MAX_DOTS} dots")
    package = tomllib.loads(manifest.decode()).get("package")
    found.package = package if isinstance(package, dict) else {}
    named = found.package.get("readme")
    usual = (path for path in texts if _README.match(path))
    chosen = named if isinstance(named, str) and named in texts else next(usual, "")
    if chosen and named is not False:
        found.readme = texts[chosen].decode("utf-8", "replace")
    return found


def _entries(file: BinaryIO) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    inflated = _Inflated(file)
    with tarfile.open(fileobj=inflated, mode="r:") as archive:  # type: ignore[call-overload]
        for count, entry in enumerate(archive, 1):
            if count > MAX_ENTRIES:
                raise ValueError(f"it has more than {MAX_ENTRIES} entries")
            yield archive, entry
            archive.members = []  # tarfile keeps them all
    inflated.finish()


def _path(entry: tarfile.TarInfo, root: str) -> str:
    """The path below the crate's own directory.  Raises ValueError for whatever could end up elsewhere."""
    parts = entry.name.split("/")
    if not (entry.isreg() or entry.isdir()):
        raise ValueError(f"its entry {entry.name[:200]!r} is neither a file nor a directory")
    if parts[0] != root or any(part in ("", ".", "..") for part in parts) or "\\" in entry.name or "\0" in entry.name:
        raise ValueError(f"its entry {entry.name[:200]!r} is not below {root}/")
    return "/".join(parts[1:])


def _bytes(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    content = archive.extractfile(entry)
    return content.read() if content is not None else b""


class _Inflated:
    """Unpacked bytes, forward only, of which nothing large is read at once: as much of a file as tarfile asks for."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._gzip = zlib.decompressobj(wbits=31)
        self._ready = b""
        self._at = 0
        self._in = 0
        self._members = 1

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MAX_READ:
            raise ValueError("it has a header that is too large")
        parts = []
        while size and (self._ready or self._fill()):
            part, self._ready = self._ready[:size], self._ready[size:]
            size -= len(part)
            parts.append(part)
        whole = b"".join(parts)
        self._at += len(whole)
        return whole

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int) -> int:
        if offset < self._at:
            raise ValueError("it cannot be read forward")
        while self._at < offset:
            if not self.read(min(_STEP, offset - self._at)):
                raise ValueError("it is cut short")
        return self._at

    def finish(self) -> None:
        """Whatever follows the last entry is unpacked too: the checksum at the very end must be right."""
        while self.read(_STEP):
            pass

    def _fill(self) -> bool:
        while not self._ready:
            if self._gzip.eof:
                source = self._gzip.unused_data or self._read()
                if not source:
                    return False
                self._members += 1
                if self._members > _MEMBERS or source[:1] != b"\x1f":
                    raise ValueError("something follows the archive")
                self._gzip = zlib.decompressobj(wbits=31)
            else:
                source = self._gzip.unconsumed_tail or self._read()
                if not source:
                    raise ValueError("it is cut short")
            self._ready = self._gzip.decompress(source, _STEP)
        unpacked = self._at + len(self._ready)
        if unpacked > MAX_UNPACKED or unpacked > max(MAX_RATIO * self._in, FREE_OF_RATIO):
            raise ValueError("it unpacks to more than is allowed")
        return True

    def _read(self) -> bytes:
        chunk = self._file.read(_STEP)
        self._in += len(chunk)
        return chunk
