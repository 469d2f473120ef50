"""Managed policies and their versions."""

# ruff: noqa: S608 - only names of columns are put in; values are bound

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from registry.core.iam import ManagedPolicy, PolicyVersion, Principal
from storage.metadata.sql import Sql, marks
from storage.metadata.tables.principals import _PRINCIPAL, _principal, changed

_POLICY = (
    "p.arn, p.id, p.account, p.name, p.path, p.description, p.created, p.updated, p.current, p.latest,"
    " (select count(*) from iam_attached a where a.arn = p.arn),"
    " (select count(*) from iam_principal b where b.boundary <> '' and b.boundary = p.arn)"
)


class ManagedPolicies:
    """`iam.Managed`."""

    __slots__ = ("_sql",)

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    async def add(self, policy: ManagedPolicy, document: str) -> bool:
        p = policy
        added = await self._sql.run(
            "insert into iam_policy (arn, id, account, name, folded, path, description, created, updated, current,"
            f" latest) values ({marks(11)}) on conflict (account, folded) do nothing",
            p.arn,
            p.id,
            p.account,
            p.name,
            p.name.lower(),
            p.path,
            p.description,
            p.created,
            p.updated,
            1,
            1,
        )
        if not added:
            return False
        await self._insert(p.arn, 1, document, p.created)
        await changed(self._sql)
        return True

    async def get(self, arn: str) -> ManagedPolicy | None:
        row: Any = await self._sql.row(f"select {_POLICY} from iam_policy p where p.arn = $1", arn)
        return ManagedPolicy(*row) if row else None

    async def page(
        self, accounts: Sequence[str], prefix: str, after: tuple[str, str] | None, limit: int
    ) -> list[ManagedPolicy]:
        name, account = after or ("", "")
        rows = await self._sql.fetch(
            f"select {_POLICY} from iam_policy p where p.path >= $1 and p.path < $2"
            " and (p.folded > $3 or (p.folded = $3 and p.account > $4) or $5 = 0)"
            f" and p.account in ({marks(len(accounts), 7)}) order by p.folded, p.account limit $6",
            prefix,
            prefix + "\U0010ffff",
            name,
            account,
            int(after is not None),
            limit,
            *accounts,
        )
        return [ManagedPolicy(*row) for row in rows]

    async def count(self, account: str) -> tuple[int, int]:
        row = await self._sql.row(
            "select count(distinct p.arn), count(*) from iam_policy p join iam_policy_version v on v.arn = p.arn"
            " where p.account = $1",
            account,
        )
        return row[0], row[1]

    async def delete(self, arn: str) -> None:
        await self._sql.run("delete from iam_tag where owner = $1", arn)
        await self._sql.run("delete from iam_policy where arn = $1", arn)
        await changed(self._sql)

    async def versions(self, arn: str) -> list[PolicyVersion]:
        rows = await self._sql.fetch(
            "select number, document, created from iam_policy_version where arn = $1 order by number desc", arn
        )
        return [PolicyVersion(*row) for row in rows]

    async def version(self, arn: str, number: int) -> PolicyVersion | None:
        row: Any = await self._sql.row(
            "select number, document, created from iam_policy_version where arn = $1 and number = $2", arn, number
        )
        return PolicyVersion(*row) if row else None

    async def add_version(self, arn: str, document: str, now: int, *, default: bool) -> PolicyVersion:
        await self._sql.run("update iam_policy set latest = latest + 1 where arn = $1", arn)
        number = (await self._sql.row("select latest from iam_policy where arn = $1", arn))[0]
        await self._insert(arn, number, document, now)
        if default:
            await self.set_default(arn, number, now)
        await changed(self._sql)
        return PolicyVersion(number, document, now)

    async def set_default(self, arn: str, number: int, now: int) -> None:
        await self._sql.run("update iam_policy set current = $2, updated = $3 where arn = $1", arn, number, now)
        await changed(self._sql)

    async def drop_version(self, arn: str, number: int) -> None:
        await self._sql.run("delete from iam_policy_version where arn = $1 and number = $2", arn, number)
        await changed(self._sql)

    async def replace(self, arn: str, number: int, document: str) -> None:
        """Another text for a version of a policy that comes with the server."""
        await self._sql.run(
            "update iam_policy_version set document = $3 where arn = $1 and number = $2", arn, number, document
        )
        await changed(self._sql)

    async def entities(self, arn: str, *, boundary: bool) -> list[Principal]:
        if boundary:
            source = "iam_principal p where p.boundary <> '' and p.boundary = $1"
        else:
            source = "iam_attached a join iam_principal p on p.id = a.owner where a.arn = $1"
        rows = await self._sql.fetch(f"select {_PRINCIPAL} from {source} order by p.kind, p.folded", arn)
        return [_principal(row) for row in rows]

    async def _insert(self, arn: str, number: int, document: str, now: int) -> None:
        await self._sql.run(
            "insert into iam_policy_version (arn, number, document, created) values ($1, $2, $3, $4)",
            arn,
            number,
            document,
            now,
        )
