"""Tags of users, roles, policies and identity providers.  IAM API reference."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from registry.control.iam import shapes
from registry.control.iam.call import Call, IamError, Params, Result, operation
from registry.control.iam.policies import policy_of
from registry.core.iam import Kind
from registry.core.ports import Tx

Owner = Callable[[Call, Tx, Params], Awaitable[str]]
"""Authorizes, and names what the tags belong to."""


def _entity(kind: Kind, member: str) -> Owner:
    async def owner(call: Call, tx: Tx, p: Params) -> str:
        tags = shapes.tag_context({tag["Key"]: tag.get("Value", "") for tag in p.get("Tags", ())})
        keys = {"aws:TagKeys": "\n".join(p["TagKeys"])} if p.get("TagKeys") else {}
        return (await call.entity(tx, kind, p[member], context={**tags, **keys})).id

    return owner


async def _policy(call: Call, tx: Tx, p: Params) -> str:
    return (await policy_of(call, tx, p["PolicyArn"], change=not call.operation.startswith("List"))).arn


async def _provider(call: Call, tx: Tx, p: Params) -> str:
    arn: str = p["OpenIDConnectProviderArn"]
    await call.require(tx, arn, tags=await tx.principals.tags(arn))
    found = await tx.logins.provider(arn)
    if found is None or found.account != call.account:
        raise IamError("NoSuchEntity", f"OpenIDConnect Provider not found for arn {arn}")
    return arn


def _declare(title: str, owner: Owner) -> None:
    @operation("iam", f"Tag{title}")
    async def tag(call: Call, p: Params) -> Result:
        given = shapes.given_tags(p["Tags"])

        async def work(tx: Tx) -> None:
            id = await owner(call, tx, p)
            held = await tx.principals.tags(id)
            folded = {key.lower(): key for key in given}
            replaced = [key for key in held if key.lower() in folded and key not in given]
            shapes.limit_tags({**{k: v for k, v in held.items() if k not in replaced}, **given})
            await tx.principals.drop_tags(id, replaced)
            await tx.principals.set_tags(id, given)

        await call.write(work)
        return {}

    @operation("iam", f"Untag{title}")
    async def untag(call: Call, p: Params) -> Result:
        async def work(tx: Tx) -> None:
            id = await owner(call, tx, p)
            await tx.principals.drop_tags(id, p["TagKeys"])

        await call.write(work)
        return {}

    @operation("iam", f"List{title}Tags")
    async def listed(call: Call, p: Params) -> Result:
        async def work(tx: Tx) -> Result:
            held = await tx.principals.tags(await owner(call, tx, p))
            return call.cut(
                "Tags", list(held.items()), lambda each: each[0], lambda each: {"Key": each[0], "Value": each[1]}
            )

        return await call.read(work)


_declare("User", _entity("user", "UserName"))
_declare("Role", _entity("role", "RoleName"))
_declare("Policy", _policy)
_declare("OpenIDConnectProvider", _provider)
