"""`PUT {package}` that carries a tarball: the checks, and the draft that comes of them.

Blocking where it reads the tarball: `draft` runs in a thread.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from protocols.npm import facts, jsontext, manifest, names, tarball
from protocols.npm.manifest import Manifest
from protocols.npm.parse import Received, refusing
from registry.core.errors import Validation
from registry.core.types import Digests, Draft, DraftAsset, PackageKey, Staged, VersionKey

MAX_MANIFEST = 4 * 1024**2
_ALGORITHMS = ("sha512", "sha256", "sha1", "md5")


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a publish consists of, each part already of its type."""

    package: PackageKey
    version: str
    manifest: Manifest
    staged: Staged
    contents: tarball.Contents


def draft(received: Received, package: PackageKey, *, publisher: str, heavy: int | None = None) -> Draft:
    """The draft of a received publish.  Raises Validation for whatever does not fit together.

    `heavy` as for tarball.inspect.
    """
    staged = received.tarball
    assert staged is not None
    document = received.document
    _check_names(received, package)
    spelled = _pick(received, package)
    with refusing(f"The manifest of version {spelled}"):
        fields = jsontext.decode((document.versions or {})[spelled], Manifest)
    with refusing():
        version = names.canonical_version(spelled)
    _check_manifest(fields, package, version)
    _check_length(received, staged)
    _check_digests(fields, staged.digests)
    with refusing(), staged.open() as file:
        contents = tarball.inspect(file, heavy=heavy)
    parts = _Parts(package, version, fields, staged, contents)
    _check_contents(parts)
    return _assemble(parts, root_readme=_decoded(document.readme), tags=_tags(document.tags, version), who=publisher)


def version(received: Received) -> str | None:
    """The version that a publish is of, canonical, as far as that can be told without checking anything."""
    versions = received.document.versions or {}
    return _cleaned(next(iter(versions))) if len(versions) == 1 else None


def _check_names(received: Received, package: PackageKey) -> None:
    full = names.full_name(package)
    for field in (received.document.name, received.document.id):
        if len(bytes(field)) and _decoded(field) != full:
            raise Validation(f"The document is of package {_decoded(field)!r}, the address of {full!r}")


def _pick(received: Received, package: PackageKey) -> str:
    """The version that is published: the only one, or the one that the attachment is named for."""
    versions = received.document.versions or {}
    if len(versions) == 1:
        return next(iter(versions))
    for version in versions:
        if received.key.rpartition("/")[2] == f"{package.name}-{version}.tgz":
            return version
    raise Validation("The document does not say which version the tarball is of")


def _check_manifest(fields: Manifest, package: PackageKey, version: str) -> None:
    if sum(len(bytes(each)) for each in fields.values()) > MAX_MANIFEST:
        raise Validation(f"The manifest is larger than {MAX_MANIFEST} bytes")
    name, inner = manifest.value(fields, "name"), manifest.value(fields, "version")
    if name != names.full_name(package):
        raise Validation(f"The manifest is of package {name!r}, the address of {names.full_name(package)!r}")
    if _cleaned(inner) != version:
        raise Validation(f"The manifest says version {inner!r}, the document {version!r}")


def _check_length(received: Received, staged: Staged) -> None:
    length = _decoded(received.document.attachments[received.key].length)
    if isinstance(length, int) and length != staged.size:
        raise Validation(f"The tarball has {staged.size} bytes, the document says {length}")


def _check_digests(fields: Manifest, digests: Digests) -> None:
    dist = manifest.value(fields, "dist")
    for algorithm, declared in declared_digests(dist if isinstance(dist, dict) else {}).items():
        if getattr(digests, algorithm) != declared:
            raise Validation(f"The tarball does not have the {algorithm} digest that the document declares")


def declared_digests(dist: Mapping[str, Any]) -> dict[str, str]:
    """`integrity` and `shasum` as hex, strongest first.  What is not a digest is left out."""
    found: dict[str, str] = {}
    integrity = dist.get("integrity")
    for entry in integrity.split() if isinstance(integrity, str) else ():
        algorithm, _, encoded = entry.partition("-")
        try:
            digest = base64.b64decode(encoded.partition("?")[0], validate=True).hex()
        except (binascii.Error, ValueError):
            continue
        if algorithm in _ALGORITHMS and len(digest) == _LENGTHS[algorithm]:
            found.setdefault(algorithm, digest)
    shasum = dist.get("shasum")
    if isinstance(shasum, str) and len(shasum) == 40 and set(shasum.lower()) <= _HEX:
        found.setdefault("sha1", shasum.lower())
    return {algorithm: found[algorithm] for algorithm in _ALGORITHMS if algorithm in found}


_LENGTHS = {"sha512": 128, "sha256": 64, "sha1": 40, "md5": 32}
_HEX = frozenset("0123456789abcdef")


def _check_contents(parts: _Parts) -> None:
    """The tarball must be of the package that it is published as."""
    if parts.contents.manifest is None:
        raise Validation("The tarball has no package.json")
    with refusing("The tarball's package.json"):
        inner = jsontext.decode(parts.contents.manifest, Manifest)
    name, version = manifest.value(inner, "name"), manifest.value(inner, "version")
    if name != names.full_name(parts.package):
        raise Validation(f"The tarball is of package {name!r}, not of {names.full_name(parts.package)!r}")
    if _cleaned(version) != parts.version:
        raise Validation(f"The tarball is of version {version!r}, not of {parts.version!r}")


def _assemble(parts: _Parts, *, root_readme: Any, tags: Mapping[str, str], who: str) -> Draft:
    fields, contents = parts.manifest, parts.contents
    readme = facts.readme(manifest.value(fields, "readme"), root_readme, contents.readme)
    if contents.readme_name and manifest.value(fields, "readmeFilename") is None:
        fields["readmeFilename"] = manifest.raw(contents.readme_name)
    fields["_id"] = manifest.raw(f"{names.full_name(parts.package)}@{parts.version}")
    fields["_npmUser"] = manifest.raw({"name": who, "email": ""})
    fields["dist"] = manifest.raw(dist(parts.staged.digests, contents))
    fields["_hasShrinkwrap"] = manifest.raw(contents.shrinkwrap)
    fields.pop("hasInstallScript", None)
    if manifest.has_install_script(fields) or contents.gyp:
        fields["hasInstallScript"] = manifest.raw(True)
    with refusing():
        native = manifest.native(fields, package=parts.package, version=parts.version)
    return Draft(
        key=VersionKey(parts.package, parts.version),
        display=parts.version,
        native=native,
        facts=facts.of(fields, package=parts.package, readme=readme),
        assets=(DraftAsset(names.ASSET, parts.staged),),
        tags=tags,
    )


def dist(digests: Digests, contents: tarball.Contents) -> dict[str, Any]:
    """Computed here, whatever the client sent; the URL comes when the manifest is packed."""
    return {
        "integrity": integrity(digests),
        "shasum": digests.sha1,
        "fileCount": contents.files,
        "unpackedSize": contents.unpacked,
    }


def integrity(digests: Digests) -> str:
    """The subresource integrity of a stored file."""
    return "sha512-" + base64.b64encode(bytes.fromhex(digests.sha512)).decode()


def _tags(found: Mapping[str, Any], version: str) -> dict[str, str]:
    """The tags that the document puts on this version; others are not a publish's business."""
    tags = {}
    for name, target in found.items():
        if _cleaned(_decoded(target)) == version:
            with refusing():
                tags[names.tag(name)] = version
    return tags


def _cleaned(version: Any) -> str | None:
    try:
        return names.canonical_version(version) if isinstance(version, str) else None
    except ValueError:
        return None


def _decoded(text: Any) -> Any:
    try:
        return jsontext.decode(text, object) if len(bytes(text)) else None
    except ValueError:
        return None
