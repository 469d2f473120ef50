"""From what a request shows (an access key, a token) to the Caller that it stands for, now.

    caller, secret = await by_key(tx, secrets, access_key_id)     # signed requests
    caller = await by_claims(tx, claims)                          # tokens

To be called inside a unit of work, so that a deleted user or a deactivated key is seen at once.
"""

from __future__ import annotations

from registry.core import arns
from registry.core.errors import Unauthenticated
from registry.core.ports import Tx
from registry.core.types import Caller, User
from registry.identity.secrets import Secrets
from registry.identity.sigv4 import SignatureError
from registry.identity.tokens import Claims


async def by_key(tx: Tx, secrets: Secrets, access_key_id: str) -> tuple[Caller, str]:
    """The caller and the secret of an active access key.  Raises SignatureError (UnrecognizedClientException)."""
    key = await tx.identity.key(access_key_id)
    user = await tx.identity.user(key.account, key.user) if key is not None and key.active else None
    if key is None or user is None:
        raise SignatureError("UnrecognizedClientException", "The security token included in the request is invalid.")
    return _caller(user, token_domain=None), secrets.unseal(key.secret, key.id).decode()


async def by_claims(tx: Tx, claims: Claims) -> Caller:
    """The caller of a token; `token_domain` is set.

    Raises Unauthenticated when its user is gone, even if another of the same name was made since.
    """
    user = await tx.identity.user(claims.account, claims.user)
    if user is None or user.id != claims.user_id:
        raise Unauthenticated("The authorization token is invalid or has expired")
    return _caller(user, token_domain=claims.domain_id)


def _caller(user: User, *, token_domain: int | None) -> Caller:
    return Caller(
        account=user.account,
        arn=arns.user(user.account, user.path, user.name),
        user_id=user.id,
        name=user.name,
        token_domain=token_domain,
    )
