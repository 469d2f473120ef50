"""Users, groups, roles, managed policies, identity providers: records, and the ports that keep them.

Names follow IAM's service model.  Every change bumps the revision of all identities (Identities.revision), but for
notes of when something was used last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from registry.core.types import AccessKey, User

Kind = Literal["user", "group", "role"]


@dataclass(frozen=True, slots=True)
class Principal:
    """A user, a group or a role.  `id` is never given again, also not to one of the same name.

    Of roles: `trust` is the trust policy, `bound` the unique ids of those whom it names, `longest` the longest session
    in seconds.  `boundary` is the ARN of the permissions boundary.
    """

    id: str
    kind: Kind
    account: str
    name: str
    path: str
    created: int
    boundary: str = ""
    trust: str = ""
    bound: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    longest: int = 0
    used: int = 0
    used_region: str = ""

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:{self.kind}{self.path}{self.name}"


@dataclass(frozen=True, slots=True)
class Key:
    """An access key, without its secret."""

    id: str
    active: bool
    created: int
    used: int = 0
    used_service: str = ""
    used_region: str = ""


@dataclass(frozen=True, slots=True)
class ManagedPolicy:
    """A managed policy; `account` is empty for those that come with the server."""

    arn: str
    id: str
    account: str
    name: str
    path: str
    description: str
    created: int
    updated: int
    current: int
    latest: int
    attached: int = 0
    bounding: int = 0


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One version of a managed policy."""

    number: int
    document: str
    created: int


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID Connect issuer whose tokens an account takes."""

    arn: str
    account: str
    url: str
    clients: tuple[str, ...]
    thumbprints: tuple[str, ...]
    created: int


@dataclass(frozen=True, slots=True)
class Credential:
    """A long-lived token of a user.  `domain_id` 0: for every domain; `expires` 0: never (ms)."""

    id: str
    owner: str
    service: str
    description: str
    domain_id: int
    active: bool
    created: int
    expires: int
    used: int = 0


@dataclass(frozen=True, slots=True)
class Grants:
    """What a principal may do, as stored: its own and its groups' documents, its boundary's, its tags.

    `boundary` is None without one, and "" when it names a policy that is gone.
    """

    documents: tuple[str, ...]
    boundary: str | None
    tags: Mapping[str, str]


class Principals(Protocol):
    """Users, groups and roles with what belongs to them."""

    async def add(self, principal: Principal) -> bool:
        """False when the account has one of that kind and name (in any case) already."""

    async def get(self, id: str) -> Principal | None: ...
    async def named(self, account: str, kind: Kind, name: str) -> Principal | None: ...
    async def known(self, id: str) -> User | None:
        """The little of a user or role that says who asks; for every request."""

    async def by_key(self, key: str) -> tuple[AccessKey, User] | None:
        """An access key and whose it is; for every request."""

    async def page(self, account: str, kind: Kind, prefix: str, after: str | None, limit: int) -> list[Principal]:
        """Those whose path begins with `prefix`, by name (without regard to case), after that name in lower case."""

    async def count(self, account: str) -> dict[str, int]:
        """kind -> how many."""

    async def change(self, principal: Principal) -> bool:
        """Store name, path, boundary, trust, bound, description and longest.  False when the new name is taken."""

    async def delete(self, id: str) -> None:
        """With keys, policies, memberships, tags and tokens."""

    async def note_role(self, id: str, now: int, region: str) -> None:
        """It was assumed; bumps nothing."""

    async def grants(self, id: str) -> Grants | None: ...
    async def key_owner(self, key: str) -> str | None:
        """The id of the principal that an access key belongs to."""

    async def keys(self, owner: str) -> list[Key]: ...
    async def set_key(self, owner: str, key: str, *, active: bool) -> bool: ...
    async def drop_key(self, owner: str, key: str) -> bool: ...
    async def note_key(self, key: str, now: int, service: str, region: str) -> None:
        """It signed a request; bumps nothing."""

    async def inline(self, owner: str) -> dict[str, str]:
        """name -> document, by name."""

    async def put_inline(self, owner: str, name: str, document: str) -> None: ...
    async def drop_inline(self, owner: str, name: str) -> bool: ...
    async def attached(self, owner: str) -> list[tuple[str, str]]:
        """(name, ARN) of its managed policies, by name."""

    async def attach(self, owner: str, arn: str) -> None: ...
    async def detach(self, owner: str, arn: str) -> bool: ...
    async def members(self, group: str) -> list[Principal]: ...
    async def groups(self, user: str) -> list[Principal]: ...
    async def join(self, group: str, user: str) -> None: ...
    async def leave(self, group: str, user: str) -> bool: ...
    async def tags(self, owner: str) -> dict[str, str]: ...
    async def set_tags(self, owner: str, tags: Mapping[str, str]) -> None: ...
    async def drop_tags(self, owner: str, names: Sequence[str]) -> None: ...
    async def credentials(self, owner: str) -> list[Credential]: ...
    async def credential(self, id: str) -> Credential | None: ...
    async def add_credential(self, credential: Credential) -> None: ...
    async def set_credential(self, id: str, *, active: bool) -> None: ...
    async def drop_credential(self, id: str) -> None: ...
    async def all_credentials(self, account: str) -> list[tuple[Principal, Credential]]: ...


class Managed(Protocol):
    """Managed policies."""

    async def add(self, policy: ManagedPolicy, document: str) -> bool:
        """With its first version; False when the account has one of that name already."""

    async def get(self, arn: str) -> ManagedPolicy | None: ...
    async def page(
        self, accounts: Sequence[str], prefix: str, after: tuple[str, str] | None, limit: int
    ) -> list[ManagedPolicy]:
        """By (name in lower case, account), after that pair; `accounts` may hold "" for the server's own."""

    async def count(self, account: str) -> tuple[int, int]:
        """(policies, versions)."""

    async def delete(self, arn: str) -> None: ...
    async def versions(self, arn: str) -> list[PolicyVersion]:
        """Newest first."""

    async def version(self, arn: str, number: int) -> PolicyVersion | None: ...
    async def add_version(self, arn: str, document: str, now: int, *, default: bool) -> PolicyVersion: ...
    async def set_default(self, arn: str, number: int, now: int) -> None: ...
    async def drop_version(self, arn: str, number: int) -> None: ...
    async def entities(self, arn: str, *, boundary: bool) -> list[Principal]:
        """Those that it is attached to, or whose boundary it is; by kind and name."""


class Logins(Protocol):
    """OpenID Connect providers and account aliases."""

    async def add_provider(self, provider: Provider) -> bool: ...
    async def provider(self, arn: str) -> Provider | None: ...
    async def providers(self, account: str) -> list[Provider]: ...
    async def change_provider(self, provider: Provider) -> None: ...
    async def drop_provider(self, arn: str) -> None: ...
    async def alias(self, account: str) -> str | None: ...
    async def set_alias(self, account: str, alias: str) -> bool:
        """False when another account has it."""

    async def drop_alias(self, account: str) -> None: ...
