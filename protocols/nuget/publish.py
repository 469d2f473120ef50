"""Requests that change something: push of packages and of their symbols, unlist, relist.

A push is `PUT v3/package/`: a form with one part, chunked, the attributes of its part without quotes; or, from scripts,
the bare package.  The client sends the whole body before it knows whether it needs credentials.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.responses import Response

from protocols.nuget import contents, names, native
from protocols.nuget.contents import Contents
from protocols.nuget.pages import version_key
from registry.core import threads
from registry.core.errors import ResourceNotFound, TooLarge, Validation
from registry.core.types import Change, Draft, DraftAsset, Facts, Staged, Status, Version, VersionKey
from registry.core.view import RepoView
from registry.web import reply
from registry.web.adapter import Answer
from registry.web.multipart import Limits, media_type, receive
from registry.web.request import Req

_VISIBLE = (Status.PUBLISHED, Status.UNLISTED)
_BARE = ("application/octet-stream", "application/zip", "application/x-zip-compressed", "")


async def push(req: Req, view: RepoView) -> Answer:
    """`PUT v3/package[/]`.  201, and again 201 for the same bytes, since clients send anew after a lost answer."""
    await view.readable()
    async with _received(req, view) as staged:
        found = await threads.run(_inspected, staged)
        if found.is_symbols:
            raise Validation("This is a symbols package: push it to the symbol package resource, as a .snupkg")
        draft = Draft(
            key=VersionKey(found.package, found.version),
            display=found.spec.version.normal,
            native=native.pack(contents.entry(found, staged.digests, staged.size), semver2=found.spec.semver2),
            facts=contents.facts(found),
            assets=(DraftAsset(names.asset(found.package, found.version), staged),),
            exists="add",  # its symbols may be there; other bytes of the same name are a conflict all the same
        )
        await view.publish(draft)
    return _created(found)


async def push_symbols(req: Req, view: RepoView) -> Answer:
    """`PUT v3/symbolpackage[/]`: an asset of the version that was pushed here before; 404 where there is none."""
    await view.readable()
    async with _received(req, view) as staged:
        found = await threads.run(_inspected, staged)
        if not found.is_symbols:
            raise Validation("The .nuspec of a symbols package has the package type SymbolsPackage; this one has not")
        key = VersionKey(found.package, found.version)
        await _own(view, key)
        asset = DraftAsset(names.asset(key.package, key.version, "snupkg"), staged)
        draft = Draft(key, found.spec.version.normal, b"", Facts(), (asset,), exists="add")
        await view.publish(draft)
    return _created(found)


async def unlist(req: Req, view: RepoView) -> Answer:
    """`DELETE v3/package/{id}/{version}`: out of search, but still there for whoever names it, as the gallery does."""
    await _set(view, version_key(req), Status.UNLISTED)
    return Response(status_code=204)


async def relist(req: Req, view: RepoView) -> Answer:
    """`POST v3/package/{id}/{version}`."""
    await _set(view, version_key(req), Status.PUBLISHED)
    return reply.json({})


async def _set(view: RepoView, key: VersionKey, status: Status) -> None:
    held = await _own(view, key)
    if held.status not in _VISIBLE:
        raise _missing(key)
    await view.change(key.package, versions={key.version: Change(status=status)})


async def _own(view: RepoView, key: VersionKey) -> Version:
    """The version in this very repository.  Raises ResourceNotFound."""
    own = await view.own(key.package)
    for version in own[1] if own is not None else ():
        if version.key.version == key.version:
            return version
    raise _missing(key)


def _missing(key: VersionKey) -> ResourceNotFound:
    return ResourceNotFound(
        f"Version {key.version} of package {key.package.name} is not in this repository itself",
        resource_id=key.version,
        resource_type="package-version",
    )


def _created(found: Contents) -> Answer:
    return reply.json({"id": found.spec.id, "version": found.spec.version.full}, status=201)


def _inspected(staged: Staged) -> Contents:
    with staged.open() as file:
        try:
            return contents.inspect(file)
        except ValueError as err:
            raise Validation(str(err)) from None


@asynccontextmanager
async def _received(req: Req, view: RepoView) -> AsyncIterator[Staged]:
    """The package of a request, staged as long as the context lasts."""
    content_type = req.headers.get("content-type", "")
    most = view.services.quotas.asset_bytes
    if media_type(content_type)[0] in _BARE:
        async with view.stage() as staging:
            size = 0
            async for chunk in req.stream():
                size += len(chunk)
                if size > most:
                    raise TooLarge(f"The package is larger than {most} bytes")
                await staging.write(chunk)
            yield await staging.done()
        return
    limits = Limits(parts=16, files=1, field_bytes=64 * 1024, file_bytes=most)
    async with receive(content_type, req.stream(), view.stage, limits=limits, files=("package",)) as form:
        if not form.files:
            raise Validation("The form has no package file")
        yield form.files[0].staged
