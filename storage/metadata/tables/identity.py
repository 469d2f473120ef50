"""Accounts, users and access keys, as the front door looks them up.

The rest of IAM is in `principals`, `managed` and `logins`; all are one set of tables, keyed by unique ids.
"""

from __future__ import annotations

from typing import Any

from registry.core.errors import Conflict
from registry.core.iam import ManagedPolicy, Principal
from registry.core.types import AccessKey, User
from storage.metadata.sql import Sql
from storage.metadata.tables.managed import ManagedPolicies
from storage.metadata.tables.principals import Principals, changed


class Identities:
    """`ports.Identities`.  Every change bumps one counter, so that caches of decisions can tell."""

    __slots__ = ("_managed", "_principals", "_sql")

    def __init__(self, sql: Sql) -> None:
        self._sql = sql
        self._principals = Principals(sql)
        self._managed = ManagedPolicies(sql)

    async def add_account(self, account: str, created: int) -> bool:
        added = await self._sql.run(
            "insert into account (id, created) values ($1, $2) on conflict (id) do nothing", account, created
        )
        if added:
            await changed(self._sql)
        return bool(added)

    async def accounts(self) -> list[str]:
        return [row[0] for row in await self._sql.fetch("select id from account order by id")]

    async def add_user(self, user: User) -> None:
        principal = Principal(user.id, "user", user.account, user.name, user.path, user.created)
        if not await self._principals.add(principal):
            raise Conflict(f"The account {user.account} has a user {user.name} already.")

    async def user(self, account: str, name: str) -> User | None:
        row = await self._sql.row(
            "select account, name, path, id, created from iam_principal"
            " where account = $1 and kind = 'user' and folded = $2 and name = $3",
            account,
            name.lower(),
            name,
        )
        return User(*row) if row else None

    async def add_key(self, key: AccessKey, created: int) -> None:
        owner = await self._id(key.account, key.user)
        added = owner and await self._sql.run(
            "insert into iam_key (id, owner, secret, active, created, used, used_service, used_region)"
            " values ($1, $2, $3, $4, $5, 0, '', '') on conflict (id) do nothing",
            key.id,
            owner,
            key.secret,
            int(key.active),
            created,
        )
        if not added:
            raise Conflict(f"There is an access key {key.id} already, or no user {key.user}.")
        await changed(self._sql)

    async def key(self, access_key_id: str) -> AccessKey | None:
        row: Any = await self._sql.row(
            "select k.id, p.account, p.name, k.secret, k.active from iam_key k"
            " join iam_principal p on p.id = k.owner where k.id = $1",
            access_key_id,
        )
        return AccessKey(row[0], row[1], row[2], bytes(row[3]), bool(row[4])) if row else None

    async def attach_policy(self, account: str, user: str, policy_arn: str) -> None:
        await self._principals.attach(await self._id(account, user), policy_arn)

    async def put_policy(self, account: str, user: str, name: str, document: str) -> None:
        await self._principals.put_inline(await self._id(account, user), name, document)

    async def managed_policy(self, arn: str, document: str) -> None:
        held = await self._managed.get(arn)
        if held is None:
            name = arn.rpartition("/")[2]
            await self._managed.add(ManagedPolicy(arn, "", "", name, "/", "", 0, 0, 1, 1), document)
        else:
            await self._managed.replace(arn, held.current, document)

    async def documents(self, account: str, user: str) -> list[str]:
        grants = await self._principals.grants(await self._id(account, user))
        return list(grants.documents) if grants is not None else []

    async def revision(self) -> int:
        row = await self._sql.row("select value from counter where name = 'identity'")
        return int(row[0])

    async def _id(self, account: str, user: str) -> str:
        found = await self._principals.named(account, "user", user)
        return found.id if found is not None else ""
