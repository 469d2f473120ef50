"""Answers that are indexes: the compact index, the full index, specifications and the dependencies API.

Where an external connection of Ruby is within reach, nobody knows all names.  Bundler takes a name that `versions`
lacks for absent, so that this file is then not there, and Bundler asks for what it wants by name (RULINGS 7.3).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from starlette.responses import Response

from protocols.ruby import names, render
from protocols.ruby.names import Filename
from protocols.ruby.render import Fragments
from registry.core.errors import ResourceNotFound, UpstreamUnavailable, Validation
from registry.core.types import Listing, PackageKey
from registry.core.view import RepoView
from registry.web import exchange, ranges, reply, wide
from registry.web.adapter import Answer
from registry.web.exchange import Hold
from registry.web.request import Req
from registry.web.resumable import ResumableAnswer
from registry.web.wire import head

TEXT = "text/plain; charset=utf-8"
BINARY = "application/octet-stream"
MOST_NAMES = 1000
"""Names in one question to the dependencies API; Bundler asks for 50 at a time."""
_AT_ONCE = 16


def package_key(name: str) -> PackageKey:
    """The gem that an address names.  Raises ResourceNotFound for a name that none can have."""
    try:
        return PackageKey("ruby", *names.canonical(None, name))
    except ValueError as err:
        raise ResourceNotFound(str(err), resource_id=name, resource_type="package") from None


def missing(name: str) -> ResourceNotFound:
    """What is said of a gem that is not there."""
    return ResourceNotFound("This rubygem could not be found.", resource_id=name, resource_type="package")


async def root(req: Req, view: RepoView) -> Answer:
    """The endpoint itself: up to 3.5, gem takes a 200 for the promise of a compact index."""
    await view.catalog()
    return reply.text("Packyard repository of Ruby gems\n", headers={"cache-control": "no-cache"})


# --- the compact index ---------------------------------------------------------------------------


async def versions(req: Req, view: RepoView) -> Answer:
    """`versions`; HEAD always succeeds, since gem from 3.6 on asks that for the promise of a compact index."""
    catalog = await view.catalog()
    if not catalog.complete:
        if req.method == "HEAD":
            return Response(None, 200, {"content-type": TEXT, "cache-control": "no-cache"})
        raise ResourceNotFound(
            "This repository takes gems from an external connection, so that it has no list of all versions: "
            "info/NAME and api/v1/dependencies answer for each gem"
        )
    return await _wide(req, view, "versions", partial(render.versions, view.repository.created), media_type=TEXT)


async def all_names(req: Req, view: RepoView) -> Answer:
    """`names`: of every gem that is stored here and upstream."""
    return await _wide(req, view, "names", render.all_names, media_type=TEXT)


async def info(req: Req, view: RepoView) -> Answer:
    """`info/{name}`."""
    package = package_key(req.path["name"])
    rendered, stamp = await reply.rendition(req, view, package, kind="info", render=_info)
    return ResumableAnswer(rendered, media_type=TEXT, view=view, package=package, stamp=stamp)


def _info(listing: Listing) -> bytes:
    page = render.info(listing)
    if not page:
        raise missing(listing.package.name)
    return page


async def _wide(
    req: Req,
    view: RepoView,
    kind: str,
    put_together: Callable[[Fragments], bytes],
    *,
    media_type: str,
    packed: bool = False,
) -> Answer:
    rendered, _ = await wide.index(req, view, kind=kind, fragment=render.fragment, render=put_together, packed=packed)
    return ResumableAnswer(rendered, media_type=media_type, dated=True)


# --- the full index ------------------------------------------------------------------------------


async def releases(req: Req, view: RepoView) -> Answer:
    return await _wide(req, view, "specs", render.releases, media_type=BINARY, packed=True)


async def latest(req: Req, view: RepoView) -> Answer:
    return await _wide(req, view, "latest", render.latest, media_type=BINARY, packed=True)


async def prereleases(req: Req, view: RepoView) -> Answer:
    return await _wide(req, view, "prerelease", render.prereleases, media_type=BINARY, packed=True)


# --- specifications ------------------------------------------------------------------------------


async def specification(req: Req, view: RepoView) -> Answer:
    """`quick/Marshal.4.8/{name}-{version}[-{platform}].gemspec.rz`."""
    stem = req.path["file"].removesuffix(".gemspec.rz")
    unasked: UpstreamUnavailable | None = None
    for reading in _readings(stem, req.path["file"]):
        package = PackageKey("ruby", None, reading.name)
        try:
            rendered, stamp = await reply.rendition(req, view, package, kind="quick", render=render.specifications)
        except UpstreamUnavailable as err:
            unasked = unasked or err
            continue
        body = render.specification(rendered.body, names.tag(reading.version, reading.platform))
        if body is not None:
            return _specification(req, body, Hold(b"", body, rendered, b"", b"", stamp, view, package))
    raise unasked or missing(stem)


def _specification(req: Req, body: bytes, hold: Hold) -> Response:
    """A piece of what is kept for the whole gem, offered to the hot cache."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    fixed = {"etag": etag, "cache-control": "no-cache"}
    whole = {**fixed, "content-type": BINARY, "content-length": str(len(body))}
    exchange.of(req.request.scope).hold = replace(
        hold, head=head(200, _raw(whole)), etag=etag.encode(), not_modified=head(304, _raw(fixed))
    )
    if (tags := req.headers.get("if-none-match")) and ranges.matches(tags, etag):
        return Response(None, 304, fixed)
    return Response(body, 200, whole)


def _raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]


def _readings(stem: str, file: str) -> Iterator[Filename]:
    if stem != file and len(stem) <= 3 * names.LONGEST:
        yield from names.stem_readings(stem)


# --- the dependencies API ------------------------------------------------------------------------


async def dependencies(req: Req, view: RepoView) -> Answer:
    """`api/v1/dependencies?gems=a,b`: a dump; without names it is a question whether there is such an API."""
    return reply.text(await _dependencies(req, view, json=False), media_type=BINARY, headers=_UNCACHED)


async def dependencies_json(req: Req, view: RepoView) -> Answer:
    """The same in JSON."""
    return reply.text(await _dependencies(req, view, json=True), media_type="application/json", headers=_UNCACHED)


_UNCACHED = {"cache-control": "no-cache"}


async def _dependencies(req: Req, view: RepoView, *, json: bool) -> bytes:
    wanted = asked_for(req)
    if len(wanted) > MOST_NAMES:
        raise Validation(f"Too many gems! At most {MOST_NAMES} may be asked for at once (use --full-index instead)")
    if not wanted:
        await view.catalog()
    turn = asyncio.Semaphore(_AT_ONCE)

    async def page(package: PackageKey) -> bytes:
        async with turn:
            rendered, _ = await reply.rendition(req, view, package, kind="dependencies", render=render.dependencies)
        return rendered.body

    found = await asyncio.gather(*map(page, _known(wanted)), return_exceptions=True)
    pages = []
    for each in found:
        if isinstance(each, BaseException):
            raise each
        pages.append(each)
    return render.joined_dependencies(pages, json=json)


def _known(wanted: list[str]) -> Iterator[PackageKey]:
    """Those that may be names at all."""
    for name in wanted:
        try:
            yield PackageKey("ruby", *names.canonical(None, name))
        except ValueError:
            continue


def asked_for(req: Req) -> list[str]:
    """The names in `?gems=`, each once."""
    return list(dict.fromkeys(name for name in req.query.get("gems", "").split(",") if name))


def weight(req: Req) -> int:
    """Guide, "Quotas": a request for the dependencies of several gems counts as one for each."""
    return max(1, len(asked_for(req)))
