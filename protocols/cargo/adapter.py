"""Cargo: the routes of a sparse registry and of its web API, and how failures are told (docs/formats/cargo.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.responses import Response

from protocols.cargo import changes, index, names, publish, search
from protocols.cargo.fetch import CargoFetcher
from protocols.cargo.lines import refresh
from registry.core import errors, semver
from registry.core.errors import RegistryError
from registry.core.ports import Fetcher
from registry.core.types import FormatInfo
from registry.web import reply
from registry.web.adapter import Route
from registry.web.failures import retry_after, status_of
from registry.web.request import Req

INFO = FormatInfo(
    name=names.FORMAT,
    canonical=names.canonical,
    canonical_version=names.canonical_version,
    sort=semver.sort,
    # A version has one file; what is merged over hops is the mark that its registry puts on it.
    merges_files=True,
    connections=("public:crates-io",),
    refresh=refresh,
    rivals=names.rivals,
    redirects=True,
)

_STATUS = {errors.ServiceQuotaExceeded: 403}
"""402 would be read as a matter of payment."""


class CargoAdapter:
    """Implements registry.web.adapter.Adapter."""

    info: FormatInfo = INFO
    fetcher: Fetcher | None = CargoFetcher()
    # The first match wins; no index file lies below `api`, since its directories have two characters.
    routes: Sequence[Route] = (
        Route(("GET",), "config.json", index.config),
        Route(("GET",), "me", changes.me),
        Route(("PUT",), "api/v1/crates/new", publish.publish),
        Route(("GET",), "api/v1/crates", search.search),
        Route(("GET",), "api/v1/crates/{crate}/{version}/download", index.download),
        Route(("DELETE",), "api/v1/crates/{crate}/{version}/yank", changes.yank),
        Route(("PUT",), "api/v1/crates/{crate}/{version}/unyank", changes.unyank),
        Route(("GET",), "api/v1/crates/{crate}/owners", changes.owners),
        Route(("PUT", "DELETE"), "api/v1/crates/{crate}/owners", changes.set_owners),
        Route(("GET",), "1/{name}", index.file),
        Route(("GET",), "2/{name}", index.file),
        Route(("GET",), "{first}/{second}/{name}", index.file),
    )

    def fold(self, segments: list[str]) -> list[str]:
        """Paths have one spelling."""
        return segments

    def error(self, err: RegistryError, req: Req) -> Response:
        """`{"errors": [{"detail": ...}]}`: the one form of which cargo shows the text and nothing else."""
        if isinstance(err, errors.Unauthenticated) and req.rest == "me":
            return reply.text(changes.ME, 401)
        body = {"errors": [{"detail": err.message}]}
        return reply.json(body, status=status_of(err, _STATUS), headers=retry_after(err))

    def challenge(self, req: Req) -> Mapping[str, str]:
        """cargo's own challenge first; the others are for other tools."""
        login = f'Cargo login_url="{req.base}me"'
        return {"www-authenticate": f'{login}, Bearer realm="packyard", Basic realm="packyard"'}


ADAPTER = CargoAdapter()
