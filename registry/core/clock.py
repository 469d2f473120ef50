"""The system clock, and time-ordered integers for keys."""

from __future__ import annotations

import secrets
import time


class SystemClock:
    """Milliseconds since the epoch, UTC."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000


def new_id(now: int) -> int:
    """A positive 63-bit key: 43 bits of milliseconds, then 20 random bits."""
    return (now << 20) | secrets.randbits(20)
