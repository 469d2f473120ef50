"""Events as JSON lines in a rotating file."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

import msgspec

from registry.sinks.lines import RotatingLines

log = logging.getLogger(__name__)


class FileSink:
    """Implements `ports.EventSink`.  What it took is on the disk."""

    def __init__(self, lines: RotatingLines) -> None:
        self._lines = lines

    async def send(self, events: Sequence[Mapping[str, object]]) -> Sequence[Mapping[str, object]]:
        """All or, while the file cannot be written, none."""
        data = b"".join([msgspec.json.encode(event) + b"\n" for event in events])
        try:
            await asyncio.to_thread(self._lines.write, data, durable=True)
        except OSError as err:
            log.error("Events cannot be written: %s", err.strerror)
            return events
        return ()

    async def close(self) -> None:
        await asyncio.to_thread(self._lines.close)
