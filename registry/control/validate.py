"""Every constraint of the model, checked at once.

botocore's own validator looks at types and required members only; the service looks at everything, and says
what it found in these words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from registry.control.model import Shape
from registry.core.errors import Validation

_SHOWN = 256


def check(shape: Shape, params: Mapping[str, Any]) -> None:
    """Raise Validation naming every member that breaks a rule, and the rule."""
    found = [*_structure(shape, params, "")]
    if found:
        count = len(found)
        raise Validation(f"{count} validation error{'s' if count > 1 else ''} detected: {'; '.join(found)}")


def _structure(shape: Shape, value: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, member in shape.members.items():
        if member.location == "payload":
            continue
        given = value.get(name)
        if given is None:
            if member.required:
                yield f"Value null at '{path}{name}' failed to satisfy constraint: Member must not be null"
        else:
            yield from _value(member.shape, given, f"{path}{name}")


def _value(shape: Shape, value: Any, path: str) -> Iterator[str]:
    kind = shape.kind
    if kind == "string":
        yield from _string(shape, value, path)
    elif kind in ("integer", "long"):
        if shape.max is not None and value > shape.max:
            yield _broken(value, path, f"Member must have value less than or equal to {shape.max}")
        if shape.min is not None and value < shape.min:
            yield _broken(value, path, f"Member must have value greater than or equal to {shape.min}")
    elif kind == "list":
        yield from _size(shape, value, path)
        if shape.item is not None and not _too_many(shape, value):
            for n, item in enumerate(value, 1):
                yield from _value(shape.item, item, f"{path}.{n}.member")
    elif kind == "map":
        yield from _size(shape, value, path)
        if shape.key is not None and shape.value is not None and not _too_many(shape, value):
            for key, item in value.items():
                yield from _value(shape.key, key, f"{path}.key")
                yield from _value(shape.value, item, f"{path}.{key}.value")
    elif kind == "structure":
        yield from _structure(shape, value, f"{path}.")


def _string(shape: Shape, value: str, path: str) -> Iterator[str]:
    if shape.enum and value not in shape.enum:
        yield _broken(value, path, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]")
    if shape.max is not None and len(value) > shape.max:
        yield _broken(value, path, f"Member must have length less than or equal to {shape.max}")
    if shape.min is not None and len(value) < shape.min:
        yield _broken(value, path, f"Member must have length greater than or equal to {shape.min}")
    if shape.pattern is not None and not shape.pattern.matches(value):
        yield _broken(value, path, f"Member must satisfy regular expression pattern: {shape.pattern.text}")


def _size(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if _too_many(shape, value):
        yield _broken(value, path, f"Member must have length less than or equal to {shape.max}")
    if shape.min is not None and len(value) < shape.min:
        yield _broken(value, path, f"Member must have length greater than or equal to {shape.min}")


def _too_many(shape: Shape, value: Any) -> bool:
    return shape.max is not None and len(value) > shape.max


def _broken(value: object, path: str, rule: str) -> str:
    shown = str(value)
    if len(shown) > _SHOWN:
        shown = f"{shown[:_SHOWN]}..."
    return f"Value '{shown}' at '{path}' failed to satisfy constraint: {rule}"
