"""Errors as `application/problem+json` (RFC 9457), which newer resolvers ask for and print.

Older ones print the status line alone.
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
    body = {"title": HTTPStatus(status).phrase, "detail": err.message, "status": status}
    headers = {"cache-control": "no-store", **retry_after(err)}
    return Response(msgspec.json.encode(body), status, headers, media_type="application/problem+json")
