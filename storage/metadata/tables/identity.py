"""Accounts, users, access keys and identity policies."""

from __future__ import annotations

from typing import Any

from registry.core.errors import Conflict
from registry.core.types import AccessKey, User
from storage.metadata.sql import Sql


class Identities:
    """`ports.Identities`.  Every change bumps one counter, so that caches of decisions can tell."""

    __slots__ = ("_sql",)

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    async def add_account(self, account: str, created: int) -> bool:
        added = await self._sql.run(
            "insert into account (id, created) values ($1, $2) on conflict (id) do nothing", account, created
        )
        if added:
            await self._changed()
        return bool(added)

    async def accounts(self) -> list[str]:
        return [row[0] for row in await self._sql.fetch("select id from account order by id")]

    async def add_user(self, user: User) -> None:
        added = await self._sql.run(
            "insert into iam_user (account, name, path, id, created) values ($1, $2, $3, $4, $5)"
            " on conflict (account, name) do nothing",
            user.account,
            user.name,
            user.path,
            user.id,
            user.created,
        )
        if not added:
            raise Conflict(f"The account {user.account} has a user {user.name} already.")
        await self._changed()

    async def user(self, account: str, name: str) -> User | None:
        row = await self._sql.row(
            "select account, name, path, id, created from iam_user where account = $1 and name = $2", account, name
        )
        return User(*row) if row else None

    async def add_key(self, key: AccessKey, created: int) -> None:
        added = await self._sql.run(
            "insert into access_key (id, account, user_name, secret, active, created) values ($1, $2, $3, $4, $5, $6)"
            " on conflict (id) do nothing",
            key.id,
            key.account,
            key.user,
            key.secret,
            int(key.active),
            created,
        )
        if not added:
            raise Conflict(f"There is an access key {key.id} already.")
        await self._changed()

    async def key(self, access_key_id: str) -> AccessKey | None:
        row: Any = await self._sql.row(
            "select id, account, user_name, secret, active from access_key where id = $1", access_key_id
        )
        return AccessKey(row[0], row[1], row[2], bytes(row[3]), bool(row[4])) if row else None

    async def attach_policy(self, account: str, user: str, policy_arn: str) -> None:
        await self._sql.run(
            "insert into attached_policy (account, user_name, arn) values ($1, $2, $3)"
            " on conflict (account, user_name, arn) do nothing",
            account,
            user,
            policy_arn,
        )
        await self._changed()

    async def put_policy(self, account: str, user: str, name: str, document: str) -> None:
        await self._sql.run(
            "insert into user_policy (account, user_name, name, document) values ($1, $2, $3, $4)"
            " on conflict (account, user_name, name) do update set document = excluded.document",
            account,
            user,
            name,
            document,
        )
        await self._changed()

    async def managed_policy(self, arn: str, document: str) -> None:
        await self._sql.run(
            "insert into managed_policy (arn, document) values ($1, $2)"
            " on conflict (arn) do update set document = excluded.document",
            arn,
            document,
        )
        await self._changed()

    async def documents(self, account: str, user: str) -> list[str]:
        rows = await self._sql.fetch(
            "select document from user_policy where account = $1 and user_name = $2"
            " union all"
            " select m.document from attached_policy a join managed_policy m on m.arn = a.arn"
            " where a.account = $1 and a.user_name = $2",
            account,
            user,
        )
        return [row[0] for row in rows]

    async def revision(self) -> int:
        row = await self._sql.row("select value from counter where name = 'identity'")
        return int(row[0])

    async def _changed(self) -> None:
        await self._sql.run("update counter set value = value + 1 where name = 'identity'")
