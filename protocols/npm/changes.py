"""`PUT {package}`: publish, deprecate and what only looks like them, told apart by the body.

A body with a tarball publishes.  One without, but with versions, is a packument sent back with other
`deprecated` texts; nothing else in it counts.  `users` alone is a star, `maintainers` alone an owner.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import msgspec
from msgspec import Raw

from protocols.npm import jsontext, manifest, names, ordinary, parse, publish, tarball
from protocols.npm.ordinary import Plain
from protocols.npm.parse import Document, Received, refusing
from protocols.npm.scan import Scanner
from registry.core import threads
from registry.core.errors import NotSupported, RegistryError, ResourceNotFound, TooLarge, Validation
from registry.core.ports import Staging
from registry.core.types import Change, Draft, PackageKey, Staged, Status
from registry.core.view import Published, RepoView
from registry.web import reply
from registry.web.adapter import Answer
from registry.web.request import Req

_DRAIN = 256 * 1024**2
"""Bytes of a refused body that are still read, so that the client gets to see the answer."""
_HEAVY = 256 * 1024
"""Bytes unpacked from a tarball in the loop."""


async def put(req: Req, view: RepoView) -> Answer:
    """The one route of several commands."""
    package = parse.package(req.path["package"])
    if 0 < _announced(req) <= parse.WHOLE:
        found = await _whole(req, view, package)
        if not isinstance(found, Document):
            return found
        document = found
    else:
        async with AsyncExitStack() as stack:
            received = await _received(req, view, package, stack)
            if received.tarball is not None:
                return await _large(view, package, received, received.tarball)
        document = received.document
    if document.versions is not None:
        return await deprecate(view, package, document)
    if len(bytes(document.users)):
        raise NotSupported("Starring packages is not supported by this repository")
    if len(bytes(document.maintainers)):
        raise NotSupported(OWNERS)
    raise Validation("The document has neither versions nor a tarball")


OWNERS = "Owners of a package cannot be changed here: who may publish is decided by permissions policies"


def _announced(req: Req) -> int:
    """How long the body will be; -1 when the head does not say."""
    if req.headers.get("content-encoding", "identity") != "identity":
        raise Validation("A request body in a content coding is not understood")
    length = req.headers.get("content-length", "")
    announced = int(length) if length.isdecimal() else -1
    if announced > parse.MAX_REQUEST:
        raise TooLarge(f"The request is larger than {parse.MAX_REQUEST} bytes")
    return announced


async def _whole(req: Req, view: RepoView, package: PackageKey) -> Answer | Document:
    """A small request: published, or what it is where that is no publish.

    Who may not publish learns that, and not what is wrong with the body.
    """
    body = await req.body(parse.WHOLE)
    plain = ordinary.split(body) if len(body) <= ordinary.LIGHT else None
    if plain is not None and plain.light:
        return await _light(view, package, plain)
    work = _Whole(body, package, view.caller.name, view.services.quotas.asset_bytes)
    try:
        received, draft = await threads.run(work.read)
    except RegistryError:
        if work.begun:
            await view.may_publish(package)
        raise
    return received.document if draft is None else _published(await view.publish(draft))


async def _light(view: RepoView, package: PackageKey, plain: Plain) -> Answer:
    """The ordinary publish: read in the loop, since a thread would take longer, while its tarball is being placed."""
    try:
        staged = parse.unpacked(plain.text, max_tarball=view.services.quotas.asset_bytes)
    except RegistryError:
        await view.may_publish(package)
        raise
    received = Received(plain.document, plain.key, staged)
    async with view.early(package, [staged], version=publish.version(received)) as early:
        read = partial(publish.draft, received, package, publisher=view.caller.name)
        try:
            draft = read(heavy=_HEAVY)
        except tarball.Heavy:
            draft = await threads.run(read)
        return _published(await view.publish(draft, early=early))


@dataclass(slots=True)
class _Whole:
    """A body, and who publishes it as what."""

    body: bytes
    package: PackageKey
    publisher: str
    max_tarball: int
    begun: bool = False
    """Was there a tarball in it?"""

    def read(self) -> tuple[Received, Draft | None]:
        """All of it in one go: JSON, base64, digests, the archive, the draft.  Blocks."""
        scanner = Scanner(parse.MAX_DOCUMENT)
        try:
            received = parse.take(scanner, self.body, max_tarball=self.max_tarball)
        finally:
            self.begun = bool(scanner.tarballs)
        if received.tarball is None:
            return received, None
        return received, publish.draft(received, self.package, publisher=self.publisher)


async def _received(req: Req, view: RepoView, package: PackageKey, stack: AsyncExitStack) -> Received:
    async def begin() -> Staging:
        await view.may_publish(package)
        return await stack.enter_async_context(view.stage())

    chunks = req.stream()
    try:
        return await parse.receive(chunks, begin, max_tarball=view.services.quotas.asset_bytes)
    except RegistryError:
        await _drain(chunks)
        raise


async def _large(view: RepoView, package: PackageKey, received: Received, staged: Staged) -> Answer:
    """What has been staged is made durable while the archive is read."""
    async with view.early(package, [staged], version=publish.version(received)) as early:
        draft = await threads.run(partial(publish.draft, received, package, publisher=view.caller.name))
        return _published(await view.publish(draft, early=early))


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """A client that is still sending sees its connection reset instead of the error."""
    left = _DRAIN
    async for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            return


def _published(published: Published) -> Answer:
    full = names.full_name(published.version.key.package)
    answer = {"ok": True, "success": True, "id": full, "rev": published.version.revision}
    return reply.json(answer, status=201 if published.created else 200)


class _Told(msgspec.Struct):
    deprecated: Raw = Raw()


async def deprecate(view: RepoView, package: PackageKey, document: Document) -> Answer:
    """Set or remove the texts that differ.  Versions of upstream repositories come back unchanged in the same body."""
    wanted = await asyncio.to_thread(_messages, document)
    if not wanted:
        raise Validation("The document has no versions and no tarball")
    own = await view.own(package)
    held = {version.key.version: version for version in own[1]} if own else {}
    shown = (Status.PUBLISHED, Status.UNLISTED)
    changes: dict[str, Change] = {}
    elsewhere: dict[str, str] = {}
    for version, message in wanted.items():
        if version not in held or held[version].status not in shown:
            elsewhere[version] = message
        elif manifest.deprecated(held[version].native) != message:
            changes[version] = Change(native=partial(manifest.deprecate, message=message))
    if elsewhere:
        await _check_elsewhere(view, package, elsewhere)
    if changes:
        await view.change(package, versions=changes)
    return reply.json({"ok": True, "success": True, "id": names.full_name(package)})


def _messages(document: Document) -> dict[str, str]:
    """Canonical version -> deprecation text, "" for none."""
    found = {}
    for spelled, text in (document.versions or {}).items():
        with refusing(f"The manifest of version {spelled[:80]}"):
            told = jsontext.decode(text, _Told).deprecated
            message = jsontext.decode(told, object) if len(bytes(told)) else ""
            found[names.canonical_version(spelled)] = message if isinstance(message, str) else ""
    return found


async def _check_elsewhere(view: RepoView, package: PackageKey, versions: Mapping[str, str]) -> None:
    listing = await view.listing(package)
    above = {each.version: each for each in listing.versions}
    for version, message in versions.items():
        if version not in above or manifest.deprecated(above[version].native) != message:
            raise ResourceNotFound(
                f"{names.full_name(package)}@{version} is not in this repository"
                + (", only in one upstream of it" if version in above else ""),
                resource_type="package-version",
            )
