"""Patterns of policy documents: `*`, `?` and policy variables.

A variable is `${KEY}` or `${KEY, 'default'}`; `${*}`, `${?}` and `${$}` are those characters themselves.
What a variable stands for is taken literally.  Matching takes time linear in pattern times text, whatever the pattern.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

Lookup = Callable[[str], str | None]
"""The one value of a condition key (lower case), or None."""

_VARIABLE = re.compile(r"\$\{\s*(?:([*?$])|([^\s,{}']+)\s*(?:,\s*'([^']*)'\s*)?)\s*\}")


@dataclass(frozen=True, slots=True)
class _Variable:
    key: str
    default: str | None


@dataclass(frozen=True, slots=True)
class Glob:
    """A compiled pattern.  `keys` are the condition keys (lower case) that its variables name."""

    parts: tuple[str | re.Pattern[str] | _Variable, ...]
    fold: bool
    wild: bool
    keys: frozenset[str]

    def matches(self, text: str, lookup: Lookup) -> bool | None:
        """Whether the whole text matches; None when a variable stands for nothing now."""
        if not self.keys:
            only = self.parts[0]
            assert isinstance(only, re.Pattern)
            return only.fullmatch(text) is not None
        source = ""
        for part in self.parts:
            if isinstance(part, _Variable):
                value = lookup(part.key)
                value = part.default if value is None else value
                if value is None:
                    return None
                source += re.escape(value)
            else:
                assert isinstance(part, str)
                source += part
        return _compile(_atomic(source), self.fold).fullmatch(text) is not None


def glob(text: str, *, variables: bool = False, wild: bool = True, fold: bool = False) -> Glob:
    """Compile a pattern.  `wild`: `*` and `?` are special.  `fold`: letter case does not matter."""
    parts: list[str | re.Pattern[str] | _Variable] = []
    plain = ""
    for piece in _pieces(text) if variables else [(text, False)]:
        if isinstance(piece, _Variable):
            parts += [plain, piece]
            plain = ""
        else:
            literal, escaped = piece
            plain += re.escape(literal) if escaped or not wild else _translate(literal)
    parts.append(plain)
    keys = frozenset(part.key for part in parts if isinstance(part, _Variable))
    if not keys:
        parts = [_compile(_atomic(plain), fold)]
    return Glob(parts=tuple(parts), fold=fold, wild=wild, keys=keys)


_STAR = (
    "\0*"  # "any text", until `_atomic`; text cannot look like it, as `re.escape` puts a backslash before its own stars
)


def _translate(text: str) -> str:
    return "".join(_STAR if c == "*" else "." if c == "?" else re.escape(c) for c in text)


def _atomic(source: str) -> str:
    """Join the fixed pieces between stars so that each is found at its first place and never looked for again.

    The first place is always as good as a later one, so nothing is lost, and a pattern of many stars
    cannot make the matcher try every split.
    """
    first, *rest = source.split(_STAR)
    if not rest:
        return first
    *middle, last = rest
    return first + "".join(f"(?>.*?{piece})" for piece in middle if piece) + f".*{last}"


def _pieces(text: str) -> Iterator[tuple[str, bool] | _Variable]:
    at = 0
    for found in _VARIABLE.finditer(text):
        yield text[at : found.start()], False
        special, key, default = found.groups()
        if special:
            yield special, True
        else:
            yield _Variable(key.lower(), default)
        at = found.end()
    yield text[at:], False


@lru_cache(maxsize=2048)
def _compile(source: str, fold: bool) -> re.Pattern[str]:
    return re.compile(source, re.DOTALL | (re.IGNORECASE if fold else 0))
