"""The audit trail: records queue up and a thread of its own writes them, so that no request waits for a disk."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping

import msgspec

from registry.sinks.lines import RotatingLines

log = logging.getLogger(__name__)

LIMIT = 200_000
"""Records that may wait while the file cannot be written; later ones are lost, and that is said."""
TICK = 0.2
"""Seconds that a record may wait in memory."""


class Trail:
    """`add` costs an append; records must not be changed afterwards."""

    def __init__(self, lines: RotatingLines) -> None:
        self._lines = lines
        self._waiting: deque[Mapping[str, object]] = deque()
        self._lost = 0
        self._failing = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def add(self, record: Mapping[str, object]) -> None:
        if len(self._waiting) < LIMIT:
            self._waiting.append(record)
        else:
            self._lost += 1

    def close(self) -> None:
        """Write what waits, for five seconds at most."""
        self._stop.set()
        self._thread.join(5)

    def _run(self) -> None:
        while not self._stop.wait(TICK):
            self._flush()
        self._flush()
        self._lines.close()

    def _flush(self) -> None:
        while self._waiting:
            some = [self._waiting[index] for index in range(min(len(self._waiting), 1000))]
            try:
                self._lines.write(b"".join([msgspec.json.encode(each) + b"\n" for each in some]), durable=False)
            except OSError as err:
                if not self._failing:
                    log.error("Audit records cannot be written and wait: %s", err.strerror)
                self._failing = True
                return
            self._failing = False
            for _ in some:
                self._waiting.popleft()
        lost, self._lost = self._lost, 0
        if lost:
            log.error("%d audit records were lost while their file could not be written", lost)
