"""Reading: version lists, registrations, package files and what can be read out of them."""

from __future__ import annotations

from functools import partial
from typing import IO

from protocols.nuget import archive, contents, names, render
from protocols.nuget.render import Hive
from registry.core.errors import ResourceNotFound
from registry.core.ports import Content
from registry.core.types import PackageKey, VersionKey
from registry.core.view import RepoView
from registry.web import reply, stored
from registry.web.adapter import Answer
from registry.web.request import Req

JSON = "application/json"
_MAX_ICON = 4 * 1024**2
_ICONS = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))


def package_key(req: Req) -> PackageKey:
    """The package that an address names.  Raises ResourceNotFound for an id that none can have."""
    try:
        return names.package(req.path["id"])
    except ValueError as err:
        raise ResourceNotFound(str(err), resource_id=req.path["id"][:100], resource_type="package") from None


def version_key(req: Req) -> VersionKey:
    """The version that an address names, in any case and any spelling.  Raises ResourceNotFound."""
    return VersionKey(package_key(req), _version(req.path["version"]))


def _version(text: str) -> str:
    try:
        return names.canonical_version(text)
    except ValueError as err:
        raise ResourceNotFound(str(err), resource_id=text[:100], resource_type="package-version") from None


async def flat(req: Req, view: RepoView) -> Answer:
    """`GET v3/flat/{id}/index.json`."""
    return await reply.index(req, view, package_key(req), kind="flat", media_type=JSON, render=render.flat)


async def registration(hive: Hive, req: Req, view: RepoView) -> Answer:
    """`GET {hive}{id}/index.json`."""
    return await reply.index(
        req,
        view,
        package_key(req),
        kind=f"{hive.path} index",
        media_type=JSON,
        render=partial(render.index, hive=hive, base=req.base),
    )


async def page(hive: Hive, req: Req, view: RepoView) -> Answer:
    """`GET {hive}{id}/page/{lower}/{upper}.json`."""
    lower, upper = _version(req.path["lower"]), _version(_without_json(req.path["upper"]))
    return await reply.index(
        req,
        view,
        package_key(req),
        kind=f"{hive.path} page {lower} {upper}",
        media_type=JSON,
        render=partial(render.page, hive=hive, lower=lower, upper=upper, base=req.base),
    )


async def leaf(hive: Hive, req: Req, view: RepoView) -> Answer:
    """`GET {hive}{id}/{version}.json`."""
    version = _version(_without_json(req.path["version"]))
    return await reply.index(
        req,
        view,
        package_key(req),
        kind=f"{hive.path} leaf {version}",
        media_type=JSON,
        render=partial(render.leaf, hive=hive, version=version, base=req.base),
    )


async def catalog(req: Req, view: RepoView) -> Answer:
    """`GET v3/catalog/{id}/{version}.json`, which registrations name as the source of an entry."""
    version = _version(_without_json(req.path["version"]))
    return await reply.index(
        req,
        view,
        package_key(req),
        kind=f"catalog {version}",
        media_type=JSON,
        render=partial(render.catalog, version=version, base=req.base),
    )


def _without_json(text: str) -> str:
    if not text.lower().endswith(".json"):
        raise ResourceNotFound(f"There is no document {text[:200]!r}")
    return text[:-5]


async def file(req: Req, view: RepoView) -> Answer:
    """`GET v3/flat/{id}/{version}/{file}`: the package, its symbols, its nuspec; the names in any case."""
    key, asked = version_key(req), req.path["file"].lower()
    package = names.asset(key.package, key.version)
    # A file may be named for the version as it was asked for, which need not be the normalized spelling.
    stems = {package, f"{key.package.name}.{req.path['version'].lower()}.nupkg"}
    if asked in stems:
        return await reply.content(req, await view.open(key, package))
    if asked == names.asset(key.package, key.version, "snupkg"):
        return await reply.content(req, await view.open(key, asked))
    if asked == f"{key.package.name}.nuspec":
        return await _nuspec(req, view, key)
    raise ResourceNotFound(f"There is no file {req.path['file'][:200]!r} of {key.package.name} {key.version}")


async def _nuspec(req: Req, view: RepoView, key: VersionKey) -> Answer:
    """Out of the stored package, byte for byte; of one that only an external registry has, the registry's document."""
    content = await _held(view, key)
    if content is None:
        beside = await view.open(key, f"{key.package.name}.nuspec")
        return await reply.content(req, beside, media_type="application/xml", cache_control="no-cache")
    body = await stored.read(content, _manifest)
    return _document(req, content, body, "application/xml", "nuspec")


async def readme(req: Req, view: RepoView) -> Answer:
    """`GET v3/flat/{id}/{version}/readme`, out of the stored package."""
    key = version_key(req)
    content = await _held(view, key)
    body = await stored.read(content, _readme) if content is not None else None
    if content is None or body is None:
        raise ResourceNotFound(f"There is no readme of {key.package.name} {key.version}")
    return _document(req, content, body, "text/markdown; charset=utf-8", "readme")


async def icon(req: Req, view: RepoView) -> Answer:
    """`GET v3/flat/{id}/{version}/icon`, out of the stored package; only what is an image by its first bytes."""
    key = version_key(req)
    content = await _held(view, key)
    body = await stored.read(content, _icon) if content is not None else None
    kind = next((kind for magic, kind in _ICONS if body is not None and body.startswith(magic)), None)
    if content is None or body is None or kind is None:
        raise ResourceNotFound(f"There is no icon of {key.package.name} {key.version}")
    return _document(req, content, body, kind, "icon")


async def _held(view: RepoView, key: VersionKey) -> Content | None:
    """The package file where some repository of the chain has stored it; looking into it retains nothing."""
    try:
        return await view.open(key, names.asset(key.package, key.version), retain=False)
    except ResourceNotFound:
        return None


def _document(req: Req, content: Content, body: bytes, media_type: str, kind: str) -> Answer:
    etag = f"{content.digests.get('sha256', '')[:40]}-{kind}"
    return stored.answer(req, body, etag=etag, media_type=media_type)


def _manifest(file: IO[bytes]) -> bytes:
    with archive.opened(file, strict=False) as package:
        return package.manifest().body


def _readme(file: IO[bytes]) -> bytes | None:
    text = contents.inspect(file, strict=False).readme
    return None if text is None else text.encode()


def _icon(file: IO[bytes]) -> bytes | None:
    spec = contents.inspect(file, strict=False).spec
    with archive.opened(file, strict=False) as package:
        return package.member(spec.text("icon"), _MAX_ICON) if spec.text("icon") else None
