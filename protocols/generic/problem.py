"""Errors in the form of the service's own: JSON with message and resource, the shape's name in a header."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from registry.core.errors import RegistryError
from registry.web.failures import retry_after, status_of


class PreconditionFailed(RegistryError):
    """`If-None-Match: *`, and it is there."""


_STATUS = {PreconditionFailed: 412}
_SHAPES = {
    401: "AccessDeniedException",
    402: "ServiceQuotaExceededException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    409: "ConflictException",
    412: "ConflictException",
    413: "ServiceQuotaExceededException",
    429: "ThrottlingException",
}
"""The service model's error by status; other refusals are ValidationException, our faults InternalServerException."""


def answer(err: RegistryError) -> Response:
    """Status and body."""
    status = status_of(err, _STATUS)
    shape = _SHAPES.get(status, "ValidationException" if status < 500 else "InternalServerException")
    body = {"message": err.message}
    if err.resource_id is not None:
        body["resourceId"] = err.resource_id
    if err.resource_type is not None:
        body["resourceType"] = err.resource_type
    headers = {"x-amzn-errortype": shape, "cache-control": "no-store", **retry_after(err)}
    return Response(msgspec.json.encode(body), status, headers, media_type="application/json")
