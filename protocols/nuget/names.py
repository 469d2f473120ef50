"""Ids and versions: their canonical spelling and their order.  Pure.

Guide, "NuGet package name, version, and asset name normalization".  Ids are compared without case and kept in lower
case.  Versions are those of the client's NuGetVersion: up to four numbers, SemVer 2 labels; numbers lose leading zeros,
a fourth zero and build metadata fall away, and at least three numbers are written.
Two versions that differ in the case of a label only are one, so the canonical spelling is in lower case.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from registry.core.types import PackageKey

FORMAT = "nuget"
MAX_ID = 100
MAX_VERSION = 256
_MAX_NUMBER = 2**31 - 1

_ID = re.compile(r"\w+(?:[.-]\w+)*\Z")
_VERSION = re.compile(
    r"([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:\.([0-9]+))?"
    r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
    r"(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?\Z",
    re.ASCII,
)
_INT = re.compile(r"-?[0-9]+\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Version:
    """A version taken apart.  `labels` as they were written, "" for a release; `metadata` is not identity."""

    numbers: tuple[int, int, int, int]
    labels: str = ""
    metadata: str = ""

    @property
    def normal(self) -> str:
        """The normalized spelling, the case of labels kept."""
        numbers = self.numbers if self.numbers[3] else self.numbers[:3]
        return ".".join(map(str, numbers)) + (f"-{self.labels}" if self.labels else "")

    @property
    def full(self) -> str:
        """The normalized spelling with build metadata."""
        return f"{self.normal}+{self.metadata}" if self.metadata else self.normal

    @property
    def canonical(self) -> str:
        """The identity."""
        return self.normal.lower()

    @property
    def semver2(self) -> bool:
        """Whether clients that know only SemVer 1 cannot read it."""
        return bool(self.metadata) or "." in self.labels


def parse_version(text: str) -> Version:
    """Raises ValueError."""
    text = text.strip()
    match = _VERSION.match(text) if len(text) <= MAX_VERSION else None
    if match is None:
        raise ValueError(f"{text[:80]!r} is not a NuGet version")
    numbers = tuple(int(part[-12:]) if part.lstrip("0")[10:] == "" else _MAX_NUMBER + 1 for part in _parts(match))
    if max(numbers) > _MAX_NUMBER:
        raise ValueError(f"{text[:80]!r} has a number above {_MAX_NUMBER}")
    labels = match[5] or ""
    for label in labels.split(".") if labels else ():
        if len(label) > 1 and label[0] == "0" and label.isdigit():
            raise ValueError(f"{text[:80]!r} has a numeric label with leading zeros")
    return Version((numbers[0], numbers[1], numbers[2], numbers[3]), labels, match[6] or "")


def _parts(match: re.Match[str]) -> list[str]:
    return [part or "0" for part in match.group(1, 2, 3, 4)]


def canonical_version(text: str) -> str:
    """`1` -> `1.0.0`, `01.02.03.04` -> `1.2.3.4`, `1.0-RC+x` -> `1.0.0-rc`.  Raises ValueError."""
    return parse_version(text).canonical


def is_prerelease(version: str) -> bool:
    """Whether a canonical version is one."""
    return "-" in version


def sort(version: str) -> str:
    """A text that orders canonical versions as the client does, byte by byte.

    A number is its length and its digits.  A label that reads as a 32-bit number is `1` and that number, moved above
    zero; any other is `2`, the text in capitals and `!`, which is below every character of a label.  A release ends in
    `~`, above both.
    """
    parsed = parse_version(version)
    key = "".join(f"{len(digits):02d}{digits}" for digits in map(str, parsed.numbers))
    if not parsed.labels:
        return key + "~"
    return key + "".join(map(_label, parsed.labels.split(".")))


def _label(text: str) -> str:
    if _INT.match(text) and len(text) <= 64 and -(2**31) <= int(text) < 2**31:
        return f"1{int(text) + 2**31:010d}"
    return f"2{text.upper()}!"


def canonical(namespace: str | None, name: str) -> tuple[None, str]:
    """The id in lower case.  Raises ValueError for what no package can be called."""
    if namespace:
        raise ValueError("NuGet packages have no namespace")
    if not name or len(name) > MAX_ID or not _ID.match(name):
        raise ValueError(
            f"{name[:80]!r} is not a NuGet package id: up to {MAX_ID} letters, digits and _, divided by single . or -"
        )
    return None, name.lower() if name.isascii() else "".join(map(_lower, name))


def _lower(char: str) -> str:
    """Character by character, as the client does, whose strings keep their length."""
    lower = char.lower()
    return lower if len(lower) == 1 else char


def package(name: str) -> PackageKey:
    """The key of an id in any case.  Raises ValueError."""
    return PackageKey(FORMAT, *canonical(None, name))


def asset(package: PackageKey, version: str, kind: str = "nupkg") -> str:
    """The name of the package file of a canonical version; `kind` "snupkg" for its symbols."""
    return f"{package.name}.{version}.{kind}"


def quoted(package: PackageKey) -> str:
    """The id as a path segment."""
    return quote(package.name, safe="")
