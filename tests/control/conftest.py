"""A control plane in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.control.plane import Plane, start


@pytest.fixture
async def bare(tmp_path: Path) -> AsyncIterator[Plane]:
    """Without any domain."""
    async for plane in start(tmp_path):
        yield plane


@pytest.fixture
async def plane(bare: Plane) -> Plane:
    """With the domain `dom` and its repository `repo`."""
    await bare.call("CreateDomain", domain="dom")
    await bare.call("CreateRepository", domain="dom", repository="repo")
    return bare
