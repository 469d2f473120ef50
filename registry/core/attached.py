"""What is attached to a resource by its ARN: the permissions policy and the tags.

Guide, "Repository policies", "Domain policies", "Tagging resources".  Nothing here authorizes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from registry.core import bindings
from registry.core.errors import Conflict, ResourceNotFound, ServiceQuotaExceeded, Validation
from registry.core.ports import Tx
from registry.core.services import Services
from registry.core.types import DomainKey, GroupKey, PolicyDocument, RepoKey

_RESERVED = "aws:"


async def policy(tx: Tx, arn: str) -> PolicyDocument:
    """Raises ResourceNotFound when none is set."""
    found = await tx.policies.get(arn)
    if found is None:
        raise ResourceNotFound(f"No permissions policy is set on {arn}", resource_id=arn, resource_type=_type(arn))
    return replace(found, document=await bindings.shown(tx, found.document, found.bound))


async def put_policy(
    tx: Tx,
    services: Services,
    arn: str,
    domain_id: int,
    document: str,
    *,
    revision: str | None,
    bound: Mapping[str, str] = {},
) -> PolicyDocument:
    """Set it.  Raises Conflict when `revision` is given and is not the current one, Validation when it is too long.
    The caller has parsed the document; `bound` is what `bindings.of` says of it."""
    size = len(document.encode())
    if size > services.quotas.policy_bytes:
        raise Validation(f"The policy document has {size} bytes; at most {services.quotas.policy_bytes} are allowed")
    held = await tx.policies.get(arn)
    _check_revision(arn, held, revision)
    put = PolicyDocument(arn, document, _next(held, document), bound)
    await tx.policies.put(put, domain_id)
    return put


async def delete_policy(tx: Tx, arn: str, domain_id: int, *, revision: str | None) -> PolicyDocument:
    """Returns what it was.  Raises ResourceNotFound, Conflict for a stale revision."""
    held = await policy(tx, arn)
    _check_revision(arn, held, revision)
    await tx.policies.delete(arn, domain_id)
    return held


async def tag(tx: Tx, services: Services, arn: str, tags: Mapping[str, str]) -> None:
    """Add or overwrite.  Raises ResourceNotFound, ServiceQuotaExceeded above the quota, Validation for `aws:` keys."""
    await _require(tx, services, arn)
    check_tags(services, {**await tx.policies.resource_tags(arn), **tags}, arn)
    await tx.policies.set_resource_tags(arn, tags)


async def untag(tx: Tx, services: Services, arn: str, keys: Sequence[str]) -> None:
    """Keys that are not there are passed over.  Raises ResourceNotFound."""
    await _require(tx, services, arn)
    await tx.policies.drop_resource_tags(arn, keys)


async def tags(tx: Tx, services: Services, arn: str) -> dict[str, str]:
    """Raises ResourceNotFound."""
    await _require(tx, services, arn)
    return await tx.policies.resource_tags(arn)


def check_tags(services: Services, tags: Mapping[str, str], arn: str) -> None:
    """Raises Validation for a reserved key, ServiceQuotaExceeded for too many tags on one resource."""
    for key in tags:
        if key.lower().startswith(_RESERVED):
            raise Validation(f"The tag key {key} begins with the reserved prefix {_RESERVED}")
    if len(tags) > services.quotas.tags:
        raise ServiceQuotaExceeded(
            f"A resource can have at most {services.quotas.tags} tags", resource_id=arn, resource_type=_type(arn)
        )


async def _require(tx: Tx, services: Services, arn: str) -> None:
    try:
        key = services.arns.parse(arn)
    except ValueError as error:
        raise Validation(str(error)) from None
    domain = await tx.domains.get(key if isinstance(key, DomainKey) else key.domain)
    there = domain is not None
    if domain is not None and isinstance(key, RepoKey):
        there = await tx.repositories.get(domain.id, key.name) is not None
    elif domain is not None and isinstance(key, GroupKey):
        there = await tx.groups.get(domain.id, key.pattern) is not None
    if not there:
        raise ResourceNotFound(f"{arn} does not exist", resource_id=arn, resource_type=_type(arn))


def _check_revision(arn: str, held: PolicyDocument | None, revision: str | None) -> None:
    current = None if held is None else held.revision
    if revision is not None and revision != current:
        raise Conflict(
            f"policyRevision {revision} is not the current revision of the policy on {arn}",
            resource_id=arn,
            resource_type=_type(arn),
        )


def _next(held: PolicyDocument | None, document: str) -> str:
    """A revision never comes back, also when an old document does."""
    before = "" if held is None else held.revision
    return base64.b64encode(hashlib.sha256(f"{before}\n{document}".encode()).digest()).decode()


def _type(arn: str) -> str:
    return next((kind for kind in ("repository", "package-group") if f":{kind}/" in arn), "domain")
