"""The system clock, and time-ordered integers for keys."""

from __future__ import annotations

import secrets
import threading
import time

_RANDOM_BITS = 20
_lock = threading.Lock()
_last = 0


class SystemClock:
    """Milliseconds since the epoch, UTC."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000


def new_id(now: int) -> int:
    """A positive 63-bit key: 43 bits of milliseconds, then 20 random bits.

    Within a process every key is greater than the one before, also in one millisecond and when the clock
    goes back, so that rows and events made by one unit of work keep their order.
    """
    global _last
    candidate = (now << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
    with _lock:
        _last = max(candidate, _last + 1)
        return _last
