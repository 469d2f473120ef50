"""The drivers that the conformance suites run on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.blobs.filesystem import FileBlobs
from storage.blobs.memory import MemoryBlobs
from storage.metadata.sqlite import SQLiteStore
from tests.contracts.make import HandClock

pytest.register_assert_rewrite("tests.contracts.blobs", "tests.contracts.store", "tests.contracts.tables")

BLOBS = ("file", "memory")
STORES = ("sqlite",)


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
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    driver = SQLiteStore(tmp_path / "packyard.db")
    await driver.open()
    yield driver
    await driver.close()
