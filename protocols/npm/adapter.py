"""npm: the routes, and how failures are told.

One route set takes every spelling of a scoped name (`@a/b`, `@a%2fb`, `%40a%2Fb`): `fold` makes one segment of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from protocols.npm import changes, names, packuments, search, session, tags, unpublish
from protocols.npm.fetch import NpmFetcher
from registry.core import errors, semver
from registry.core.errors import RegistryError
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
    publish=("PublishPackageVersion",),
    connections=("public:npmjs",),
    tag_latest="latest",
)

_ANY = ("GET", "POST", "PUT", "DELETE", "PATCH")

# The first match wins: what lies below `-/` before packages, since there is a package of that name.
ROUTES: tuple[Route, ...] = (
    Route(("GET",), "-/ping", session.ping),
    Route(("GET",), "-/whoami", session.whoami),
    Route(("GET",), "-/v1/search", search.search),
    Route(("GET",), "-/package/{package}/dist-tags", tags.ls),
    Route(("PUT", "POST"), "-/package/{package}/dist-tags/{tag}", tags.add),
    Route(("DELETE",), "-/package/{package}/dist-tags/{tag}", tags.remove),
    Route(("POST",), "-/npm/v1/security/advisories/bulk", session.audit),
    Route(("POST",), "-/npm/v1/security/audits", session.audit),
    Route(("POST",), "-/npm/v1/security/audits/quick", session.audit),
    Route(("GET",), "-/npm/v1/keys", session.no_keys),
    Route(("GET",), "-/npm/v1/attestations/{spec}", packuments.attestations),
    Route(("POST",), "-/v1/login", session.web_login),
    Route(("PUT",), "-/user/{user}", session.login, credentials=session.token_in_body),
    Route(("PUT",), "-/user/{user}/-rev/{rev}", session.login, credentials=session.token_in_body),
    Route(("GET",), "-/user/{user}", session.user),
    Route(("DELETE",), "-/user/token/{token}", session.logout),
    Route(("GET",), "-/-/{file}", packuments.tarball),
    Route(_ANY, "-/{rest...}", session.unsupported),
    Route(("GET",), "{package}", packuments.packument),
    Route(("PUT",), "{package}", changes.put),
    Route(("GET",), "{package}/-/{file}", packuments.tarball),
    Route(("DELETE",), "{package}/-/{file}/-rev/{rev}", unpublish.tarball),
    Route(("PUT",), "{package}/-rev/{rev}", unpublish.put),
    Route(("DELETE",), "{package}/-rev/{rev}", unpublish.package),
    Route(("GET",), "{package}/{version}", packuments.single),
)

_STATUS = {errors.ServiceQuotaExceeded: 403}
"""npm words a 402 as a matter of payment."""


@dataclass(frozen=True, slots=True)
class NpmAdapter:
    """Implements registry.web.adapter.Adapter."""

    info: FormatInfo
    routes: Sequence[Route]
    fetcher: NpmFetcher

    def fold(self, segments: list[str]) -> list[str]:
        """`@scope`, `name` -> `@scope%2fname`, wherever it stands; empty segments fall away.

        npm 6 repeats the registry's own path when it deletes a tarball (`npm unpublish name@version`).
        """
        folded: list[str] = []
        given = [segment for segment in segments if segment]
        rest = iter(given[4:] if given[:2] == [names.FORMAT, "d"] and len(given) > 4 else given)
        for segment in rest:
            if segment.startswith(("@", "%40")) and "%2f" not in segment.lower():
                follower = next(rest, None)
                segment = segment if follower is None else f"{segment}%2f{follower}"
            folded.append(segment)
        return folded

    def error(self, err: RegistryError, req: Req) -> Response:
        """`{"error": text}`: the one form whose text npm shows."""
        return reply.json({"error": err.message}, status=status_of(err, _STATUS), headers=retry_after(err))

    def challenge(self, req: Req) -> Mapping[str, str]:
        """Both schemes, as the original answers; Bearer first, so that npm speaks of the token."""
        return {"www-authenticate": 'Bearer realm="packyard", Basic realm="packyard"'}


ADAPTER = NpmAdapter(INFO, ROUTES, NpmFetcher())
