"""Edits of TOML files that keep comments, order and all that is not ours.

The edit works on lines and knows the usual ways of writing a table.  What it made is read again and compared with what
it had to be: a file that is written in another way is refused, never broken.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from registry.login.errors import Malformed

Values = Mapping[str, str | bool]


def put(text: str, path: Sequence[str], values: Values) -> str:
    """Set keys of the table `path`, which is added at the end when it is not there.  Raises Malformed."""
    wanted = read(text)
    table = wanted
    for key in path:
        table = _inner(table, key)
    table |= values
    lines = text.splitlines()
    for begin, end, name, many in _tables(lines):
        if name == tuple(path) and not many:
            lines[begin + 1 : end] = _set(lines[begin + 1 : end], values)
            return _checked(lines, wanted)
    lines += [*_gap(lines), f"[{'.'.join(map(_key, path))}]", *_set([], values)]
    return _checked(lines, wanted)


def put_element(text: str, array: str, which: str, values: Values, *, first: bool = False) -> str:
    """Set keys of that table in the array of tables `array` whose `which` is the one in `values`.

    One that is not there is added at the end, or before the others (`first`).  Raises Malformed.
    """
    wanted = read(text)
    elements = wanted.setdefault(array, [])
    if not isinstance(elements, list):
        raise Malformed(f"{array} is not a list of tables")
    place = next((at for at, each in enumerate(elements) if _is(each, which, values[which])), None)
    if place is not None:
        elements[place] |= values
    else:
        elements.insert(0 if first else len(elements), dict(values))
    lines = text.splitlines()
    tables = [(begin, end) for begin, end, name, many in _tables(lines) if many and name == (array,)]
    if place is not None and place < len(tables):
        begin, end = tables[place]
        lines[begin + 1 : end] = _set(lines[begin + 1 : end], values)
    elif first and tables:
        at = tables[0][0]
        while at and lines[at - 1].startswith("#"):
            at -= 1  # what is said of the first table stays with it
        lines[at:at] = [*_gap(lines[:at]), f"[[{_key(array)}]]", *_set([], values), ""]
    else:
        lines += [*_gap(lines), f"[[{_key(array)}]]", *_set([], values)]
    return _checked(lines, wanted)


def read(text: str) -> dict[str, Any]:
    """Raises Malformed."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as err:
        where = re.search(r"\(at ([^)]*)\)", str(err))
        raise Malformed(f"it is not TOML{f' (at {where[1]})' if where else ''}") from err


def _inner(table: dict[str, Any], key: str) -> dict[str, Any]:
    inner = table.setdefault(key, {})
    if not isinstance(inner, dict):
        raise Malformed(f"{key} is not a table")
    return inner


def _is(element: Any, which: str, value: str | bool) -> bool:
    return isinstance(element, dict) and element.get(which) == value


def _checked(lines: Sequence[str], wanted: Mapping[str, Any]) -> str:
    made = "\n".join([*lines, ""])
    try:
        same = tomllib.loads(made) == deepcopy(dict(wanted))
    except tomllib.TOMLDecodeError:
        same = False
    if not same:
        raise Malformed("it is written in a way that cannot be changed safely")
    return made


def _tables(lines: Sequence[str]) -> list[tuple[int, int, tuple[str, ...], bool]]:
    """Of each header: its line, the line after its table, its name, and whether it is of an array of tables.

    A line within a text of several lines may look like a header; `_checked` catches what comes of that.
    """
    found = [(at, *name) for at, line in enumerate(lines) if (name := _header(line))]
    ends = [at for at, _, _ in found[1:]] + [len(lines)]
    return [(at, end, name, many) for (at, name, many), end in zip(found, ends, strict=False)]


def _header(line: str) -> tuple[tuple[str, ...], bool] | None:
    if not line.lstrip().startswith("["):
        return None
    try:
        inner: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return None
    name = []
    while inner:
        (key, inner) = next(iter(inner.items()))
        name.append(key)
        if isinstance(inner, list):
            return tuple(name), True
    return tuple(name), False


def _set(lines: Sequence[str], values: Values) -> list[str]:
    """The lines of one table with keys set: in their place, else after the last line that is not blank or comment."""
    left = dict(values)
    kept = []
    for line in lines:
        key = line.partition("=")[0].strip().strip("\"'")
        kept.append(f"{_key(key)} = {json.dumps(left.pop(key))}" if key in left else line)
    end = max((at + 1 for at, line in enumerate(kept) if line.strip() and not line.lstrip().startswith("#")), default=0)
    kept[end:end] = [f"{_key(key)} = {json.dumps(value)}" for key, value in left.items()]
    return kept


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)


def _gap(lines: Sequence[str]) -> list[str]:
    return [""] if lines and lines[-1].strip() else []
