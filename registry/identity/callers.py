"""From what a request shows (an access key, a token) to the Caller that it stands for, now.

    caller, secret = await by_key(tx, secrets, access_key_id)     # signed requests
    caller = await by_claims(tx, claims)                          # tokens

To be called inside a unit of work, so that a deleted user or a deactivated key is seen at once.
"""

from __future__ import annotations

from registry.core.ports import Tx
from registry.core.types import Caller
from registry.identity.secrets import Secrets
from registry.identity.tokens import Claims


async def by_key(tx: Tx, secrets: Secrets, access_key_id: str) -> tuple[Caller, str]:
    """The caller and the secret of an active access key.  Raises SignatureError (UnrecognizedClientException)."""
    raise NotImplementedError


async def by_claims(tx: Tx, claims: Claims) -> Caller:
    """The caller of a token; `token_domain` is set.  Raises Unauthenticated when its user is gone or replaced."""
    raise NotImplementedError
