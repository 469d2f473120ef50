"""Users, groups and roles: their keys, policies, memberships, tags and tokens."""

# ruff: noqa: S608 - only names of columns are put in; values are bound

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from registry.core.iam import Credential, Grants, Key, Kind, Principal
from registry.core.types import AccessKey, User
from storage.metadata.sql import Sql, marks

_PRINCIPAL = (
    "p.id, p.kind, p.account, p.name, p.path, p.created, p.boundary, p.trust, p.bound, p.description, p.longest,"
    " p.used, p.used_region"
)
_CREDENTIAL = "c.id, c.owner, c.service, c.description, c.domain_id, c.active, c.created, c.expires, c.used"

# A managed policy counts with its default version.
_DOCUMENTS = (
    "select document from iam_inline where owner = $1"
    " union all"
    " select v.document from iam_attached a join iam_policy p on p.arn = a.arn"
    " join iam_policy_version v on v.arn = p.arn and v.number = p.current where a.owner = $1"
    " union all"
    " select i.document from iam_member m join iam_inline i on i.owner = m.group_id where m.user_id = $1"
    " union all"
    " select v.document from iam_member m join iam_attached a on a.owner = m.group_id"
    " join iam_policy p on p.arn = a.arn"
    " join iam_policy_version v on v.arn = p.arn and v.number = p.current where m.user_id = $1"
)


async def changed(sql: Sql) -> None:
    """Bump the revision of all identities."""
    await sql.run("update counter set value = value + 1 where name = 'identity'")


def _principal(row: Any) -> Principal:
    id, kind, account, name, path, created, boundary, trust, bound, description, longest, used, region = row
    names = {} if bound == "{}" else json.loads(bound)
    return Principal(id, kind, account, name, path, created, boundary, trust, names, description, longest, used, region)


def _credential(row: Any) -> Credential:
    id, owner, service, description, domain_id, active, created, expires, used = row
    return Credential(id, owner, service, description, domain_id, bool(active), created, expires, used)


class Principals:
    """`iam.Principals`."""

    __slots__ = ("_sql",)

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    async def add(self, principal: Principal) -> bool:
        p = principal
        added = await self._sql.run(
            "insert into iam_principal (id, kind, account, name, folded, path, created, boundary, trust, bound,"
            " description, longest, used, used_region)"
            f" values ({marks(14)}) on conflict (account, kind, folded) do nothing",
            p.id,
            p.kind,
            p.account,
            p.name,
            p.name.lower(),
            p.path,
            p.created,
            p.boundary,
            p.trust,
            json.dumps(dict(p.bound)),
            p.description,
            p.longest,
            p.used,
            p.used_region,
        )
        if added:
            await changed(self._sql)
        return bool(added)

    async def get(self, id: str) -> Principal | None:
        row = await self._sql.row(f"select {_PRINCIPAL} from iam_principal p where p.id = $1", id)
        return _principal(row) if row else None

    async def known(self, id: str) -> User | None:
        row = await self._sql.row("select account, name, path, id, created from iam_principal where id = $1", id)
        return User(*row) if row else None

    async def by_key(self, key: str) -> tuple[AccessKey, User] | None:
        row: Any = await self._sql.row(
            "select k.secret, k.active, p.account, p.name, p.path, p.id, p.created from iam_key k"
            " join iam_principal p on p.id = k.owner where k.id = $1",
            key,
        )
        if row is None:
            return None
        secret, active, *owner = row
        user = User(*owner)
        return AccessKey(key, user.account, user.name, bytes(secret), bool(active)), user

    async def named(self, account: str, kind: Kind, name: str) -> Principal | None:
        row = await self._sql.row(
            f"select {_PRINCIPAL} from iam_principal p where p.account = $1 and p.kind = $2 and p.folded = $3",
            account,
            kind,
            name.lower(),
        )
        return _principal(row) if row else None

    async def page(self, account: str, kind: Kind, prefix: str, after: str | None, limit: int) -> list[Principal]:
        rows = await self._sql.fetch(
            f"select {_PRINCIPAL} from iam_principal p where p.account = $1 and p.kind = $2 and p.folded > $3"
            " and p.path >= $4 and p.path < $5 order by p.folded limit $6",
            account,
            kind,
            after or "",
            prefix,
            prefix + "\U0010ffff",
            limit,
        )
        return [_principal(row) for row in rows]

    async def count(self, account: str) -> dict[str, int]:
        rows = await self._sql.fetch(
            "select kind, count(*) from iam_principal where account = $1 group by kind", account
        )
        return {row[0]: row[1] for row in rows}

    async def change(self, principal: Principal) -> bool:
        p = principal
        taken = await self._sql.row(
            "select id from iam_principal where account = $1 and kind = $2 and folded = $3 and id <> $4",
            p.account,
            p.kind,
            p.name.lower(),
            p.id,
        )
        if taken:
            return False
        await self._sql.run(
            "update iam_principal set name = $2, folded = $3, path = $4, boundary = $5, trust = $6, bound = $7,"
            " description = $8, longest = $9 where id = $1",
            p.id,
            p.name,
            p.name.lower(),
            p.path,
            p.boundary,
            p.trust,
            json.dumps(dict(p.bound)),
            p.description,
            p.longest,
        )
        await changed(self._sql)
        return True

    async def delete(self, id: str) -> None:
        await self._sql.run("delete from iam_tag where owner = $1", id)
        await self._sql.run("delete from iam_principal where id = $1", id)
        await changed(self._sql)

    async def note_role(self, id: str, now: int, region: str) -> None:
        await self._sql.run("update iam_principal set used = $2, used_region = $3 where id = $1", id, now, region)

    async def grants(self, id: str) -> Grants | None:
        row = await self._sql.row("select boundary from iam_principal where id = $1", id)
        if row is None:
            return None
        boundary = None
        if row[0]:
            found = await self._sql.row(
                "select v.document from iam_policy p join iam_policy_version v"
                " on v.arn = p.arn and v.number = p.current where p.arn = $1",
                row[0],
            )
            boundary = found[0] if found else ""
        documents = await self._sql.fetch(_DOCUMENTS, id)
        return Grants(tuple(each[0] for each in documents), boundary, await self.tags(id))

    # --- access keys -----------------------------------------------------------------------------

    async def key_owner(self, key: str) -> str | None:
        row = await self._sql.row("select owner from iam_key where id = $1", key)
        return row[0] if row else None

    async def keys(self, owner: str) -> list[Key]:
        rows = await self._sql.fetch(
            "select id, active, created, used, used_service, used_region from iam_key where owner = $1"
            " order by created, id",
            owner,
        )
        return [Key(row[0], bool(row[1]), *row[2:]) for row in rows]

    async def set_key(self, owner: str, key: str, *, active: bool) -> bool:
        done = await self._sql.run(
            "update iam_key set active = $3 where owner = $1 and id = $2", owner, key, int(active)
        )
        await changed(self._sql)
        return bool(done)

    async def drop_key(self, owner: str, key: str) -> bool:
        done = await self._sql.run("delete from iam_key where owner = $1 and id = $2", owner, key)
        await changed(self._sql)
        return bool(done)

    async def note_key(self, key: str, now: int, service: str, region: str) -> None:
        await self._sql.run(
            "update iam_key set used = $2, used_service = $3, used_region = $4 where id = $1", key, now, service, region
        )

    # --- policies --------------------------------------------------------------------------------

    async def inline(self, owner: str) -> dict[str, str]:
        rows = await self._sql.fetch("select name, document from iam_inline where owner = $1 order by name", owner)
        return {row[0]: row[1] for row in rows}

    async def put_inline(self, owner: str, name: str, document: str) -> None:
        await self._sql.run(
            "insert into iam_inline (owner, name, document) values ($1, $2, $3)"
            " on conflict (owner, name) do update set document = excluded.document",
            owner,
            name,
            document,
        )
        await changed(self._sql)

    async def drop_inline(self, owner: str, name: str) -> bool:
        done = await self._sql.run("delete from iam_inline where owner = $1 and name = $2", owner, name)
        await changed(self._sql)
        return bool(done)

    async def attached(self, owner: str) -> list[tuple[str, str]]:
        rows = await self._sql.fetch(
            "select p.name, p.arn from iam_attached a join iam_policy p on p.arn = a.arn where a.owner = $1"
            " order by p.folded, p.arn",
            owner,
        )
        return [(row[0], row[1]) for row in rows]

    async def attach(self, owner: str, arn: str) -> None:
        await self._sql.run(
            "insert into iam_attached (owner, arn) values ($1, $2) on conflict (owner, arn) do nothing", owner, arn
        )
        await changed(self._sql)

    async def detach(self, owner: str, arn: str) -> bool:
        done = await self._sql.run("delete from iam_attached where owner = $1 and arn = $2", owner, arn)
        await changed(self._sql)
        return bool(done)

    # --- groups ----------------------------------------------------------------------------------

    async def members(self, group: str) -> list[Principal]:
        rows = await self._sql.fetch(
            f"select {_PRINCIPAL} from iam_member m join iam_principal p on p.id = m.user_id where m.group_id = $1"
            " order by p.folded",
            group,
        )
        return [_principal(row) for row in rows]

    async def groups(self, user: str) -> list[Principal]:
        rows = await self._sql.fetch(
            f"select {_PRINCIPAL} from iam_member m join iam_principal p on p.id = m.group_id where m.user_id = $1"
            " order by p.folded",
            user,
        )
        return [_principal(row) for row in rows]

    async def join(self, group: str, user: str) -> None:
        await self._sql.run(
            "insert into iam_member (group_id, user_id) values ($1, $2) on conflict (group_id, user_id) do nothing",
            group,
            user,
        )
        await changed(self._sql)

    async def leave(self, group: str, user: str) -> bool:
        done = await self._sql.run("delete from iam_member where group_id = $1 and user_id = $2", group, user)
        await changed(self._sql)
        return bool(done)

    # --- tags, of policies and providers too -----------------------------------------------------

    async def tags(self, owner: str) -> dict[str, str]:
        rows = await self._sql.fetch("select name, value from iam_tag where owner = $1 order by name", owner)
        return {row[0]: row[1] for row in rows}

    async def set_tags(self, owner: str, tags: Mapping[str, str]) -> None:
        for name, value in tags.items():
            await self._sql.run(
                "insert into iam_tag (owner, name, value) values ($1, $2, $3)"
                " on conflict (owner, name) do update set value = excluded.value",
                owner,
                name,
                value,
            )
        await changed(self._sql)

    async def drop_tags(self, owner: str, names: Sequence[str]) -> None:
        for name in names:
            await self._sql.run("delete from iam_tag where owner = $1 and name = $2", owner, name)
        await changed(self._sql)

    # --- long-lived tokens -----------------------------------------------------------------------

    async def credentials(self, owner: str) -> list[Credential]:
        rows = await self._sql.fetch(
            f"select {_CREDENTIAL} from iam_credential c where c.owner = $1 order by c.created, c.id", owner
        )
        return [_credential(row) for row in rows]

    async def credential(self, id: str) -> Credential | None:
        row = await self._sql.row(f"select {_CREDENTIAL} from iam_credential c where c.id = $1", id)
        return _credential(row) if row else None

    async def add_credential(self, credential: Credential) -> None:
        c = credential
        await self._sql.run(
            "insert into iam_credential (id, owner, service, description, domain_id, active, created, expires, used)"
            f" values ({marks(9)})",
            c.id,
            c.owner,
            c.service,
            c.description,
            c.domain_id,
            int(c.active),
            c.created,
            c.expires,
            c.used,
        )
        await changed(self._sql)

    async def set_credential(self, id: str, *, active: bool) -> None:
        await self._sql.run("update iam_credential set active = $2 where id = $1", id, int(active))
        await changed(self._sql)

    async def drop_credential(self, id: str) -> None:
        await self._sql.run("delete from iam_credential where id = $1", id)
        await changed(self._sql)

    async def all_credentials(self, account: str) -> list[tuple[Principal, Credential]]:
        rows = await self._sql.fetch(
            f"select {_PRINCIPAL}, {_CREDENTIAL} from iam_credential c join iam_principal p on p.id = c.owner"
            " where p.account = $1 order by p.folded, c.created, c.id",
            account,
        )
        return [(_principal(tuple(row)[:13]), _credential(tuple(row)[13:])) for row in rows]
