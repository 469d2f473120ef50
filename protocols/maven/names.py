"""Names, versions and paths of Maven's repository layout; pure.

    G/A/V/A-V[-C].E                              a file of a release
    G/A/V-SNAPSHOT/A-V-yyyyMMdd.HHmmss-N[-C].E   a file of one build of a snapshot; its version is `V-TS-N`
    G/A/maven-metadata.xml                       versions, or, when `G/A` is a group, plug-in prefixes
    G/A/V-SNAPSHOT/maven-metadata.xml            builds

Each may end in `.md5`, `.sha1`, `.sha256` or `.sha512`.  Nothing is normalized.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from registry.core.types import PackageKey, VersionKey
from registry.web.paths import decode

FORMAT = "maven"
METADATA = "maven-metadata.xml"
ALGORITHMS = ("md5", "sha1", "sha256", "sha512")
SNAPSHOT = "SNAPSHOT"

_LONGEST = 255
_FORBIDDEN = re.compile(r'[#/\\:"<>|?*\s\x00-\x1f\x7f]')
_BUILD = re.compile(r"(?:(?P<base>.+)-)?(?P<time>[0-9]{8}\.[0-9]{6})-(?P<number>[0-9]{1,9})\Z")


@dataclass(frozen=True, slots=True)
class Build:
    """One build of a snapshot: `base` may be empty, `time` is `yyyyMMdd.HHmmss`."""

    base: str
    time: str
    number: int

    @property
    def version(self) -> str:
        return _joined(self.base, f"{self.time}-{self.number}")

    @property
    def snapshot(self) -> str:
        """The version that points to the last build."""
        return _joined(self.base, SNAPSHOT)

    @property
    def age(self) -> tuple[str, int]:
        """Later builds have a greater one."""
        return self.time, self.number


@dataclass(frozen=True, slots=True)
class File:
    """A file of a version.  `folder` is the version in the path, `build` which build the name tells of.

    `literal`: a name such as `a-1.0-SNAPSHOT.jar`, which stands for that file of the last build.
    """

    package: PackageKey
    folder: str
    name: str
    build: Build | None = None
    literal: bool = False

    @property
    def key(self) -> VersionKey:
        """The version that holds the file."""
        return VersionKey(self.package, self.folder if self.build is None else self.build.version)


@dataclass(frozen=True, slots=True)
class Metadata:
    """A `maven-metadata.xml`.  With `snapshot` of that version, else of `package`, of the group `group`, or of both.

    An artifact id may have dots, folders of a group have none: then it is None."""

    group: str | None
    package: PackageKey | None
    snapshot: str | None = None


@dataclass(frozen=True, slots=True)
class Path:
    """What an address means; `algorithm`: not the thing itself, but its checksum."""

    target: File | Metadata
    algorithm: str | None


def canonical(namespace: str | None, name: str) -> tuple[str | None, str]:
    """Both as given.  Raises ValueError without a group, or for names that no path can have."""
    if not namespace:
        raise ValueError("A Maven package needs a namespace, its group id")
    _check("group id", namespace)
    if not all(namespace.split(".")):
        raise ValueError(f"The group id {namespace!r} has an empty part")
    _check("artifact id", name)
    return namespace, name


def canonical_version(text: str) -> str:
    """As given.  Raises ValueError for what no path can have."""
    _check("version", text)
    return text


def check_file_name(name: str) -> None:
    """Raises ValueError."""
    _check("file name", name)


def is_snapshot(version: str) -> bool:
    """`SNAPSHOT`, or something that ends in `-SNAPSHOT`."""
    return version == SNAPSHOT or version.endswith(f"-{SNAPSHOT}")


def build_of(version: str) -> Build | None:
    """The build that a version like `1.0-20210728.194552-1` is, else None."""
    found = _BUILD.match(version)
    return Build(found["base"] or "", found["time"], int(found["number"])) if found else None


def parse(rest: str) -> Path:
    """A raw path below the endpoint.  Raises ValueError for what is none of the layout's."""
    segments = [decode(segment) for segment in rest.split("/")]
    *folders, last = segments
    if any("/" in segment for segment in segments):
        raise ValueError("The path has an encoded slash")
    algorithm = next((each for each in ALGORITHMS if last.endswith(f".{each}")), None)
    if algorithm is not None:
        last = last.removesuffix(f".{algorithm}")
    return Path(_metadata(folders) if last == METADATA else _file(folders, last), algorithm)


def _metadata(folders: list[str]) -> Metadata:
    if not folders:
        raise ValueError("There is no metadata of the whole repository")
    if len(folders) >= 3 and is_snapshot(folders[-1]):
        package = _package(folders[:-1])
        return Metadata(None, package, canonical_version(folders[-1]))
    group = None if len(folders) > 1 and "." in folders[-1] else _group(folders)
    return Metadata(group, _package(folders) if len(folders) > 1 else None)


def _file(folders: list[str], name: str) -> File:
    if len(folders) < 3:
        raise ValueError("A file lies below its group, its artifact and its version")
    check_file_name(name)
    package, folder = _package(folders[:-1]), canonical_version(folders[-1])
    if not is_snapshot(folder):
        return File(package, folder, name)
    base = folder.removesuffix(SNAPSHOT).removesuffix("-")
    stem = f"-{re.escape(base)}-" if base else "-"
    found = re.match(rf".+{stem}([0-9]{{8}}\.[0-9]{{6}})-([0-9]{{1,9}})[-.].+\Z", name)
    build = Build(base, found[1], int(found[2])) if found else None
    return File(package, folder, name, build, literal=build is None)


def belongs(file: File) -> bool:
    """Does the name tell the version?  It need not begin with the artifact id: plug-ins of sbt have longer paths."""
    version = file.key.version
    at = file.name.find(f"-{version}")
    return at > 0 and file.name[at + 1 + len(version) :][:1] in ("-", ".")


def is_pom(file: File) -> bool:
    """The POM of its version; one with a classifier (Maven 4: `-build.pom`) is not."""
    return file.name.endswith(f"-{file.key.version}.pom")


def ending(name: str, version: str) -> tuple[str, str] | None:
    """(classifier, extension) of a file of a version, None for a name that is not of it.

    Where a classifier has dots that cannot be known; then the extension is what follows the last one, but for
    endings that are known to have two parts.
    """
    head, found, tail = name.partition(f"-{version}")
    if not found or not head or tail[:1] not in ("-", "."):
        return None
    if tail[0] == ".":
        return "", tail[1:]
    stem, extension = _split(tail[1:])
    return (stem, extension) if stem and extension else None


def _split(text: str) -> tuple[str, str]:
    for outer in (".asc", ".sigstore.json"):
        if text.endswith(outer):
            stem, extension = _split(text.removesuffix(outer))
            return stem, extension + outer
    stem, _, extension = text.rpartition(".")
    return (stem.removesuffix(".tar"), f"tar.{extension}") if stem.endswith(".tar") else (stem, extension)


def folder_of(key: VersionKey) -> str:
    """Where the files of a release lie: the path below a repository's root, ending in a slash, not quoted."""
    group = str(key.package.namespace).replace(".", "/")
    return f"{group}/{key.package.name}/{key.version}/"


def _group(folders: list[str]) -> str:
    if any("." in folder or not folder for folder in folders):
        raise ValueError("Folders of a group have no dots: com.example is com/example")
    group = ".".join(folders)
    _check("group id", group)
    return group


def _package(folders: list[str]) -> PackageKey:
    group, artifact = _group(folders[:-1]), folders[-1]
    _check("artifact id", artifact)
    return PackageKey(FORMAT, group, artifact)


def _check(what: str, text: str) -> None:
    wrong = _FORBIDDEN.search(text)
    if wrong is not None:
        raise ValueError(f"The {what} {text[:80]!r} has the character {wrong[0]!r}")
    if not 1 <= len(text) <= _LONGEST or text.strip(".") == "":
        raise ValueError(f"The {what} {text[:80]!r} must have 1 to {_LONGEST} characters and not be dots alone")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"The {what} is not Unicode text") from None


def _joined(base: str, rest: str) -> str:
    return f"{base}-{rest}" if base else rest
