"""Edits of settings files that keep everything else as it stands: pure functions over texts."""

from __future__ import annotations

import re
from collections.abc import Mapping

from registry.login.session import LoginError

BEGIN = "# >>> packyard login >>>"
END = "# <<< packyard login <<<"


def lines(text: str, values: Mapping[str, str]) -> str:
    """Set `key=value` lines, as .npmrc has them; a key that is there keeps its place."""
    left = dict(values)
    kept = []
    for line in text.splitlines():
        key = line.partition("=")[0].strip()
        if key not in values:
            kept.append(line)
        elif key in left:
            kept.append(f"{key}={left.pop(key)}")
    kept += [f"{key}={value}" for key, value in left.items()]
    return "\n".join(kept) + "\n"


def ini(text: str, section: str, values: Mapping[str, str]) -> str:
    """Set options of an INI section; the section is added at the end when it is not there."""
    left = dict(values)
    kept: list[str] = []
    current, seen, skipping, last = None, False, False, 0
    for line in text.splitlines():
        header = re.fullmatch(r"\s*\[(.+)\]\s*", line)
        if header:
            current, skipping = header[1].strip(), False
        elif skipping and line[:1] in (" ", "\t") and line.strip():
            continue  # the rest of a value that was replaced
        else:
            skipping = False
        key = re.split(r"[=:]", line, maxsplit=1)[0].strip().lower()
        if current == section and not header and key in values and line[:1] not in ("#", ";", " ", "\t"):
            skipping = True
            if key in left:
                kept.append(f"{key} = {left.pop(key)}")
                last = len(kept)
            continue
        kept.append(line)
        if current == section and line.strip():
            seen, last = True, len(kept)
    added = [f"{key} = {value}" for key, value in left.items()]
    if not seen and added:
        return "\n".join([*kept, *([""] if kept and kept[-1].strip() else []), f"[{section}]", *added]) + "\n"
    return "\n".join([*kept[:last], *added, *kept[last:]]) + "\n"


def ini_value(text: str, section: str, key: str) -> str:
    """The value of an option, its lines joined by newlines; empty when it is not there."""
    current, value, inside = None, [], False
    for line in text.splitlines():
        header = re.fullmatch(r"\s*\[(.+)\]\s*", line)
        if header:
            current, inside = header[1].strip(), False
        elif inside and line[:1] in (" ", "\t"):
            value.append(line.strip())
        elif current == section and line.partition("=")[0].strip().lower() == key:
            inside, value = True, [line.partition("=")[2].strip()]
        else:
            inside = False
    return "\n".join(each for each in value if each)


def block(text: str, body: str, *, against: Mapping[str, str]) -> str:
    """Put `body` between two marks, in place of what an earlier login put there, else at the end.

    `against`: pattern -> message.  A match outside of the marks is a setting of the user's that would clash.
    """
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2].lstrip("\n") if rest else ""
    outside = before + after
    for pattern, message in against.items():
        if re.search(pattern, outside, re.MULTILINE):
            raise LoginError(message)
    before = before.rstrip("\n") + "\n\n" if before.strip() else ""
    return f"{before}{BEGIN}\n{body.rstrip()}\n{END}\n{after}"
