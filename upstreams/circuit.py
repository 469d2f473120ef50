"""A circuit breaker: a registry that keeps failing is left alone for a short while.

Closed: every request goes through.  After some failures in a row it opens and requests fail at once.  When
its pause is over one request is let through as a probe; the pause doubles with every failed probe, up to a
bound, and any answer closes the circuit.
"""

from __future__ import annotations

from collections.abc import Callable


class Circuit:
    """One origin's."""

    def __init__(
        self, clock: Callable[[], float], *, failures: int = 8, pause: float = 0.5, longest: float = 8.0
    ) -> None:
        self._clock = clock
        self._limit = failures
        self._first = pause
        self._longest = longest
        self._failed = 0
        self._pause = pause
        self._until = 0.0
        self._probing = False

    def blocked(self) -> float | None:
        """Seconds to wait, or None when a request may go; the first after a pause is the probe."""
        if self._failed < self._limit:
            return None
        now = self._clock()
        if now < self._until or self._probing:
            return max(self._until - now, 1.0)
        self._probing = True
        return None

    def answered(self) -> None:
        self._failed = 0
        self._pause = self._first
        self._probing = False

    def failed(self) -> None:
        self._failed += 1
        if self._failed >= self._limit:
            if self._probing:
                self._pause = min(self._pause * 2, self._longest)
            self._until = self._clock() + self._pause
        self._probing = False

    def given_up(self) -> None:
        """The request ended without telling anything (its caller left)."""
        self._probing = False
