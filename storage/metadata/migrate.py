"""Numbered SQL files, applied in order, each in one transaction, each once.

`migrations/NNNN_name.sql` is one text for both engines.  Two spellings differ and are replaced here:

- SQLite: `bigint primary key` becomes `integer primary key`, which makes it the row's own key, and a table whose key is
  of several columns is kept `without rowid`: one tree, not two, so a page less to write for every insert.
- PostgreSQL: `text` becomes `text collate "C"`, so that both order by code point.

This room knows no engine: a driver hands in the statements it ran already and runs what it gets back.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from importlib import resources
from typing import Literal

Dialect = Literal["sqlite", "postgres"]

LEDGER = (
    "create table if not exists migration (number integer primary key, name text not null, applied bigint not null)"
)
"""Which files ran.  Every engine runs this first; it is the one statement outside the numbered files."""

_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")


class SchemaTooNew(Exception):
    """The database was made by a later version of the program, which must not touch it."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file, in one engine's spelling."""

    number: int
    name: str
    statements: tuple[str, ...]


def pending(applied: Collection[int], dialect: Dialect) -> list[Migration]:
    """What is left to run, ascending.  Raises SchemaTooNew when something ran that this program does not know."""
    known = _known(dialect)
    unknown = set(applied) - {migration.number for migration in known}
    if unknown:
        raise SchemaTooNew(
            f"The database has schema {max(unknown)}, this version of packyard knows {known[-1].number}: "
            "run the version that made it, or a later one."
        )
    return [migration for migration in known if migration.number not in applied]


def statements(text: str, dialect: Dialect) -> tuple[str, ...]:
    """Split at semicolons that end a line; comments are whole lines and dropped."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    parts = re.split(r";[ \t]*(?:\n|$)", "\n".join(lines))
    return tuple(_spell(part.strip(), dialect) for part in parts if part.strip())


def _spell(statement: str, dialect: Dialect) -> str:
    if dialect == "sqlite":
        own_key = statement.startswith("create table") and re.search(r"^ *primary key \(", statement, re.MULTILINE)
        return statement.replace("bigint primary key", "integer primary key") + (" without rowid" if own_key else "")
    if statement.startswith(("create table", "alter table")):
        return re.sub(r"\btext\b", 'text collate "C"', statement)
    return statement


def _known(dialect: Dialect) -> list[Migration]:
    found = []
    for file in resources.files("storage.metadata").joinpath("migrations").iterdir():
        match = _NAME.fullmatch(file.name)
        if match:
            text = file.read_text(encoding="utf-8")
            found.append(Migration(int(match[1]), match[2], statements(text, dialect)))
    return sorted(found, key=lambda migration: migration.number)
