"""Package versions: lists, details, status, copies.  Guide chapter "Working with packages in CodeArtifact"."""

from __future__ import annotations

from collections.abc import Iterable

from registry.control import resources, shapes
from registry.control.call import Call, Need, Params, Result, operation
from registry.core import packages, repositories
from registry.core.errors import ResourceNotFound, Validation
from registry.core.packages import CopyRequest, DependencyList, VersionDetail, VersionList, VersionsRequest
from registry.core.ports import Tx
from registry.core.services import Services
from registry.core.types import Caller, Repository, Status, VersionFilter, VersionKey


def version_key(call: Call) -> VersionKey:
    """The version that a request names, in canonical spelling.  Raises Validation for what the format refuses."""
    try:
        return VersionKey(call.package, call.info.canonical_version(call.params["packageVersion"]))
    except ValueError as err:
        raise Validation(str(err)) from err


@operation("ListPackageVersions", on=resources.package)
async def list_package_versions(call: Call, p: Params) -> Result:
    after, limit = call.after(), call.limit(50)
    status = p.get("status")
    where = VersionFilter(
        status=Status(status) if status is not None else None,
        origin=p.get("originType"),
        order="published" if p.get("sortBy") == "PUBLISHED_TIME" else "version",
    )

    async def work(tx: Tx) -> VersionList:
        repository = await repositories.repository(tx, call.repository)
        return await packages.list_versions(tx, repository, call.info, call.package, where, after=after, limit=limit)

    found = await call.read(work)
    return {
        **shapes.coordinates(found.package.key),
        "defaultDisplayVersion": found.default,
        "versions": [shapes.version_summary(each) for each in found.page.items],
        "nextToken": call.next(found.page),
    }


@operation("DescribePackageVersion", on=resources.package)
async def describe_package_version(call: Call, p: Params) -> Result:
    return {"packageVersion": shapes.version(await _detail(call))}


@operation("GetPackageVersionReadme", on=resources.package)
async def get_package_version_readme(call: Call, p: Params) -> Result:
    detail = await _detail(call)
    if detail.facts.readme is None:
        raise ResourceNotFound(f"Package version '{detail.version.display}' has no readme")
    return {**shapes.version_head(detail.package, detail.version), "readme": detail.facts.readme}


async def _detail(call: Call) -> VersionDetail:
    key = version_key(call)

    async def work(tx: Tx) -> VersionDetail:
        return await packages.version(tx, await repositories.repository(tx, call.repository), key)

    return await call.read(work)


@operation("ListPackageVersionDependencies", on=resources.package)
async def list_package_version_dependencies(call: Call, p: Params) -> Result:
    after, limit, key = call.after(), call.limit(1000), version_key(call)

    async def work(tx: Tx) -> DependencyList:
        repository = await repositories.repository(tx, call.repository)
        return await packages.list_dependencies(tx, repository, key, after=after, limit=limit)

    found = await call.read(work)
    return {
        **shapes.version_head(found.package, found.version),
        "dependencies": shapes.dependencies(found.page.items),
        "nextToken": call.next(found.page),
    }


def _request(call: Call, repository: Repository) -> VersionsRequest:
    p = call.params
    expected = p.get("expectedStatus")
    return VersionsRequest(
        repository=repository,
        info=call.info,
        package=call.package,
        versions=tuple(p["versions"]),
        revisions=p.get("versionRevisions", {}),
        expected=Status(expected) if expected is not None else None,
    )


@operation("UpdatePackageVersionsStatus", on=resources.package)
async def update_package_versions_status(call: Call, p: Params) -> Result:
    request = _request(call, await call.repository_row())
    return shapes.outcome(await packages.update_status(call.services, request, target=Status(p["targetStatus"])))


@operation("DisposePackageVersions", on=resources.package)
async def dispose_package_versions(call: Call, p: Params) -> Result:
    return shapes.outcome(await packages.dispose(call.services, _request(call, await call.repository_row())))


@operation("DeletePackageVersions", on=resources.package)
async def delete_package_versions(call: Call, p: Params) -> Result:
    return shapes.outcome(await packages.delete_versions(call.services, _request(call, await call.repository_row())))


def reading(services: Services, caller: Caller, p: Params) -> Iterable[Need]:
    """Copying needs ReadFromRepository on the source (guide, "Required IAM permissions to copy packages")."""
    return (Need("ReadFromRepository", resources.source(services, caller, p)),)


@operation("CopyPackageVersions", on=resources.destination, also=reading)
async def copy_package_versions(call: Call, p: Params) -> Result:
    source = resources.source(call.services, call.caller, p).repository
    assert source is not None

    async def rows(tx: Tx) -> tuple[Repository, Repository]:
        return await repositories.repository(tx, source), await repositories.repository(tx, call.repository)

    of, to = await call.glance(rows)
    request = CopyRequest(
        source=of,
        destination=to,
        info=call.info,
        package=call.package,
        versions=tuple(p.get("versions", ())),
        revisions=p.get("versionRevisions", {}),
        allow_overwrite=p.get("allowOverwrite", False),
        include_from_upstream=p.get("includeFromUpstream", False),
    )
    return shapes.outcome(await packages.copy(call.services, request))
