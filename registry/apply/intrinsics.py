"""CloudFormation's functions that such templates need: Ref, Fn::GetAtt, Fn::Sub, Fn::Join."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from registry.apply.errors import TemplateError

NO_VALUE = object()
"""What AWS::NoValue stands for: the property is left out."""
FUNCTIONS = ("Ref", "Fn::GetAtt", "Fn::Sub", "Fn::Join")
_VARIABLE = re.compile(r"\$\{(!?)([^}]*)\}")


@dataclass(frozen=True, slots=True)
class Names:
    """What names stand for.  Each raises TemplateError, given the place where it is asked for."""

    ref: Callable[[str, str], Any]
    attribute: Callable[[str, str, str], Any]


def resolve(value: Any, names: Names, where: str) -> Any:
    """The value with every function replaced by what it gives.  Raises TemplateError."""
    if isinstance(value, list):
        items = [resolve(item, names, f"{where}[{number}]") for number, item in enumerate(value)]
        return [item for item in items if item is not NO_VALUE]
    if not isinstance(value, dict):
        return value
    function = _function(value, where)
    if function is not None:
        return _called(function, value[function], names, where)
    members = {key: resolve(item, names, f"{where}.{key}") for key, item in value.items()}
    return {key: item for key, item in members.items() if item is not NO_VALUE}


def mentioned(value: Any) -> Iterator[str]:
    """The names that a value asks for, resources and parameters alike."""
    if isinstance(value, list):
        for item in value:
            yield from mentioned(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "Ref" and isinstance(item, str):
                yield item
            elif key == "Fn::GetAtt":
                parts = item.split(".", 1) if isinstance(item, str) else item
                if isinstance(parts, list) and parts and isinstance(parts[0], str):
                    yield parts[0]
            elif key == "Fn::Sub":
                text, given = item if isinstance(item, list) and len(item) == 2 else (item, {})
                own = given if isinstance(given, dict) else {}
                if isinstance(text, str):
                    found = (match[2] for match in _VARIABLE.finditer(text) if not match[1])
                    yield from (name.split(".", 1)[0] for name in found if name not in own)
                yield from mentioned(own)
            else:
                yield from mentioned(item)


def _function(value: dict[str, Any], where: str) -> str | None:
    if len(value) != 1:
        return None
    (key,) = value
    if key in FUNCTIONS:
        return key
    if key.startswith("Fn::") or key == "Condition":
        raise TemplateError(f"{where}: {key} is not supported; {', '.join(FUNCTIONS)} are")
    return None


def _called(function: str, argument: Any, names: Names, where: str) -> Any:
    if function == "Ref":
        if not isinstance(argument, str):
            raise TemplateError(f"{where}: Ref takes a name")
        return names.ref(argument, where)
    if function == "Fn::GetAtt":
        parts = argument.split(".", 1) if isinstance(argument, str) else argument
        if not isinstance(parts, list) or len(parts) != 2 or not all(isinstance(part, str) for part in parts):
            raise TemplateError(f"{where}: Fn::GetAtt takes a resource and an attribute")
        return names.attribute(parts[0], parts[1], where)
    return _substituted(argument, names, where) if function == "Fn::Sub" else _joined(argument, names, where)


def _substituted(argument: Any, names: Names, where: str) -> str:
    text, given = argument if isinstance(argument, list) and len(argument) == 2 else (argument, {})
    if not isinstance(text, str) or not isinstance(given, dict):
        raise TemplateError(f"{where}: Fn::Sub takes a text, or a text and a mapping of names")
    own = {name: _text(resolve(value, names, where), where) for name, value in given.items()}

    def replaced(match: re.Match[str]) -> str:
        literal, name = match[1], match[2]
        if literal:
            return f"${{{name}}}"
        if name in own:
            return own[name]
        resource, dot, attribute = name.partition(".")
        value = names.attribute(resource, attribute, where) if dot else names.ref(name, where)
        return _text(value, where)

    return _VARIABLE.sub(replaced, text)


def _joined(argument: Any, names: Names, where: str) -> str:
    if not isinstance(argument, list) or len(argument) != 2 or not isinstance(argument[0], str):
        raise TemplateError(f"{where}: Fn::Join takes a separator and a list")
    parts = resolve(argument[1], names, where)
    if not isinstance(parts, list):
        raise TemplateError(f"{where}: Fn::Join takes a separator and a list")
    return argument[0].join(_text(part, where) for part in parts)


def _text(value: Any, where: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise TemplateError(f"{where}: a text was expected, not {type(value).__name__}")
