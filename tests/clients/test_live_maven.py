"""The public Maven repository itself, through a fresh Packyard: a build, and the same again with the line cut."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.sandbox import Home, tool
from tests.harness import Server

pytestmark = [pytest.mark.live, pytest.mark.clients, pytest.mark.slow]

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>com.live</groupId><artifactId>app</artifactId><version>1</version>
<properties><maven.compiler.release>11</maven.compiler.release>
<project.build.sourceEncoding>UTF-8</project.build.sourceEncoding></properties>
<dependencies>
<dependency><groupId>com.google.guava</groupId><artifactId>guava</artifactId><version>33.0.0-jre</version></dependency>
<dependency><groupId>junit</groupId><artifactId>junit</artifactId><version>4.13.2</version><scope>test</scope></dependency>
</dependencies>
<build><plugins>
<plugin><artifactId>maven-compiler-plugin</artifactId><version>3.13.0</version></plugin>
<plugin><artifactId>maven-resources-plugin</artifactId><version>3.3.1</version></plugin>
<plugin><artifactId>maven-surefire-plugin</artifactId><version>3.2.5</version></plugin>
</plugins></build></project>
"""
TEST = """import static org.junit.Assert.assertEquals;
import com.google.common.base.Joiner;
public class AppTest {
  @org.junit.Test public void joins() { assertEquals("a,b", Joiner.on(',').join("a", "b")); }
}
"""


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Server]:
    """`repo` above a store with the built-in connection."""
    with Server(tmp_path / "data") as server:
        server.make("dom", "store", "repo", repo=["store"])
        server.boto().associate_external_connection(
            domain="dom", repository="store", externalConnection="public:maven-central"
        )
        yield server


@pytest.mark.parametrize("version", ["maven39/dist/bin/mvn", "maven3/bin/mvn"])
def test_a_project_builds_and_builds_again_with_the_connection_cut(live: Server, tmp_path: Path, version: str) -> None:
    mvn = tool(version, or_path="mvn")
    pom = "junit/junit/4.13.2/junit-4.13.2.pom"
    if live.get(live.endpoint("maven") + pom, token=live.token()).status != 200:
        pytest.skip("the public Maven repository does not answer")

    _build(mvn, Home(tmp_path / "first"), live)
    live.boto().disassociate_external_connection(
        domain="dom", repository="store", externalConnection="public:maven-central"
    )
    _build(mvn, Home(tmp_path / "second"), live)

    found = live.boto().list_packages(domain="dom", repository="repo", namespace="com.google.guava", format="maven")
    assert {"guava", "failureaccess"} <= {each["package"] for each in found["packages"]}


def _build(mvn: str, home: Home, server: Server) -> None:
    (home.work / "settings.xml").write_text(
        "<settings><servers><server><id>pky</id><username>aws</username>"
        f"<password>{server.token()}</password></server></servers><mirrors><mirror><id>pky</id>"
        f"<mirrorOf>*</mirrorOf><url>{server.endpoint('maven')}</url></mirror></mirrors></settings>"
    )
    (home.work / "pom.xml").write_text(POM)
    source = home.work / "src/test/java"
    source.mkdir(parents=True)
    (source / "AppTest.java").write_text(TEST)

    said = home.run(
        [mvn, "-B", "-ntp", "-C", "-s", "settings.xml", f"-Dmaven.repo.local={home.folder}/m2", "test"],
        env={"MAVEN_OPTS": f"-Duser.home={home.folder}"},
    ).stdout

    assert "Tests run: 1, Failures: 0" in said
