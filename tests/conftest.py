"""Fixtures for every test: real servers, and the rule that nothing blocks the loop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from blockbuster import BlockBuster, blockbuster_ctx

from tests import engines
from tests.harness import Pair, Server

PUBLIC = {"npm": "public:npmjs", "pypi": "public:pypi"}
"""The external connection of each format that `pair` sets up."""


# A busy machine is no fault of the code: how long an example takes is not what these tests are about.
hypothesis.settings.register_profile("packyard", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("packyard")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Files are no names: long, and not the same in every process where one holds the time."""
    return argname if isinstance(val, bytes) and len(val) > 40 else None


@pytest.fixture(autouse=True)
def blockbuster() -> Iterator[BlockBuster]:
    """No blocking call of ours in a running loop, but for the reads that are meant to be there."""
    with blockbuster_ctx(["registry", "protocols", "storage", "upstreams"]) as detector:
        for name in ("sqlite3.Connection.execute", "sqlite3.Cursor.fetchone", "sqlite3.Cursor.fetchall"):
            if name in detector.functions:
                detector.functions[name].can_block_in("storage/metadata/sqlite.py", {"glance", "epoch"})
        # asyncpg looks for certificates and a password file whenever it connects, which is seldom.
        for function in detector.functions.values():
            function.can_block_in("storage/metadata/postgres_link.py", {"connect"})
        # The socket does not block, and the file's bytes were seen in the page cache just before.
        detector.functions["os.sendfile"].can_block_in("registry/web/sendfile.py", {"_send"})
        # Making an S3 client reads its models and the profile; that is done before anything is served.
        for function in detector.functions.values():
            function.can_block_in("storage/blobs/s3_bucket.py", {"_connected"})
        yield detector


@pytest.fixture(params=engines.NAMES)
def engine(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """Settings of a server for each pair of engines (see tests/engines.py)."""
    with engines.settings(request.param) as settings:
        yield settings


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Server]:
    """A server without domains."""
    with Server(tmp_path / "data") as server:
        yield server


@pytest.fixture
def server(empty: Server) -> Server:
    """A server with domain `dom` and repository `repo`."""
    return empty.make("dom", "repo")


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """`front`: domain `dom`, `repo` above one `{format}-store` each, whose connection leads to `back`.

    `back`: domain `pub`, repository `main`.
    """
    with Server(tmp_path / "back") as back:
        back.make("pub", "main")
        addresses = {
            name: back.endpoint(format, "main", "pub", token=back.token("pub")) for format, name in PUBLIC.items()
        }
        with Server(tmp_path / "front", connections=addresses) as front:
            stores = [f"{format}-store" for format in PUBLIC]
            front.make("dom", *stores, "repo")
            client = front.boto()
            for format, name in PUBLIC.items():
                client.associate_external_connection(
                    domain="dom", repository=f"{format}-store", externalConnection=name
                )
            front.make("dom", repo=stores)
            yield Pair(front, back, addresses)
