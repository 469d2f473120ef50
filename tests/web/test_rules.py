"""The tests' own rule: nothing of ours blocks the loop."""

from __future__ import annotations

from pathlib import Path

import pytest
from blockbuster import BlockingError

from registry import config


async def test_a_blocking_call_of_ours_in_the_loop_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "packyard.toml").write_text("")

    with pytest.raises(BlockingError):
        config.load(tmp_path / "packyard.toml", {})
