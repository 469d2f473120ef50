"""The JSON and YAML documents of the public registry's API that tools and `gem owner` read, and what is not offered."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

import msgspec
from starlette.responses import Response

from protocols.ruby import names, native, render
from protocols.ruby.pages import missing, package_key
from protocols.ruby.render import Entry
from registry.core.errors import NotSupported, ResourceNotFound
from registry.core.types import Facts, Listing
from registry.core.view import RepoView
from registry.web import ranges, reply
from registry.web.adapter import Answer
from registry.web.request import Req


async def gem(req: Req, view: RepoView) -> Answer:
    """`api/v1/gems/{name}.json`: the latest version."""
    listing, found = await _entries(req, view)
    releases = [entry for entry in found if not names.is_prerelease(entry.version.version)] or found
    newest = max(releases, key=lambda each: (each.version.sort, each.facts.platform == "ruby"))
    facts = await view.facts(listing.package, newest.version.version)
    return _document(req, _gem(newest, facts or Facts(), req.base))


async def versions(req: Req, view: RepoView) -> Answer:
    """`api/v1/versions/{name}.json`: every version, the highest first."""
    _, found = await _entries(req, view)
    ordered = sorted(found, key=lambda each: (each.version.sort, each.facts.platform), reverse=True)
    return _document(req, [_version(entry) for entry in ordered])


async def _entries(req: Req, view: RepoView) -> tuple[Listing, list[Entry]]:
    name = req.path["file"].removesuffix(".json")
    if name == req.path["file"]:
        raise ResourceNotFound(f"There is nothing at '{req.rest}'")
    listing = await view.listing(package_key(name))
    found = render.entries(listing)
    if not found:
        raise missing(name)
    return listing, found


def _gem(entry: Entry, facts: Facts, base: str) -> dict[str, object]:
    needs = native.needs(entry.facts)
    development = [each for each in facts.dependencies if each.type == "development"]
    return {
        "name": entry.name,
        **_version(entry),
        "version": entry.version.version,
        "info": facts.summary,
        "licenses": [license.name for license in facts.licenses],
        "project_uri": f"{base}info/{entry.name}",
        "gem_uri": f"{base}gems/{quote(entry.file.name)}",
        "homepage_uri": facts.homepage or None,
        "source_code_uri": facts.source or None,
        "dependencies": {
            "development": [{"name": each.package, "requirements": each.requirement} for each in development],
            "runtime": [{"name": need.name, "requirements": ", ".join(need.requirement)} for need in needs],
        },
    }


def _version(entry: Entry) -> dict[str, object]:
    return {
        "number": entry.version.version,
        "platform": entry.facts.platform,
        "prerelease": names.is_prerelease(entry.version.version),
        "created_at": render.timestamp(entry.created),
        "sha": entry.file.digests.get("sha256"),
        "ruby_version": entry.facts.ruby.replace("&", ", ") or ">= 0",
        "rubygems_version": entry.facts.rubygems.replace("&", ", ") or ">= 0",
    }


def _document(req: Req, value: object) -> Answer:
    body = msgspec.json.encode(value)
    headers = {"etag": f'"{hashlib.sha256(body).hexdigest()[:32]}"', "cache-control": "no-cache"}
    if (tags := req.headers.get("if-none-match")) and ranges.matches(tags, headers["etag"]):
        return Response(None, 304, headers)
    return Response(body, 200, headers, media_type="application/json")


# --- owners and sessions -------------------------------------------------------------------------


async def owners(req: Req, view: RepoView) -> Answer:
    """`api/v1/gems/{name}/owners.yaml` for `gem owner`: the account that administers the repository."""
    package = package_key(req.path["name"])
    if not (await view.listing(package)).versions:
        raise missing(package.name)
    account = view.repository.administrator
    if req.rest.endswith(".json"):
        return reply.json([{"id": account, "handle": account}])
    return reply.text(f'---\n- id: "{account}"\n  handle: "{account}"\n', media_type="application/yaml")


async def change_owners(req: Req, view: RepoView) -> Answer:
    """`gem owner --add` and `--remove`."""
    raise NotSupported("Gems have no owners of their own here: who may publish is said by the repository's policies.")


async def sign_in(req: Req, view: RepoView) -> Answer:
    """`gem signin`."""
    raise NotSupported("Signing in is not supported: an authorization token is the key, see `packyard login gem`.")
