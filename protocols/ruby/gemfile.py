"""A .gem file -> its specification and readme.  Blocks: call it in a thread.

The file is hostile until proven otherwise: nothing is extracted, members are counted, what is inflated is bounded, and
the gem's own checksums are verified.  Raises ValueError, in the uploader's terms.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from protocols.ruby import gemspec, yamltree
from protocols.ruby.gemspec import Spec
from protocols.ruby.tar import Archive

MAX_METADATA = 4 * 1024**2
MAX_CHECKSUMS = 64 * 1024
MAX_README = 1024**2
MAX_MEMBERS = 64
MAX_FILES = 200_000
MAX_INFLATED = 4 * 1024**3
MAX_RATIO = 200
_LEAST_INFLATED = 64 * 1024**2
_README = re.compile(r"(?:\./)?readme(?:\.(?:md|markdown|rdoc|txt|textile|rst|adoc))?\Z", re.IGNORECASE)
_ALGORITHMS = {"SHA1": "sha1", "SHA256": "sha256", "SHA512": "sha512"}
_STEP = 256 * 1024


@dataclass(frozen=True, slots=True)
class Gem:
    """What a file says of itself."""

    spec: Spec
    readme: str | None


@dataclass(slots=True)
class _Seen:
    """What was met on the way through the file."""

    metadata: bytes | None = None
    data: bool = False
    readme: str | None = None
    checksums: bytes | None = None
    digests: dict[str, dict[str, str]] = field(default_factory=dict)


def read(file: BinaryIO, size: int, *, lenient: bool = False) -> Gem:
    """The gem in a file of that size.  `lenient`: see gemspec.from_yaml; it also leaves the contents unread."""
    seen = _walk(file, size, contents=not lenient)
    if seen.metadata is None:
        raise ValueError("The file is no gem: it has no metadata.gz")
    if not lenient:
        if not seen.data:
            raise ValueError("The gem has no data.tar.gz")
        if seen.checksums is not None:
            _verify(seen.checksums, seen.digests)
    return Gem(gemspec.from_yaml(seen.metadata, lenient=lenient), seen.readme)


def peek(prefix: bytes) -> Spec | None:
    """The specification, when the first bytes of a gem hold all of it (the metadata is its first member)."""
    pieces = iter((prefix,))
    archive = Archive(_Buffered(lambda: next(pieces, b"")).read, MAX_MEMBERS)
    try:
        for entry in archive:
            if entry.name == "metadata.gz":
                return gemspec.from_yaml(_gunzipped(archive.content(MAX_METADATA), MAX_METADATA))
    except ValueError:
        return None
    return None


def _walk(file: BinaryIO, size: int, *, contents: bool) -> _Seen:
    seen = _Seen()
    archive = Archive(file.read, MAX_MEMBERS)
    for entry in archive:
        name = entry.name.removeprefix("./")
        if not entry.is_file:
            continue
        if name in seen.digests:
            raise ValueError(f"The gem has two members named {name[:100]!r}")
        hashes = {each: hashlib.new(each, usedforsecurity=False) for each in _ALGORITHMS.values()}
        if name in ("metadata.gz", "metadata"):
            body = _hashed_content(archive, hashes)
            seen.metadata = _gunzipped(body, MAX_METADATA) if name == "metadata.gz" else body
        elif name == "checksums.yaml.gz":
            seen.checksums = _gunzipped(archive.content(MAX_CHECKSUMS), MAX_CHECKSUMS)
        elif name == "data.tar.gz":
            seen.data = True
            seen.readme = _contents(_hashing(archive.chunks(), hashes), size, whole=contents)
        else:
            for _ in _hashing(archive.chunks(), hashes):
                pass
        seen.digests[name] = {each: digest.hexdigest() for each, digest in hashes.items()}
    return seen


def _hashed_content(archive: Archive, hashes: dict[str, Any]) -> bytes:
    body = archive.content(MAX_METADATA)
    for digest in hashes.values():
        digest.update(body)
    return body


def _hashing(chunks: Iterator[bytes], hashes: dict[str, Any]) -> Iterator[bytes]:
    for chunk in chunks:
        for digest in hashes.values():
            digest.update(chunk)
        yield chunk


def _gunzipped(body: bytes, limit: int) -> bytes:
    inflate = zlib.decompressobj(31)
    try:
        out = inflate.decompress(body, limit + 1)
    except zlib.error:
        raise ValueError("The gem has a member that is not gzipped") from None
    if len(out) > limit:
        raise ValueError(f"The gem's metadata is larger than {limit} bytes")
    if not inflate.eof:
        raise ValueError("The gem has a gzipped member that is cut short")
    return out


# --- contents ------------------------------------------------------------------------------------


class _Buffered:
    """`read(size)` over pieces of any size."""

    def __init__(self, more: Callable[[], bytes]) -> None:
        self._more = more
        self._held = b""
        self._at = 0

    def read(self, size: int) -> bytes:
        while len(self._held) - self._at < size:
            piece = self._more()
            if not piece:
                break
            self._held = self._held[self._at :] + piece
            self._at = 0
        out = self._held[self._at : self._at + size]
        self._at += len(out)
        return out


def _contents(chunks: Iterator[bytes], size: int, *, whole: bool) -> str | None:
    """Look through the gem's files for a readme; all of them, so that none leads outside of the gem."""
    inflated = _inflated(chunks, max(_LEAST_INFLATED, min(MAX_INFLATED, size * MAX_RATIO)))
    archive = Archive(_Buffered(lambda: next(inflated, b"")).read, MAX_FILES)
    readme: str | None = None
    if whole:
        for entry in archive:
            if entry.is_file and entry.size <= MAX_README and _README.match(entry.name):
                text = archive.content(MAX_README).decode("utf-8", "replace")
                readme = text if readme is None or entry.name.lower().endswith(".md") else readme
        for _ in inflated:  # to the end of the stream, so that a damaged one is seen
            pass
    for _ in chunks:  # what is left counts for the digests
        pass
    return readme


def _inflated(chunks: Iterator[bytes], limit: int) -> Iterator[bytes]:
    inflate = zlib.decompressobj(31)
    total = 0
    for chunk in chunks:
        while chunk:
            try:
                out = inflate.decompress(chunk, _STEP)
            except zlib.error:
                raise ValueError("The gem's data.tar.gz is damaged") from None
            total += len(out)
            if total > limit:
                raise ValueError("The gem's data.tar.gz inflates to far more than its size")
            if out:
                yield out
            if inflate.eof:
                return
            chunk = inflate.unconsumed_tail
    raise ValueError("The gem's data.tar.gz is cut short")


# --- checksums -----------------------------------------------------------------------------------


def _verify(checksums: bytes, digests: dict[str, dict[str, str]]) -> None:
    """checksums.yaml: algorithm -> member -> hex."""
    try:
        told = yamltree.load(checksums)
    except ValueError as err:
        raise ValueError(f"The gem's checksums.yaml.gz cannot be read: {err}") from None
    if not isinstance(told, dict):
        raise ValueError("The gem's checksums.yaml.gz holds no checksums")
    for algorithm, members in told.items():
        known = _ALGORITHMS.get(algorithm)
        if known is None or not isinstance(members, dict):
            continue
        for name, wanted in members.items():
            if name in digests and digests[name][known] != wanted:
                raise ValueError(f"The {algorithm} checksum of {name[:100]!r} in the gem does not match its content")
