"""Builds Maven artifacts and the requests of `mvn deploy` (3.8: each file with its checksums, the metadata last)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.harness import Answer
from tests.samples.base import Shop
from tests.samples.pypi import zipped


@dataclass(frozen=True)
class Artifact:
    """A version.  `dependencies` are `group:artifact:version[:scope]`; `classifiers` have jars of their own."""

    group: str = "com.example"
    name: str = "lib"
    version: str = "1.0"
    packaging: str = "jar"
    dependencies: Sequence[str] = ()
    classifiers: Sequence[str] = ()
    marker: str = ""
    extra: str = ""

    @property
    def folder(self) -> str:
        """The artifact's path, ending in a slash."""
        return f"{self.group.replace('.', '/')}/{self.name}/"

    def path(self, ending: str = ".jar", *, build: str = "") -> str:
        """A file's path below the endpoint; `build` names the build of a snapshot."""
        shown = self.version.removesuffix("SNAPSHOT") + build if build else self.version
        return f"{self.folder}{self.version}/{self.name}-{shown}{ending}"

    @property
    def metadata(self) -> str:
        return f"{self.folder}maven-metadata.xml"


def pom(artifact: Artifact) -> bytes:
    """A POM that Maven takes."""
    listed = "".join(_dependency(each) for each in artifact.dependencies)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        f"<groupId>{artifact.group}</groupId><artifactId>{artifact.name}</artifactId>"
        f"<version>{artifact.version}</version><packaging>{artifact.packaging}</packaging>"
        f"<name>The {artifact.name}</name><description>Made for tests</description><url>http://lib.test/</url>"
        "<licenses><license><name>MIT</name><url>http://mit.test/</url></license></licenses>"
        f"<dependencies>{listed}</dependencies>{artifact.extra}<!-- {artifact.marker} --></project>\n"
    ).encode()


def _dependency(text: str) -> str:
    group, name, version, *scope = text.split(":")
    told = f"<scope>{scope[0]}</scope>" if scope else ""
    return (
        f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId>"
        f"<version>{version}</version>{told}</dependency>"
    )


def jar(artifact: Artifact, classifier: str = "") -> bytes:
    """An archive of a few hundred bytes."""
    told = f"{artifact.group}:{artifact.name}:{artifact.version}:{classifier}:{artifact.marker}\n"
    return zipped({"META-INF/MANIFEST.MF": b"Manifest-Version: 1.0\n", "told.txt": told.encode()})


def files(artifact: Artifact) -> Iterator[tuple[str, bytes]]:
    """(ending, bytes), as Maven orders them."""
    yield ".pom", pom(artifact)
    if artifact.packaging != "pom":
        yield ".jar", jar(artifact)
    for each in artifact.classifiers:
        yield f"-{each}.jar", jar(artifact, each)


def metadata(artifact: Artifact, *versions: str) -> bytes:
    """What Maven sends of an artifact."""
    listed = "".join(f"<version>{each}</version>" for each in versions or (artifact.version,))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<metadata>'
        f"<groupId>{artifact.group}</groupId><artifactId>{artifact.name}</artifactId><versioning>"
        f"<release>{artifact.version}</release><versions>{listed}</versions>"
        "<lastUpdated>20260101000000</lastUpdated></versioning></metadata>\n"
    ).encode()


def snapshot_metadata(artifact: Artifact, time: str, number: int, endings: Sequence[str] = (".pom", ".jar")) -> bytes:
    """What Maven sends of a build."""
    value = artifact.version.removesuffix("SNAPSHOT") + f"{time}-{number}"
    listed = ""
    for ending in endings:
        classifier, _, extension = ending.removeprefix("-").partition(".")
        told = f"<classifier>{classifier}</classifier>" if classifier else ""
        listed += (
            f"<snapshotVersion>{told}<extension>{extension}</extension><value>{value}</value>"
            f"<updated>{time.replace('.', '')}</updated></snapshotVersion>"
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<metadata modelVersion="1.1.0">'
        f"<groupId>{artifact.group}</groupId><artifactId>{artifact.name}</artifactId>"
        f"<version>{artifact.version}</version><versioning><snapshot><timestamp>{time}</timestamp>"
        f"<buildNumber>{number}</buildNumber></snapshot><lastUpdated>{time.replace('.', '')}</lastUpdated>"
        f"<snapshotVersions>{listed}</snapshotVersions></versioning></metadata>\n"
    ).encode()


def put(shop: Shop, path: str, body: bytes, algorithms: Sequence[str] = ("sha1", "md5")) -> Answer:
    """A file and its checksums; the first refusal, else the answer to the file."""
    done = shop("PUT", path, body)
    for each in algorithms:
        if done.status >= 400:
            return done
        digest = hashlib.new(each, body, usedforsecurity=False).hexdigest().encode()
        told = shop("PUT", f"{path}.{each}", digest)
        if told.status >= 400:
            return told
    return done


def deploy(shop: Shop, artifact: Artifact, *, algorithms: Sequence[str] = ("sha1",)) -> Answer:
    """A release."""
    for ending, body in files(artifact):
        done = put(shop, artifact.path(ending), body, algorithms)
        if done.status >= 400:
            return done
    return put(shop, artifact.metadata, metadata(artifact), algorithms)


def deploy_snapshot(shop: Shop, artifact: Artifact, time: str, number: int) -> Answer:
    """A build of a snapshot."""
    endings = []
    for ending, body in files(artifact):
        endings.append(ending)
        done = put(shop, artifact.path(ending, build=f"{time}-{number}"), body, ("sha1",))
        if done.status >= 400:
            return done
    place = f"{artifact.folder}{artifact.version}/maven-metadata.xml"
    done = put(shop, place, snapshot_metadata(artifact, time, number, endings), ("sha1",))
    return done if done.status >= 400 else put(shop, artifact.metadata, metadata(artifact), ("sha1",))


class _Sample:
    """Implements tests.samples.base.Sample."""

    format = "maven"
    connection = "public:maven-central"
    dependency = "dep"
    readme = False

    def coordinates(self, word: str) -> tuple[str | None, str]:
        return f"com.example.{word}", word

    def publish(self, shop: Shop, word: str, version: str = "1.0.0", *, marker: str = "") -> Answer:
        return deploy(shop, self._artifact(word, version, marker))

    def index(self, word: str) -> str:
        return self._artifact(word).metadata

    def versions(self, answer: Answer, word: str) -> set[str]:
        return set(re.findall(r"<version>([^<]+)</version>", answer.text))

    def asset(self, word: str, version: str = "1.0.0") -> tuple[str, str]:
        return f"{word}-{version}.jar", self._artifact(word, version).path()

    def _artifact(self, word: str, version: str = "1.0.0", marker: str = "") -> Artifact:
        return Artifact(f"com.example.{word}", word, version, dependencies=("com.dep:dep:1.0",), marker=marker)


SAMPLE = _Sample()
