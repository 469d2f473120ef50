"""Who asks, and which repository is meant: the first look-up of every data plane request.

No token, a malformed, an expired or a revoked one: Unauthenticated.  Of a repository that is not there a caller
hears the same as of one that is closed to it (RULINGS 5.1 and 5.4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from registry.core import absent
from registry.core.authorize import require
from registry.core.errors import AccessDenied, RegistryError, ResourceNotFound, Unauthenticated
from registry.core.ports import Tx
from registry.core.services import Services
from registry.core.types import Caller, Domain, DomainKey, RepoKey, Repository
from registry.identity.callers import by_claims
from registry.identity.tokens import NOBODY, Claims, Tokens, credentials_from

Context = Mapping[str, str]

_NEEDED = "This repository needs an authorization token"

KNOWN = 4096
"""Callers and repositories that are remembered."""


@dataclass(frozen=True, slots=True)
class Access:
    """The caller and the repository, as they are now."""

    claims: Claims
    caller: Caller
    domain: Domain
    repository: Repository
    absent: bool = False
    """The repository is not there, and the caller may not know that; `repository` stands in its place."""


class Gate:
    """Looks up callers and repositories."""

    def __init__(self, services: Services, tokens: Tokens, *, anonymous: bool = False) -> None:
        """`anonymous`: who shows no token may read what a repository policy opens to everybody."""
        self._services = services
        self._tokens = tokens
        self._anonymous = anonymous
        self._known: dict[tuple[str, RepoKey], tuple[int, Access]] = {}

    def claims(self, headers: Mapping[str, str]) -> Claims:
        """What the request's token says.  Raises Unauthenticated."""
        token = credentials_from(headers)
        if token is None and self._anonymous:
            return NOBODY
        if token is None:
            raise Unauthenticated(_NEEDED)
        return self._tokens.verify(token, self._services.clock.now())

    async def enter(self, claims: Claims, key: RepoKey, context: Context) -> Access:
        """Raises Unauthenticated, ResourceNotFound, and AccessDenied for a token of another domain.

        What was found holds until anything is committed.
        """
        epoch = self._services.store.epoch()
        found = self._known.get((claims.id, key))
        if found is not None and found[0] == epoch and found[1].claims == claims:
            return found[1]
        access = await self._services.store.glance(lambda tx: self._entered(tx, claims, key, context))
        if epoch is not None and not access.absent:
            if len(self._known) >= KNOWN:
                self._known.clear()
            self._known[claims.id, key] = (epoch, access)
        return access

    async def _entered(self, tx: Tx, claims: Claims, key: RepoKey, context: Context) -> Access:
        caller = await by_claims(tx, claims)
        domain = await tx.domains.get(key.domain)
        repository = await tx.repositories.get(domain.id, key.name) if domain is not None else None
        if caller.anonymous:
            # Whatever is not open to all asks for credentials, there or not.
            if domain is None or repository is None or await self._allowed(tx, caller, key, domain, context):
                raise Unauthenticated(_NEEDED)
            return Access(claims, caller, domain, repository)
        good = domain is not None and claims.domain_id in (domain.id, 0)
        if domain is not None and repository is not None and good:
            return Access(claims, caller, domain, repository)
        if domain is None and await self._allowed(tx, replace(caller, token_domain=None), key, domain, context) is None:
            raise absent.missing(key)
        refusal = await self._allowed(tx, caller, key, domain, context)
        if refusal is None:
            raise absent.missing(key)
        if domain is None or not good:
            raise refusal
        return Access(claims, caller, domain, absent.row(key, domain), absent=True)

    async def _allowed(
        self, tx: Tx, caller: Caller, key: RepoKey, domain: Domain | None, context: Context
    ) -> RegistryError | None:
        """None for who may read such a repository, else the refusal."""
        try:
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
        except (AccessDenied, ResourceNotFound) as err:
            return err
        return None

    async def caller(self, claims: Claims) -> Caller:
        """The caller alone.  Raises Unauthenticated."""
        if claims.anonymous:
            raise Unauthenticated("This needs an authorization token")
        return await self._services.store.glance(lambda tx: by_claims(tx, claims))


def repo_key(domain: str, owner: str, repository: str) -> RepoKey:
    """The key that an address names."""
    return RepoKey(DomainKey(owner, domain), repository)
