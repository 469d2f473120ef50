"""The query protocol of IAM and STS: form fields -> parameters by the model, output structure -> XML.

Source: Smithy, "AWS query protocol".  Lists are `Name.member.N`, structures `Name.Member`.  A policy document of an
answer is percent-encoded, as IAM's reference says of every member that holds one.  Times are milliseconds inside and
ISO 8601 on the wire.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote
from xml.sax.saxutils import escape

from registry.control.model import Operation, Shape
from registry.core.errors import Validation

MOST_FIELDS = 2000
_DEEPEST = 8
_INDEX = re.compile(r"[0-9]{1,6}")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
# What XML 1.0 cannot hold in any spelling.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Tree = dict[str, Any]


def fields(body: bytes) -> dict[str, str]:
    """The fields of a form (or of a query string), each name once.  Raises Validation."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Validation("The request is not a form of at most 2000 fields in UTF-8") from None
    return dict(reversed(pairs))


def parse(operation: Operation, given: Mapping[str, str]) -> dict[str, Any]:
    """The operation's parameters; fields that it does not know are passed over.  Raises Validation."""
    params: dict[str, Any] = _structure(operation.input, _tree(given), "")
    return params


def _tree(given: Mapping[str, str]) -> Tree:
    root: Tree = {}
    for name, value in given.items():
        *path, last = name.split(".", _DEEPEST)
        node = root
        for part in path:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                raise Validation(f"The field {name[:128]} is given in two forms")
        if isinstance(node.get(last), dict):
            raise Validation(f"The field {name[:128]} is given in two forms")
        node[last] = value
    return root


def _structure(shape: Shape, node: Tree, path: str) -> dict[str, Any]:
    return {
        name: _value(member.shape, node[member.wire], f"{path}{name}")
        for name, member in shape.members.items()
        if member.wire in node
    }


def _value(shape: Shape, node: Any, path: str) -> Any:
    if shape.kind == "structure" and isinstance(node, dict):
        return _structure(shape, node, f"{path}.")
    if shape.kind == "list" and shape.item is not None:
        return _list(shape.item, node, path)
    if not isinstance(node, str):
        raise Validation(f"The value of '{path}' is not a {shape.kind}")
    if shape.kind == "boolean":
        if node.lower() not in ("true", "false"):
            raise Validation(f"Value '{node[:64]}' at '{path}' is not a boolean")
        return node.lower() == "true"
    if shape.kind in ("integer", "long"):
        if not _INTEGER.fullmatch(node):
            raise Validation(f"Value '{node[:64]}' at '{path}' is not an integer")
        return int(node)
    if "\0" in node:
        raise Validation(f"The value of '{path}' holds a NUL character")
    return node


def _list(item: Shape, node: Any, path: str) -> list[Any]:
    """An empty list is an empty field."""
    members = node.get("member") if isinstance(node, dict) else None
    if node == "" or node == {}:
        return []
    if not isinstance(members, dict) or not all(map(_INDEX.fullmatch, members)):
        raise Validation(f"The value of '{path}' is not a list")
    return [_value(item, members[index], f"{path}.{index}.member") for index in sorted(members, key=int)]


# --- answers -----------------------------------------------------------------------------------------------


def serialize(operation: Operation, value: Mapping[str, Any], *, namespace: str, request_id: str) -> bytes:
    """The document of a successful answer.  A member that the shape does not have is a programming error."""
    inside = "".join(_members(operation.output, value))
    if operation.wrapper:
        inside = f"<{operation.wrapper}>{inside}</{operation.wrapper}>"
    about = f"<ResponseMetadata><RequestId>{escape(request_id)}</RequestId></ResponseMetadata>"
    name = f"{operation.name}Response"
    return f'<{name} xmlns="{namespace}">{inside}{about}</{name}>'.encode()


def error(code: str, message: str, *, status: int, namespace: str, request_id: str) -> bytes:
    """The document of a refusal."""
    who = "Receiver" if status >= 500 else "Sender"
    return (
        f'<ErrorResponse xmlns="{namespace}"><Error><Type>{who}</Type><Code>{escape(code)}</Code>'
        f"<Message>{_text(message)}</Message></Error><RequestId>{escape(request_id)}</RequestId></ErrorResponse>"
    ).encode()


def _members(shape: Shape, value: Mapping[str, Any]) -> Iterator[str]:
    for name, given in value.items():
        member = shape.members[name]
        if given is not None:
            yield f"<{member.wire}>{_inside(member.shape, given)}</{member.wire}>"


def _inside(shape: Shape, value: Any) -> str:
    if shape.kind == "structure":
        return "".join(_members(shape, value))
    if shape.kind == "list" and shape.item is not None:
        item = shape.item
        return "".join(f"<member>{_inside(item, each)}</member>" for each in value)
    if shape.kind == "map" and shape.value is not None:
        item = shape.value
        return "".join(
            f"<entry><key>{_text(key)}</key><value>{_inside(item, each)}</value></entry>" for key, each in value.items()
        )
    if shape.kind == "boolean":
        return "true" if value else "false"
    if shape.kind == "timestamp":
        return datetime.fromtimestamp(value // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if shape.name == "policyDocumentType":
        return quote(value, safe="")
    return _text(str(value))


def _text(text: str) -> str:
    return escape(_FORBIDDEN.sub("\ufffd", text)).replace("\r", "&#13;")
