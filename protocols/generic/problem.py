"""Errors in the form of the service's own: JSON with message and resource, the shape's name in a header."""

from __future__ import annotations

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
    Validation,
)


class PreconditionFailed(RegistryError):
    """`If-None-Match: *`, and it is there."""


# The first that fits.
_KINDS: tuple[tuple[type[RegistryError], int, str], ...] = (
    (Unauthenticated, 401, "AccessDeniedException"),
    (AccessDenied, 403, "AccessDeniedException"),
    (ResourceNotFound, 404, "ResourceNotFoundException"),
    (NotSupported, 405, "ValidationException"),
    (Conflict, 409, "ConflictException"),
    (PreconditionFailed, 412, "ConflictException"),
    (TooLarge, 413, "ServiceQuotaExceededException"),
    (Validation, 400, "ValidationException"),
    (ServiceQuotaExceeded, 402, "ServiceQuotaExceededException"),
    (Throttling, 429, "ThrottlingException"),
    (Unavailable, 503, "InternalServerException"),
)


def answer(err: RegistryError) -> Response:
    """Status and body."""
    status, shape = next(
        ((status, shape) for kind, status, shape in _KINDS if isinstance(err, kind)), (500, "InternalServerException")
    )
    body = {"message": err.message}
    if err.resource_id is not None:
        body["resourceId"] = err.resource_id
    if err.resource_type is not None:
        body["resourceType"] = err.resource_type
    headers = {"x-amzn-errortype": shape, "cache-control": "no-store"}
    if isinstance(err, Throttling | Unavailable):
        headers["retry-after"] = str(err.retry_after)
    return Response(msgspec.json.encode(body), status, headers, media_type="application/json")
