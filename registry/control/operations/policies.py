"""Resource policies of domains and repositories.  Guide chapters "Domain policies" and "Repository policies"."""

from __future__ import annotations

from registry.control import resources, shapes
from registry.control.call import Call, Params, Result, operation
from registry.core import bindings, policy, repositories
from registry.core.ports import Tx
from registry.core.types import PolicyDocument


async def _exists(call: Call, tx: Tx) -> tuple[str, int]:
    """The ARN that the policy belongs to, and its domain's id.  Raises ResourceNotFound."""
    if call.target.repository is not None:
        row = await repositories.repository(tx, call.repository)
        return call.target.arn, row.domain_id
    domain = await repositories.domain(tx, call.domain)
    return call.target.arn, domain.id


async def _put(call: Call, p: Params) -> Result:
    document = p["policyDocument"]
    parsed = policy.parse(document, "resource")

    async def work(tx: Tx) -> PolicyDocument:
        arn, domain_id = await _exists(call, tx)
        return await repositories.put_policy(
            tx,
            call.services,
            arn,
            domain_id,
            document,
            revision=p.get("policyRevision"),
            bound=await bindings.of(tx, parsed),
        )

    return {"policy": shapes.policy(await call.write(work))}


async def _get(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> PolicyDocument:
        arn, _ = await _exists(call, tx)
        return await repositories.policy(tx, arn)

    return {"policy": shapes.policy(await call.glance(work))}


async def _delete(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> PolicyDocument:
        arn, domain_id = await _exists(call, tx)
        return await repositories.delete_policy(tx, arn, domain_id, revision=p.get("policyRevision"))

    return {"policy": shapes.policy(await call.write(work))}


@operation("PutDomainPermissionsPolicy", on=resources.domain)
async def put_domain_policy(call: Call, p: Params) -> Result:
    return await _put(call, p)


@operation("GetDomainPermissionsPolicy", on=resources.domain)
async def get_domain_policy(call: Call, p: Params) -> Result:
    return await _get(call, p)


@operation("DeleteDomainPermissionsPolicy", on=resources.domain)
async def delete_domain_policy(call: Call, p: Params) -> Result:
    return await _delete(call, p)


@operation("PutRepositoryPermissionsPolicy", on=resources.repository)
async def put_repository_policy(call: Call, p: Params) -> Result:
    return await _put(call, p)


@operation("GetRepositoryPermissionsPolicy", on=resources.repository)
async def get_repository_policy(call: Call, p: Params) -> Result:
    return await _get(call, p)


@operation("DeleteRepositoryPermissionsPolicy", on=resources.repository)
async def delete_repository_policy(call: Call, p: Params) -> Result:
    return await _delete(call, p)
