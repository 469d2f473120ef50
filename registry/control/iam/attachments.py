"""Managed policies of users, groups and roles.  IAM API reference."""

from __future__ import annotations

from registry.control.iam.call import Call, IamError, Params, Result, operation
from registry.core.iam import Kind
from registry.core.ports import Tx

PER_ENTITY = 20


def _declare(kind: Kind, title: str) -> None:
    named = f"{title}Name"

    @operation("iam", f"Attach{title}Policy")
    async def attach(call: Call, p: Params) -> Result:
        arn = p["PolicyArn"]

        async def work(tx: Tx) -> None:
            found = await call.entity(tx, kind, p[named], context={"iam:PolicyARN": arn})
            policy = await tx.managed.get(arn)
            if policy is None or policy.account not in ("", call.account):
                raise no_policy(arn)
            held = [each for _, each in await tx.principals.attached(found.id)]
            if arn not in held and len(held) >= PER_ENTITY:
                raise IamError("LimitExceeded", f"Cannot exceed quota for PoliciesPer{title}: {PER_ENTITY}")
            await tx.principals.attach(found.id, arn)

        await call.write(work)
        return {}

    @operation("iam", f"Detach{title}Policy")
    async def detach(call: Call, p: Params) -> Result:
        arn = p["PolicyArn"]

        async def work(tx: Tx) -> None:
            found = await call.entity(tx, kind, p[named], context={"iam:PolicyARN": arn})
            if not await tx.principals.detach(found.id, arn):
                raise IamError("NoSuchEntity", f"Policy {arn} was not found.")

        await call.write(work)
        return {}

    @operation("iam", f"ListAttached{title}Policies")
    async def attached(call: Call, p: Params) -> Result:
        prefix = p.get("PathPrefix", "/")

        async def work(tx: Tx) -> Result:
            found = await call.entity(tx, kind, p[named])
            held = [each for each in await tx.principals.attached(found.id) if _below(each[1], prefix)]
            return call.cut(
                "AttachedPolicies",
                held,
                lambda each: f"{each[0].lower()} {each[1].split(':', 5)[4]}",
                lambda each: {"PolicyName": each[0], "PolicyArn": each[1]},
            )

        return await call.read(work)


def _below(arn: str, prefix: str) -> bool:
    return arn.split(":policy", 1)[-1].startswith(prefix)


def no_policy(arn: str) -> IamError:
    return IamError("NoSuchEntity", f"Policy {arn} does not exist or is not attachable.")


_declare("user", "User")
_declare("group", "Group")
_declare("role", "Role")
