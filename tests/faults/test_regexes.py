"""No pattern of ours takes more than linear time, whatever it is given."""

from __future__ import annotations

import importlib
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import protocols
import registry
import storage
import upstreams
from registry.control import model

LENGTH = 10_000
UNITS = [
    *'a0 -./_=,;:*?([{<"\\@~A\u00e9\t\n\r',
    *("a.", "a-", "0.", "1.0", "a0", "x-", '\\"', "%2", "%41", "..", "a,", "a;", "v=", "\r\n", "a:", "a*", "py3", "0x"),
]
ENDS = ["", "!", "\x00", "\n", "-", " x"]
Match = Callable[[str], object]


def patterns() -> Iterator[tuple[str, str, Match]]:
    """Where it stands, what it says, and how it is asked."""
    for package in (registry, protocols, storage, upstreams):
        for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if found.name.endswith("__main__") or found.name.startswith("registry.login"):
                continue  # what `login` reads are its user's own files
            for name, value in vars(importlib.import_module(found.name)).items():
                if isinstance(value, re.Pattern):
                    yield f"{found.name}.{name}", f"{value.pattern!r}", _asked(value)
    for operation in model.load().routes.values():
        yield from _of_shape(operation.input, operation.name, set())


def _asked(pattern: re.Pattern[Any]) -> Match:
    if isinstance(pattern.pattern, bytes):
        return lambda text: pattern.match(text.encode())
    return pattern.match


def _of_shape(shape: model.Shape, path: str, seen: set[int]) -> Iterator[tuple[str, str, Match]]:
    if id(shape) in seen:
        return
    seen.add(id(shape))
    if shape.pattern is not None:
        yield path, shape.pattern.text, shape.pattern.matches
    for name, member in shape.members.items():
        yield from _of_shape(member.shape, f"{path}.{name}", seen)
    for each in (shape.item, shape.key, shape.value):
        if each is not None:
            yield from _of_shape(each, path, seen)


FOUND = {text: (name, asked) for name, text, asked in patterns()}


@pytest.mark.parametrize("text", FOUND, ids=[name for name, _ in FOUND.values()])
def test_a_pattern_does_not_backtrack_for_long(text: str) -> None:
    _, asked = FOUND[text]
    for begin in ("", "a", "1.0.0-", "=="):
        for unit in UNITS:
            for end in ENDS:
                given = begin + unit * (LENGTH // len(unit)) + end
                started = time.process_time()
                asked(given)
                spent = time.process_time() - started
                assert spent < 0.3, f"{text} on {begin!r} + {unit!r} * n + {end!r}: {spent:.1f} s"
