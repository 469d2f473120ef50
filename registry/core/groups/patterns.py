"""One package group pattern: its syntax, what it matches, how specific it is.  Pure.

Guide, "Package group definition syntax and matching behavior":

    /*                      every package
    /npm/*                  a format
    /maven/com.anycompany~  a format and the namespaces that begin with a word
    /npm/space/*            a format and a namespace
    /npm/space/ui~          a format, a namespace, and the names that begin with a word
    /npm/space/ui-core$     one package

`~` comes after a word and matches at the end of a word; `*` after any other text matches every continuation.
A package without a namespace has an empty one: `/pypi//requests$`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from itertools import product
from typing import Literal

from registry.core.errors import Validation
from registry.core.groups.folding import folds
from registry.core.types import FormatInfo, PackageKey

Strength = Literal["STRONG", "WEAK"]
Rank = tuple[int, int, int]

ROOT = "/*"
LONGEST = 520
"""Characters of a pattern, as the service model has it."""
_SUFFIXES = ("$", "~", "*")


class Level(IntEnum):
    """How much of a package's path a pattern says, from nothing to everything."""

    ROOT = 0
    FORMAT = 1
    NAMESPACE_PREFIX = 2
    NAMESPACE = 3
    NAME_PREFIX = 4
    NAME = 5


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern, taken apart.  `namespace` and `name` are what it says of them; at a prefix level, how they begin."""

    text: str
    level: Level
    suffix: str
    format: str = ""
    namespace: str = ""
    name: str = ""

    @property
    def rank(self) -> Rank:
        """More specific patterns have greater ranks (of those that match one package)."""
        stem = {Level.NAMESPACE_PREFIX: self.namespace, Level.NAME_PREFIX: self.name}.get(self.level, "")
        return self.level, len(folds(stem)[0]), int(self.suffix == "~")

    @property
    def names_one(self) -> bool:
        """Is it about a single package?"""
        return self.level is Level.NAME

    def found_by(self) -> tuple[str, ...]:
        """What it is found by: see `keys`."""
        return tuple(dict.fromkeys(_keys_of(self)))

    def matches(self, package: PackageKey) -> Strength | None:
        """Strong: as it is spelled.  Weak: a variation of that."""
        if self.level > Level.ROOT and self.format != package.format:
            return None
        namespace, name = package.namespace or "", package.name
        if self._fits(namespace, name, self.namespace, self.name):
            return "STRONG"
        for own in product(folds(self.namespace), folds(self.name)):
            for theirs in product(folds(namespace), folds(name)):
                if self._fits(*theirs, *own):
                    return "WEAK"
        return None

    def contains(self, other: Pattern) -> Strength | None:
        """Does it match whatever the other one matches, the other one being more specific?"""
        if self.rank >= other.rank or (self.level > Level.ROOT and self.format != other.format):
            return None
        if self._holds(other, other.namespace, other.name, self.namespace, self.name):
            return "STRONG"
        for own in product(folds(self.namespace), folds(self.name)):
            for theirs in product(folds(other.namespace), folds(other.name)):
                if self._holds(other, *theirs, *own):
                    return "WEAK"
        return None

    def _fits(self, namespace: str, name: str, own_namespace: str, own_name: str) -> bool:
        match self.level:
            case Level.ROOT | Level.FORMAT:
                return True
            case Level.NAMESPACE_PREFIX:
                return _begins(namespace, own_namespace, self.suffix)
            case Level.NAMESPACE:
                return namespace == own_namespace
            case Level.NAME_PREFIX:
                return namespace == own_namespace and _begins(name, own_name, self.suffix)
        return (namespace, name) == (own_namespace, own_name)

    def _holds(self, other: Pattern, namespace: str, name: str, own_namespace: str, own_name: str) -> bool:
        """As _fits, for what the other says; at its own level the other's text may go on as its suffix says."""
        if self.level is Level.NAMESPACE_PREFIX and other.level is Level.NAMESPACE_PREFIX:
            return _begins(namespace, own_namespace, self.suffix, then=other.suffix)
        if self.level is Level.NAME_PREFIX and other.level is Level.NAME_PREFIX:
            return namespace == own_namespace and _begins(name, own_name, self.suffix, then=other.suffix)
        return self._fits(namespace, name, own_namespace, own_name)


def keys(format: str, namespace: str = "", name: str = "") -> Iterator[str]:
    """The keys of every pattern that can match these coordinates, strongly or weakly; also of some that do not."""
    yield "/"
    yield f"/{format}"
    for space in folds(namespace):
        for end in range(1, len(space) + 1):
            yield f"n/{format}/{space[:end]}"
        yield f"N/{format}/{space}"
        for folded in folds(name):
            for end in range(1, len(folded) + 1):
                yield f"p/{format}/{space}/{folded[:end]}"
            yield f"P/{format}/{space}/{folded}"


def _keys_of(pattern: Pattern) -> Iterator[str]:
    format = pattern.format
    match pattern.level:
        case Level.ROOT:
            yield "/"
        case Level.FORMAT:
            yield f"/{format}"
        case Level.NAMESPACE_PREFIX | Level.NAMESPACE:
            kind = "n" if pattern.level is Level.NAMESPACE_PREFIX else "N"
            yield from (f"{kind}/{format}/{space}" for space in folds(pattern.namespace))
        case _:
            kind = "p" if pattern.level is Level.NAME_PREFIX else "P"
            for space, name in product(folds(pattern.namespace), folds(pattern.name)):
                yield f"{kind}/{format}/{space}/{name}"


@lru_cache(maxsize=32_768)
def read(text: str) -> Pattern:
    """Take a pattern apart.  Raises ValueError for what is none, whatever its format."""
    if not text.startswith("/") or not text.endswith(_SUFFIXES) or len(text) > LONGEST:
        raise ValueError("begins with '/' and ends with '$', '~' or '*'")
    if any(unicodedata.category(each)[0] in "CZ" for each in text):
        raise ValueError("has no white space and no control or invisible characters")
    *parts, last = text[1:].split("/")
    stem, suffix = last[:-1], last[-1]
    if len(parts) > 2:
        raise ValueError("has at most a format, a namespace and a name, with a '/' before each")
    if not parts:
        if last != "*":
            raise ValueError("has '*' in the place of a format, or a format and a '/'")
        return Pattern(text, Level.ROOT, "*")
    if not parts[0]:
        raise ValueError("has a package format after the first '/'")
    if suffix != "*" and not stem:
        raise ValueError(f"has a name before '{suffix}'")
    if suffix == "~" and not _ends_in_word(stem):
        raise ValueError("has '~' after a letter or a number only; after any other character it is '*'")
    if len(parts) == 1:
        if suffix == "$":
            raise ValueError("has a whole package path before '$': format, namespace (may be empty) and name")
        return Pattern(text, Level.NAMESPACE_PREFIX if stem else Level.FORMAT, suffix, parts[0], stem)
    level = Level.NAME if suffix == "$" else Level.NAME_PREFIX if stem else Level.NAMESPACE
    return Pattern(text, level, suffix, parts[0], parts[1], stem)


def parse(text: str, formats: Mapping[str, FormatInfo], others: Collection[str] = ()) -> Pattern:
    """A pattern as a client gives it, in the spelling that is kept.

    `others` are formats that packages may have though this server has no adapter for them.  Raises Validation for what
    is no pattern, and for names that the format spells otherwise (guide, "Package group definition and
    normalization").
    """
    try:
        pattern = _spelled(text, formats)
        info = formats.get(pattern.format)
        if info is not None:
            _check_spelling(pattern, info)
        elif pattern.level is not Level.ROOT and pattern.format not in others:
            raise ValueError(f"has a package format after the first '/', and {pattern.format!r} is none")
    except ValueError as err:
        raise Validation(f"A package group pattern {err}; {text!r} is none") from None
    return pattern


def known(text: str, formats: Mapping[str, FormatInfo]) -> str:
    """The spelling under which a pattern is kept, if it is.  Raises Validation for what is no pattern."""
    try:
        return _spelled(text, formats).text
    except ValueError as err:
        raise Validation(f"A package group pattern {err}; {text!r} is none") from None


def _spelled(text: str, formats: Mapping[str, FormatInfo]) -> Pattern:
    """With the format's own name where another word for it is used."""
    pattern = read(text)
    info = next((each for each in formats.values() if pattern.format in each.aliases), None)
    return pattern if info is None else read(f"/{info.name}{text[len(pattern.format) + 1 :]}")


def _check_spelling(pattern: Pattern, info: FormatInfo) -> None:
    """Raises ValueError where a package of that namespace and name would be stored under another spelling, or never."""
    if pattern.level is Level.FORMAT:
        return
    # What comes after a prefix is for the packages to say; a letter stands for it.
    namespace = pattern.namespace + ("x" if pattern.level is Level.NAMESPACE_PREFIX else "")
    name = pattern.name + ("" if pattern.names_one else "x")
    if info.namespace_required and not namespace:
        raise ValueError(f"has a namespace: packages of the format {info.name} have one")
    try:
        stored = info.canonical(namespace or None, name)
    except ValueError as err:
        raise ValueError(f"names what packages can be named: {err}") from None
    if stored != (namespace or None, name):
        raise ValueError(
            f"has the normalized spelling of the format {info.name}: {_shown(pattern, stored[0] or '', stored[1])!r}"
        )


def _shown(pattern: Pattern, namespace: str, name: str) -> str:
    if pattern.level is Level.NAMESPACE_PREFIX:
        return f"/{pattern.format}/{namespace[:-1]}{pattern.suffix}"
    return f"/{pattern.format}/{namespace}/{name if pattern.names_one else name[:-1]}{pattern.suffix}"


def _begins(text: str, stem: str, suffix: str, *, then: str = "") -> bool:
    """Does it begin so: `~` at the end of a word, `*` anywhere?  `then`: the text goes on, as that suffix says."""
    if not text.startswith(stem):
        return False
    if suffix == "*":
        return True
    return then != "*" if len(text) == len(stem) else not _of_word(text[len(stem)])


def _ends_in_word(text: str) -> bool:
    """Does a word, `[\\p{L}\\p{N}][\\p{L}\\p{N}\\p{M}]*`, end here?"""
    bare = text
    while bare and unicodedata.category(bare[-1])[0] == "M":
        bare = bare[:-1]
    return bool(bare) and unicodedata.category(bare[-1])[0] in "LN"


def _of_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNM"
