"""What is read out of a POM, and what a stranger's cannot do."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.maven import metadata, pom
from protocols.maven.order import sort_key
from protocols.maven.xmltext import LIMIT
from registry.core.types import Dependency, License, Listed, Listing, PackageKey, Stamp, Status

WHOLE = b"""<?xml version="1.0" encoding="ISO-8859-1"?>
<!DOCTYPE project [<!ENTITY secret SYSTEM "file:///etc/passwd"><!ENTITY lol "ha">]>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <parent><groupId>com.acme</groupId><artifactId>parent</artifactId><version>3</version></parent>
  <artifactId>lib</artifactId><version>${revision}</version>
  <properties><revision>1.0</revision><dep.version>2.${minor}</dep.version><minor>7</minor><loop>${loop}x</loop></properties>
  <name>L\xf6b ${project.version}</name><description>&secret;</description><url>http://lib.test/${loop}</url>
  <licenses><license><name>MIT</name><url>http://mit.test/</url></license><license><name/></license></licenses>
  <scm><connection>scm:git:https://code.test/lib.git</connection></scm>
  <dependencyManagement><dependencies><dependency><groupId>m</groupId><artifactId>managed</artifactId><version>1</version>
  </dependency></dependencies></dependencyManagement>
  <dependencies>
    <dependency><groupId>a</groupId><artifactId>plain</artifactId><version>${dep.version}</version></dependency>
    <dependency><groupId>${project.groupId}</groupId><artifactId>test</artifactId><version>[1,2)</version>
      <scope>test</scope></dependency>
    <dependency><groupId>a</groupId><artifactId>extra</artifactId><optional>true</optional></dependency>
    <dependency><groupId>a</groupId></dependency>
  </dependencies>
</project>"""


def test_facts_are_read_from_this_pom_alone() -> None:
    facts, kept = pom.parse(WHOLE)

    assert facts.display == "L\xf6b 1.0"
    assert facts.summary == ""
    assert facts.homepage.startswith("http://lib.test/${loop}")
    assert facts.source == "https://code.test/lib.git"
    assert facts.licenses == (License("MIT", "http://mit.test/"),)
    assert facts.dependencies == (
        Dependency("com.acme", "parent", "parent", "3"),
        Dependency("a", "plain", "compile", "2.7"),
        Dependency("com.acme", "test", "test", "[1,2)"),
        Dependency("a", "extra", "optional", ""),
    )
    assert kept.packaging == "jar"
    assert pom.project(pom.native(kept)) == kept


def test_a_pom_without_namespace_or_with_a_byte_order_mark_is_read() -> None:
    facts, kept = pom.parse(b"\xef\xbb\xbf<project><name>x</name><packaging>maven-plugin</packaging></project>")

    assert (facts.display, kept.packaging) == ("x", "maven-plugin")


BOMB = b"<!DOCTYPE project [<!ENTITY a '" + b"x" * 1000 + b"'>" + b"".join(
    b"<!ENTITY %c '%s'>" % (98 + n, b"&%c;" % (97 + n) * 50) for n in range(8)
) + b"]><project><name>&i;</name></project>"  # fmt: skip


def test_entities_are_never_expanded() -> None:
    one, _ = pom.parse(b"<!DOCTYPE project [<!ENTITY a 'x'>]><project><name>&a;</name></project>")
    begun = time.process_time()
    with pytest.raises(ValueError, match="not XML"):
        pom.parse(BOMB)

    assert one.display == ""
    assert time.process_time() - begun < 1


def test_properties_that_grow_do_not_grow_far() -> None:
    doubling = "".join(f"<p{n}>${{p{n + 1}}}${{p{n + 1}}}</p{n}>" for n in range(40))
    facts, _ = pom.parse(
        f"<project><properties>{doubling}<p40>x</p40></properties><description>${{p0}}</description></project>".encode()
    )

    assert len(facts.summary) <= 1000


@pytest.mark.parametrize("body", [b"", b"x", b"<html/>", b"<project>", b"<project>" + b"<a>" * 100_000, b"\0" * 50])
def test_what_is_no_pom_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        pom.parse(body)


def test_a_document_of_unusual_size_is_not_read() -> None:
    with pytest.raises(ValueError, match="larger"):
        metadata.parse(b"<metadata>" + b" " * LIMIT + b"</metadata>")


def test_metadata_tells_versions_builds_and_plugins() -> None:
    document = metadata.parse(
        b"<metadata><groupId>g</groupId><artifactId>a</artifactId><version>1-SNAPSHOT</version><versioning>"
        b"<latest>3</latest><release>2</release><versions><version>1</version><version>2</version></versions>"
        b"<snapshot><timestamp>20210728.194552</timestamp><buildNumber>4</buildNumber></snapshot><snapshotVersions>"
        b"<snapshotVersion><classifier>c</classifier><extension>jar</extension><value>v</value></snapshotVersion>"
        b"</snapshotVersions></versioning><plugins><plugin><name>n</name><prefix>p</prefix><artifactId>x</artifactId>"
        b"</plugin><plugin><prefix>q</prefix></plugin></plugins></metadata>"
    )

    assert document.versions == ("1", "2", "3")
    assert (document.time, document.number, document.builds) == ("20210728.194552", "4", (("v", "c", "jar"),))
    assert document.plugins == (metadata.Plugin("p", "x", "n"),)


@pytest.mark.parametrize(
    ("artifact", "prefix"),
    [("maven-jar-plugin", "jar"), ("jetty-maven-plugin", "jetty"), ("odd-plugin", "odd"), ("odd", "odd")],
)
def test_a_plugin_s_prefix_follows_from_its_name(artifact: str, prefix: str) -> None:
    assert metadata.conventional_prefix(artifact) == prefix


@given(
    st.lists(st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,2}(-(rc|beta)[0-9])?", fullmatch=True), min_size=1, unique=True)
)
def test_what_is_rendered_is_read_back(names: list[str]) -> None:
    ordered = sorted(names, key=sort_key)
    listed = tuple(Listed(each, each, Status.PUBLISHED, b"", (), 1, sort_key(each)) for each in ordered)
    package = PackageKey("maven", "com.a&b", "<lib>")
    body = metadata.versions(Listing(package, "lib", listed, (), {}, Stamp(1)))

    assert body is not None
    document = metadata.parse(body)
    assert document.versions == tuple(ordered)
    assert (document.group, document.artifact) == ("com.a&b", "<lib>")
