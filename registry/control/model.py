"""The service model as plain values: operations by (method, path), shapes, error shapes.

Read once from botocore's own data files.  The model's patterns are Java's; `Pattern` gives them their meaning
in Python.  One correction to the model: a domain name may contain `_`, as in the guide's own examples.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from botocore.loaders import Loader

SERVICE = "codeartifact"

Kind = Literal["string", "integer", "long", "boolean", "timestamp", "blob", "list", "map", "structure"]
Location = Literal["query", "header", "body", "payload"]

DOMAIN_NAME = r"[a-z][a-z0-9\-_]{0,48}[a-z0-9]"

_LOCATIONS: Mapping[str, Location] = {"querystring": "query", "header": "header"}
_SPACES = frozenset("\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B))))
_KEPT_CONTROLS = frozenset("\t\n\v\f\r")
_SEPARATORS = r" \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_WHITE_SPACE = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"


class Pattern:
    r"""A Java pattern of the model, matched against a whole text.

    Java's `\s` is ASCII.  The category C (`\p{C}`: controls, formats, surrogates, private use, unassigned) has no
    class in `re`, so such characters are first folded to NUL, all but the ASCII white space, which patterns like
    `[\P{C}\s]+` name apart: `\P{C}` is then every character from U+000E on.
    """

    __slots__ = ("_folds", "_re", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        translated = text.replace(r"\p{IsWhitespace}", _WHITE_SPACE)
        self._folds = "{C}" in text
        inside = re.compile(r"\[[^\]]*\]")
        translated = inside.sub(lambda m: _in_class(m.group()), translated)
        translated = translated.replace(r"\P{C}", "[\x0e-\U0010ffff]").replace(r"\p{C}", "[\x00-\r]")
        # Letters and numbers of every script: \w without ASCII; the model names `_` besides.
        letters = r"\p{L}" in translated
        translated = translated.replace(r"\p{L}", r"\w").replace(r"\p{N}", "").replace(r"\p{Z}", _SEPARATORS)
        translated = translated.replace(r"\u10000-\u10FFFF", r"\U00010000-\U0010FFFF")
        self._re = re.compile(translated, re.DOTALL if letters else re.ASCII | re.DOTALL)

    def matches(self, text: str) -> bool:
        if self._folds and not text.isprintable():
            text = "".join([c if _stays(c) else "\0" for c in text])
        return self._re.fullmatch(text) is not None


def _in_class(text: str) -> str:
    return text.replace(r"\P{C}", "\x0e-\U0010ffff").replace(r"\p{C}", "\x00-\r")


def _stays(char: str) -> bool:
    # str.isprintable() is false for the categories C and Z (but not for the ASCII space).
    return char.isprintable() or char in _SPACES or char in _KEPT_CONTROLS


@dataclass(slots=True)
class Shape:
    """A shape of the model with its constraints.  Not changed after loading."""

    name: str
    kind: Kind
    min: int | None = None
    max: int | None = None
    pattern: Pattern | None = None
    enum: tuple[str, ...] = ()
    members: dict[str, Member] = field(default_factory=dict)
    item: Shape | None = None
    key: Shape | None = None
    value: Shape | None = None
    payload: str | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a structure: `wire` is its name in the query, the headers or the JSON document."""

    name: str
    wire: str
    location: Location
    shape: Shape
    required: bool


@dataclass(frozen=True, slots=True)
class ErrorShape:
    """An error of the model, its status and the members that its answer may have; `code` where it is not the name."""

    name: str
    status: int
    shape: Shape
    code: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation; `streams` says that the request body is the payload, not a JSON document.

    `query`, `headers` and `document` are the input's members by their names on the wire.
    """

    name: str
    method: str
    path: str
    input: Shape
    output: Shape
    streams: bool
    query: Mapping[bytes, Member]
    headers: Mapping[bytes, Member]
    document: Mapping[str, Member]
    errors: tuple[str, ...]
    wrapper: str = ""
    """The element around the output in an answer of the query protocol."""


@dataclass(frozen=True, slots=True)
class Model:
    """Every operation and every error shape of the service."""

    routes: Mapping[tuple[str, str], Operation]
    operations: Mapping[str, Operation]
    errors: Mapping[str, ErrorShape]
    signing_name: str
    namespace: str = ""
    version: str = ""


def load(service: str = SERVICE) -> Model:
    """The newest model of the service that botocore carries.  Reads files the first time: call it at start."""
    return _loaded(service)


@cache
def _loaded(service: str) -> Model:
    raw: dict[str, Any] = Loader().load_service_model(service, "service-2")
    shapes = _Shapes(raw["shapes"])
    operations = {name: _operation(name, spec, shapes) for name, spec in raw["operations"].items()}
    errors = {
        name: ErrorShape(
            name,
            spec.get("error", {}).get("httpStatusCode", 400),
            shapes.get(name),
            spec.get("error", {}).get("code", name),
        )
        for name, spec in raw["shapes"].items()
        if spec.get("exception")
    }
    metadata = raw["metadata"]
    return Model(
        routes={(o.method, o.path): o for o in operations.values()},
        operations=operations,
        errors=errors,
        signing_name=metadata.get("signingName", metadata["endpointPrefix"]),
        namespace=metadata.get("xmlNamespace", ""),
        version=metadata["apiVersion"],
    )


def _operation(name: str, spec: Mapping[str, Any], shapes: _Shapes) -> Operation:
    given = shapes.get(spec["input"]["shape"]) if "input" in spec else Shape(f"{name}Request", "structure")
    output = spec.get("output", {})
    members = given.members.values()
    return Operation(
        name=name,
        method=spec["http"]["method"],
        path=spec["http"]["requestUri"],
        input=given,
        output=shapes.get(output["shape"]) if output else Shape(f"{name}Response", "structure"),
        streams=given.payload is not None,
        query={m.wire.encode(): m for m in members if m.location == "query"},
        headers={m.wire.lower().encode(): m for m in members if m.location == "header"},
        document={m.wire: m for m in members if m.location == "body"},
        errors=tuple(e["shape"] for e in spec.get("errors", ())),
        wrapper=output.get("resultWrapper", ""),
    )


class _Shapes:
    """Builds each shape once; shapes may refer to each other in circles."""

    def __init__(self, raw: Mapping[str, Mapping[str, Any]]) -> None:
        self._raw = raw
        self._built: dict[str, Shape] = {}

    def get(self, name: str) -> Shape:
        known = self._built.get(name)
        if known is not None:
            return known
        spec = self._raw[name]
        pattern = DOMAIN_NAME if name == "DomainName" else spec.get("pattern")
        shape = self._built[name] = Shape(
            name=name,
            kind=spec["type"],
            min=spec.get("min"),
            max=spec.get("max"),
            pattern=Pattern(pattern) if pattern else None,
            enum=tuple(spec.get("enum", ())),
            payload=spec.get("payload"),
        )
        if shape.kind == "list":
            shape.item = self.get(spec["member"]["shape"])
        elif shape.kind == "map":
            shape.key = self.get(spec["key"]["shape"])
            shape.value = self.get(spec["value"]["shape"])
        elif shape.kind == "structure":
            required = frozenset(spec.get("required", ()))
            shape.members = {n: self._member(n, m, shape.payload, n in required) for n, m in spec["members"].items()}
        return shape

    def _member(self, name: str, spec: Mapping[str, Any], payload: str | None, required: bool) -> Member:
        location: Location = "payload" if name == payload else _LOCATIONS.get(spec.get("location", ""), "body")
        return Member(name, spec.get("locationName", name), location, self.get(spec["shape"]), required)
