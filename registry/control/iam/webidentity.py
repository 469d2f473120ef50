"""AssumeRoleWithWebIdentity: whoever an identity provider speaks for takes on a role.  STS API reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry.control.iam import shapes
from registry.control.iam.call import Call, IamError, Params, Result, operation
from registry.control.iam.taking import assumed, principal_tags, role_by_arn, role_session
from registry.core.assume import require_federated
from registry.core.errors import AccessDenied
from registry.core.iam import Principal, Provider
from registry.core.ports import Tx
from registry.identity import jwt, oidc

_TAGS_CLAIM = "https://aws.amazon.com/tags"
_SOURCE = "https://aws.amazon.com/source_identity"


@operation("sts", "AssumeRoleWithWebIdentity")
async def assume_role_with_web_identity(call: Call, p: Params) -> Result:
    """Needs no signature: the token of an identity provider says who asks."""
    try:
        token = jwt.parse(p["WebIdentityToken"])
        provider, role = await call.read(lambda tx: _provider(tx, p["RoleArn"], token))
        claims = await call.tools.issuers.verify(provider, token)
    except jwt.BadToken as err:
        raise IamError("InvalidIdentityToken", str(err)) from None
    except oidc.Refused as err:
        raise IamError(err.code, err.message) from None
    subject, audience = claims.get("sub"), _audience(provider, claims)
    if not isinstance(subject, str) or not subject:
        raise IamError("InvalidIdentityToken", "The token has no subject")
    given, transitive = _claimed_tags(claims)
    source = claims.get(_SOURCE) if isinstance(claims.get(_SOURCE), str) else None
    about = _about(provider, claims, audience)
    context = {
        **call.context,
        **about,
        "sts:RoleSessionName": p["RoleSessionName"],
        **shapes.tag_context(given),
        **({"sts:SourceIdentity": source} if source else {}),
    }

    async def work(tx: Tx) -> Principal:
        fresh = await tx.principals.get(role.id)
        if fresh is None:
            raise AccessDenied("Not authorized to perform sts:AssumeRoleWithWebIdentity")
        actions = ["sts:AssumeRoleWithWebIdentity"]
        actions += ["sts:TagSession"] if given else []
        actions += ["sts:SetSourceIdentity"] if source else []
        for action in actions:
            await require_federated(
                tx, arns=call.services.arns, role=fresh, provider=provider.arn, action=action, context=context
            )
        return fresh

    found = await call.read(work)
    own = {**principal_tags(given), "aws:FederatedProvider": provider.arn}
    session = role_session(call, p, found, own, transitive=transitive, source=source, chained=False)
    answer = await assumed(call, found, session, source)
    return {**answer, "SubjectFromWebIdentityToken": subject, "Audience": audience, "Provider": provider.url}


async def _provider(tx: Tx, arn: str, token: jwt.Token) -> tuple[Provider, Principal]:
    """The provider that the token says it is of, in the role's account."""
    role = await role_by_arn(tx, arn)
    issuer = token.claims.get("iss")
    if not isinstance(issuer, str) or "://" not in issuer:
        raise IamError("InvalidIdentityToken", "The token names no issuer")
    account = arn.split(":", 5)[4]
    for provider in await tx.logins.providers(account):
        if role is not None and provider.url.rstrip("/") == issuer.rstrip("/"):
            return provider, role
    if role is None:
        raise AccessDenied("Not authorized to perform sts:AssumeRoleWithWebIdentity")
    raise IamError("InvalidIdentityToken", f"No OpenIDConnect provider found in your account for {issuer[:200]}")


def _audience(provider: Provider, claims: Mapping[str, Any]) -> str:
    """The audience for which the token was made, one of the provider's client ids.  An `azp` says which of several."""
    given = oidc.audiences(claims)
    party = claims.get("azp")
    wanted = [party] if isinstance(party, str) and (party in given or party in provider.clients) else list(given)
    found = next((each for each in wanted if each in provider.clients), None)
    if found is None:
        raise IamError("InvalidIdentityToken", "Incorrect token audience")
    return found


def _about(provider: Provider, claims: Mapping[str, Any], audience: str) -> dict[str, str]:
    """Condition keys PROVIDER:CLAIM, of every claim that is a text, a number, or a list of texts."""
    prefix = provider.url.split("://", 1)[1].rstrip("/")
    found = {}
    for name, value in claims.items():
        if isinstance(value, bool):
            found[f"{prefix}:{name}"] = "true" if value else "false"
        elif isinstance(value, str | int | float):
            found[f"{prefix}:{name}"] = str(value)
        elif isinstance(value, list) and value and all(isinstance(each, str) for each in value):
            found[f"{prefix}:{name}"] = "\n".join(value)
    found[f"{prefix}:aud"] = audience
    return found


def _claimed_tags(claims: Mapping[str, Any]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Session tags that the provider gives (IAM User Guide, "Passing session tags using AssumeRoleWithWebIdentity")."""
    block = claims.get(_TAGS_CLAIM)
    if not isinstance(block, dict) or not isinstance(block.get("principal_tags"), dict):
        return {}, ()
    tags = {}
    for key, value in block["principal_tags"].items():
        one = value[0] if isinstance(value, list) and len(value) == 1 else value
        if not isinstance(one, str) or not 0 < len(key) <= 128 or len(one) > 256:
            raise IamError("InvalidIdentityToken", "The token's session tags are not names with one value each")
        tags[key] = one
    shapes.limit_tags(tags)
    keys = block.get("transitive_tag_keys", [])
    return tags, tuple(each for each in keys if isinstance(each, str)) if isinstance(keys, list) else ()
