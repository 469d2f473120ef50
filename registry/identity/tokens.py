"""Authorization tokens: minted by GetAuthorizationToken, shown by package managers.  No I/O, no clock.

    tokens = Tokens(secrets.derive("tokens"))
    text = tokens.mint(caller, domain_id, expires)       # expires in milliseconds
    claims = tokens.verify(text, now)                    # raises Unauthenticated
    text = credentials_from(headers)                     # raises Unauthenticated when malformed, None when absent

A token carries who, the domain, expiry and an id; what the caller may do is asked anew at every request
(registry.identity.callers.by_claims, then registry.core.authorize.require).

Its form is `py1.BODY.SEAL`: JSON and HMAC-SHA256, each in unpadded base64url; `py2.` where a session is in it, packed.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
import zlib
from collections.abc import Mapping

import msgspec

from registry.core.errors import Unauthenticated
from registry.core.types import Caller
from registry.identity import sessions
from registry.identity.sessions import Session

_VERSION = "py1"
_PACKED = "py2"
_FORM = re.compile(rf"(?:{_VERSION}|{_PACKED})\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{{43}}")
_LONGEST = 8192
_INVALID = "The authorization token is invalid or has expired"


class Malformed(Unauthenticated):
    """Not a token of this server."""


class Expired(Unauthenticated):
    """It was one."""


class Claims(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a token says, once its seal is found whole.  `expires` in milliseconds.

    `domain_id` 0: good for every domain.  `session`: it was asked for in a session, whose limits it keeps.
    `stored`: a long-lived token, which holds as long as its row of that id is there and active.
    """

    account: str
    user: str
    user_id: str
    domain_id: int
    expires: int
    id: str
    session: Session | None = None
    stored: bool = False

    @property
    def anonymous(self) -> bool:
        """No token was shown, and the server serves what is open to all."""
        return self is NOBODY


NEVER = 1 << 53
"""An expiry that does not come, in milliseconds."""
NOBODY = Claims("", "", "", 0, NEVER, "anonymous")


class Tokens:
    """Mints and verifies under one key; remembers what it has verified, as a client shows one token many times."""

    def __init__(self, key: bytes, *, remember: int = 4096) -> None:
        self._key = key
        self._remember = remember
        self._seen: dict[str, Claims] = {}

    def mint(self, caller: Caller, domain_id: int, expires: int) -> str:
        """A token in the alphabet `A-Z a-z 0-9 . _ ~ -`."""
        return self.seal(
            Claims(
                caller.account,
                caller.name,
                caller.principal_id,
                domain_id,
                expires,
                secrets.token_hex(8),
                sessions.of(caller),
            )
        )

    def seal(self, claims: Claims) -> str:
        """A token that says this."""
        text = msgspec.json.encode(claims)
        body = f"{_VERSION}.{_text(text)}" if claims.session is None else f"{_PACKED}.{_text(zlib.compress(text))}"
        return f"{body}.{self._seal(body)}"

    def verify(self, token: str, now: int) -> Claims:
        """Raises Malformed or Expired, both Unauthenticated and alike to the client."""
        claims = self._seen.get(token)
        if claims is None:
            claims = self._open(token)
            if len(self._seen) >= self._remember:
                self._seen.clear()
            self._seen[token] = claims
        if now >= claims.expires:
            self._seen.pop(token, None)
            raise Expired(_INVALID)
        return claims

    def _open(self, token: str) -> Claims:
        if len(token) > _LONGEST or not _FORM.fullmatch(token):
            raise Malformed(_INVALID)
        body, _, seal = token.rpartition(".")
        if not hmac.compare_digest(self._seal(body), seal):
            raise Malformed(_INVALID)
        try:
            version, _, text = body.partition(".")
            raw = _bytes(text)
            return msgspec.json.decode(zlib.decompress(raw) if version == _PACKED else raw, type=Claims)
        except (msgspec.DecodeError, ValueError, zlib.error):
            raise Malformed(_INVALID) from None

    def _seal(self, body: str) -> str:
        return _text(hmac.digest(self._key, body.encode(), "sha256"))


def credentials_from(headers: Mapping[str, str]) -> str | None:
    """The token of a request: Bearer, the password of Basic, bare (cargo), else X-NuGet-ApiKey.

    `headers` has lower-case names, or ignores case as Starlette's Headers does.  None when there is none.
    Any user name goes with a token: clients send `aws`, `token`, or what their settings file says.
    Raises Unauthenticated for an Authorization that cannot be read.
    """
    value = headers.get("authorization")
    if value is None:
        # nuget push: the key of the API takes the place of the credentials.
        return (headers.get("x-nuget-apikey") or "").strip() or None
    scheme, _, rest = value.strip().partition(" ")
    rest = rest.strip()
    if not rest:
        # cargo sends what `cargo login` was given, without a scheme.
        if not scheme or scheme.lower() in ("basic", "bearer"):
            raise Unauthenticated("The Authorization header holds no credentials")
        return scheme
    if scheme.lower() == "bearer":
        return rest
    if scheme.lower() == "basic":
        return _password(rest)
    raise Unauthenticated("The Authorization header must be Bearer or Basic")


def _password(text: str) -> str:
    try:
        # npm's `_auth` and some scripts leave out the padding.
        _, colon, password = base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise Unauthenticated("The Basic credentials are not base64 of user:token") from None
    if not colon or not password:
        raise Unauthenticated("The Basic credentials hold no token as password")
    return password.strip()


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
