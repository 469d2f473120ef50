"""A backup as it lies in a directory.  docs/operations/backup.md tells users the same.

    manifest.json                         written last; without it there is no backup
    rows/RUN/TABLE.jsonl.gz               one JSON array a line; the first line names columns and their types
    files/DOMAIN/AA/SHA256                every stored file once, by its digest
    keys/master, credentials              secrets, unless they were left out

Neutral to engines: integers, text, null, and bytes as base64.  Everything in it can be verified: the manifest has the
digest of every table, and the table `blob` has size and digests of every file.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

NAME = "manifest.json"
FORMAT = "packyard backup"
VERSION = 1
BLOB = "blob"
"""The table that names the files."""


class Damaged(Exception):
    """This is no whole backup; the message says what is wrong."""


class Table(msgspec.Struct, frozen=True):
    """One table's rows: where they are, how many, and the digest of that file."""

    file: str
    rows: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds.  `schema`: the numbers of the migrations that its rows went through.

    `lost` are files that the store could not give when the backup was made; `key` tells master keys apart without
    telling anything else of them.
    """

    format: str
    version: int
    made: str
    packyard: str
    schema: list[int]
    tables: dict[str, Table]
    files: int
    bytes: int
    lost: list[str]
    key: str
    secrets: bool


def read(directory: Path) -> Manifest:
    """Raises Damaged."""
    try:
        found = msgspec.json.decode((directory / NAME).read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise Damaged(f"{directory} holds no finished backup: it has no {NAME}") from None
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Damaged(f"{NAME} cannot be read: {error}") from error
    if found.format != FORMAT or found.version != VERSION:
        raise Damaged(f"{NAME} is of another format or a later version")
    if BLOB not in found.tables:
        raise Damaged(f"{NAME} names no table {BLOB}")
    return found


def write(directory: Path, manifest: Manifest) -> None:
    """In one step, durably: the backup before it is there until this one is."""
    body = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    fresh = directory / f".{NAME}"
    with created(fresh) as descriptor:
        os.write(descriptor, body)
        os.fsync(descriptor)
    fresh.rename(directory / NAME)
    flush(directory)


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def created(path: Path) -> Iterator[int]:
    """A new file for the owner's eyes only."""
    descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def flush(directory: Path) -> None:
    """Make the names in it durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_of(directory: Path, domain_id: int, sha256: str) -> Path:
    """Where a stored file lies in a backup."""
    return directory / "files" / str(domain_id) / sha256[:2] / sha256
