"""What is told of releases: documents made of a listing; pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Raw

from protocols.swift import names
from protocols.swift.release import CMS, Release, decode, repositories
from registry.core import semver
from registry.core.errors import ResourceNotFound
from registry.core.types import Listed, Listing

_FRACTION = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)[.,]\d+(Z|[+-]\d\d:?\d\d)?\Z")


class Record(msgspec.Struct):
    """One release, for the answers that are no documents.  `id` is `scope.name` as it was published."""

    id: str
    release: Release

    @property
    def name(self) -> str:
        return self.id.partition(".")[2]


_records = msgspec.json.Decoder(Record)
_listed = msgspec.json.Decoder(dict[str, dict[str, Any]])


def releases(listing: Listing, root: str) -> bytes:
    """The list of releases.  `root` is the package's address without a slash.  Raises ResourceNotFound."""
    if not listing.versions:
        raise _unknown(listing)
    found = {each.display: {"url": f"{root}/{each.display}"} for each in listing.versions}
    return msgspec.json.encode({"releases": found})


def versions(document: bytes) -> list[str]:
    """The versions of such a list, ascending."""
    return list(_listed.decode(document)["releases"])


def release(listing: Listing, version: str) -> bytes:
    """The document of one release.  Raises ResourceNotFound."""
    listed = _found(listing, version)
    native = decode(listed.native)
    resource: dict[str, Any] = {"name": "source-archive", "type": "application/zip", "checksum": native.checksum}
    if native.signature:
        resource["signing"] = {"signatureBase64Encoded": native.signature, "signatureFormat": CMS}
    return msgspec.json.encode(
        {
            "id": listing.display,
            "version": listed.display,
            "resources": [resource],
            "metadata": _shown(native.metadata),
            "publishedAt": _seconds(listed.published),
        }
    )


def record(listing: Listing, version: str) -> bytes:
    """A Record, encoded.  Raises ResourceNotFound."""
    return msgspec.json.encode({"id": listing.display, "release": Raw(_found(listing, version).native)})


def read(document: bytes) -> Record:
    return _records.decode(document)


def links(root: str, known: list[str], version: str | None) -> dict[str, str]:
    """The Link header of a list (`version` None) or a release: the neighbors by precedence, not by time."""
    releases = [each for each in known if not semver.is_prerelease(each)] or known
    relations = {"latest-version": releases[-1]} if releases else {}
    if version is not None:
        here = (semver.sort(version), version)
        places = [((semver.sort(each), each), each) for each in known]
        later = [each for place, each in places if place > here]
        before = [each for place, each in places if place < here]
        relations |= {"successor-version": later[0]} if later else {}
        relations |= {"predecessor-version": before[-1]} if before else {}
    told = [f'<{root}/{each}>; rel="{relation}"' for relation, each in relations.items()]
    return {"link": ", ".join(told)} if told else {}


def alternates(address: str, native: Release) -> dict[str, str]:
    """The Link header of a manifest, in exactly the form that the client's parser knows."""
    told = [
        f'<{address}?swift-version={names.alternate(file)}>; rel="alternate"; filename="{file}"; '
        f'swift-tools-version="{tools}"'
        for file, tools in sorted(native.manifests.items())
        if file != names.MANIFEST
    ]
    return {"link": ", ".join(told)} if told else {}


class Claim(msgspec.Struct):
    """A package, and since when (ms) it says that an address is its repository."""

    id: str
    addresses: dict[str, int]


def claims(listing: Listing) -> Claim | None:
    """What the releases of a package say of their repository, for the look-up of identifiers."""
    found: dict[str, int] = {}
    for each in listing.versions:
        for address in repositories(decode(each.native)):
            found[address] = min(each.published, found.get(address, each.published))
    return Claim(listing.display, found) if found else None


def owners(found: list[Claim]) -> bytes:
    """Address -> the package that has claimed it for longest."""
    since: dict[str, tuple[int, str]] = {}
    for claim in found:
        for address, moment in claim.addresses.items():
            since[address] = min((moment, claim.id), since.get(address, (moment, claim.id)))
    return msgspec.json.encode({address: owner for address, (_, owner) in since.items()})


def _found(listing: Listing, version: str) -> Listed:
    for each in (*listing.versions, *listing.unlisted):
        if each.version == version:
            return each
    if not (listing.versions or listing.unlisted):
        raise _unknown(listing)
    raise ResourceNotFound(
        f"There is no release {version} of {listing.display} here", resource_id=version, resource_type="package-version"
    )


def _unknown(listing: Listing) -> ResourceNotFound:
    name = f"{listing.package.namespace}.{listing.package.name}"
    return ResourceNotFound(f"There is no package {name} here", resource_id=name, resource_type="package")


def _shown(metadata: Raw) -> Any:
    """As it was published, but for a fraction of a second, which the client cannot read."""
    found = msgspec.json.decode(metadata)
    text = found.get("originalPublicationTime")
    parts = _FRACTION.match(text) if isinstance(text, str) else None
    return metadata if parts is None else {**found, "originalPublicationTime": parts[1] + (parts[2] or "Z")}


def _seconds(moment: int) -> str:
    return datetime.fromtimestamp(moment // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
