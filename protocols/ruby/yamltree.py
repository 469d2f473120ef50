"""YAML -> plain values, from events alone: no object is ever made, whatever the document's tags say.

Every scalar is a text (so that version 1.10 stays 1.10), but for null, which is None.  Tags other than those of a gem
specification are refused; depth and number of nodes are bounded.  Aliases are refused too, unless they are asked for:
then they name one value, which is not copied.  Raises ValueError.
"""

from __future__ import annotations

from typing import TypeAlias

import yaml

Value: TypeAlias = "str | list[Value] | dict[str, Value] | None"

MOST = 200_000
"""Nodes of one document."""
DEEPEST = 24
_MOST_DIRECTIVES = 64
"""The parser compares each with all before it, and holds up every other thread meanwhile."""
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_CLASSES = frozenset(
    {
        "Gem::Specification", "Gem::Version", "Gem::Version::Requirement", "Gem::Requirement", "Gem::Dependency",
        "Gem::Platform", "YAML::Syck::DefaultKey", "Syck::DefaultKey", "Date", "Time",
    }
)  # fmt: skip
_PLAIN = frozenset({"str", "int", "float", "bool", "null", "seq", "map", "timestamp", "binary", "sym", "symbol"})
_PREFIXES = ("tag:ruby.yaml.org,2002:", "!ruby/", "!", "tag:yaml.org,2002:")
_parser = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(body: bytes, *, aliases: bool = False) -> Value:
    """The one document of a file."""
    if body[:2] in (b"\xff\xfe", b"\xfe\xff") or body.count(b"%TAG") > _MOST_DIRECTIVES:
        raise ValueError("it is no YAML of a gem: it is in UTF-16, or has many directives")
    builder = _Builder(aliases)
    try:
        for event in yaml.parse(body, Loader=_parser):
            builder.take(event)
    except yaml.YAMLError as err:
        mark = getattr(err, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark is not None else ""
        raise ValueError(f"it is no YAML{where}") from None
    except (UnicodeError, RecursionError, OverflowError):
        raise ValueError("it is no YAML") from None
    return builder.root


class _Builder:
    """Puts events together; `open` holds the collections that are not closed yet, with the key that waits."""

    def __init__(self, aliases: bool) -> None:
        self.root: Value = None
        self.aliases = aliases
        self.anchors: dict[str, Value] = {}
        self.count = 0
        self.documents = 0
        self.open: list[tuple[list[Value] | dict[str, Value], list[str], str | None]] = []

    def take(self, event: object) -> None:
        if isinstance(event, yaml.AliasEvent):
            if not self.aliases:
                raise ValueError("it has YAML aliases, which gem specifications may not have")
            if event.anchor not in self.anchors:  # also one inside of what it names
                raise ValueError("it has a YAML alias that names nothing")
            self.add(self.anchors[event.anchor])
        elif isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise ValueError("it has more than one YAML document")
        elif isinstance(event, yaml.ScalarEvent):
            _check_tag(event.tag)
            scalar = None if _is_null(event) else str(event.value)
            if event.anchor is not None:
                self.anchors[event.anchor] = scalar
            self.add(scalar)
        elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
            _check_tag(event.tag)
            value: list[Value] | dict[str, Value] = [] if isinstance(event, yaml.SequenceStartEvent) else {}
            self.add(value)
            self.open.append((value, [], event.anchor))
            if len(self.open) > DEEPEST:
                raise ValueError(f"it is nested more than {DEEPEST} levels deep")
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            closed, _, anchor = self.open.pop()
            if anchor is not None:
                self.anchors[anchor] = closed

    def add(self, value: Value) -> None:
        self.count += 1
        if self.count > MOST:
            raise ValueError(f"it has more than {MOST} nodes")
        if not self.open:
            self.root = value
            return
        inside, waiting, _ = self.open[-1]
        if isinstance(inside, list):
            inside.append(value)
        elif waiting:
            inside[waiting.pop()] = value
        elif value is None or isinstance(value, str):
            waiting.append(value or "")
        else:
            raise ValueError("it has a key that is no text")


def _is_null(event: object) -> bool:
    return bool(event.value in _NULLS and event.style is None)  # type: ignore[attr-defined]


def _check_tag(tag: str | None) -> None:
    if tag is None or tag == "!":
        return
    rest = next((tag.removeprefix(prefix) for prefix in _PREFIXES if tag.startswith(prefix)), tag)
    kind, _, name = rest.partition(":")
    if rest in _PLAIN or (kind == "object" and name in _CLASSES) or kind in ("array", "hash", "string"):
        return
    raise ValueError(f"it has an object of a kind that gem specifications do not have: {tag[:100]!r}")
