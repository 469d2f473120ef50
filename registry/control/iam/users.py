"""Users.  IAM API reference: CreateUser, GetUser, ListUsers, UpdateUser, DeleteUser."""

from __future__ import annotations

from dataclasses import replace

from registry.control.iam import shapes
from registry.control.iam.boundaries import boundary_context, checked_boundary
from registry.control.iam.call import PREFIXES, Call, IamError, Params, Result, exists, no_such, operation, unique_id
from registry.core import arns, paging
from registry.core.iam import Principal
from registry.core.ports import Tx


@operation("iam", "CreateUser")
async def create_user(call: Call, p: Params) -> Result:
    given = shapes.given_tags(p.get("Tags"))
    made = Principal(unique_id(PREFIXES["user"]), "user", call.account, p["UserName"], p.get("Path", "/"), call.now)

    async def work(tx: Tx) -> Principal:
        await call.require(
            tx, made.arn, context={**shapes.tag_context(given), **boundary_context(p.get("PermissionsBoundary"))}
        )
        if given:
            await call.require(tx, made.arn, action="iam:TagUser", context=shapes.tag_context(given))
        user = replace(made, boundary=await checked_boundary(call, tx, p.get("PermissionsBoundary")))
        if not await tx.principals.add(user):
            raise exists("User", user.name)
        await tx.principals.set_tags(user.id, given)
        return user

    user = await call.write(work)
    shown = {**shapes.user(user), **shapes.boundary(user)}
    if given:
        shown["Tags"] = shapes.tags(given)
    return {"User": shown}


@operation("iam", "GetUser")
async def get_user(call: Call, p: Params) -> Result:
    """Without a name: the caller."""

    async def work(tx: Tx) -> Result:
        name = p.get("UserName")
        if name is None and call.caller.kind != "User":
            raise IamError("ValidationError", "Must specify userName when calling with non-User credentials")
        user = await call.entity(tx, "user", name or call.caller.name)
        shown = {**shapes.user(user), **shapes.boundary(user)}
        tags = await tx.principals.tags(user.id)
        if tags:
            shown["Tags"] = shapes.tags(tags)
        return {"User": shown}

    return await call.read(work)


@operation("iam", "ListUsers")
async def list_users(call: Call, p: Params) -> Result:
    prefix = p.get("PathPrefix", "/")

    async def work(tx: Tx) -> Result:
        await call.require(tx, arns.iam(call.account, "user", prefix, ""))
        after = call.after()
        rows = await tx.principals.page(call.account, "user", prefix, after[0] if after else None, call.limit() + 1)
        page = paging.cut(rows, call.limit(), lambda row: (row.name.lower(),))
        return call.page("Users", [shapes.user(user) for user in page.items], page.last)

    return await call.read(work)


@operation("iam", "UpdateUser")
async def update_user(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> None:
        user = await call.entity(tx, "user", p["UserName"])
        new = replace(user, name=p.get("NewUserName", user.name), path=p.get("NewPath", user.path))
        await call.require(tx, new.arn)
        if not await tx.principals.change(new):
            raise exists("User", new.name)

    await call.write(work)
    return {}


@operation("iam", "DeleteUser")
async def delete_user(call: Call, p: Params) -> Result:
    """Raises DeleteConflict while anything of the user's own is left."""

    async def work(tx: Tx) -> None:
        user = await call.entity(tx, "user", p["UserName"])
        people = tx.principals
        for left, what in (
            (await people.attached(user.id), "must detach all policies first"),
            (await people.inline(user.id), "must delete policies first"),
            (await people.keys(user.id), "must delete access keys first"),
            (await people.groups(user.id), "must remove users from group first"),
            (await people.credentials(user.id), "must delete service specific credentials first"),
        ):
            if left:
                raise IamError("DeleteConflict", f"Cannot delete entity, {what}.")
        await people.delete(user.id)

    await call.write(work)
    return {}


@operation("iam", "ListGroupsForUser")
async def list_groups_for_user(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> Result:
        user = await call.entity(tx, "user", p["UserName"])
        found = await tx.principals.groups(user.id)
        return call.cut("Groups", found, lambda g: g.name.lower(), shapes.group)

    return await call.read(work)


@operation("iam", "GetLoginProfile")
async def get_login_profile(call: Call, p: Params) -> Result:
    """Nobody here has a password."""

    async def work(tx: Tx) -> None:
        user = await call.entity(tx, "user", p.get("UserName") or call.caller.name)
        raise no_such("Login Profile for User", user.name)

    await call.read(work)
    return {}


@operation("iam", "DeleteLoginProfile")
async def delete_login_profile(call: Call, p: Params) -> Result:
    return await get_login_profile(call, p)
