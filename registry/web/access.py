"""Who asks, and which repository is meant: the first look-up of every data plane request.

No token, a malformed, an expired or a revoked one: Unauthenticated.  A repository that is not there is
ResourceNotFound, and so is one of another account that the caller may not read (RULINGS 5.4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from registry.core.authorize import require
from registry.core.errors import AccessDenied, ResourceNotFound, Unauthenticated
from registry.core.ports import Tx
from registry.core.services import Services
from registry.core.types import Caller, Domain, DomainKey, RepoKey, Repository
from registry.identity.callers import by_claims
from registry.identity.tokens import Claims, Tokens, credentials_from

KNOWN = 4096
"""Callers and repositories that are remembered."""


@dataclass(frozen=True, slots=True)
class Access:
    """The caller and the repository, as they are now."""

    claims: Claims
    caller: Caller
    domain: Domain
    repository: Repository


class Gate:
    """Looks up callers and repositories."""

    def __init__(self, services: Services, tokens: Tokens) -> None:
        self._services = services
        self._tokens = tokens
        self._known: dict[tuple[str, RepoKey], tuple[int, Access]] = {}

    def claims(self, headers: Mapping[str, str]) -> Claims:
        """What the request's token says.  Raises Unauthenticated."""
        token = credentials_from(headers)
        if token is None:
            raise Unauthenticated("This repository needs an authorization token")
        return self._tokens.verify(token, self._services.clock.now())

    async def enter(self, claims: Claims, key: RepoKey) -> Access:
        """Raises Unauthenticated, ResourceNotFound.  What was found holds until anything is committed."""
        epoch = self._services.store.epoch()
        found = self._known.get((claims.id, key))
        if found is not None and found[0] == epoch and found[1].claims == claims:
            return found[1]
        access = await self._services.store.glance(lambda tx: _enter(tx, claims, key))
        if epoch is not None:
            if len(self._known) >= KNOWN:
                self._known.clear()
            self._known[claims.id, key] = (epoch, access)
        return access

    async def caller(self, claims: Claims) -> Caller:
        """The caller alone.  Raises Unauthenticated."""
        return await self._services.store.glance(lambda tx: by_claims(tx, claims))

    async def hide(
        self, err: AccessDenied, access: Access, context: Mapping[str, str]
    ) -> AccessDenied | ResourceNotFound:
        """What a caller is told who may not: nothing of a repository of another account that is closed to it."""
        domain, repository = access.domain, access.repository
        if access.caller.account == domain.key.owner:
            return err

        async def work(tx: Tx) -> None:
            await require(
                tx,
                arns=self._services.arns,
                caller=access.caller,
                action="ReadFromRepository",
                resource=self._services.arns.repository(repository.key),
                domain=domain,
                repository=repository.key,
                context=context,
            )

        try:
            await self._services.store.glance(work)
        except AccessDenied:
            return _absent(repository.key)
        return err


async def _enter(tx: Tx, claims: Claims, key: RepoKey) -> Access:
    caller = await by_claims(tx, claims)
    domain = await tx.domains.get(key.domain)
    repository = await tx.repositories.get(domain.id, key.name) if domain is not None else None
    if domain is None or repository is None:
        raise _absent(key)
    return Access(claims, caller, domain, repository)


def _absent(key: RepoKey) -> ResourceNotFound:
    return ResourceNotFound(
        f"Repository '{key.name}' of domain '{key.domain.name}' (owner {key.domain.owner}) was not found",
        resource_id=f"{key.domain.name}/{key.name}",
        resource_type="repository",
    )


def repo_key(domain: str, owner: str, repository: str) -> RepoKey:
    """The key that an address names."""
    return RepoKey(DomainKey(owner, domain), repository)
