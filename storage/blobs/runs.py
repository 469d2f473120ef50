"""A run's own staging directory: `DIRECTORY/RUN/...` while files arrive.

A run holds a lock on it; what was left by a run that holds none is removed at the next start.  Blocks throughout.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.blobs.base import disk_errors


class Run:
    """One process's staging directory."""

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self.directory = runs / secrets.token_hex(8)
        self._lock: int | None = None

    def open(self) -> None:
        """Make the directory and remove what dead runs left.  Raises Unavailable."""
        with disk_errors():
            self._runs.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _locked(self._runs / "lock"):
                for path in self._runs.glob("*.run"):
                    _remove_if_dead(path)
                self.directory.mkdir(mode=0o700)
                self._lock = os.open(self.directory.with_suffix(".run"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
                fcntl.flock(self._lock, fcntl.LOCK_EX)

    def close(self) -> None:
        """Give it up.  Nothing is staged any more."""
        if self._lock is None:
            return
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.with_suffix(".run").unlink(missing_ok=True)
        os.close(self._lock)
        self._lock = None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock among processes; a dead process holds none."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_if_dead(run: Path) -> None:
    descriptor = os.open(run, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(run.with_suffix(""), ignore_errors=True)
        run.unlink(missing_ok=True)
    except BlockingIOError:
        return
    finally:
        os.close(descriptor)
