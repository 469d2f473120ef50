"""What clients read: lists, releases, manifests, archives, identifiers (registry specification, section 4)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote

import msgspec
from starlette.responses import RedirectResponse, Response

from protocols.swift import accept, names, records
from protocols.swift.problem import VERSION
from protocols.swift.records import Record
from protocols.swift.release import CMS, address
from registry.core.errors import ResourceNotFound, Validation
from registry.core.types import PackageKey, VersionKey
from registry.core.view import RepoView
from registry.web import reply, wide
from registry.web.adapter import Answer
from registry.web.indexes import IndexAnswer
from registry.web.request import Req

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Asked:
    """The package that a path names; `root` is its address, as the client spelled it, without a slash."""

    package: PackageKey
    root: str


def asked(req: Req) -> Asked:
    """Of an impossible name there is no package: raises ResourceNotFound."""
    scope, name = req.path["scope"], req.path["name"].removesuffix(".json")
    try:
        return Asked(names.package(scope, name), f"{req.base}{scope}/{name}")
    except ValueError as err:
        raise ResourceNotFound(str(err), resource_id=f"{scope}.{name}"[:200], resource_type="package") from None


async def releases(req: Req, view: RepoView) -> Answer:
    """`{scope}/{name}`: the releases, with a link to the latest."""
    found = asked(req)
    accept.check(req.headers.get("accept"), "json")
    return await reply.index(
        req,
        view,
        found.package,
        kind=f"releases {found.root}",
        media_type=JSON,
        render=partial(records.releases, root=found.root),
        vary="Accept",
        headers=VERSION,
        digests=lambda body: records.links(found.root, records.versions(body), None),
    )


async def release(req: Req, view: RepoView) -> Answer:
    """`{scope}/{name}/{version}`, with `.json` or, for the archive, `.zip` behind it.

    Build metadata may end in either too: then a release of exactly that name wins.
    """
    found, text = asked(req), req.path["version"]
    for ending, handler in ((".zip", _archive), (".json", _document)):
        if text.endswith(ending) and not await _is_release(req, view, found, text):
            return await handler(req, view, found, text.removesuffix(ending))
    return await _document(req, view, found, text)


async def _is_release(req: Req, view: RepoView, found: Asked, text: str) -> bool:
    try:
        names.canonical_version(text)
        await _record(req, view, found.package, text)
    except (ValueError, ResourceNotFound):
        return False
    return True


async def _document(req: Req, view: RepoView, found: Asked, version: str) -> Answer:
    accept.check(req.headers.get("accept"), "json")
    _valid(version)
    while True:
        rendered, stamp = await reply.rendition(
            req, view, found.package, kind=f"release {version}", render=partial(records.release, version=version)
        )
        known, same = await _known(req, view, found)
        if stamp.value == same:  # else something was published between the two
            break
    return IndexAnswer(
        rendered,
        stamp,
        view=view,
        package=found.package,
        media_type=JSON,
        vary="Accept",
        headers={**VERSION, **records.links(found.root, known, version)},
    )


async def _known(req: Req, view: RepoView, found: Asked) -> tuple[list[str], object]:
    """The versions that lists show, and the stamp that they were read at; none where all are unlisted."""
    try:
        listed, stamp = await reply.rendition(
            req,
            view,
            found.package,
            kind=f"releases {found.root}",
            render=partial(records.releases, root=found.root),
        )
    except ResourceNotFound:
        return [], (await view.stamp(found.package)).value
    return records.versions(listed.body), stamp.value


async def _record(req: Req, view: RepoView, package: PackageKey, version: str) -> Record:
    rendered, _ = await reply.rendition(
        req, view, package, kind=f"record {version}", render=partial(records.record, version=version)
    )
    return records.read(rendered.body)


async def _archive(req: Req, view: RepoView, found: Asked, version: str) -> Answer:
    accept.check(req.headers.get("accept"), "zip")
    _valid(version)
    kept = await _record(req, view, found.package, version)
    content = await view.open(VersionKey(found.package, version), kept.release.archive)
    digest = base64.b64encode(bytes.fromhex(kept.release.checksum)).decode()
    headers = {**VERSION, "digest": f"sha-256={digest}"}
    if kept.release.signature:
        headers |= {
            "x-swift-package-signature-format": CMS,
            "x-swift-package-signature": kept.release.signature,
        }
    return await reply.content(
        req,
        content,
        media_type="application/zip",
        headers=headers,
        filename=f"{kept.name}-{version}.zip",
        cache_control=reply.IMMUTABLE,
    )


async def manifest(req: Req, view: RepoView) -> Answer:
    """`{scope}/{name}/{version}/Package.swift`, or the one for `?swift-version=`; without it, links to the others."""
    found, version = asked(req), req.path["version"]
    accept.check(req.headers.get("accept"), "swift")
    _valid(version)
    kept = await _record(req, view, found.package, version)
    tools = req.query.get("swift-version")
    here = f"{found.root}/{quote(version, safe='+')}/{names.MANIFEST}"
    try:
        file = names.manifest(kept.release.manifests, tools)
    except ValueError as err:
        raise Validation(str(err)) from None
    if file is None:
        return RedirectResponse(here, 303, headers=VERSION)
    content = await view.open(VersionKey(found.package, version), file)
    links: Mapping[str, str] = records.alternates(here, kept.release) if tools is None else {}
    return await reply.content(
        req,
        content,
        media_type="text/x-swift",
        headers={**VERSION, **links},
        filename=file,
        cache_control=reply.IMMUTABLE,
    )


async def identifiers(req: Req, view: RepoView) -> Answer:
    """`identifiers?url=`: which package a repository's address belongs to; the first to claim it keeps it."""
    accept.check(req.headers.get("accept"), "json")
    wanted = address(req.query.get("url", ""))
    if not wanted:
        raise Validation("identifiers needs ?url= with the address of a repository")
    rendered, _ = await wide.index(
        req,
        view,
        kind="identifiers",
        fragment=records.claims,
        render=lambda fragments: records.owners(list(fragments.values())),
    )
    owner = msgspec.json.decode(rendered.body, type=dict[str, str]).get(wanted)
    if owner is None:
        raise ResourceNotFound("No package here says that this is its repository", resource_id=wanted[:200])
    return _json({"identifiers": [owner]})


async def login(req: Req, view: RepoView) -> Answer:
    """Who comes here has shown credentials that are good for reading."""
    await view.may_read()
    return Response(b"", 200, VERSION)


async def availability(req: Req, view: RepoView) -> Answer:
    """Asked by clients before each operation, where they are told to."""
    await view.may_read()
    return _json({"status": "ok"})


async def options(req: Req, view: RepoView) -> Answer:
    """What may be done at an address."""
    await view.may_read()
    depth = len(req.rest.rstrip("/").split("/"))
    writes = {1: ", POST" if req.rest.startswith("login") else "", 3: ", PUT"}.get(depth, "")
    return Response(b"", 204, {**VERSION, "allow": f"GET, HEAD, OPTIONS{writes}"})


def _json(value: object) -> Response:
    return reply.json(value, headers={**VERSION, "cache-control": "no-cache"})


def _valid(version: str) -> None:
    """There is no release of an impossible version: raises ResourceNotFound."""
    try:
        names.canonical_version(version)
    except ValueError as err:
        raise ResourceNotFound(str(err), resource_id=version[:200], resource_type="package-version") from None
