"""The whole of a database, on either engine: every table on one snapshot, and back in one transaction.

This goes below the stores' units of work, since it moves tables, not packages; a table that a later migration adds
needs nothing here.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from storage.backup.rows import Row, Shape, Type
from storage.metadata import migrate

TYPES: Mapping[str, Type] = {
    "integer": "integer",
    "bigint": "integer",
    "smallint": "integer",
    "text": "text",
    "bytea": "bytes",
}
_TABLE = re.compile(r"create table (?:if not exists )?(\w+)")


class Unmovable(Exception):
    """This database cannot be copied or filled; the message says why."""


class Source(Protocol):
    """One snapshot of a database."""

    schema: list[int]
    shapes: list[Shape]

    def rows(self, shape: Shape, where: str = "") -> AsyncIterator[Sequence[Row]]:
        """Every row (of those), in runs, in no order."""


class Target(Protocol):
    """A fresh schema in an open transaction, without a row."""

    shapes: list[Shape]
    """Tables that others refer to come first."""

    async def add(self, shape: Shape, rows: Sequence[Row]) -> None:
        """Raises Unmovable for what this engine cannot hold."""


class Engine(Protocol):
    """A database by its address."""

    def source(self) -> AbstractAsyncContextManager[Source]:
        """Raises Unmovable when there is no database, or one that a later version made."""

    async def occupied(self) -> bool:
        """Whether somebody's accounts or domains are in it."""

    def target(self, schema: Collection[int]) -> AbstractAsyncContextManager[Target]:
        """Replace everything with what is added inside, all or nothing; migrated to `schema`, not further."""


def migrations(numbers: Collection[int], dialect: migrate.Dialect) -> list[migrate.Migration]:
    """Those, ascending.  Raises Unmovable when this version does not know one."""
    known = {each.number: each for each in migrate.pending((), dialect)}
    if set(numbers) - known.keys():
        raise Unmovable("The backup was made by a later version of packyard: restore it with that one, or a later one")
    return [known[number] for number in sorted(numbers)]


def tables(dialect: migrate.Dialect) -> set[str]:
    """The names of every table that a migration ever made."""
    made = (_TABLE.match(text) for each in migrate.pending((), dialect) for text in each.statements)
    return {match[1] for match in made if match}


def shape(table: str, columns: Sequence[tuple[str, str]]) -> Shape:
    """Raises Unmovable for a type that backups do not know."""
    for name, kind in columns:
        if kind not in TYPES:
            raise Unmovable(f"Column {table}.{name} has the type {kind}, which backups do not know")
    return Shape(table, tuple((name, TYPES[kind]) for name, kind in columns))


def quoted(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def ledger(migration: migrate.Migration, now: int) -> tuple[Any, ...]:
    """The row that says that a migration ran."""
    return (migration.number, migration.name, now)
