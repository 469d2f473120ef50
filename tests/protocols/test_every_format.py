"""The format suite on every format, on SQLite and files and on PostgreSQL and a bucket.

For each pair of engines a server, and a second one that plays the public registries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import protocols
from tests import bucket, engines
from tests.contracts.formats import *  # noqa: F403
from tests.contracts.formats import Stage
from tests.harness import Pair, Server
from tests.samples.base import Sample

SAMPLES: list[Sample] = [import_module(f"tests.samples.{each.info.name}").SAMPLE for each in protocols.FORMATS]
EMBEDDED, APART = "sqlite", "postgres"
CASES = [
    pytest.param((sample, engine), id=f"{sample.format}-{engine}") for sample in SAMPLES for engine in (EMBEDDED, APART)
]
SETTINGS = {"upstreams": {"listing_age": 0, "negative_age": 0}, "quotas": {"repositories_per_domain": 10_000}}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Pair]]:
    """Each is started when it is first asked for.  `front` asks the public registries again at every request."""
    made: dict[str, Pair] = {}
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())

        def start(folder: Path, storage: dict[str, Any], **more: Any) -> Server:
            return stack.enter_context(Server(folder, settings={**SETTINGS, "storage": storage}, **more))

        def pair(engine: str) -> Pair:
            if engine not in made:
                storage = dict(stack.enter_context(engines.settings(engine)).get("storage", {}))
                if engine == APART:
                    for name, value in bucket.shared().environment.items():
                        patch.setenv(name, value)
                    storage["blobs"] = bucket.shared().place()
                back = start(tmp_path_factory.mktemp("back"), {}).make("pub", "main")
                addresses = {
                    sample.connection: back.endpoint(sample.format, "main", "pub", token=back.token("pub"))
                    for sample in SAMPLES
                    if sample.connection is not None
                }
                front = start(tmp_path_factory.mktemp("front"), storage, connections=addresses).make("dom")
                made[engine] = Pair(front, back)
            return made[engine]

        yield pair


@pytest.fixture(params=CASES)
def stage(request: pytest.FixtureRequest, pairs: Callable[[str], Pair]) -> Stage:
    sample, engine = request.param
    pair = pairs(engine)
    return Stage(sample, pair.front, pair.back)
