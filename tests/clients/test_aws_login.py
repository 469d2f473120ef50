"""`aws codeartifact login`, unmodified, for the tools it knows and we serve; then the tools themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.clients.sandbox import Home, tool
from tests.harness import Server

pytestmark = [pytest.mark.clients, pytest.mark.slow]


@pytest.fixture
def home(tmp_path: Path, server: Server) -> Home:
    """With the administrator's keys and this server's address in the environment."""
    extra = {
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "AWS_ENDPOINT_URL": server.url,
    }
    return Home(tmp_path / "home", extra)


def _login(home: Home, client: str, *options: str, path: str = "") -> str:
    command = ["aws", "codeartifact", "login", "--tool", client, "--domain", "dom", "--repository", "repo", *options]
    before = f"{path}:" if path else ""
    return home.run(command, env={"PATH": before + home.environment()["PATH"]}).stdout


def test_npm_publishes_and_installs_after_login(server: Server, home: Home, tmp_path: Path) -> None:
    npm = tool("npm11/node_modules/.bin/npm", or_path="npm")
    _login(home, "npm", path=str(Path(npm).parent))
    (home.work / "package.json").write_text('{"name":"@acme/hello","version":"1.0.0","main":"index.js"}')
    (home.work / "index.js").write_text("module.exports = 'hello'\n")

    home.run([npm, "publish"])
    consumer = home.folder / "consumer"
    consumer.mkdir()
    (consumer / "package.json").write_text('{"name":"app","version":"1.0.0"}')
    home.run([npm, "install", "@acme/hello", "--cache", str(tmp_path / "other-cache")], cwd=consumer)

    said = home.run(["node", "-e", "console.log(require('@acme/hello'))"], cwd=consumer)
    assert said.stdout.strip() == "hello"
    versions = server.boto().list_package_versions(
        domain="dom", repository="repo", format="npm", namespace="acme", package="hello"
    )
    assert versions["defaultDisplayVersion"] == "1.0.0"


def test_twine_uploads_and_pip_installs_after_login(server: Server, home: Home) -> None:
    python, twine = tool("py/bin/python"), tool("py/bin/twine")
    _login(home, "twine", path=str(Path(twine).parent))
    (home.work / "pyproject.toml").write_text(
        '[build-system]\nrequires=["setuptools"]\nbuild-backend="setuptools.build_meta"\n'
        '[project]\nname="Acme.Hello"\nversion="1.0"\n[tool.setuptools]\npy-modules=["acme_hello"]\n'
    )
    (home.work / "acme_hello.py").write_text("word = 'hello'\n")
    home.run([python, "-m", "build", "--no-isolation", "-q"])

    home.run([twine, "upload", "--repository", "codeartifact", *map(str, (home.work / "dist").iterdir())])
    _login(home, "pip", path=str(Path(python).parent))
    home.run([python, "-m", "pip", "install", "--no-cache-dir", "--target", "site", "acme-hello"])

    said = home.run([python, "-c", "import acme_hello; print(acme_hello.word)"], env={"PYTHONPATH": "site"})
    assert said.stdout.strip() == "hello"
    assets = server.boto().list_package_version_assets(
        domain="dom", repository="repo", format="pypi", package="acme-hello", packageVersion="1.0"
    )
    assert len(assets["assets"]) == 2


def test_a_dry_run_prints_and_changes_nothing(server: Server, home: Home) -> None:
    npm = tool("npm11/node_modules/.bin/npm", or_path="npm")

    said = _login(home, "npm", "--dry-run", "--namespace", "@acme", path=str(Path(npm).parent))

    assert f"@acme:registry {server.endpoint('npm')}" in said
    assert not (home.folder / ".npmrc").exists()


def test_a_generic_asset_goes_in_and_out_through_the_cli(server: Server, home: Home) -> None:
    (home.work / "app.bin").write_bytes(b"\0\1binary" * 1000)
    coordinates = [
        "--domain", "dom", "--repository", "repo", "--format", "generic", "--namespace", "team", "--package", "app",
        "--package-version", "1.0.0+b1",
    ]  # fmt: skip
    import hashlib

    digest = hashlib.sha256((home.work / "app.bin").read_bytes()).hexdigest()

    published = home.run(
        ["aws", "codeartifact", "publish-package-version", *coordinates, "--asset-name", "app.bin",
         "--asset-content", "app.bin", "--asset-sha256", digest, "--output", "json"]
    )  # fmt: skip
    home.run(["aws", "codeartifact", "get-package-version-asset", *coordinates, "--asset", "app.bin", "out.bin"])

    assert json.loads(published.stdout)["asset"]["hashes"]["SHA-256"] == digest
    assert (home.work / "out.bin").read_bytes() == (home.work / "app.bin").read_bytes()
