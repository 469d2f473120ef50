"""OpenID Connect issuers: their keys, fetched and kept, and the tokens that they sign.

    issuers = Issuers(fetch, clock)
    claims = await issuers.verify(provider, jwt.parse(text))

OpenID Connect Discovery 1.0: `ISSUER/.well-known/openid-configuration` names `jwks_uri`.  Keys are kept for an hour,
and longer while the issuer does not answer; a token of an unknown key has them asked for again, at most every ten
seconds, so that an issuer may change its keys whenever it likes and nobody can make us ask without end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec

from registry.core.errors import UpstreamUnavailable
from registry.core.iam import Provider
from registry.core.ports import Clock
from registry.identity import jwt

AGE = 3600 * 1000
AGAIN = 10 * 1000
LEEWAY = 60 * 1000
"""Milliseconds: how long keys are kept, how soon they are asked for again, how far clocks may differ."""
_MOST_KEYS = 100

Fetch = Callable[[str, str], Awaitable[bytes]]
"""(issuer, address) -> the document there, its size limited; an issuer leads to no place where a registry could not
lead us either.  Raises UpstreamUnavailable."""


class Refused(Exception):
    """The token is not taken; `code` is one of STS's error codes."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(slots=True)
class _Known:
    keys: list[jwt.Key]
    fetched: int
    asked: int


class Issuers:
    """The keys of every issuer that was asked for, in this process."""

    def __init__(self, fetch: Fetch, clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def verify(self, provider: Provider, token: jwt.Token) -> Mapping[str, Any]:
        """The claims of a token of this provider that is signed and in time.  Raises Refused."""
        keys = await self._keys(provider.url, fresh_from=None)
        if not jwt.verify(token, keys):
            keys = await self._keys(provider.url, fresh_from=keys)
            if not jwt.verify(token, keys):
                raise Refused("InvalidIdentityToken", "No key of the identity provider verifies the token's signature")
        _in_time(token.claims, self._clock.now())
        return token.claims

    async def _keys(self, url: str, *, fresh_from: list[jwt.Key] | None) -> list[jwt.Key]:
        """The issuer's keys; others than `fresh_from` if it has others by now."""
        async with self._locks.setdefault(url, asyncio.Lock()):
            now, known = self._clock.now(), self._known.get(url)
            if known is not None:
                other = fresh_from is not None and known.keys is not fresh_from
                young = fresh_from is None and now - known.fetched < AGE
                if other or young or now - known.asked < AGAIN:
                    return known.keys
                known.asked = now
            try:
                keys = await self._asked(url)
            except UpstreamUnavailable as err:
                if known is not None:
                    return known.keys
                raise Refused(
                    "IDPCommunicationError", f"The identity provider could not be asked: {err.message}"
                ) from err
            self._known[url] = _Known(keys, now, now)
            return keys

    async def _asked(self, url: str) -> list[jwt.Key]:
        configuration = await self._document(url, f"{url.rstrip('/')}/.well-known/openid-configuration")
        where = configuration.get("jwks_uri")
        if str(configuration.get("issuer", "")).rstrip("/") != url.rstrip("/"):
            raise Refused("InvalidIdentityToken", "The identity provider's configuration is of another issuer")
        if not isinstance(where, str) or urlsplit(where).scheme not in ("http", "https"):
            raise UpstreamUnavailable("The identity provider's configuration names no keys")
        if urlsplit(url).scheme == "https" and urlsplit(where).scheme != "https":
            raise UpstreamUnavailable("The identity provider's keys are not at a secure address")
        keys = (await self._document(url, where)).get("keys")
        if not isinstance(keys, list) or len(keys) > _MOST_KEYS:
            raise UpstreamUnavailable("The identity provider's keys are not a key set")
        return [key for key in keys if isinstance(key, dict)]

    async def _document(self, issuer: str, url: str) -> dict[str, Any]:
        found: Any
        try:
            found = msgspec.json.decode(await self._fetch(issuer, url))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise UpstreamUnavailable("The identity provider's answer is not a JSON object")
        return found


def _in_time(claims: Mapping[str, Any], now: int) -> None:
    """Raises Refused: ExpiredTokenException, InvalidIdentityToken."""
    times = {name: claims.get(name) for name in ("exp", "nbf", "iat")}
    for name, value in times.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise Refused("InvalidIdentityToken", f"The token's {name} is not a time")
    if times["exp"] is None:
        raise Refused("InvalidIdentityToken", "The token has no expiry")
    if now >= times["exp"] * 1000 + LEEWAY:
        raise Refused("ExpiredTokenException", "Token expired: the web identity token has expired")
    for name in ("nbf", "iat"):
        if (value := times[name]) is not None and value * 1000 > now + LEEWAY:
            raise Refused("InvalidIdentityToken", "The token is not valid yet")


def audiences(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """The audience of a token; one, or a list."""
    given = claims.get("aud")
    values = given if isinstance(given, list) else [given]
    return tuple(each for each in values if isinstance(each, str))
