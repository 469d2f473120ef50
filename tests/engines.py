"""The pairs of engines that a suite runs on.

    def test_something(engine, tmp_path):               # fixture of tests/conftest.py: once for each pair
        with Server(tmp_path, settings=engine) as server: ...

    @pytest.fixture(scope="module", params=engines.NAMES)       # one server for a module
    def server(request, tmp_path_factory):
        with engines.settings(request.param) as settings, Server(tmp_path_factory.mktemp("data"), settings=settings) ...

`settings` is a settings document with a fresh database (and bucket) in it; lay further sections over it with `|`.

With PACKYARD_TEST_ENGINE=postgres in the environment every server of the harness that names no database runs on
PostgreSQL, with one database for each data directory: any suite can be run on it as it is.
PACKYARD_TEST_BLOBS=s3 does the same with a bucket for the files.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import bucket, postgres

NAMES = ("sqlite", "postgres")
_databases: dict[Path, str] = {}
_prefixes: dict[Path, str] = {}


@contextmanager
def settings(name: str) -> Iterator[dict[str, Any]]:
    """Where that pair of engines keeps things, for one server.  Skips the test where they are not installed."""
    if name == "sqlite":
        yield {}
        return
    cluster = postgres.shared()
    address = cluster.database()
    try:
        yield {"storage": {"database": address, "database_connections": 6}}
    finally:
        cluster.drop(address)


def chosen(data: Path, document: Mapping[str, Any]) -> dict[str, Any]:
    """The settings document of a server with that data directory, with the engine that the environment asks for."""
    storage = dict(document.get("storage", {}))
    if os.environ.get("PACKYARD_TEST_ENGINE") == "postgres" and "database" not in storage:
        if data not in _databases:
            _databases[data] = postgres.shared().database()
        storage["database"] = _databases[data]
        storage.setdefault("database_connections", 4)
    if os.environ.get("PACKYARD_TEST_BLOBS") == "s3" and "blobs" not in storage:
        if data not in _prefixes:
            _prefixes[data] = bucket.shared().place()
            os.environ.update(bucket.shared().environment)
        storage["blobs"] = _prefixes[data]
    return {**document, "storage": storage}


def environ(settings: Mapping[str, Any]) -> dict[str, str]:
    """The same settings as variables, for a server in a process of its own."""
    return {
        f"PACKYARD_{section}_{name}".upper(): str(value)
        for section, values in settings.items()
        for name, value in values.items()
    }
