"""PyPI: the routes of the simple index, of files and of uploads (docs/formats/pypi.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.responses import Response

from protocols.pypi import files, names, pages, problem, upload
from protocols.pypi.fetch import PyPIFetcher
from protocols.pypi.native import refresh
from registry.core.errors import RegistryError
from registry.core.ports import Fetcher
from registry.core.types import FormatInfo
from registry.web.adapter import Route
from registry.web.request import Req

INFO = FormatInfo(
    name="pypi",
    canonical=names.canonical,
    canonical_version=names.canonical_version,
    sort=names.sort_key,
    grows=True,
    merges_files=True,
    connections=("public:pypi",),
    refresh=refresh,
    aliases=("python",),
)


class PyPIAdapter:
    """Implements registry.web.adapter.Adapter."""

    info: FormatInfo = INFO
    fetcher: Fetcher | None = PyPIFetcher()
    routes: Sequence[Route] = (
        Route(("POST",), "", upload.upload),
        Route(("GET",), "simple/", pages.root),
        Route(("GET",), "simple", pages.root_without_slash),
        Route(("GET",), "simple/{project}/", pages.index),
        Route(("GET",), "simple/{project}", pages.index_without_slash),
        Route(("GET",), "simple/{project}/{version}/{filename}", files.file),
        Route(("POST",), "simple/{project}/{version}/", upload.yank),
        Route(("POST",), "simple/{project}/{version}", upload.yank),
        Route(("GET",), "pypi/{project}/json", pages.document),
        Route(("GET",), "pypi/{project}/{version}/json", pages.document),
        Route(("GET",), "{project}/json", pages.document),
        Route(("GET",), "{project}/{version}/json", pages.document),
    )

    def fold(self, segments: list[str]) -> list[str]:
        """Paths have one spelling."""
        return segments

    def error(self, err: RegistryError, req: Req) -> Response:
        return problem.answer(err)

    def challenge(self, req: Req) -> Mapping[str, str]:
        return {"WWW-Authenticate": 'Basic realm="packyard"'}


ADAPTER = PyPIAdapter()
