"""One JSON line per request, and the program's own messages in the same form.

Lines are handed to a thread of their own: neither a slow pipe nor a full disk behind standard error ever holds
a request.  When the reader is too slow, lines are dropped and counted.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TextIO

import msgspec

Hot = tuple[bytes, int, str, str, int, int, float]

LIMIT = 50_000
"""Lines that may wait; more are dropped."""


class Lines:
    """A buffered writer of JSON lines.  `add` costs an append; records must not be changed afterwards."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._waiting: deque[Mapping[str, Any] | Hot] = deque()
        self._dropped = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def add(self, record: Mapping[str, Any]) -> None:
        """Queue one record; `time` is milliseconds and is written as UTC text."""
        if len(self._waiting) < LIMIT:
            self._waiting.append(record)
        else:
            self._dropped += 1

    def hot(self, common: bytes, moment: int, name: str, path: str, status: int, sent: int, seconds: float) -> None:
        """Queue the line of an answer from the hot cache; `common` is the inside of a JSON object."""
        if len(self._waiting) < LIMIT:
            self._waiting.append((common, moment, name, path, status, sent, seconds))
        else:
            self._dropped += 1

    def close(self) -> None:
        """Write what waits, for two seconds at most."""
        self._stop.set()
        self._thread.join(2)

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
        dropped, self._dropped = self._dropped, 0
        if dropped:
            waiting.append({"time": time.time_ns() // 1_000_000, "level": "warning", "dropped": dropped})
        if waiting:
            try:
                self._stream.write(b"".join([_line(record) for record in waiting]).decode())
                self._stream.flush()
            except (OSError, ValueError):
                return  # nobody reads any more


class RecordHandler(logging.Handler):
    """Writes the program's own log messages as JSON lines."""

    def __init__(self, lines: Lines) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        entry: dict[str, Any] = {
            "time": int(record.created * 1000),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[1] is not None:
            entry["exception"] = "".join(traceback.format_exception(record.exc_info[1]))
        self._lines.add(entry)


def _line(record: Mapping[str, Any] | Hot) -> bytes:
    if isinstance(record, tuple):
        common, moment, name, path, status, sent, seconds = record
        return b'{"time":"%s","id":"%s",%s,"path":%s,"status":%d,"bytes":%d,"ms":%.3f}\n' % (
            _utc(moment),
            name.encode(),
            common,
            msgspec.json.encode(path),
            status,
            sent,
            seconds * 1000,
        )
    return msgspec.json.encode({**record, "time": _utc(record["time"]).decode()}) + b"\n"


def _utc(moment: int) -> bytes:
    return b"%s.%03dZ" % (_second(moment // 1000), moment % 1000)


@lru_cache(maxsize=4)
def _second(second: int) -> bytes:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode()
