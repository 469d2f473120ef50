"""A version's manifest: normalized, and packed into the native form that indexes are joined from.

Native form: `full \\x01 abbreviated [\\x01 readme]`, each part JSON text.  Where the endpoint's base URL belongs
stands a zero byte; neither byte can occur in JSON, so joining and one `replace` render an index.
The third part is a JSON string, there only where an external registry gives the readme with the package.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from msgspec import Raw

from protocols.npm import jsontext, names
from registry.core.types import PackageKey

Manifest = dict[str, Raw]

ATTESTATIONS = "-/npm/v1/attestations/"

BASE = b"\x00"
_SPLIT = b"\x01"

# The npm registry's page on package metadata, and `libc`, which chooses between musl and glibc builds.
ABBREVIATED = (
    "name", "version", "deprecated", "dependencies", "acceptDependencies", "optionalDependencies", "devDependencies",
    "bundleDependencies", "peerDependencies", "peerDependenciesMeta", "bin", "directories", "dist", "engines", "cpu",
    "os", "libc", "funding", "_hasShrinkwrap", "hasInstallScript",
)  # fmt: skip
_PACKAGE_LEVEL = ("readme", "_attachments", "_rev", "_revisions", "dist-tags", "versions", "time")
_INSTALL_SCRIPTS = ("preinstall", "install", "postinstall")


class Native(NamedTuple):
    """The parts of the native form."""

    full: bytes
    abbreviated: bytes
    readme: bytes = b""

    def pack(self) -> bytes:
        parts = (self.full, self.abbreviated, self.readme) if self.readme else (self.full, self.abbreviated)
        return _SPLIT.join(parts)


def unpack(native: bytes) -> Native:
    """The inverse of `Native.pack`.  Raises ValueError for bytes that are not of this form."""
    parts = native.split(_SPLIT)
    if len(parts) not in (2, 3):
        raise ValueError("not npm's native form")
    return Native(*parts)


def raw(value: object) -> Raw:
    """Any value as JSON text."""
    return Raw(jsontext.encode(value))


def value(manifest: Manifest, field: str) -> Any:
    """A field decoded, None when it is absent or unreadable."""
    text = manifest.get(field)
    if text is None:
        return None
    try:
        found: Any = jsontext.part(text, object)
    except ValueError:
        return None
    return found


def tarball(package: PackageKey, version: str) -> Raw:
    """The value of `dist.tarball` with the base URL left open."""
    return _opened(raw(names.tarball_path(package, version)))


def native(manifest: Manifest, *, package: PackageKey, version: str, readme: bytes = b"") -> bytes:
    """Pack a manifest whose `dist` is complete but for the URL.  The manifest is normalized in place.

    `version` is the spelling to show.  Raises ValueError when `dist` is not an object.
    """
    normalize(manifest, package=package, version=version)
    dist = jsontext.part(manifest["dist"], Manifest)
    dist["tarball"] = tarball(package, version)
    _move_attestations(dist, package, version)
    manifest["dist"] = raw(dist)
    return Native(jsontext.encode(manifest), _abbreviate(manifest), readme).pack()


def _move_attestations(dist: Manifest, package: PackageKey, version: str) -> None:
    """Below this repository: the client drops the host of that URL and keeps its path."""
    found = value(dist, "attestations")
    if isinstance(found, dict) and isinstance(found.get("url"), str):
        path = jsontext.encode(f"{ATTESTATIONS}{names.full_name(package)}@{version}")
        dist["attestations"] = raw({**found, "url": Raw(b'"' + BASE + path[1:])})
    else:
        dist.pop("attestations", None)


def _abbreviate(manifest: Manifest) -> bytes:
    return jsontext.encode({field: manifest[field] for field in ABBREVIATED if field in manifest})


def normalize(manifest: Manifest, *, package: PackageKey, version: str) -> None:
    """What every client may rely on: name, version, `bin` an object, `bundleDependencies` an array,
    `deprecated` a text or absent, `hasInstallScript`.  Everything else stays as it is."""
    for field in _PACKAGE_LEVEL:
        manifest.pop(field, None)
    manifest["name"] = raw(names.full_name(package))
    manifest["version"] = raw(version)
    _normalize_bin(manifest, package.name)
    _normalize_bundle(manifest)
    if "deprecated" in manifest:
        _normalize_deprecated(manifest)
    if "hasInstallScript" not in manifest and has_install_script(manifest):
        manifest["hasInstallScript"] = raw(True)


def _normalize_bin(manifest: Manifest, basename: str) -> None:
    if bytes(manifest.get("bin", b"{"))[:1] == b'"':
        manifest["bin"] = raw({basename: value(manifest, "bin")})


def _normalize_bundle(manifest: Manifest) -> None:
    bundled = manifest.pop("bundledDependencies", None)
    if bundled is not None:
        manifest.setdefault("bundleDependencies", bundled)
    if "bundleDependencies" not in manifest or bytes(manifest["bundleDependencies"])[:1] == b"[":
        return
    found = value(manifest, "bundleDependencies")
    if found is True:
        dependencies = value(manifest, "dependencies")
        manifest["bundleDependencies"] = raw(list(dependencies) if isinstance(dependencies, dict) else [])
    elif isinstance(found, dict):
        manifest["bundleDependencies"] = raw(list(found))
    else:
        del manifest["bundleDependencies"]


def _normalize_deprecated(manifest: Manifest) -> None:
    found = value(manifest, "deprecated")
    if found is True:
        manifest["deprecated"] = raw("This version is deprecated")
    elif not isinstance(found, str) or not found:
        del manifest["deprecated"]


def has_install_script(manifest: Manifest) -> bool:
    """Whether installing runs a script of the package."""
    scripts = manifest.get("scripts")
    if scripts is None or b"install" not in bytes(scripts):
        return False
    found = value(manifest, "scripts")
    return isinstance(found, dict) and any(found.get(name) for name in _INSTALL_SCRIPTS)


def parse(part: bytes) -> Manifest:
    """A part of the native form as fields; its URLs are relative to the base.  Raises ValueError."""
    return jsontext.part(part.replace(BASE, b""), Manifest)


def deprecated(native: bytes) -> str:
    """The deprecation message, "" when there is none."""
    part = unpack(native).abbreviated
    if b'"deprecated"' not in part:
        return ""
    found = value(parse(part), "deprecated")
    return found if isinstance(found, str) else ""


def deprecate(native: bytes, message: str) -> bytes:
    """The same version with this message, or ("") without one.  Pure, so that a unit of work may run it again."""

    def change(manifest: Manifest, dist: Manifest) -> None:
        manifest.pop("deprecated", None)
        if message:
            manifest["deprecated"] = raw(message)

    return _edit(native, change)


def complete(native: bytes, integrity: str, shasum: str) -> bytes:
    """With the digests that its `dist` lacks.  Those that are there stay: signatures cover them."""
    dist = jsontext.decode(parse(unpack(native).abbreviated)["dist"], Manifest)
    if value(dist, "integrity") and value(dist, "shasum"):
        return native

    def change(manifest: Manifest, dist: Manifest) -> None:
        if not value(dist, "integrity"):
            dist["integrity"] = raw(integrity)
        if not value(dist, "shasum"):
            dist["shasum"] = raw(shasum)

    return _edit(native, change)


def _edit(native: bytes, change: Callable[[Manifest, Manifest], None]) -> bytes:
    """Change the fields of both parts and of their `dist`."""
    parts = unpack(native)
    return Native(_edited(parts.full, change), _edited(parts.abbreviated, change), parts.readme).pack()


def _edited(part: bytes, change: Callable[[Manifest, Manifest], None]) -> bytes:
    manifest = parse(part)
    dist = jsontext.part(manifest["dist"], Manifest)
    change(manifest, dist)
    dist["tarball"] = _opened(dist["tarball"])
    if "attestations" in dist:
        attestations = jsontext.part(dist["attestations"], Manifest)
        dist["attestations"] = raw({**attestations, "url": _opened(attestations["url"])})
    manifest["dist"] = raw(dist)
    return jsontext.encode(manifest)


def _opened(url: Raw) -> Raw:
    return Raw(b'"' + BASE + bytes(url)[1:])
