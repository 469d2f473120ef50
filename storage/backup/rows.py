"""Rows in a file: one JSON array a line, compressed.  The first line is `{"table": ..., "columns": [[name, type]]}`."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import msgspec

from storage.backup.manifest import Damaged

Type = Literal["integer", "text", "bytes"]
Row = Sequence[Any]
HELD = 4 * 1024 * 1024
"""Bytes of rows that are put together."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A table's name and columns."""

    table: str
    columns: tuple[tuple[str, Type], ...]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.columns]

    @property
    def run(self) -> int:
        """How many rows to take at once: documents may be megabytes each."""
        return 16 if any(kind == "bytes" for _, kind in self.columns) else 500

    def place(self, column: str) -> int:
        return self.names.index(column)


class Writer:
    """Writes one table.  Blocks."""

    def __init__(self, path: Path, shape: Shape) -> None:
        self.rows = 0
        self._bytes = [index for index, (_, kind) in enumerate(shape.columns) if kind == "bytes"]
        self._raw = os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb")
        self._file = gzip.GzipFile("", "wb", 1, self._raw, mtime=0)
        self._encoder = msgspec.json.Encoder()
        self._file.write(self._encoder.encode({"table": shape.table, "columns": shape.columns}) + b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())
        self._raw.close()

    def write(self, rows: Sequence[Row]) -> None:
        for row in rows:
            values = list(row)
            for index in self._bytes:
                if values[index] is not None:
                    values[index] = base64.b64encode(values[index]).decode()
            self._file.write(self._encoder.encode(values) + b"\n")
        self.rows += len(rows)


class Reader:
    """Reads one table back, and its digest along with it.  Blocks."""

    def __init__(self, path: Path, *, sha256: str) -> None:
        """Raises Damaged when the file is missing or not the one that was written."""
        self._path = path
        try:
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                    raise Damaged(f"{path.name} is not the file that was written")
        except FileNotFoundError:
            raise Damaged(f"{path.name} is missing") from None
        with gzip.open(path, "rb") as file:
            head = msgspec.json.decode(file.readline())
        self.shape = Shape(head["table"], tuple((name, kind) for name, kind in head["columns"]))
        self._bytes = [index for index, (_, kind) in enumerate(self.shape.columns) if kind == "bytes"]

    def __iter__(self) -> Iterator[list[Any]]:
        for values, _ in self._lines():
            yield values

    def batches(self, size: int) -> Iterator[list[list[Any]]]:
        """Rows in runs, shorter ones where they are large."""
        batch: list[list[Any]] = []
        held = 0
        for values, length in self._lines():
            batch.append(values)
            held += length
            if len(batch) == size or held > HELD:
                yield batch
                batch, held = [], 0
        if batch:
            yield batch

    def _lines(self) -> Iterator[tuple[list[Any], int]]:
        """Each row, and how long it was."""
        decoder = msgspec.json.Decoder(list)
        try:
            with gzip.open(self._path, "rb") as raw:
                file = io.BufferedReader(raw, 256 * 1024)
                file.readline()
                for line in file:
                    values = decoder.decode(line)
                    for index in self._bytes:
                        if values[index] is not None:
                            values[index] = base64.b64decode(values[index])
                    yield values, len(line)
        except (zlib.error, EOFError, msgspec.DecodeError, ValueError) as error:
            raise Damaged(f"{self._path.name} cannot be read: {error}") from error
