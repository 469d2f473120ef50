"""Unmodified gem and Bundler of three generations against a real server."""

from __future__ import annotations

import itertools
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.clients.sandbox import ROOT, Home, tool
from tests.harness import Pair, Server
from tests.samples.base import Shop
from tests.samples.ruby import Gem, push

pytestmark = [pytest.mark.clients, pytest.mark.slow]

PUBLIC = "public:ruby-gems-org"
GENERATIONS = {"3.3": "ruby", "3.6": "rubygems-next/bin", "current": "rubygems-current/bin"}
_numbers = itertools.count()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with Server(tmp_path_factory.mktemp("back")) as back:
        back.make("pub", "main")
        address = back.endpoint("ruby", "main", "pub", token=back.token("pub"))
        settings = {"upstreams": {"listing_age": 0, "negative_age": 0}}
        with Server(tmp_path_factory.mktemp("front"), settings=settings, connections={PUBLIC: address}) as front:
            yield Pair(front.make("dom"), back)


@dataclass
class Client:
    """gem and bundle of one generation, with a home of their own and a fresh repository."""

    generation: str
    folder: Path
    server: Server
    aws: Any = None
    repo: str = ""
    home: Home = field(init=False)

    def __post_init__(self) -> None:
        folder = GENERATIONS[self.generation]
        self.gem_binary, self.bundle_binary = (
            tool(f"{folder}/{name}", or_path=name if folder == "ruby" else None) for name in ("gem", "bundle")
        )
        self.aws = self.server.boto()
        self.home = Home(self.folder, {
            "BUNDLE_USER_HOME": str(self.folder / ".bundle"), "GEM_SPEC_CACHE": str(self.folder / ".specs"),
            "RUBYGEMS_PREVENT_UPDATE_SUGGESTION": "true",
        })  # fmt: skip
        self.use(self.make("repo"))

    def make(self, name: str, *upstreams: str, connected: bool = False) -> str:
        full = f"{name}{next(_numbers)}"
        above = [{"repositoryName": each} for each in upstreams]
        self.aws.create_repository(domain="dom", repository=full, upstreams=above)
        if connected:
            self.aws.associate_external_connection(domain="dom", repository=full, externalConnection=PUBLIC)
        return full

    def use(self, repo: str) -> None:
        self.repo = repo
        self.token = self.server.token()
        self.endpoint = self.server.endpoint("ruby", repo)
        self.host = self.endpoint.rstrip("/")
        self.source = self.server.endpoint("ruby", repo, token=self.token)
        self.shop = Shop(self.server, "ruby", repo)

    def gem(self, *arguments: str, ok: bool = True, key: str | None = None) -> str:
        env = {} if key is None else {"GEM_HOST_API_KEY": key}
        done = self.home.run([self.gem_binary, *arguments], env=env, ok=ok)
        return done.stdout + done.stderr

    def remote(self, *arguments: str, ok: bool = True) -> str:
        return self.gem(*arguments, "--clear-sources", "--source", self.source, ok=ok)

    def install(self, *arguments: str) -> set[str]:
        """What is installed then."""
        target = self.folder / "gems"
        self.remote("install", *arguments, "--install-dir", str(target), "--no-document")
        return {each.name for each in (target / "gems").iterdir()}

    def project(self, *lines: str) -> Path:
        """A project whose gems come from the repository."""
        work = self.folder / f"project{next(_numbers)}"
        work.mkdir()
        (work / "Gemfile").write_text("\n".join([f'source "{self.endpoint}"', *lines]) + "\n")
        self.bundle(work, "config", "set", "--local", self.endpoint, f"aws:{self.token}")
        self.bundle(work, "config", "set", "--local", "path", "vendor")
        return work

    def bundle(self, work: Path, *arguments: str, ok: bool = True) -> str:
        done = self.home.run([self.bundle_binary, *arguments], cwd=work, ok=ok)
        assert ok or done.returncode, "the client was expected to fail"
        return done.stdout + done.stderr

    def write(self, gem: Gem) -> str:
        (self.home.work / gem.file).write_bytes(gem.build())
        return gem.file

    def asked(self, path: str) -> list[int]:
        """The statuses of all requests for a path below the endpoint, a marker waited for: lines come a little late."""
        marker = f"info/marker{next(_numbers)}"
        self.shop("GET", marker)
        end = time.monotonic() + 5
        while marker not in self.server.log.getvalue() and time.monotonic() < end:
            time.sleep(0.02)
        wanted = f"/{self.repo}/{path}"
        return [each["status"] for each in self.server.records() if str(each.get("path", "")).endswith(wanted)]


def generations(*names: str) -> pytest.MarkDecorator:
    """Not every fact is shown to every generation: each start of one takes half a second."""
    return pytest.mark.parametrize("client", names, indirect=True)


@pytest.fixture
def client(request: pytest.FixtureRequest, pair: Pair, tmp_path: Path) -> Client:
    return Client(request.param, tmp_path, pair.front)


@generations("3.3", "current")
def test_gem_pushes_and_is_told_what_came_of_it(client: Client) -> None:
    file = client.write(Gem(needs=[("dep", ["~> 1.0"], "runtime")]))
    credentials = client.folder / ".gem" / "credentials"
    credentials.parent.mkdir()
    credentials.write_text(f":codeartifact_api_key: Bearer {client.token}\n")
    credentials.chmod(0o600)

    first = client.gem("push", file, "--key", "codeartifact_api_key", "--host", client.host)
    again = client.gem("push", file, "--host", client.host + "/", key=client.token)
    client.write(Gem(summary="Another"))
    other = client.gem("push", file, "--host", client.host, key=f"Bearer {client.token}", ok=False)
    wrong = client.gem("push", file, "--host", client.host, key="wrong", ok=False)
    inline = client.gem("push", client.write(Gem(version="1.1")), "--host", client.source, key="any")

    assert "Successfully registered gem: hola (1.0.0)" in first
    assert "Gem was already pushed: hola (1.0.0)" in again
    assert "Repushing of gem versions is not allowed." in other
    assert "Access denied. The authorization token is invalid or has expired" in wrong
    assert "Successfully registered gem: hola (1.1)" in inline
    assert "Successfully deleted gem: hola (1.1)" in client.gem(
        "yank", "hola", "-v", "1.1", "--host", client.host, key=client.token
    )
    assert "This rubygem could not be found." in client.gem(
        "yank", "other", "-v", "1.1", "--host", client.host, key=client.token, ok=False
    )
    assert client.server.account in client.gem("owner", "hola", "--host", client.host, key=client.token)
    assert "policies" in client.gem("owner", "hola", "-a", "x", "--host", client.host, key=client.token, ok=False)


@generations("3.3", "current")
def test_gem_installs_lists_searches_and_fetches(client: Client) -> None:
    for gem in (
        Gem("hola", needs=[("dep", ["~> 1.0"], "runtime"), ("rake", [">= 0"], "development")]),
        Gem("dep"), Gem("dep", "1.10"), Gem("dep", "2.0"), Gem("hola", "1.1.a"),
        Gem("fast", platform="java"), Gem("fast", platform="x86_64-linux"), Gem("fast", "0.9"),
    ):  # fmt: skip
        assert push(client.shop, gem.build()).status == 200

    installed = client.install("hola", "fast")

    assert installed == {"hola-1.0.0", "dep-1.10", "fast-1.0.0-x86_64-linux"}
    assert "hola-1.1.a" in client.install("hola", "--pre")
    assert "dep-1.0.0" in client.install("dep", "-v", "1.0.0")
    listed = client.remote("list", "-r")
    assert "hola (1.0.0)" in listed
    assert "dep (2.0)" in listed
    assert "1.1.a" not in listed
    assert "dep (2.0, 1.10, 1.0.0)" in client.remote("list", "-ra", "^dep")
    assert "hola (1.1.a" in client.remote("search", "-r", "--pre", "ola")
    told = client.remote("specification", "-r", "hola", "-v", "1.0.0")
    assert "summary: Says hello" in told
    assert "homepage: https://example.com/hola" in told
    assert "dep (~> 1.0)" in client.remote("dependency", "-r", "hola", "-v", "1.0.0")
    client.remote("fetch", "fast", "--platform", "java")
    assert (client.home.work / "fast-1.0.0-java.gem").read_bytes() == Gem("fast", platform="java").build()
    assert "Could not find a valid gem 'absent'" in client.remote("install", "absent", ok=False)
    push(client.shop, Gem("new").build())
    assert "new (1.0.0)" in client.remote("list", "-r")  # within the second in which the client wrote its copy


@generations("3.3", "3.6", "current")
def test_bundler_follows_what_is_published_and_taken_away(client: Client) -> None:
    for gem in (Gem("hola", needs=[("dep", [">= 1", "< 3"], "runtime")]), Gem("dep"), Gem("fast", platform="java")):
        push(client.shop, gem.build())
    push(client.shop, Gem("fast", platform="x86_64-linux").build())
    work = client.project('gem "hola"', 'gem "fast"')

    client.bundle(work, "install")
    lock = (work / "Gemfile.lock").read_text()
    assert "    dep (1.0.0)\n" in lock
    assert "    fast (1.0.0-x86_64-linux)\n" in lock

    push(client.shop, Gem("dep", "2.0", ruby=(">= 2.0", "< 9")).build())
    push(client.shop, Gem("dep", "2.5", ruby=(">= 99",)).build())  # for a Ruby that is still to come
    assert re.search(r"dep +1\.0\.0 +2\.[05]", client.bundle(work, "outdated", ok=False))
    client.bundle(work, "update", "dep")
    assert "    dep (2.0)\n" in (work / "Gemfile.lock").read_text()

    client.aws.update_package_versions_status(
        domain="dom", repository=client.repo, format="ruby", package="dep", versions=["2.0"], targetStatus="Unlisted"
    )
    vendor = work / "vendor"
    vendor.rename(client.folder / "moved")
    client.bundle(work, "update", "hola", "dep")
    assert "    dep (1.0.0)\n" in (work / "Gemfile.lock").read_text()
    if client.generation != "3.3":
        client.bundle(work, "lock", "--add-checksums")
        assert "sha256=" in (work / "Gemfile.lock").read_text()


@generations("3.3", "current")
def test_bundler_reads_on_instead_of_reading_again(client: Client) -> None:
    for number in range(30):
        push(client.shop, Gem("hola", f"1.{number}").build())
    work = client.project('gem "hola"')
    client.bundle(work, "lock")
    push(client.shop, Gem("hola", "2.0").build())

    client.bundle(work, "lock", "--update")

    assert "    hola (2.0)\n" in (work / "Gemfile.lock").read_text()
    cache = next(client.folder.rglob("compact_index/*/versions"))
    assert cache.read_bytes() == client.shop("GET", "versions").body
    assert client.asked("versions")[:2] == [200, 206]
    assert client.asked("info/hola")[:2] == [200, 206]


@generations("3.3")
def test_the_full_index_and_many_dependencies_work_too(client: Client) -> None:
    names = [f"many{n}" for n in range(60)]
    for name in names:
        push(client.shop, Gem(name).build())
    push(client.shop, Gem("hola", needs=[(name, [">= 0"], "runtime") for name in names]).build())
    work = client.project('gem "hola"')

    client.bundle(work, "lock", "--full-index")

    assert (work / "Gemfile.lock").read_text().count("many") >= 120


@generations("3.3", "current")
def test_gems_come_from_the_public_registry_by_name(client: Client, pair: Pair) -> None:
    public = Shop(pair.back, "ruby", "main", "pub")
    word = f"word{next(_numbers)}"
    dep = f"dep{next(_numbers)}"
    for gem in (
        Gem(word, needs=[(dep, ["~> 1.2"], "runtime")]), Gem(word, "2.0.rc1"), Gem(dep, "1.2"), Gem(dep, "1.3"),
        Gem(dep, "2.0"), Gem(word, platform="x86_64-linux", needs=[(dep, ["~> 1.2"], "runtime")]),
    ):  # fmt: skip
        assert push(public, gem.build()).status == 200
    store = client.make("store", connected=True)
    client.use(client.make("repo", store))
    work = client.project(f'gem "{word}"')

    client.bundle(work, "install")

    lock = (work / "Gemfile.lock").read_text()
    assert f"    {dep} (1.3)\n" in lock
    assert f"    {word} (1.0.0" in lock
    client.use(client.make("again", store))
    installed = client.install(word)
    assert installed == {f"{word}-1.0.0-x86_64-linux", f"{dep}-1.3"}
    kept = client.aws.list_packages(domain="dom", repository=client.repo, format="ruby")["packages"]
    assert {each["package"] for each in kept} == {word, dep}


@generations("3.6")
def test_credentials_that_are_missing_or_wrong_are_asked_for_in_words(client: Client) -> None:
    push(client.shop, Gem().build())
    work = client.project('gem "hola"')
    client.bundle(work, "config", "unset", "--local", client.endpoint)

    missing = client.bundle(work, "install", ok=False)
    client.bundle(work, "config", "set", "--local", client.endpoint, "aws:wrong")
    wrong = client.bundle(work, "install", ok=False)

    assert "Authentication is required" in missing
    assert "Bad username or password" in wrong


@generations("3.3", "current")
def test_a_login_is_all_that_gem_and_bundler_need(client: Client) -> None:
    env = {
        "AWS_ACCESS_KEY_ID": client.server.access_key,
        "AWS_SECRET_ACCESS_KEY": client.server.secret_key,
        "AWS_ENDPOINT_URL": client.server.url,
        "PYTHONPATH": str(ROOT),
    }
    for name in ("gem", "bundler"):
        command = [sys.executable, "-m", "registry", "login", name, "--domain", "dom", "--repository", client.repo]
        client.home.run(command, env=env)

    file = client.write(Gem())
    assert "Successfully registered" in client.gem(
        "push", file, "--key", "codeartifact_api_key", "--host", client.endpoint
    )
    assert "Gem was already pushed" in client.gem("push", file, "--host", client.host)
    client.gem("install", "hola", "--install-dir", str(client.folder / "gems"), "--no-document")
    work = client.folder / "fresh"
    work.mkdir()
    (work / "Gemfile").write_text(f'source "{client.endpoint}"\ngem "hola"\n')
    client.bundle(work, "lock")
    assert "    hola (1.0.0)\n" in (work / "Gemfile.lock").read_text()
