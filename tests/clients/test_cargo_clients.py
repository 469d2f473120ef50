"""Unmodified cargo, of two generations, against a real server."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.chains.town import settle
from tests.clients.sandbox import Home, tool
from tests.harness import Pair, Server
from tests.samples import cargo as samples

pytestmark = [pytest.mark.clients, pytest.mark.slow]

NOWHERE = "http://127.0.0.1:9"
CARGOS = ["1.85", "current"]
_numbers = itertools.count()


@dataclass
class Cargo:
    """One cargo with a home of its own, set up for one repository as the guide has it."""

    folder: Path
    server: Server
    repo: str
    version: str = "current"
    domain: str = "dom"
    token: str | None = None
    stdout: bool = False
    replace: bool = True
    home: Home = field(init=False)

    def __post_init__(self) -> None:
        self.binary = tool("cargo185/cargo") if self.version == "1.85" else tool("cargo", or_path="cargo")
        self.secret = self.server.token(self.domain) if self.token is None else self.token
        self.endpoint = self.server.endpoint("cargo", self.repo, self.domain)
        self.home = Home(self.folder, {
            "CARGO_HOME": str(self.folder / ".cargo"),
            "RUSTUP_HOME": os.environ.get("RUSTUP_HOME") or str(Path.home() / ".rustup"),
            "CARGO_TERM_COLOR": "never", "CARGO_NET_RETRY": "0",
            **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), NOWHERE),
            "no_proxy": "127.0.0.1,localhost",
        })  # fmt: skip
        cargo = self.folder / ".cargo"
        cargo.mkdir()
        provider = '"cargo:token"'
        if self.stdout:
            (self.folder / "token").write_text(f"{self.secret}\n")
            provider = f'["cargo:token-from-stdout", "cat", "{self.folder}/token"]'
        elif self.secret:
            (cargo / "credentials.toml").write_text(f'[registries.pky]\ntoken = "Bearer {self.secret}"\n')
        source = '[source.crates-io]\nreplace-with = "pky"\n' if self.replace else ""
        (cargo / "config.toml").write_text(
            f'[registries.pky]\nindex = "sparse+{self.endpoint}"\ncredential-provider = {provider}\n'
            f'[registry]\ndefault = "pky"\n{source}'
        )

    def run(self, *arguments: str, ok: bool = True, at: str = "") -> str:
        """Both outputs."""
        done = self.home.run([self.binary, *arguments], ok=ok, cwd=self.home.work / at)
        assert ok or done.returncode, f"cargo was expected to fail\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def project(self, name: str, version: str = "1.0.0", more: str = "", *, code: str = "", main: bool = False) -> str:
        """A project's folder below the work folder."""
        folder = self.home.work / name
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "src").mkdir(parents=True)
        (folder / "Cargo.toml").write_bytes(
            samples.manifest(name, version, 'description = "A crate"\nlicense = "MIT"\nreadme = "README.md"\n')
            + more.encode()
        )
        (folder / "README.md").write_text(f"# {name}\n")
        if "links =" in more:
            (folder / "build.rs").write_text("fn main() {}\n")
        (folder / "src" / ("main.rs" if main else "lib.rs")).write_text(code or "pub fn f() -> u8 { 7 }\n")
        return name

    def publish(self, name: str, version: str = "1.0.0", more: str = "", *, code: str = "", ok: bool = True) -> str:
        at = self.project(name, version, more, code=code)
        return self.run("publish", "--no-verify", "--allow-dirty", at=at, ok=ok)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """`front`'s public:crates-io is `back`, asked again every time."""
    tool("cargo", or_path="cargo")
    quotas = {"repositories_per_domain": 10_000}
    with Server(tmp_path_factory.mktemp("back"), settings={"quotas": quotas}) as back:
        back.make("pub", "main")
        address = back.endpoint("cargo", "main", "pub", token=back.token("pub"))
        settings = {"upstreams": {"listing_age": 0, "negative_age": 0}, "quotas": quotas}
        folder = tmp_path_factory.mktemp("front")
        with Server(folder, settings=settings, connections={"public:crates-io": address}) as front:
            yield Pair(front.make("dom"), back)


@pytest.fixture
def repo(pair: Pair) -> str:
    """A fresh repository of `front`."""
    name = f"repo-{next(_numbers)}"
    pair.front.make("dom", name)
    return name


def connected(pair: Pair, repo: str) -> str:
    """A repository with the connection, above the given one."""
    store = f"{repo}-store"
    pair.front.make("dom", store)
    client = pair.front.boto()
    client.associate_external_connection(domain="dom", repository=store, externalConnection="public:crates-io")
    client.update_repository(domain="dom", repository=repo, upstreams=[{"repositoryName": store}])
    return store


@pytest.mark.parametrize("version", CARGOS)
def test_what_is_published_is_added_built_and_locked(pair: Pair, repo: str, tmp_path: Path, version: str) -> None:
    publisher = Cargo(tmp_path / "one", pair.front, repo, version, stdout=version == "1.85")

    publisher.publish("base-lib", "0.3.1+build.5", "[features]\nextra = []\n")
    publisher.publish("win-lib", "0.1.0")
    out = publisher.publish(
        "Top_Lib",
        "1.0.0",
        'links = "toplib"\nrust-version = "1.70"\n'
        '[build-dependencies]\nalias = { package = "base-lib", version = "0.3", registry = "pky" }\n'
        '[dependencies.alias]\npackage = "base-lib"\nversion = "0.3"\noptional = true\nregistry = "pky"\n'
        'features = ["extra"]\n'
        '[target."cfg(windows)".dependencies]\nwin-lib = { version = "0.1", default-features = false }\n'
        '[features]\ndefault = []\nfast = ["dep:alias"]\n',
        code="pub fn seven() -> u8 { 7 }\n",
    )

    assert "Published Top_Lib v1.0.0" in out
    index = pair.front.get(publisher.endpoint + samples.path("Top_Lib"), token=publisher.secret)
    line = samples.lines(index.body)["1.0.0"]
    assert (line["links"], line["rust_version"], line["v"]) == ("toplib", "1.70", 2)
    assert line["features2"] == {"fast": ["dep:alias"]}
    assert sorted((d["name"], d["package"], d["kind"], d["target"], bool(d["registry"])) for d in line["deps"]) == [
        ("alias", "base-lib", "build", None, False),
        ("alias", "base-lib", "normal", None, False),
        ("win-lib", None, "normal", "cfg(windows)", True),  # named as the public registry, replaced or not
    ]

    user = Cargo(tmp_path / "two", pair.front, repo, version)
    app = user.project("app", main=True, code='fn main() { println!("{}", Top_Lib::seven()); }\n')
    user.run("add", "Top_Lib", "--features", "fast", at=app)
    assert user.run("run", "-q", at=app).endswith("7\n")
    lock = (user.home.work / app / "Cargo.lock").read_text()
    assert 'name = "base-lib"\nversion = "0.3.1+build.5"' in lock
    assert line["cksum"] in lock


@pytest.mark.parametrize("version", CARGOS)
def test_a_program_is_installed_and_a_yanked_one_only_by_its_lock(
    pair: Pair, repo: str, tmp_path: Path, version: str
) -> None:
    publisher = Cargo(tmp_path / "one", pair.front, repo, version)
    publisher.publish("greeting")
    publisher.publish("greeting", "1.1.0")
    publisher.project("hello", more='[dependencies]\ngreeting = "1"\n', main=True,
                      code='fn main() { println!("{}", greeting::f()); }\n')  # fmt: skip
    publisher.run("publish", "--no-verify", "--allow-dirty", at="hello")

    user = Cargo(tmp_path / "two", pair.front, repo, version)
    user.run("install", "hello", "--root", str(tmp_path / "bin"))
    assert user.home.run([str(tmp_path / "bin" / "bin" / "hello")]).stdout == "7\n"

    at = user.project("app", more='[dependencies]\ngreeting = "1"\n')
    user.run("generate-lockfile", at=at)
    publisher.run("yank", "greeting@1.1.0")
    shutil.rmtree(tmp_path / "two" / ".cargo" / "registry")
    assert "greeting v1.1.0" in user.run("fetch", "--locked", at=at)
    user.run("update", at=at)
    assert 'version = "1.1.0"' not in (user.home.work / at / "Cargo.lock").read_text()

    publisher.run("yank", "--undo", "greeting@1.1.0")
    user.run("update", at=at)
    assert 'name = "greeting"\nversion = "1.1.0"' in (user.home.work / at / "Cargo.lock").read_text()


def test_search_owners_info_and_login(pair: Pair, repo: str, tmp_path: Path) -> None:
    user = Cargo(tmp_path / "one", pair.front, repo, token="")
    login = user.home.folder / "login"
    login.write_text(pair.front.token())

    user.home.run(["sh", "-c", f'"{user.binary}" login --registry pky < "{login}"'])
    user.publish("my-crate")

    assert 'my-crate = "1.0.0"' in user.run("search", "my_cr", "--registry", "pky")
    assert "A crate" in user.run("search", "my-crate", "--registry", "pky")
    assert "111122223333" in user.run("owner", "--list", "my-crate", "--registry", "pky")
    assert "decided by permissions policies" in user.run(
        "owner", "--add", "x", "my-crate", "--registry", "pky", ok=False
    )
    assert "version: 1.0.0" in user.run("info", "my-crate", "--registry", "pky")
    at = user.project("app")
    assert "Adding my-crate v1.0.0" in user.run("add", "my_crate", at=at)


def test_cargo_shows_why_something_is_refused(pair: Pair, repo: str, tmp_path: Path) -> None:
    user = Cargo(tmp_path / "one", pair.front, repo)
    user.publish("some-crate")

    again = user.publish("some-crate", ok=False)
    rival = user.publish("some_crate", ok=False)
    absent = user.run("yank", "some-crate@9.9.9", ok=False)

    assert "already exists" in again
    assert "status 409 Conflict): Package some_crate cannot be beside some-crate" in rival
    assert "status 404 Not Found): " in absent and "Version = 9.9.9" in absent
    wrong = Cargo(tmp_path / "two", pair.front, repo, token="no-token")
    at = wrong.project("app", more='[dependencies]\nsome-crate = "1"\n')
    out = wrong.run("fetch", at=at, ok=False)
    assert "token rejected for `pky`" in out
    assert "got 401" in out and '{"errors":[{"detail":' in out
    none = Cargo(tmp_path / "three", pair.front, repo, token="")
    assert "cargo login" in none.run(
        "fetch", at=none.project("app", more='[dependencies]\nsome-crate = "1"\n'), ok=False
    )


def test_public_crates_come_through_source_replacement_and_stay(pair: Pair, repo: str, tmp_path: Path) -> None:
    connected(pair, repo)
    public = Cargo(tmp_path / "public", pair.back, "main", domain="pub")
    public.publish("Low_Level", "0.2.0")
    public.publish("high-level", "1.0.0", '[dependencies]\nLow_Level = "0.2"\n')
    code = 'fn main() { println!("{}", high_level::f()); }\n'

    for home, version in (("first", "current"), ("second", "1.85")):
        user = Cargo(tmp_path / home, pair.front, repo, version)
        at = user.project("app", more='[dependencies]\nhigh-level = "1"\n', main=True, code=code)
        assert user.run("run", "-q", at=at) == "7\n"
        lock = (user.home.work / at / "Cargo.lock").read_text()
        assert 'name = "Low_Level"' in lock
        assert pair.front.host not in lock  # the public registry's own address, whoever stands in for it
        settle(pair.front)
        if home == "first":
            pair.front.boto().disassociate_external_connection(
                domain="dom", repository=f"{repo}-store", externalConnection="public:crates-io"
            )


def test_a_yank_in_the_public_registry_is_followed(pair: Pair, repo: str, tmp_path: Path) -> None:
    connected(pair, repo)
    public = Cargo(tmp_path / "public", pair.back, "main", domain="pub")
    public.publish("waverer", "1.0.0")
    public.publish("waverer", "1.0.1")
    user = Cargo(tmp_path / "user", pair.front, repo)
    at = user.project("app", more='[dependencies]\nwaverer = "1"\n')
    user.run("fetch", at=at)
    settle(pair.front)

    public.run("yank", "waverer@1.0.1")
    user.run("fetch", "--locked", at=at)
    user.run("update", at=at)

    assert 'name = "waverer"\nversion = "1.0.0"' in (user.home.work / at / "Cargo.lock").read_text()


def test_a_public_version_cannot_be_published_again(pair: Pair, repo: str, tmp_path: Path) -> None:
    connected(pair, repo)
    public = Cargo(tmp_path / "public", pair.back, "main", domain="pub")
    public.publish("occupied")

    out = Cargo(tmp_path / "user", pair.front, repo).publish("occupied", ok=False)

    assert "already exists" in out


def test_a_login_is_all_that_cargo_needs(pair: Pair, repo: str, tmp_path: Path) -> None:
    user = Cargo(tmp_path / "one", pair.front, repo, token="")
    for name in ("config.toml", "credentials.toml"):
        (tmp_path / "one" / ".cargo" / name).unlink(missing_ok=True)
    keys = {
        "AWS_ACCESS_KEY_ID": pair.front.access_key,
        "AWS_SECRET_ACCESS_KEY": pair.front.secret_key,
        "AWS_ENDPOINT_URL": pair.front.url,
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }

    command = [sys.executable, "-m", "registry", "login", "cargo", "--domain", "dom", "--repository", repo]
    user.home.run(command, env=keys)
    user.publish("logged-in")
    at = user.project("app")
    user.run("add", "logged-in", at=at)

    assert "logged-in v1.0.0" in user.run("tree", at=at)
