"""`PUT api/v1/crates/new`: what `cargo publish` sends."""

from __future__ import annotations

from protocols.cargo import archive, lines, manifest, names
from protocols.cargo.framing import Framed
from protocols.cargo.manifest import Manifest
from protocols.cargo.refusing import refusing
from registry.core import threads
from registry.core.early import Early
from registry.core.errors import Conflict
from registry.core.types import Draft, DraftAsset, PackageKey, Staged, VersionKey
from registry.core.view import Published, RepoView
from registry.web import reply
from registry.web.adapter import Answer
from registry.web.request import Req

_PIECE = 256 * 1024
_LIGHT = 64 * 1024
"""Bytes of JSON up to which it is read in the loop."""


async def publish(req: Req, view: RepoView) -> Answer:
    """The version is in the index when this answers.  Who may not publish is told before the file is read."""
    length = req.headers.get("content-length", "")
    framed = Framed(req.stream(), int(length) if length.isdecimal() else -1)
    body = await framed.metadata()
    with refusing():
        given = manifest.read(body) if len(body) <= _LIGHT else await threads.run(manifest.read, body)
        package = names.package(given.name)
    await view.may_publish(package)
    async with view.stage() as staging:
        waiting = bytearray()
        async for piece in framed.file(view.services.quotas.asset_bytes):
            waiting += piece
            if len(waiting) >= _PIECE:
                await staging.write(bytes(waiting))
                waiting.clear()
        await staging.write(bytes(waiting))
        published = await _published(view, given, await staging.done(), req.base)
    other = [] if published.created else [f"{given.name} {given.vers} was here already, with the same content"]
    return reply.json({"warnings": {"invalid_categories": [], "invalid_badges": [], "other": other}})


async def _published(view: RepoView, given: Manifest, staged: Staged, base: str) -> Published:
    """The file is made durable while it is read."""
    package, version = names.package(given.name), names.canonical_version(given.vers)
    async with view.early(package, [staged], version=version) as early:
        _check_spelling(given, early)
        draft = await threads.run(_draft, given, package, staged, base)
        return await view.publish(draft, early=early)


def _check_spelling(given: Manifest, early: Early) -> None:
    """cargo looks for exactly the name and version that it published, and would wait for ever for another spelling."""
    row, held = early.seen.row, early.seen.held
    if row is not None and row.display != given.name:
        raise Conflict(f"The crate is spelled {row.display!r} in this repository, not {given.name!r}")
    if held is not None and held.display != given.vers:
        raise Conflict(
            f"Version {held.display} of crate {given.name} is in this repository; build metadata makes no other version"
        )


def _draft(given: Manifest, package: PackageKey, staged: Staged, base: str) -> Draft:
    """Blocking.  Raises Validation."""
    with refusing(), staged.open() as file:
        contents = archive.inspect(file, given.name, given.vers)
    if given.readme is None:
        given.readme = contents.readme
    with refusing():
        native = lines.of_publish(given, staged.digests.sha256, base)
        return Draft(
            key=VersionKey(package, names.canonical_version(given.vers)),
            display=given.vers,
            native=native,
            facts=manifest.facts(given),
            assets=(DraftAsset(names.asset(given.name, given.vers), staged),),
        )
