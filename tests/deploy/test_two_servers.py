"""Two servers behind the shipped nginx file, on one PostgreSQL and one bucket: real processes, real clients."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest

from tests import bucket, postgres
from tests.bench.processes import free_port
from tests.clients.sandbox import Home, tool
from tests.deploy.site import Node, client, environment, nginx
from tests.harness import ACCOUNT
from tests.samples import pypi as python_samples
from tests.samples.pypi import Project

pytestmark = pytest.mark.slow

MASTER = "5a" * 32


@dataclass
class Site:
    address: str
    nodes: list[Node]
    settings: dict[str, Any]
    environ: dict[str, str]
    stack: ExitStack

    def keep(self, node: Node) -> None:
        """Start it, for whatever test comes next."""
        self.stack.enter_context(node.started())

    @cached_property
    def aws(self) -> Any:
        return client(self.address)

    @cached_property
    def token(self) -> str:
        return str(self.aws.get_authorization_token(domain="dom")["authorizationToken"])

    def endpoint(self, format: str, address: str = "") -> str:
        return f"{address or self.address}/{format}/d/dom-{ACCOUNT}/repo/"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    database = postgres.shared().database()
    store = {"database": database, "blobs": bucket.shared().place()}
    environ = environment(
        PACKYARD_MASTER_KEY=MASTER,
        PACKYARD_STORAGE_DATABASE=database,
        PACKYARD_STORAGE_BLOBS=store["blobs"],
        PACKYARD_STORAGE_DATABASE_CONNECTIONS="4",
        **bucket.shared().environment,
    )
    nodes = []
    with ExitStack() as stack:
        for name in ("one", "two"):
            home = folder / name
            home.mkdir()
            node = Node(home, environ, free_port(), ("--data", str(home / "data")))
            nodes.append(stack.enter_context(node.started()))
        places = {f"packyard-{number}:8080": f"127.0.0.1:{node.port}" for number, node in enumerate(nodes, 1)}
        address = stack.enter_context(nginx(folder, "packyard.conf", places))
        site = Site(address, nodes, {"storage": {**store, "data": str(folder / "one" / "data")}}, environ, stack)
        site.aws.create_domain(domain="dom")
        site.aws.create_repository(domain="dom", repository="repo")
        yield site
    postgres.shared().drop(database)


def publish(aws: Any, package: str, version: str, body: bytes) -> dict[str, Any]:
    done: dict[str, Any] = aws.publish_package_version(
        domain="dom", repository="repo", format="generic", namespace="ns", package=package, packageVersion=version,
        assetName="a.bin", assetContent=body, assetSHA256=hashlib.sha256(body).hexdigest(),
    )  # fmt: skip
    return done


def fetch(site: Site, package: str, version: str, address: str = "") -> bytes:
    target = site.endpoint("generic", address) + f"ns/{package}/{version}/a.bin"
    request = urllib.request.Request(target, headers={"Authorization": f"Bearer {site.token}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return bytes(answer.read())


def test_what_one_acknowledged_the_other_serves_at_once(site: Site):
    for number in range(6):
        body = os.urandom(1000 if number % 2 else 200_000)
        writer, reader = site.nodes[number % 2], site.nodes[1 - number % 2]
        publish(writer.aws, "seen", f"1.{number}", body)

        assert fetch(site, "seen", f"1.{number}", reader.url) == body


def test_of_two_that_publish_the_same_version_at_once_one_wins_whole(site: Site):
    outcomes: dict[str, list[bytes]] = {"won": [], "lost": []}

    def attempt(node: Node, body: bytes) -> None:
        try:
            publish(node.aws, "race", "1.0", body)
        except botocore.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "ConflictException"
            outcomes["lost"].append(body)
        else:
            outcomes["won"].append(body)

    bodies = [b"first" * 50_000, b"other" * 50_000]
    threads = [threading.Thread(target=attempt, args=each) for each in zip(site.nodes, bodies, strict=True)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert (len(outcomes["won"]), len(outcomes["lost"])) == (1, 1)
    assert [fetch(site, "race", "1.0", node.url) for node in site.nodes] == outcomes["won"] * 2


@pytest.mark.clients
def test_npm_publishes_and_installs_through_the_proxy(site: Site, tmp_path: Path):
    npm = tool("npm11/node_modules/.bin/npm", or_path="npm")
    home = Home(tmp_path / "home")
    endpoint = site.endpoint("npm")
    lines = [
        f"registry={endpoint}",
        f"{endpoint.removeprefix('http:')}:_authToken={site.token}",
        "fund=false",
        "audit=false",
    ]
    (home.folder / ".npmrc").write_text("\n".join(lines) + "\n")
    package = home.work / "package"
    package.mkdir()
    (package / "package.json").write_text(json.dumps({"name": "behind-nginx", "version": "1.0.0"}))
    (package / "big.bin").write_bytes(os.urandom(300_000))
    project = home.work / "project"
    project.mkdir()
    (project / "package.json").write_text(json.dumps({"name": "project", "version": "1.0.0"}))

    home.run([npm, "publish"], cwd=package)
    home.run([npm, "install", "behind-nginx"], cwd=project)

    installed = project / "node_modules" / "behind-nginx" / "big.bin"
    assert installed.read_bytes() == (package / "big.bin").read_bytes()
    lock = json.loads((project / "package-lock.json").read_text())
    assert lock["packages"]["node_modules/behind-nginx"]["resolved"].startswith(site.address)


@pytest.mark.clients
def test_pip_installs_through_the_proxy_what_twine_published(site: Site, tmp_path: Path):
    pip, twine = tool("py/bin/pip"), tool("py/bin/twine")
    home = Home(
        tmp_path / "home", {"PIP_CONFIG_FILE": "/dev/null", "TWINE_USERNAME": "aws", "TWINE_PASSWORD": site.token}
    )
    name, body = python_samples.wheel(Project("behind-nginx", "1.0"))
    wheel = home.work / name
    wheel.write_bytes(body)
    index = site.endpoint("pypi").replace("http://", f"http://aws:{site.token}@") + "simple/"

    home.run([twine, "upload", "--non-interactive", "--repository-url", site.endpoint("pypi"), str(wheel)])
    home.run([pip, "install", "--no-deps", "--target", "there", "--index-url", index, "behind-nginx==1.0"])

    assert (home.work / "there" / "behind_nginx").is_dir()


def test_a_server_that_is_killed_while_it_uploads_leaves_a_sound_store_and_the_other_goes_on(site: Site):
    victim, other = site.nodes
    acknowledged: dict[str, bytes] = {}
    ended = threading.Event()

    aws = victim.aws

    def work(number: int) -> None:
        count = 0
        while not ended.is_set():
            version, body = f"{number}.{count}", os.urandom(9 * 1024 * 1024 if count % 3 == 2 else 50_000)
            count += 1
            try:
                publish(aws, "killed", version, body)
            except botocore.exceptions.BotoCoreError:
                return
            acknowledged[version] = body

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for each in threads:
        each.start()
    while len(acknowledged) < 5 and any(each.is_alive() for each in threads):
        ended.wait(0.01)
    victim.kill()
    ended.set()
    for each in threads:
        each.join()

    assert len(acknowledged) >= 5
    for version, body in acknowledged.items():
        assert fetch(site, "killed", version) == body
    publish(site.aws, "killed", "after", b"goes on")
    assert fetch(site, "killed", "after", other.url) == b"goes on"
    assert _sound(site)
    site.keep(victim)
    assert fetch(site, "killed", "after", victim.url) == b"goes on"


def _sound(site: Site) -> bool:
    """`packyard check`, as an administrator would run it."""
    done = subprocess.run(
        [sys.executable, "-m", "registry", "check", "--data", site.settings["storage"]["data"]],
        env={**os.environ, **site.environ},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return " 0 faults" in done.stdout
