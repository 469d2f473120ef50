"""What a source archive holds: its manifests, its readme and its license's name.

Blocking: call it in a thread.  Nothing is unpacked to disk, nothing is evaluated; limits hold whatever the archive
claims.
"""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from protocols.swift import names
from registry.web.zips import Measured

MAX_ENTRIES = 100_000
MAX_UNPACKED = 8 * 1024**3
FREE_OF_RATIO = 256 * 1024**2
MAX_RATIO = 250
MAX_MANIFEST = 1024**2
MAX_MANIFESTS = 64
MAX_README = 512 * 1024
_README = re.compile(r"readme(?:\.(?:md|markdown|txt|rst))?\Z", re.IGNORECASE)
_TOOLS = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*//\s*swift-tools-version\s*:?\s*([0-9]{1,9}(?:\.[0-9]{1,9}){0,2})", re.IGNORECASE
)
# Others are inflated by zipfile without a bound, whatever size the archive declares.
_PACKED = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_DAMAGE = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, OverflowError)


@dataclass(slots=True)
class Contents:
    """Manifests by file name, `Package.swift` among them, and their tools versions."""

    manifests: dict[str, bytes] = field(default_factory=dict)
    tools: dict[str, str] = field(default_factory=dict)
    readme: str | None = None


def inspect(file: BinaryIO) -> Contents:
    """Read what matters.  Raises ValueError for what is no archive of a package, unsafe or beyond a limit."""
    try:
        with zipfile.ZipFile(Measured(file, "The source archive")) as archive:
            return _read(archive)
    except _DAMAGE as err:
        raise ValueError(f"The source archive is not a zip file that can be read ({type(err).__name__})") from None


def _read(archive: zipfile.ZipFile) -> Contents:
    found = Contents()
    readmes: list[zipfile.ZipInfo] = []
    for path, entry in _files(archive):
        if "/" in path:
            continue
        if path == names.MANIFEST or names.alternate(path) is not None:
            if len(found.manifests) >= MAX_MANIFESTS:
                raise ValueError(f"The source archive has more than {MAX_MANIFESTS} manifests")
            body = _bytes(archive, entry, MAX_MANIFEST)
            found.manifests[path] = body
            found.tools[path] = tools_version(body, path)
        elif _README.match(path) and entry.file_size <= MAX_README:
            readmes.append(entry)
    if names.MANIFEST not in found.manifests:
        raise ValueError("The source archive has no Package.swift in its top directory")
    if readmes:
        found.readme = _bytes(archive, readmes[0], MAX_README).decode("utf-8", "replace")
    return found


def tools_version(manifest: bytes, file: str) -> str:
    """The number in a manifest's first line.  Raises ValueError: the client could not read the manifest either."""
    match = _TOOLS.match(manifest)
    if match is None:
        raise ValueError(f"{file} does not begin with // swift-tools-version:")
    return match[1].decode()


def _files(archive: zipfile.ZipFile) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    """Files by their path below the one top directory.  Raises ValueError for whatever could end up elsewhere."""
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise ValueError(f"The source archive has more than {MAX_ENTRIES} entries")
    packed = sum(entry.compress_size for entry in entries)
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > MAX_UNPACKED or unpacked > max(MAX_RATIO * packed, FREE_OF_RATIO):
        raise ValueError("The source archive unpacks to more than is allowed")
    roots: set[str] = set()
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename
        parts = name.removesuffix("/").split("/")
        if entry.flag_bits & 1:
            raise ValueError("The source archive is encrypted")
        if "\\" in name or any(part in ("", ".", "..") for part in parts) or re.match("[A-Za-z]:", name):
            raise ValueError(f"The source archive's entry {name[:200]!r} leads out of its directory")
        if name in seen:
            raise ValueError(f"The source archive has two entries {name[:200]!r}")
        seen.add(name)
        roots.add(parts[0])
        if len(parts) == 1 and not entry.is_dir():
            raise ValueError(f"The source archive's entry {name[:200]!r} is not in a top directory")
        if len(roots) > 1:
            raise ValueError("The source archive has more than one top directory")
        if stat.S_ISLNK(entry.external_attr >> 16):
            _check_link(archive, entry, parts)
        elif not entry.is_dir():
            yield "/".join(parts[1:]), entry


def _check_link(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, parts: list[str]) -> None:
    """A symbolic link stays below the top directory."""
    target = _bytes(archive, entry, 4096).decode("utf-8", "replace")
    depth = len(parts) - 2
    for part in target.split("/"):
        depth += -1 if part == ".." else 0 if part in ("", ".") else 1
        if depth < 0:
            break
    if target.startswith("/") or "\\" in target or depth < 0:
        raise ValueError(f"The source archive's link {entry.filename[:200]!r} leads out of its directory")


def _bytes(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int) -> bytes:
    if entry.file_size > limit:
        raise ValueError(f"The source archive's entry {entry.filename[:200]!r} is larger than {limit} bytes")
    if entry.compress_type not in _PACKED:
        raise ValueError(f"The source archive's entry {entry.filename[:200]!r} must be stored or deflated")
    with archive.open(entry) as content:
        body = content.read(limit + 1)
    if len(body) != entry.file_size:
        raise ValueError(f"The source archive's entry {entry.filename[:200]!r} has another size than it says")
    return body
