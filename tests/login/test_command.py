"""The command itself, in a process and a home of its own, against a real server."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.sandbox import Home
from tests.harness import Server

ROOT = str(Path(__file__).parents[2])


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home", {"PYTHONPATH": ROOT})


def _keys(server: Server) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "AWS_ENDPOINT_URL": server.url,
    }


def _login(home: Home, *arguments: str, env: dict[str, str], ok: bool = True) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "registry", "login", "--domain", "dom", "--repository", "repo", *arguments]
    return home.run(command, env=env, ok=ok)


def test_npm_is_set_up_and_told_until_when(server: Server, home: Home) -> None:
    rc = home.folder / ".npmrc"
    rc.write_text("fund=false\n")

    said = _login(home, "npm", "--namespace", "@acme", "--duration-seconds", "1800", env=_keys(server)).stdout

    endpoint = server.endpoint("npm")
    assert rc.read_text().startswith(f"fund=false\n@acme:registry={endpoint}\n{endpoint[5:]}:_authToken=")
    assert stat.S_IMODE(rc.stat().st_mode) == 0o600
    assert f"npm uses {endpoint} for @acme\n" in said
    assert f"Wrote {rc}\n" in said
    assert "expires at 2" in said
    assert "UTC, in 30 min\n" in said
    assert rc.read_text().strip().rpartition("=")[2] not in said


def test_a_dry_run_changes_nothing_and_shows_no_secret(server: Server, home: Home) -> None:
    rc = home.folder / ".npmrc"
    _login(home, "npm", env=_keys(server))
    rc.write_text(rc.read_text() + "//other.example/:_authToken=theirs\n")
    before, token = rc.read_bytes(), rc.read_text().splitlines()[1].rpartition("=")[2]

    said = _login(home, "npm", "--dry-run", env=_keys(server)).stdout

    assert (
        said
        == f"{rc}:\n  - {server.endpoint('npm')[5:]}:_authToken=***\n  + {server.endpoint('npm')[5:]}:_authToken=***\n"
    )
    assert token not in said
    assert rc.read_bytes() == before


@pytest.mark.parametrize("style", ["profile", "option", "config file"])
def test_credentials_and_endpoint_are_found_as_aws_tools_find_them(server: Server, home: Home, style: str) -> None:
    aws = home.folder / ".aws"
    aws.mkdir()
    keys = f"aws_access_key_id = {server.access_key}\naws_secret_access_key = {server.secret_key}\n"
    (aws / "credentials").write_text(f"[work]\n{keys}")
    (aws / "config").write_text(f"[profile work]\nendpoint_url = {server.url}\n" if style == "config file" else "")
    given = ["--profile", "work"] if style != "profile" else []
    env = {"AWS_PROFILE": "work"} if style == "profile" else {}
    if style != "config file":
        env |= {} if style == "option" else {"AWS_ENDPOINT_URL_CODEARTIFACT": server.url}
        given += ["--endpoint-url", server.url, "--region", "eu-west-1"] if style == "option" else []

    _login(home, "pip", *given, env=env)

    text = (home.folder / ".config" / "pip" / "pip.conf").read_text()
    assert text.endswith(f"@{server.host}/pypi/d/dom-111122223333/repo/simple/\n")


def test_the_credentials_of_a_server_here_stand_in_for_none(server: Server, home: Home) -> None:
    (home.work / "data").mkdir()
    shutil.copy(server.data / "credentials", home.work / "data" / "credentials")

    _login(home, "twine", "--endpoint-url", server.url, env={})

    assert f"repository = {server.endpoint('pypi')}\n" in (home.folder / ".pypirc").read_text()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["pip", "--domain", "other"], 1, "Domain not found"),
        (["npm", "--repository", "other"], 1, "Repository not found"),
        (["pip", "--endpoint-url", "http://127.0.0.1:1"], 1, "Could not connect"),
        (["pip", "--endpoint-url", "nonsense"], 1, "Invalid endpoint"),
        (["pip", "--profile", "nobody"], 1, "nobody"),
        (["pip", "--duration-seconds", "7"], 1, "from 900 to 43200 seconds, not 7"),
        (["pip", "--duration-seconds", "x"], 2, "--duration-seconds"),
        (["pip", "--namespace", "x"], 2, "--namespace means nothing to pip"),
        (["npm", "--namespace", "@a/b"], 2, "--namespace is not a scope: '@a/b'"),
        (["npm", "--namespace", "a\nregistry=x"], 2, "--namespace is not a scope"),
        (["conda"], 2, "knows npm, pnpm, bun, yarn"),
        ([], 2, "TOOL"),
    ],
)
def test_what_goes_wrong_is_one_line(
    server: Server, home: Home, arguments: list[str], status: int, message: str
) -> None:
    done = _login(home, *arguments, env=_keys(server), ok=False)

    assert done.returncode == status
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert sorted(path.name for path in home.folder.iterdir()) == ["work"]


def test_no_credentials_are_told_with_the_ways_to_give_some(server: Server, home: Home) -> None:
    done = _login(home, "npm", "--endpoint-url", server.url, env={}, ok=False)

    assert done.returncode == 1
    assert "No AWS credentials were found" in done.stderr


def test_a_malformed_file_is_told_in_one_line_and_left_alone(server: Server, home: Home) -> None:
    path = home.folder / ".config" / "uv" / "uv.toml"
    path.parent.mkdir(parents=True)
    path.write_text('ok = 1\npassword "secret"\n')

    done = _login(home, "uv", env=_keys(server), ok=False)

    assert done.returncode == 1
    assert done.stderr == f"packyard: {path} was left alone: it is not TOML (at line 2, column 10)\n"
    assert path.read_text() == 'ok = 1\npassword "secret"\n'
    assert not (home.folder / ".local").exists()


def test_a_variable_that_wins_over_the_file_is_named(server: Server, home: Home) -> None:
    done = _login(home, "npm", env={**_keys(server), "npm_config_registry": "http://127.0.0.1:1/"})

    assert "npm_config_registry is set" in done.stderr
