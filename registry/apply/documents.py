"""The text of a template as plain values: mappings, lists and texts.

YAML's scalars stay texts (an account id is no octal number, a policy's version no date), tags are only those of
CloudFormation's short forms, and there are no aliases.  Whoever writes a template may be a stranger: size, depth and
number of values are limited, and nothing but values is ever made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import yaml

from registry.apply.errors import TemplateError

LARGEST = 1024 * 1024
"""Bytes, as CloudFormation has it."""
DEEPEST = 64
MOST = 100_000
"""Values in one template."""
SHORT = {"!Ref": "Ref", "!GetAtt": "Fn::GetAtt", "!Sub": "Fn::Sub", "!Join": "Fn::Join"}


def parse(body: bytes) -> Any:
    """Raises TemplateError."""
    if len(body) > LARGEST:
        raise TemplateError(f"The template is larger than {LARGEST} bytes")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        raise TemplateError("The template is not UTF-8 text") from err
    return _json(text) if text.lstrip().startswith("{") else _yaml(text)


def _json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_pairs)
    except RecursionError:
        raise TemplateError(f"The template is nested more than {DEEPEST} deep") from None
    except ValueError as err:
        raise TemplateError(f"The template is not valid JSON: {err}") from err


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, _ in pairs if sum(key == other for other, _ in pairs) > 1)
        raise TemplateError(f"The key {twice} is there twice")
    return found


def _yaml(text: str) -> Any:
    try:
        events = yaml.parse(text, Loader=yaml.SafeLoader)
        return _Builder(events).document()
    except yaml.YAMLError as err:
        mark = getattr(err, "problem_mark", None) or getattr(err, "context_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        raise TemplateError(f"The template is not valid YAML{where}: {getattr(err, 'problem', None) or err}") from err


class _Builder:
    """Values from the parser's events."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._count = 0

    def document(self) -> Any:
        next(self._events)  # the stream
        if isinstance(next(self._events), yaml.StreamEndEvent):
            raise TemplateError("The template is empty")
        value = self._value(next(self._events), 0)
        next(self._events)  # the document's end
        if not isinstance(next(self._events), yaml.StreamEndEvent):
            raise TemplateError("The template has more than one YAML document")
        return value

    def _value(self, event: Any, depth: int) -> Any:
        self._count += 1
        where = f"line {event.start_mark.line + 1}"
        if depth > DEEPEST:
            raise TemplateError(f"{where}: the template is nested more than {DEEPEST} deep")
        if self._count > MOST:
            raise TemplateError(f"{where}: the template has more than {MOST} values")
        if isinstance(event, yaml.AliasEvent):
            raise TemplateError(f"{where}: aliases (*{event.anchor}) are not supported")
        value: Any
        if isinstance(event, yaml.ScalarEvent):
            value = event.value
        elif isinstance(event, yaml.SequenceStartEvent):
            value = []
            while not isinstance(item := next(self._events), yaml.SequenceEndEvent):
                value.append(self._value(item, depth + 1))
        else:
            value = self._mapping(depth)
        return self._tagged(event, value, where)

    def _mapping(self, depth: int) -> dict[str, Any]:
        value: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._value(event, depth + 1)
            if not isinstance(key, str):
                raise TemplateError(f"line {event.start_mark.line + 1}: a key must be text")
            if key in value:
                raise TemplateError(f"line {event.start_mark.line + 1}: the key {key} is there twice")
            value[key] = self._value(next(self._events), depth + 1)
        return value

    def _tagged(self, event: Any, value: Any, where: str) -> Any:
        tag = event.tag
        if tag is None or tag in ("!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"):
            return value
        if tag not in SHORT:
            raise TemplateError(f"{where}: {tag} is not supported; {', '.join(SHORT)} are")
        if tag == "!GetAtt" and isinstance(value, str):
            value = value.split(".", 1)
        return {SHORT[tag]: value}
