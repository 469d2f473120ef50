"""Version ranges of dependencies: the normal form that registrations print, and who can read them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from protocols.nuget.names import Version, parse_version

ANY = "(, )"


@dataclass(frozen=True, slots=True)
class Range:
    """An interval; None is an open end."""

    low: Version | None
    high: Version | None
    low_in: bool
    high_in: bool

    @property
    def normal(self) -> str:
        """As the client's NuGet.Versioning writes it: `[1.0.0, 2.0.0)`."""
        low = self.low.normal if self.low else ""
        high = self.high.normal if self.high else ""
        return f"{'[' if self.low_in else '('}{low}, {high}{']' if self.high_in else ')'}"

    @property
    def semver2(self) -> bool:
        return any(bound is not None and bound.semver2 for bound in (self.low, self.high))


def parse(text: str) -> Range:
    """`1.0` (at least), `[1.0]` (exactly), `[1.0, 2.0)`, `(, 1.0]`; nothing is any version.  Raises ValueError."""
    text = text.strip()
    if not text:
        return Range(None, None, False, False)
    if text[0] not in "[(":
        return Range(parse_version(text), None, True, False)
    if text[-1] not in "])" or len(text) < 3:
        raise ValueError(f"{text[:80]!r} is not a version range")
    low_in, high_in = text[0] == "[", text[-1] == "]"
    left, comma, right = text[1:-1].partition(",")
    if "," in right:
        raise ValueError(f"{text[:80]!r} is not a version range")
    low = parse_version(left) if left.strip() else None
    if not comma:
        if low is None:
            raise ValueError(f"{text[:80]!r} is not a version range")
        return Range(low, low, low_in, high_in)
    high = parse_version(right) if right.strip() else None
    return Range(low, high, low_in and low is not None, high_in and high is not None)


@lru_cache(8192)
def shown(text: str) -> tuple[str, bool]:
    """The normal form and whether it needs SemVer 2; what cannot be read stays as it is."""
    try:
        found = parse(text)
    except ValueError:
        return text.strip()[:256] or ANY, False
    return found.normal, found.semver2
