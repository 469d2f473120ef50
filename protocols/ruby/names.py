"""Names, versions, platforms and file names of gems; pure.

Rules: RubyGems' specification reference and its class Gem::Version.  A version's identity is its text, since
1.0 and 1.0.0 are equal to Ruby and yet two files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

LONGEST = 255

_NAME = re.compile(r"(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9][A-Za-z0-9._-]*\Z", re.ASCII)
_VERSION = re.compile(r"[0-9]+(\.[0-9a-zA-Z]+)*(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?\Z", re.ASCII)
_PLATFORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z", re.ASCII)
_SEGMENT = re.compile(r"[0-9]+|[a-z]+", re.IGNORECASE | re.ASCII)
_SPLIT = re.compile(r"-(?=[0-9])")
_MOST_ZEROS = 999
_MACHINES = (
    "java", "jruby", "x86", "x64", "amd64", "i386", "i486", "i586", "i686", "arm", "aarch64", "universal", "mswin",
    "mingw", "linux", "darwin", "powerpc", "ppc", "s390", "riscv", "sparc", "mips", "loongarch", "wasm", "cygwin",
    "freebsd", "openbsd", "netbsd", "solaris", "truffleruby", "dalvik", "dotnet", "macruby", "mswin32", "unknown",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filename:
    """What a gem's file name may mean; `platform` is "ruby" where none is written."""

    name: str
    version: str
    platform: str

    @property
    def full(self) -> str:
        return full_name(self.name, self.version, self.platform)


def canonical(namespace: str | None, name: str) -> tuple[str | None, str]:
    """The identity of a gem: its name as it is written.  Raises ValueError for a namespace or an invalid name."""
    if namespace:
        raise ValueError(f"Ruby gems have no namespace, but {namespace!r} was given")
    if len(name) > LONGEST or not _NAME.match(name):
        raise ValueError(
            f"{name[:LONGEST]!r} is not a gem name: letters, digits, '.', '-' and '_', at least one letter, "
            "and a letter or digit at its beginning"
        )
    return None, name


@lru_cache(maxsize=8192)
def canonical_version(text: str) -> str:
    """The identity of a version, as Gem::Version spells it: a dash begins a prerelease.  Raises ValueError."""
    if len(text) > LONGEST or not _VERSION.match(text):
        raise ValueError(f"{text[:LONGEST]!r} is not a version of a gem, such as 1.2.3 or 2.0.0.rc1")
    return text.replace("-", ".pre.")


def canonical_platform(text: str) -> str:
    """A platform such as "ruby" or "x86_64-linux".  Raises ValueError."""
    if len(text) > 128 or not _PLATFORM.match(text):
        raise ValueError(f"{text[:128]!r} is not a platform of a gem, such as ruby, java or x86_64-linux")
    return text


def is_prerelease(version: str) -> bool:
    """Has it a letter?"""
    return any(char.isalpha() for char in version)


def full_name(name: str, version: str, platform: str) -> str:
    """NAME-VERSION[-PLATFORM], as gems and their specifications are filed."""
    return f"{name}-{tag(version, platform)}"


def tag(version: str, platform: str) -> str:
    """VERSION[-PLATFORM], as the compact index has it."""
    return version if platform == "ruby" else f"{version}-{platform}"


def asset_name(name: str) -> None:
    """Raises ValueError unless some gem may be in a file of that name."""
    if next(readings(name), None) is None:
        raise ValueError(f"{name[:LONGEST]!r} is not a file name of a gem: NAME-VERSION[-PLATFORM].gem")


def readings(filename: str) -> Iterator[Filename]:
    """Everything that `NAME-VERSION[-PLATFORM].gem` may mean, the likeliest first: `a-1-2.gem` has two readings."""
    stem = filename.removesuffix(".gem")
    if stem != filename and len(stem) <= 3 * LONGEST:
        yield from stem_readings(stem)


def stem_readings(stem: str) -> Iterator[Filename]:
    """The same without `.gem`."""
    found = list(_readings(stem))
    yield from (each for each in found if _usual(each))
    yield from (each for each in found if not _usual(each))


def _readings(stem: str) -> Iterator[Filename]:
    for cut in _SPLIT.finditer(stem):
        version, dash, platform = stem[cut.end() :].partition("-")
        try:
            if dash and canonical_platform(platform) == "ruby":
                continue
            yield Filename(canonical(None, stem[: cut.start()])[1], canonical_version(version), platform or "ruby")
        except ValueError:
            continue


def _usual(reading: Filename) -> bool:
    return reading.platform == "ruby" or reading.platform.startswith(_MACHINES)


# --- order ---------------------------------------------------------------------------------------


@lru_cache(maxsize=8192)
def sort_key(version: str) -> str:
    """A text whose order is that of Gem::Version.

    Ruby compares segment by segment, where letters come before numbers and what is missing counts as 0.  So a
    version goes on in zeros for ever, and a segment is written by how it compares with that: letters (A), zeros that
    end in letters (B), the end (C), zeros that end in a number (D), a number (E).  A count of zeros makes the more
    of a difference the smaller it is; behind D that is turned round.
    """
    out: list[str] = []
    zeros = 0
    for segment in _canonical_segments(version):
        if segment == 0:
            zeros += 1
            continue
        letters = isinstance(segment, str)
        if zeros:
            count = min(zeros, _MOST_ZEROS)
            out.append(f"B{count:03}" if letters else f"D{_MOST_ZEROS - count:03}")
            zeros = 0
        out.append(f"A{segment}!" if letters else _number(str(segment)))
    return "".join(out) + "C"


def _number(digits: str) -> str:
    return f"E{len(digits):03}{digits}"


def _canonical_segments(version: str) -> list[int | str]:
    """Gem::Version#canonical_segments: without the zeros that end the numbers, and those that end the rest."""
    segments = [int(each) if each.isdigit() else each for each in _SEGMENT.findall(version)]
    letters = next((n for n, each in enumerate(segments) if isinstance(each, str)), len(segments))
    return [*_trimmed(segments[:letters]), *_trimmed(segments[letters:])]


def _trimmed(segments: list[int | str]) -> list[int | str]:
    while segments and segments[-1] == 0:
        segments.pop()
    return segments
