"""The pairs of engines that a suite runs on.

    def test_something(engine, tmp_path):               # fixture of tests/conftest.py: once for each pair
        with Server(tmp_path, settings=engine) as server: ...

    @pytest.fixture(scope="module", params=engines.NAMES)       # one server for a module
    def server(request, tmp_path_factory):
        with engines.settings(request.param) as settings, Server(tmp_path_factory.mktemp("data"), settings=settings) ...

`settings` is a settings document with a fresh database (and bucket) in it; lay further sections over it with `|`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests import postgres

NAMES = ("sqlite", "postgres")


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
