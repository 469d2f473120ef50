"""Names, versions and where they stand in a sparse index.  Pure.

Names: a letter, then letters, digits, `-` and `_`, 64 characters in all.  Two names that differ only in case are one
crate; two that differ only in `-` and `_` may not be beside each other in one repository.
Versions: Semantic Versioning 2.0, exactly.  Build metadata is shown but is no part of the identity (Cargo Book,
"Index Format", "Version uniqueness").
"""

from __future__ import annotations

import itertools
import re

from registry.core.types import PackageKey

FORMAT = "cargo"
MAX_NAME = 64
MAX_VERSION = 256
_MAX_NUMBER = 2**64 - 1
_MOST_SEPARATORS = 6

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*\Z", re.ASCII)
_NUMBER = r"(?:0|[1-9][0-9]{0,19})"
_IDENTIFIER = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION = re.compile(
    rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?\Z",
    re.ASCII,
)
_PART = rf"(?:{_NUMBER}|[*xX])"
_COMPARATOR = re.compile(
    rf"\s*(?:(?:[<>]=?|[=~^])\s*)?{_PART}(?:\.{_PART}(?:\.{_PART}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?)?)?\s*\Z",
    re.ASCII,
)


def canonical(namespace: str | None, name: str) -> tuple[str | None, str]:
    """The name in lower case.  Raises ValueError for a namespace, and for what no crate may be called."""
    if namespace is not None:
        raise ValueError("Crates have no namespace")
    if len(name) > MAX_NAME:
        raise ValueError(f"A crate's name has at most {MAX_NAME} characters, this has {len(name)}")
    if not _NAME.match(name):
        raise ValueError(f"{name!r} is not a crate's name: a letter, then letters, digits, '-' and '_'")
    return None, name.lower()


def package(name: str) -> PackageKey:
    """The key of a crate.  Raises ValueError."""
    return PackageKey(FORMAT, *canonical(None, name))


def rivals(name: str) -> tuple[str, ...]:
    """The other names that read as this one does: `-` for `_` and the other way round.

    With very many separators only the two usual spellings are looked at.
    """
    parts = re.split("[-_]", name)
    gaps = len(parts) - 1
    if gaps > _MOST_SEPARATORS:
        found = ["-".join(parts), "_".join(parts)]
    else:
        found = [
            parts[0] + "".join(gap + part for gap, part in zip(chosen, parts[1:], strict=True))
            for chosen in itertools.product("-_", repeat=gaps)
        ]
    return tuple(each for each in found if each != name)


def folded(text: str) -> str:
    """Names that are one for a reader are one here."""
    return text.lower().replace("-", "_")


def index_path(name: str) -> str:
    """Where the index keeps a crate, below its root (Cargo Book, "Index files")."""
    lower = name.lower()
    if len(lower) < 3:
        return f"{len(lower)}/{lower}"
    if len(lower) == 3:
        return f"3/{lower[0]}/{lower}"
    return f"{lower[:2]}/{lower[2:4]}/{lower}"


def prefix(name: str) -> str:
    """The directory of an index file, in the name's own case: the marker `{prefix}` of a download address."""
    if len(name) < 3:
        return str(len(name))
    return f"3/{name[0]}" if len(name) == 3 else f"{name[:2]}/{name[2:4]}"


def asset(name: str, version: str) -> str:
    """The one file of a version, as it is spelled."""
    return f"{name}-{version}.crate"


def canonical_version(text: str) -> str:
    """The version without its build metadata.  Raises ValueError for what is no semantic version."""
    match = _VERSION.match(text) if len(text) <= MAX_VERSION else None
    if match is None:
        raise ValueError(f"{text[:80]!r} is not a semantic version")
    if any(int(number) > _MAX_NUMBER for number in match.group(1, 2, 3)):
        raise ValueError(f"{text[:80]!r} has a number above {_MAX_NUMBER}")
    return text.partition("+")[0]


def requirement(text: str) -> str:
    """A version requirement, as it is.  Raises ValueError: one that cannot be read breaks a crate for everybody."""
    comparators = text.split(",")
    if len(text) > 1024 or len(comparators) > 32 or not all(map(_COMPARATOR.match, comparators)):
        raise ValueError(f"{text[:80]!r} is not a version requirement")
    return text
