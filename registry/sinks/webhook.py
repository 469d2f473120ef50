"""Events to an address, signed as the Standard Webhooks specification says.

Headers: `webhook-id`, the same however often an event is sent; `webhook-timestamp`, seconds; `webhook-signature`,
`v1,` and the base64 of HMAC-SHA256 over `{id}.{timestamp}.{body}`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import time
from collections.abc import Mapping, Sequence

import aiohttp
import msgspec

from registry import __version__

log = logging.getLogger(__name__)

AT_ONCE = 8
"""Packages whose events are under way at the same time."""
SECONDS = 20
REFUSALS = 5
"""How often an address may refuse one event (4xx) before it is given up."""
_NOT_NOW = frozenset({408, 409, 425, 429})


def key_of(secret: str) -> bytes:
    """The signing key: `whsec_` and base64, else the text itself.  Raises ValueError."""
    if not secret:
        raise ValueError("the secret is empty")
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as err:
        raise ValueError("what follows whsec_ is not base64") from err


def signature(key: bytes, name: str, moment: int, body: bytes) -> str:
    """The value of `webhook-signature`."""
    signed = f"{name}.{moment}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


class WebhookSink:
    """Implements `ports.EventSink`: one POST for each event, each package's in order.

    An address that cannot be reached or answers 5xx, 408, 409, 425 or 429 is asked again, for as long as events are
    kept; any other answer than 2xx is a refusal, and after a few of them the event is given up, with a log line.
    Redirects are refusals.
    """

    def __init__(self, name: str, url: str, key: bytes, *, account: str = "") -> None:
        """`account`: only that account's copies, "" for all."""
        self._name = name
        self._url = url
        self._key = key
        self._account = account
        self._session: aiohttp.ClientSession | None = None
        self._refused: dict[str, int] = {}

    async def send(self, events: Sequence[Mapping[str, object]]) -> Sequence[Mapping[str, object]]:
        queues: dict[object, list[Mapping[str, object]]] = {}
        for event in events:
            if not self._account or event["account"] == self._account:
                queues.setdefault(str(event["resources"]), []).append(event)
        limit = asyncio.Semaphore(AT_ONCE)
        left = await asyncio.gather(*(self._queue(each, limit) for each in queues.values()))
        return [event for each in left for event in each]

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _queue(
        self, events: list[Mapping[str, object]], limit: asyncio.Semaphore
    ) -> Sequence[Mapping[str, object]]:
        """One package's events; what follows one that could not be delivered waits with it."""
        async with limit:
            for index, event in enumerate(events):
                if not await self._delivered(event):
                    return events[index:]
        return ()

    async def _delivered(self, event: Mapping[str, object]) -> bool:
        name = str(event["id"])
        try:
            status = await self._post(name, msgspec.json.encode(event))
        except (aiohttp.ClientError, TimeoutError, OSError) as err:
            log.warning("Webhook %s cannot be reached: %s", self._name, type(err).__name__)
            return False
        if 200 <= status < 300:
            self._refused.pop(name, None)
            return True
        log.warning("Webhook %s answered %d to event %s", self._name, status, name)
        if status >= 500 or status in _NOT_NOW:
            return False
        refusals = self._refused[name] = self._refused.get(name, 0) + 1
        if refusals < REFUSALS:
            return False
        del self._refused[name]
        log.error("Webhook %s refused event %s %d times; it is given up", self._name, name, refusals)
        return True

    async def _post(self, name: str, body: bytes) -> int:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS))
        moment = int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"packyard/{__version__}",
            "webhook-id": name,
            "webhook-timestamp": str(moment),
            "webhook-signature": signature(self._key, name, moment, body),
        }
        async with self._session.post(self._url, data=body, headers=headers, allow_redirects=False) as reply:
            return reply.status
