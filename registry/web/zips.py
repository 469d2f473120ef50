"""Zip files from strangers: what every format that opens one needs."""

from __future__ import annotations

from typing import IO

MAX_DIRECTORY = 16 * 1024**2
"""Bytes; zipfile reads a directory whole, and makes an object of each entry."""


class Measured:
    """A seekable file for zipfile; no read is larger than a directory may be.  Raises ValueError.

    `what` begins the message: "The archive".
    """

    def __init__(self, file: IO[bytes], what: str) -> None:
        self._file = file
        self._what = what
        self.seek = file.seek
        self.tell = file.tell

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        body = self._file.read(MAX_DIRECTORY + 1 if size < 0 else min(size, MAX_DIRECTORY + 1))
        if len(body) > MAX_DIRECTORY:
            raise ValueError(f"{self._what}'s directory is too large")
        return body
