"""`packyard login`: edits that keep what is there, and real package managers that work afterwards."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from registry.login import edits
from registry.login.session import LoginError
from tests.clients.sandbox import Home, tool
from tests.harness import Server
from tests.samples import pypi
from tests.samples.npm import Publish


def test_lines_are_set_in_place_and_the_rest_stays() -> None:
    text = "; mine\nregistry=http://old/\nfund=false\nregistry=http://older/\n"

    assert edits.lines(text, {"registry": "http://new/", "//new/:_authToken": "t"}) == (
        "; mine\nregistry=http://new/\nfund=false\n//new/:_authToken=t\n"
    )


def test_an_ini_section_is_changed_and_the_rest_stays() -> None:
    text = "[global]\n# mine\ntimeout = 5\nindex-url = http://old/\n    more\nretries=2\n\n[install]\nindex-url = x\n"

    assert edits.ini(text, "global", {"index-url": "http://new/", "trusted-host": "h"}) == (
        "[global]\n# mine\ntimeout = 5\nindex-url = http://new/\nretries=2\ntrusted-host = h\n\n"
        "[install]\nindex-url = x\n"
    )


def test_an_ini_section_is_added_at_the_end() -> None:
    assert edits.ini("[a]\nx = 1\n", "b", {"y": "2"}) == "[a]\nx = 1\n\n[b]\ny = 2\n"
    assert edits.ini("", "b", {"y": "2"}) == "[b]\ny = 2\n"
    assert edits.ini("[b]\n\n[c]\n", "b", {"y": "2"}) == "[b]\ny = 2\n\n[c]\n"


@pytest.mark.parametrize("text", ["", "a = 1", "a = 1\n", "[x]\ny = 2\n"])
def test_a_block_is_replaced_by_the_next_login(text: str) -> None:
    once = edits.block(text, "first", against={})

    twice = edits.block(once + "later = 3\n", "second", against={})

    assert "first" not in twice
    assert twice.count("second") == 1
    assert text in twice
    assert "later = 3" in twice


def test_a_setting_of_the_users_that_would_clash_is_named() -> None:
    with pytest.raises(LoginError, match="default index"):
        edits.block("[[index]]\ndefault = true\n", "x", against={r"^default = true": "There is a default index"})


def login(home: Home, server: Server, *arguments: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
    environment = {
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "AWS_ENDPOINT_URL": server.url,
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    command = [sys.executable, "-m", "registry", "login", *arguments, "--domain", "dom", "--repository", "repo"]
    return home.run(command, env=environment, ok=ok)


def test_a_dry_run_changes_nothing_and_shows_no_token(server: Server, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")

    shown = login(home, server, "npm", "--dry-run").stdout

    assert f"+registry={server.endpoint('npm')}" in shown
    assert "_authToken=***" in shown
    assert not (home.folder / ".npmrc").exists()


def test_what_is_written_is_for_its_owner_only(server: Server, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    (home.folder / ".npmrc").write_text("fund=false\n")

    login(home, server, "npm", "--namespace", "@scope")

    text = (home.folder / ".npmrc").read_text()
    assert text.startswith("fund=false\n")
    assert f"@scope:registry={server.endpoint('npm')}\n" in text
    assert stat.S_IMODE((home.folder / ".npmrc").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pip", "--domain", "other"], "Domain not found"),
        (["pip", "--endpoint-url", "http://127.0.0.1:1"], "Could not connect"),
        (["pip", "--namespace", "x"], "--namespace means nothing to pip"),
    ],
)
def test_what_goes_wrong_is_one_line(server: Server, tmp_path: Path, arguments: list[str], message: str) -> None:
    home = Home(tmp_path / "home")
    command = [sys.executable, "-m", "registry", "login", "--domain", "dom", "--repository", "repo", *arguments]
    environment = {
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "AWS_ENDPOINT_URL": server.url,
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }

    done = home.run(command, env=environment, ok=False)

    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


NPM_CLIENTS = {
    "npm": ("npm11/node_modules/.bin/npm", ["install"], "npm"),
    "pnpm": ("pnpm-cli/node_modules/.bin/pnpm", ["add"], "pnpm"),
    "bun": ("bun-cli/node_modules/.bin/bun", ["add"], "bun"),
    "yarn": ("yarn1/node_modules/.bin/yarn", ["add", "--non-interactive"], "yarn"),
    "yarn4": ("yarn4/node_modules/.bin/yarn", ["add"], "yarn"),
}


@pytest.mark.clients
@pytest.mark.slow
@pytest.mark.parametrize("name", NPM_CLIENTS)
def test_a_javascript_client_installs_after_a_login(server: Server, tmp_path: Path, name: str) -> None:
    relative, add, named = NPM_CLIENTS[name]
    binary = tool(relative, or_path="npm" if name == "npm" else None)
    body = Publish(name="left", version="1.0.0").body()
    path = server.endpoint("npm") + "left"
    server.request("PUT", path, body=body, headers={"Content-Type": "application/json"}, token=server.token())
    home = Home(tmp_path / "home", {"pnpm_config_minimum_release_age": "0", "YARN_NPM_MINIMAL_AGE_GATE": "0",
                                    "YARN_ENABLE_TELEMETRY": "0", "YARN_NODE_LINKER": "node-modules"})  # fmt: skip
    (home.work / "package.json").write_text(json.dumps({"name": "app", "version": "1.0.0", "private": True}))
    (home.work / "yarn.lock").write_text("") if name == "yarn4" else None

    login(home, server, named)
    home.run([binary, *add, "left"])

    assert json.loads((home.work / "node_modules/left/package.json").read_text())["version"] == "1.0.0"


@pytest.mark.clients
@pytest.mark.slow
@pytest.mark.parametrize("name", ["pip", "uv", "twine", "poetry"])
def test_a_python_client_works_after_a_login(server: Server, tmp_path: Path, name: str) -> None:
    binary = tool("poetry/bin/poetry" if name == "poetry" else f"py/bin/{name}")
    environment = {
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "POETRY_NO_INTERACTION": "1",
        "UV_PYTHON": sys.executable,
        "PATH": f"{Path(binary).parent}:{Path(sys.executable).parent}:/usr/bin:/bin",
    }
    home = Home(tmp_path / "home", environment)
    project = pypi.Project(name="right")
    filename, body = pypi.wheel(project)
    (home.work / filename).write_bytes(body)
    kind, form = pypi.upload(project, filename, body)
    login(home, server, name)

    publish = {
        "twine": ["upload", "--non-interactive", "-r", "packyard", filename],
        "uv": ["publish", "--index", "packyard", filename],
    }.get(name)
    if publish is not None:
        home.run([binary, *publish])
    else:
        sent = server.request(
            "POST", server.endpoint("pypi"), body=form, headers={"Content-Type": kind}, token=server.token()
        )
        assert sent.status == 200, sent
    if name == "pip":
        home.run([binary, "download", "--no-deps", "-d", "got", "right"])
        assert (home.work / "got" / filename).read_bytes() == body
    elif name == "uv":
        home.run([binary, "venv", "env"])
        home.run([binary, "pip", "install", "--python", "env/bin/python", "right"])
    elif name == "poetry":
        text = home.run([binary, "config", "--list"]).stdout
        assert server.endpoint("pypi") in text

    answer = server.get(server.endpoint("pypi") + "simple/right/", token=server.token())
    assert filename.encode() in answer.body
