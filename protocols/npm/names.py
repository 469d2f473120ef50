"""Names, versions, tags: their canonical spelling and their order.  Pure.

Names: at most 214 characters with the scope, case-sensitive, URL-safe; legacy names of the npm registry
(mixed case, `~'!()*`) are accepted, since they can be fetched.  Versions: Semantic Versioning 2.0, read
loosely as the client does; build metadata is no part of the identity.
"""

from __future__ import annotations

import re

from registry.core.types import PackageKey

FORMAT = "npm"
ASSET = "package.tgz"
MAX_NAME = 214
MAX_VERSION = 256
_MAX_NUMBER = 2**53 - 1

_PART = re.compile(r"[A-Za-z0-9._~!*'()-]+\Z", re.ASCII)
_LOOSE = re.compile(
    r"[v=\s]*([0-9]+)\.([0-9]+)\.([0-9]+)"
    r"(?:-?((?:[0-9]*[A-Za-z-][0-9A-Za-z-]*|[0-9]+)(?:\.(?:[0-9]*[A-Za-z-][0-9A-Za-z-]*|[0-9]+))*))?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?\s*\Z",
    re.ASCII,
)
_PLAIN = re.compile(r"(?:0|[1-9][0-9]{0,14})(?:\.(?:0|[1-9][0-9]{0,14})){2}\Z", re.ASCII)
_X = r"(?:[0-9]+|[xX*])"
_RANGE_PART = re.compile(
    rf"(?:[<>]=?|=|~>?|\^)?[v=\s]*{_X}(?:\.{_X}(?:\.{_X}(?:-?[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?)?)?\Z", re.ASCII
)


def canonical(namespace: str | None, name: str) -> tuple[str | None, str]:
    """Scope (without `@`) and name, unchanged when npm can hold them.  Raises ValueError otherwise."""
    length = len(name) + (len(namespace) + 2 if namespace else 0)
    if length > MAX_NAME:
        raise ValueError(f"An npm package name has at most {MAX_NAME} characters, this has {length}")
    if not _PART.match(name) or name.startswith(".") or (namespace is None and name.startswith("_")):
        raise ValueError(f"{name[:80]!r} is not an npm package name")
    if namespace is not None and (not _PART.match(namespace) or namespace.startswith(".")):
        raise ValueError(f"{namespace[:80]!r} is not an npm scope (written without the @)")
    if namespace is None and name.lower() in ("node_modules", "favicon.ico"):
        raise ValueError(f"{name!r} is a reserved name")
    return namespace, name


def package(full: str) -> PackageKey:
    """The key of a full name, `name` or `@scope/name`.  Raises ValueError."""
    if full.startswith("@"):
        scope, slash, name = full[1:].partition("/")
        if not slash:
            raise ValueError(f"{full[:80]!r} names a scope but no package")
        return PackageKey(FORMAT, *canonical(scope, name))
    return PackageKey(FORMAT, *canonical(None, full))


def full_name(key: PackageKey) -> str:
    """The name as clients write it."""
    return f"@{key.namespace}/{key.name}" if key.namespace else key.name


def quoted(key: PackageKey) -> str:
    """The name as one path segment; the registry's clients write the slash of a scope as `%2f`."""
    return f"@{key.namespace}%2f{key.name}" if key.namespace else key.name


def tarball_path(key: PackageKey, version: str) -> str:
    """The conventional path below the registry: other spellings get the host written into lock files."""
    return f"{full_name(key)}/-/{key.name}-{version}.tgz"


def version_in_file(key: PackageKey, file: str) -> str:
    """The version named by a tarball's file name, with or without the scope before it.  Raises ValueError."""
    base = file.rpartition("/")[2]
    if not base.startswith(f"{key.name}-") or not base.endswith(".tgz"):
        raise ValueError(f"{file[:300]!r} is not a tarball of {full_name(key)}")
    return canonical_version(base[len(key.name) + 1 : -4])


def canonical_version(text: str) -> str:
    """`semver.clean(text, loose)`: `v1.2.3`, ` =1.2.3 `, `1.2.3beta` and `01.2.3` are understood, build metadata
    falls away.  Raises ValueError."""
    if _PLAIN.match(text):
        return text
    match = _LOOSE.match(text) if len(text) <= MAX_VERSION else None
    if match is None:
        raise ValueError(f"{text[:80]!r} is not a semantic version")
    numbers = [int(part) for part in match.group(1, 2, 3)]
    if max(numbers) > _MAX_NUMBER:
        raise ValueError(f"{text[:80]!r} has a number above {_MAX_NUMBER}")
    core = f"{numbers[0]}.{numbers[1]}.{numbers[2]}"
    if match[4] is None:
        return core
    parts = (part.lstrip("0") or "0" if part.isdigit() else part for part in match[4].split("."))
    return f"{core}-{'.'.join(parts)}"


def tag(text: str) -> str:
    """A dist-tag's name as it came.  Raises ValueError for what would read as a version range."""
    if text == "latest":
        return text
    if not text or len(text) > MAX_NAME or text != text.strip() or any(ord(c) < 33 or c in "/\\%?#" for c in text):
        raise ValueError(f"{text[:80]!r} is not a tag name")
    if is_range(text):
        raise ValueError(f"{text[:80]!r} is not a tag name: it reads as a version range")
    return text


def is_range(text: str) -> bool:
    """Whether the client would read this as a range of versions (so it can not be a tag)."""
    for alternative in text.split("||"):
        ends = alternative.split(" - ")
        parts = ends if len(ends) == 2 else re.sub(r"([<>=~^])\s+", r"\1", alternative).split()
        if not all(_RANGE_PART.match(part.strip()) for part in parts):
            return False
    return True
