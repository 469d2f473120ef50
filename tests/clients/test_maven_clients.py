"""Unmodified Maven 3.8, 3.9 and 4, Gradle, Leiningen, Ivy and coursier against a real server.

A JVM takes seconds to start, so that each run is asked for many facts.  Plug-ins come from Debian's file repository.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from registry.login import java
from registry.login.changes import Place, apply, plan
from registry.login.session import Grant
from tests.clients.sandbox import Home, tool
from tests.harness import Server
from tests.samples.base import Shop
from tests.samples.maven import Artifact, deploy, deploy_snapshot, jar, metadata, pom, put

pytestmark = [pytest.mark.clients, pytest.mark.slow]

LIGHT = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto"
DEBIAN = "file:///usr/share/maven-repo"
MAVENS = {"3.8": ("maven3/bin/mvn", "mvn"), "3.9": ("maven39/dist/bin/mvn", None), "4": ("maven4/dist/bin/mvn", None)}
PLUGINS = {
    "resources": "3.3.0", "compiler": "3.10.1", "surefire": "2.22.3", "jar": "3.3.0", "install": "3.1.0",
    "deploy": "3.0.0",
}  # fmt: skip
DEPLOY = "org.apache.maven.plugins:maven-deploy-plugin:3.0.0:deploy-file"
RESOLVE = "org.apache.maven.plugins:maven-dependency-plugin:3.5.0:resolve"
_numbers = itertools.count()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("data")) as server:
        yield server.make("dom")


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A local repository in which plug-ins stay; ours are taken out again."""
    return tmp_path_factory.mktemp("m2")


@pytest.fixture
def shop(server: Server) -> Shop:
    repo = f"repo-{next(_numbers)}"
    server.make("dom", repo)
    return Shop(server, "maven", repo)


@dataclass
class Maven:
    """One generation, set up for a repository as the guide says."""

    version: str
    folder: Path
    shop: Shop
    local: Path
    home: Home = field(init=False)

    def __post_init__(self) -> None:
        relative, other = MAVENS[self.version]
        self.binary = tool(relative, or_path=other)
        if not Path(DEBIAN.removeprefix("file://")).exists():
            tool("maven3/plugins")
        token = self.shop.server.token()
        self.home = Home(self.folder, {"PKY_TOKEN": token, "MAVEN_OPTS": f"{LIGHT} -Duser.home={self.folder}"})
        central = "<id>central</id><url>https://central.invalid/</url><snapshots><enabled>false</enabled></snapshots>"
        quiet = "<releases><checksumPolicy>ignore</checksumPolicy></releases>"
        (self.home.work / "settings.xml").write_text(
            "<settings><servers><server><id>pky</id><username>aws</username><password>${env.PKY_TOKEN}</password>"
            f"</server></servers><mirrors><mirror><id>deb</id><mirrorOf>central</mirrorOf><url>{DEBIAN}</url></mirror>"
            "</mirrors><profiles><profile><id>deb</id>"
            f"<repositories><repository>{central}{quiet}</repository></repositories>"
            f"<pluginRepositories><pluginRepository>{central}{quiet}</pluginRepository></pluginRepositories>"
            "</profile></profiles><activeProfiles><activeProfile>deb</activeProfile></activeProfiles></settings>"
        )

    def run(self, *arguments: str, ok: bool = True, forget: str = "") -> str:
        """Both outputs; `forget` takes a group out of the local repository before."""
        if forget:
            shutil.rmtree(self.local / forget.replace(".", "/"), ignore_errors=True)
        command = [self.binary, "-B", "-ntp", "-s", "settings.xml", f"-Dmaven.repo.local={self.local}"]
        done = self.home.run([*command, *arguments], ok=ok)
        assert ok or done.returncode, "the client was expected to fail"
        return done.stdout + done.stderr

    def project(self, artifact: Artifact) -> None:
        """A project in the work folder that deploys to the repository and resolves from it."""
        place = f"<id>pky</id><url>{self.shop.endpoint}</url>"
        strict = "<enabled>true</enabled><updatePolicy>always</updatePolicy><checksumPolicy>fail</checksumPolicy>"
        pinned = "".join(
            f"<plugin><artifactId>maven-{name}-plugin</artifactId><version>{version}</version></plugin>"
            for name, version in PLUGINS.items()
        )
        extra = (
            f"<properties><maven.compiler.release>11</maven.compiler.release>"
            "<project.build.sourceEncoding>UTF-8</project.build.sourceEncoding></properties>"
            f"<distributionManagement><repository>{place}</repository></distributionManagement>"
            f"<repositories><repository>{place}<releases>{strict}</releases><snapshots>{strict}</snapshots></repository>"
            "</repositories>"
            f"<build><pluginManagement><plugins>{pinned}</plugins></pluginManagement></build>"
        )
        document = pom(Artifact(**{**vars_of(artifact), "extra": extra}))
        (self.home.work / "pom.xml").write_bytes(document)
        source = self.home.work / "src/main/java"
        source.mkdir(parents=True, exist_ok=True)
        (source / "A.java").write_text("public class A { public static final int ONE = 1; }\n")

    def put_file(self, artifact: Artifact, *classifiers: str, ok: bool = True) -> str:
        """`deploy:deploy-file` of a jar, its POM and further jars; since 3.9 all but the first in parallel."""
        work = self.home.work
        (work / "main.jar").write_bytes(jar(artifact))
        (work / "main.pom").write_bytes(pom(artifact))
        for each in classifiers:
            (work / f"{each}.jar").write_bytes(jar(artifact, each))
        joined = [
            f"-Dfiles={','.join(f'{each}.jar' for each in classifiers)}",
            f"-Dclassifiers={','.join(classifiers)}",
            f"-Dtypes={','.join('jar' for _ in classifiers)}",
        ]
        return self.run(
            DEPLOY, "-Dfile=main.jar", "-DpomFile=main.pom", f"-Durl={self.shop.endpoint}", "-DrepositoryId=pky",
            *(joined if classifiers else ()), ok=ok,
        )  # fmt: skip

    def holds(self, artifact: Artifact, ending: str = ".jar") -> bytes:
        """A file as it came into the local repository."""
        return (self.local / artifact.path(ending)).read_bytes()


def vars_of(artifact: Artifact) -> dict[str, object]:
    return {name: getattr(artifact, name) for name in Artifact.__dataclass_fields__}


def statuses(shop: Shop, artifact: Artifact) -> dict[str, str]:
    found = shop.server.boto().list_package_versions(
        domain="dom", repository=shop.repo, format="maven", namespace=artifact.group, package=artifact.name
    )
    return {each["version"]: each["status"] for each in found["versions"]}


def asked(shop: Shop) -> list[tuple[str, str, int]]:
    """(method, file name, status) of what came to the repository."""
    return [
        (each["method"], each["path"].rpartition("/")[2], each["status"])
        for each in shop.server.records()
        if f"/{shop.repo}/" in each.get("path", "")
    ]


def test_maven_3_8_deploys_a_project_and_another_resolves_it_from_below_by_a_range(
    shop: Shop, local: Path, tmp_path: Path
) -> None:
    lib = Artifact(group="com.three8")
    maven = Maven("3.8", tmp_path / "publisher", shop, local)
    maven.project(lib)
    maven.run("deploy")
    for version in ("1.9", "1.10", "2.0"):
        deploy(shop, Artifact(group="com.three8", version=version, packaging="jar"))
    below = Shop(shop.server, "maven", f"{shop.repo}-below")
    shop.server.make("dom", below.repo, **{below.repo.replace("-", "_"): [shop.repo]})
    user = Maven("3.8", tmp_path / "user", below, local)
    user.project(Artifact(group="com.user", dependencies=("com.three8:lib:[1.0,2.0)",)))

    said = user.run(RESOLVE, forget="com.three8")

    assert statuses(shop, lib)["1.0"] == "Published"
    # Of every version in the range Maven reads the POM; that retains them.
    assert statuses(below, lib) == dict.fromkeys(("1.0", "1.9", "1.10"), "Published")
    assert "com.three8:lib:jar:1.10:compile" in said
    assert "checksum" not in said.lower()
    assert user.holds(Artifact(group="com.three8", version="1.10")) == jar(Artifact(group="com.three8", version="1.10"))


@pytest.mark.parametrize(
    ("version", "transport"), [("3.9", "-Dmaven.resolver.transport=wagon"), ("4", "-Dmaven.resolver.transport=apache")]
)
def test_newer_mavens_deploy_in_parallel_and_resolve_snapshots(
    shop: Shop, local: Path, tmp_path: Path, version: str, transport: str
) -> None:
    group = f"com.maven{version.replace('.', '')}"
    lib = Artifact(group=group, version="1.0-SNAPSHOT")

    Maven(version, tmp_path / "publisher", shop, local).put_file(lib, "one", "two", "three")
    user = Maven(version, tmp_path / "user", shop, local)
    user.project(Artifact(group="com.user", dependencies=(f"{group}:lib:1.0-SNAPSHOT",)))
    # The transport that it does not take by itself.
    said = user.run(RESOLVE, transport, forget=group)

    assert sorted(statuses(shop, lib).values()) == ["Published", "Unlisted"]
    names = {name for method, name, status in asked(shop) if method == "PUT" and status == 201}
    assert {"maven-metadata.xml", "maven-metadata.xml.sha1", "maven-metadata.xml.md5"} <= names
    assert len([name for name in names if name.endswith(("-one.jar", "-two.jar", "-three.jar"))]) == 3
    assert f"{group}:lib:jar:1.0-" in said
    # The checksums in the heads of answers spare it asking for them; wagon does not see them.
    if version == "4":
        assert not [name for method, name, _ in asked(shop) if method == "GET" and name.endswith(".jar.sha1")]


def test_a_wrong_checksum_fails_the_build_at_its_metadata(shop: Shop, local: Path, tmp_path: Path) -> None:
    spoiled = Artifact(group="com.spoiled")
    put(shop, spoiled.path(), jar(spoiled))
    shop("PUT", spoiled.path(".jar.sha512"), b"0" * 128)

    refused = Maven("3.8", tmp_path / "home", shop, local).put_file(spoiled, ok=False)

    assert "400" in refused
    assert statuses(shop, spoiled) == {"1.0": "Unfinished"}


def test_gradle_resolves_a_range_after_a_login(shop: Shop, tmp_path: Path) -> None:
    gradle = tool("gradle/bin/gradle", or_path="gradle")
    for version in ("1.0", "1.5", "2.0"):
        deploy(shop, Artifact(group="com.gradle", version=version))
    home = Home(tmp_path, {"JAVA_TOOL_OPTIONS": LIGHT, "GRADLE_USER_HOME": str(tmp_path / "gradle")})
    grant = Grant(shop.endpoint, shop.server.token(), datetime.now(UTC))
    apply(plan(java.gradle(Place(tmp_path, home.extra), grant, "")))
    (home.work / "settings.gradle").write_text("")
    (home.work / "build.gradle").write_text(
        "configurations { wanted }\ndependencies { wanted 'com.gradle:lib:[1.0,2.0)' }\n"
        "task get(type: Copy) { from configurations.wanted; into 'out' }\n"
    )

    home.run([gradle, "--no-daemon", "-q", "get"])

    assert [each.name for each in (home.work / "out").iterdir()] == ["lib-1.5.jar"]


def test_leiningen_deploys_its_jar_before_the_pom(shop: Shop, tmp_path: Path) -> None:
    lein = tool("lein/bin/lein", or_path="lein")
    home = Home(tmp_path, {"PKY_TOKEN": shop.server.token(), "LEIN_JVM_OPTS": LIGHT, "JVM_OPTS": LIGHT})
    (home.work / "project.clj").write_text(
        "(require 'cemerick.pomegranate.aether)\n"
        '(cemerick.pomegranate.aether/register-wagon-factory! "http"'
        " #(org.apache.maven.wagon.providers.http.HttpWagon.))\n"
        '(defproject com.lein/lib "1.0" :description "x" :dependencies [] :local-repo "m2"\n'
        f'  :mirrors {{"central" {{:name "deb" :url "{DEBIAN}" :checksum :ignore}}\n'
        f'            "clojars" {{:name "deb" :url "{DEBIAN}" :checksum :ignore}}}}\n'
        f'  :deploy-repositories [["pky" {{:url "{shop.endpoint}" :username "aws" :password :env/pky_token\n'
        "                                :sign-releases false}]])\n"
    )

    home.run([lein, "deploy", "pky"], env={"LEIN_HOME": str(tmp_path / "lein"), "LEIN_ROOT": "1"})

    assert statuses(shop, Artifact(group="com.lein")) == {"1.0": "Published"}


def test_ivy_resolves_a_range_and_asks_for_heads_first(shop: Shop, tmp_path: Path) -> None:
    libraries = [f"/usr/share/java/{name}.jar" for name in
                 ("ivy", "commons-cli", "httpclient", "httpcore", "commons-logging", "commons-codec")]  # fmt: skip
    if not Path(libraries[0]).exists():
        tool("ivy/ivy.jar")
    for version in ("1.0", "1.10"):
        deploy(shop, Artifact(group="com.ivy", version=version))
    home = Home(tmp_path)
    (home.work / "settings.xml").write_text(
        '<ivysettings><settings defaultResolver="pky"/><credentials host="127.0.0.1" realm="packyard" username="aws"'
        f' passwd="{shop.server.token()}"/><caches defaultCacheDir="{tmp_path}/ivy"/><resolvers><ibiblio name="pky"'
        f' m2compatible="true" root="{shop.endpoint}"/></resolvers></ivysettings>'
    )

    home.run(
        ["java", *LIGHT.split(), "-cp", os.pathsep.join(libraries), "org.apache.ivy.Main", "-settings", "settings.xml",
         "-dependency", "com.ivy", "lib", "[1.0,)", "-retrieve", "out/[artifact]-[revision].[ext]"]
    )  # fmt: skip

    assert (home.work / "out/lib-1.10.jar").read_bytes() == jar(Artifact(group="com.ivy", version="1.10"))
    assert "HEAD" in {method for method, _, _ in asked(shop)}


def test_coursier_resolves_ranges_and_snapshots(shop: Shop, tmp_path: Path) -> None:
    libraries = tool("coursier/lib")
    for version in ("1.0", "1.5"):
        deploy(shop, Artifact(group="com.coursier", version=version))
    snapshot = Artifact(
        group="com.coursier", name="snap", version="1.0-SNAPSHOT", dependencies=("com.coursier:lib:1+",)
    )
    deploy_snapshot(shop, snapshot, "20260101.120000", 1)
    home = Home(tmp_path, {"COURSIER_CACHE": str(tmp_path / "cache")})
    (home.work / "credentials").write_text(
        f"p.username=aws\np.password={shop.server.token()}\np.host=127.0.0.1\np.realm=packyard\np.https-only=false\n"
    )

    said = home.run(
        ["java", *LIGHT.split(), f"-Duser.home={tmp_path}", "-cp", f"{libraries}/*", "coursier.cli.Coursier", "fetch",
         "com.coursier:snap:1.0-SNAPSHOT", "--no-default", "-r", shop.endpoint, "--credential-file", "credentials"]
    )  # fmt: skip

    found = {Path(line).name: Path(line).read_bytes() for line in said.stdout.split()}
    assert found == {
        "lib-1.5.jar": jar(Artifact(group="com.coursier", version="1.5")),
        "snap-1.0-SNAPSHOT.jar": jar(snapshot),
    }


def test_curl_publishes_as_the_guide_says(shop: Shop, tmp_path: Path) -> None:
    curl = tool("curl/bin/curl", or_path="curl")
    home, lib = Home(tmp_path), Artifact(group="com.mycompany.app", name="my-app")
    for path, body in ((lib.path(), jar(lib)), (lib.path(".pom"), pom(lib)), (lib.metadata, metadata(lib))):
        (home.work / "body").write_bytes(body)
        said = home.run(
            [curl, "-sS", "--fail", "--request", "PUT", shop.endpoint + path, "--user", f"aws:{shop.server.token()}",
             "--header", "Content-Type: application/octet-stream", "--data-binary", "@body", "-w", "%{http_code}"]
        )  # fmt: skip
        assert said.stdout == "201"

    found = shop.server.boto().list_package_version_assets(
        domain="dom", repository=shop.repo, format="maven", namespace=lib.group, package=lib.name, packageVersion="1.0"
    )["assets"]

    assert statuses(shop, lib) == {"1.0": "Published"}
    assert {each["name"]: each["hashes"]["SHA-1"] for each in found} == {
        "my-app-1.0.jar": hashlib.sha1(jar(lib)).hexdigest(),
        "my-app-1.0.pom": hashlib.sha1(pom(lib)).hexdigest(),
    }
    assert re.search("<release>1.0<", shop("GET", lib.metadata).text)
