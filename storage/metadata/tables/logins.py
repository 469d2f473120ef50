"""OpenID Connect providers and account aliases."""

# ruff: noqa: S608 - only names of columns are put in; values are bound

from __future__ import annotations

import json
from typing import Any

from registry.core.iam import Provider
from storage.metadata.sql import Sql
from storage.metadata.tables.principals import changed

_PROVIDER = "arn, account, url, clients, thumbprints, created"


def _provider(row: Any) -> Provider:
    arn, account, url, clients, thumbprints, created = row
    return Provider(arn, account, url, tuple(json.loads(clients)), tuple(json.loads(thumbprints)), created)


class Logins:
    """`iam.Logins`."""

    __slots__ = ("_sql",)

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    async def add_provider(self, provider: Provider) -> bool:
        p = provider
        added = await self._sql.run(
            f"insert into iam_provider ({_PROVIDER}) values ($1, $2, $3, $4, $5, $6) on conflict (arn) do nothing",
            p.arn,
            p.account,
            p.url,
            json.dumps(p.clients),
            json.dumps(p.thumbprints),
            p.created,
        )
        if added:
            await changed(self._sql)
        return bool(added)

    async def provider(self, arn: str) -> Provider | None:
        row = await self._sql.row(f"select {_PROVIDER} from iam_provider where arn = $1", arn)
        return _provider(row) if row else None

    async def providers(self, account: str) -> list[Provider]:
        rows = await self._sql.fetch(f"select {_PROVIDER} from iam_provider where account = $1 order by arn", account)
        return [_provider(row) for row in rows]

    async def change_provider(self, provider: Provider) -> None:
        await self._sql.run(
            "update iam_provider set clients = $2, thumbprints = $3 where arn = $1",
            provider.arn,
            json.dumps(provider.clients),
            json.dumps(provider.thumbprints),
        )
        await changed(self._sql)

    async def drop_provider(self, arn: str) -> None:
        await self._sql.run("delete from iam_tag where owner = $1", arn)
        await self._sql.run("delete from iam_provider where arn = $1", arn)
        await changed(self._sql)

    async def alias(self, account: str) -> str | None:
        row = await self._sql.row("select alias from iam_alias where account = $1", account)
        return row[0] if row else None

    async def set_alias(self, account: str, alias: str) -> bool:
        taken = await self._sql.row("select account from iam_alias where alias = $1 and account <> $2", alias, account)
        if taken:
            return False
        await self._sql.run(
            "insert into iam_alias (account, alias) values ($1, $2)"
            " on conflict (account) do update set alias = excluded.alias",
            account,
            alias,
        )
        await changed(self._sql)
        return True

    async def drop_alias(self, account: str) -> None:
        await self._sql.run("delete from iam_alias where account = $1", account)
        await changed(self._sql)
