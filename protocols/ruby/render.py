"""Listing -> the indexes of gems; pure.

The compact index grows at its end.  A page `info/NAME` has its gems in the order in which they came, and `versions` has
a line for each gem in that order too, with the MD5 that the page had with it as its last line: so both can be read on
from where a client had come to, whichever process answers, until something is taken away.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from protocols.ruby import gemspec, marshal, names, native
from protocols.ruby.native import FileFacts, file_facts, version_facts
from registry.core.types import Listed, ListedFile, Listing, PackageKey, Version

HEAD = b"---\n"


@dataclass(frozen=True, slots=True)
class Entry:
    """One gem that indexes show."""

    name: str
    version: Listed
    file: ListedFile
    facts: FileFacts

    @property
    def tag(self) -> str:
        return names.tag(self.version.version, self.facts.platform)

    @property
    def created(self) -> int:
        return self.file.uploaded or self.version.published


def entries(listing: Listing) -> list[Entry]:
    """Every gem that is offered, in the order in which they came."""
    found = [entry for version in listing.versions for entry in _of(listing.package.name, version)]
    return sorted(found, key=lambda each: (each.created, each.version.sort, each.tag))


def _of(name: str, version: Listed) -> Iterator[Entry]:
    yanked = version_facts(version.native).yanked
    for file in version.files:
        facts = file_facts(file.native)
        if facts.platform not in yanked and file.name == native.filename(name, version.version, facts.platform):
            yield Entry(name, version, file, facts)


def version_platforms(version: Version) -> set[str]:
    """Every platform that a stored version has a gem for."""
    return {file_facts(asset.native).platform for asset in version.assets}


# --- the compact index ---------------------------------------------------------------------------


def info(listing: Listing) -> bytes:
    """The page `info/NAME`, empty where there is nothing."""
    lines = [line(entry) for entry in entries(listing)]
    return HEAD + b"".join(lines) if lines else b""


def line(entry: Entry) -> bytes:
    """`VERSION[-PLATFORM] [DEPENDENCY:CONDITION&CONDITION,...]|checksum:...,ruby:...,rubygems:...,created_at:...`"""
    facts = entry.facts
    said = {
        "checksum": entry.file.digests.get("sha256", ""),
        "ruby": facts.ruby,
        "rubygems": facts.rubygems,
        "created_at": timestamp(entry.created),
    }
    told = ",".join(f"{key}:{value}" for key, value in said.items() if value)
    return f"{entry.tag} {facts.needs}|{told}\n".encode()


def timestamp(moment: int) -> str:
    """Whole seconds, UTC."""
    return datetime.fromtimestamp(moment // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Fragment:
    """What the indexes of a whole repository take from one package.

    `lines`: (when it came, its tag, the MD5 of the page up to it).  `specs`: (version, platform, order).
    """

    lines: tuple[tuple[int, str, str], ...]
    specs: tuple[tuple[str, str, str], ...]


def fragment(listing: Listing) -> Fragment | None:
    """None for a package that offers nothing."""
    found = entries(listing)
    if not found:
        return None
    page = hashlib.md5(HEAD, usedforsecurity=False)
    lines = []
    for entry in found:
        page.update(line(entry))
        lines.append((entry.created, entry.tag, page.hexdigest()))
    specs = {(each.version.version, each.facts.platform, each.version.sort) for each in found}
    return Fragment(tuple(lines), tuple(sorted(specs, key=lambda each: (each[2], each[0], each[1]))))


Fragments = Mapping[PackageKey, Fragment]


def versions(since: int, fragments: Fragments) -> bytes:
    """The file `versions` of a repository that was made at that time."""
    lines = [(created, key.name, tag, md5) for key, each in fragments.items() for created, tag, md5 in each.lines]
    # Of one package in the order of its page, which knows more than the time.
    lines.sort(key=lambda each: each[:2])
    body = "".join([f"{name} {tag} {md5}\n" for _, name, tag, md5 in lines])
    return f"created_at: {timestamp(since)}\n---\n{body}".encode()


def all_names(fragments: Fragments) -> bytes:
    """The file `names`."""
    return HEAD + "".join([f"{name}\n" for name in sorted(key.name for key in fragments)]).encode()


# --- the full index ------------------------------------------------------------------------------


def releases(fragments: Fragments) -> bytes:
    """`specs.4.8.gz`: every gem that is no prerelease."""
    return _full([spec for spec in _specs(fragments) if not names.is_prerelease(spec[1])])


def prereleases(fragments: Fragments) -> bytes:
    """`prerelease_specs.4.8.gz`."""
    return _full([spec for spec in _specs(fragments) if names.is_prerelease(spec[1])])


def latest(fragments: Fragments) -> bytes:
    """`latest_specs.4.8.gz`: the highest release of each name and platform."""
    highest = {}
    for name, version, platform in _specs(fragments):
        if not names.is_prerelease(version):
            highest[name, platform] = (name, version, platform)
    return _full(list(highest.values()))


def _specs(fragments: Fragments) -> Iterator[tuple[str, str, str]]:
    """(name, version, platform) by name, then in the order of versions."""
    for key in sorted(fragments, key=lambda each: each.name):
        for version, platform, _ in fragments[key].specs:
            yield key.name, version, platform


def _full(specs: list[tuple[str, str, str]]) -> bytes:
    texts: dict[str, bytes] = {}

    def text(value: str) -> bytes:
        return texts.get(value) or texts.setdefault(value, marshal.string(value))

    head = b"[" + b"\x08"
    rows = [head + text(name) + gemspec.version_object(version) + text(platform) for name, version, platform in specs]
    return gzip.compress(marshal.document(marshal.joined(len(rows), rows)), 6, mtime=0)


# --- specifications ------------------------------------------------------------------------------


class Quick(msgspec.Struct, frozen=True):
    """The deflated specifications of one package, by tag."""

    specs: dict[str, bytes]


_quick = msgspec.msgpack.Decoder(Quick)


def specifications(listing: Listing) -> bytes:
    """All of a package's in one piece, those of Unlisted versions too, which locked builds still install."""
    name = listing.package.name
    found: dict[str, bytes] = {}
    for version in (*listing.versions, *listing.unlisted):
        for file in version.files:
            facts = file_facts(file.native)
            if file.name == native.filename(name, version.version, facts.platform):
                found[names.tag(version.version, facts.platform)] = native.quick(name, version.version, facts)
    return msgspec.msgpack.encode(Quick(found))


def specification(body: bytes, tag: str) -> bytes | None:
    """One of them."""
    return _quick.decode(body).specs.get(tag)


# --- the dependencies API ------------------------------------------------------------------------


class Needs(msgspec.Struct, frozen=True):
    """What the dependencies API says of one package, in both forms: members of an array, which can be joined."""

    count: int
    dump: bytes
    json: bytes


_needs = msgspec.msgpack.Decoder(Needs)


def dependencies(listing: Listing) -> bytes:
    """Of one package; see `joined_dependencies`."""
    found = entries(listing)
    return msgspec.msgpack.encode(
        Needs(
            len(found),
            b"".join(_dumped(entry) for entry in found),
            b",".join(msgspec.json.encode(_told(entry)) for entry in found),
        )
    )


def joined_dependencies(pages: list[bytes], *, json: bool) -> bytes:
    """The answer for several packages."""
    found = [_needs.decode(page) for page in pages]
    if json:
        return b"[" + b",".join(each.json for each in found if each.count) + b"]"
    return marshal.document(marshal.joined(sum(each.count for each in found), (each.dump for each in found)))


def _told(entry: Entry) -> dict[str, object]:
    return {
        "name": entry.name,
        "number": entry.version.version,
        "platform": entry.facts.platform,
        "dependencies": [[need.name, ", ".join(need.requirement)] for need in native.needs(entry.facts)],
    }


def _dumped(entry: Entry) -> bytes:
    needs = [
        marshal.array([marshal.string(need.name), marshal.string(", ".join(need.requirement))])
        for need in native.needs(entry.facts)
    ]
    return marshal.mapping(
        [
            (marshal.symbol("name"), marshal.string(entry.name)),
            (marshal.symbol("number"), marshal.string(entry.version.version)),
            (marshal.symbol("platform"), marshal.string(entry.facts.platform)),
            (marshal.symbol("dependencies"), marshal.array(needs)),
        ]
    )
