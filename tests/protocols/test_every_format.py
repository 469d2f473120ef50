"""The format suite on every format: a server, and a second one that plays the public registries."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

import pytest

import protocols
from tests.contracts.formats import *  # noqa: F403
from tests.contracts.formats import Stage
from tests.harness import Pair, Server
from tests.samples.base import Sample

SAMPLES: list[Sample] = [import_module(f"tests.samples.{each.info.name}").SAMPLE for each in protocols.FORMATS]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """`front` asks the public registries again at every request."""
    with Server(tmp_path_factory.mktemp("back")) as back:
        back.make("pub", "main")
        addresses = {
            sample.connection: back.endpoint(sample.format, "main", "pub", token=back.token("pub"))
            for sample in SAMPLES
            if sample.connection is not None
        }
        settings = {"upstreams": {"listing_age": 0, "negative_age": 0}, "quotas": {"repositories_per_domain": 10_000}}
        with Server(tmp_path_factory.mktemp("front"), settings=settings, connections=addresses) as front:
            front.make("dom")
            yield Pair(front, back)


@pytest.fixture(params=SAMPLES, ids=lambda sample: sample.format)
def stage(request: pytest.FixtureRequest, servers: Pair) -> Stage:
    return Stage(request.param, servers.front, servers.back)
