"""Packages.  Guide chapter "Working with packages in CodeArtifact"."""

from __future__ import annotations

from registry.control import resources, shapes
from registry.control.call import Call, Params, Result, operation
from registry.core import packages, repositories
from registry.core.errors import Validation
from registry.core.paging import Page
from registry.core.ports import Tx
from registry.core.types import PackageFilter, PackageRow


@operation("ListPackages", on=resources.repository)
async def list_packages(call: Call, p: Params) -> Result:
    after, limit = call.after(), call.limit(100)
    if p.get("namespace") is not None and p.get("format") is None:
        raise Validation("A namespace can only be given together with a format")
    where = PackageFilter(
        format=p.get("format"),
        namespace_prefix=p.get("namespace"),
        name_prefix=p.get("packagePrefix"),
        publish=p.get("publish"),
        upstream=p.get("upstream"),
    )

    async def work(tx: Tx) -> Page[PackageRow]:
        repository = await repositories.repository(tx, call.repository)
        return await packages.list_packages(tx, repository, where, after=after, limit=limit)

    page = await call.read(work)
    return {"packages": [shapes.package_summary(row) for row in page.items], "nextToken": call.next(page)}


@operation("DescribePackage", on=resources.package)
async def describe_package(call: Call, p: Params) -> Result:
    async def work(tx: Tx) -> PackageRow:
        return await packages.package(tx, await repositories.repository(tx, call.repository), call.package)

    return {"package": shapes.package(await call.glance(work))}


@operation("DeletePackage", on=resources.package)
async def delete_package(call: Call, p: Params) -> Result:
    row = await packages.delete_package(call.services, await call.repository_row(), call.package)
    return {"deletedPackage": shapes.package_summary(row)}


@operation("PutPackageOriginConfiguration", on=resources.package)
async def put_package_origin_configuration(call: Call, p: Params) -> Result:
    restrictions = p["restrictions"]
    row = await packages.put_origin(
        call.services,
        await call.repository_row(),
        call.package,
        publish=restrictions["publish"],
        upstream=restrictions["upstream"],
        display=p["package"],
    )
    return {"originConfiguration": shapes.origin_configuration(row)}
