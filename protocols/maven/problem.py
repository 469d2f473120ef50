"""Errors as `application/problem+json` (RFC 9457), which newer resolvers ask for and print, but for "not there".

Maven 3.9 and 4 take a 404 in that form for a failed transfer, not for an absence: the first deploy of a package, which
asks for its metadata, would end there (seen with 3.9.11 and 4.0.0-rc-4).  Older ones print the status line alone.
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from starlette.responses import Response

from registry.core.errors import RegistryError, ServiceQuotaExceeded
from registry.web.failures import retry_after, status_of

_STATUS = {ServiceQuotaExceeded: 400}


def answer(err: RegistryError) -> Response:
    """Status and body."""
    status = status_of(err, _STATUS)
    if status == 404:
        return Response(f"{err.message}\n", status, {"cache-control": "no-store"}, media_type="text/plain")
    body = {"title": HTTPStatus(status).phrase, "detail": err.message, "status": status}
    headers = {"cache-control": "no-store", **retry_after(err)}
    return Response(msgspec.json.encode(body), status, headers, media_type="application/problem+json")
