"""A pair of servers for each chapter; every test has repositories and names of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chains.town import Town
from tests.harness import Pair, Server


@pytest.fixture(scope="module")
def pair_of_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """`front` asks the public registries again at every request."""
    with Server(tmp_path_factory.mktemp("back")) as back:
        back.make("pub", "main")
        names = {"npm": "public:npmjs", "pypi": "public:pypi"}
        addresses = {
            name: back.endpoint(format, "main", "pub", token=back.token("pub")) for format, name in names.items()
        }
        settings = {"upstreams": {"listing_age": 0, "negative_age": 0}}
        with Server(tmp_path_factory.mktemp("front"), settings=settings, connections=addresses) as front:
            front.make("dom")
            yield Pair(front, back, addresses)


@pytest.fixture
def town(pair_of_servers: Pair) -> Town:
    return Town(pair_of_servers.front, pair_of_servers.back)
