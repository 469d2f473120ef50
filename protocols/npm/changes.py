"""`PUT {package}`: publish, deprecate and what only looks like them, told apart by the body.

A body with a tarball publishes.  One without, but with versions, is a packument sent back with other
`deprecated` texts; nothing else in it counts.  `users` alone is a star, `maintainers` alone an owner.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from functools import partial

import msgspec
from msgspec import Raw

from protocols.npm import jsontext, manifest, names, parse, publish
from protocols.npm.parse import Document, Received, refusing
from registry.core.errors import NotSupported, RegistryError, ResourceNotFound, TooLarge, Validation
from registry.core.ports import Staging
from registry.core.types import Change, PackageKey, Status
from registry.core.view import RepoView
from registry.web import reply
from registry.web.adapter import Answer
from registry.web.request import Req

_DRAIN = 256 * 1024**2
"""Bytes of a refused body that are still read, so that the client gets to see the answer."""


async def put(req: Req, view: RepoView) -> Answer:
    """The one route of several commands."""
    package = parse.package(req.path["package"])
    _check_announced(req)
    async with AsyncExitStack() as stack:
        received = await _received(req, view, package, stack)
        if received.tarball is not None:
            return await _publish(req, view, package, received)
    document = received.document
    if document.versions is not None:
        return await deprecate(view, package, document)
    if len(bytes(document.users)):
        raise NotSupported("Starring packages is not supported by this repository")
    if len(bytes(document.maintainers)):
        raise NotSupported(OWNERS)
    raise Validation("The document has neither versions nor a tarball")


OWNERS = "Owners of a package cannot be changed here: who may publish is decided by permissions policies"


def _check_announced(req: Req) -> None:
    length = req.headers.get("content-length", "")
    if length.isdigit() and int(length) > parse.MAX_REQUEST:
        raise TooLarge(f"The request is larger than {parse.MAX_REQUEST} bytes")
    if req.headers.get("content-encoding", "identity") != "identity":
        raise Validation("A request body in a content coding is not understood")


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


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """A client that is still sending sees its connection reset instead of the error."""
    left = _DRAIN
    async for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            return


async def _publish(req: Req, view: RepoView, package: PackageKey, received: Received) -> Answer:
    draft = await asyncio.to_thread(publish.draft, received, package, publisher=view.caller.name)
    published = await view.publish(draft)
    full = names.full_name(package)
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
