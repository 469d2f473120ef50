"""What counts as a variation of a name.

Guide, "Additional variations": case differences, sequences of dash, dot and underscore, and confusable characters.
Confusables are Unicode's own (UTS 39, the skeleton of section 4), as the library `confusable_homoglyphs` carries them.

Two texts are variations of each other when they have a fold in common.  There are two folds, because the order of
steps matters for letters that look alike in one case only: "I" is the capital of "i" and looks like "l".
"""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import lru_cache
from importlib import metadata

from confusable_homoglyphs.confusables import confusables_data  # type: ignore[import-untyped]

_SEPARATORS = re.compile(r"[-._]+")
# Marks of direction, which the library keeps around some prototypes.
_MARKS = str.maketrans("", "", "\u200e\u200f")


@lru_cache(maxsize=32_768)
def folds(text: str) -> tuple[str, ...]:
    """The folds of a text, the usual one first; one where both agree."""
    usual = _folded(text)
    other = _folded(skeleton(text))
    return (usual,) if usual == other else (usual, other)


def variations(one: str, other: str) -> bool:
    """Is one a variation of the other (or the same)?"""
    return not set(folds(one)).isdisjoint(folds(other))


def skeleton(text: str) -> str:
    """UTS 39: decompose, drop what nobody sees, replace what is confusable by its prototype, decompose."""
    if text.isascii():
        return text.translate(_ASCII)
    seen = [each for each in unicodedata.normalize("NFD", text) if unicodedata.category(each) != "Cf"]
    return unicodedata.normalize("NFD", "".join([_PROTOTYPES.get(each, each) for each in seen]))


def version() -> str:
    """Changes whenever the tables behind the folds do, as with another version of the library or of Python."""
    return _VERSION


def _folded(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)  # wide letters, ligatures: the same characters in other clothes
    return _SEPARATORS.sub(".", skeleton(text.casefold()).casefold())


def _prototypes() -> dict[str, str]:
    """Character -> what it looks like.

    The library knows pairs, without saying which of the two is the prototype.  In Unicode's table many characters
    have one prototype, and no prototype has another: so it is the one with several counterparts, or with several
    characters; of two that have nobody else, the one that such prototypes are made of, else the first.
    """
    parts = {part for spelled in confusables_data if len(spelled.translate(_MARKS)) > 1 for part in spelled}
    found: dict[str, str] = {}
    for spelled, pairs in confusables_data.items():
        character = spelled.translate(_MARKS)
        if len(character) != 1 or len(pairs) != 1:
            continue
        (counterpart,) = (each["c"] for each in pairs)
        prototype = counterpart.translate(_MARKS)
        known = len(prototype) > 1 or len(confusables_data[counterpart]) > 1
        if known or (character in parts, prototype) < (prototype in parts, character):
            found[sys.intern(character)] = prototype
    return found


_PROTOTYPES = _prototypes()
_ASCII = {ord(each): prototype for each, prototype in _PROTOTYPES.items() if each.isascii()}
_VERSION = f"1 {metadata.version('confusable-homoglyphs')} {unicodedata.unidata_version}"
