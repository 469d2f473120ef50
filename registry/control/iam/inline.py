"""Inline policies of users, groups and roles.  IAM API reference."""

from __future__ import annotations

from registry.control.iam.call import Call, IamError, Params, Result, operation
from registry.control.iam.documents import INLINE, fits, taken
from registry.core.iam import Kind
from registry.core.ports import Tx


def _declare(kind: Kind, title: str) -> None:
    named = f"{title}Name"

    @operation("iam", f"Put{title}Policy")
    async def put(call: Call, p: Params) -> Result:
        taken(p["PolicyDocument"])

        async def work(tx: Tx) -> None:
            found = await call.entity(tx, kind, p[named])
            held = await tx.principals.inline(found.id)
            texts = {**held, p["PolicyName"]: p["PolicyDocument"]}
            fits(texts.values(), INLINE[kind], f"{title} policy size")
            await tx.principals.put_inline(found.id, p["PolicyName"], p["PolicyDocument"])

        await call.write(work)
        return {}

    @operation("iam", f"Get{title}Policy")
    async def get(call: Call, p: Params) -> Result:
        async def work(tx: Tx) -> Result:
            found = await call.entity(tx, kind, p[named])
            held = await tx.principals.inline(found.id)
            if p["PolicyName"] not in held:
                raise _absent(kind, p["PolicyName"])
            name = p["PolicyName"]
            return {named: found.name, "PolicyName": name, "PolicyDocument": held[name]}

        return await call.read(work)

    @operation("iam", f"Delete{title}Policy")
    async def delete(call: Call, p: Params) -> Result:
        async def work(tx: Tx) -> None:
            found = await call.entity(tx, kind, p[named])
            if not await tx.principals.drop_inline(found.id, p["PolicyName"]):
                raise _absent(kind, p["PolicyName"])

        await call.write(work)
        return {}

    @operation("iam", f"List{title}Policies")
    async def listed(call: Call, p: Params) -> Result:
        async def work(tx: Tx) -> Result:
            found = await call.entity(tx, kind, p[named])
            names = list(await tx.principals.inline(found.id))
            return call.cut("PolicyNames", names, lambda name: name, lambda name: name)

        return await call.read(work)


def _absent(kind: Kind, name: str) -> IamError:
    return IamError("NoSuchEntity", f"The {kind} policy with name {name} cannot be found.")


_declare("user", "User")
_declare("group", "Group")
_declare("role", "Role")
