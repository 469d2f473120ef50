"""Who asks, and which repository is meant: the first look-up of every data plane request.

No token, a malformed, an expired or a revoked one: Unauthenticated.  Of a repository that is not there a caller
hears the same as of one that is closed to it (RULINGS 5.1 and 5.4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from registry.core.authorize import require
from registry.core.errors import ResourceNotFound, Unauthenticated
from registry.core.ports import Tx
from registry.core.services import Services
from registry.core.types import Caller, Domain, DomainKey, RepoKey, Repository
from registry.identity.callers import by_claims
from registry.identity.tokens import Claims, Tokens, credentials_from

Context = Mapping[str, str]

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

    async def enter(self, claims: Claims, key: RepoKey, context: Context) -> Access:
        """Raises Unauthenticated, ResourceNotFound, and AccessDenied where the caller may not know that it is absent.

        What was found holds until anything is committed.
        """
        epoch = self._services.store.epoch()
        found = self._known.get((claims.id, key))
        if found is not None and found[0] == epoch and found[1].claims == claims:
            return found[1]

        async def work(tx: Tx) -> Access:
            caller = await by_claims(tx, claims)
            domain = await tx.domains.get(key.domain)
            repository = await tx.repositories.get(domain.id, key.name) if domain is not None else None
            if domain is None or repository is None:
                raise await self._absent(tx, caller, key, domain, context)
            return Access(claims, caller, domain, repository)

        access = await self._services.store.glance(work)
        if epoch is not None:
            if len(self._known) >= KNOWN:
                self._known.clear()
            self._known[claims.id, key] = (epoch, access)
        return access

    async def caller(self, claims: Claims) -> Caller:
        """The caller alone.  Raises Unauthenticated."""
        return await self._services.store.glance(lambda tx: by_claims(tx, claims))

    async def _absent(
        self, tx: Tx, caller: Caller, key: RepoKey, domain: Domain | None, context: Context
    ) -> ResourceNotFound:
        """What a caller is told of a repository that is not there; raises what comes before: a lack of rights."""
        if domain is not None or caller.account != key.domain.owner:
            await require(
                tx,
                arns=self._services.arns,
                caller=caller,
                action="ReadFromRepository",
                resource=self._services.arns.repository(key),
                domain=domain,
                repository=key,
                context=context,
            )
        return ResourceNotFound(
            f"Repository not found. Repository: '{key.name}', domain: '{key.domain.name}'",
            resource_id=key.name,
            resource_type="repository",
        )


def repo_key(domain: str, owner: str, repository: str) -> RepoKey:
    """The key that an address names."""
    return RepoKey(DomainKey(owner, domain), repository)
