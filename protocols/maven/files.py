"""Files of versions: what becomes of an arriving one, and how one is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from protocols.maven import pom
from protocols.maven.metadata import last_build
from protocols.maven.names import ALGORITHMS, File, is_pom
from registry.core.errors import ResourceNotFound, UpstreamUnavailable
from registry.core.ports import Content
from registry.core.types import DraftAsset, Facts, Staged, VersionKey
from registry.core.view import RepoView
from registry.web import reply
from registry.web.adapter import Answer
from registry.web.request import Req

_TYPES = {
    "pom": "application/xml",
    "xml": "application/xml",
    "jar": "application/java-archive",
    "war": "application/java-archive",
    "ear": "application/java-archive",
    "module": "application/json",
    "json": "application/json",
    "zip": "application/zip",
    "gz": "application/gzip",
    "asc": "text/plain; charset=utf-8",
}
_PLAIN = "text/plain"


async def draft_asset(
    key: VersionKey, name: str, file: Staged, uploaded: int | None = None
) -> tuple[Facts, bytes, DraftAsset]:
    """Facts and native metadata that a POM adds (a POM that cannot be read adds nothing), and the asset itself."""
    asset = DraftAsset(name, file, uploaded=uploaded)
    if is_pom(File(key.package, key.version, name)):
        told = await asyncio.to_thread(_read, file)
        if told is not None:
            return told[0], pom.native(told[1]), asset
    return Facts(), b"", asset


def _read(file: Staged) -> tuple[Facts, pom.Project] | None:
    with file.open() as body:
        return pom.read(body)


async def answer(req: Req, view: RepoView, file: File, algorithm: str | None) -> Answer:
    """A file, or its checksum.  Raises ResourceNotFound, UpstreamUnavailable."""
    content, fixed = await opened(view, file)
    if algorithm is not None:
        return await _checksum(view, file, content, algorithm, fixed=fixed)
    return await reply.content(
        req,
        content,
        media_type=_TYPES.get(file.name.rpartition(".")[2].lower(), "application/octet-stream"),
        headers=checksum_headers(content.digests),
        cache_control=reply.IMMUTABLE if fixed else "no-cache",
    )


async def opened(view: RepoView, file: File) -> tuple[Content, bool]:
    """The file, and whether its address always means the same bytes.

    A build's file lies in the build's version, and, when that was deleted or left behind by a copy, in the snapshot
    that points to it.
    """
    if file.literal:
        return await _of_last_build(view, file), False
    try:
        return await view.open(file.key, file.name), True
    except ResourceNotFound:
        if file.build is None:
            raise
    # Without retaining it: a snapshot that stays here would not follow its upstream's any more.
    return await view.open(VersionKey(file.package, file.build.snapshot), file.name, retain=False), True


async def _of_last_build(view: RepoView, file: File) -> Content:
    """`a-1.0-SNAPSHOT.jar`: that file of the last build."""
    listing = await view.listing(file.package)
    for name, build in last_build(listing, file.folder):
        if name.replace(f"-{build.version}", f"-{file.folder}", 1) == file.name:
            return (await opened(view, File(file.package, file.folder, name, build)))[0]
    raise ResourceNotFound(
        f"{file.name} is not in repository {view.repository.key.name}", resource_id=file.name, resource_type="asset"
    )


async def _checksum(view: RepoView, file: File, content: Content, algorithm: str, *, fixed: bool) -> Answer:
    digest = content.digests.get(algorithm)
    if digest is None:
        # Still on its way from outside: it is stored once the last byte came.
        async for _ in content.read():
            pass
        content, _ = await opened(view, file)
        digest = content.digests.get(algorithm)
    if digest is None:
        raise UpstreamUnavailable(f"{file.name} is still being fetched", retry_after=1)
    cache_control = reply.IMMUTABLE if fixed else "no-cache"
    return reply.derived(content, algorithm, digest.encode(), media_type=_PLAIN, cache_control=cache_control)


def checksum_headers(digests: Mapping[str, str]) -> dict[str, str]:
    """What newer clients read instead of asking for checksum files (Maven Resolver, `XChecksumExtractor`)."""
    return {f"x-checksum-{name}": digests[name] for name in ALGORITHMS if digests.get(name)}
