"""STS: who am I, and temporary credentials.  STS API reference."""

from __future__ import annotations

from registry.control.iam import shapes
from registry.control.iam.call import Call, IamError, Params, Result, operation
from registry.control.iam.taking import (
    assumed,
    carried_on,
    principal_tags,
    role_by_arn,
    role_session,
    shown,
    transitive_keys,
)
from registry.core.assume import require_assume
from registry.core.errors import AccessDenied
from registry.core.iam import Principal
from registry.core.ports import Tx
from registry.identity.sessions import Session


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
    return {"Credentials": shown(call.tools.sessions.mint(session))}


@operation("sts", "AssumeRole")
async def assume_role(call: Call, p: Params) -> Result:
    given = shapes.given_tags(p.get("Tags"))
    name, arn = p["RoleSessionName"], p["RoleArn"]
    # Tags that were made to go on to the next role do, and win over new ones of the same name.
    carried = {key: value for key, value in call.caller.session.items() if key in carried_on(call.caller.session)}
    transitive = tuple(dict.fromkeys([*p.get("TransitiveTagKeys", ()), *transitive_keys(call.caller.session)]))
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
    session = role_session(
        call,
        p,
        role,
        {**principal_tags(given), **carried},
        transitive=transitive,
        source=source,
        chained=call.caller.kind != "User",
    )
    return await assumed(call, role, session, source)


async def _role(call: Call, tx: Tx, arn: str) -> Principal:
    """The role of that ARN; of one that is not there a caller hears the same as of one that is closed to him."""
    role = await role_by_arn(tx, arn)
    if role is None:
        raise AccessDenied(f"User: {call.caller.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}")
    return role
