"""Long-lived tokens: authorization tokens that hold as long as their row is there, active and not expired."""

from __future__ import annotations

from registry.core.iam import Credential, Principal
from registry.identity.tokens import NEVER, Claims, Tokens

SERVICE = "codeartifact.amazonaws.com"


def token(tokens: Tokens, user: Principal, credential: Credential) -> str:
    """The text that package managers show.  It cannot be had again from what is stored, only by this key."""
    return tokens.seal(
        Claims(
            user.account,
            user.name,
            user.id,
            credential.domain_id,
            credential.expires or NEVER,
            credential.id,
            stored=True,
        )
    )
