"""`npm dist-tag`: ls, add, rm.  Tags read are merged with those of upstream repositories; edits are this one's."""

from __future__ import annotations

from protocols.npm import names, parse, render
from protocols.npm.parse import refusing
from registry.core.errors import ResourceNotFound, Validation
from registry.core.view import RepoView
from registry.web import reply
from registry.web.adapter import Answer
from registry.web.request import Req


async def ls(req: Req, view: RepoView) -> Answer:
    """`GET -/package/{package}/dist-tags`."""
    package = parse.package(req.path["package"])
    return await reply.index(
        req, view, package, kind="dist-tags", media_type="application/json", render=render.dist_tags
    )


async def add(req: Req, view: RepoView) -> Answer:
    """`PUT -/package/{package}/dist-tags/{tag}` with the version as a JSON string."""
    package = parse.package(req.path["package"])
    body = parse.small(await req.body(parse.MAX_SMALL), req.headers.get("content-encoding"))
    if not isinstance(body, str):
        raise Validation("The request body is not a version in a JSON string")
    with refusing():
        tag = names.tag(req.path["tag"])
        version = names.canonical_version(body)
    listing = await view.listing(package)
    if all(listed.version != version for listed in listing.versions):
        raise ResourceNotFound(
            f"{names.full_name(package)}@{body[:100]} is not in this repository", resource_type="package-version"
        )
    await view.change(package, tags={tag: version})
    return reply.json({"ok": "dist-tags updated"}, status=201)


async def remove(req: Req, view: RepoView) -> Answer:
    """`DELETE -/package/{package}/dist-tags/{tag}`."""
    package = parse.package(req.path["package"])
    with refusing():
        tag = names.tag(req.path["tag"])
    if tag == "latest":
        raise Validation("The tag 'latest' can be moved, but not removed")
    before = await view.listing(package)
    if tag not in before.tags:
        raise ResourceNotFound(f"{names.full_name(package)} has no tag {tag!r}")
    await view.change(package, tags={tag: None})
    after = await view.listing(package)
    if tag in after.tags:
        raise ResourceNotFound(f"The tag {tag!r} of {names.full_name(package)} is set by an upstream repository")
    return reply.json({"ok": "dist-tags updated"})
