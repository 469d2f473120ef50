"""What a package file says of itself: its nuspec as a catalog entry, as facts for the control plane, and its readme.

Blocks: call it in a thread.  Mapping of facts: guide, "View package version details"; a nuspec's license is an SPDX
expression, a file of the package, or (deprecated) an address.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import IO, Any

from protocols.nuget import archive, names, native
from protocols.nuget.nuspec import Nuspec, read
from registry.core.types import Dependency, Digests, Facts, License, PackageKey

MAX_README = 1024**2
_TRUE = ("true", "1")


@dataclass(frozen=True, slots=True)
class Contents:
    """An inspected package."""

    spec: Nuspec
    readme: str | None

    @property
    def package(self) -> PackageKey:
        return names.package(self.spec.id)

    @property
    def version(self) -> str:
        """Canonical."""
        return self.spec.version.canonical

    @property
    def is_symbols(self) -> bool:
        return any(name.lower() == "symbolspackage" for name, _ in self.spec.types)


def inspect(file: IO[bytes], *, strict: bool = True) -> Contents:
    """Raises ValueError for what is no package."""
    with archive.opened(file, strict=strict) as package:
        spec = read(package.manifest().body)
        named = spec.text("readme")
        body = package.member(named, MAX_README) if named else None
        if named and body is None and strict:
            raise ValueError(f"The package has no readme {named[:200]!r} of at most {MAX_README} bytes")
    return Contents(spec, None if body is None else body.decode("utf-8-sig", "replace").replace("\0", ""))


def entry(contents: Contents, digests: Digests, size: int) -> dict[str, Any]:
    """The catalog entry of a version."""
    spec = contents.spec
    place = f"{native.BASE_TEXT}v3/flat/{names.quoted(contents.package)}/{contents.version}"
    shown: dict[str, Any] = {
        "id": spec.id,
        "version": spec.version.full,
        "authors": spec.text("authors"),
        "description": spec.text("description"),
        "summary": spec.text("summary"),
        "title": spec.text("title"),
        "language": spec.text("language"),
        "copyright": spec.text("copyright"),
        "releaseNotes": spec.text("releaseNotes"),
        "projectUrl": spec.text("projectUrl"),
        "iconUrl": f"{place}/icon" if spec.text("icon") else spec.text("iconUrl"),
        "readmeUrl": f"{place}/readme" if contents.readme is not None else "",
        "licenseExpression": spec.license if spec.license_type == "expression" else "",
        "licenseUrl": spec.text("licenseUrl"),
        "minClientVersion": spec.min_client,
        "tags": spec.text("tags").replace(",", " ").split(),
        "dependencyGroups": _groups(spec),
        "packageTypes": [{"name": name} | ({"version": version} if version else {}) for name, version in spec.types],
    }
    return {
        **{name: value for name, value in shown.items() if value},
        "requireLicenseAcceptance": spec.text("requireLicenseAcceptance").lower() in _TRUE,
        "isPrerelease": bool(spec.version.labels),
        **hashed(digests, size),
    }


def hashed(digests: Digests, size: int) -> dict[str, Any]:
    """What a catalog says of the package file."""
    sha512 = base64.b64encode(bytes.fromhex(digests.sha512)).decode()
    return {"packageHash": sha512, "packageHashAlgorithm": "SHA512", "packageSize": size}


def _groups(spec: Nuspec) -> list[dict[str, Any]]:
    """A group without dependencies says that its framework has none, and is kept."""
    shown = []
    for group in spec.groups:
        one: dict[str, Any] = {"targetFramework": group.framework} if group.framework else {}
        if group.dependencies:
            one["dependencies"] = [{"id": each.id, "range": each.range} for each in group.dependencies]
        shown.append(one)
    return shown


def facts(contents: Contents) -> Facts:
    """What the control plane shows."""
    spec = contents.spec
    return Facts(
        display=spec.id,
        summary=spec.text("summary") or spec.text("description"),
        homepage=spec.text("projectUrl"),
        source=spec.repository.get("url", ""),
        licenses=_licenses(spec),
        readme=contents.readme,
        dependencies=_dependencies(spec),
    )


def _licenses(spec: Nuspec) -> tuple[License, ...]:
    url = spec.text("licenseUrl")
    if spec.license_type == "expression" and spec.license:
        return (License(spec.license, url or None),)
    if spec.license_type == "file" and spec.license:
        return (License(spec.license),)
    return (License(url=url),) if url else ()


def _dependencies(spec: Nuspec) -> tuple[Dependency, ...]:
    """Once per id and range, whatever the number of frameworks; the model has no kinds of dependencies for NuGet."""
    found: dict[Dependency, None] = {}
    for group in spec.groups:
        for each in group.dependencies:
            found.setdefault(Dependency(None, each.id.lower(), "", each.range))
    return tuple(found)
