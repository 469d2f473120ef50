"""Grows a stopped server's database: copies of its packages under other names, so that 100,000 are quickly there."""

from __future__ import annotations

import sqlite3
from pathlib import Path

_STEP = 1000


def packages(database: Path, total: int) -> None:
    """Copy package rows with their versions, facts, assets and tags until there are `total`."""
    with sqlite3.connect(database) as db:
        model = db.execute("select id from package order by id limit 1").fetchone()[0]
        (there,) = db.execute("select count(*) from package").fetchone()
        names = [f"copy-{n}" for n in range(total - there)]
        for start in range(0, len(names), _STEP):
            for offset, name in enumerate(names[start : start + _STEP]):
                _copy(db, model, name, start + offset + 1)
    db.close()


def _copy(db: sqlite3.Connection, model: int, name: str, shift: int) -> None:
    """Ids of copies are the model's plus the shift: free, since ids are milliseconds times 2 to the 20th."""
    _again(db, "package", "id = ?", model, {"id": shift, "name": name, "display": name})
    _again(db, "tag", "package_id = ?", model, {"package_id": shift})
    for (version,) in db.execute("select id from version where package_id = ?", (model,)).fetchall():
        _again(db, "version", "id = ?", version, {"id": shift, "package_id": shift})
        _again(db, "facts", "version_id = ?", version, {"version_id": shift})
        _again(db, "asset", "version_id = ?", version, {"version_id": shift})


def _again(db: sqlite3.Connection, table: str, where: str, key: int, changes: dict[str, int | str]) -> None:
    columns = [row[1] for row in db.execute(f"pragma table_info({table})")]
    chosen = [
        f"{c} + {changes[c]}" if isinstance(changes.get(c), int) else f"'{changes[c]}'" if c in changes else c
        for c in columns
    ]
    db.execute(
        f"insert into {table} ({', '.join(columns)}) select {', '.join(chosen)} from {table} where {where}", (key,)
    )
