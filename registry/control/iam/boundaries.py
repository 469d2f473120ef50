"""Permissions boundaries of users and roles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from registry.control.iam.call import Call, IamError, Params, Result, operation
from registry.core.iam import Kind
from registry.core.ports import Tx


def boundary_context(arn: str | None) -> Mapping[str, str]:
    """The condition key of a request that sets one."""
    return {"iam:PermissionsBoundary": arn} if arn else {}


async def checked_boundary(call: Call, tx: Tx, arn: str | None) -> str:
    """The ARN, or "" without one.  Raises IamError (NoSuchEntity)."""
    if arn is None:
        return ""
    policy = await tx.managed.get(arn)
    if policy is None or policy.account not in ("", call.account):
        raise IamError("NoSuchEntity", f"Scope ARN: {arn} does not exist or is not attachable.")
    return arn


def _declare(kind: Kind, title: str) -> None:
    @operation("iam", f"Put{title}PermissionsBoundary")
    async def put(call: Call, p: Params) -> Result:
        async def work(tx: Tx) -> None:
            found = await call.entity(tx, kind, p[f"{title}Name"], context=boundary_context(p["PermissionsBoundary"]))
            arn = await checked_boundary(call, tx, p["PermissionsBoundary"])
            await tx.principals.change(replace(found, boundary=arn))

        await call.write(work)
        return {}

    @operation("iam", f"Delete{title}PermissionsBoundary")
    async def delete(call: Call, p: Params) -> Result:
        async def work(tx: Tx) -> None:
            found = await call.entity(tx, kind, p[f"{title}Name"])
            if not found.boundary:
                raise IamError("NoSuchEntity", f"{title} {found.name} has no permissions boundary.")
            await tx.principals.change(replace(found, boundary=""))

        await call.write(work)
        return {}


_declare("user", "User")
_declare("role", "Role")
