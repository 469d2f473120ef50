"""Edits of an .npmrc, which npm, pnpm, bun and yarn 1 read: `key=value` lines (the npm package `ini`)."""

from __future__ import annotations

import re
from collections.abc import Mapping


def put(text: str, values: Mapping[str, str]) -> str:
    """Set keys; one that is there keeps its place, and everything else stays as it is.

    What stands below a `[section]` header is another key, so that new ones go above the first header.
    """
    left = dict(values)
    lines = text.splitlines()
    end = next((at for at, line in enumerate(lines) if re.fullmatch(r"\s*\[[^\]]*\]\s*", line)), len(lines))
    kept = []
    for line in lines[:end]:
        key = line.partition("=")[0].strip().strip("\"'")
        if key not in values:
            kept.append(line)
        elif key in left:
            kept.append(f"{key}={left.pop(key)}")
    added = [f"{key}={value}" for key, value in left.items()]
    return "\n".join([*kept, *added, *lines[end:], ""])
