"""Assets: lists, downloads, and publishing of generic packages.

Guide chapters "List package version assets", "Download package version assets" and "Using CodeArtifact with
generic packages".
"""

from __future__ import annotations

from registry.control import resources, shapes
from registry.control.call import Call, Params, Payload, Result, operation
from registry.control.operations.versions import version_key
from registry.core import packages, publishing, repositories
from registry.core.errors import ServiceQuotaExceeded, Validation
from registry.core.packages import AssetList
from registry.core.ports import Staging, Tx
from registry.core.types import Asset, Draft, DraftAsset, Facts, Repository, Staged, Version, VersionKey


@operation("ListPackageVersionAssets", on=resources.package)
async def list_package_version_assets(call: Call, p: Params) -> Result:
    after, limit, key = call.after(), call.limit(100), version_key(call)

    async def work(tx: Tx) -> AssetList:
        repository = await repositories.repository(tx, call.repository)
        return await packages.list_assets(tx, repository, key, after=after, limit=limit)

    found = await call.read(work)
    return {
        **shapes.version_head(found.package, found.version),
        "assets": [shapes.asset(each) for each in found.page.items],
        "nextToken": call.next(found.page),
    }


@operation("GetPackageVersionAsset", on=resources.package)
async def get_package_version_asset(call: Call, p: Params) -> Result:
    key = version_key(call)

    async def work(tx: Tx) -> tuple[Repository, Version, Asset]:
        repository = await repositories.repository(tx, call.repository)
        revision = p.get("packageVersionRevision")
        return repository, *await packages.asset(tx, repository, key, p["asset"], revision)

    repository, version, asset = await call.read(work)
    blobs = call.services.blobs(repository.domain_id)
    return {
        "asset": Payload(asset.blob.size, blobs.read(asset.blob.key, 0, asset.blob.size)),
        "assetName": asset.name,
        "packageVersion": version.display,
        "packageVersionRevision": version.revision,
    }


@operation("PublishPackageVersion", on=resources.package)
async def publish_package_version(call: Call, p: Params) -> Result:
    """Only generic packages; one asset at a time, which `unfinished` leaves open for more."""
    key, name = version_key(call), p["assetName"]
    _check(call, name)
    repository = await call.repository_row()
    async with call.services.blobs(repository.domain_id).stage(followed=False) as staging:
        staged = await _receive(call, staging)
        done = await publishing.publish(
            call.services,
            repository=repository,
            info=call.info,
            draft=_draft(key, p, staged),
            caller=call.caller,
            context=call.context,
        )
    version = done.version
    return {
        **shapes.coordinates(key.package),
        "version": version.display,
        "versionRevision": version.revision,
        "status": version.status.value,
        "asset": {"name": name, "size": staged.size, "hashes": shapes.hashes(staged.digests)},
    }


def _check(call: Call, name: str) -> None:
    info = call.info
    if info.asset_name is None:
        raise Validation(f"Only generic packages can be published with this operation, not '{info.name}'")
    try:
        info.asset_name(name)
    except ValueError as err:
        raise Validation(str(err)) from err


async def _receive(call: Call, staging: Staging) -> Staged:
    """Store the body, which must have the digest that the request declares (and has signed)."""
    limit = call.services.quotas.asset_bytes
    size = call.length or 0
    if size > limit:
        raise _too_big(call.params["assetName"], limit)
    arrived = 0
    async for chunk in call.body:
        arrived += len(chunk)
        if arrived > limit:
            raise _too_big(call.params["assetName"], limit)
        await staging.write(chunk)
    staged = await staging.done()
    expected = call.params["assetSHA256"]
    if staged.digests.sha256 != expected:
        raise Validation(
            "The provided content hashes do not match the calculated content hashes. Hash algorithm 'SHA-256', "
            f"Expected hash: '{expected}', Calculated hash: '{staged.digests.sha256}'"
        )
    return staged


def _too_big(name: str, limit: int) -> ServiceQuotaExceeded:
    return ServiceQuotaExceeded(f"The asset is larger than {limit} bytes", resource_id=name, resource_type="asset")


def _draft(key: VersionKey, p: Params, staged: Staged) -> Draft:
    return Draft(
        key=key,
        display=p["packageVersion"],
        native=b"",
        facts=Facts(display=p["package"]),
        assets=(DraftAsset(p["assetName"], staged),),
        finish=not p.get("unfinished", False),
        exists="add",
    )
