"""Fixtures: a wire, and a world beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.upstreams.wire import Wire
from tests.upstreams.world import World, world_at


@pytest_asyncio.fixture
async def wire() -> AsyncIterator[Wire]:
    wire = Wire()
    await wire.start()
    yield wire
    await wire.stop()


@pytest_asyncio.fixture
async def world(tmp_path: Path, wire: Wire) -> AsyncIterator[World]:
    async with world_at(tmp_path, wire) as world:
        yield world
