"""Maven's version order: the comparison of `ComparableVersion` (Maven 3.8), and a text that sorts like it; pure.

That comparison is not transitive: `1.0.alpha < 1 < 1-1 < 1.0.alpha`, since a number before a qualifier counts where
something else stands in its place and is nothing where nothing does.  No text can sort like it, then.  So there are
two things: `compare`, which is exact for any two versions, and `sort_key`, a total order that agrees with it but for
such circles, in which it puts what has a qualifier below 1 (alpha to snapshot) before the release.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

_QUALIFIERS = ("alpha", "beta", "milestone", "rc", "snapshot", "", "sp")
_ALIASES = {"ga": "", "final": "", "release": "", "cr": "rc"}
_SHORT = {"a": "alpha", "b": "beta", "m": "milestone"}
_RELEASE = 5

Token = int | tuple[int, str]
"""A number, or a qualifier as (rank, text); text only for those that Maven does not know."""
_OPEN: Token = (-1, "")
"""The beginning of a sub-list."""

_PIECES = re.compile(r"[0-9]+|[^0-9.\-]+|[.\-]")


def _qualifier(text: str, *, before_digit: bool) -> Token:
    if before_digit:
        text = _SHORT.get(text, text)
    text = _ALIASES.get(text, text)
    return (_QUALIFIERS.index(text), "") if text in _QUALIFIERS else (len(_QUALIFIERS), text)


_EMPTY: Token = (_RELEASE, "")


@lru_cache(maxsize=8192)
def tokens(version: str) -> tuple[Token, ...]:
    """The items in order.  A sub-list is always the last item of its list, so that `(` needs no counterpart."""
    lists: list[list[Token]] = [[]]
    pieces = _PIECES.findall(version.lower())
    expecting = True
    for at, piece in enumerate(pieces):
        if piece in ".-":
            if expecting:
                lists[-1].append(0)
            expecting = True
            if piece == "-":
                lists.append([])
            continue
        if not expecting:  # from digits to letters or back
            lists.append([])
        if piece[0] in "0123456789":
            lists[-1].append(int(piece))
        else:
            last = at + 1 == len(pieces)
            digit = not last and pieces[at + 1][0] in "0123456789"
            if lists[-1] and (digit or last):  # 1.x and 1.x2 are taken for 1-x and 1-x2, but not 1.x.2
                lists.append([])
            lists[-1].append(_qualifier(piece, before_digit=digit))
        expecting = False
    return _flat(lists)


def _flat(lists: Sequence[list[Token]]) -> tuple[Token, ...]:
    """Without what stands for nothing at the end of a list, and without lists that are empty then."""
    rest: tuple[Token, ...] = ()
    for items in reversed(lists):
        while items and items[-1] in (0, _EMPTY):
            items.pop()
        rest = (*items, *rest)
        if rest and items is not lists[0]:
            rest = (_OPEN, *rest)
    return rest


def _sign(rest: Sequence[Token]) -> int:
    """These tokens against nothing."""
    for token in rest:
        if isinstance(token, int):
            if token:
                return 1
        elif token not in (_EMPTY, _OPEN):
            return 1 if token[0] > _RELEASE else -1
    return 0


def _kind(token: Token) -> int:
    return 2 if isinstance(token, int) else 1 if token == _OPEN else 0


def _value(token: Token) -> tuple[int, str]:
    """Comparable with those of the same kind."""
    return (token, "") if isinstance(token, int) else token


def compare(one: str, other: str) -> int:
    """-1, 0 or 1, as ComparableVersion.compareTo says."""
    left, right = tokens(one), tokens(other)
    for mine, theirs in zip(left, right, strict=False):
        if mine == theirs:
            continue
        if _kind(mine) != _kind(theirs):
            return 1 if _kind(mine) > _kind(theirs) else -1
        return 1 if _value(mine) > _value(theirs) else -1
    shared = min(len(left), len(right))
    return _sign(left[shared:]) - _sign(right[shared:])


def highest(versions: Iterable[str]) -> str | None:
    """The highest of versions that are given in ascending order of `sort_key`; of equal ones the last."""
    best: str | None = None
    for version in versions:
        if best is None or compare(version, best) >= 0:
            best = version
    return best


@lru_cache(maxsize=16_384)
def sort_key(version: str) -> str:
    """A text that sorts like the version; equal versions (`1`, `1.0`) have the same."""
    whole = tokens(version)
    return "".join(_symbol(token, _sign(whole[at:])) for at, token in enumerate(whole)) + "F"


def _symbol(token: Token, sign: int) -> str:
    """One token, its rest being less (-1) or more (1) than nothing; the end is an F."""
    if isinstance(token, int):
        if not token:
            return "E" if sign < 0 else "K"
        digits = str(token)
        return f"L{_length(len(digits))}{digits}"
    if token == _OPEN:
        return "D" if sign < 0 else "J"
    rank, text = token
    if rank < _RELEASE:
        return f"B{rank}"
    if rank == _RELEASE:
        return "C" if sign < 0 else "G"
    return "H" if not text else f"I{text} "


def _length(digits: int) -> str:
    """Two digits, or, from 99 on, 99 and four more."""
    return f"{digits:02}" if digits < 99 else f"99{digits:04}"
