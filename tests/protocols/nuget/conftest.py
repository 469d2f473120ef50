"""One server for all tests of the endpoint, a repository of its own for each."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.harness import Answer, Server
from tests.samples.base import Shop
from tests.samples.nuget import Package, pushed

_numbers = itertools.count()


@dataclass(frozen=True)
class Feed(Shop):
    """A repository, by NuGet's own requests."""

    def push(self, package: Package, resource: str = "v3/package/") -> Answer:
        symbols = "symbol" in resource
        headers, body = pushed(package.snupkg() if symbols else package.nupkg())
        return self("PUT", resource, body, headers)

    def pushes(self, id: str, *versions: str) -> None:
        for version in versions:
            answer = self.push(Package(id, version))
            assert answer.status == 201, answer.text

    def get(self, path: str, **headers: str) -> Answer:
        return self(
            "GET", path.removeprefix(self.endpoint), headers={n.replace("_", "-"): v for n, v in headers.items()}
        )

    def json(self, path: str) -> Any:
        answer = self.get(path)
        assert answer.status == 200, (path, answer.status, answer.text)
        return answer.json()

    def versions(self, id: str) -> list[str]:
        found: list[str] = self.json(f"v3/flat/{id}/index.json")["versions"]
        return found

    def at(self, package: str, **more: Any) -> dict[str, Any]:
        return {"domain": "dom", "repository": self.repo, "format": "nuget", "package": package, **more}

    def status(self, package: str, target: str, *versions: str) -> None:
        self.server.boto().update_package_versions_status(
            **self.at(package), versions=list(versions), targetStatus=target
        )

    def walk(self) -> dict[str, Answer]:
        """Every document and file that can be reached from the service index and the packages searched for."""
        seen: dict[str, Answer] = {}
        todo = [f"{self.endpoint}v3/index.json", f"{self.endpoint}v3/query?prerelease=true&semVerLevel=2.0.0&take=99"]
        while todo:
            url = todo.pop()
            if url in seen or "{" in url:
                continue
            seen[url] = answer = self.get(url)
            if "json" in answer.headers.get("content-type", "") and not url.endswith("v3/index.json"):
                todo += re.findall(rf'"({re.escape(self.endpoint)}[^"]+)"', answer.text)
        return seen


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"quotas": {"repositories_per_domain": 10_000}}
    with Server(tmp_path_factory.mktemp("data"), settings=settings) as server:
        yield server.make("dom")


@pytest.fixture
def feed(running: Server) -> Feed:
    name = f"repo-{next(_numbers)}"
    running.make("dom", name)
    return Feed(running, "nuget", name)
