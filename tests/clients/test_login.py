"""`packyard login`, then the unmodified package managers with nothing else set: they publish and they install.

Every package has a name of its own and the way out leads to a closed port, so that what was installed came from here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.sandbox import Home, tool
from tests.harness import Server
from tests.samples import pypi
from tests.samples.pypi import Project

pytestmark = [pytest.mark.clients, pytest.mark.slow]

ROOT = str(Path(__file__).parents[2])
NOWHERE = "http://127.0.0.1:9"
_QUIET = {
    # Nothing but this machine can be reached.
    **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), NOWHERE),
    "no_proxy": "127.0.0.1,localhost",
    # New versions are held back for a day unless told otherwise.
    "pnpm_config_minimum_release_age": "0",
    "YARN_NPM_MINIMAL_AGE_GATE": "0",
    "YARN_NPM_PREAPPROVED_PACKAGES": "@packyard-test/*",  # a scope with settings of its own has a gate of its own
    "YARN_ENABLE_TELEMETRY": "0",
    "YARN_NODE_LINKER": "node-modules",
    "YARN_HTTP_RETRY": "0",
    "npm_config_fetch_retries": "0",
    "UV_PYTHON": sys.executable,
    "UV_NO_PROGRESS": "1",
    "POETRY_NO_INTERACTION": "1",
    "POETRY_VIRTUALENVS_IN_PROJECT": "true",
    "PYTHONPATH": ROOT,
}


@pytest.fixture
def login(server: Server, tmp_path: Path) -> Callable[..., Home]:
    """Logs in for a client in a fresh home (or a given one), which is then all that the client knows."""
    made = iter(range(9))

    def do(client: str, *options: str, home: Home | None = None) -> Home:
        home = home or Home(tmp_path / f"home{next(made)}", dict(_QUIET))
        keys = {
            "AWS_ACCESS_KEY_ID": server.access_key,
            "AWS_SECRET_ACCESS_KEY": server.secret_key,
            "AWS_ENDPOINT_URL": server.url,
        }
        command = [
            sys.executable,
            "-m",
            "registry",
            "login",
            client,
            "--domain",
            "dom",
            "--repository",
            "repo",
            *options,
        ]
        home.run(command, env=keys)
        return home

    return do


# --- JavaScript ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Script:
    """How a JavaScript client is called."""

    path: str
    login: str
    publish: tuple[str, ...] = ("publish",)
    add: tuple[str, ...] = ("add",)


SCRIPTS = {
    "npm6": Script("npm6/node_modules/.bin/npm", "npm", add=("install",)),
    "npm11": Script("npm11/node_modules/.bin/npm", "npm", add=("install",)),
    "pnpm": Script("pnpm-cli/node_modules/.bin/pnpm", "pnpm", publish=("publish", "--no-git-checks")),
    "bun": Script("bun-cli/node_modules/.bin/bun", "bun"),
    "yarn1": Script("yarn1/node_modules/.bin/yarn", "yarn", publish=("publish", "--non-interactive")),
    "yarn4": Script("yarn4/node_modules/.bin/yarn", "yarn", publish=("npm", "publish")),
}
_JS = pytest.mark.parametrize("name", SCRIPTS)


def _publish(name: str, home: Home, package: str) -> None:
    script = SCRIPTS[name]
    folder = home.folder / "packages" / package.replace("/", "-")
    folder.mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps({"name": package, "version": "1.0.0", "main": "index.js"}))
    (folder / "index.js").write_text(f"module.exports = '{package}'\n")
    if name == "yarn4":
        (folder / "yarn.lock").touch()
        home.run([tool(script.path), "install"], cwd=folder)
    home.run([tool(script.path), *script.publish], cwd=folder)


def _install(name: str, home: Home, package: str) -> str:
    """What the installed package says."""
    script = SCRIPTS[name]
    (home.work / "package.json").write_text('{"name": "app", "version": "1.0.0", "private": true}')
    if name == "yarn4":
        (home.work / "yarn.lock").touch()
    home.run([tool(script.path), *script.add, package])
    return home.run(["node", "-p", f"require('{package}')"]).stdout.strip()


@_JS
@pytest.mark.parametrize("package", ["packyard-logged-in", "@packyard-test/logged-in"])
def test_a_javascript_client_publishes_and_installs(
    server: Server, login: Callable[..., Home], name: str, package: str
) -> None:
    publisher = login(SCRIPTS[name].login)
    _publish(name, publisher, package)
    consumer = login(SCRIPTS[name].login)

    assert _install(name, consumer, package) == package
    assert f'"{package}"' in server.get(server.endpoint("npm") + package, token=server.token()).text


@pytest.mark.parametrize("name", ["npm11", "pnpm", "bun", "yarn1", "yarn4"])
def test_a_scope_alone_can_be_set_up(server: Server, login: Callable[..., Home], name: str) -> None:
    home = login(SCRIPTS[name].login, "--namespace", "@packyard-test")

    _publish(name, home, "@packyard-test/scoped")

    assert _install(name, home, "@packyard-test/scoped") == "@packyard-test/scoped"
    for file in (".npmrc", ".yarnrc.yml"):
        text = (home.folder / file).read_text() if (home.folder / file).exists() else ""
        assert not [line for line in text.splitlines() if line.startswith(("registry", "npmRegistryServer"))]


@pytest.mark.parametrize("name", ["npm11", "pnpm", "bun", "yarn1", "yarn4"])
def test_a_login_beside_settings_of_the_users(login: Callable[..., Home], tmp_path: Path, name: str) -> None:
    home = Home(tmp_path / "mine", dict(_QUIET))
    (home.folder / ".npmrc").write_text(
        "; mine\nregistry = http://127.0.0.1:9/\n//127.0.0.1:9/:_authToken=x\nsave-exact=true\n"
    )
    (home.folder / ".yarnrc.yml").write_text(
        '# mine\nnpmRegistryServer: "http://127.0.0.1:9/"\n\nunsafeHttpWhitelist: ["*.local"]\n\nnpmRegistries:\n'
        '    "//127.0.0.1:9/":\n        npmAuthToken: x\n\ndefaultSemverRangePrefix: ""\n'
    )
    login(SCRIPTS[name].login, home=home)
    login(SCRIPTS[name].login, home=home)

    _publish(name, home, "packyard-beside")

    assert _install(name, home, "packyard-beside") == "packyard-beside"
    if name in ("npm11", "yarn4"):  # the others do not take this setting from there
        written = json.loads((home.work / "package.json").read_text())
        assert written["dependencies"] == {"packyard-beside": "1.0.0"}


# --- Python --------------------------------------------------------------------------------------------------


def _wheel(home: Home, name: str = "packyard-logged-in") -> str:
    filename, body = pypi.wheel(Project(name=name))
    (home.work / "dist").mkdir(exist_ok=True)
    (home.work / "dist" / filename).write_bytes(body)
    return f"dist/{filename}"


def _uploaded(login: Callable[..., Home], name: str = "packyard-logged-in") -> None:
    home = login("twine")
    home.run([tool("py/bin/twine"), "upload", "--non-interactive", "-r", "packyard", _wheel(home, name)])


def test_twine_uploads_and_pip_installs(login: Callable[..., Home]) -> None:
    _uploaded(login)
    home = login("pip")

    home.run([tool("py/bin/python"), "-m", "pip", "install", "--no-cache-dir", "--target", "got", "packyard-logged-in"])

    assert (home.work / "got" / "packyard_logged_in" / "__init__.py").exists()


def test_a_login_wins_over_the_legacy_settings_of_pip(login: Callable[..., Home], tmp_path: Path) -> None:
    _uploaded(login)
    home = Home(tmp_path / "mine", dict(_QUIET))
    for path in (home.folder / ".pip" / "pip.conf", home.folder / ".config" / "pip" / "pip.conf"):
        path.parent.mkdir(parents=True)
        path.write_text("[global]\nindex_url = http://127.0.0.1:9/simple/\n")
    login("pip", home=home)

    home.run([tool("py/bin/python"), "-m", "pip", "download", "--no-cache-dir", "-d", "got", "packyard-logged-in"])

    assert len(list((home.work / "got").iterdir())) == 1


def test_uv_publishes_installs_and_locks_without_the_token(server: Server, login: Callable[..., Home]) -> None:
    home, uv = login("uv"), tool("py/bin/uv")
    home.run([uv, "publish", "--index", "packyard", "--trusted-publishing", "never", _wheel(home)])
    other = login("uv")

    other.run([uv, "pip", "install", "--no-cache", "--target", "got", "packyard-logged-in"])
    (other.work / "pyproject.toml").write_text('[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\n')
    other.run([uv, "add", "--no-cache", "packyard-logged-in"])

    assert (other.work / "got" / "packyard_logged_in" / "__init__.py").exists()
    lock = (other.work / "uv.lock").read_text()
    assert f'registry = "{server.endpoint("pypi")}simple/"' in lock
    assert "aws" not in lock


def test_uv_takes_the_index_of_a_login_before_a_default_of_the_users(
    login: Callable[..., Home], tmp_path: Path
) -> None:
    _uploaded(login)
    home = Home(tmp_path / "mine", dict(_QUIET))
    path = home.folder / ".config" / "uv" / "uv.toml"
    path.parent.mkdir(parents=True)
    mine = f'# of the house\n[[index]]\nname = "house"\nurl = "{NOWHERE}/simple/"\ndefault = true\n[pip]\nstrict=true\n'
    path.write_text(mine)
    login("uv", home=home)
    login("uv", home=home)

    home.run([tool("py/bin/uv"), "pip", "install", "--no-cache", "--target", "got", "packyard-logged-in"])

    assert (home.work / "got" / "packyard_logged_in" / "__init__.py").exists()
    assert path.read_text().endswith(mine)


def test_what_uv_wrote_itself_and_a_login_get_along(server: Server, login: Callable[..., Home], tmp_path: Path) -> None:
    home, uv = Home(tmp_path / "mine", dict(_QUIET)), tool("py/bin/uv")
    stored = ["auth", "login", "--username", "aws", "--password"]
    home.run([uv, *stored, "old", server.endpoint("pypi")])
    home.run([uv, *stored, "other", "http://127.0.0.1:9/"])
    login("uv", home=home)

    home.run([uv, "publish", "--index", "packyard", "--trusted-publishing", "never", _wheel(home)])

    told = home.run([uv, "auth", "token", "--username", "aws", "http://127.0.0.1:9/"]).stdout
    assert told.strip() == "other"
    home.run([uv, "auth", "logout", "--username", "aws", server.endpoint("pypi")])
    assert "py1" not in (home.folder / ".local/share/uv/credentials/credentials.toml").read_text()


@pytest.mark.parametrize("mine", [False, True])
def test_poetry_publishes_and_installs(server: Server, login: Callable[..., Home], tmp_path: Path, mine: bool) -> None:
    poetry, home = tool("poetry/bin/poetry"), Home(tmp_path / "mine", dict(_QUIET))
    if mine:
        home.extra["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
        home.run([poetry, "config", "repositories.other", "http://127.0.0.1:9/"])
        home.run([poetry, "config", "http-basic.other", "u", "p"])
        home.run([poetry, "config", "http-basic.packyard", "aws", "old"])
    login("poetry", home=home)
    _wheel(home)
    project = '[project]\nname = "packyard-logged-in"\nversion = "1.0.0"\nauthors = []\nrequires-python = ">=3.11,<4"\n'
    (home.work / "pyproject.toml").write_text(project)

    home.run([poetry, "publish", "-r", "packyard"])
    app = home.folder / "app"
    app.mkdir()
    (app / "pyproject.toml").write_text(
        project.replace("packyard-logged-in", "app") + "[tool.poetry]\npackage-mode=false\n"
    )
    home.run([poetry, "source", "add", "--priority=primary", "packyard", f"{server.endpoint('pypi')}simple/"], cwd=app)
    home.run([poetry, "add", "packyard-logged-in"], cwd=app)

    assert list(app.glob(".venv/lib/python*/site-packages/packyard_logged_in/__init__.py"))
    if mine:
        assert "http://127.0.0.1:9/" in home.run([poetry, "config", "repositories.other"]).stdout
