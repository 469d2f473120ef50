"""Managed policies and their versions.  IAM API reference."""

from __future__ import annotations

import re

from registry.control.iam import shapes
from registry.control.iam.attachments import no_policy
from registry.control.iam.call import PREFIXES, Call, IamError, Params, Result, exists, operation, unique_id
from registry.control.iam.documents import MANAGED, fits, taken
from registry.core import arns, paging
from registry.core.iam import ManagedPolicy, PolicyVersion, Principal
from registry.core.ports import Tx

VERSIONS = 5


@operation("iam", "CreatePolicy")
async def create_policy(call: Call, p: Params) -> Result:
    given = shapes.given_tags(p.get("Tags"))
    path, name, now = p.get("Path", "/"), p["PolicyName"], call.now
    arn = arns.iam(call.account, "policy", path, name)
    made = ManagedPolicy(
        arn, unique_id(PREFIXES["policy"]), call.account, name, path, p.get("Description", ""), now, now, 1, 1
    )
    taken(p["PolicyDocument"])
    fits([p["PolicyDocument"]], MANAGED, "PolicySize")

    async def work(tx: Tx) -> None:
        await call.require(tx, arn, context=shapes.tag_context(given))
        if given:
            await call.require(tx, arn, action="iam:TagPolicy", context=shapes.tag_context(given))
        if not await tx.managed.add(made, p["PolicyDocument"]):
            raise IamError(
                "EntityAlreadyExists", f"A policy called {name} already exists. Duplicate names are not allowed."
            )
        await tx.principals.set_tags(arn, given)

    await call.write(work)
    shown = shapes.policy(made)
    if given:
        shown["Tags"] = shapes.tags(given)
    return {"Policy": shown}


async def policy_of(call: Call, tx: Tx, arn: str, *, change: bool = False) -> ManagedPolicy:
    """The managed policy that the request names: of the caller's account, or (to be read) of the server's own."""
    found = await tx.managed.get(arn)
    await call.require(tx, arn, tags=await tx.principals.tags(arn))
    if found is None or found.account not in ("", call.account):
        raise IamError("NoSuchEntity", f"Policy {arn} was not found.")
    if change and not found.account:
        raise IamError("AccessDenied", f"The policy {arn} comes with the server and cannot be changed.")
    return found


@operation("iam", "GetPolicy")
async def get_policy(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> Result:
        found = await policy_of(call, tx, p["PolicyArn"])
        tags = await tx.principals.tags(found.arn)
        return {
            "Policy": {
                **shapes.policy(found),
                "Description": found.description or None,
                "Tags": shapes.tags(tags) if tags else None,
            }
        }

    return await call.read(work)


@operation("iam", "ListPolicies")
async def list_policies(call: Call, p: Params) -> Result:
    accounts = {"AWS": [""], "Local": [call.account]}.get(p.get("Scope", "All"), ["", call.account])
    prefix, usage = p.get("PathPrefix", "/"), p.get("PolicyUsageFilter")

    def wanted(policy: ManagedPolicy) -> bool:
        if p.get("OnlyAttached") and not policy.attached:
            return False
        if usage == "PermissionsPolicy":
            return bool(policy.attached)
        return bool(policy.bounding) if usage == "PermissionsBoundary" else True

    async def work(tx: Tx) -> Result:
        await call.require(tx, arns.iam(call.account, "policy", prefix, ""))
        after, found, limit = call.after(), list[ManagedPolicy](), call.limit()
        at = (after[0], after[1]) if after else None
        while len(found) <= limit:
            rows = await tx.managed.page(accounts, prefix, at, limit + 1)
            found += filter(wanted, rows)
            if len(rows) <= limit:
                break
            at = (rows[-1].name.lower(), rows[-1].account)
        page = paging.cut(found, limit, lambda row: (row.name.lower(), row.account))
        return call.page("Policies", [shapes.policy(each) for each in page.items], page.last)

    return await call.read(work)


@operation("iam", "DeletePolicy")
async def delete_policy(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> None:
        found = await policy_of(call, tx, p["PolicyArn"], change=True)
        if found.attached or found.bounding:
            raise IamError("DeleteConflict", "Cannot delete a policy attached to entities.")
        if len(await tx.managed.versions(found.arn)) > 1:
            raise IamError(
                "DeleteConflict",
                "This policy has more than one version. Before you delete a policy, you must delete "
                "the policy's versions. The default version is deleted with the policy.",
            )
        await tx.managed.delete(found.arn)

    await call.write(work)
    return {}


@operation("iam", "CreatePolicyVersion")
async def create_policy_version(call: Call, p: Params) -> Result:
    taken(p["PolicyDocument"])
    fits([p["PolicyDocument"]], MANAGED, "PolicySize")
    default = p.get("SetAsDefault", False)

    async def work(tx: Tx) -> PolicyVersion:
        found = await policy_of(call, tx, p["PolicyArn"], change=True)
        if len(await tx.managed.versions(found.arn)) >= VERSIONS:
            raise IamError(
                "LimitExceeded",
                "A managed policy can have up to 5 versions. Before you create a new version, you must delete an "
                "existing version.",
            )
        return await tx.managed.add_version(found.arn, p["PolicyDocument"], call.now, default=default)

    made = await call.write(work)
    return {"PolicyVersion": shapes.version(made, made.number if default else 0, document=False)}


@operation("iam", "GetPolicyVersion")
async def get_policy_version(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> Result:
        found = await policy_of(call, tx, p["PolicyArn"])
        version = await _version(tx, found, p["VersionId"])
        return {"PolicyVersion": shapes.version(version, found.current, document=True)}

    return await call.read(work)


@operation("iam", "ListPolicyVersions")
async def list_policy_versions(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> Result:
        found = await policy_of(call, tx, p["PolicyArn"])
        versions = await tx.managed.versions(found.arn)
        # Newest first: counted down, as pages go up.
        return call.cut(
            "Versions",
            versions,
            lambda each: f"{10**12 - each.number}",
            lambda each: shapes.version(each, found.current, document=False),
        )

    return await call.read(work)


@operation("iam", "DeletePolicyVersion")
async def delete_policy_version(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> None:
        found = await policy_of(call, tx, p["PolicyArn"], change=True)
        version = await _version(tx, found, p["VersionId"])
        if version.number == found.current:
            raise IamError("DeleteConflict", "Cannot delete the default version of a policy.")
        await tx.managed.drop_version(found.arn, version.number)

    await call.write(work)
    return {}


@operation("iam", "SetDefaultPolicyVersion")
async def set_default_policy_version(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> None:
        found = await policy_of(call, tx, p["PolicyArn"], change=True)
        version = await _version(tx, found, p["VersionId"])
        await tx.managed.set_default(found.arn, version.number, call.now)

    await call.write(work)
    return {}


async def _version(tx: Tx, policy: ManagedPolicy, id: str) -> PolicyVersion:
    match = re.fullmatch(r"v([1-9][0-9]{0,9})", id)
    found = await tx.managed.version(policy.arn, int(match[1])) if match else None
    if found is None:
        raise IamError("NoSuchEntity", f"Policy {policy.arn} version {id} does not exist or is not attachable.")
    return found


@operation("iam", "ListEntitiesForPolicy")
async def list_entities_for_policy(call: Call, p: Params) -> Result:
    """One page over users, groups and roles together."""
    kinds = {"User": "user", "Group": "group", "Role": "role"}
    only, prefix = kinds.get(p.get("EntityFilter", "")), p.get("PathPrefix", "/")

    async def work(tx: Tx) -> Result:
        found = await policy_of(call, tx, p["PolicyArn"])
        bounding = p.get("PolicyUsageFilter") == "PermissionsBoundary"
        entities = [
            each
            for each in await tx.managed.entities(found.arn, boundary=bounding)
            if each.account == call.account and only in (None, each.kind) and each.path.startswith(prefix)
        ]
        page = call.cut("all", entities, lambda each: f"{each.kind} {each.name.lower()}", lambda each: each)
        shown: list[Principal] = page.pop("all")
        for title, kind in kinds.items():
            page[f"Policy{title}s"] = [
                {f"{title}Name": each.name, f"{title}Id": each.id} for each in shown if each.kind == kind
            ]
        return page

    return await call.read(work)


__all__ = ["exists", "no_policy", "policy_of"]
