"""The public registries themselves, through a fresh Packyard: express and requests, then again with the line cut."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.sandbox import Home, tool
from tests.harness import Server

pytestmark = [pytest.mark.live, pytest.mark.clients, pytest.mark.slow]


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Server]:
    """`repo` above npm-store and pypi-store, whose connections are the built-in ones."""
    with Server(tmp_path / "data") as server:
        server.make("dom", "npm-store", "pypi-store", "repo", repo=["npm-store", "pypi-store"])
        for store, name in (("npm-store", "public:npmjs"), ("pypi-store", "public:pypi")):
            server.boto().associate_external_connection(domain="dom", repository=store, externalConnection=name)
        yield server


def _answers(server: Server, path: str) -> bool:
    """Is the public registry there at all?  Otherwise the test has nothing to say."""
    return server.get(path, token=server.token()).status == 200


def _cut(server: Server, store: str, name: str) -> None:
    server.boto().disassociate_external_connection(domain="dom", repository=store, externalConnection=name)


def test_express_installs_and_installs_again_with_the_connection_cut(live: Server, tmp_path: Path) -> None:
    npm = tool("npm11/node_modules/.bin/npm", or_path="npm")
    if not _answers(live, live.endpoint("npm") + "ms"):
        pytest.skip("the npm registry does not answer")

    _install_express(npm, Home(tmp_path / "first"), live)
    _cut(live, "npm-store", "public:npmjs")
    _install_express(npm, Home(tmp_path / "second"), live)

    names = {p["package"] for p in live.boto().list_packages(domain="dom", repository="repo")["packages"]}
    assert {"express", "debug", "ms"} <= names


def _install_express(npm: str, home: Home, server: Server) -> None:
    endpoint = server.endpoint("npm")
    address = endpoint.removeprefix("http:")
    (home.folder / ".npmrc").write_text(
        f"registry={endpoint}\n{address}:_authToken={server.token()}\naudit=false\nfund=false\n"
    )
    (home.work / "package.json").write_text('{"name":"app","version":"1.0.0"}')

    home.run([npm, "install", "express@4", "--cache", str(home.folder / "cache")])

    lock = json.loads((home.work / "package-lock.json").read_text())
    assert all(p["resolved"].startswith(endpoint) for name, p in lock["packages"].items() if name)
    home.run(["node", "-e", "require('express')()"])


def test_requests_installs_and_installs_again_with_the_connection_cut(live: Server, tmp_path: Path) -> None:
    python = tool("py/bin/python")
    if not _answers(live, live.endpoint("pypi") + "simple/requests/"):
        pytest.skip("the Python package index does not answer")

    _install_requests(python, Home(tmp_path / "first"), live)
    _cut(live, "pypi-store", "public:pypi")
    _install_requests(python, Home(tmp_path / "second"), live)


def _install_requests(python: str, home: Home, server: Server) -> None:
    index = server.endpoint("pypi", token=server.token()) + "simple/"
    target = home.folder / "site"

    home.run(
        [python, "-m", "pip", "install", "--no-cache-dir", "--index-url", index, "--target", str(target), "requests"],
        env={"PIP_CONFIG_FILE": "/dev/null"},
    )

    home.run([python, "-c", "import requests; print(requests.__version__)"], env={"PYTHONPATH": str(target)})
