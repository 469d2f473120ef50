"""NuGet: the routes of the V3 protocol (docs/formats/nuget.md).

Everything that the service index names stands below `v3/`; `v2/package` and `api/v2/package` take pushes of tools that
were set up with such an address.  A trailing slash never counts: the client adds one to the address of pushes, and
some proxies do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from starlette.responses import Response

from protocols.nuget import names, pages, problem, publish, remote, render, search, service
from protocols.nuget.fetch import NuGetFetcher
from registry.core.errors import RegistryError
from registry.core.ports import Fetcher
from registry.core.types import FormatInfo
from registry.web.adapter import Route
from registry.web.request import Req

INFO = FormatInfo(
    name=names.FORMAT,
    canonical=names.canonical,
    canonical_version=names.canonical_version,
    sort=names.sort,
    grows=True,  # symbols join the package they belong to
    publish=("PublishPackageVersion", "ReadFromRepository"),
    connections=("public:nuget-org",),
    remark=remote.remark,
)

_PUSHES = ("v3/package", "v2/package", "api/v2/package")
_SYMBOLS = ("v3/symbolpackage", "api/v2/symbolpackage")


def _registrations(hive: render.Hive) -> tuple[Route, ...]:
    return (
        Route(("GET",), f"{hive.path}{{id}}/index.json", partial(pages.registration, hive)),
        Route(("GET",), f"{hive.path}{{id}}/page/{{lower}}/{{upper}}", partial(pages.page, hive)),
        Route(("GET",), f"{hive.path}{{id}}/{{version}}", partial(pages.leaf, hive)),
    )


ROUTES: tuple[Route, ...] = (
    Route(("GET",), "", service.landing),
    Route(("GET",), "v3/index.json", service.index),
    Route(("GET",), "v3/flat/{id}/index.json", pages.flat),
    Route(("GET",), "v3/flat/{id}/{version}/readme", pages.readme),
    Route(("GET",), "v3/flat/{id}/{version}/icon", pages.icon),
    Route(("GET",), "v3/flat/{id}/{version}/{file}", pages.file),
    *(route for hive in (render.PLAIN, render.ZIPPED, render.SEMVER2) for route in _registrations(hive)),
    Route(("GET",), "v3/catalog/{id}/{version}", pages.catalog),
    Route(("GET",), "v3/query", search.query),
    Route(("GET",), "v3/autocomplete", search.autocomplete),
    *(Route(("PUT",), path, publish.push) for path in _PUSHES),
    *(Route(("PUT",), path, publish.push_symbols) for path in _SYMBOLS),
    *(Route(("DELETE",), f"{path}/{{id}}/{{version}}", publish.unlist) for path in _PUSHES),
    *(Route(("POST",), f"{path}/{{id}}/{{version}}", publish.relist) for path in _PUSHES),
)


class NuGetAdapter:
    """Implements registry.web.adapter.Adapter."""

    info: FormatInfo = INFO
    fetcher: Fetcher | None = NuGetFetcher()
    routes: Sequence[Route] = ROUTES

    def fold(self, segments: list[str]) -> list[str]:
        """Without trailing slashes."""
        while len(segments) > 1 and not segments[-1]:
            segments = segments[:-1]
        return segments

    def error(self, err: RegistryError, req: Req) -> Response:
        return problem.answer(err, req)

    def challenge(self, req: Req) -> Mapping[str, str]:
        """Without it the client never sends the credentials that it has."""
        return {"WWW-Authenticate": 'Basic realm="packyard"'}


ADAPTER = NuGetAdapter()
