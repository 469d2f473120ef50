"""Edits of INI files as Python's configparser reads them: pip.conf and .pypirc."""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable, Mapping

from registry.login.errors import Malformed


def put(text: str, section: str, values: Mapping[str, str], *, same: Callable[[str], str] = str.lower) -> str:
    """Set options of a section; the section is added at the end when it is not there.

    `same` brings the spellings of one option together; pip takes `index_url` for `index-url`.
    A value of several lines begins with a newline.  Raises Malformed.
    """
    wanted = _document(text)
    left = {same(key): (key, value) for key, value in values.items()}
    options = {key: value for key, value in wanted.get(section, {}).items() if same(key) not in left}
    wanted[section] = options | {key.lower(): _plain(value) for key, value in values.items()}
    lines = text.splitlines()
    span = _span(lines, section)
    if span is None:
        gap = [""] if lines and lines[-1].strip() else []
        lines += [*gap, f"[{section}]", *(f"{key} = {value}" for key, value in values.items())]
    else:
        lines[slice(*span)] = _options(lines[slice(*span)], left, same)
    made = "\n".join([*lines, ""])
    try:
        safe = _document(made) == wanted
    except Malformed:
        safe = False
    if not safe:
        raise Malformed(f"the section {section} is written in a way that cannot be changed safely")
    return made


def value(text: str, section: str, option: str) -> str | None:
    """An option's value, or None.  Raises Malformed."""
    return _document(text).get(section, {}).get(option)


def _options(lines: list[str], wanted: Mapping[str, tuple[str, str]], same: Callable[[str], str]) -> list[str]:
    """The lines of a section with options set: in their place, else after the last line that is not blank."""
    left = dict(wanted)
    kept: list[str] = []
    replaced = False
    for line in lines:
        if replaced and line[:1] in (" ", "\t") and line.strip():
            continue  # the rest of a value that was replaced
        if replaced and not line.strip():
            kept.append(line)  # a value may go on behind an empty line
            continue
        key = same(re.split(r"[=:]", line, maxsplit=1)[0].strip())
        replaced = key in wanted and line[:1] not in ("#", ";", " ", "\t")
        if not replaced:
            kept.append(line)
        elif key in left:
            name, text = left.pop(key)
            kept.append(f"{name} = {text}")
    end = max((at + 1 for at, line in enumerate(kept) if line.strip()), default=0)
    kept[end:end] = [f"{name} = {text}" for name, text in left.values()]
    return kept


def _span(lines: list[str], section: str) -> tuple[int, int] | None:
    """Where the lines below a section's header begin and end."""
    headers = [(at, found[1]) for at, line in enumerate(lines) if (found := re.match(r"\[(.+)\]", line))]
    for place, (at, name) in enumerate(headers):
        if name == section:
            return at + 1, headers[place + 1][0] if place + 1 < len(headers) else len(lines)
    return None


def _plain(value: str) -> str:
    return "\n".join(line.strip() for line in value.split("\n"))


def _document(text: str) -> dict[str, dict[str, str]]:
    """Sections and their options.  configparser's own messages quote lines, which may hold secrets."""
    parser = configparser.RawConfigParser(default_section="\0")  # [DEFAULT] is a section as any other here
    try:
        parser.read_string(text)
    except configparser.Error as err:
        errors = getattr(err, "errors", None)
        line = errors[0][0] if errors else getattr(err, "lineno", None)
        raise Malformed(f"line {line} is not what an INI file has there") from err
    return {name: dict(parser.items(name)) for name in parser.sections()}
