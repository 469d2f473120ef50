"""Core metadata out of a distribution's own file: METADATA of a wheel, PKG-INFO of an sdist or egg.

Blocks: call it in a thread.  The file is hostile until proven otherwise: nothing is
extracted to disk, entries are counted, no read is larger than its bound, and what is inflated in total is
bounded too.  Raises ValueError, in the uploader's terms, for whatever cannot be read.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from packaging.utils import canonicalize_name

from protocols.pypi.names import Filename, canonical_version
from registry.web.zips import Measured

MAX_METADATA = 8 * 1024**2
MAX_ENTRIES = 200_000
MAX_READ = 8 * 1024**2
MAX_INFLATED = 4 * 1024**3
MAX_RATIO = 200
_STEP = 256 * 1024
_UNREADABLE = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError,
    NotImplementedError, RuntimeError, OverflowError, UnicodeError, MemoryError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Document:
    """The core metadata file of a distribution, byte for byte."""

    body: bytes
    sha256: str


def read(source: Path | IO[bytes], name: Filename) -> Document | None:
    """The core metadata of a distribution, None where an sdist has none (old ones).

    Raises ValueError for an archive that is broken, dangerous or lacks what a wheel must have.
    """
    try:
        if isinstance(source, Path):
            with source.open("rb") as file:
                return read(file, name)
        if name.kind == "wheel":
            return read_wheel(source, name)
        body = _egg(source) if name.kind == "egg" else _sdist(source, name)
    except _UNREADABLE as err:
        raise ValueError(f"The file cannot be read as a {name.kind}: {_reason(err)}") from None
    return None if body is None else _document(body)


def read_wheel(source: IO[bytes], name: Filename) -> Document:
    """The same for a wheel, which may be any seekable file; what `source` itself raises is passed on."""
    try:
        return _document(_wheel(source, name))
    except _UNREADABLE as err:
        raise ValueError(f"The file cannot be read as a wheel: {_reason(err)}") from None


def _document(body: bytes) -> Document:
    return Document(body, hashlib.sha256(body).hexdigest())


def _reason(err: BaseException) -> str:
    text = str(err) if isinstance(err, zipfile.BadZipFile | tarfile.TarError | zlib.error | EOFError) else ""
    return text or "its contents are damaged"


def _wheel(source: IO[bytes], name: Filename) -> bytes:
    with _zip(source) as archive:
        entries = _entries(archive)
        found = [entry for entry in entries if entry.count("/") == 1 and entry.endswith(".dist-info/METADATA")]
        matching = [entry for entry in found if _is_dist_info(entry.split("/")[0], name)]
        if not matching:
            raise ValueError("The wheel has no .dist-info/METADATA for its own name and version")
        if len(matching) > 1:
            raise ValueError("The wheel has more than one .dist-info/METADATA")
        return _member(archive, matching[0])


def _is_dist_info(folder: str, name: Filename) -> bool:
    project, _, version = folder.removesuffix(".dist-info").partition("-")
    try:
        return canonicalize_name(project) == name.project and (
            canonical_version(version.replace("_", "-")) == canonical_version(name.version.replace("_", "-"))
        )
    except ValueError:
        return False


def _egg(file: IO[bytes]) -> bytes | None:
    with zipfile.ZipFile(file) as archive:
        return _member(archive, "EGG-INFO/PKG-INFO") if "EGG-INFO/PKG-INFO" in _entries(archive) else None


def _sdist(file: IO[bytes], name: Filename) -> bytes | None:
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            entries = _entries(archive)
            found = next((entry for entry in entries if _is_pkg_info(entry)), None)
            return None if found is None else _member(archive, found)
    size = file.seek(0, 2)
    file.seek(0)
    magic = file.read(3)
    file.seek(0)
    if magic[:2] != b"\x1f\x8b":
        raise ValueError("The file is neither a gzipped tar archive nor a zip archive")
    with gzip.GzipFile(fileobj=file) as inflated:
        return _tar(_Bounded(inflated, size))


@contextmanager
def _zip(source: Path | IO[bytes]) -> Iterator[zipfile.ZipFile]:
    with ExitStack() as stack:
        file = stack.enter_context(source.open("rb")) if isinstance(source, Path) else source
        yield stack.enter_context(zipfile.ZipFile(Measured(file, "The archive")))


def _is_pkg_info(entry: str) -> bool:
    """`NAME-VERSION/PKG-INFO`: one folder deep."""
    return entry.removeprefix("./").count("/") == 1 and entry.endswith("/PKG-INFO")


def _entries(archive: zipfile.ZipFile) -> list[str]:
    names = archive.namelist()
    if len(names) > MAX_ENTRIES:
        raise ValueError(f"The archive has more than {MAX_ENTRIES} entries")
    for name in names:
        _check_entry(name)
    return names


def _check_entry(name: str) -> None:
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or (len(parts[0]) == 2 and parts[0][1] == ":"):
        raise ValueError(f"The archive has an entry outside of its folder: {name[:200]!r}")


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    info = archive.getinfo(name)
    if info.file_size > MAX_METADATA:
        raise ValueError(f"The metadata file is larger than {MAX_METADATA} bytes")
    # The others are inflated by zipfile without a bound, whatever size the archive declares.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("The metadata file must be stored or deflated, not compressed in another way")
    with archive.open(info) as member:
        body = member.read(MAX_METADATA + 1)
    if len(body) > MAX_METADATA:
        raise ValueError(f"The metadata file is larger than {MAX_METADATA} bytes")
    return body


def _tar(reader: _Bounded) -> bytes | None:
    with tarfile.TarFile(fileobj=reader) as archive:  # type: ignore[arg-type]
        count = 0
        while (member := archive.next()) is not None:
            # Members are not needed again; keeping them would grow with the archive.
            archive.members = []  # type: ignore[attr-defined]
            count += 1
            if count > MAX_ENTRIES:
                raise ValueError(f"The archive has more than {MAX_ENTRIES} entries")
            _check_entry(member.name)
            if not member.isfile() or not _is_pkg_info(member.name):
                continue
            if member.size > MAX_METADATA:
                raise ValueError(f"The metadata file is larger than {MAX_METADATA} bytes")
            content = archive.extractfile(member)
            return None if content is None else content.read()
    return None


class _Bounded:
    """A forward reader over inflated bytes: no huge read, no bomb.  As much of a file as tarfile asks for."""

    def __init__(self, inflated: IO[bytes] | gzip.GzipFile, compressed: int) -> None:
        self._inflated = inflated
        self._limit = max(64 * 1024**2, min(MAX_INFLATED, compressed * MAX_RATIO))
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_READ:
            raise ValueError("The archive has a header that is too large")
        chunk = self._inflated.read(size)
        self._advance(len(chunk))
        return chunk

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int) -> int:
        if offset < self._at:
            # Going back would inflate everything again from the start.
            raise ValueError("The archive cannot be read forward")
        while self._at < offset:
            chunk = self._inflated.read(min(_STEP, offset - self._at))
            if not chunk:
                break
            self._advance(len(chunk))
        return self._at

    def _advance(self, count: int) -> None:
        self._at += count
        if self._at > self._limit:
            raise ValueError("The archive inflates to far more than its size")
