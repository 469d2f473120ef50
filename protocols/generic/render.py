"""Answers of the generic endpoint: JSON in the service model's member names, and SHA256SUMS; pure."""

from __future__ import annotations

from collections.abc import Sequence

from protocols.generic.checksums import hashes
from registry.core.types import Asset, PackageKey, Status, Version


def _identity(package: PackageKey) -> dict[str, object]:
    return {"format": "generic", "namespace": package.namespace, "package": package.name}


def _asset(asset: Asset) -> dict[str, object]:
    return {"name": asset.name, "size": asset.blob.size, "hashes": hashes(asset.blob.digests)}


def published(version: Version, name: str) -> dict[str, object]:
    """What PublishPackageVersion answers."""
    asset = next(asset for asset in version.assets if asset.name == name)
    return {
        **_identity(version.key.package),
        "version": version.display,
        "versionRevision": version.revision,
        "status": version.status,
        "asset": _asset(asset),
    }


def assets(version: Version) -> dict[str, object]:
    """What ListPackageVersionAssets answers, on one page."""
    return {
        **_identity(version.key.package),
        "version": version.display,
        "versionRevision": version.revision,
        "status": version.status,
        "assets": [_asset(asset) for asset in _sorted(version)],
    }


def sums(version: Version) -> str:
    """For `sha256sum --check`.  No allowed asset name needs its escapes."""
    return "".join(f"{asset.blob.digests.sha256}  {asset.name}\n" for asset in _sorted(version))


def _sorted(version: Version) -> list[Asset]:
    return sorted(version.assets, key=lambda asset: asset.name)


def versions(package: PackageKey, found: Sequence[Version]) -> dict[str, object]:
    """Published versions, the most recently published first."""
    shown = sorted(
        (v for v in found if v.status is Status.PUBLISHED), key=lambda v: (v.published, v.sort), reverse=True
    )
    return {
        **_identity(package),
        "versions": [
            {"version": v.display, "revision": v.revision, "status": v.status, "publishedTime": v.published / 1000}
            for v in shown
        ],
    }
