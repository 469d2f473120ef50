"""Groups and who is in them.  IAM API reference."""

from __future__ import annotations

from dataclasses import replace

from registry.control.iam import shapes
from registry.control.iam.call import PREFIXES, Call, IamError, Params, Result, exists, no_such, operation, unique_id
from registry.core import arns, paging
from registry.core.iam import Principal
from registry.core.ports import Tx

GROUPS_PER_USER = 10


@operation("iam", "CreateGroup")
async def create_group(call: Call, p: Params) -> Result:
    made = Principal(unique_id(PREFIXES["group"]), "group", call.account, p["GroupName"], p.get("Path", "/"), call.now)

    async def work(tx: Tx) -> None:
        await call.require(tx, made.arn)
        if not await tx.principals.add(made):
            raise exists("Group", made.name)

    await call.write(work)
    return {"Group": shapes.group(made)}


@operation("iam", "GetGroup")
async def get_group(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> Result:
        group = await call.entity(tx, "group", p["GroupName"])
        members = await tx.principals.members(group.id)
        page = call.cut("Users", members, lambda user: user.name.lower(), shapes.user)
        return {"Group": shapes.group(group), **page}

    return await call.read(work)


@operation("iam", "ListGroups")
async def list_groups(call: Call, p: Params) -> Result:
    prefix = p.get("PathPrefix", "/")

    async def work(tx: Tx) -> Result:
        await call.require(tx, arns.iam(call.account, "group", prefix, ""))
        after = call.after()
        rows = await tx.principals.page(call.account, "group", prefix, after[0] if after else None, call.limit() + 1)
        page = paging.cut(rows, call.limit(), lambda row: (row.name.lower(),))
        return call.page("Groups", [shapes.group(group) for group in page.items], page.last)

    return await call.read(work)


@operation("iam", "UpdateGroup")
async def update_group(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> None:
        group = await call.entity(tx, "group", p["GroupName"])
        new = replace(group, name=p.get("NewGroupName", group.name), path=p.get("NewPath", group.path))
        await call.require(tx, new.arn)
        if not await tx.principals.change(new):
            raise exists("Group", new.name)

    await call.write(work)
    return {}


@operation("iam", "DeleteGroup")
async def delete_group(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> None:
        group = await call.entity(tx, "group", p["GroupName"])
        people = tx.principals
        for left, what in (
            (await people.members(group.id), "must remove users from group first"),
            (await people.attached(group.id), "must detach all policies first"),
            (await people.inline(group.id), "must delete policies first"),
        ):
            if left:
                raise IamError("DeleteConflict", f"Cannot delete entity, {what}.")
        await people.delete(group.id)

    await call.write(work)
    return {}


@operation("iam", "AddUserToGroup")
async def add_user_to_group(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> None:
        group = await call.entity(tx, "group", p["GroupName"])
        user = await tx.principals.named(call.account, "user", p["UserName"])
        if user is None:
            raise no_such("user", p["UserName"])
        others = [each for each in await tx.principals.groups(user.id) if each.id != group.id]
        if len(others) >= GROUPS_PER_USER:
            raise IamError("LimitExceeded", f"Cannot exceed quota for GroupsPerUser: {GROUPS_PER_USER}")
        await tx.principals.join(group.id, user.id)

    await call.write(work)
    return {}


@operation("iam", "RemoveUserFromGroup")
async def remove_user_from_group(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> None:
        group = await call.entity(tx, "group", p["GroupName"])
        user = await tx.principals.named(call.account, "user", p["UserName"])
        if user is None:
            raise no_such("user", p["UserName"])
        if not await tx.principals.leave(group.id, user.id):
            raise IamError("NoSuchEntity", f"User {user.name} is not in group {group.name}.")

    await call.write(work)
    return {}
