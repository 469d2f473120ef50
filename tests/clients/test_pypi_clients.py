"""Unmodified pip, twine, uv, poetry, pdm, hatch and flit against a real server."""

from __future__ import annotations

import json
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.clients.sandbox import Home, tool
from tests.harness import Pair, Server
from tests.samples import pypi as samples
from tests.samples.pypi import Project

pytestmark = [pytest.mark.clients, pytest.mark.slow]

PUBLISHERS = ["twine", "uv", "poetry", "pdm", "hatch"]
INSTALLERS = ["pip", "uv", "poetry", "pdm"]
_BINARIES = {
    "pip": "py/bin/pip",
    "twine": "py/bin/twine",
    "uv": "py/bin/uv",
    "flit": "py/bin/flit",
    "poetry": "poetry/bin/poetry",
    "pdm": "pdm/bin/pdm",
    "hatch": "hatch/bin/hatch",
}
JSON = "application/vnd.pypi.simple.v1+json"


@dataclass
class Client:
    """One client with a home of its own, set up for one repository."""

    name: str
    folder: Path
    server: Server
    repo: str = "repo"
    domain: str = "dom"
    home: Home = field(init=False)

    def __post_init__(self) -> None:
        self.binary = tool(_BINARIES[self.name])
        self.token = self.server.token(self.domain)
        self.endpoint = self.server.endpoint("pypi", self.repo, self.domain)
        self.index = self.server.endpoint("pypi", self.repo, self.domain, token=self.token) + "simple/"
        self.home = Home(self.folder, {
            "PIP_CONFIG_FILE": "/dev/null", "PIP_NO_INPUT": "1", "UV_NO_CONFIG": "1", "UV_NO_PROGRESS": "1",
            "UV_PYTHON": sys.executable, "PDM_CHECK_UPDATE": "0", "POETRY_NO_INTERACTION": "1",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring", "POETRY_VIRTUALENVS_IN_PROJECT": "true",
            "TWINE_USERNAME": "aws", "TWINE_PASSWORD": self.token,
            "UV_PUBLISH_USERNAME": "aws", "UV_PUBLISH_PASSWORD": self.token, "UV_PUBLISH_URL": self.endpoint,
            "HATCH_INDEX_REPO": self.endpoint, "HATCH_INDEX_USER": "aws", "HATCH_INDEX_AUTH": self.token,
            "POETRY_HTTP_BASIC_PKY_USERNAME": "aws", "POETRY_HTTP_BASIC_PKY_PASSWORD": self.token,
            "FLIT_INDEX_URL": self.endpoint, "FLIT_USERNAME": "aws", "FLIT_PASSWORD": self.token,
            "SOURCE_DATE_EPOCH": "1767225600",
        })  # fmt: skip

    def run(self, *arguments: str, ok: bool = True) -> str:
        """Both outputs of the client."""
        done = self.home.run([self.binary, *arguments], ok=ok)
        assert ok or done.returncode, "the client was expected to fail"
        return done.stdout + done.stderr

    def publish(self, project: Project, *files: tuple[str, bytes], ok: bool = True) -> str:
        """Built files, as the client publishes them; a wheel and an sdist unless some are given."""
        dist = self.home.work / "dist"
        dist.mkdir(exist_ok=True)
        for old in dist.iterdir():
            old.unlink()
        for filename, body in files or (samples.wheel(project), samples.sdist(project)):
            (dist / filename).write_bytes(body)
        (self.home.work / "pyproject.toml").write_text(
            f'[project]\nname = "{project.name}"\nversion = "{project.version}"\nrequires-python = ">=3.8"\n'
            'authors = [{name = "A", email = "a@example.com"}]\ndescription = ""\n'
            '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        )
        paths = sorted(str(path) for path in dist.iterdir())
        commands = {
            "twine": ["upload", "--non-interactive", "--disable-progress-bar", "--verbose", "--repository-url",
                      self.endpoint, *paths],
            "uv": ["publish", "--trusted-publishing", "never", *paths],
            "poetry": ["publish", "-r", "pky"],
            "pdm": ["publish", "--no-build", "-r", self.endpoint, "-u", "aws", "-P", self.token],
            "hatch": ["publish", "-n", *paths],
        }  # fmt: skip
        if self.name == "poetry":
            self.run("config", "repositories.pky", self.endpoint)
        return self.run(*commands[self.name], ok=ok)

    def install(self, requirement: str, *more: str) -> Path:
        """The folder in which the installed modules are."""
        target = self.home.folder / "target"
        if self.name == "pip":
            self.run("install", "--target", str(target), "--upgrade", "--index-url", self.index, *more, requirement)
        elif self.name == "uv":
            self.run("pip", "install", "--target", str(target), "--upgrade", "--default-index", self.index, *more,
                     requirement)  # fmt: skip
        else:
            self._project()
            self.run("add", *(["-p", "."] if self.name == "pdm" else []), requirement)
            target = next((self.home.work / ".venv").glob("lib/python*/site-packages"))
        return target

    def _project(self) -> None:
        source = {
            "poetry": f'[[tool.poetry.source]]\nname = "pky"\nurl = "{self.endpoint}simple/"\npriority = "primary"\n'
            "[tool.poetry]\npackage-mode = false\n",
            "pdm": f'[tool.pdm]\ndistribution = false\n[[tool.pdm.source]]\nname = "pypi"\nurl = "{self.index}"\n',
        }
        (self.home.work / "pyproject.toml").write_text(
            '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11,<4"\n' + source[self.name]
        )


def files_of(server: Server, name: str, repo: str = "repo") -> dict[str, dict[str, object]]:
    """What the JSON page lists."""
    answer = server.get(
        f"{server.endpoint('pypi', repo)}simple/{name}/", token=server.token(), headers={"Accept": JSON}
    )
    return {} if answer.status == 404 else {file["filename"]: file for file in answer.json()["files"]}


@pytest.mark.parametrize("name", PUBLISHERS)
def test_a_client_publishes_wheel_and_sdist(name: str, server: Server, tmp_path: Path) -> None:
    client = Client(name, tmp_path / "home", server)
    project = Project(name="Sample_Pkg")

    client.publish(project)

    assert set(files_of(server, "sample-pkg")) == {"sample_pkg-1.0.0-py3-none-any.whl", "sample_pkg-1.0.0.tar.gz"}
    shown = server.boto().describe_package_version(
        domain="dom", repository="repo", format="pypi", package="sample-pkg", packageVersion="1.0.0"
    )["packageVersion"]
    assert (shown["version"], shown["status"], shown["summary"]) == ("1.0.0", "Published", "A sample")


@pytest.mark.parametrize("name", PUBLISHERS)
def test_the_same_files_can_be_published_again_and_others_cannot(name: str, server: Server, tmp_path: Path) -> None:
    client = Client(name, tmp_path / "home", server)
    project = Project()
    client.publish(project)

    client.publish(project)
    said = client.publish(project, samples.wheel(Project(code="VALUE = 2\n")), samples.sdist(project), ok=False)

    assert "409" in said or "already has an asset" in said
    if name in {"twine", "uv", "poetry"}:
        assert "already has an asset sample_pkg-1.0.0-py3-none-any.whl" in said.replace("\n", " ")


def test_flit_publishes_what_it_builds(server: Server, tmp_path: Path) -> None:
    client = Client("flit", tmp_path / "home", server)
    (client.home.work / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["flit_core"]\nbuild-backend = "flit_core.buildapi"\n'
        '[project]\nname = "flown"\nauthors = [{name = "A", email = "a@example.com"}]\n'
        'dynamic = ["version", "description"]\n'
    )
    (client.home.work / "flown.py").write_text('"""Flown."""\n__version__ = "2.5"\n')

    client.run("publish")

    assert set(files_of(server, "flown")) == {"flown-2.5-py2.py3-none-any.whl", "flown-2.5.tar.gz"} or set(
        files_of(server, "flown")
    ) == {"flown-2.5-py3-none-any.whl", "flown-2.5.tar.gz"}


@pytest.mark.parametrize("name", INSTALLERS)
def test_a_client_installs_a_package_and_its_dependency(name: str, server: Server, tmp_path: Path) -> None:
    twine = Client("twine", tmp_path / "publisher", server)
    twine.publish(Project(name="Dep.Lib", version="1.5"))
    twine.publish(Project(version="1.0.0", requires=["dep-lib>=1"]))
    client = Client(name, tmp_path / "home", server)

    target = client.install("Sample-Pkg==1.0")

    assert (target / "sample_pkg" / "__init__.py").read_text() == "VALUE = 1\n"
    assert (target / "dep_lib" / "__init__.py").exists()
    if name == "poetry":
        lock = tomllib.loads((client.home.work / "poetry.lock").read_text())
        assert {package["name"] for package in lock["package"]} == {"sample-pkg", "dep-lib"}


@pytest.mark.parametrize("name", ["pip", "uv"])
def test_a_new_version_is_seen_at_once_with_a_warm_cache(name: str, server: Server, tmp_path: Path) -> None:
    twine = Client("twine", tmp_path / "publisher", server)
    twine.publish(Project(version="1.0"), samples.wheel(Project(version="1.0")))
    client = Client(name, tmp_path / "home", server)
    client.install("sample-pkg")

    twine.publish(Project(version="1.1"), samples.wheel(Project(version="1.1", code="VALUE = 11\n")))
    target = client.install("sample-pkg")

    assert (target / "sample_pkg" / "__init__.py").read_text() == "VALUE = 11\n"


@pytest.mark.parametrize("name", ["pip", "uv"])
def test_installers_resolve_from_metadata_files(name: str, server: Server, tmp_path: Path) -> None:
    twine = Client("twine", tmp_path / "publisher", server)
    twine.publish(Project(), samples.wheel(Project()))
    client = Client(name, tmp_path / "home", server)

    client.install("sample-pkg")

    twine.publish(Project(version="9"), samples.wheel(Project(version="9")))  # later than what is looked for in the log
    server.stop()
    asked = [record["path"] for record in server.records() if record["method"] == "GET"]
    assert any(path.endswith("sample_pkg-1.0.0-py3-none-any.whl.metadata") for path in asked)


def test_pip_checks_hashes(server: Server, tmp_path: Path) -> None:
    twine = Client("twine", tmp_path / "publisher", server)
    twine.publish(Project(), samples.wheel(Project()))
    digest = files_of(server, "sample-pkg")["sample_pkg-1.0.0-py3-none-any.whl"]["hashes"]["sha256"]  # type: ignore[index]
    pip = Client("pip", tmp_path / "home", server)
    wanted = pip.home.work / "requirements.txt"

    wanted.write_text(f"sample-pkg==1.0.0 --hash=sha256:{digest}\n")
    pip.run("download", "--require-hashes", "--index-url", pip.index, "-d", "out", "-r", str(wanted))
    wanted.write_text(f"sample-pkg==1.0.0 --hash=sha256:{'0' * 64}\n")
    said = pip.run("download", "--require-hashes", "--index-url", pip.index, "-d", "o2", "-r", str(wanted), ok=False)

    assert "DO NOT MATCH" in said


def test_pip_passes_over_a_yanked_version_unless_pinned(server: Server, tmp_path: Path) -> None:
    twine = Client("twine", tmp_path / "publisher", server)
    for version in ("1.0", "2.0"):
        twine.publish(Project(version=version), samples.wheel(Project(version=version)))
    server.request(
        "POST", server.endpoint("pypi") + "simple/sample-pkg/2.0/?yanked=true&reason=broken", token=server.token()
    )
    pip = Client("pip", tmp_path / "home", server)

    loose = pip.install("sample-pkg")
    assert (loose / "sample_pkg-1.0.dist-info").exists()
    said = pip.run("install", "--target", str(tmp_path / "t2"), "--index-url", pip.index, "sample-pkg==2.0")

    assert "yanked" in said
    assert "broken" in said


def test_uv_locks_size_hash_and_upload_time(server: Server, tmp_path: Path) -> None:
    twine = Client("twine", tmp_path / "publisher", server)
    twine.publish(Project())
    uv = Client("uv", tmp_path / "home", server)
    (uv.home.work / "pyproject.toml").write_text(
        '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["sample-pkg"]\n'
        f'[[tool.uv.index]]\nname = "pky"\nurl = "{uv.endpoint}simple/"\ndefault = true\n'
    )
    uv.home.extra |= {"UV_INDEX_PKY_USERNAME": "aws", "UV_INDEX_PKY_PASSWORD": uv.token}
    del uv.home.extra["UV_NO_CONFIG"]

    uv.run("sync")

    locked = tomllib.loads((uv.home.work / "uv.lock").read_text())["package"]
    sample = next(package for package in locked if package["name"] == "sample-pkg")
    listed = files_of(server, "sample-pkg")["sample_pkg-1.0.0-py3-none-any.whl"]
    assert sample["wheels"][0]["size"] == listed["size"]
    assert sample["wheels"][0]["hash"] == f"sha256:{listed['hashes']['sha256']}"  # type: ignore[index]
    assert sample["wheels"][0]["upload-time"]
    assert sample["sdist"]["url"].endswith("/sample_pkg-1.0.0.tar.gz")


def test_uv_skips_what_the_index_has(server: Server, tmp_path: Path) -> None:
    uv = Client("uv", tmp_path / "home", server)
    uv.publish(Project())

    said = uv.run("publish", "--trusted-publishing", "never", "--check-url", uv.index, "dist/*")

    assert "already exists, skipping" in said


def test_pip_installs_from_an_sdist_alone(server: Server, tmp_path: Path) -> None:
    twine = Client("twine", tmp_path / "publisher", server)
    twine.publish(Project(), samples.sdist(Project()))
    pip = Client("pip", tmp_path / "home", server)

    pip.run("download", "--no-deps", "--no-build-isolation", "--index-url", pip.index, "-d", "out", "sample-pkg")

    assert (pip.home.work / "out" / "sample_pkg-1.0.0.tar.gz").read_bytes() == samples.sdist(Project())[1]


def test_wrong_tokens_are_told(server: Server, tmp_path: Path) -> None:
    twine = Client("twine", tmp_path / "home", server)
    twine.home.extra["TWINE_PASSWORD"] = "wrong"

    said = twine.publish(Project(), ok=False)

    assert "401 Unauthorized" in said


@pytest.mark.parametrize("name", INSTALLERS)
def test_a_client_installs_through_a_connection_and_again_without_it(name: str, pair: Pair, tmp_path: Path) -> None:
    back = Client("twine", tmp_path / "publisher", pair.back, "main", "pub")
    back.publish(Project(requires=["dep-lib"]))
    back.publish(Project(name="dep-lib"))

    first = Client(name, tmp_path / "first", pair.front).install("sample-pkg")
    assert (first / "dep_lib" / "__init__.py").exists()
    pair.back.stop()
    second = Client(name, tmp_path / "second", pair.front).install("sample-pkg")

    assert (second / "dep_lib" / "__init__.py").exists()
    listed = pair.front.boto().list_package_versions(
        domain="dom", repository="pypi-store", format="pypi", package="sample-pkg"
    )
    assert [version["version"] for version in listed["versions"]] == ["1.0.0"]


def test_pip_shows_an_index_in_json(server: Server, tmp_path: Path) -> None:
    twine = Client("twine", tmp_path / "publisher", server)
    for version in ("1.0", "1.10", "1.9"):
        twine.publish(Project(version=version), samples.wheel(Project(version=version)))
    pip = Client("pip", tmp_path / "home", server)

    said = json.loads(pip.run("index", "versions", "--json", "--index-url", pip.index, "sample-pkg").splitlines()[0])

    assert said["versions"] == ["1.10", "1.9", "1.0"]
