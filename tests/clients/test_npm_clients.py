"""Unmodified npm 6 to 11, yarn 1 and 4, pnpm and bun against a real server."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.sandbox import Home, tool
from tests.harness import Pair, Server

pytestmark = [pytest.mark.clients, pytest.mark.slow]

NPMS = ["npm6", "npm8", "npm10", "npm11"]
EDGES = ["npm6", "npm11"]
"""The oldest and the newest; those between share their code."""
ALL = [*NPMS, "yarn1", "yarn4", "pnpm", "bun"]
_BINARIES = {
    **{name: f"{name}/node_modules/.bin/npm" for name in NPMS},
    "yarn1": "yarn1/node_modules/.bin/yarn",
    "yarn4": "yarn4/node_modules/.bin/yarn",
    "pnpm": "pnpm-cli/node_modules/.bin/pnpm",
    "bun": "bun-cli/node_modules/.bin/bun",
}
_PUBLISH = {
    "yarn1": ["publish", "--non-interactive"],
    "yarn4": ["npm", "publish"],
    "pnpm": ["publish", "--no-git-checks"],
    "bun": ["publish"],
}
_ADD = {name: ["install", "--save"] for name in NPMS}
_FROZEN = {
    **{name: ["ci"] for name in NPMS},
    "yarn1": ["install", "--frozen-lockfile", "--non-interactive"],
    "yarn4": ["install", "--immutable"],
    "pnpm": ["install", "--frozen-lockfile"],
    "bun": ["install", "--frozen-lockfile"],
}
_LOCKS = {"yarn1": "yarn.lock", "yarn4": "yarn.lock", "pnpm": "pnpm-lock.yaml", "bun": "bun.lock"}


@dataclass
class Client:
    """One client with a home, a cache and a project of its own, set up for one repository."""

    name: str
    home: Home
    endpoint: str
    token: str

    def __post_init__(self) -> None:
        self.binary = tool(_BINARIES[self.name], or_path="npm" if self.name == "npm11" else None)
        at = self.endpoint.removeprefix("http:")
        if self.name == "yarn4":
            lines = [
                f'npmRegistryServer: "{self.endpoint}"',
                f'npmRegistries: {{ "{at}": {{ npmAuthToken: "{self.token}", npmAlwaysAuth: true }} }}',
                'unsafeHttpWhitelist: ["127.0.0.1"]',
                "npmMinimalAgeGate: 0",
                "enableTelemetry: false",
                "nodeLinker: node-modules",
            ]
            (self.home.folder / ".yarnrc.yml").write_text("\n".join(lines) + "\n")
        # pnpm holds new versions back for a day, and reads this from the environment.
        self.home.extra["pnpm_config_minimum_release_age"] = "0"
        lines = [f"registry={self.endpoint}", f"{at}:_authToken={self.token}"]
        if self.name in ("yarn1", "npm6"):
            lines.append(f"{at}:always-auth=true")
        (self.home.folder / ".npmrc").write_text("\n".join(lines) + "\n")

    def __call__(self, *arguments: str, cwd: Path | None = None, ok: bool = True) -> subprocess.CompletedProcess[str]:
        return self.home.run([self.binary, *arguments], cwd=cwd, ok=ok)

    def package(self, name: str, version: str = "1.0.0", **manifest: object) -> Path:
        """A project that says its name and version when required."""
        folder = self.home.folder / "packages" / f"{name.replace('/', '-')}-{version}"
        folder.mkdir(parents=True)
        text = {"name": name, "version": version, "main": "index.js", "license": "MIT", **manifest}
        (folder / "package.json").write_text(json.dumps(text))
        (folder / "index.js").write_text(f"module.exports = '{name}@{version}'\n")
        (folder / "README.md").write_text(f"# {name}\n")
        if self.name == "yarn4":
            (folder / "yarn.lock").write_text("")
            self("install", cwd=folder)
        return folder

    def publish(self, name: str, version: str = "1.0.0", *flags: str, ok: bool = True, **manifest: object) -> str:
        done = self(*_PUBLISH.get(self.name, ["publish"]), *flags, cwd=self.package(name, version, **manifest), ok=ok)
        return done.stdout + done.stderr

    def project(self) -> None:
        (self.home.work / "package.json").write_text('{"name": "consumer", "version": "0.0.0", "private": true}')
        if self.name == "yarn4":
            (self.home.work / "yarn.lock").write_text("")

    def add(self, *specs: str) -> None:
        self(*_ADD.get(self.name, ["add"]), *specs)

    def required(self, name: str) -> str:
        """What the installed package exports."""
        script = f"process.stdout.write(require({json.dumps(name)}))"
        return self.home.run(["node", "-e", script]).stdout

    @property
    def lock(self) -> Path:
        return self.home.work / _LOCKS.get(self.name, "package-lock.json")


Make = Callable[..., Client]


@pytest.fixture
def client(server: Server, tmp_path: Path) -> Make:
    """Makes clients of `repo`, each with a fresh home."""
    made = iter(range(100))

    def make(name: str, endpoint: str | None = None, token: str | None = None) -> Client:
        home = Home(tmp_path / f"home{next(made)}")
        return Client(name, home, endpoint or server.endpoint("npm"), token or server.token())

    return make


@pytest.mark.parametrize("name", ALL)
def test_publish_install_and_install_again_from_the_lock_file(server: Server, client: Make, name: str) -> None:
    publisher = client(name)
    publisher.publish("plain-one", bin={"plain-one": "index.js"})
    publisher.publish("@acme/scoped-one", dependencies={"plain-one": "^1.0.0"})
    consumer = client(name)
    consumer.project()

    consumer.add("@acme/scoped-one")

    assert consumer.required("@acme/scoped-one") == "@acme/scoped-one@1.0.0"
    lock = consumer.lock.read_text()
    assert "plain-one" in lock
    assert "__archiveUrl" not in lock
    if name == "pnpm":
        assert "tarball:" not in lock
    again = client(name)
    again.project()
    shutil.copy(consumer.home.work / "package.json", again.home.work)
    shutil.copy(consumer.lock, again.home.work)
    again(*_FROZEN[name])
    assert again.required("@acme/scoped-one") == "@acme/scoped-one@1.0.0"


@pytest.mark.parametrize("name", ["npm6", "npm11", "yarn1", "yarn4", "pnpm", "bun"])
def test_every_client_can_install_what_another_published(server: Server, client: Make, name: str) -> None:
    client("bun" if name == "npm11" else "npm11").publish("@acme/other", "2.1.0", bin="index.js")
    consumer = client(name)
    consumer.project()

    consumer.add("@acme/other@^2.0.0")

    assert consumer.required("@acme/other") == "@acme/other@2.1.0"


@pytest.mark.parametrize("name", ["npm11", "yarn4", "pnpm", "bun"])
def test_publishing_other_content_again_is_refused_in_words(server: Server, client: Make, name: str) -> None:
    client(name).publish("twice")

    said = client(name).publish("twice", ok=False, description="something else")

    assert "409" in said or "previously published" in said or "different content" in said
    answer = server.get(server.endpoint("npm") + "twice", token=server.token()).json()
    assert answer["versions"]["1.0.0"].get("description") != "something else"


@pytest.mark.parametrize("name", EDGES)
def test_deprecate_and_undeprecate(server: Server, client: Make, name: str) -> None:
    npm = client(name)
    npm.publish("old", "1.0.0")
    npm.publish("old", "2.0.0")

    npm("deprecate", "old@1.x", "use 2")

    versions = server.get(server.endpoint("npm") + "old", token=server.token()).json()["versions"]
    assert versions["1.0.0"]["deprecated"] == "use 2"
    assert "deprecated" not in versions["2.0.0"]
    npm("deprecate", "old@1.x", "")
    versions = server.get(server.endpoint("npm") + "old", token=server.token()).json()["versions"]
    assert "deprecated" not in versions["1.0.0"]


@pytest.mark.parametrize("name", EDGES)
def test_dist_tags_are_listed_added_and_removed(server: Server, client: Make, name: str) -> None:
    npm = client(name)
    npm.publish("@acme/tagged", "1.0.0")
    npm.publish("@acme/tagged", "2.0.0-beta.1", "--tag", "beta")

    npm("dist-tag", "add", "@acme/tagged@1.0.0", "stable")

    listed = npm("dist-tag", "ls", "@acme/tagged").stdout.split("\n")
    assert {"latest: 1.0.0", "stable: 1.0.0", "beta: 2.0.0-beta.1"} <= set(listed)
    npm("dist-tag", "rm", "@acme/tagged", "stable")
    assert "stable" not in npm("dist-tag", "ls", "@acme/tagged").stdout


@pytest.mark.parametrize("name", EDGES)
def test_unpublish_one_version_then_the_package(server: Server, client: Make, name: str) -> None:
    npm = client(name)
    for version in ("1.0.0", "1.1.0"):
        npm.publish("@acme/gone", version)

    npm("unpublish", "@acme/gone@1.1.0", "--force")

    answer = server.get(server.endpoint("npm") + "@acme/gone", token=server.token()).json()
    assert list(answer["versions"]) == ["1.0.0"]
    assert answer["dist-tags"] == {"latest": "1.0.0"}
    tarball = server.get(server.endpoint("npm") + "@acme/gone/-/gone-1.1.0.tgz", token=server.token())
    assert tarball.status == 404
    npm("unpublish", "@acme/gone", "--force")
    assert server.get(server.endpoint("npm") + "@acme/gone", token=server.token()).status == 404


@pytest.mark.parametrize("name", EDGES)
def test_view_search_whoami_ping_and_owner_ls(server: Server, client: Make, name: str) -> None:
    npm = client(name)
    npm.publish("@acme/seen", description="A thing to be found")

    assert npm("view", "@acme/seen", "version").stdout.strip() == "1.0.0"
    assert "A thing to be found" in npm("view", "@acme/seen").stdout
    assert json.loads(npm("view", "@acme/seen", "time", "--json").stdout)["1.0.0"].endswith("Z")
    found = json.loads(npm("search", "seen", "--json").stdout)
    assert [each["name"] for each in found] == ["@acme/seen"]
    assert npm("whoami").stdout.strip() == "admin"
    npm("ping")
    assert "admin" in npm("owner", "ls", "@acme/seen").stdout


@pytest.mark.parametrize(
    "arguments",
    [["star", "left"], ["owner", "add", "somebody", "left"], ["team", "ls", "acme"], ["profile", "get"],
     ["access", "list", "packages", "acme"], ["token", "list"], ["stars"]],
    ids=lambda each: " ".join(each[:2]),
)  # fmt: skip
def test_commands_that_are_not_there_say_so(server: Server, client: Make, arguments: list[str]) -> None:
    npm = client("npm11")
    npm.publish("left")

    done = npm(*arguments, ok=False)

    assert done.returncode
    assert "405" in done.stderr
    assert "not supported" in done.stderr or "permissions policies" in done.stderr


@pytest.mark.parametrize("name", ["npm10", "npm11"])
def test_login_takes_a_token_as_the_password(server: Server, client: Make, name: str) -> None:
    npm = client(name)
    (npm.home.folder / ".npmrc").write_text(f"registry={npm.endpoint}\n")
    # npm asks on a terminal only; `script` gives it one.
    pytest.importorskip("pty")

    said = on_a_terminal(npm, ["login", "--auth-type=legacy"], ["somebody", npm.token])

    assert npm("whoami").stdout.strip() == "admin", said
    npm("logout")
    assert npm("whoami", ok=False).returncode


def on_a_terminal(npm: Client, arguments: list[str], answers: list[str]) -> str:
    """Runs a client that asks questions; each answer is given when a prompt ends in a colon."""
    import os
    import pty
    import select

    pid, terminal = pty.fork()
    if not pid:  # pragma: no cover
        os.chdir(npm.home.work)
        os.execve(npm.binary, [npm.binary, *arguments], npm.home.environment())
    said = b""
    waiting = list(answers)
    seen = 0
    while select.select([terminal], [], [], 60)[0]:
        try:
            chunk = os.read(terminal, 4096)
        except OSError:
            break
        if not chunk:
            break
        said += chunk
        prompt = said[seen:].rstrip().lower()
        if waiting and (b"username:" in prompt or b"password:" in prompt):
            os.write(terminal, waiting.pop(0).encode() + b"\r")
            seen = len(said)
    os.waitpid(pid, 0)
    os.close(terminal)
    return said.decode(errors="replace")


def test_an_expired_token_is_told_in_words(server: Server, client: Make) -> None:
    npm = client("npm11", token="py1.nonsense")

    done = npm("view", "left", ok=False)

    assert "E401" in done.stderr


def test_audit_is_not_answered_with_an_empty_list(server: Server, client: Make) -> None:
    npm = client("npm11")
    npm.publish("left")
    npm.project()
    npm.add("left")

    done = npm("audit", ok=False)

    assert done.returncode
    assert "found 0 vulnerabilities" not in done.stdout


@pytest.mark.parametrize("name", ["npm11", "npm8", "yarn1", "yarn4", "pnpm", "bun"])
def test_install_through_an_external_connection(pair: Pair, tmp_path: Path, name: str) -> None:
    publisher = Client("npm11", Home(tmp_path / "p"), pair.back.endpoint("npm", "main", "pub"), pair.back.token("pub"))
    publisher.publish("@far/dep", "1.2.3")
    publisher.publish("far", "3.0.0", dependencies={"@far/dep": "~1.2.0"})
    consumer = Client(name, Home(tmp_path / "c"), pair.front.endpoint("npm"), pair.front.token())
    consumer.project()

    consumer.add("far")

    assert consumer.required("far") == "far@3.0.0"
    assert pair.front.host in consumer.lock.read_text() or name in ("yarn4", "pnpm", "bun")
    assert pair.back.host not in consumer.lock.read_text()
    for repository in ("repo", "npm-store"):
        kept = pair.front.boto().list_package_versions(
            domain="dom", repository=repository, format="npm", namespace="far", package="dep"
        )
        assert [each["version"] for each in kept["versions"]] == ["1.2.3"]


def test_npm_ci_works_with_an_external_connection_and_no_packument(pair: Pair, tmp_path: Path) -> None:
    publisher = Client("npm11", Home(tmp_path / "p"), pair.back.endpoint("npm", "main", "pub"), pair.back.token("pub"))
    publisher.publish("far", "3.0.0")
    tarball = pair.back.get(pair.back.endpoint("npm", "main", "pub") + "far", token=pair.back.token("pub")).json()
    dist = tarball["versions"]["3.0.0"]["dist"]
    consumer = Client("npm11", Home(tmp_path / "c"), pair.front.endpoint("npm"), pair.front.token())
    (consumer.home.work / "package.json").write_text(
        '{"name": "consumer", "version": "0.0.0", "dependencies": {"far": "^3.0.0"}}'
    )
    lock = {
        "name": "consumer",
        "version": "0.0.0",
        "lockfileVersion": 3,
        "packages": {
            "": {"name": "consumer", "version": "0.0.0", "dependencies": {"far": "^3.0.0"}},
            "node_modules/far": {
                "version": "3.0.0",
                "resolved": f"{pair.front.endpoint('npm')}far/-/far-3.0.0.tgz",
                "integrity": dist["integrity"],
            },
        },
    }
    consumer.lock.write_text(json.dumps(lock))

    consumer("ci")

    assert consumer.required("far") == "far@3.0.0"
