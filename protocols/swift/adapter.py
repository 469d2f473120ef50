"""Swift: the routes of a package registry (docs/formats/swift.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.responses import Response

from protocols.swift import names, problem, publish, reading
from registry.core import semver
from registry.core.errors import RegistryError
from registry.core.ports import Fetcher
from registry.core.types import FormatInfo
from registry.web.adapter import Route
from registry.web.request import Req

INFO = FormatInfo(
    name=names.FORMAT,
    canonical=names.canonical,
    canonical_version=names.canonical_version,
    sort=semver.sort,
    namespace_required=True,
)


_ROUTES = (
    Route(("GET",), "identifiers", reading.identifiers),
    Route(("GET",), "availability", reading.availability),
    Route(("POST",), "login", reading.login),
    Route(("GET",), "{scope}/{name}", reading.releases),
    Route(("GET",), "{scope}/{name}/{version}", reading.release),
    Route(("PUT",), "{scope}/{name}/{version}", publish.publish),
    Route(("GET",), "{scope}/{name}/{version}/Package.swift", reading.manifest),
)


class SwiftAdapter:
    """Implements registry.web.adapter.Adapter."""

    info: FormatInfo = INFO
    fetcher: Fetcher | None = None
    """There is no public registry of this protocol; upstream repositories work."""
    routes: Sequence[Route] = (
        *_ROUTES,
        *(Route(("OPTIONS",), template, reading.options) for template in dict.fromkeys(r.template for r in _ROUTES)),
    )

    def fold(self, segments: list[str]) -> list[str]:
        """The client's address may end in a slash, to which it adds another."""
        return [each for index, each in enumerate(segments) if each or index == len(segments) - 1]

    def error(self, err: RegistryError, req: Req) -> Response:
        return problem.answer(err)

    def challenge(self, req: Req) -> Mapping[str, str]:
        """Never Basic: the client hangs for ever on it (rulings, "Formats" 1)."""
        return {"WWW-Authenticate": 'Bearer realm="packyard"'}


ADAPTER = SwiftAdapter()
