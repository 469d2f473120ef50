"""A POM -> what the control plane shows of a version; blocks.

Only this POM counts, not its parents (guide, "View Maven package version details").  Its own properties are filled
in; what is known to parents alone stays as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import BinaryIO

import msgspec
from lxml import etree

from protocols.maven import xmltext
from protocols.maven.xmltext import child, children, local, text
from registry.core.types import Dependency, Facts, License

_PROPERTY = re.compile(r"\$\{([^${}]{1,200})\}")
_DEPTH = 8
_MOST_PROPERTIES = 32
"""Properties that are filled in at one level of one text."""
_LONGEST = 1000
_MOST_DEPENDENCIES = 5000
_MOST_LICENSES = 50


class Project(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of a POM as the version's native metadata."""

    packaging: str = "jar"
    name: str = ""


_project = msgspec.json.Decoder(Project)


def project(native: bytes) -> Project | None:
    """None when no POM was read."""
    return _project.decode(native) if native else None


def native(kept: Project) -> bytes:
    return msgspec.json.encode(kept, order="deterministic")


def read(file: BinaryIO) -> tuple[Facts, Project] | None:
    """None for a POM that cannot be read: its bytes are accepted all the same."""
    body = file.read(xmltext.LIMIT + 1)
    try:
        return parse(body)
    except ValueError:
        return None


def parse(body: bytes) -> tuple[Facts, Project]:
    """Raises ValueError."""
    pom = xmltext.root(body, "project")
    known = _properties(pom)
    name, packaging = _filled(text(pom, "name"), known), _filled(text(pom, "packaging"), known) or "jar"
    facts = Facts(
        display=name[:255],
        summary=_filled(text(pom, "description"), known),
        homepage=_filled(text(pom, "url"), known),
        source=_source(pom, known),
        licenses=tuple(islice(_licenses(pom, known), _MOST_LICENSES)),
        dependencies=tuple(islice(_dependencies(pom, known), _MOST_DEPENDENCIES)),
    )
    return facts, Project(packaging[:100], name[:255])


def _properties(pom: etree._Element) -> dict[str, str]:
    """What `${...}` may mean here; what the POM says of the project itself comes first."""
    known = {}
    for holder in children(pom, "properties"):
        for each in holder:
            known[local(each)] = text(each)
    for field in ("groupId", "artifactId", "version"):
        parents = text(pom, "parent", field)
        value = text(pom, field) or (parents if field != "artifactId" else "")
        for prefix in ("project.", "pom.", ""):
            if parents:
                known.setdefault(f"{prefix}parent.{field}", parents)
            if value:
                known.setdefault(f"{prefix}{field}", value)
    for field in ("name", "packaging", "url"):
        if text(pom, field):
            known.setdefault(f"project.{field}", text(pom, field))
    return known


def _filled(value: str, known: Mapping[str, str]) -> str:
    """With properties filled in, a few levels deep; never long."""
    for _ in range(_DEPTH):
        filled = _PROPERTY.sub(lambda found: known.get(found[1].strip(), found[0])[:_LONGEST], value, _MOST_PROPERTIES)
        filled = filled[:_LONGEST]
        if filled == value:
            break
        value = filled
    return value[:_LONGEST]


def _source(pom: etree._Element, known: Mapping[str, str]) -> str:
    url = text(pom, "scm", "url") or text(pom, "scm", "connection")
    return _filled(url.removeprefix("scm:git:"), known)


def _licenses(pom: etree._Element, known: Mapping[str, str]) -> Iterator[License]:
    for each in children(pom, "licenses", "license"):
        name, url = _filled(text(each, "name"), known), _filled(text(each, "url"), known)
        if name or url:
            yield License(name or None, url or None)


def _dependencies(pom: etree._Element, known: Mapping[str, str]) -> Iterator[Dependency]:
    """The parent, then the dependencies; those under dependencyManagement are none."""
    parent = child(pom, "parent")
    if parent is not None and text(parent, "artifactId"):
        yield _dependency(parent, "parent", known)
    for each in children(pom, "dependencies", "dependency"):
        if not text(each, "artifactId"):
            continue
        kind = _filled(text(each, "scope"), known) or "compile"
        if _filled(text(each, "optional"), known).lower() == "true":
            kind = "optional"
        yield _dependency(each, kind, known)


def _dependency(element: etree._Element, kind: str, known: Mapping[str, str]) -> Dependency:
    group = _filled(text(element, "groupId"), known)
    return Dependency(
        group or None, _filled(text(element, "artifactId"), known), kind, _filled(text(element, "version"), known)
    )
