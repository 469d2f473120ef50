"""What would be allowed: SimulatePrincipalPolicy, SimulateCustomPolicy.  IAM API reference.

Identity policies, boundaries and given policies are weighed as for real requests; policies of domains and repositories
only if they are given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from registry.control.iam.call import Call, IamError, Params, Result, operation
from registry.control.iam.documents import taken
from registry.core import bindings
from registry.core.conditions import Context
from registry.core.iam import Principal
from registry.core.policy import Document, Request, evaluate
from registry.core.ports import Tx


@operation("iam", "SimulatePrincipalPolicy")
async def simulate_principal_policy(call: Call, p: Params) -> Result:
    arn = p["PolicySourceArn"]

    async def work(tx: Tx) -> Result:
        await call.require(tx, arn)
        found = await _source(call, tx, arn)
        grants = await tx.principals.grants(found.id)
        assert grants is not None
        documents = [taken(text) for text in grants.documents]
        limits = [] if grants.boundary is None else [[taken(grants.boundary)]] if grants.boundary else [[]]
        known = {f"aws:principaltag/{key.lower()}": (value,) for key, value in grants.tags.items()}
        return _simulated(p, documents, limits, {**known, **_of(found)})

    return await call.read(work)


@operation("iam", "SimulateCustomPolicy")
async def simulate_custom_policy(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> None:
        await call.require(tx, "*")

    await call.read(work)
    return _simulated(p, [], [], {})


def _of(found: Principal) -> dict[str, tuple[str, ...]]:
    context: dict[str, tuple[str, ...]] = {
        "aws:principalarn": (found.arn,),
        "aws:principalaccount": (found.account,),
        "aws:userid": (found.id,),
    }
    if found.kind == "user":
        context["aws:username"] = (found.name,)
    return context


def _simulated(
    p: Params, documents: Sequence[Document], limits: Sequence[Sequence[Document]], known: Context
) -> Result:
    given = [*documents, *(taken(text) for text in p.get("PolicyInputList", ()))]
    bounds = [*limits]
    if p.get("PermissionsBoundaryPolicyInputList"):
        bounds = [[taken(text) for text in p["PermissionsBoundaryPolicyInputList"]]]
    resource = [taken(p["ResourcePolicy"], "resource")] if "ResourcePolicy" in p else []
    context = {**known, **_entries(p.get("ContextEntries", ()))}
    caller = p.get("CallerArn") or p.get("PolicySourceArn", "")
    account = (caller.split(":", 5) + [""] * 5)[4]
    results = []
    for action in p["ActionNames"]:
        for on in p.get("ResourceArns") or ["*"]:
            request = Request(caller, account, action, on, context)
            decision, bounded = _decided(request, given, bounds, resource)
            needed = set[str]().union(*(d.keys for d in given))
            shown: dict[str, Any] = {
                "EvalActionName": action,
                "EvalResourceName": on,
                "EvalDecision": decision,
                "MatchedStatements": [],
                "MissingContextValues": sorted(key for key in needed if key not in context),
            }
            if bounds:
                shown["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": bounded}
            results.append(shown)
    return {"EvaluationResults": results, "IsTruncated": False}


def _decided(
    request: Request, given: Sequence[Document], bounds: Sequence[Sequence[Document]], resource: Sequence[Document]
) -> tuple[str, bool]:
    outcomes = [evaluate(given, request), *(evaluate(bound, request) for bound in bounds), evaluate(resource, request)]
    within = all(outcome == "allow" for outcome in outcomes[1:-1])
    if "deny" in outcomes:
        return "explicitDeny", within
    allowed = "allow" in (outcomes[0], outcomes[-1]) and within
    return ("allowed" if allowed else "implicitDeny"), within


def _entries(entries: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    return {
        each["ContextKeyName"].lower(): tuple(each.get("ContextKeyValues", ()))
        for each in entries
        if each.get("ContextKeyName")
    }


@operation("iam", "GetContextKeysForCustomPolicy")
async def get_context_keys_for_custom_policy(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> None:
        await call.require(tx, "*")

    await call.read(work)
    return {"ContextKeyNames": _keys([taken(text) for text in p["PolicyInputList"]])}


@operation("iam", "GetContextKeysForPrincipalPolicy")
async def get_context_keys_for_principal_policy(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> Result:
        await call.require(tx, p["PolicySourceArn"])
        found = await _source(call, tx, p["PolicySourceArn"])
        grants = await tx.principals.grants(found.id)
        assert grants is not None
        texts = [*grants.documents, *p.get("PolicyInputList", ())]
        return {"ContextKeyNames": _keys([taken(text) for text in texts])}

    return await call.read(work)


async def _source(call: Call, tx: Tx, arn: str) -> Principal:
    """The user, group or role of the caller's account with that ARN."""
    found = await bindings.by_arn(tx, arn)
    if found is None and ":group/" in arn:
        found = await tx.principals.named(call.account, "group", arn.rpartition("/")[2])
    if found is None or found.account != call.account:
        raise IamError("NoSuchEntity", f"The entity {arn} cannot be found.")
    return found


def _keys(documents: Sequence[Document]) -> list[str]:
    return sorted(set[str]().union(*(document.keys for document in documents)))
