"""What the control plane shows of a version, read from its manifest.  Never raises: authors write anything.

Mapping: the service model's PackageDependency, guide chapter "View package version details".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from protocols.npm import manifest as manifests
from protocols.npm import names
from protocols.npm.manifest import Manifest
from registry.core.types import Dependency, Facts, License, PackageKey

MAX_README = 1024**2
"""Characters kept of one."""

NO_README = "ERROR: No README data found!"
"""What npm sends in place of a readme that is not there."""

_KINDS = (
    ("dependencies", "regular"),
    ("devDependencies", "dev"),
    ("peerDependencies", "peer"),
    ("optionalDependencies", "optional"),
)
_SHORTHAND = re.compile(r"(?:(github|gitlab|bitbucket):)?([\w.-]+)/([\w.-]+?)(?:\.git)?(?:#.*)?\Z", re.ASCII)
_HOSTS = {"github": "github.com", "gitlab": "gitlab.com", "bitbucket": "bitbucket.org"}
_GIT_SCHEME = re.compile(r"(?:git\+(?=https?:)|git\+ssh://git@|git://|ssh://git@)")


def of(manifest: Manifest, *, package: PackageKey, readme: str | None) -> Facts:
    """The facts of one version."""
    return Facts(
        display=names.full_name(package),
        summary=_text(manifests.value(manifest, "description")),
        homepage=_text(manifests.value(manifest, "homepage")),
        source=source(manifests.value(manifest, "repository")),
        licenses=tuple(licenses(manifests.value(manifest, "license"), manifests.value(manifest, "licenses"))),
        readme=readme,
        dependencies=tuple(dependencies(manifest)),
    )


def readme(*candidates: Any) -> str | None:
    """The first that is one."""
    for found in candidates:
        if isinstance(found, str) and found.strip() and found != NO_README:
            return found[:MAX_README]
    return None


def _text(found: Any) -> str:
    return found if isinstance(found, str) else ""


def source(repository: Any) -> str:
    """The repository's URL as a browser takes it; `owner/name` and `github:owner/name` are expanded."""
    url = repository.get("url") if isinstance(repository, dict) else repository
    if not isinstance(url, str):
        return ""
    if short := _SHORTHAND.match(url):
        return f"https://{_HOSTS[short[1] or 'github']}/{short[2]}/{short[3]}.git"
    return _GIT_SCHEME.sub(lambda m: "" if m[0] == "git+" else "https://", url, count=1)


def licenses(license: Any, legacy: Any) -> Iterator[License]:
    """`license` as text or `{type, url}`, then the legacy list."""
    found = [license] if license else legacy if isinstance(legacy, list) else []
    for one in found:
        if isinstance(one, str) and one:
            yield License(name=one)
        elif isinstance(one, dict):
            name, url = one.get("type") or one.get("name"), one.get("url")
            if isinstance(name, str) or isinstance(url, str):
                yield License(name=name if isinstance(name, str) else None, url=url if isinstance(url, str) else None)


def dependencies(manifest: Manifest) -> Iterator[Dependency]:
    """By kind; a package that is both regular and optional counts as optional, as npm installs it."""
    found = {kind: manifests.value(manifest, field) for field, kind in _KINDS if field in manifest}
    optional = found.get("optional")
    for kind, entries in found.items():
        if not isinstance(entries, dict):
            continue
        for name, requirement in entries.items():
            if not isinstance(requirement, str):
                continue
            if kind == "regular" and isinstance(optional, dict) and name in optional:
                continue
            scope, _, base = name[1:].partition("/") if name[:1] == "@" else ("", "", name)
            yield Dependency(scope or None, base or name, kind, requirement)
