"""STS: who am I, and temporary credentials.  STS API reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from registry.control.iam import shapes
from registry.control.iam.call import Call, IamError, Params, Result, operation
from registry.control.iam.documents import taken
from registry.core import arns
from registry.core.authorize import require_assume, require_federated
from registry.core.errors import AccessDenied
from registry.core.iam import Principal, Provider
from registry.core.ports import Tx
from registry.identity import jwt, oidc
from registry.identity.sessions import Minted, Session, packed_percent

CHAINED = 3600
"""Seconds that a role taken on by the session of a role may last at most."""
_TAGS_CLAIM = "https://aws.amazon.com/tags"
_SOURCE = "https://aws.amazon.com/source_identity"


@operation("sts", "GetCallerIdentity")
async def get_caller_identity(call: Call, p: Params) -> Result:
    """Needs no right."""
    return {"UserId": call.caller.user_id, "Account": call.account, "Arn": call.caller.arn}


@operation("sts", "GetAccessKeyInfo")
async def get_access_key_info(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> Result:
        await call.require(tx, "*")
        owner = await tx.principals.key_owner(p["AccessKeyId"])
        found = await tx.principals.get(owner) if owner is not None else None
        if found is None:
            raise IamError("ValidationError", f"The access key {p['AccessKeyId']} is not known here")
        return {"Account": found.account}

    return await call.read(work)


@operation("sts", "GetSessionToken")
async def get_session_token(call: Call, p: Params) -> Result:
    """The same user for a while.  Needs no right, and long-term credentials."""
    if call.caller.session_id:
        raise AccessDenied("Cannot call GetSessionToken with session credentials")
    seconds = p.get("DurationSeconds", 43_200)
    session = Session(
        "User", call.account, call.caller.principal_id, call.caller.name, call.now, call.now + seconds * 1000
    )
    return {"Credentials": _shown(call.tools.sessions.mint(session))}


@operation("sts", "AssumeRole")
async def assume_role(call: Call, p: Params) -> Result:
    given = shapes.given_tags(p.get("Tags"))
    name, arn = p["RoleSessionName"], p["RoleArn"]
    # Tags that were made to go on to the next role do, and win over new ones of the same name.
    carried = {key: value for key, value in call.caller.session.items() if key in _carried(call.caller.session)}
    transitive = tuple(dict.fromkeys([*p.get("TransitiveTagKeys", ()), *_transitive(call.caller.session)]))
    source = p.get("SourceIdentity") or call.caller.session.get("aws:SourceIdentity")
    context = {"sts:RoleSessionName": name, **shapes.tag_context(given)}
    if p.get("ExternalId"):
        context["sts:ExternalId"] = p["ExternalId"]
    if source:
        context["sts:SourceIdentity"] = source
    if p.get("TransitiveTagKeys"):
        context["sts:TransitiveTagKeys"] = "\n".join(p["TransitiveTagKeys"])

    async def work(tx: Tx) -> Principal:
        role = await _role(call, tx, arn)
        actions = ["sts:AssumeRole"]
        if given or p.get("TransitiveTagKeys"):
            actions.append("sts:TagSession")
        if source:
            actions.append("sts:SetSourceIdentity")
        for action in actions:
            await require_assume(
                tx,
                arns=call.services.arns,
                caller=call.caller,
                role=role,
                action=action,
                context={**call.context, **context},
            )
        return role

    role = await call.read(work)
    session = _session(
        call,
        p,
        role,
        {**_tags(given), **carried},
        transitive=transitive,
        source=source,
        chained=call.caller.kind != "User",
    )
    return await _assumed(call, role, session, source)


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
    own = {**_tags(given), "aws:FederatedProvider": provider.arn}
    session = _session(call, p, found, own, transitive=transitive, source=source, chained=False)
    answer = await _assumed(call, found, session, source)
    return {**answer, "SubjectFromWebIdentityToken": subject, "Audience": audience, "Provider": provider.url}


# --- roles -----------------------------------------------------------------------------------------------------------


async def _role(call: Call, tx: Tx, arn: str) -> Principal:
    """The role of that ARN; of one that is not there a caller hears the same as of one that is closed to him."""
    role = await _by_arn(tx, arn)
    if role is None:
        raise AccessDenied(f"User: {call.caller.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}")
    return role


async def _by_arn(tx: Tx, arn: str) -> Principal | None:
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[:3] != ["arn", "aws", "iam"] or not parts[5].startswith("role/"):
        raise IamError("ValidationError", f"{arn} is invalid")
    role = await tx.principals.named(parts[4], "role", parts[5].rpartition("/")[2])
    return role if role is not None and role.arn == arn else None


def _session(
    call: Call,
    p: Params,
    role: Principal,
    context: Mapping[str, str],
    *,
    transitive: Sequence[str],
    source: str | None,
    chained: bool,
) -> Session:
    """Raises IamError: ValidationError, MalformedPolicyDocument, PackedPolicyTooLarge."""
    seconds = p.get("DurationSeconds", 3600)
    if seconds > role.longest:
        raise IamError(
            "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    if chained and seconds > CHAINED:
        raise IamError(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        )
    policies = (p["Policy"],) if p.get("Policy") else ()
    for text in policies:
        taken(text)
    named = tuple(each["arn"] for each in p.get("PolicyArns", ()))
    if len(named) > 10:
        raise IamError("ValidationError", "At most 10 managed session policies can be given")
    made = dict(context)
    if source:
        made["aws:SourceIdentity"] = source
    if transitive:
        made[_TRANSITIVE] = "\n".join(transitive)
    session = Session(
        "AssumedRole",
        role.account,
        role.id,
        p["RoleSessionName"],
        call.now,
        call.now + seconds * 1000,
        made,
        policies,
        named,
    )
    if packed_percent(session) > 100:
        raise IamError(
            "PackedPolicyTooLarge",
            f"Packed size of session tags consumes {packed_percent(session)}% of allotted space.",
        )
    return session


async def _assumed(call: Call, role: Principal, session: Session, source: str | None) -> Result:
    for arn in session.policy_arns:
        policy = await call.read(lambda tx, arn=arn: tx.managed.get(arn))  # type: ignore[misc]
        if policy is None or policy.account not in ("", role.account):
            raise IamError("ValidationError", f"Policy {arn} does not exist or is not attachable.")
    if call.now - role.used > 15 * 60 * 1000:
        await call.write(lambda tx: tx.principals.note_role(role.id, call.now, call.region))
    made = call.tools.sessions.mint(session)
    answer: Result = {
        "Credentials": _shown(made),
        "AssumedRoleUser": {
            "AssumedRoleId": f"{role.id}:{session.name}",
            "Arn": arns.session(role.account, role.name, session.name),
        },
        "SourceIdentity": source,
    }
    if session.policies or session.policy_arns or session.context:
        answer["PackedPolicySize"] = packed_percent(session)
    return answer


def _shown(made: Minted) -> dict[str, Any]:
    return {
        "AccessKeyId": made.access_key_id,
        "SecretAccessKey": made.secret_access_key,
        "SessionToken": made.session_token,
        "Expiration": made.expires,
    }


# --- session tags ----------------------------------------------------------------------------------------------------

_TRANSITIVE = "packyard:TransitiveTagKeys"


def _tags(given: Mapping[str, str]) -> dict[str, str]:
    return {f"aws:PrincipalTag/{key}": value for key, value in given.items()}


def _transitive(context: Mapping[str, str]) -> list[str]:
    return [key for key in context.get(_TRANSITIVE, "").split("\n") if key]


def _carried(context: Mapping[str, str]) -> set[str]:
    wanted = {f"aws:principaltag/{key.lower()}" for key in _transitive(context)}
    return {key for key in context if key.lower() in wanted}


# --- identity providers ----------------------------------------------------------------------------------------------


async def _provider(tx: Tx, arn: str, token: jwt.Token) -> tuple[Provider, Principal]:
    """The provider that the token says it is of, in the role's account."""
    role = await _by_arn(tx, arn)
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
