"""The service index: where everything else is.

Clients take every address literally, and send credentials early only below the directory of one that took them, so all
of them stand below `v3/`.  Types are spelled in every way that clients look for: those before 6 take
`RegistrationsBaseUrl/Versioned`, then `/3.4.0`, over `/3.6.0`, and want `SearchQueryService/3.0.0-beta`.
Resources that cannot be filled honestly are left out: vulnerabilities, repository signatures, the catalog's index.
"""

from __future__ import annotations

import hashlib

from starlette.responses import Response

from protocols.nuget import render
from registry.core.view import RepoView
from registry.web import ranges, reply
from registry.web.adapter import Answer
from registry.web.request import Req

_PLAIN = ("", "/3.0.0-beta", "/3.0.0-rc")
_QUERY = ("", "/3.0.0-beta", "/3.0.0-rc", "/3.5.0")

RESOURCES: tuple[tuple[str, str, str], ...] = (
    ("PackageBaseAddress/3.0.0", "v3/flat/", "Package files and the list of versions"),
    *((f"RegistrationsBaseUrl{v}", render.PLAIN.path, "Metadata without SemVer 2.0.0 packages") for v in _PLAIN),
    ("RegistrationsBaseUrl/3.4.0", render.ZIPPED.path, "Compressed metadata without SemVer 2.0.0 packages"),
    ("RegistrationsBaseUrl/3.6.0", render.SEMVER2.path, "Compressed metadata of all packages"),
    ("RegistrationsBaseUrl/Versioned", render.SEMVER2.path, "Compressed metadata of all packages"),
    *((f"SearchQueryService{v}", "v3/query", "Search") for v in _QUERY),
    *((f"SearchAutocompleteService{v}", "v3/autocomplete", "Ids and versions that begin like this") for v in _QUERY),
    ("PackagePublish/2.0.0", "v3/package", "Push, unlist and relist"),
    ("SymbolPackagePublish/4.9.0", "v3/symbolpackage", "Push of symbol packages"),
    ("ReadmeUriTemplate/6.13.0", "v3/flat/{lower_id}/{lower_version}/readme", "Readmes"),
)
"""Type, address below the endpoint, comment."""


async def index(req: Req, view: RepoView) -> Answer:
    """`GET v3/index.json`.  Needs ReadFromRepository."""
    await view.readable()
    body = render.encode(document(req.base))
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"etag": etag, "cache-control": "no-cache", "content-type": "application/json"}
    if (tags := req.headers.get("if-none-match")) and ranges.matches(tags, etag):
        return Response(None, 304, headers)
    return Response(body, 200, headers)


async def landing(req: Req, view: RepoView) -> Answer:
    """`GET` of the endpoint itself: somebody who left out the rest of the address is told it."""
    await view.readable()
    return reply.json({"source": f"{req.base}v3/index.json"})


def document(base: str) -> dict[str, object]:
    """The index of a repository at this address."""
    resources = []
    for kind, path, comment in RESOURCES:
        resource = {"@id": base + path, "@type": kind, "comment": comment}
        if kind.endswith("/Versioned"):
            resource["clientVersion"] = "4.3.0-alpha"
        resources.append(resource)
    return {"version": "3.0.0", "resources": resources}
