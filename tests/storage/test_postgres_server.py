"""A whole server on each pair of engines, and what it answers while its database is away."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from registry import cli
from tests import postgres
from tests.harness import Server, basic
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


def test_requests_sent_ahead_are_answered_in_order_whether_or_not_the_answer_is_kept(
    engine: dict[str, Any], tmp_path: Path
) -> None:
    """While the first one waits to hear whether its answer still holds, others come behind it."""
    with Server(tmp_path / "data", settings=engine) as server:
        server.make("dom", "repo")
        shop = Shop(server, "npm", "repo")
        index = urlsplit(server.endpoint("npm") + npm.SAMPLE.index("left")).path
        file = urlsplit(server.endpoint("npm") + npm.SAMPLE.asset("left", "1.0.0")[1]).path
        head = f"Host: {server.host}\r\nAuthorization: {basic(server.token())}\r\n\r\n"
        asks = [f"GET {path} HTTP/1.1\r\n{head}".encode() for path in (index, file, index, index + "/1.0.0")]
        assert npm.SAMPLE.publish(shop, "left", "1.0.0").status < 300
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            stream = connection.makefile("rb")

            def ahead() -> list[bytes]:
                connection.sendall(b"".join(asks))
                return [body() for _ in asks]

            def body() -> bytes:
                assert stream.readline() == b"HTTP/1.1 200 OK\r\n"
                return stream.read(int(http.client.parse_headers(stream)["content-length"]))

            with stream:
                first = ahead()
                for number in range(1, 6):
                    assert ahead() == first
                    assert npm.SAMPLE.publish(shop, "left", f"1.{number}.0").status < 300
                    now = ahead()
                    assert f'"1.{number}.0"'.encode() in now[0]
                    assert now[0] == now[2]
                    assert [now[1], now[3]] == [first[1], first[3]]
                    first = now


@pytest.fixture(scope="module")
def cluster() -> postgres.Cluster:
    """A server of one's own, which may be stopped."""
    postgres.shared()
    return postgres.private()


@pytest.fixture
def server(cluster: postgres.Cluster, tmp_path: Path) -> Iterator[Server]:
    settings = {"storage": {"database": cluster.database(), "database_connections": 4, "database_timeout": 2}}
    with Server(tmp_path / "data", settings=settings) as server:
        yield server.make("dom", "repo")
    cluster.revive()


def test_while_the_database_is_away_everything_is_503_and_then_it_is_as_it_was(
    server: Server, cluster: postgres.Cluster
) -> None:
    shop = Shop(server, "npm", "repo")
    assert npm.SAMPLE.publish(shop, "left").status < 300
    index, file = npm.SAMPLE.index("left"), npm.SAMPLE.asset("left")[1]
    before = [shop("GET", path) for path in (index, file) for _ in range(3)][1::3]
    api = server.boto()
    token = server.token("dom")
    cluster.stop()

    answers = [
        *[shop("GET", path) for path in (index, file, "-/ping") for _ in range(3)],
        *[server.get(server.endpoint(format) + "x/", token=token) for format in ("generic", "pypi", "maven")],
        npm.SAMPLE.publish(shop, "right"),
        server.get("/readyz"),
    ]
    with pytest.raises(api.exceptions.ClientError) as failure:
        api.list_domains()

    said = failure.value.response["ResponseMetadata"]
    assert {answer.status for answer in answers} == {503}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers)
    assert said["HTTPStatusCode"] in (500, 503)
    assert int(said["HTTPHeaders"]["retry-after"]) >= 1
    assert server.get("/healthz").status == 200

    cluster.start()
    _until(lambda: server.get("/readyz").status == 200)
    assert [shop("GET", path).body for path in (index, file)] == [answer.body for answer in before]
    assert npm.SAMPLE.publish(shop, "right").status < 300
    assert shop("GET", npm.SAMPLE.index("right")).status == 200


def test_a_restart_under_load_loses_nothing_acknowledged_and_answers_nothing_wrong(
    server: Server, cluster: postgres.Cluster
) -> None:
    shop = Shop(server, "npm", "repo")
    assert npm.SAMPLE.publish(shop, "left").status < 300
    published: list[str] = []
    wrong: list[int] = []
    stop = threading.Event()

    def writing(word: str) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            status = npm.SAMPLE.publish(shop, word, f"1.{number}.0").status
            if status < 300:
                published.append(f"{word} 1.{number}.0")
            elif status != 503:
                wrong.append(status)

    def reading() -> None:
        while not stop.is_set():
            answer = shop("GET", npm.SAMPLE.index("left"))
            if answer.status != 503 and npm.SAMPLE.versions(answer, "left") != {"1.0.0"}:
                wrong.append(answer.status)

    threads = [threading.Thread(target=writing, args=(word,)) for word in ("ape", "bee")]
    threads.append(threading.Thread(target=reading))
    for thread in threads:
        thread.start()
    _until(lambda: len(published) > 4)
    cluster.restart()
    before = len(published)
    _until(lambda: len(published) > before + 4)
    stop.set()
    for thread in threads:
        thread.join()

    found = {
        f"{word} {version}"
        for word in ("ape", "bee")
        for version in npm.SAMPLE.versions(shop("GET", npm.SAMPLE.index(word)), word)
    }
    assert not wrong
    assert found >= set(published)


def test_commands_work_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    cluster = postgres.shared()
    address = cluster.database(empty=True)
    monkeypatch.setenv("PACKYARD_STORAGE_DATABASE", address)

    for words in (["migrate"], ["sweep", "--dry-run"], ["sweep"], ["check"]):
        assert cli.main([*words, "--data", str(tmp_path / "data")]) == 0, words
    assert capsys.readouterr().out.splitlines()[-1].startswith("0 files, 0 bytes: 0 faults")
    assert cluster.sql("select count(*) > 0 from migration", address) == [["t"]]
    cluster.drop(address)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_database_that_cannot_be_used_is_one_line_without_its_password(workers: str, tmp_path: Path) -> None:
    cluster = postgres.shared()
    address = cluster.address("postgres", password="not-the-secret")
    command = [str(Path(sys.executable).parent / "packyard"), "serve", "--port", "0", "--data", str(tmp_path / "data")]

    done = subprocess.run(
        [*command, "--workers", workers],
        env={**os.environ, "PACKYARD_STORAGE_DATABASE": address},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert len(lines) == 1
    assert lines[0].startswith("packyard: ")
    assert "password authentication failed" in lines[0]
    assert "not-the-secret" not in done.stdout + done.stderr


def _until(true: Any) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "It did not come about"
        time.sleep(0.01)
