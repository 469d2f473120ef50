"""When an access key signed a request last, noted now and then (GetAccessKeyLastUsed)."""

from __future__ import annotations

import contextlib

from registry.core.errors import RegistryError
from registry.core.ports import Clock, Store
from registry.identity.sigv4 import Claim

EVERY = 15 * 60 * 1000
"""Milliseconds between two notes of one key: a note is a commit, which every cache looks at."""
_KNOWN = 4096


class Used:
    """Writes notes; remembers what it wrote."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._noted: dict[str, int] = {}

    async def note(self, claim: Claim) -> None:
        """After the signature was found good.  A note that cannot be written is left out."""
        key, now = claim.access_key_id, self._clock.now()
        if not key.startswith("ASIA") and now - self._noted.get(key, -EVERY) >= EVERY:
            if len(self._noted) >= _KNOWN:
                self._noted.clear()
            self._noted[key] = now
            with contextlib.suppress(RegistryError):
                await self._store.write(lambda tx: tx.principals.note_key(key, now, claim.service, claim.region))
