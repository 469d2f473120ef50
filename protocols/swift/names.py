"""Scopes, names and versions (registry specification, "Package identification"; SemVer 2.0.0); pure.

Scope and name are lower-cased, as the guide's chapter on Swift says; a version is not normalized.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from registry.core import semver
from registry.core.types import PackageKey

FORMAT = "swift"
MANIFEST = "Package.swift"
_SCOPE = re.compile(r"[a-z0-9](?:[a-z0-9]|-(?=[a-z0-9])){0,38}\Z", re.IGNORECASE | re.ASCII)
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9]|[-_](?=[a-z0-9])){0,99}\Z", re.IGNORECASE | re.ASCII)
_ALTERNATE = re.compile(r"Package@swift-([0-9]{1,9}(?:\.[0-9]{1,9}){0,2})\.swift\Z", re.ASCII)
_TOOLS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9}){0,2}\Z", re.ASCII)


def canonical(namespace: str | None, name: str) -> tuple[str | None, str]:
    """Scope and name in lower case.  Raises ValueError."""
    if namespace is None or not _SCOPE.match(namespace):
        raise ValueError(
            f"{(namespace or '')[:80]!r} is not a package scope: 1 to 39 letters and digits, single hyphens inside"
        )
    if not _NAME.match(name):
        raise ValueError(
            f"{name[:120]!r} is not a package name: 1 to 100 letters and digits, single hyphens and underscores inside"
        )
    return namespace.lower(), name.lower()


def package(scope: str, name: str) -> PackageKey:
    """The key of a package.  Raises ValueError."""
    return PackageKey(FORMAT, *canonical(scope, name))


def canonical_version(text: str) -> str:
    """The version as it is.  Raises ValueError for what is no semantic version."""
    return semver.strict(text)


def archive(name: str, version: str) -> str:
    """The source archive's name among the assets."""
    return f"{name.lower()}-{version}.zip"


def alternate(file: str) -> str | None:
    """The tools version that a version-specific manifest's name has, `5.9` of `Package@swift-5.9.swift`."""
    found = _ALTERNATE.match(file)
    return None if found is None else found[1]


def manifest(files: Collection[str], tools: str | None) -> str | None:
    """Which of these manifests is meant by `swift-version`; None when there is none for it.

    The client asks for 6.0.0 when it has seen `Package@swift-6.0.swift`, so that zeros at the end do not count, except
    between files that differ in nothing else.  Raises ValueError.
    """
    if tools is None:
        return MANIFEST
    if not _TOOLS.match(tools):
        raise ValueError(f"{tools[:40]!r} is not a Swift tools version")
    exact = f"Package@swift-{tools}.swift"
    if exact in files:
        return exact
    equal = [file for file in files if _numbers(alternate(file)) == _numbers(tools)]
    return max(equal, default=None)


def _numbers(tools: str | None) -> tuple[int, ...] | None:
    if tools is None:
        return None
    numbers = [int(part) for part in tools.split(".")]
    return tuple(numbers + [0] * (3 - len(numbers)))
