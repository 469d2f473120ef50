"""Several processes on one port, on each pair of engines: whichever answers, it is the same registry."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests import engines, postgres
from tests.bench.processes import free_port, process
from tests.chains.public import PublicNpm
from tests.harness import ACCESS_KEY, ACCOUNT, SECRET_KEY, basic
from tests.samples import npm

PACKYARD = str(Path(sys.executable).parent / "packyard")


@dataclass
class Worker:
    """A connection that leads to one of the processes; `name` is that process's."""

    url: str
    connection: http.client.HTTPConnection
    name: str = ""

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Any:
        """(status, headers, body)."""
        self.connection.request(method, path, body=body, headers=headers or {})
        answer = self.connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        self.name = found["x-request-id"][:24]
        return answer.status, found, answer.read()


@dataclass
class Crew:
    """A server of two processes."""

    url: str
    pid: int
    public: PublicNpm
    folder: Path
    environ: dict[str, str]
    workers: list[Worker] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def aws(self, service: str = "codeartifact", key: str = ACCESS_KEY, secret: str = SECRET_KEY) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-west-2",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            config=Config(retries={"max_attempts": 0}),
        )

    def repository(self) -> str:
        name = f"repo{next(self._numbers)}"
        self.aws().create_repository(domain="dom", repository=name)
        return name

    def connect(self) -> Worker:
        worker = Worker(self.url, http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=30))
        worker.ask("GET", "/healthz")
        return worker

    def pair(self) -> tuple[Worker, Worker]:
        """Connections to the two processes."""
        while len({worker.name for worker in self.workers}) < 2:
            self.workers.append(self.connect())
            assert len(self.workers) < 200, "only one process answers"
        by_name = {worker.name: worker for worker in self.workers}
        first, second = by_name.values()
        return first, second


@pytest.fixture(scope="module", params=engines.NAMES)
def crew(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    folder = tmp_path_factory.mktemp("crew")
    port = free_port()
    with engines.settings(request.param) as settings, PublicNpm() as public:
        environ = {
            "PACKYARD_ADMIN_ACCESS_KEY_ID": ACCESS_KEY,
            "PACKYARD_ADMIN_SECRET_ACCESS_KEY": SECRET_KEY,
            "PACKYARD_SERVER_WORKERS": "2",
            "PACKYARD_CONNECTIONS": f'{{"public:npmjs" = "{public.base}"}}',
            **engines.environ(settings),
        }
        command = [PACKYARD, "serve", "--port", str(port), "--data", str(folder / "data")]
        with process("crew", command, f"http://127.0.0.1:{port}", cwd=folder, env=environ, ready="/readyz") as server:
            crew = Crew(server.url, server.popen.pid, public, folder, environ)
            crew.aws().create_domain(domain="dom")
            yield crew
            for worker in crew.workers:
                worker.connection.close()


def token(crew: Crew) -> str:
    return str(crew.aws().get_authorization_token(domain="dom")["authorizationToken"])


def path(repository: str, rest: str) -> str:
    return f"/npm/d/dom-{ACCOUNT}/{repository}/{rest}"


def publish(worker: Worker, repository: str, credentials: dict[str, str], package: npm.Publish) -> int:
    body = package.body()
    headers = {**credentials, "Content-Type": "application/json"}
    status: int = worker.ask("PUT", path(repository, package.name), body, headers)[0]
    return status


def together(*work: Callable[[], Any]) -> list[Any]:
    """Run all at the same moment, each in a thread."""
    barrier = threading.Barrier(len(work))

    def run(each: Callable[[], Any]) -> Any:
        barrier.wait()
        return each()

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(run, work))


def test_what_one_process_has_acknowledged_the_other_has(crew: Crew) -> None:
    repository, credentials = crew.repository(), {"Authorization": basic(token(crew))}
    pair = crew.pair()
    seen = []

    for number in range(12):
        writer, reader = pair[number % 2], pair[1 - number % 2]
        assert publish(writer, repository, credentials, npm.Publish("left", f"1.{number}.0")) < 300
        for worker in (reader, writer, reader):
            status, _, body = worker.ask("GET", path(repository, "left"), None, credentials)
            seen.append((status, len(json.loads(body)["versions"])))

    assert pair[0].name != pair[1].name
    assert seen == [(200, number + 1) for number in range(12) for _ in range(3)]


def test_of_two_who_publish_one_version_one_wins_whole_and_the_other_hears_of_a_conflict(crew: Crew) -> None:
    repository, credentials = crew.repository(), {"Authorization": basic(token(crew))}
    pair = crew.pair()
    outcomes = []

    for number in range(8):
        drafts = [npm.Publish("left", f"1.{number}.0", readme=text, manifest={"who": text}) for text in ("one", "two")]
        statuses = together(
            lambda drafts=drafts: publish(pair[0], repository, credentials, drafts[0]),
            lambda drafts=drafts: publish(pair[1], repository, credentials, drafts[1]),
        )
        winner = drafts[0 if statuses[0] < 300 else 1]
        found = json.loads(pair[number % 2].ask("GET", path(repository, "left"), None, credentials)[2])
        held = found["versions"][winner.version]
        file = pair[0].ask("GET", path(repository, f"left/-/{winner.key}"), None, credentials)[2]
        outcomes.append((sorted(statuses)[1], held["who"] == winner.manifest["who"], file == winner.tgz))
        assert min(statuses) < 300

    assert {outcome[0] for outcome in outcomes} == {409}
    assert all(whole and file for _, whole, file in outcomes)


def test_the_same_bytes_may_be_published_by_both(crew: Crew) -> None:
    repository = crew.repository()
    credentials = {"Authorization": basic(token(crew))}
    pair = crew.pair()

    for number in range(5):
        target = f"/generic/d/dom-{ACCOUNT}/{repository}/ns/pkg/1.{number}/file.bin"
        statuses = together(
            *[
                lambda worker=worker, target=target: worker.ask("PUT", target, b"same" * 5000, credentials)[0]
                for worker in pair
            ]
        )
        assert all(status < 300 for status in statuses)
        assert pair[0].ask("GET", target, None, credentials)[2] == b"same" * 5000


def test_a_key_or_a_right_that_is_taken_away_is_gone_in_every_process(crew: Crew) -> None:
    iam, repository = crew.aws("iam"), crew.repository()
    iam.create_user(UserName="bob")
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_user_policy(UserName="bob", PolicyName="all", PolicyDocument=json.dumps(allow))
    key = iam.create_access_key(UserName="bob")["AccessKey"]
    bob = crew.aws(key=key["AccessKeyId"], secret=key["SecretAccessKey"])
    his = {"Authorization": basic(bob.get_authorization_token(domain="dom")["authorizationToken"])}
    pair = crew.pair()
    assert publish(pair[0], repository, his, npm.Publish("left")) < 300
    for _ in range(3):
        assert [worker.ask("GET", path(repository, "left"), None, his)[0] for worker in pair] == [200, 200]

    iam.delete_user_policy(UserName="bob", PolicyName="all")
    assert [worker.ask("GET", path(repository, "left"), None, his)[0] for worker in pair] == [403, 403]
    iam.put_user_policy(UserName="bob", PolicyName="all", PolicyDocument=json.dumps(allow))
    assert [worker.ask("GET", path(repository, "left"), None, his)[0] for worker in pair] == [200, 200]
    assert bob.list_domains()["domains"]

    iam.update_access_key(UserName="bob", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    for _ in range(6):  # connections of boto3 may lead to either
        with pytest.raises(ClientError):
            crew.aws(key=key["AccessKeyId"], secret=key["SecretAccessKey"]).list_domains()


def test_what_both_fetch_at_once_is_stored_once(crew: Crew) -> None:
    repository, credentials = crew.repository(), {"Authorization": basic(token(crew))}
    crew.aws().associate_external_connection(domain="dom", repository=repository, externalConnection="public:npmjs")
    body = crew.public.publish("faraway", "1.0.0", ballast=os.urandom(2_000_000))
    target = path(repository, "faraway/-/faraway-1.0.0.tgz")
    pair = crew.pair()

    answers = together(*[lambda worker=worker: worker.ask("GET", target, None, credentials)[2] for worker in pair])
    again = [worker.ask("GET", target, None, credentials)[2] for worker in pair]

    assert all(answer == body for answer in answers + again)
    fetches = [asked for asked in crew.public.wire.asked if asked.path == "/faraway/-/faraway-1.0.0.tgz"]
    assert 1 <= len(fetches) <= 2
    versions = crew.aws().list_package_versions(domain="dom", repository=repository, format="npm", package="faraway")[
        "versions"
    ]
    assert [version["version"] for version in versions] == ["1.0.0"]


def test_a_process_that_is_killed_takes_nothing_acknowledged_along(crew: Crew) -> None:
    repository, credentials = crew.repository(), {"Authorization": basic(token(crew))}
    done: list[int] = []
    stop = threading.Event()

    def load(start: int) -> None:
        worker = crew.connect()
        for number in itertools.count(start, 4):
            if stop.is_set():
                break
            try:
                if publish(worker, repository, credentials, npm.Publish(f"p{number}")) < 300:
                    done.append(number)
            except (OSError, http.client.HTTPException):
                worker.connection.close()
                worker = crew.connect()
        worker.connection.close()

    children = Path(f"/proc/{crew.pid}/task/{crew.pid}/children")
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(load, start) for start in range(4)]
        _until(lambda: len(done) > 10)
        victim = int(children.read_text().split()[0])
        os.kill(victim, signal.SIGKILL)
        _until(lambda: len(children.read_text().split()) == 2 and str(victim) not in children.read_text())
        before = len(done)
        _until(lambda: len(done) > before + 10)
        stop.set()
        for each in running:
            each.result()

    while crew.workers:
        crew.workers.pop().connection.close()
    listed = crew.aws().get_paginator("list_packages").paginate(domain="dom", repository=repository)
    names = {each["package"] for page in listed for each in page["packages"]}
    assert names >= {f"p{number}" for number in done}
    assert len(crew.pair()) == 2


@pytest.mark.slow
def test_one_that_cannot_begin_again_is_tried_again_and_the_others_go_on(tmp_path: Path) -> None:
    """A process dies while the database is away: nobody waits for it, and it is back when the database is."""
    postgres.shared()  # skips where there is none
    cluster = postgres.private()
    url = f"http://127.0.0.1:{free_port()}"
    command = [PACKYARD, "serve", "--port", url.rpartition(":")[2], "--data", str(tmp_path / "data"), "--workers", "2"]
    environ = {"PACKYARD_STORAGE_DATABASE": cluster.database(), "PACKYARD_STORAGE_DATABASE_TIMEOUT": "2"}

    names: set[str] = set()

    def ask(path: str) -> int:
        with contextlib.closing(http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            names.add(str(answer.headers["x-request-id"])[:24])
            return answer.status

    with process("packyard", command, url, cwd=tmp_path, env=environ, ready="/readyz") as server:
        children = Path(f"/proc/{server.popen.pid}/task/{server.popen.pid}/children")
        _until(lambda: ask("/healthz") == 200 and len(names) == 2)
        log = tmp_path / "packyard.log"
        cluster.stop()
        os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
        _until(lambda: log.read_text().count("another takes its place") == 2)

        assert [ask("/healthz") for _ in range(20)] == [200] * 20
        assert {ask("/readyz") for _ in range(5)} == {503}
        cluster.start()
        names.clear()
        _until(lambda: ask("/readyz") == 200 and len(names) == 2)
        assert "The database cannot be used" in log.read_text()

        server.popen.terminate()
        assert server.popen.wait(40) == 0


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "It did not come about"
        time.sleep(0.01)
