"""PUT: files, their checksums, and the metadata that makes versions Published.

Guide, "Publishing with curl", "Use Maven checksums", "Use Maven snapshots".  Files come one at a time, several at
once, and in any order; only the metadata comes last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Mapping

from starlette.responses import Response

from protocols.maven import checksums, metadata, names, plugins
from protocols.maven.files import draft_asset
from protocols.maven.metadata import Document, build_in
from protocols.maven.names import Build, File, Metadata
from protocols.maven.xmltext import LIMIT
from registry.core.digests import digests
from registry.core.errors import AccessDenied, ResourceNotFound, TooLarge, Validation
from registry.core.finishing import Pointing, Tags
from registry.core.ports import Staging
from registry.core.types import Draft, PackageKey, Status, Version, VersionKey
from registry.core.view import RepoView
from registry.web import reply
from registry.web.request import Req

_MOST_PLUGINS = 1000
_MOST_BUILDS = 100
"""Things that one document may name; each is looked up."""
_arrivals = checksums.Arrivals()
_recent = checksums.Recent()


async def put(req: Req, view: RepoView) -> Response:
    """By what the address means.  Raises Validation for one that is none of the layout's."""
    try:
        path = names.parse(req.rest)
    except ValueError as err:
        raise Validation(str(err)) from None
    target = path.target
    if isinstance(target, Metadata):
        return await _metadata(req, view, target, path.algorithm)
    if path.algorithm is not None:
        return await _checksum(req, view, target, path.algorithm)
    return await _file(req, view, target)


# --- files -----------------------------------------------------------------------------------


async def _file(req: Req, view: RepoView, file: File) -> Response:
    """201 for what is new, 200 for the same bytes again."""
    _check(file)
    key = file.key
    await view.may_publish(key.package)
    limit = view.services.quotas.asset_bytes
    if int(req.headers.get("content-length", "0")) > limit:
        raise TooLarge(f"An asset has at most {limit} bytes")
    with _arrivals.arriving(_place(view, file)):
        async with view.stage() as staging:
            await _receive(req, staging, limit)
            facts, native, asset = await draft_asset(key, file.name, await staging.done())
            is_plugin = native and b'"maven-plugin"' in native
            draft = Draft(
                key=key,
                display=key.version,
                native=native,
                facts=facts,
                assets=(asset,),
                tags=plugins.convention(key.version) if is_plugin else {},
                finish=False,
                exists="add",
                unlisted=file.build is not None or names.build_of(key.version) is not None,
            )
            published = await view.publish(draft)
    return _done(created=published.created)


def _check(file: File) -> None:
    if file.literal:
        raise Validation(
            f"{file.name} has no time stamp and build number: only unique snapshots are supported, "
            "such as those of Maven 3 and later"
        )
    if file.name.startswith(names.METADATA) or not names.belongs(file):
        raise Validation(f"{file.name} is no file of version {file.key.version}")
    if file.name.endswith(tuple(f".{each}" for each in names.ALGORITHMS)):
        raise Validation(f"{file.name} is a checksum, and checksums have none")


async def _receive(req: Req, staging: Staging, limit: int) -> None:
    size = 0
    async for chunk in req.stream():
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"An asset has at most {limit} bytes")
        await staging.write(chunk)


def _done(*, created: bool) -> Response:
    return reply.text("", 201 if created else 200)


def _place(view: RepoView, file: File) -> Hashable:
    return view.repository.id, file.key, file.name


# --- checksums -------------------------------------------------------------------------------


async def _checksum(req: Req, view: RepoView, file: File, algorithm: str) -> Response:
    """400 for one that is not that of the stored file, 404 when that is nowhere and does not arrive either."""
    _check(file)
    sent = _sent(await req.body(checksums.LIMIT), algorithm)
    held = await _held(view, file)
    if held is None:
        raise ResourceNotFound(
            f"There is no {file.name} of version {file.key.version} here; publish it before its checksum",
            resource_id=file.name,
            resource_type="asset",
        )
    version, tags = held
    asset = next(each for each in version.assets if each.name == file.name)
    actual = getattr(asset.blob.digests, algorithm)
    mark = checksums.mark(file.name, algorithm)
    if sent != actual:
        if version.status is Status.UNFINISHED:
            await view.change(file.package, tags={mark: version.key.version})
        raise Validation(
            f"Checksum mismatch: {file.name} has the {algorithm.upper()} {actual}, not {sent} (case matters)"
        )
    if tags.get(mark) == version.key.version:
        await view.change(file.package, tags={mark: None})
    return _done(created=True)


def _sent(body: bytes, algorithm: str) -> str:
    try:
        return checksums.parse(body, algorithm)
    except ValueError as err:
        raise Validation(str(err)) from None


async def _held(view: RepoView, file: File) -> tuple[Version, Tags] | None:
    """The version once it has the file: a parallel client's checksum may be here first."""
    for pause in (0.0, *checksums.LOOKS):
        if pause:
            await asyncio.sleep(pause)
        await _arrivals.waits(_place(view, file))
        held = await view.held(file.key)
        if held is not None and any(asset.name == file.name for asset in held[0].assets):
            return held
    return None


# --- metadata --------------------------------------------------------------------------------


async def _metadata(req: Req, view: RepoView, target: Metadata, algorithm: str | None) -> Response:
    """The document is taken at its word for what it lists, and not kept; its checksum is that of what was sent."""
    await _admitted(view, target, checksum=algorithm is not None)
    place = (view.repository.id, target)
    if algorithm is not None:
        sent = _sent(await req.body(checksums.LIMIT), algorithm)
        if _recent.refuses(place, algorithm, sent):
            raise Validation(
                f"Checksum mismatch: no metadata with the {algorithm.upper()} {sent} was sent (case matters)"
            )
        return _done(created=True)
    body = await req.body(LIMIT)
    try:
        document = await asyncio.to_thread(metadata.parse, body)
    except ValueError as err:
        raise Validation(str(err)) from None
    if target.snapshot is not None and target.package is not None:
        await _point(view, target.package, target.snapshot, document)
    else:
        await _listed(view, target, document)
    _recent.put(place, await asyncio.to_thread(digests, body))
    return _done(created=True)


async def _admitted(view: RepoView, target: Metadata, *, checksum: bool) -> None:
    """Before a byte is looked at.  What a group's metadata needs is asked of each plug-in once they are known."""
    if target.package is not None:
        try:
            await view.may_publish(target.package)
            return
        except AccessDenied:
            if target.group is None:
                raise
    if checksum:
        await view.may_publish(PackageKey(names.FORMAT, target.group, names.METADATA))
    else:
        await view.readable()


async def _listed(view: RepoView, target: Metadata, document: Document) -> None:
    """Versions of an artifact become Published; plug-ins of a group get their prefixes."""
    if document.plugins and not document.artifact and target.group is not None:
        await _prefixes(view, target.group, document)
        if not document.versions:
            return
    if target.package is None or not document.versions:
        raise Validation("The metadata lists neither versions nor plug-ins")
    _same(document, target.package)
    await view.finish(target.package, set(document.versions), _check_marks)


def _check_marks(version: Version, tags: Mapping[str, str]) -> None:
    wrong = checksums.marked(version, tags)
    if wrong:
        asset, algorithm = wrong[0]
        raise Validation(
            f"Checksum mismatch: the {algorithm.upper()} that was sent for {asset} of version {version.display} "
            "is not that of the file; publish the version again"
        )


def _same(document: Document, package: PackageKey) -> None:
    for what, said, meant in (
        ("groupId", document.group, package.namespace),
        ("artifactId", document.artifact, package.name),
    ):
        if said and said != meant:
            raise Validation(f"The metadata's {what} is {said}, that of its address is {meant}")


async def _prefixes(view: RepoView, group: str, document: Document) -> None:
    """A plug-in that is not here has no prefix here."""
    if len(document.plugins) > _MOST_PLUGINS:
        raise Validation(f"The metadata lists more than {_MOST_PLUGINS} plug-ins")
    for each in document.plugins:
        try:
            package = PackageKey(names.FORMAT, *names.canonical(group, each.artifact))
            await view.may_publish(package)
        except ValueError as err:
            raise Validation(str(err)) from None
        own = await view.newest(package)
        if own is not None:
            await view.change(package, tags={plugins.explicit(each.prefix): own})


# --- snapshots -------------------------------------------------------------------------------


async def _point(view: RepoView, package: PackageKey, snapshot: str, document: Document) -> None:
    """The snapshot refers to the build that the metadata tells of; that build is Unlisted from then on."""
    _same(document, package)
    if document.version and document.version != snapshot:
        raise Validation(f"The metadata's version is {document.version}, that of its address is {snapshot}")
    if not document.time:
        raise Validation("The metadata has no <timestamp> of a snapshot")
    base = snapshot.removesuffix(names.SNAPSHOT).removesuffix("-")
    named = await _named(view, package, base, document)
    main = _main(named, document)
    if main is None:
        raise Validation(
            f"The metadata's <snapshotVersions> name no file of the build with the <timestamp> {document.time}"
        )
    wanted = Pointing(
        pointer=VersionKey(package, snapshot),
        display=snapshot,
        target=main.version,
        others={build.version: files for build, files in named.items() if build != main and files},
        last=_later_than(main),
    )
    await view.point(wanted, _check_marks)


async def _named(view: RepoView, package: PackageKey, base: str, document: Document) -> dict[Build, set[str]]:
    """Builds that the metadata names and that are here, with those of its files that are."""
    tails: dict[Build, set[str]] = {}
    for value, classifier, extension in document.builds:
        build = names.build_of(value)
        if build is not None and build.base == base:
            tail = f"-{classifier}.{extension}" if classifier else f".{extension}"
            tails.setdefault(build, set()).add(f"-{build.version}{tail}")
    if len(tails) > _MOST_BUILDS:
        raise Validation(f"The metadata names more than {_MOST_BUILDS} builds")
    found: dict[Build, set[str]] = {}
    for build, ends in tails.items():
        held = await view.held(VersionKey(package, build.version))
        if held is not None:
            found[build] = {asset.name for asset in held[0].assets if any(map(asset.name.endswith, ends))}
    return found


def _main(named: Mapping[Build, set[str]], document: Document) -> Build | None:
    """The build that is the snapshot's: by time and number, else (plug-ins that run apart) by time."""
    number = int(document.number) if document.number.isdecimal() and len(document.number) < 10 else None
    usable = [build for build, files in named.items() if files and build.time == document.time]
    exact = [build for build in usable if build.number == number]
    return max(exact or usable, key=lambda build: build.age, default=None)


def _later_than(main: Build) -> Callable[[Version], bool]:
    def later(held: Version) -> bool:
        builds = [build_in(asset.name, main.base) for asset in held.assets]
        return any(build is not None and build.age > main.age for build in builds)

    return later
