"""nginx sends what is stored on disk itself: X-Accel-Redirect, with the shipped file and the real nginx."""

from __future__ import annotations

import hashlib
import http.client
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deploy.site import nginx
from tests.harness import Answer, Server

BIG = os.urandom(1024 * 1024)
PATH = "/generic/d/dom-111122223333/repo/ns/tool/1.0/tool.bin"


@dataclass
class Site:
    server: Server
    address: str

    def ask(self, path: str = PATH, method: str = "GET", *, direct: bool = False, **headers: str) -> Answer:
        host = self.server.host if direct else self.address.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=30)
        try:
            token = {"authorization": f"Bearer {self.server.token()}"} if "authorization" not in headers else {}
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers={**token, **given})
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("nginx")
    settings = {"server": {"accel_redirect": "/packyard-files/"}}
    with Server(folder / "data", settings=settings) as server:
        server.make("dom", "repo")
        for version, body in {"1.0": BIG, "logged": BIG, "2.0": b"small"}.items():
            server.boto().publish_package_version(
                domain="dom", repository="repo", format="generic", namespace="ns", package="tool",
                packageVersion=version, assetName="tool.bin", assetContent=body,
                assetSHA256=hashlib.sha256(body).hexdigest(),
            )  # fmt: skip
        changes = {"127.0.0.1:8080": server.host, "/var/lib/packyard/blobs/": f"{folder / 'data' / 'blobs'}/"}
        with nginx(folder, "files.conf", changes) as address:
            yield Site(server, address)


def test_a_large_file_comes_from_nginx_with_our_headers(site: Site):
    through, plain = site.ask(), site.ask(direct=True)

    assert through.status == 200
    assert through.body == plain.body == BIG
    for name in ("etag", "content-type", "cache-control", "content-length", "accept-ranges"):
        assert through.headers[name] == plain.headers[name], name
    assert "x-accel-redirect" not in through.headers
    assert "x-accel-redirect" not in plain.headers


def test_the_bytes_do_not_pass_through_the_server(site: Site):
    path = PATH.replace("1.0", "logged")
    site.ask(path)

    until, found = time.monotonic() + 10, None
    while found is None and time.monotonic() < until:  # the log is written some moments later
        found = next((each for each in site.server.records() if each["path"] == path), None)
        time.sleep(0.05)
    assert found is not None
    assert (found["status"], found["bytes"]) == (200, 0)


def test_a_part_a_head_and_a_known_etag(site: Site):
    whole = site.ask()
    part = site.ask(range="bytes=1000-1999")
    head = site.ask(method="HEAD")
    known = site.ask(if_none_match=whole.headers["etag"])

    assert (part.status, part.body) == (206, BIG[1000:2000])
    assert part.headers["content-range"] == f"bytes 1000-1999/{len(BIG)}"
    assert (head.status, head.headers["content-length"], head.body) == (200, str(len(BIG)), b"")
    assert (known.status, known.body) == (304, b"")


def test_a_small_file_comes_from_the_server_at_once(site: Site):
    assert site.ask(PATH.replace("1.0", "2.0")).body == b"small"


def test_nobody_reaches_a_file_without_the_server(site: Site):
    (stored,) = (site.server.data / "blobs").glob(f"*/*/{hashlib.sha256(BIG).hexdigest()}.*")
    place = "/packyard-files/" + stored.relative_to(site.server.data / "blobs").as_posix()

    assert site.ask(place).status == 404
    assert site.ask(authorization="Bearer wrong").status == 401


def test_who_comes_without_the_proxy_gets_the_bytes_from_the_server(site: Site):
    answer = site.ask(direct=True)

    assert answer.body == BIG
    assert Path(site.server.data).exists()
