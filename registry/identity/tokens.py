"""Authorization tokens: minted by GetAuthorizationToken, shown by package managers.  No I/O, no clock.

    tokens = Tokens(secrets.derive("tokens"))
    text = tokens.mint(caller, domain_id, expires)       # expires in milliseconds
    claims = tokens.verify(text, now)                    # raises Unauthenticated
    text = credentials_from(headers)                     # raises Unauthenticated when malformed, None when absent

A token carries who, the domain, expiry and an id; what the caller may do is asked anew at every request
(registry.identity.callers.by_claims, then registry.core.authorize.require).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from registry.core.errors import Unauthenticated
from registry.core.types import Caller


class Malformed(Unauthenticated):
    """Not a token of this server."""


class Expired(Unauthenticated):
    """It was one."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says, once its seal is found whole.  `expires` in milliseconds."""

    account: str
    user: str
    user_id: str
    domain_id: int
    expires: int
    id: str


class Tokens:
    """Mints and verifies under one key."""

    def __init__(self, key: bytes, *, remember: int = 4096) -> None:
        raise NotImplementedError

    def mint(self, caller: Caller, domain_id: int, expires: int) -> str:
        """A token in the alphabet `A-Z a-z 0-9 . _ ~ -`."""
        raise NotImplementedError

    def verify(self, token: str, now: int) -> Claims:
        """Raises Malformed or Expired, both Unauthenticated and alike to the client."""
        raise NotImplementedError


def credentials_from(headers: Mapping[str, str]) -> str | None:
    """The token of a request: Bearer, the password of Basic, bare (cargo), else X-NuGet-ApiKey.

    `headers` has lower-case names, or ignores case as Starlette's Headers does.  None when there is none.
    Raises Unauthenticated for an Authorization that cannot be read.
    """
    raise NotImplementedError
