"""Temporary credentials: an access key ASIA..., its secret, and a session token that holds all that the session is.

    sessions = Sessions(secrets)
    made = sessions.mint(session)                        # key, secret and token for the client
    session, secret = sessions.open(key, token, now)     # raises SignatureError

Nothing of a session is stored: the token is sealed for its access key under the server's master key.  What ends a
session before its time is the deletion of its user or role, or a policy (IAM User Guide, "Revoking IAM role temporary
security credentials": a deny with aws:TokenIssueTime), both asked about at every request.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets as random
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from registry.core.errors import Unavailable
from registry.core.types import Caller, CallerKind
from registry.identity.secrets import Secrets
from registry.identity.sigv4 import SignatureError

_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_LONGEST = 16_384
_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Session:
    """What a session is.  `principal` is the unique id of its user or role, `name` the session's own name.

    `context` holds condition keys; `transitive` the session tags that go on to the next role.  Times in milliseconds.
    """

    kind: CallerKind
    account: str
    principal: str
    name: str
    issued: int
    expires: int
    context: Mapping[str, str] = field(default_factory=dict)
    policies: tuple[str, ...] = ()
    policy_arns: tuple[str, ...] = ()
    transitive: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Equal for equal content."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Minted:
    """Temporary credentials for a client."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expires: int = 0


@dataclass(frozen=True, slots=True)
class _Sealed:
    secret: str
    session: Session


class Sessions:
    """Mints and opens; remembers what it opened, as a client shows one token many times."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._seen: dict[tuple[str, str], _Sealed] = {}

    def mint(self, session: Session) -> Minted:
        key = "ASIA" + "".join(random.choice(_BASE32) for _ in range(16))
        secret = base64.b64encode(random.token_bytes(30)).decode()
        body = zlib.compress(msgspec.json.encode(_Sealed(secret, session)))
        token = base64.b64encode(self._secrets.seal(body, f"session {key}")).decode()
        return Minted(key, secret, token, session.expires)

    def open(self, access_key_id: str, token: str, now: int) -> tuple[Session, str]:
        """Raises SignatureError: UnrecognizedClientException, ExpiredTokenException."""
        found = self._seen.get((access_key_id, token))
        if found is None:
            found = self._opened(access_key_id, token)
            if len(self._seen) >= _REMEMBERED:
                self._seen.clear()
            self._seen[access_key_id, token] = found
        if now >= found.session.expires:
            raise SignatureError("ExpiredTokenException", "The security token included in the request is expired")
        return found.session, found.secret

    def _opened(self, access_key_id: str, token: str) -> _Sealed:
        try:
            if len(token) > _LONGEST:
                raise ValueError
            body = self._secrets.unseal(base64.b64decode(token, validate=True), f"session {access_key_id}")
            return msgspec.json.decode(zlib.decompress(body), type=_Sealed)
        except (binascii.Error, ValueError, Unavailable, zlib.error, msgspec.DecodeError):
            raise invalid() from None


def invalid() -> SignatureError:
    """Of an access key or a token that is not ours, or no longer."""
    return SignatureError("UnrecognizedClientException", "The security token included in the request is invalid.")


def packed_percent(session: Session) -> int:
    """How much of the room for policies and tags a session takes, in percent; more than 100 is too much."""
    parts = [*session.policies, *session.policy_arns, *(f"{k}={v}" for k, v in sorted(session.context.items()))]
    return round(len(zlib.compress("\n".join(parts).encode())) * 100 / 4096)


def of(caller: Caller) -> Session | None:
    """The session that a caller is in, so that an authorization token can carry it on; None for long-term keys."""
    if not caller.session_id:
        return None
    name = caller.user_id.partition(":")[2]
    context = {key: value for key, value in caller.session.items() if key not in _MADE}
    return Session(
        caller.kind,
        caller.account,
        caller.principal_id,
        name,
        caller.issued,
        caller.expires or 0,
        context,
        caller.policies,
        caller.policy_arns,
    )


def facts(session: Session) -> dict[str, str]:
    """The condition keys that follow from a session, beside those in its `context`."""
    issued = datetime.fromtimestamp(session.issued // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"aws:TokenIssueTime": issued, "aws:MultiFactorAuthPresent": "false"}


_MADE = frozenset({"aws:TokenIssueTime", "aws:MultiFactorAuthPresent"})
