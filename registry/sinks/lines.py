"""A file of JSON lines that rotates and that several processes may write."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STEP = 64 * 1024


class RotatingLines:
    """Appends whole lines to `path`.  At `limit` bytes it becomes `path.1`, that `path.2`, up to `path.{keep}`.

    Every method blocks and belongs in a thread.  A lock file beside it keeps several processes apart; a line that
    was cut short by a crash is taken away before the next one is written.
    """

    def __init__(self, path: Path, *, limit: int, keep: int) -> None:
        self._path = path
        self._limit = limit
        self._keep = keep
        self._file: int | None = None

    def write(self, lines: bytes, *, durable: bool) -> None:
        """Append lines, each with its line feed; `durable` waits for the disk.  Raises OSError."""
        with self._locked():
            file = self._current()
            if os.fstat(file).st_size and os.fstat(file).st_size + len(lines) > self._limit:
                self._rotate()
                file = self._current()
            start = os.fstat(file).st_size
            try:
                _write(file, lines)
            except OSError:
                os.ftruncate(file, start)  # a full disk leaves no half line
                raise
            if durable:
                os.fsync(file)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _current(self) -> int:
        """The open file at the path; another process, or an administrator, may have put a new one there."""
        if self._file is not None:
            try:
                there = self._path.stat()
            except FileNotFoundError:
                there = None
            mine = os.fstat(self._file)
            if there is not None and (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino):
                return self._file
            self.close()
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        _mend(self._file)
        return self._file

    def _rotate(self) -> None:
        self.close()
        for number in range(self._keep, 1, -1):
            older = Path(f"{self._path}.{number - 1}")
            if older.exists():
                older.replace(f"{self._path}.{number}")
        if self._keep:
            self._path.replace(f"{self._path}.1")
        else:
            self._path.unlink()


def _write(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def _mend(file: int) -> None:
    """Cut the file after its last line feed."""
    end = os.fstat(file).st_size
    place = end
    while place > 0:
        start = max(place - _STEP, 0)
        found = os.pread(file, place - start, start).rfind(b"\n")
        if found >= 0:
            place = start + found + 1
            break
        place = start
    if place != end:
        os.ftruncate(file, place)
