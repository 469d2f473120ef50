"""Package managers without any credentials, where a repository is open to all and the server allows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.sandbox import Home, tool
from tests.clients.test_cargo_clients import Cargo
from tests.harness import Server
from tests.iam.conftest import allow, document
from tests.samples import npm, pypi
from tests.samples.base import Shop

pytestmark = [pytest.mark.clients, pytest.mark.slow]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("open"), settings={"server": {"anonymous_read": True}}) as server:
        server.make("dom", "repo", "shut")
        everybody = document(allow("codeartifact:ReadFromRepository", Principal="*"))
        server.boto().put_repository_permissions_policy(domain="dom", repository="repo", policyDocument=everybody)
        yield server


def test_npm_reads_what_is_open_and_is_told_to_log_in_for_the_rest(opened: Server, tmp_path: Path) -> None:
    client, home = tool("npm11/node_modules/.bin/npm", or_path="npm"), Home(tmp_path)
    for repo in ("repo", "shut"):
        assert npm.SAMPLE.publish(Shop(opened, "npm", repo), "open").status < 400
    home.run([client, "pack", "@team/open", "--registry", opened.endpoint("npm")])
    assert list(home.work.glob("*.tgz"))
    refused = home.run([client, "pack", "@team/open", "--registry", opened.endpoint("npm", "shut")], ok=False)
    assert refused.returncode and "E401" in refused.stderr
    (home.work / "package.json").write_text('{"name":"@team/mine","version":"1.0.0"}')
    # npm asks for a login by itself where no token is set for the registry.
    refused = home.run([client, "publish", "--registry", opened.endpoint("npm")], ok=False)
    assert refused.returncode and ("ENEEDAUTH" in refused.stderr or "E401" in refused.stderr)


def test_pip_reads_what_is_open(opened: Server, tmp_path: Path) -> None:
    python, home = tool("py/bin/python"), Home(tmp_path)
    for repo in ("repo", "shut"):
        assert pypi.SAMPLE.publish(Shop(opened, "pypi", repo), "open").status < 400
    download = [python, "-m", "pip", "download", "--no-deps", "--no-input", "open", "--index-url"]
    home.run([*download, opened.endpoint("pypi") + "simple/"])
    assert list(home.work.glob("open-1.0.0*"))
    assert home.run([*download, opened.endpoint("pypi", "shut") + "simple/"], ok=False).returncode


def test_cargo_reads_what_is_open_and_its_owner_publishes_there(opened: Server, tmp_path: Path) -> None:
    Cargo(tmp_path / "owner", opened, "repo").publish("leaf")
    nobody = Cargo(tmp_path / "nobody", opened, "repo", token="")
    app = nobody.project("app", more='[dependencies]\nleaf = { version = "1", registry = "pky" }\n')
    nobody.run("fetch", at=app)
    assert 'name = "leaf"' in (nobody.home.work / app / "Cargo.lock").read_text()
