"""REST-JSON: request -> parameters by the model, output structure -> headers and body.

Query names and values are percent-decoded once, from the raw query string; a literal `+` is a plus, as in the
canonical request of a signature.  Parameters that the operation does not know are ignored, so are repetitions.
JSON null counts as absent.  Times are milliseconds inside and seconds on the wire.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from registry.control.model import Member, Operation, Shape
from registry.core.errors import Validation

Headers = Iterable[tuple[bytes, bytes]]

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_NUMBERS = {"integer": 1 << 31, "long": 1 << 63}

_encoder = msgspec.json.Encoder()


def parse(operation: Operation, query: bytes, headers: Headers, body: bytes) -> dict[str, Any]:
    """The operation's parameters as plain values; what the request leaves out is left out.

    Raises Validation (CANNOT_PARSE) for what is not of its shape's type.  Constraints are `validate`'s business.
    """
    params = _query(operation.query, query)
    if operation.headers:
        for name, raw in headers:
            member = operation.headers.get(name)
            if member is not None and member.name not in params:
                params[member.name] = _scalar(member, _text(raw, member.name))
    if operation.document:
        document = _document(body)
        for wire, member in operation.document.items():
            value = document.get(wire)
            if value is not None:
                params[member.name] = _json(member.shape, value, member.name)
    return params


def _query(members: Mapping[bytes, Member], raw: bytes) -> dict[str, Any]:
    """The first value of every name that is known."""
    found: dict[str, Any] = {}
    for pair in raw.split(b"&"):
        name, _, value = pair.partition(b"=")
        member = members.get(name) or (members.get(unquote_to_bytes(name)) if b"%" in name else None)
        if member is not None and member.name not in found:
            found[member.name] = _scalar(member, _unquote(value, member.name))
    return found


def _unquote(raw: bytes, where: str) -> str:
    if b"%" in raw:
        if _BAD_ESCAPE.search(raw):
            raise _unreadable(f"The value of '{where}' has a malformed percent escape")
        raw = unquote_to_bytes(raw)
    return _text(raw, where)


def _text(raw: bytes, where: str) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise _unreadable(f"The value of '{where}' is not UTF-8") from None
    if "\0" in text:
        raise _unreadable(f"The value of '{where}' holds a NUL character")
    return text


def _scalar(member: Member, text: str) -> Any:
    kind = member.shape.kind
    if kind == "string":
        return text
    if kind == "boolean":
        if text not in ("true", "false"):
            raise _unreadable(f"Value '{text[:64]}' at '{member.name}' is not a boolean")
        return text == "true"
    if kind in _NUMBERS:
        if not _INTEGER.fullmatch(text) or abs(int(text)) >= _NUMBERS[kind]:
            raise _unreadable(f"Value '{text[:64]}' at '{member.name}' is not a valid {kind}")
        return int(text)
    raise NotImplementedError(f"{kind} outside the body: {member.name}")


def _document(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _unreadable("The request body is not a valid JSON document") from None
    if not isinstance(document, dict):
        raise _unreadable("The request body is not a JSON object")
    return document


def _json(shape: Shape, value: Any, path: str) -> Any:
    kind = shape.kind
    if kind == "string":
        if type(value) is not str:
            raise _mistyped(path, kind)
        if "\0" in value:
            raise _unreadable(f"The value of '{path}' holds a NUL character")
        return value
    if kind == "boolean":
        if type(value) is not bool:
            raise _mistyped(path, kind)
        return value
    if kind in _NUMBERS:
        if type(value) is not int or abs(value) >= _NUMBERS[kind]:
            raise _mistyped(path, kind)
        return value
    if kind == "list" and shape.item is not None:
        return _json_list(shape.item, value, path)
    if kind == "map" and shape.key is not None and shape.value is not None:
        return _json_map(shape.key, shape.value, value, path)
    if kind == "structure":
        return _json_structure(shape, value, path)
    raise NotImplementedError(f"{kind} in a JSON document: {path}")


def _json_list(item: Shape, value: Any, path: str) -> list[Any]:
    if type(value) is not list:
        raise _mistyped(path, "list")
    if None in value:
        raise _unreadable(f"The list at '{path}' holds null")
    return [_json(item, each, path) for each in value]


def _json_map(key: Shape, item: Shape, value: Any, path: str) -> dict[str, Any]:
    if type(value) is not dict:
        raise _mistyped(path, "map")
    return {_json(key, k, path): _json(item, v, f"{path}.{k}") for k, v in value.items() if v is not None}


def _json_structure(shape: Shape, value: Any, path: str) -> dict[str, Any]:
    if type(value) is not dict:
        raise _mistyped(path, "structure")
    found = {}
    for name, member in shape.members.items():
        given = value.get(member.wire)
        if given is not None:
            found[name] = _json(member.shape, given, f"{path}.{name}")
    return found


def _mistyped(path: str, kind: str) -> Validation:
    return _unreadable(f"The value of '{path}' is not a {kind}")


def _unreadable(message: str) -> Validation:
    return Validation(message, reason="CANNOT_PARSE")


# --- answers -----------------------------------------------------------------------------------------------


def serialize(shape: Shape, value: Mapping[str, Any]) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Headers and JSON document of an output or error structure.  A payload member is the caller's business.

    A member that the shape does not have is a programming error: KeyError.
    """
    headers: list[tuple[bytes, bytes]] = []
    document: dict[str, Any] = {}
    for name, given in value.items():
        member = shape.members[name]
        if given is None or member.location == "payload":
            continue
        if member.location == "header":
            headers.append((member.wire.lower().encode(), header_value(str(given))))
        else:
            document[member.wire] = _output(member.shape, given)
    return headers, _encoder.encode(document)


def _output(shape: Shape, value: Any) -> Any:
    kind = shape.kind
    if kind == "structure":
        members = shape.members
        return {members[k].wire: _output(members[k].shape, v) for k, v in value.items() if v is not None}
    if kind == "list" and shape.item is not None:
        item = shape.item
        return value if item.kind == "string" else [_output(item, each) for each in value]
    if kind == "map" and shape.value is not None:
        item = shape.value
        return {k: _output(item, v) for k, v in value.items()}
    if kind == "timestamp":
        return value / 1000
    return value


def header_value(text: str) -> bytes:
    """A header holds visible ASCII: every other byte of the UTF-8 form is percent-encoded."""
    return b"".join(b"%c" % c if 0x20 <= c < 0x7F else b"%%%02X" % c for c in text.encode())
