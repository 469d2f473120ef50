"""The drivers that the conformance suites run on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from storage.blobs.filesystem import FileBlobs
from storage.blobs.memory import MemoryBlobs
from storage.metadata.postgres import PostgresStore
from storage.metadata.sqlite import SQLiteStore
from tests import postgres
from tests.contracts.make import HandClock

pytest.register_assert_rewrite(
    "tests.contracts.blobs", "tests.contracts.groups", "tests.contracts.store", "tests.contracts.tables"
)

BLOBS = ("file", "memory")
STORES = ("sqlite", "postgres")


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=BLOBS)
async def root(
    request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock
) -> AsyncIterator[FileBlobs | MemoryBlobs]:
    driver = FileBlobs(tmp_path / "blobs", clock) if request.param == "file" else MemoryBlobs(clock)
    await driver.open()
    yield driver
    await driver.close()


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SQLiteStore | PostgresStore]:
    if request.param == "sqlite":
        driver: SQLiteStore | PostgresStore = SQLiteStore(tmp_path / "packyard.db")
    else:
        address = request.getfixturevalue("database")
        await postgres.reset(address)
        driver = PostgresStore(address)
    await driver.open()
    yield driver
    await driver.close()


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The address of a PostgreSQL database, which `postgres.reset` empties between tests."""
    cluster = postgres.shared()
    address = cluster.database()
    yield address
    cluster.drop(address)
