"""Ends of the server: killed while it fetches, told to stop while a client downloads slowly, started over leftovers."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.bench.processes import free_port, process
from tests.chains.public import PublicNpm
from tests.harness import ACCESS_KEY, ACCOUNT, SECRET_KEY

PACKYARD = str(Path(sys.executable).parent / "packyard")
KEYS = {"PACKYARD_ADMIN_ACCESS_KEY_ID": ACCESS_KEY, "PACKYARD_ADMIN_SECRET_ACCESS_KEY": SECRET_KEY}


@dataclass
class Running:
    url: str
    popen: subprocess.Popen[bytes]
    data: Path
    open: list[Any] = field(default_factory=list)

    @property
    def aws(self) -> Any:
        return boto3.client(
            "codeartifact",
            endpoint_url=self.url,
            region_name="us-west-2",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=Config(retries={"max_attempts": 0}),
        )

    def begin(self, method: str, path: str, body: bytes | None = None) -> http.client.HTTPResponse:
        """The head of an answer; the body is read by whoever asked."""
        token = self.aws.get_authorization_token(domain="dom")["authorizationToken"]
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=30)
        format, _, rest = path.partition("/")
        target = f"/{format}/d/dom-{ACCOUNT}/repo/{rest}"
        connection.request(method, target, body=body, headers={"Authorization": f"Bearer {token}"})
        reply = connection.getresponse()
        self.open += [reply, connection]
        return reply

    def staged(self) -> list[Path]:
        staging = self.data / "blobs" / "staging"
        return [path for path in staging.rglob("*") if path.is_file() and path.parent != staging]


@contextmanager
def running(folder: Path, *, public: str = "", drain: int = 30) -> Iterator[Running]:
    port = free_port()
    environ = {**KEYS, "PACKYARD_SERVER_DRAIN_TIMEOUT": str(drain)}
    if public:
        environ["PACKYARD_CONNECTIONS"] = f'{{"public:npmjs" = "{public}"}}'
    command = [PACKYARD, "serve", "--port", str(port), "--data", str(folder / "data")]
    with process("packyard", command, f"http://127.0.0.1:{port}", cwd=folder, env=environ, ready="/readyz") as server:
        found = Running(server.url, server.popen, folder / "data")
        try:
            yield found
        finally:
            for each in found.open:
                each.close()


def sound(folder: Path) -> bool:
    done = subprocess.run(
        [PACKYARD, "check", "--data", str(folder / "data")], capture_output=True, text=True, check=False
    )
    return done.returncode == 0 and ": 0 faults" in done.stdout


def ready(server: Running) -> None:
    server.aws.create_domain(domain="dom")
    server.aws.create_repository(domain="dom", repository="repo")


@pytest.mark.slow
def test_a_fetch_that_is_killed_leaves_nothing_and_succeeds_later(tmp_path: Path) -> None:
    with PublicNpm() as public:
        body = public.publish("left", "1.0.0", ballast=os.urandom(4_000_000))
        whole = public.wire.answers["/left/-/left-1.0.0.tgz"]
        never = public.event()

        async def stalling() -> Any:
            yield body[:3_000_000]
            await never.wait()

        public.wire.answers["/left/-/left-1.0.0.tgz"] = type(whole)(200, stalling, length=len(body))
        with running(tmp_path, public=public.base) as server:
            ready(server)
            server.aws.associate_external_connection(domain="dom", repository="repo", externalConnection="public:npmjs")
            reply = server.begin("GET", "npm/left/-/left-1.0.0.tgz")
            assert reply.read(1_000_000) == body[:1_000_000]
            assert server.staged()

            os.killpg(server.popen.pid, signal.SIGKILL)
            with pytest.raises((http.client.IncompleteRead, ConnectionError)):
                reply.read()

        public.set(never)
        public.wire.answers["/left/-/left-1.0.0.tgz"] = whole
        with running(tmp_path, public=public.base) as server:
            assert server.staged() == []
            assert server.aws.list_packages(domain="dom", repository="repo")["packages"] == []
            assert server.begin("GET", "npm/left/-/left-1.0.0.tgz").read() == body

    assert sound(tmp_path)


@pytest.mark.slow
def test_a_slow_download_is_finished_before_the_server_ends(tmp_path: Path) -> None:
    body = os.urandom(30_000_000)
    with running(tmp_path) as server:
        ready(server)
        assert server.begin("PUT", "generic/n/p/1/file", body).status == 201
        reply = server.begin("GET", "generic/n/p/1/file")
        got = reply.read(100_000)

        server.popen.send_signal(signal.SIGTERM)
        while len(got) < len(body):
            piece = reply.read(1_000_000)
            assert piece
            got += piece
            time.sleep(0.01)  # a client that takes its time

        assert got == body
        assert server.popen.wait(20) == 0


@pytest.mark.slow
def test_a_client_that_takes_nothing_does_not_keep_the_server_from_ending(tmp_path: Path) -> None:
    with running(tmp_path, drain=2) as server:
        ready(server)
        assert server.begin("PUT", "generic/n/p/1/file", bytes(60_000_000)).status == 201
        reply = server.begin("GET", "generic/n/p/1/file")
        reply.read(1000)

        started = time.monotonic()
        server.popen.send_signal(signal.SIGTERM)

        assert server.popen.wait(20) == 0
        assert time.monotonic() - started < 15
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            reply.read()
