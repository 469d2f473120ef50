"""Roles and their trust policies.  IAM API reference."""

from __future__ import annotations

from dataclasses import replace

from registry.control.iam import shapes
from registry.control.iam.boundaries import boundary_context, checked_boundary
from registry.control.iam.call import PREFIXES, Call, IamError, Params, Result, exists, operation, unique_id
from registry.control.iam.documents import TRUST, fits, taken
from registry.core import arns, bindings, paging
from registry.core.iam import Principal
from registry.core.ports import Tx

LONGEST = 3600


@operation("iam", "CreateRole")
async def create_role(call: Call, p: Params) -> Result:
    given = shapes.given_tags(p.get("Tags"))
    text = p["AssumeRolePolicyDocument"]
    document = taken(text, "trust")
    fits([text], TRUST, "ACLSizePerRole")
    made = Principal(
        unique_id(PREFIXES["role"]),
        "role",
        call.account,
        p["RoleName"],
        p.get("Path", "/"),
        call.now,
        trust=text,
        description=p.get("Description", ""),
        longest=p.get("MaxSessionDuration", LONGEST),
    )

    async def work(tx: Tx) -> Principal:
        context = {**shapes.tag_context(given), **boundary_context(p.get("PermissionsBoundary"))}
        await call.require(tx, made.arn, context=context)
        if given:
            await call.require(tx, made.arn, action="iam:TagRole", context=shapes.tag_context(given))
        boundary = await checked_boundary(call, tx, p.get("PermissionsBoundary"))
        role = replace(made, boundary=boundary, bound=await bindings.of(tx, document))
        if not await tx.principals.add(role):
            raise exists("Role", role.name)
        await tx.principals.set_tags(role.id, given)
        return role

    role = await call.write(work)
    shown = {**shapes.role(role, text), **shapes.boundary(role)}
    if given:
        shown["Tags"] = shapes.tags(given)
    return {"Role": shown}


@operation("iam", "GetRole")
async def get_role(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> Result:
        role = await call.entity(tx, "role", p["RoleName"])
        shown = {**await _shown(tx, role), **shapes.boundary(role)}
        tags = await tx.principals.tags(role.id)
        if tags:
            shown["Tags"] = shapes.tags(tags)
        shown["RoleLastUsed"] = {"LastUsedDate": role.used, "Region": role.used_region} if role.used else {}
        return {"Role": shown}

    return await call.read(work)


@operation("iam", "ListRoles")
async def list_roles(call: Call, p: Params) -> Result:
    prefix = p.get("PathPrefix", "/")

    async def work(tx: Tx) -> Result:
        await call.require(tx, arns.iam(call.account, "role", prefix, ""))
        after = call.after()
        rows = await tx.principals.page(call.account, "role", prefix, after[0] if after else None, call.limit() + 1)
        page = paging.cut(rows, call.limit(), lambda row: (row.name.lower(),))
        return call.page("Roles", [await _shown(tx, role) for role in page.items], page.last)

    return await call.read(work)


@operation("iam", "UpdateRole")
async def update_role(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> Principal:
        role = await call.entity(tx, "role", p["RoleName"])
        new = replace(
            role,
            description=p.get("Description", role.description),
            longest=p.get("MaxSessionDuration", role.longest),
        )
        await tx.principals.change(new)
        return new

    await call.write(work)
    return {}


@operation("iam", "UpdateRoleDescription")
async def update_role_description(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> Result:
        role = replace(await call.entity(tx, "role", p["RoleName"]), description=p["Description"])
        await tx.principals.change(role)
        return {"Role": await _shown(tx, role)}

    return await call.write(work)


@operation("iam", "UpdateAssumeRolePolicy")
async def update_assume_role_policy(call: Call, p: Params) -> Result:
    text = p["PolicyDocument"]
    document = taken(text, "trust")
    fits([text], TRUST, "ACLSizePerRole")

    async def work(tx: Tx) -> None:
        role = await call.entity(tx, "role", p["RoleName"])
        await tx.principals.change(replace(role, trust=text, bound=await bindings.of(tx, document)))

    await call.write(work)
    return {}


@operation("iam", "DeleteRole")
async def delete_role(call: Call, p: Params) -> Result:
    """What it was taken on for ends at once, tokens included."""

    async def work(tx: Tx) -> None:
        role = await call.entity(tx, "role", p["RoleName"])
        for left, what in (
            (await tx.principals.attached(role.id), "must detach all policies first"),
            (await tx.principals.inline(role.id), "must delete policies first"),
        ):
            if left:
                raise IamError("DeleteConflict", f"Cannot delete entity, {what}.")
        await tx.principals.delete(role.id)

    await call.write(work)
    return {}


async def _shown(tx: Tx, role: Principal) -> Result:
    return shapes.role(role, await bindings.shown(tx, role.trust, role.bound))
