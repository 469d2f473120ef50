"""Everything of an account in one answer: GetAccountAuthorizationDetails.  IAM API reference."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from registry.control.iam import shapes
from registry.control.iam.call import Call, Params, Result, operation
from registry.core import bindings
from registry.core.iam import Kind, ManagedPolicy, Principal
from registry.core.ports import Tx

_MOST = 100_000
Detail = Callable[[Tx, Any], Coroutine[Any, Any, Result]]


@operation("iam", "GetAccountAuthorizationDetails")
async def get_account_authorization_details(call: Call, p: Params) -> Result:
    """Users, groups, roles and managed policies, in pages over all of them."""
    wanted = set(p.get("Filter") or ("User", "Group", "Role", "LocalManagedPolicy", "AWSManagedPolicy"))

    async def work(tx: Tx) -> Result:
        await call.require(tx, "*")
        rows: list[tuple[str, str, Any, Detail]] = []
        kinds: tuple[tuple[str, Kind, Detail], ...] = (
            ("User", "user", _user), ("Group", "group", _group), ("Role", "role", _role),
        )  # fmt: skip
        for title, kind, detail in kinds:
            found = await tx.principals.page(call.account, kind, "/", None, _MOST) if title in wanted else []
            rows += [(f"{title}DetailList", each.name.lower(), each, detail) for each in found]
        accounts = [call.account] if "LocalManagedPolicy" in wanted else []
        accounts += [""] if "AWSManagedPolicy" in wanted else []
        policies = await tx.managed.page(accounts, "/", None, _MOST) if accounts else []
        rows += [("Policies", f"{each.name.lower()} {each.account}", each, _policy) for each in policies]
        page = call.cut("all", rows, lambda row: f"{row[0]} {row[1]}", lambda row: row)
        for member, _, each, detail in page.pop("all"):
            page.setdefault(member, []).append(await detail(tx, each))
        return page

    return await call.read(work)


async def _shared(tx: Tx, found: Principal, prefix: str) -> Result:
    inline = await tx.principals.inline(found.id)
    return {
        f"{prefix}PolicyList": [{"PolicyName": name, "PolicyDocument": text} for name, text in inline.items()],
        "AttachedManagedPolicies": [
            {"PolicyName": name, "PolicyArn": arn} for name, arn in await tx.principals.attached(found.id)
        ],
    }


async def _user(tx: Tx, user: Principal) -> Result:
    groups = [group.name for group in await tx.principals.groups(user.id)]
    tags = shapes.tags(await tx.principals.tags(user.id))
    more = await _shared(tx, user, "User")
    return {**shapes.user(user), **shapes.boundary(user), **more, "GroupList": groups, "Tags": tags}


async def _group(tx: Tx, group: Principal) -> Result:
    return {**shapes.group(group), **await _shared(tx, group, "Group")}


async def _role(tx: Tx, role: Principal) -> Result:
    shown = shapes.role(role, await bindings.shown(tx, role.trust, role.bound))
    for absent in ("Description", "MaxSessionDuration"):
        shown.pop(absent)
    tags = shapes.tags(await tx.principals.tags(role.id))
    used = {"LastUsedDate": role.used, "Region": role.used_region} if role.used else {}
    more = await _shared(tx, role, "Role")
    return {**shown, **shapes.boundary(role), **more, "InstanceProfileList": [], "Tags": tags, "RoleLastUsed": used}


async def _policy(tx: Tx, policy: ManagedPolicy) -> Result:
    versions = await tx.managed.versions(policy.arn)
    shown = [shapes.version(each, policy.current, document=True) for each in versions]
    return {**shapes.policy(policy), "Description": policy.description or None, "PolicyVersionList": shown}
