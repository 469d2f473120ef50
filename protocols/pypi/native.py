"""Native metadata of Python files and versions: what is stored as bytes, in our own compact JSON.

A file's document holds what the simple index says of it beyond name, size, digests and time.  A version's
holds its core metadata in the field names of the JSON API, without the description (which is the readme of
its facts), so that indexes stay cheap to read.  `yanked` may stand on either: the registry's word on a file,
our own users' word on a version (PEP 592).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import msgspec


class FileFacts(msgspec.Struct, frozen=True, omit_defaults=True, rename="kebab"):
    """One file.  `core_metadata` is the sha256 of its METADATA (PEP 658), None while that is not known.

    `provenance` is where an external registry keeps it; `attested` and `signature` are our own copies of
    a provenance object (PEP 740) and of an armored signature, deflated.
    """

    requires_python: str | None = None
    core_metadata: str | None = None
    yanked: bool | str = False
    gpg_sig: bool | None = None
    provenance: str | None = None
    attested: bytes | None = None
    signature: bytes | None = None


class ProjectStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """PEP 792."""

    status: str
    reason: str | None = None


class VersionFacts(msgspec.Struct, frozen=True, omit_defaults=True, rename="kebab"):
    """One version.  `info` is an object in the field names of the JSON API, left as bytes."""

    info: msgspec.Raw = msgspec.Raw(b"{}")
    yanked: bool | str = False
    project_status: ProjectStatus | None = None


_file = msgspec.json.Decoder(FileFacts)
_version = msgspec.json.Decoder(VersionFacts)
_NO_FILE = FileFacts()
_NO_VERSION = VersionFacts()


def file_facts(native: bytes) -> FileFacts:
    """Decode; nothing known for empty bytes."""
    return _file.decode(native) if native else _NO_FILE


def version_facts(native: bytes) -> VersionFacts:
    """Decode; nothing known for empty bytes."""
    return _version.decode(native) if native else _NO_VERSION


def encode(facts: FileFacts | VersionFacts) -> bytes:
    """Bytes to store; the same facts always give the same bytes."""
    return msgspec.json.encode(facts, order="deterministic")


def version_native(info: Mapping[str, object], status: ProjectStatus | None = None) -> bytes:
    """A version's document from its core metadata."""
    raw = msgspec.Raw(msgspec.json.encode(info, order="deterministic"))
    return encode(VersionFacts(info=raw, project_status=status))


def set_yanked(native: bytes, yanked: bool | str) -> bytes:
    """A version's document with another mark; a reason of nothing counts as plain yes."""
    return encode(msgspec.structs.replace(version_facts(native), yanked=yanked))


def refresh(stored: bytes, remote: bytes) -> bytes:
    """A retained file's document after its registry spoke again: the registry's marks, our own digests."""
    ours, theirs = file_facts(stored), file_facts(remote)
    return encode(
        msgspec.structs.replace(
            ours,
            yanked=theirs.yanked,
            requires_python=theirs.requires_python or ours.requires_python,
            provenance=theirs.provenance or ours.provenance,
            gpg_sig=theirs.gpg_sig if theirs.gpg_sig is not None else ours.gpg_sig,
        )
    )


def pack(document: bytes) -> bytes:
    """Deflate a small document that travels inside a file's own."""
    return zlib.compress(document, 9)


def unpack(packed: bytes, limit: int = 4 * 1024**2) -> bytes:
    """The document again."""
    return zlib.decompressobj().decompress(packed, limit)
