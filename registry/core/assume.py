"""May this caller take on that role?

IAM User Guide, "IAM role trust policies" and "Cross-account policy evaluation logic".  Raises AccessDenied.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from registry.core.arns import Arns
from registry.core.decision import TAG, Ask, Outcome, Rules, add_time, named_only, request_of, weigh
from registry.core.errors import AccessDenied
from registry.core.iam import Principal
from registry.core.policy import Document, Only, Request, evaluate
from registry.core.ports import Tx
from registry.core.refusals import refusal
from registry.core.rules import given_to, parsed, rules_of
from registry.core.types import Caller


async def require_assume(
    tx: Tx, *, arns: Arns, caller: Caller, role: Principal, action: str, context: Mapping[str, str]
) -> None:
    """Allow `caller` to take on the role (sts:AssumeRole, sts:TagSession, ...), or raise AccessDenied.

    IAM User Guide, "Cross-account policy evaluation logic" and "IAM role trust policies": the trust policy must allow
    it; the caller's own policies too, but for a caller of the role's account whom the trust policy names.
    """
    ask = Ask(arns, caller, action, role.arn, None, None, context, await tx.principals.tags(role.id))
    trust = parsed(role.trust, "trust", role.bound)
    rules = await rules_of(tx, caller)
    rules = replace(rules, keys=tuple(sorted({*rules.keys, *trust.keys})))
    request = request_of(rules, ask, await given_to(tx, ask, rules))
    if caller.account != role.account:
        outcome = weigh(rules, [trust], request, own=False, administers=False) if rules.here else "no identity allow"
    else:
        outcome = _within_account(rules, trust, request)
    if outcome != "allow":
        raise refusal(outcome, ask)


def _within_account(rules: Rules, trust: Document, request: Request) -> Outcome:
    """The trust policy must allow it; where it does by naming the account alone, the caller's own policies must too."""
    attached = evaluate((trust,), request)
    if attached == "deny":
        return "resource deny"
    if attached != "allow" or not rules.here:
        return "no resource allow"
    named = evaluate((trust,), named_only(request, rules.names | {"*"})) == "allow"
    return weigh(rules, [trust] if named else [], request, own=True, administers=False)


async def require_federated(
    tx: Tx, *, arns: Arns, role: Principal, provider: str, action: str, context: Mapping[str, str]
) -> None:
    """Allow whoever an identity provider (its ARN) speaks for to take on the role, or raise AccessDenied."""
    trust = parsed(role.trust, "trust", role.bound)
    given = {name.lower(): tuple(value.split("\n")) for name, value in context.items()}
    for name, value in (await tx.principals.tags(role.id)).items():
        given[TAG + name.lower()] = (value,)
    given["aws:requestedregion"] = (arns.region,)
    given["aws:federatedprovider"] = (provider,)
    add_time(given)
    asked = Only(provider, "", action, role.arn, given, frozenset({f"other:{provider}"}))
    if evaluate((trust,), asked) != "allow":
        raise AccessDenied(f"Not authorized to perform {action}")
