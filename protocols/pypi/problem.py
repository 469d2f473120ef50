"""Errors as Python's clients can show them: `application/problem+json` with title, detail, status and message.

uv prints title and detail; poetry prints the body; twine only the code and, with --verbose, the body.
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from starlette.responses import Response

from registry.core.errors import (
    AccessDenied,
    Conflict,
    NotSupported,
    RegistryError,
    ResourceNotFound,
    ServiceQuotaExceeded,
    Throttling,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UpstreamUnavailable,
    Validation,
)

# The first that fits; TooLarge is a Validation.
_STATUSES: tuple[tuple[type[RegistryError], int], ...] = (
    (Unauthenticated, 401),
    (AccessDenied, 403),
    (ResourceNotFound, 404),
    (NotSupported, 405),
    (Conflict, 409),
    (TooLarge, 413),
    (Validation, 400),
    (ServiceQuotaExceeded, 403),
    (Throttling, 429),
    (UpstreamUnavailable, 502),
    (Unavailable, 503),
)


class NotAcceptable(RegistryError):
    """The client takes no form that the index has."""


def answer(err: RegistryError) -> Response:
    """Status and body."""
    status = 406 if isinstance(err, NotAcceptable) else next((s for kind, s in _STATUSES if isinstance(err, kind)), 500)
    title = HTTPStatus(status).phrase
    body = {"title": title, "detail": err.message, "status": status, "message": err.message}
    headers = {"cache-control": "no-store"}
    if isinstance(err, Throttling | UpstreamUnavailable | Unavailable):
        headers["retry-after"] = str(err.retry_after)
    if isinstance(err, NotSupported):
        headers["allow"] = "POST"
    return Response(msgspec.json.encode(body), status, headers, media_type="application/problem+json")
