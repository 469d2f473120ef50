"""The schema of a PostgreSQL database: checked and brought up to date by one process at a time."""

from __future__ import annotations

import asyncio
import time

from registry.core.errors import Unavailable
from storage.metadata import migrate
from storage.metadata.listing_memo import ListingMemo
from storage.metadata.postgres_errors import FAILURES, described
from storage.metadata.postgres_link import Link, connect

LOCK = 0x7061636B79617264
"""The advisory lock under which migrations run."""
OLDEST = 130_000
PATIENCE = 600.0
"""Seconds for which another process may be at it."""


async def upgrade(address: str, patience: float) -> list[str]:
    """Run what is left of the numbered files, in one transaction; return their names.

    Raises Unavailable and migrate.SchemaTooNew.
    """
    link = await connect(address, patience=patience, memo=ListingMemo(limit=0))
    try:
        async with asyncio.timeout(PATIENCE):
            await _check(link)
            return await _upgrade(link)
    except FAILURES as error:
        raise Unavailable(f"The database cannot be used: {described(error)}", undone=True) from error
    finally:
        link.drop()


async def _check(link: Link) -> None:
    version, shown, encoding = await link.row(
        "select current_setting('server_version_num')::int, current_setting('server_version'),"
        " current_setting('server_encoding')"
    )
    if version < OLDEST:
        raise Unavailable(f"The database cannot be used: PostgreSQL {shown} is too old, 15 or later is wanted")
    if encoding != "UTF8":
        raise Unavailable(f"The database cannot be used: its encoding is {encoding}, it must be UTF8")


async def _upgrade(link: Link) -> list[str]:
    raw = link.raw
    await raw.execute("set statement_timeout = 0; set lock_timeout = 0; set idle_in_transaction_session_timeout = 0")
    await raw.execute("begin")
    await raw.fetchval("select pg_advisory_xact_lock($1)", LOCK)
    await raw.execute("set local client_min_messages = warning")
    await raw.execute(migrate.LEDGER)
    applied = [row[0] for row in await raw.fetch("select number from migration")]
    ran = []
    for migration in await asyncio.to_thread(migrate.pending, applied, "postgres"):
        for statement in migration.statements:
            await raw.execute(statement)
        await raw.execute(
            "insert into migration (number, name, applied) values ($1, $2, $3)",
            migration.number,
            migration.name,
            time.time_ns() // 1_000_000,
        )
        ran.append(migration.name)
    await raw.execute("commit")
    return ran
