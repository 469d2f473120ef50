"""Listing -> the documents of the V3 protocol: joins of stored entries; see `native` for their form.

Three hives of registrations hold the same documents under addresses of their own.  Clients that do not know SemVer 2
read the first two, which leave out every version that needs it.  Registrations have pages of 64 versions, which stand
in the index up to 128 versions and are fetched one by one beyond, as the public gallery does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from protocols.nuget import names, native
from registry.core.errors import ResourceNotFound
from registry.core.types import Listed, Listing, PackageKey, Status

PAGE = 64
INLINE = 128
UNLISTED = "1900-01-01T00:00:00+00:00"
"""The publish time of an unlisted version: what clients before the `listed` flag went by."""


@dataclass(frozen=True, slots=True)
class Hive:
    """A set of registrations; `path` below the endpoint, ending in "/"."""

    path: str
    semver2: bool


PLAIN = Hive("v3/registration/", False)
ZIPPED = Hive("v3/registration-gz/", False)
SEMVER2 = Hive("v3/registration-gz-semver2/", True)


def encode(value: object) -> bytes:
    """JSON."""
    return msgspec.json.encode(value)


def offered(listing: Listing) -> list[Listed]:
    """Every version whose package can be fetched, ascending.  Raises ResourceNotFound without any."""
    found = [
        each
        for each in (*listing.versions, *listing.unlisted)
        if any(file.name.endswith(".nupkg") for file in each.files)
    ]
    if not found:
        raise not_found(listing.package)
    return sorted(found, key=lambda each: (each.sort, each.version)) if listing.unlisted else found


def is_listed(version: Listed) -> bool:
    """Whether search shows it."""
    return version.status is Status.PUBLISHED and not native.unpack(version.native).unlisted


def flat(listing: Listing) -> bytes:
    """The version list of the flat container.  Unlisted versions stand in it, since locked restores need them."""
    return encode({"versions": [each.version for each in offered(listing)]})


def index(listing: Listing, hive: Hive, base: str) -> bytes:
    """A registration index.  Raises ResourceNotFound when the hive has nothing of the package."""
    versions = _in_hive(listing, hive)
    pages = [versions[start : start + PAGE] for start in range(0, len(versions), PAGE)]
    inline = len(versions) <= INLINE
    place = _Place(listing.package, hive, base)
    head = b'{"@id":%s,"@type":["catalog:CatalogRoot","PackageRegistration","catalog:Permalink"],"count":%d,"items":['
    body = b",".join(place.page(each, inline=inline) for each in pages)
    return place.closed(head % (encode(place.index), len(pages)) + body + b"]}")


def page(listing: Listing, hive: Hive, lower: str, upper: str, base: str) -> bytes:
    """Every version between two, which are canonical.  Raises ResourceNotFound for none.

    A page that was cut elsewhere when its index was read holds what that index said.
    """
    low, high = names.sort(lower), names.sort(upper)
    versions = [each for each in _in_hive(listing, hive) if low <= each.sort <= high]
    if not versions or len(versions) > 16 * PAGE:
        raise not_found(listing.package)
    place = _Place(listing.package, hive, base)
    return place.closed(place.page(versions, inline=True, lower=lower, upper=upper))


def leaf(listing: Listing, hive: Hive, version: str, base: str) -> bytes:
    """The registration of one version, by its canonical spelling.  Raises ResourceNotFound."""
    found = _one(_in_hive(listing, hive), listing.package, version)
    place = _Place(listing.package, hive, base)
    return encode(
        {
            "@id": place.leaf(found),
            "@type": ["Package", "catalog:Permalink"],
            "catalogEntry": place.catalog(found),
            "listed": is_listed(found),
            "packageContent": place.content(found),
            "published": published(found),
            "registration": place.index,
        }
    )


def catalog(listing: Listing, version: str, base: str) -> bytes:
    """The catalog's document of one version: what registrations show, by itself.  Raises ResourceNotFound."""
    found = _one(offered(listing), listing.package, version)
    place = _Place(listing.package, SEMVER2, base)
    head = encode({"@id": place.catalog(found), "@type": ["PackageDetails", "catalog:Permalink"], **_moving(found)})
    return place.closed(_merged(head, native.unpack(found.native).entry))


def published(version: Listed) -> str:
    """As the gallery writes it."""
    if not is_listed(version):
        return UNLISTED
    seconds, rest = divmod(version.published, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}.{rest:03d}+00:00"


def not_found(package: PackageKey) -> ResourceNotFound:
    """The error for a package without versions."""
    return ResourceNotFound(
        f"Package {package.name} is not in this repository", resource_id=package.name, resource_type="package"
    )


def _one(versions: Sequence[Listed], package: PackageKey, version: str) -> Listed:
    for each in versions:
        if each.version == version:
            return each
    raise ResourceNotFound(
        f"Version {version} of package {package.name} is not in this repository",
        resource_id=version,
        resource_type="package-version",
    )


def _in_hive(listing: Listing, hive: Hive) -> Sequence[Listed]:
    versions = offered(listing)
    if not hive.semver2:
        versions = [each for each in versions if not native.unpack(each.native).semver2]
        if not versions:
            raise not_found(listing.package)
    return versions


def _moving(version: Listed) -> dict[str, object]:
    """What changes though the package does not."""
    return {"listed": is_listed(version), "published": published(version)}


def _merged(head: bytes, entry: bytes) -> bytes:
    """Two JSON objects as one."""
    return entry if head == b"{}" else head if entry == b"{}" else head[:-1] + b"," + entry[1:]


class _Place:
    """The addresses of a package's documents in one hive."""

    def __init__(self, package: PackageKey, hive: Hive, base: str) -> None:
        quoted = names.quoted(package)
        self._base = base
        self._quoted = quoted
        self._registration = f"{base}{hive.path}{quoted}"
        self._flat = f"{base}v3/flat/{quoted}"
        self.index = f"{self._registration}/index.json"

    def leaf(self, version: Listed) -> str:
        return f"{self._registration}/{version.version}.json"

    def catalog(self, version: Listed) -> str:
        return f"{self._base}v3/catalog/{self._quoted}/{version.version}.json"

    def content(self, version: Listed) -> str:
        return f"{self._flat}/{version.version}/{self._quoted}.{version.version}.nupkg"

    def page(
        self, versions: Sequence[Listed], *, inline: bool, lower: str | None = None, upper: str | None = None
    ) -> bytes:
        low, high = lower or versions[0].version, upper or versions[-1].version
        head = encode(
            {
                "@id": f"{self._registration}/page/{low}/{high}.json",
                "@type": "catalog:CatalogPage",
                "count": len(versions),
                "lower": low,
                "upper": high,
                "parent": self.index,
            }
        )
        if not inline:
            return head
        return head[:-1] + b',"items":[' + b",".join(map(self._item, versions)) + b"]}"

    def _item(self, version: Listed) -> bytes:
        content = self.content(version)
        head = encode({"@id": self.catalog(version), "@type": "PackageDetails", **_moving(version),
                       "packageContent": content})  # fmt: skip
        tail = encode({"packageContent": content, "registration": self.index})
        return (
            b'{"@id":%s,"@type":"Package","catalogEntry":' % encode(self.leaf(version))
            + _merged(head, native.unpack(version.native).entry)
            + b","
            + tail[1:]
        )

    def closed(self, document: bytes) -> bytes:
        """The document with the base URL where it was left open."""
        return document.replace(native.BASE, encode(self._base)[1:-1])
