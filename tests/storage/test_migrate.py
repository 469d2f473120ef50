"""Numbered files: once each, in order, in both spellings, and never backwards."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest

from registry.core.types import AccessKey, User
from storage.metadata import migrate
from storage.metadata.sqlite import SQLiteStore

ALL = migrate.pending([], "sqlite")


def test_everything_is_pending_on_an_empty_database_and_nothing_afterwards():
    pending = migrate.pending([], "sqlite")

    assert [migration.number for migration in pending] == sorted({migration.number for migration in pending})
    assert pending[0].number == 1
    assert migrate.pending([migration.number for migration in pending], "sqlite") == []


def test_a_later_programs_database_is_refused():
    with pytest.raises(migrate.SchemaTooNew, match="9999"):
        migrate.pending([1, 9999], "sqlite")


def test_statements_are_split_at_line_ends_and_comments_dropped():
    text = "-- one; two\ncreate table a (\n  b text -- no\n);\ninsert into a values (';');\n\n"

    assert len(migrate.statements(text, "sqlite")) == 2


def test_sqlite_gets_row_keys_and_postgres_one_order():
    text = "create table a (\n  id bigint primary key,\n  name text not null\n);\n"

    assert "integer primary key" in migrate.statements(text, "sqlite")[0]
    assert 'name text collate "C" not null' in migrate.statements(text, "postgres")[0]
    assert "bigint primary key" in migrate.statements(text, "postgres")[0]


def test_sqlite_keeps_a_table_of_several_keys_as_one_tree():
    text = (
        "create table a (\n  b text,\n  c text,\n  primary key (b, c)\n);\ncreate table d (\n  e text primary key\n);\n"
    )

    assert [each.endswith(" without rowid") for each in migrate.statements(text, "sqlite")] == [True, False]
    assert not any("rowid" in each for each in migrate.statements(text, "postgres"))


async def test_opening_again_changes_nothing(tmp_path):
    for _ in range(2):
        store = SQLiteStore(tmp_path / "deep" / "packyard.db")
        await store.open()
        ran = await store.read(lambda tx: tx.identity._sql.fetch("select number, name from migration"))
        await store.close()

    assert sorted(ran) == [(each.number, each.name) for each in ALL]


async def test_several_that_start_at_once_migrate_once(tmp_path):
    stores = [SQLiteStore(tmp_path / "packyard.db") for _ in range(4)]

    await asyncio.gather(*[store.open() for store in stores])
    ran = [await store.read(lambda tx: tx.identity._sql.fetch("select number from migration")) for store in stores]
    await asyncio.gather(*[store.close() for store in stores])

    assert [sorted(each) for each in ran] == [[(each.number,) for each in ALL]] * 4


async def test_a_later_programs_file_is_left_alone(tmp_path):
    store = SQLiteStore(tmp_path / "packyard.db")
    await store.open()
    await store.write(
        lambda tx: tx.identity._sql.run("insert into migration (number, name, applied) values (9999, 'later', 0)")
    )
    await store.close()

    with pytest.raises(migrate.SchemaTooNew):
        await SQLiteStore(tmp_path / "packyard.db").open()


async def test_users_keys_and_policies_of_the_first_schema_are_kept(tmp_path):
    first = [each for each in ALL if each.number == 1]
    connection = sqlite3.connect(tmp_path / "packyard.db")
    connection.execute(migrate.LEDGER)
    for statement in first[0].statements:
        connection.execute(statement)
    connection.executescript(
        """
        insert into migration values (1, 'first', 0);
        insert into account values ('111122223333', 1);
        insert into iam_user values ('111122223333', 'Bob', '/team/', 'AIDABOB', 5);
        insert into access_key values ('AKIABOB', '111122223333', 'Bob', x'00ff', 1, 6);
        insert into managed_policy values ('arn:aws:iam::aws:policy/Some', 'managed');
        insert into user_policy values ('111122223333', 'Bob', 'own', 'inline');
        insert into attached_policy values ('111122223333', 'Bob', 'arn:aws:iam::aws:policy/Some');
        """
    )
    connection.close()
    store = SQLiteStore(tmp_path / "packyard.db")
    await store.open()

    async def work(tx):
        grants = await tx.principals.grants("AIDABOB")
        return (
            await tx.identity.user("111122223333", "Bob"),
            await tx.identity.key("AKIABOB"),
            sorted(grants.documents),
            await tx.principals.attached("AIDABOB"),
        )

    found = await store.read(work)
    await store.close()

    assert found == (
        User("111122223333", "Bob", "/team/", "AIDABOB", 5),
        AccessKey("AKIABOB", "111122223333", "Bob", b"\x00\xff", True),
        ["inline", "managed"],
        [("Some", "arn:aws:iam::aws:policy/Some")],
    )


def test_domains_from_before_package_groups_get_their_root(tmp_path):
    file = tmp_path / "packyard.db"
    raw = sqlite3.connect(file, isolation_level=None)
    raw.execute(migrate.LEDGER)
    for migration in migrate.pending([], "sqlite"):
        if migration.number < 12:
            for statement in migration.statements:
                raw.execute(statement)
            raw.execute("insert into migration values (?, ?, 0)", (migration.number, migration.name))
    raw.execute(
        "insert into domain (id, owner, name, created, encryption_key, topology)"
        " values (5, '111122223333', 'd', 7, '', 3)"
    )
    raw.close()

    store = SQLiteStore(file)
    store.open_now()
    store.close_now()

    raw = sqlite3.connect(file)
    assert raw.execute(
        "select domain_id, pattern, created, external_upstream, publish from package_group"
    ).fetchall() == [(5, "/*", 7, "ALLOW", "ALLOW")]
    assert raw.execute("select domain_id, key from group_key").fetchall() == [(5, "/")]
    assert raw.execute("select topology from domain").fetchone() == (4,)
    raw.close()
