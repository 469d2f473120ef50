"""What an operation is to the control plane: a name, the resource it is about, further rights, a function.

    @operation("DeletePackage", on=resources.package)
    async def delete_package(call: Call, p: Params) -> Result: ...

`on` turns parameters into a Target.  The caller needs the right of the operation's own name on it, and every
Need of `also`, before the function runs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from registry.core import repositories
from registry.core.authorize import require
from registry.core.errors import Validation
from registry.core.paging import Page, after, token
from registry.core.ports import Tx
from registry.core.services import Services
from registry.core.types import Caller, DomainKey, FormatInfo, PackageKey, RepoKey, Repository
from registry.identity.tokens import Tokens

Params = dict[str, Any]
Result = dict[str, Any]
T = TypeVar("T")

_PAGING = frozenset(("nextToken", "maxResults"))


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about: its ARN, and whose policies count.

    `id` and `type` are an error's resourceId and resourceType where the error itself names nothing.
    """

    arn: str
    domain: DomainKey | None = None
    repository: RepoKey | None = None
    package: PackageKey | None = None
    id: str | None = None
    type: str | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """A further right that a request needs."""

    action: str
    target: Target
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Payload:
    """A streamed answer."""

    size: int
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Call:
    """One request, verified and validated.  `base` is this server's address as the client sees it, without a slash.

    `body` is the payload of a streaming operation; `length` is what the client declared of it.
    """

    services: Services
    tokens: Tokens
    caller: Caller
    operation: str
    params: Params
    target: Target
    needs: tuple[Need, ...]
    context: Mapping[str, str]
    base: str
    body: AsyncIterator[bytes]
    length: int | None

    @property
    def info(self) -> FormatInfo:
        return format_info(self.services, self.params["format"])

    @property
    def domain(self) -> DomainKey:
        if self.target.domain is None:
            raise LookupError(f"{self.operation} is not about a domain")
        return self.target.domain

    @property
    def repository(self) -> RepoKey:
        if self.target.repository is None:
            raise LookupError(f"{self.operation} is not about a repository")
        return self.target.repository

    @property
    def package(self) -> PackageKey:
        if self.target.package is None:
            raise LookupError(f"{self.operation} is not about a package")
        return self.target.package

    async def glance(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """For a few point look-ups."""
        return await self.services.store.glance(work)

    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """For lists, and for whatever may be long."""
        return await self.services.store.read(work)

    async def write(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Asked again inside the unit of work: a right that is taken away meanwhile counts."""

        async def authorized(tx: Tx) -> T:
            for need in self.needs:
                await self.require(tx, need)
            return await work(tx)

        return await self.services.store.write(authorized)

    async def repository_row(self) -> Repository:
        """The repository that the request names.  Raises ResourceNotFound."""
        return await self.glance(lambda tx: repositories.repository(tx, self.repository))

    async def require(self, tx: Tx, need: Need) -> None:
        """Raise AccessDenied, or ResourceNotFound where the caller may not know of the resource."""
        target = need.target
        await require(
            tx,
            arns=self.services.arns,
            caller=self.caller,
            action=need.action,
            resource=target.arn,
            domain=await tx.domains.get(target.domain) if target.domain is not None else None,
            repository=target.repository,
            context={**self.context, **need.context},
        )

    def after(self) -> tuple[str, ...] | None:
        """Where this page starts.  Raises Validation for a token that is not this request's."""
        return after(self.services.page_key, self.operation, self._bound(), self.params.get("nextToken"))

    def limit(self, default: int) -> int:
        size: int = self.params.get("maxResults", default)
        return size

    def next(self, page: Page[Any]) -> str | None:
        return token(self.services.page_key, self.operation, self._bound(), page.last)

    def _bound(self) -> dict[str, object]:
        bound = {k: v for k, v in self.params.items() if k not in _PAGING}
        return {**bound, "account": self.caller.account}


Function = Callable[[Call, Params], Awaitable[Result]]
On = Callable[[Services, Caller, Params], Target]
Also = Callable[[Services, Caller, Params], Iterable[Need]]


def nothing_else(services: Services, caller: Caller, p: Params) -> Iterable[Need]:
    """No further right."""
    return ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation of the control plane, as data."""

    name: str
    on: On
    also: Also
    function: Function


TABLE: dict[str, Entry] = {}
"""Every operation that is built, by its name in the model.  Filled by importing `operations`."""


def operation(name: str, *, on: On, also: Also = nothing_else) -> Callable[[Function], Function]:
    """Declare a function to be an operation of the model."""

    def declare(function: Function) -> Function:
        if name in TABLE:
            raise ValueError(f"{name} is declared twice")
        TABLE[name] = Entry(name, on, also, function)
        return function

    return declare


def format_info(services: Services, name: str) -> FormatInfo:
    """Raises Validation for a format of the model that this server does not have."""
    try:
        return services.formats[name]
    except KeyError:
        raise Validation(f"The package format '{name}' is not supported by this server") from None
