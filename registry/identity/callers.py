"""From what a request shows (an access key, a token) to the Caller that it stands for, now.

    caller, secret = await by_key(tx, secrets, access_key_id)     # signed requests
    caller = await by_claims(tx, claims)                          # tokens

To be called inside a unit of work, so that a deleted user or role, a deactivated key and a revoked token are seen at
once.
"""

from __future__ import annotations

from dataclasses import replace

from registry.core import arns
from registry.core.errors import Unauthenticated
from registry.core.ports import Tx
from registry.core.types import Caller, User
from registry.identity.secrets import Secrets
from registry.identity.sessions import Session, Sessions, facts, invalid
from registry.identity.tokens import Claims

ANONYMOUS = Caller(account="anonymous", arn="anonymous", user_id="anonymous", name="anonymous", kind="Anonymous")
_REFUSED = "The authorization token is invalid or has expired"


async def by_key(
    tx: Tx,
    secrets: Secrets,
    access_key_id: str,
    *,
    sessions: Sessions | None = None,
    session_token: str = "",
    now: int = 0,
) -> tuple[Caller, str]:
    """The caller and the secret of an active access key, or of temporary credentials.

    Raises SignatureError (UnrecognizedClientException, ExpiredTokenException).
    """
    if session_token and sessions is not None:
        session, secret = sessions.open(access_key_id, session_token, now)
        caller = await by_session(tx, session)
        if caller is None:
            raise invalid()
        return caller, secret
    found = await tx.principals.by_key(access_key_id) if not session_token else None
    if found is None or not found[0].active:
        raise invalid()
    key, owner = found
    return user(owner), secrets.unseal(key.secret, key.id).decode()


async def by_claims(tx: Tx, claims: Claims) -> Caller:
    """The caller of a token; `token_domain` is set, but for a token that is good for every domain.

    Raises Unauthenticated when its user or role is gone, even if another of the same name was made since, and when a
    long-lived token was revoked.
    """
    if claims.anonymous:
        return ANONYMOUS
    domain = claims.domain_id or None
    if claims.session is not None:
        caller = await by_session(tx, claims.session)
        if caller is None:
            raise Unauthenticated(_REFUSED)
        return replace(caller, token_domain=domain)
    owner = await tx.principals.known(claims.user_id)
    if owner is None or owner.account != claims.account:
        raise Unauthenticated(_REFUSED)
    if claims.stored:
        held = await tx.principals.credential(claims.id)
        if held is None or not held.active or held.owner != owner.id:
            raise Unauthenticated(_REFUSED)
    return user(owner, token_domain=domain)


async def by_session(tx: Tx, session: Session) -> Caller | None:
    """None when its user or role is gone."""
    owner = await tx.principals.known(session.principal)
    if owner is None:
        return None
    arn, user_id = arns.user(owner.account, owner.path, owner.name), owner.id
    if session.kind == "AssumedRole":
        arn, user_id = arns.session(owner.account, owner.name, session.name), f"{owner.id}:{session.name}"
    return Caller(
        account=owner.account,
        arn=arn,
        user_id=user_id,
        name=owner.name,
        session={**session.context, **facts(session)},
        kind=session.kind,
        policies=session.policies,
        policy_arns=session.policy_arns,
        session_id=session.id,
        expires=session.expires,
        issued=session.issued,
    )


def user(owner: User, *, token_domain: int | None = None) -> Caller:
    """A user with long-term credentials."""
    return Caller(
        account=owner.account,
        arn=arns.user(owner.account, owner.path, owner.name),
        user_id=owner.id,
        name=owner.name,
        token_domain=token_domain,
    )
