"""Reading a package file: a zip archive with one `*.nuspec` at its root (Open Packaging Conventions).

Blocks: call it in a thread.  The file is hostile until proven otherwise: nothing is extracted to disk, entries are
counted, names and sizes judged from the directory, and no member is inflated beyond its bound.  Raises ValueError, in
the publisher's terms, for whatever cannot be read.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO
from urllib.parse import unquote

from registry.web.zips import Measured

MAX_ENTRIES = 100_000
MAX_NUSPEC = 1024**2
MAX_UNPACKED = 16 * 1024**3
MAX_RATIO = 250
FREE_OF_RATIO = 256 * 1024**2
"""Bytes that may be unpacked from anything."""
_PACKED = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_STEP = 256 * 1024
_ENCRYPTED = 0x1
_UNREADABLE = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, NotImplementedError, RuntimeError, OverflowError,
    UnicodeError, MemoryError, AttributeError, IndexError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Manifest:
    """The nuspec of a package, byte for byte, and the name of its entry."""

    name: str
    body: bytes


class Package:
    """An open package file."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._by_name: dict[str, zipfile.ZipInfo] = {}

    def check(self, *, strict: bool) -> None:
        """Judge the directory.  `strict` is for what is published here; a public registry holds older sins."""
        entries = self._archive.infolist()
        if len(entries) > MAX_ENTRIES:
            raise ValueError(f"The package has more than {MAX_ENTRIES} entries")
        packed = unpacked = 0
        for entry in entries:
            name = _checked_name(entry.filename)
            if entry.flag_bits & _ENCRYPTED:
                raise ValueError(f"The package has an encrypted entry: {name[:200]!r}")
            if strict and name.lower() in self._by_name and not entry.is_dir():
                raise ValueError(f"The package has an entry twice: {name[:200]!r}")
            self._by_name.setdefault(name.lower(), entry)
            packed += entry.compress_size
            unpacked += entry.file_size
        if unpacked > MAX_UNPACKED or unpacked > max(FREE_OF_RATIO, packed * MAX_RATIO):
            raise ValueError("The package unpacks to far more than its size")

    def manifest(self) -> Manifest:
        """The one nuspec at the root."""
        found = [name for name in self._by_name if "/" not in name and name.endswith(".nuspec")]
        if not found:
            raise ValueError("The package has no .nuspec at its root")
        if len(found) > 1:
            raise ValueError("The package has more than one .nuspec at its root")
        entry = self._by_name[found[0]]
        return Manifest(entry.filename, self._read(entry, MAX_NUSPEC))

    def member(self, path: str, limit: int) -> bytes | None:
        """A file of the package by its path as a nuspec writes it; None where there is none of that size."""
        wanted = path.replace("\\", "/").removeprefix("./").lstrip("/").lower()
        entry = self._by_name.get(wanted)
        if entry is None or entry.is_dir() or entry.file_size > limit:
            return None
        return self._read(entry, limit)

    def verify(self) -> None:
        """Inflate everything and compare checksums.  Raises ValueError at the first that is wrong."""
        for entry in self._archive.infolist():
            if entry.compress_type not in _PACKED:
                continue
            left = entry.file_size
            with self._archive.open(entry) as member:
                while chunk := member.read(_STEP):
                    left -= len(chunk)
                    if left < 0:
                        raise ValueError("The package has an entry that is larger than it says")

    def _read(self, entry: zipfile.ZipInfo, limit: int) -> bytes:
        if entry.file_size > limit:
            raise ValueError(f"{entry.filename[:200]!r} is larger than {limit} bytes")
        # Others are inflated by zipfile without a bound, whatever size the archive declares.
        if entry.compress_type not in _PACKED:
            raise ValueError(f"{entry.filename[:200]!r} must be stored or deflated, not compressed in another way")
        with self._archive.open(entry) as member:
            body = member.read(limit + 1)
        if len(body) > limit:
            raise ValueError(f"{entry.filename[:200]!r} is larger than {limit} bytes")
        return body


@contextmanager
def opened(file: IO[bytes], *, strict: bool = True) -> Iterator[Package]:
    """The package in a seekable file, judged.  Raises ValueError for whatever goes wrong inside the context, too."""
    try:
        file.seek(0)
        if file.read(4) not in (b"PK\x03\x04", b"PK\x05\x06"):
            raise ValueError("The file is not a package: it is no zip archive")
        with zipfile.ZipFile(Measured(file, "The package")) as archive:
            package = Package(archive)
            package.check(strict=strict)
            yield package
    except _UNREADABLE as err:
        raise ValueError(f"The file cannot be read as a package: {_reason(err)}") from None


def _checked_name(name: str) -> str:
    """An entry's name as a client will see it: OPC names are percent-encoded, slashes go either way."""
    name = name.replace("\\", "/")
    for text in (name, unquote(name).replace("\\", "/")):
        parts = text.split("/")
        if text.startswith("/") or ".." in parts or "\0" in text or (len(parts[0]) >= 2 and parts[0][1] == ":"):
            raise ValueError(f"The package has an entry outside of its folder: {name[:200]!r}")
    return name


def _reason(err: BaseException) -> str:
    text = str(err) if isinstance(err, zipfile.BadZipFile | zlib.error | EOFError) else ""
    return text or "its contents are damaged"
