"""`maven-metadata.xml`: what clients and registries send, and what is made up of our rows; parsing blocks.

The client's own document is never served: two deploys at once would lose a version.  What it lists is what counts.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from protocols.maven import xmltext
from protocols.maven.names import Build, build_of, ending, is_snapshot
from protocols.maven.order import highest
from protocols.maven.xmltext import children, text
from registry.core.types import Listed, Listing

TAG_PREFIX = "plugin:"
"""A tag of that name and a plug-in's prefix says under which prefix the package is run."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """One plug-in of a group."""

    prefix: str
    artifact: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A document as sent.  `time` and `number` are the snapshot's, `builds` the values of its snapshotVersions with
    classifier and extension."""

    group: str
    artifact: str
    version: str
    versions: tuple[str, ...]
    plugins: tuple[Plugin, ...]
    time: str
    number: str
    builds: tuple[tuple[str, str, str], ...]


def parse(body: bytes) -> Document:
    """Raises ValueError."""
    root = xmltext.root(body, "metadata")
    listed = [text(each) for each in children(root, "versioning", "versions", "version")]
    listed += [text(root, "versioning", name) for name in ("release", "latest")]
    plugins = [
        Plugin(text(each, "prefix"), text(each, "artifactId"), text(each, "name"))
        for each in children(root, "plugins", "plugin")
    ]
    return Document(
        group=text(root, "groupId"),
        artifact=text(root, "artifactId"),
        version=text(root, "version"),
        versions=tuple(dict.fromkeys(each for each in listed if each)),
        plugins=tuple(each for each in plugins if each.prefix and each.artifact),
        time=text(root, "versioning", "snapshot", "timestamp"),
        number=text(root, "versioning", "snapshot", "buildNumber"),
        builds=tuple(
            (text(each, "value"), text(each, "classifier"), text(each, "extension"))
            for each in children(root, "versioning", "snapshotVersions", "snapshotVersion")
        ),
    )


def conventional_prefix(artifact: str) -> str:
    """Under which prefix a plug-in is run that says nothing else (Maven's "Introduction to Plugin Prefix")."""
    if artifact.startswith("maven-") and artifact.endswith("-plugin"):
        return artifact.removeprefix("maven-").removesuffix("-plugin")
    return artifact.removesuffix("-maven-plugin").removesuffix("-plugin")


# --- made up of rows -------------------------------------------------------------------------


def versions(listing: Listing) -> bytes | None:
    """Of an artifact: its versions in Maven's order.  None when it has none.

    Builds of snapshots are found through their snapshot; they are no versions to choose from.
    """
    shown = [each for each in listing.versions if build_of(each.version) is None]
    if not shown:
        return None
    names = [each.version for each in shown]
    lines = [*_head(listing), "  <versioning>", _line(4, "latest", highest(names) or "")]
    release = highest(name for name in names if not is_snapshot(name))
    if release is not None:
        lines.append(_line(4, "release", release))
    lines.append("    <versions>")
    lines += [_line(6, "version", name) for name in names]
    lines.append("    </versions>")
    lines.append(_line(4, "lastUpdated", _stamp(max(each.published for each in shown))))
    lines.append("  </versioning>")
    return _closed(lines)


def builds(listing: Listing, snapshot: str) -> bytes | None:
    """Of a snapshot: its last build.  None when there is none that can be had."""
    files = last_build(listing, snapshot)
    if not files:
        return None
    newest = max((build for _, build in files), key=lambda build: build.age)
    lines = [*_head(listing), _line(2, "version", snapshot), "  <versioning>", "    <snapshot>"]
    lines += [_line(6, "timestamp", newest.time), _line(6, "buildNumber", str(newest.number)), "    </snapshot>"]
    lines.append(_line(4, "lastUpdated", newest.time.replace(".", "")))
    lines.append("    <snapshotVersions>")
    for name, build in files:
        kind = ending(name, build.version)
        if kind is None:
            continue
        lines.append("      <snapshotVersion>")
        if kind[0]:
            lines.append(_line(8, "classifier", kind[0]))
        lines += [_line(8, "extension", kind[1]), _line(8, "value", build.version)]
        lines += [_line(8, "updated", build.time.replace(".", "")), "      </snapshotVersion>"]
    lines += ["    </snapshotVersions>", "  </versioning>"]
    return _closed(lines)


def last_build(listing: Listing, snapshot: str) -> list[tuple[str, Build]]:
    """The files of a snapshot's last build, with the build that each is of.

    The tag of the snapshot's name says which build that is: of several repositories' the one further up wins, as the
    guide has it ("Snapshots and upstream repositories").  Copied snapshots have their files only.
    """
    known = {each.version: each for each in (*listing.versions, *listing.unlisted)}
    held = known.get(snapshot)
    if held is None:
        return []
    files = _files(held, snapshot)
    tagged = listing.tags.get(snapshot)
    target = known.get(tagged) if tagged is not None else None
    if target is not None and all(build.version != tagged for _, build in files):
        return _files(target, snapshot)
    return files


def _files(version: Listed, snapshot: str) -> list[tuple[str, Build]]:
    found = []
    base = snapshot.removesuffix("SNAPSHOT").removesuffix("-")
    for file in version.files:
        build = build_in(file.name, base)
        if build is not None:
            found.append((file.name, build))
    return found


def build_in(name: str, base: str) -> Build | None:
    """The build that a file's name tells of."""
    marker = f"-{base}-" if base else "-"
    at = name.find(marker)
    while at > 0:
        rest = name[at + len(marker) :]
        stamp, dash, tail = rest[:15], rest[15:16], rest[16:]
        digits = tail[: len(tail) - len(tail.lstrip("0123456789"))]
        found = build_of(f"{stamp}-{digits}") if dash == "-" and digits else None
        if found is not None and not found.base:
            return Build(base, found.time, found.number)
        at = name.find(marker, at + 1)
    return None


def prefixes(group: Iterable[Plugin]) -> bytes | None:
    """Of a group: its plug-ins by prefix.  None when it has none."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<metadata>", "  <plugins>"]
    found = sorted(group, key=lambda each: (each.prefix, each.artifact))
    for each in found:
        lines += ["    <plugin>", _line(6, "name", each.name or each.artifact)]
        lines += [_line(6, "prefix", each.prefix), _line(6, "artifactId", each.artifact), "    </plugin>"]
    lines.append("  </plugins>")
    return _closed(lines) if found else None


def _head(listing: Listing) -> list[str]:
    return [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<metadata modelVersion="1.1.0">',
        _line(2, "groupId", listing.package.namespace or ""),
        _line(2, "artifactId", listing.package.name),
    ]


def _closed(lines: Sequence[str]) -> bytes:
    return ("\n".join([*lines, "</metadata>"]) + "\n").encode()


def _line(indent: int, name: str, value: str) -> str:
    return f"{' ' * indent}<{name}>{escape(value)}</{name}>"


def _stamp(milliseconds: int) -> str:
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(milliseconds / 1000))
