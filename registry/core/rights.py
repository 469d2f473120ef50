"""Authorization of what concerns one repository, in the caller's unit of work."""

from __future__ import annotations

from collections.abc import Mapping

from registry.core import authorize
from registry.core.ports import Tx
from registry.core.services import Services
from registry.core.types import Caller, FormatInfo, PackageKey, Repository

# Guide, "Publishing permissions": these need the repository as their resource, all others the package.
_ON_REPOSITORY = frozenset({"ReadFromRepository"})


async def require(
    tx: Tx,
    services: Services,
    *,
    repository: Repository,
    caller: Caller,
    action: str,
    package: PackageKey | None = None,
    context: Mapping[str, str] = {},
) -> None:
    """Allow `action` on the repository, or on a package of it; raise AccessDenied or ResourceNotFound."""
    if package is None or action in _ON_REPOSITORY:
        resource = services.arns.repository(repository.key)
    else:
        resource = services.arns.package(repository.key, package)
    await authorize.require(
        tx,
        arns=services.arns,
        caller=caller,
        action=action,
        resource=resource,
        domain=await tx.domains.by_id(repository.domain_id),
        repository=repository.key,
        context=context,
    )


async def require_publish(
    tx: Tx,
    services: Services,
    *,
    repository: Repository,
    info: FormatInfo,
    caller: Caller,
    package: PackageKey,
    context: Mapping[str, str],
) -> None:
    """Allow every action that publishing needs in this format."""
    for action in info.publish:
        await require(
            tx, services, repository=repository, caller=caller, action=action, package=package, context=context
        )
