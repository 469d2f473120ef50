"""Native metadata of gems and their versions: what is stored as bytes, in our own compact MessagePack.

A file's document holds what the indexes say of it beyond name, size, digests and time, ready to be put together.  A
version's holds what its publisher said later: the platforms that were yanked.
"""

from __future__ import annotations

import zlib

import msgspec

from protocols.ruby import gemspec, names
from protocols.ruby.gemspec import Need, Requirement, Spec

_LEVEL = 9


class FileFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """One gem.  `needs`, `ruby` and `rubygems` are in the words of the compact index.

    `spec` is the deflated dump that `quick/` answers with; without it, of a gem that only an index told of, it is made
    from the rest.
    """

    platform: str = "ruby"
    needs: str = ""
    ruby: str = ""
    rubygems: str = ""
    spec: bytes = b""


class VersionFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """One version."""

    yanked: tuple[str, ...] = ()


_file = msgspec.msgpack.Decoder(FileFacts)
_version = msgspec.msgpack.Decoder(VersionFacts)
_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_NO_FILE = FileFacts()
_NO_VERSION = VersionFacts()


def file_facts(native: bytes) -> FileFacts:
    """Decode; a gem for any platform, without dependencies, for empty bytes."""
    return _file.decode(native) if native else _NO_FILE


def version_facts(native: bytes) -> VersionFacts:
    """Decode; nothing known for empty bytes."""
    return _version.decode(native) if native else _NO_VERSION


def encode(facts: FileFacts | VersionFacts) -> bytes:
    """Bytes to store; the same facts always give the same bytes."""
    return _encode(facts)


def of_spec(spec: Spec) -> FileFacts:
    """What is kept of a gem whose own metadata is known."""
    return FileFacts(
        platform=spec.platform,
        needs=",".join(f"{need.name}:{'&'.join(need.requirement)}" for need in spec.runtime()),
        ruby=_condition(spec.ruby),
        rubygems=_condition(spec.rubygems),
        spec=zlib.compress(gemspec.to_marshal(spec), _LEVEL),
    )


def quick(name: str, version: str, facts: FileFacts) -> bytes:
    """The deflated dump of a gem's specification."""
    if facts.spec:
        return facts.spec
    told = Spec(
        name=name,
        version=version,
        platform=facts.platform,
        needs=needs(facts),
        ruby=_conditions(facts.ruby),
        rubygems=_conditions(facts.rubygems),
    )
    return zlib.compress(gemspec.to_marshal(told), 1)


def needs(facts: FileFacts) -> tuple[Need, ...]:
    """The dependencies at run time."""
    pairs = (each.partition(":") for each in facts.needs.split(",") if each)
    return tuple(Need(name, _conditions(wanted)) for name, _, wanted in pairs)


def filename(name: str, version: str, platform: str) -> str:
    """What a gem's file is called."""
    return f"{names.full_name(name, version, platform)}.gem"


def yank(native: bytes, platform: str) -> bytes:
    """A version's document with a platform yanked."""
    return encode(VersionFacts(tuple(sorted({*version_facts(native).yanked, platform}))))


def _condition(requirement: Requirement) -> str:
    return "" if requirement == (gemspec.ANY,) else "&".join(requirement)


def _conditions(text: str) -> Requirement:
    return tuple(text.split("&")) if text else (gemspec.ANY,)
