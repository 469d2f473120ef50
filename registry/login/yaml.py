"""Edits of a .yarnrc.yml: keys of its top level, and keys and items one level below, in block style.

No parser of YAML stands behind this, so it changes only what it understands: the form that `yarn config set` and the
manual of yarn write.  A line that it does not understand at the top level, or a value of a key to be changed that is
written otherwise, is Malformed, and the file stays as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import takewhile

from registry.login.errors import Malformed

_KEY = r"""(?P<key>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s#"'\[\]{},&*!|>%@`-][^#]*?|-[^\s#][^#]*?)\s*:(?=\s|$)"""
_ENTRY = re.compile(rf"(?P<indent> *){_KEY}(?P<value>.*)")
_EMPTY = re.compile(r"\s*(#.*)?")
_ITEM = re.compile(r"""( *)- +("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s#"'\[\]{}&*!|>%@`][^#]*?)\s*(#.*)?""")


def put(text: str, key: str, value: str) -> str:
    """Set a key of the top level to a text.  Raises Malformed."""
    lines = text.splitlines()
    line = f"{key}: {_quoted(value)}"
    span = _span(lines, key)
    if span is None:
        return _joined([*lines, line])
    begin, end = span
    if any(not _EMPTY.fullmatch(each) for each in lines[begin + 1 : end]):
        raise Malformed(f"{key} is not a text (line {begin + 1})")
    return _joined([*lines[:begin], line, *lines[begin + 1 :]])


def put_entry(text: str, key: str, name: str, values: Sequence[tuple[str, str | bool]]) -> str:
    """Set the entry `name` of the mapping that `key` has, in place of an entry of that name.  Raises Malformed."""
    lines = text.splitlines()
    begin, end = _block(lines, key)
    inner = [at for at in range(begin + 1, end) if not _EMPTY.fullmatch(lines[at])]
    indent = _indent(lines[inner[0]]) if inner else 2
    new = [f"{' ' * indent}{_quoted(name)}:", *(f"{' ' * (indent + 2)}{k}: {_scalar(v)}" for k, v in values)]
    found: list[tuple[int, int]] = []
    for place, at in enumerate(inner):
        if _indent(lines[at]) > indent:
            continue
        entry = _ENTRY.fullmatch(lines[at])
        if entry is None or _indent(lines[at]) < indent or not indent:
            raise Malformed(f"{key} is not a mapping in block style (line {at + 1})")
        if _plain(entry["key"]) == name:
            below = takewhile(lambda other: _indent(lines[other]) > indent, inner[place + 1 :])
            found.append((at, max(below, default=at) + 1))
    if len(found) > 1:
        raise Malformed(f"{key} has an entry twice (line {found[1][0] + 1})")
    if found:
        lines[slice(*found[0])] = new
    else:
        last = inner[-1] + 1 if inner else begin + 1
        lines[last:last] = new
    return _joined(lines)


def put_item(text: str, key: str, item: str) -> str:
    """Have an item in the list that `key` has, in block style or in brackets on one line.  Raises Malformed."""
    lines = text.splitlines()
    span = _span(lines, key)
    brackets = re.fullmatch(r"\[(.*)\]\s*(#.*)?", _value(lines[span[0]])) if span else None
    if span and brackets and brackets[1].strip():
        inside = brackets[1].strip()
        one = r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s"'\[\]{},#&*!|>%@`][^\s"'\[\]{},#]*)"""
        if not re.fullmatch(rf"{one}(\s*,\s*{one})*\s*,?", inside):
            raise Malformed(f"{key} is not a list of texts (line {span[0] + 1})")
        if item in map(_plain, re.findall(one, inside)):
            return text
        head = lines[span[0]].partition("[")[0]
        comment = f" {brackets[2]}" if brackets[2] else ""
        lines[span[0]] = f"{head}[{inside.rstrip(', ')}, {_quoted(item)}]{comment}"
        return _joined(lines)
    begin, end = _block(lines, key)
    inner = [at for at in range(begin + 1, end) if not _EMPTY.fullmatch(lines[at])]
    indent = _indent(lines[inner[0]]) if inner else 2
    for at in inner:
        found = _ITEM.fullmatch(lines[at])
        if found is None or len(found[1]) != indent:
            raise Malformed(f"{key} is not a list of texts (line {at + 1})")
        if _plain(found[2]) == item:
            return text
    last = inner[-1] + 1 if inner else begin + 1
    lines[last:last] = [f"{' ' * indent}- {_quoted(item)}"]
    return _joined(lines)


def put_list(text: str, key: str, items: Sequence[str]) -> str:
    """Set a key of the top level to a list of plain words, in place of what it had.  Raises Malformed."""
    lines = text.splitlines()
    new = [f"{key}:", *(f"- {item}" for item in items)]
    span = _span(lines, key)
    begin, end = span if span is not None else (len(lines), len(lines))
    comments = [line for line in lines[begin + 1 : end] if line.strip() and _EMPTY.fullmatch(line)]
    return _joined([*lines[:begin], *new, *comments, *lines[end:]])


def _block(lines: list[str], key: str) -> tuple[int, int]:
    """The span of a key whose value is in the lines below; the key is added when it is not there."""
    span = _span(lines, key)
    if span is None:
        lines.append(f"{key}:")
        return len(lines) - 1, len(lines)
    begin, end = span
    value = _value(lines[begin])
    inner = any(not _EMPTY.fullmatch(each) for each in lines[begin + 1 : end])
    if re.fullmatch(r"(\{\s*\}|\[\s*\]|null|~)\s*(#.*)?", value) and not inner:
        lines[begin] = f"{key}:"
    elif not _EMPTY.fullmatch(value):
        raise Malformed(f"{key} is not written in block style (line {begin + 1})")
    return span


def _span(lines: Sequence[str], key: str) -> tuple[int, int] | None:
    """The line of a key of the top level and the line after its value.  Raises Malformed for what is not understood."""
    starts: list[tuple[int, str]] = []
    for at, line in enumerate(lines):
        entry = _ENTRY.fullmatch(line)
        if _EMPTY.fullmatch(line) or (line.rstrip() == "---" and not starts):
            continue
        if "\t" in line[: len(line) - len(line.lstrip())]:
            raise Malformed(f"line {at + 1} is indented by a tab")
        if line.startswith(" ") or re.match(r"-(\s|$)", line):
            if not starts:
                raise Malformed(f"line {at + 1} belongs to no key")
        elif entry is None:
            raise Malformed(f"line {at + 1} is not a key with a value")
        else:
            starts.append((at, _plain(entry["key"])))
    ends = [at for at, _ in starts[1:]] + [len(lines)]
    spans = [(at, end) for (at, name), end in zip(starts, ends, strict=False) if name == key]
    if len(spans) > 1:
        raise Malformed(f"{key} is there twice (line {spans[1][0] + 1})")
    return spans[0] if spans else None


def _value(line: str) -> str:
    entry = _ENTRY.fullmatch(line)
    return entry["value"].strip() if entry else ""


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _plain(written: str) -> str:
    if written.startswith('"'):
        try:
            return str(json.loads(written))
        except ValueError:
            return written
    return written[1:-1].replace("''", "'") if written.startswith("'") else written.strip()


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _scalar(value: str | bool) -> str:
    return json.dumps(value, ensure_ascii=False)


def _joined(lines: Sequence[str]) -> str:
    return "\n".join([*lines, ""])
