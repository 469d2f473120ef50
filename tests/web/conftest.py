"""One server for all tests of this folder that do not need their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness import Server
from tests.web.raw import Raw

ROOT = "/generic/d/dom-111122223333/repo/"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with domain `dom` and repository `repo`, for a whole module: use names of your own."""
    with Server(tmp_path_factory.mktemp("shared")) as server:
        server.make("dom", "repo")
        server.token("dom")
        yield server


@pytest.fixture
def dial() -> Iterator[Callable[[Server], Raw]]:
    """Opens raw connections and closes them after the test."""
    opened: list[Raw] = []

    def dial(server: Server) -> Raw:
        opened.append(Raw(server))
        return opened[-1]

    yield dial
    for each in opened:
        each.close()


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[Server]:
    """A server whose time limits are one second."""
    limits = {"header_timeout": 1, "body_timeout": 1, "idle_timeout": 1, "write_timeout": 1}
    with Server(tmp_path / "impatient", settings={"server": limits}) as server:
        yield server.make("dom", "repo")
