"""What the operations that give out a role's credentials have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from registry.control.iam.call import Call, IamError, Params, Result
from registry.control.iam.documents import taken
from registry.core import arns
from registry.core.iam import Principal
from registry.core.ports import Tx
from registry.identity.sessions import Minted, Session, packed_percent

CHAINED = 3600
"""Seconds that a role taken on by the session of a role may last at most."""
_TRANSITIVE = "packyard:TransitiveTagKeys"


async def role_by_arn(tx: Tx, arn: str) -> Principal | None:
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[:3] != ["arn", "aws", "iam"] or not parts[5].startswith("role/"):
        raise IamError("ValidationError", f"{arn} is invalid")
    role = await tx.principals.named(parts[4], "role", parts[5].rpartition("/")[2])
    return role if role is not None and role.arn == arn else None


def role_session(
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


async def assumed(call: Call, role: Principal, session: Session, source: str | None) -> Result:
    for arn in session.policy_arns:
        policy = await call.read(lambda tx, arn=arn: tx.managed.get(arn))  # type: ignore[misc]
        if policy is None or policy.account not in ("", role.account):
            raise IamError("ValidationError", f"Policy {arn} does not exist or is not attachable.")
    if call.now - role.used > 15 * 60 * 1000:
        await call.write(lambda tx: tx.principals.note_role(role.id, call.now, call.region))
    made = call.tools.sessions.mint(session)
    answer: Result = {
        "Credentials": shown(made),
        "AssumedRoleUser": {
            "AssumedRoleId": f"{role.id}:{session.name}",
            "Arn": arns.session(role.account, role.name, session.name),
        },
        "SourceIdentity": source,
    }
    if session.policies or session.policy_arns or session.context:
        answer["PackedPolicySize"] = packed_percent(session)
    return answer


def shown(made: Minted) -> dict[str, Any]:
    return {
        "AccessKeyId": made.access_key_id,
        "SecretAccessKey": made.secret_access_key,
        "SessionToken": made.session_token,
        "Expiration": made.expires,
    }


# --- session tags ----------------------------------------------------------------------------------------------------


def principal_tags(given: Mapping[str, str]) -> dict[str, str]:
    return {f"aws:PrincipalTag/{key}": value for key, value in given.items()}


def transitive_keys(context: Mapping[str, str]) -> list[str]:
    return [key for key in context.get(_TRANSITIVE, "").split("\n") if key]


def carried_on(context: Mapping[str, str]) -> set[str]:
    wanted = {f"aws:principaltag/{key.lower()}" for key in transitive_keys(context)}
    return {key for key in context if key.lower() in wanted}
