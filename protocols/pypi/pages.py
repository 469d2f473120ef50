"""Answers that are documents: index pages, the list of projects, the JSON of a project."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from functools import partial
from urllib.parse import urlsplit

from starlette.responses import RedirectResponse, Response, StreamingResponse

from protocols.pypi import core, project, render, sidecars
from protocols.pypi.names import canonical, canonical_version
from protocols.pypi.negotiate import MEDIA, Kind, choose
from protocols.pypi.problem import NotAcceptable
from registry.core.errors import ResourceNotFound
from registry.core.types import Facts, Listed, Listing, PackageKey, PackageRow
from registry.core.view import RepoView
from registry.web import ranges, reply
from registry.web.adapter import Answer
from registry.web.request import Req

_PAGE = 1000


def package_key(name: str) -> PackageKey:
    """The project that an address names.  Raises ResourceNotFound for a name that none can have."""
    try:
        return PackageKey("pypi", *canonical(None, name))
    except ValueError as err:
        raise ResourceNotFound(str(err), resource_id=name, resource_type="package") from None


def _kind(req: Req) -> Kind:
    kind = choose(req.headers.get("accept"), req.query.get("format"))
    if kind is None:
        raise NotAcceptable(f"The simple index comes as {', '.join(MEDIA.values())}")
    return kind


def _elsewhere(req: Req, path: str) -> Response:
    """301, path-absolute, so that the scheme and host that the client used stay."""
    query = req.request.url.query
    target = urlsplit(req.base).path + path + (f"?{query}" if query else "")
    return RedirectResponse(target, 301)


async def index(req: Req, view: RepoView) -> Answer:
    """`simple/{project}/`; other spellings of the name are sent to the canonical one."""
    key = package_key(req.path["project"])
    if key.name != req.path["project"]:
        return _elsewhere(req, f"simple/{key.name}/")
    kind = _kind(req)
    page = render.project_json if kind == "json" else render.project_html
    # "text" and "html" are one document under two labels.
    return await reply.index(
        req,
        view,
        key,
        kind="json" if kind == "json" else "html",
        media_type=MEDIA[kind] if kind != "text" else "text/html; charset=utf-8",
        render=partial(_rendered, page, req.base),
        vary="Accept",
    )


def _rendered(page: render.PageRenderer, base: str, listing: Listing) -> bytes:
    if not listing.versions and not listing.unlisted:
        name = listing.package.name
        raise ResourceNotFound(f"There is no project {name!r} here", resource_id=name, resource_type="package")
    return page(listing, base)


async def index_without_slash(req: Req, view: RepoView) -> Answer:
    """A relative link on the page would go astray without the slash."""
    return _elsewhere(req, f"simple/{package_key(req.path['project']).name}/")


async def root(req: Req, view: RepoView) -> Answer:
    """`simple/`: every project that this repository and its upstream repositories hold."""
    kind = _kind(req)
    first = await view.search("", _PAGE)
    media = MEDIA[kind] if kind != "text" else "text/html; charset=utf-8"
    headers = {"cache-control": "no-cache", "vary": "Accept", "content-type": media}
    return StreamingResponse(_projects(view, kind, first), headers=headers)


async def _projects(view: RepoView, kind: str, first: Sequence[PackageRow]) -> AsyncIterator[bytes]:
    yield render.root_head(kind)
    page, begin = first, True
    while page:
        yield render.root_rows(kind, [row.key.name for row in page], begin)
        if len(page) < _PAGE:
            break
        begin = False
        last = page[-1].key
        page = await view.search("", _PAGE, (last.namespace or "", last.name))
    yield render.root_tail(kind)


async def root_without_slash(req: Req, view: RepoView) -> Answer:
    return _elsewhere(req, "simple/")


async def document(req: Req, view: RepoView) -> Answer:
    """The JSON of a project, or of one release of it."""
    key = package_key(req.path["project"])
    listing = await view.listing(key)
    wanted = req.path.get("version")
    chosen = project.newest(listing.versions) if wanted is None else _release(listing, wanted)
    if chosen is None:
        what = f"project {key.name!r}" if wanted is None else f"version {wanted!r} of project {key.name!r}"
        raise ResourceNotFound(f"There is no {what} here", resource_id=key.name, resource_type="package")
    info, description = await _told(view, listing, chosen)
    body = project.document(listing, chosen, req.base, info=info, description=description, whole=wanted is None)
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"cache-control": "no-cache", "etag": etag}
    if (tags := req.headers.get("if-none-match")) and ranges.matches(tags, etag):
        return Response(None, 304, headers)
    return Response(body, 200, headers, media_type="application/json")


def _release(listing: Listing, wanted: str) -> Listed | None:
    try:
        version = canonical_version(wanted)
    except ValueError:
        return None
    return next((listed for listed in (*listing.versions, *listing.unlisted) if listed.version == version), None)


async def _told(view: RepoView, listing: Listing, chosen: Listed) -> tuple[dict[str, object], str]:
    """Core metadata and description: from what is stored, else from a wheel's `.metadata`."""
    info = project.core_info(chosen)
    facts = await view.facts(listing.package, chosen.version)
    if info and isinstance(facts, Facts):
        return info, facts.readme or ""
    body = await sidecars.metadata_of(view, listing.package, chosen)
    if body is None:
        return info, ""
    try:
        told = core.from_bytes(body)
    except ValueError:
        return info, ""
    return info or core.info(told), core.facts(told).readme or ""
