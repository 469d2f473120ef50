"""Values drawn from the shapes of the service model, as clients would send or receive them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from registry.control.model import Shape

# A shape's pattern (Java's) -> an alphabet that fits it.
_PRINTABLE = st.characters(exclude_categories=["C"])
_NAME = st.characters(exclude_categories=["C", "Z"], exclude_characters="#/")
_ALPHABETS: dict[str, st.SearchStrategy[str]] = {
    "[0-9]{12}": st.sampled_from("0123456789"),
    r"\S+": _NAME,
    r"\P{C}+": _PRINTABLE,
    r"\P{C}*": _PRINTABLE,
    r"[\P{C}\s]+": st.one_of(_PRINTABLE, st.sampled_from("\t\r\n")),
    r"[^\p{C}\p{IsWhitespace}]+": _NAME,
    r"[^#/\s]+": _NAME,
    "[0-9a-f]+": st.sampled_from("0123456789abcdef"),
}
_WHOLE: dict[str, st.SearchStrategy[str]] = {
    "DomainName": st.from_regex(r"[a-z][a-z0-9_\-]{0,48}[a-z0-9]", fullmatch=True),
    "RepositoryName": st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._\-]{1,99}", fullmatch=True),
    "ExternalConnectionName": st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._\-:]{1,99}", fullmatch=True),
}


def value(shape: Shape) -> st.SearchStrategy[Any]:
    """A value that the shape allows; a timestamp is in milliseconds, a blob is bytes."""
    simple: dict[str, st.SearchStrategy[Any]] = {
        "boolean": st.booleans(),
        "timestamp": st.integers(0, 4_000_000_000_000),
        "blob": st.binary(max_size=64),
    }
    if shape.kind in simple:
        return simple[shape.kind]
    if shape.kind == "string":
        return _string(shape)
    if shape.kind in ("integer", "long"):
        low = shape.min if shape.min is not None else -1000
        return st.integers(low, shape.max if shape.max is not None else 2_000_000_000)
    if shape.item is not None:
        return st.lists(value(shape.item), min_size=shape.min or 0, max_size=4)
    if shape.key is not None and shape.value is not None:
        return st.dictionaries(value(shape.key), value(shape.value), max_size=4)
    return structure(shape)


def structure(shape: Shape, *, payload: bool = False) -> st.SearchStrategy[dict[str, Any]]:
    """Every required member and some of the others; without a payload unless asked for."""
    members = {n: value(m.shape) for n, m in shape.members.items() if payload or m.location != "payload"}
    required = {n: s for n, s in members.items() if shape.members[n].required}
    return st.fixed_dictionaries(required, optional={n: s for n, s in members.items() if n not in required})


def _string(shape: Shape) -> st.SearchStrategy[str]:
    if shape.enum:
        return st.sampled_from(shape.enum)
    if shape.name in _WHOLE:
        return _WHOLE[shape.name]
    alphabet = _ALPHABETS[shape.pattern.text] if shape.pattern is not None else _PRINTABLE
    low = shape.min or (1 if shape.pattern is not None and not shape.pattern.matches("") else 0)
    return st.text(alphabet, min_size=low, max_size=low if shape.max == low else min(shape.max or 40, low + 20))
