"""Retained releases follow their registry: yanked marks, further files (guide, "Yanked package versions")."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Pair, Server
from tests.samples import pypi as samples
from tests.samples.pypi import Project

JSON = "application/vnd.pypi.simple.v1+json"
WHEEL = "sample_pkg-1.0.0-py3-none-any.whl"


@pytest.fixture
def eager(tmp_path: Path) -> Iterator[Pair]:
    """`front` asks its connection again at every request; `repo` -> `middle` -> `store` -> `back`."""
    with Server(tmp_path / "back") as back:
        back.make("pub", "main")
        address = back.endpoint("pypi", "main", "pub", token=back.token("pub"))
        settings = {"upstreams": {"listing_age": 0, "negative_age": 0}}
        with Server(tmp_path / "front", settings=settings, connections={"public:pypi": address}) as front:
            front.make("dom", "store", "middle", "repo", middle=["store"], repo=["middle"])
            front.boto().associate_external_connection(
                domain="dom", repository="store", externalConnection="public:pypi"
            )
            yield Pair(front, back)


def publish(server: Server, filename: str, body: bytes, *, repo: str, domain: str) -> int:
    content_type, form = samples.upload(Project(), filename, body)
    headers = {"Content-Type": content_type}
    address = server.endpoint("pypi", repo, domain)
    return server.request("POST", address, body=form, headers=headers, token=server.token(domain)).status


def mark(pair: Pair, query: str) -> None:
    address = pair.back.endpoint("pypi", "main", "pub") + f"simple/sample-pkg/1.0.0/?{query}"
    assert pair.back.request("POST", address, token=pair.back.token("pub")).status == 200


def files(pair: Pair) -> dict[str, Any]:
    address = pair.front.endpoint("pypi") + "simple/sample-pkg/"
    answer = pair.front.get(address, token=pair.front.token(), headers={"Accept": JSON})
    assert answer.status == 200, answer.text
    return {file["filename"]: file for file in answer.json()["files"]}


def fetch(pair: Pair, filename: str) -> bytes:
    address = pair.front.endpoint("pypi") + f"simple/sample-pkg/1.0.0/{filename}"
    answer = pair.front.get(address, token=pair.front.token())
    assert answer.status == 200, answer.text
    asyncio.run_coroutine_threadsafe(pair.front.app.services.resolver.idle(), pair.front.loop).result(20)
    return answer.body


def held(pair: Pair, repo: str) -> set[str]:
    client = pair.front.boto()
    try:
        found = client.list_package_version_assets(
            domain="dom", repository=repo, format="pypi", package="sample-pkg", packageVersion="1.0.0"
        )
    except client.exceptions.ResourceNotFoundException:
        return set()
    return {asset["name"] for asset in found["assets"]}


def test_a_mark_comes_and_goes_with_the_registry(eager: Pair) -> None:
    publish(eager.back, *samples.wheel(Project()), repo="main", domain="pub")
    fetch(eager, WHEEL)

    mark(eager, "yanked=true&reason=broken")
    assert files(eager)[WHEEL]["yanked"] == "broken"
    mark(eager, "yanked=false")
    assert files(eager)[WHEEL]["yanked"] is False

    mark(eager, "yanked=true&reason=again")
    files(eager)
    fetch(eager, WHEEL)
    eager.back.stop()
    assert files(eager)[WHEEL]["yanked"] == "again"


def test_files_that_come_later_join_a_retained_release(eager: Pair) -> None:
    publish(eager.back, *samples.wheel(Project()), repo="main", domain="pub")
    fetch(eager, WHEEL)
    assert (held(eager, "repo"), held(eager, "middle"), held(eager, "store")) == ({WHEEL}, set(), {WHEEL})

    late = samples.wheel(Project(), "cp311-cp311-any")
    publish(eager.back, *late, repo="main", domain="pub")

    assert set(files(eager)) == {WHEEL, late[0]}
    assert fetch(eager, late[0]) == late[1]
    assert held(eager, "repo") == held(eager, "store") == {WHEEL, late[0]}


def test_what_was_published_here_is_not_touched(eager: Pair) -> None:
    publish(eager.front, *samples.sdist(Project()), repo="middle", domain="dom")
    publish(eager.back, *samples.wheel(Project()), repo="main", domain="pub")
    mark(eager, "yanked=true")

    found = files(eager)

    assert set(found) == {"sample_pkg-1.0.0.tar.gz"}
    assert found["sample_pkg-1.0.0.tar.gz"]["yanked"] is False


def test_metadata_in_an_upstream_repository_is_read_without_retaining(eager: Pair) -> None:
    publish(eager.front, *samples.wheel(Project()), repo="middle", domain="dom")

    assert fetch(eager, f"{WHEEL}.metadata") == samples.metadata(Project())

    assert held(eager, "repo") == set()


def test_an_index_without_times_gets_the_time_first_seen(tmp_path: Path) -> None:
    page = b'<!DOCTYPE html><title>Links for sample-pkg</title><a href="/f/sample_pkg-1.0.0-py3-none-any.whl">x</a>'
    with old_index({"/r/simple/sample-pkg/": page, f"/f/{WHEEL}": samples.wheel(Project())[1]}) as address:
        settings = {"upstreams": {"listing_age": 0}}
        with Server(tmp_path, settings=settings, connections={"public:pypi": f"{address}/r/simple/"}) as front:
            front.make("dom", "repo").boto().associate_external_connection(
                domain="dom", repository="repo", externalConnection="public:pypi"
            )
            pair = Pair(front, front)

            first = files(pair)[WHEEL]
            second = files(pair)[WHEEL]
            assert fetch(pair, WHEEL) == samples.wheel(Project())[1]
            stored = files(pair)[WHEEL]

    assert first["upload-time"] == second["upload-time"] == stored["upload-time"]
    assert "size" not in first
    assert first["core-metadata"] is False
    assert stored["size"] == len(samples.wheel(Project())[1])
    assert stored["core-metadata"]["sha256"]


@contextmanager
def old_index(pages: dict[str, bytes]) -> Iterator[str]:
    """A plain web server, as old indexes are; HTML below /r/, files elsewhere."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = pages.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", "text/html" if self.path.startswith("/r/") else "application/octet-stream")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
