"""A registry without wires."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.core.house import House, opened


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """One domain, one administrator, nothing in it."""
    async with opened(tmp_path) as house:
        yield house
