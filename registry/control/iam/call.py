"""What an operation of IAM or STS gets, and how it says what it is.

    @operation("iam", "CreateUser")
    async def create_user(call: Call, p: Params) -> Result: ...

Every function asks for its right inside the unit of work that acts: `await call.require(tx, arn)`.
"""

from __future__ import annotations

import secrets as random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from registry.core import arns, paging
from registry.core.authorize import require
from registry.core.errors import RegistryError, Validation
from registry.core.iam import Kind, Principal
from registry.core.ports import Tx
from registry.core.services import Services
from registry.core.types import Caller
from registry.identity.oidc import Issuers
from registry.identity.secrets import Secrets
from registry.identity.sessions import Sessions
from registry.identity.tokens import Tokens

Params = dict[str, Any]
Result = dict[str, Any]
T = TypeVar("T")
Service = Literal["iam", "sts"]

_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
PREFIXES: Mapping[Kind | Literal["policy"], str] = {"user": "AIDA", "group": "AGPA", "role": "AROA", "policy": "ANPA"}
DEFAULT_PAGE = 100


class IamError(RegistryError):
    """An error of IAM's or STS's model, by its code on the wire."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def no_such(what: str, name: str) -> IamError:
    return IamError("NoSuchEntity", f"The {what} with name {name} cannot be found.")


def exists(what: str, name: str) -> IamError:
    return IamError("EntityAlreadyExists", f"{what} with name {name} already exists.")


def unique_id(prefix: str) -> str:
    """A new unique id; never given twice."""
    return prefix + "".join(random.choice(_BASE32) for _ in range(17))


@dataclass(frozen=True, slots=True)
class Tools:
    """What the operations work with."""

    services: Services
    secrets: Secrets
    sessions: Sessions
    tokens: Tokens
    issuers: Issuers


@dataclass(frozen=True, slots=True)
class Call:
    """One request, verified and validated.  `caller` is None for the few operations that nobody signs."""

    tools: Tools
    service: Service
    operation: str
    params: Params
    signer: Caller | None
    context: Mapping[str, str]
    region: str
    now: int

    @property
    def services(self) -> Services:
        return self.tools.services

    @property
    def caller(self) -> Caller:
        assert self.signer is not None
        return self.signer

    @property
    def account(self) -> str:
        return self.caller.account

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        return await self.services.store.read(work)

    async def write(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        return await self.services.store.write(work)

    async def require(
        self,
        tx: Tx,
        arn: str,
        *,
        tags: Mapping[str, str] = {},
        context: Mapping[str, str] = {},
        action: str | None = None,
    ) -> None:
        """Raise AccessDenied unless the caller may do this to that.  IAM calls the tags of its own entities
        iam:ResourceTag as well."""
        also = {f"{self.service}:ResourceTag/{key}": value for key, value in tags.items()}
        await require(
            tx,
            arns=self.services.arns,
            caller=self.caller,
            action=action or f"{self.service}:{self.operation}",
            resource=arn,
            context={**self.context, **also, **context},
            tags=tags,
        )

    async def entity(self, tx: Tx, kind: Kind, name: str, *, context: Mapping[str, str] = {}) -> Principal:
        """The user, group or role of the caller's account that the request names.

        Raises AccessDenied first, then IamError (NoSuchEntity).  iam:PermissionsBoundary is the boundary that it has,
        unless the request sets one.
        """
        found = await tx.principals.named(self.account, kind, name)
        arn = found.arn if found is not None else arns.iam(self.account, kind, "/", name)
        tags = await tx.principals.tags(found.id) if found is not None else {}
        bounded = {"iam:PermissionsBoundary": found.boundary} if found is not None and found.boundary else {}
        await self.require(tx, arn, tags=tags, context={**bounded, **context})
        if found is None:
            raise no_such(kind, name)
        return found

    # --- pages -----------------------------------------------------------------------------------

    def limit(self) -> int:
        return int(self.params.get("MaxItems", DEFAULT_PAGE))

    def after(self) -> tuple[str, ...] | None:
        """Where this page starts.  Raises Validation."""
        try:
            return paging.after(self.services.page_key, self.operation, self._bound(), self.params.get("Marker"))
        except Validation:
            raise Validation("Invalid Marker.") from None

    def page(self, member: str, shown: Sequence[Any], last: tuple[str, ...] | None) -> Result:
        """The answer of a list operation; `last` when there is more."""
        found: Result = {member: list(shown), "IsTruncated": last is not None}
        if last is not None:
            found["Marker"] = paging.token(self.services.page_key, self.operation, self._bound(), last)
        return found

    def cut(self, member: str, rows: Sequence[T], key: Callable[[T], str], show: Callable[[T], Any]) -> Result:
        """A page out of a whole list, by a key that no two have."""
        after = self.after()
        ordered = sorted(rows, key=key)
        rest = [row for row in ordered if after is None or key(row) > after[0]]
        page = paging.cut(rest, self.limit(), lambda row: (key(row),))
        return self.page(member, [show(row) for row in page.items], page.last)

    def _bound(self) -> dict[str, object]:
        bound = {k: v for k, v in self.params.items() if k not in ("Marker", "MaxItems")}
        return {**bound, "account": self.account}


Function = Callable[[Call, Params], Awaitable[Result]]

TABLE: dict[tuple[str, str], Function] = {}
"""Every operation that is built, by service and name.  Filled by importing the modules beside this one."""

UNSIGNED = frozenset({("sts", "AssumeRoleWithWebIdentity")})
"""Their requests prove who asks by themselves."""


def operation(service: Service, name: str) -> Callable[[Function], Function]:
    """Declare a function to be an operation of the model."""

    def declare(function: Function) -> Function:
        if (service, name) in TABLE:
            raise ValueError(f"{service} {name} is declared twice")
        TABLE[service, name] = function
        return function

    return declare


def load() -> None:
    """Declare every operation that is built."""
    from registry.control.iam import (  # noqa: F401
        account,
        attachments,
        credentials,
        details,
        groups,
        inline,
        keys,
        policies,
        providers,
        roles,
        simulate,
        sts,
        tags,
        users,
        webidentity,
    )
