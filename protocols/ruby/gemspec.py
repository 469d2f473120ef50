"""A gem's specification: YAML of its metadata.gz -> values -> Marshal and the compact index; pure.

The shapes are those of Gem::Specification in all its generations.  What goes into an index is checked first, so that
no requirement can hold the marks of its syntax.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import msgspec

from protocols.ruby import marshal, names, yamltree
from protocols.ruby.yamltree import Value
from registry.core.types import Dependency, Facts, License

ANY = ">= 0"
_OPERATORS = ("=", "!=", ">", "<", ">=", "<=", "~>")
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_MOST_DEPENDENCIES = 5000
_MOST_REQUIREMENTS = 100
_MOST_TEXTS = 1000
_LONGEST_TEXT = 256 * 1024
_LONGEST_KEY, _LONGEST_VALUE, _LONGEST_LICENSE = 128, 1024, 64
_LATEST_RUBY_YEAR = 9999

Requirement = tuple[str, ...]
"""Conditions such as `~> 1.0`, sorted as texts."""


class Need(msgspec.Struct, frozen=True, omit_defaults=True, array_like=True):
    """A dependency."""

    name: str
    requirement: Requirement = (ANY,)
    runtime: bool = True


class Spec(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of one gem, of its own metadata or (far less) of an index."""

    name: str
    version: str
    platform: str = "ruby"
    needs: tuple[Need, ...] = ()
    ruby: Requirement = (ANY,)
    rubygems: Requirement = (ANY,)
    summary: str = ""
    description: str | None = None
    homepage: str | None = None
    authors: tuple[str, ...] = ()
    email: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()
    metadata: dict[str, str] = {}
    date: int = 0
    made_by: str = "3.0.0"

    @property
    def full(self) -> str:
        return names.full_name(self.name, self.version, self.platform)

    @property
    def tag(self) -> str:
        return names.tag(self.version, self.platform)

    def runtime(self) -> tuple[Need, ...]:
        return tuple(need for need in self.needs if need.runtime)


# --- from YAML -----------------------------------------------------------------------------------


def from_yaml(body: bytes, *, lenient: bool = False) -> Spec:
    """The specification in a metadata file.  Raises ValueError, in the uploader's terms.

    `lenient` is for gems of an external registry: aliases, and longer texts than are published today.
    """
    try:
        root = yamltree.load(body, aliases=lenient)
    except ValueError as err:
        raise ValueError(f"The gem's metadata cannot be read: {err}") from None
    if not isinstance(root, dict):
        raise ValueError("The gem's metadata is no specification")
    name = names.canonical(None, _text(root.get("name")) or "")[1]
    licenses = _texts(root.get("licenses")) or _texts(root.get("license"))
    metadata = _pairs(root.get("metadata"))
    if not lenient:
        _check_lengths(licenses, metadata)
    return Spec(
        name=name,
        version=_version(root.get("version")),
        platform=_platform(root.get("platform")),
        needs=_needs(root.get("dependencies")),
        ruby=_requirement(root.get("required_ruby_version")),
        rubygems=_requirement(root.get("required_rubygems_version")),
        summary=_short(root.get("summary")),
        description=_short(root.get("description")) or None,
        homepage=_short(root.get("homepage")) or None,
        authors=_texts(root.get("authors")) or _texts(root.get("author")),
        email=_texts(root.get("email")),
        licenses=licenses,
        metadata=metadata,
        date=_date(root.get("date")),
        made_by=_made_by(root.get("rubygems_version")),
    )


def _check_lengths(licenses: tuple[str, ...], metadata: dict[str, str]) -> None:
    """The public registry's limits."""
    for license in licenses:
        if len(license) > _LONGEST_LICENSE:
            raise ValueError(f"The gem has a license of more than {_LONGEST_LICENSE} characters")
    for key, value in metadata.items():
        if len(key) > _LONGEST_KEY or len(value) > _LONGEST_VALUE:
            raise ValueError(
                f"The gem's metadata {key[:_LONGEST_KEY]!r} is too long: {_LONGEST_KEY} characters for a key and "
                f"{_LONGEST_VALUE} for a value are allowed"
            )


def _text(value: Value) -> str | None:
    return value if isinstance(value, str) else None


def _short(value: Value) -> str:
    text = _text(value) or ""
    if len(text) > _LONGEST_TEXT:
        raise ValueError(f"The gem's metadata has a text of more than {_LONGEST_TEXT} characters")
    return text


def _texts(value: Value) -> tuple[str, ...]:
    """One or several; empty ones left out."""
    several = value if isinstance(value, list) else [value]
    if len(several) > _MOST_TEXTS:
        raise ValueError(f"The gem's metadata has a list of more than {_MOST_TEXTS} texts")
    return tuple(text for each in several if (text := _short(each)))


def _pairs(value: Value) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    if len(value) > _MOST_TEXTS:
        raise ValueError(f"The gem's metadata has a mapping of more than {_MOST_TEXTS} texts")
    return {key: text for key, each in value.items() if isinstance(text := each, str)}


def _version(value: Value) -> str:
    """A version is an object with one member; very old ones are a text."""
    inner = value.get("version") if isinstance(value, dict) else value
    return names.canonical_version((_text(inner) or "").strip())


def _platform(value: Value) -> str:
    """A text; in old gems an object of three."""
    if isinstance(value, dict):
        parts = [_text(value.get(part)) for part in ("cpu", "os", "version")]
        value = "-".join(part for part in parts if part)
    return names.canonical_platform(value) if isinstance(value, str) and value else "ruby"


def _needs(value: Value) -> tuple[Need, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > _MOST_DEPENDENCIES:
        raise ValueError(f"The gem's dependencies are no list of at most {_MOST_DEPENDENCIES}")
    return tuple(_need(each) for each in value)


def _need(value: Value) -> Need:
    if not isinstance(value, dict):
        raise ValueError("The gem has a dependency that is none")
    name = _text(value.get("name")) or ""
    try:
        names.canonical(None, name)
    except ValueError:
        raise ValueError(f"The gem depends on {name[:100]!r}, which is no name of a gem") from None
    wanted = value.get("requirement") or value.get("version_requirements") or value.get("version_requirement")
    kind = (_text(value.get("type")) or "runtime").lstrip(":")
    return Need(name, _requirement(wanted), kind != "development")


def _requirement(value: Value) -> Requirement:
    """An object of pairs of an operator and a version, perhaps inside another; a text in the oldest gems."""
    for _ in range(3):
        if not isinstance(value, dict):
            break
        value = value.get("requirements") if "requirements" in value else value.get("version")
    if isinstance(value, str):
        return requirement(value.split(","))
    if not isinstance(value, list) or not value:
        return (ANY,)
    if len(value) > _MOST_REQUIREMENTS:
        raise ValueError(f"The gem has a requirement of more than {_MOST_REQUIREMENTS} conditions")
    conditions = []
    for pair in value:
        if isinstance(pair, list) and len(pair) == 2:
            inner = pair[1].get("version") if isinstance(pair[1], dict) else pair[1]
            conditions.append(f"{_text(pair[0]) or '='} {_text(inner) or '0'}")
        elif isinstance(pair, str):
            conditions.append(pair)
        else:
            raise ValueError("The gem has a requirement that is none")
    return requirement(conditions)


def requirement(conditions: list[str]) -> Requirement:
    """Conditions in their one spelling, sorted, each once.  Raises ValueError."""
    found = set()
    for condition in conditions:
        text = condition.strip()
        version = text.lstrip("=!<>~")
        operator = text[: len(text) - len(version)] or "="
        if operator not in _OPERATORS:
            raise ValueError(f"{condition[:100]!r} is no condition on a version")
        found.add(f"{operator} {names.canonical_version(version.strip())}")
    return tuple(sorted(found)) or (ANY,)


def _date(value: Value) -> int:
    """The day, in milliseconds; 0 for none."""
    found = _DATE.match(_text(value) or "")
    if found is None:
        return 0
    try:
        day = datetime(int(found[1]), int(found[2]), int(found[3]), tzinfo=UTC)
    except ValueError:
        return 0
    return int(day.timestamp()) * 1000 if 1900 < day.year <= _LATEST_RUBY_YEAR else 0


def _made_by(value: Value) -> str:
    try:
        return names.canonical_version(_text(value) or "3.0.0")
    except ValueError:
        return "3.0.0"


# --- to Marshal ----------------------------------------------------------------------------------


def to_marshal(spec: Spec) -> bytes:
    """The dump of Gem::Specification that clients read from `quick/`: fields by position (Gem::Specification#_dump)."""
    text = marshal.string
    fields = [
        text(spec.made_by),
        marshal.integer(4),
        text(spec.name),
        version_object(spec.version),
        marshal.time(spec.date),
        text(spec.summary),
        _requirement_object(spec.ruby),
        _requirement_object(spec.rubygems),
        text(spec.platform),
        marshal.array([_dependency(need) for need in spec.needs]),
        text(""),
        text(spec.email[0]) if len(spec.email) == 1 else marshal.array([text(each) for each in spec.email]),
        marshal.array([text(each) for each in spec.authors]),
        marshal.optional(spec.description),
        marshal.optional(spec.homepage),
        marshal.TRUE,
        text(spec.platform),
        marshal.array([text(each) for each in spec.licenses]),
        marshal.mapping([(text(key), text(value)) for key, value in spec.metadata.items()]),
    ]
    inner = marshal.document(marshal.array(fields))
    return marshal.document(marshal.by_text("Gem::Specification", inner))


def version_object(version: str) -> bytes:
    return marshal.by_dump("Gem::Version", marshal.array([marshal.string(version)]))


def _requirement_object(requirement: Requirement) -> bytes:
    pairs = []
    for condition in requirement:
        operator, _, version = condition.partition(" ")
        pairs.append(marshal.array([marshal.string(operator), version_object(version)]))
    return marshal.by_dump("Gem::Requirement", marshal.array([marshal.array(pairs)]))


def _dependency(need: Need) -> bytes:
    wanted = _requirement_object(need.requirement)
    variables = {
        "name": marshal.string(need.name),
        "requirement": wanted,
        "type": marshal.symbol("runtime" if need.runtime else "development"),
        "prerelease": marshal.FALSE,
        "version_requirements": wanted,
    }
    return marshal.instance("Gem::Dependency", variables)


# --- to the control plane ------------------------------------------------------------------------


def facts(spec: Spec, readme: str | None = None) -> Facts:
    """What the control plane shows of it."""
    return Facts(
        display=spec.name,
        summary=spec.summary or spec.description or "",
        homepage=spec.homepage or spec.metadata.get("homepage_uri", ""),
        source=spec.metadata.get("source_code_uri", ""),
        licenses=tuple(License(name=each) for each in spec.licenses),
        readme=readme,
        dependencies=tuple(
            Dependency(None, need.name, "runtime" if need.runtime else "development", ", ".join(need.requirement))
            for need in spec.needs
        ),
    )
