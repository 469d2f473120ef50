"""Ruby: the routes of the indexes, specifications, gems and pushes (docs/formats/ruby.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.responses import Response

from protocols.ruby import documents, files, names, pages, problem, push
from protocols.ruby.credentials import key
from protocols.ruby.fetch import RubyFetcher
from registry.core.errors import RegistryError
from registry.core.ports import Fetcher
from registry.core.types import FormatInfo
from registry.web.adapter import Route
from registry.web.request import Req

INFO = FormatInfo(
    name="ruby",
    canonical=names.canonical,
    canonical_version=names.canonical_version,
    sort=names.sort_key,
    grows=True,
    merges_files=True,
    connections=("public:ruby-gems-org",),
    asset_name=names.asset_name,
    redirects=True,
)


class RubyAdapter:
    """Implements registry.web.adapter.Adapter."""

    info: FormatInfo = INFO
    fetcher: Fetcher | None = RubyFetcher()
    routes: Sequence[Route] = (
        Route(("GET",), "", pages.root),
        Route(("GET",), "info/{name}", pages.info),
        Route(("GET",), "versions", pages.versions),
        Route(("GET",), "names", pages.all_names),
        Route(("GET",), "gems/{file}", files.gem),
        Route(("GET",), "quick/Marshal.4.8/{file}", pages.specification),
        Route(("GET",), "api/v1/dependencies", pages.dependencies, weight=pages.weight),
        Route(("GET",), "api/v1/dependencies.json", pages.dependencies_json, weight=pages.weight),
        Route(("GET",), "specs.4.8.gz", pages.releases),
        Route(("GET",), "latest_specs.4.8.gz", pages.latest),
        Route(("GET",), "prerelease_specs.4.8.gz", pages.prereleases),
        Route(("POST",), "api/v1/gems", push.push, credentials=key),
        Route(("DELETE",), "api/v1/gems/yank", push.yank, credentials=key),
        Route(("GET",), "api/v1/gems/{name}/owners.yaml", documents.owners, credentials=key),
        Route(("GET",), "api/v1/gems/{name}/owners.json", documents.owners, credentials=key),
        Route(("POST", "DELETE", "PATCH"), "api/v1/gems/{name}/owners", documents.change_owners, credentials=key),
        Route(("GET", "POST", "PUT"), "api/v1/api_key", documents.sign_in, credentials=key),
        Route(("GET",), "api/v1/profile/me.yaml", documents.sign_in, credentials=key),
        Route(("GET",), "api/v1/gems/{file}", documents.gem),
        Route(("GET",), "api/v1/versions/{file}", documents.versions),
    )

    def fold(self, segments: list[str]) -> list[str]:
        """A host that ends in a slash makes gem send `//api/v1/gems`."""
        return [segment for segment in segments if segment] or [""]

    def error(self, err: RegistryError, req: Req) -> Response:
        return problem.answer(err)

    def challenge(self, req: Req) -> Mapping[str, str]:
        return {"WWW-Authenticate": 'Basic realm="packyard"'}


ADAPTER = RubyAdapter()
