"""A whole server on each pair of engines: what is acknowledged is seen, whatever is kept in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.harness import Server
from tests.samples import npm
from tests.samples.base import Shop


def test_a_publish_is_seen_by_the_next_request(engine: dict[str, Any], tmp_path: Path) -> None:
    with Server(tmp_path / "data", settings=engine) as server:
        server.make("dom", "repo")
        shop = Shop(server, "npm", "repo")
        seen = []
        for number in range(8):
            version = f"1.0.{number}"
            assert npm.SAMPLE.publish(shop, "left", version).status < 300
            for _ in range(3):
                answer = shop("GET", npm.SAMPLE.index("left"))
                seen.append(version in npm.SAMPLE.versions(answer, "left"))

        assert all(seen)
        assert server.get("/readyz").status == 200
