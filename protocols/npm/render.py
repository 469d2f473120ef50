"""Listing -> packument, manifest, tags.  Pure joins of stored fragments; see `manifest` for their form.

Forms: the npm registry's page on package metadata.  `time` stands in both forms: clients with a minimum release
age refuse versions without it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec import Raw

from protocols.npm import jsontext, manifest, names
from registry.core import semver
from registry.core.errors import ResourceNotFound
from registry.core.types import Listed, Listing, PackageKey

ABBREVIATED_TYPE = "application/vnd.npm.install-v1+json"
_HOISTED = (
    "description", "homepage", "repository", "bugs", "keywords", "license", "author", "contributors", "readmeFilename",
)  # fmt: skip


def full(listing: Listing, base: str) -> bytes:
    """The packument as `npm install` and `npm view` ask for it.  Raises ResourceNotFound without versions."""
    latest = _latest(listing)
    name = names.full_name(listing.package)
    parts = manifest.unpack(latest.native)
    head = {"_id": name, "_rev": revision(listing), "name": name, "dist-tags": tags(listing), **_hoisted(parts)}
    if parts.readme:
        head["readme"] = Raw(parts.readme)
    return _join(jsontext.encode(head), listing, base, part=0)


def abbreviated(listing: Listing, base: str) -> bytes:
    """The packument as installers ask for it.  Raises ResourceNotFound without versions."""
    _latest(listing)
    modified = iso(max(version.published for version in listing.versions))
    head = {"name": names.full_name(listing.package), "modified": modified, "dist-tags": tags(listing)}
    return _join(jsontext.encode(head), listing, base, part=1)


def single(listing: Listing, version_or_tag: str, base: str) -> bytes:
    """One version's manifest, by version or tag.  Raises ResourceNotFound."""
    wanted = targets(listing).get(version_or_tag)
    if wanted is None:
        try:
            wanted = names.canonical_version(version_or_tag)
        except ValueError:
            wanted = None
    for listed in listing.versions:
        if listed.version == wanted:
            return manifest.unpack(listed.native).full.replace(manifest.BASE, _inside(base))
    raise ResourceNotFound(
        f"{names.full_name(listing.package)}@{version_or_tag[:100]} is not in this repository",
        resource_type="package-version",
    )


def dist_tags(listing: Listing) -> bytes:
    """The tags as `npm dist-tag ls` asks for them.  Raises ResourceNotFound without versions."""
    _latest(listing)
    return jsontext.encode(tags(listing))


def tags(listing: Listing) -> dict[str, str]:
    """Tag -> version as it is shown."""
    shown = {version.version: version.display for version in listing.versions}
    return {tag: shown[version] for tag, version in targets(listing).items()}


def targets(listing: Listing) -> dict[str, str]:
    """Tag -> canonical version, of listed versions only; `latest` is always there while a version is listed.

    Where nobody set it (or its version is not listed any more) it is the highest release, else the highest
    version: what a client moves it to when it unpublishes the version that had it.
    """
    shown = {version.version for version in listing.versions}
    found = {tag: version for tag, version in listing.tags.items() if version in shown}
    if "latest" not in found and listing.versions:
        ascending = [version.version for version in listing.versions]
        releases = [version for version in ascending if not semver.is_prerelease(version)]
        found["latest"] = (releases or ascending)[-1]
    return found


def latest(listing: Listing) -> Listed | None:
    """The version that `latest` names; None without versions."""
    wanted = targets(listing).get("latest")
    return next((version for version in listing.versions if version.version == wanted), None)


def revision(listing: Listing) -> str:
    """An opaque `_rev`: it differs when the set of versions or a tag does, in every process alike."""
    lines = [f"{version.version} {version.published}" for version in listing.versions]
    lines += [f"{tag}={target}" for tag, target in sorted(listing.tags.items())]
    digest = hashlib.blake2b("\n".join(lines).encode(), digest_size=16)
    return f"{len(listing.versions)}-{digest.hexdigest()}"


def iso(milliseconds: int) -> str:
    """A time as the npm registry writes it, in UTC."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}.{rest:03d}Z"


def not_found(package: PackageKey) -> ResourceNotFound:
    """The error for a package without versions."""
    return ResourceNotFound(f"{names.full_name(package)} is not in this repository", resource_type="package")


def _latest(listing: Listing) -> Listed:
    found = latest(listing)
    if found is None:
        raise not_found(listing.package)
    return found


def _hoisted(parts: manifest.Native) -> Mapping[str, object]:
    """What the packument repeats of its latest version."""
    fields = manifest.parse(parts.full)
    found: dict[str, object] = {field: fields[field] for field in _HOISTED if field in fields}
    if "maintainers" in fields:
        found["maintainers"] = fields["maintainers"]
    elif "_npmUser" in fields:
        found["maintainers"] = [fields["_npmUser"]]
    return found


def _join(head: bytes, listing: Listing, base: str, *, part: int) -> bytes:
    """Head, `versions`, `time`; then the base URL goes where it was left open."""
    pieces = [head[:-1], b',"versions":{']
    comma = b""
    for version in listing.versions:
        pieces += (comma, jsontext.encode(version.display), b":", manifest.unpack(version.native)[part])
        comma = b","
    pieces += (b'},"time":', jsontext.encode(_times(listing)), b"}")
    return b"".join(pieces).replace(manifest.BASE, _inside(base))


def _inside(base: str) -> bytes:
    """A URL as it stands inside a JSON string."""
    return jsontext.encode(base)[1:-1]


def _times(listing: Listing) -> dict[str, str]:
    published = [version.published for version in listing.versions]
    times = {"created": iso(min(published)), "modified": iso(max(published))}
    for version in listing.versions:
        times[version.display] = iso(version.published)
    return times
