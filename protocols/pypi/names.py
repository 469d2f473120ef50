"""Names, versions and file names of Python packages; pure.

Names: PyPA specification "Names and normalization".  Versions: PEP 440.  File names: PyPA specifications
"Binary distribution format" and "Source distribution format".
A version's identity is its canonical form without trailing zeros, so that 1.0 and 1.0.0 are one release.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    canonicalize_version,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

_NAME = re.compile(r"([A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9])\Z", re.IGNORECASE | re.ASCII)
_LEGACY = re.compile(r"[^#/\s\x00-\x1f\x7f]{1,255}\Z")
_EGG_TAIL = re.compile(r"-py\d+(\.\d+)*(-.*)?\Z")
SDISTS = (".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".tar.z")

Kind = Literal["wheel", "sdist", "egg"]


@dataclass(frozen=True, slots=True)
class Filename:
    """What a distribution's file name says: `version` as written, `project` canonical."""

    kind: Kind
    project: str
    version: str


def canonical(namespace: str | None, name: str) -> tuple[str | None, str]:
    """The identity of a package.  Raises ValueError for a namespace or an invalid name."""
    if namespace:
        raise ValueError(f"Python packages have no namespace, but {namespace!r} was given")
    if len(name) > 255 or not _NAME.match(name):
        raise ValueError(
            f"{name!r} is not a Python package name: letters, digits, '.', '-' and '_', "
            "beginning and ending with a letter or digit"
        )
    return None, canonicalize_name(name)


@lru_cache(maxsize=4096)
def canonical_version(text: str) -> str:
    """The identity of a version: PEP 440's canonical form, or a legacy version as it is.

    Raises ValueError for what cannot be a version of any kind.
    """
    if not _LEGACY.match(text):
        raise ValueError(f"{text!r} is not a version: it is empty, too long, or has spaces, '#', '/' or controls")
    return canonicalize_version(text)


@lru_cache(maxsize=1024)
def parse_version(text: str) -> Version:
    """A PEP 440 version.  Raises ValueError for any other, as publishing needs one."""
    if len(text) > 255:
        raise ValueError("The version is longer than 255 characters")
    try:
        return Version(text)
    except InvalidVersion:
        raise ValueError(f"{text!r} is not a PEP 440 version") from None


def display_version(text: str) -> str:
    """How a version is shown: normalized with its zeros kept; a legacy one as it is."""
    try:
        return str(Version(text))
    except InvalidVersion:
        return text


def sort_key(text: str) -> str:
    """A text of digits and small letters whose order is PEP 440's; legacy versions come before all others.

    Only characters that every collation orders alike, and no separators: each list ends with a mark that is
    smaller than the start of an element.
    """
    try:
        version = Version(text)
    except InvalidVersion:
        return "0" + text.encode("utf-8", "surrogatepass").hex()
    release = list(version.release)
    while release and release[-1] == 0:
        release.pop()
    return "".join(
        (
            "1",
            _number(version.epoch),
            "".join("1" + _number(part) for part in release) + "0",
            _pre(version),
            "0" if version.post is None else "1" + _number(version.post),
            "1" if version.dev is None else "0" + _number(version.dev),
            _local(version.local),
        )
    )


def _number(value: int) -> str:
    digits = str(value)
    return f"{len(digits):03d}{digits}"


def _pre(version: Version) -> str:
    """1.0.dev1 comes before 1.0a1, which comes before 1.0 and 1.0.post1.dev1."""
    if version.pre is not None:
        letter, number = version.pre
        return {"a": "1", "b": "2", "rc": "3"}[letter] + _number(number)
    return "0" if version.post is None and version.dev is not None else "9"


def _local(local: str | None) -> str:
    """No local part first; then segment by segment, words before numbers."""
    if local is None:
        return "0"
    parts = ("2" + _number(int(part)) if part.isdigit() else "1" + _word(part) for part in local.split("."))
    return "1" + "".join(parts) + "0"


def _word(text: str) -> str:
    return text.encode().hex() + "00"


def parse_filename(filename: str, project: str | None = None) -> Filename:
    """What a file name says.  `project` (canonical) settles where a name with dashes ends.

    Raises ValueError for a name that no installer would understand.
    """
    check_filename(filename)
    lower = filename.lower()
    if lower.endswith(".whl"):
        return _wheel(filename)
    if lower.endswith(".egg"):
        return _dashed("egg", _EGG_TAIL.sub("", filename[:-4]), filename, project)
    for extension in SDISTS:
        if lower.endswith(extension):
            return _dashed("sdist", filename[: -len(extension)], filename, project)
    raise ValueError(f"{filename!r} is not a wheel (.whl), source distribution (.tar.gz, .zip) or egg (.egg)")


def check_filename(filename: str) -> None:
    """Raises ValueError for a name that is no plain file name."""
    if not filename or len(filename) > 255 or filename in {".", ".."}:
        raise ValueError("The file name is empty, '.', '..' or longer than 255 characters")
    if any(char in '/\\#?"<>' or not char.isprintable() or char.isspace() for char in filename):
        raise ValueError(f"The file name {filename!r} has characters that are not allowed")


def _wheel(filename: str) -> Filename:
    parts = filename[:-4].split("-")
    if len(parts) not in (5, 6):
        raise ValueError(f"{filename!r} is not a wheel file name: it has {len(parts)} parts instead of 5 or 6")
    try:
        name, _, _, _ = parse_wheel_filename(filename[:-4] + ".whl")
    except InvalidWheelFilename as err:
        legacy = canonicalize_name(parts[0])
        if not _NAME.match(legacy) or _is_version(parts[1].replace("_", "-")):
            raise ValueError(str(err)) from None
        return Filename("wheel", legacy, parts[1])
    return Filename("wheel", name, parts[1])


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def _dashed(kind: Kind, stem: str, filename: str, project: str | None) -> Filename:
    """NAME-VERSION where either may hold dashes: the given project, else the last dash that leaves a version."""
    dashes = [at for at, char in enumerate(stem) if char == "-"]
    if project is not None:
        for at in dashes:
            if canonicalize_name(stem[:at]) == project and stem[at + 1 :]:
                return Filename(kind, project, stem[at + 1 :])
        raise ValueError(f"{filename!r} is not a file of the project {project!r}")
    candidates = [at for at in reversed(dashes) if at and stem[at + 1 :]]
    chosen = next((at for at in candidates if _is_version(stem[at + 1 :])), None)
    if chosen is None or not _NAME.match(stem[:chosen]):
        raise InvalidSdistFilename(f"{filename!r} does not say NAME-VERSION with a PEP 440 version")
    return Filename(kind, canonicalize_name(stem[:chosen]), stem[chosen + 1 :])
