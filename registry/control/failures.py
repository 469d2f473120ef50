"""Errors of the core -> status, type and members of the service model's error shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from registry.control.call import Target
from registry.control.model import Model, Operation
from registry.core.errors import (
    AccessDenied,
    Conflict,
    InternalServer,
    NotSupported,
    RegistryError,
    ResourceNotFound,
    ServiceQuotaExceeded,
    Throttling,
    Unauthenticated,
    Unavailable,
    UpstreamUnavailable,
    Validation,
)
from registry.identity.sigv4 import SignatureError

_SHAPES: Mapping[type[RegistryError], str] = {
    AccessDenied: "AccessDeniedException",
    ResourceNotFound: "ResourceNotFoundException",
    Conflict: "ConflictException",
    Validation: "ValidationException",
    ServiceQuotaExceeded: "ServiceQuotaExceededException",
    Throttling: "ThrottlingException",
    NotSupported: "ValidationException",
    UpstreamUnavailable: "InternalServerException",
    Unavailable: "InternalServerException",
    InternalServer: "InternalServerException",
}
_RESOURCE_TYPES = frozenset(("domain", "repository", "package", "package-version", "asset"))
_INTERNAL = "An internal error occurred. The request can be sent again."


class UnknownOperation(RegistryError):
    """No such method and path, or an operation of the model that this server does not have."""

    def __init__(self) -> None:
        super().__init__("The requested operation is not known to this server")


@dataclass(frozen=True, slots=True)
class Failure:
    """An error answer: `type` is the value of x-amzn-ErrorType, `document` the JSON body."""

    status: int
    type: str
    document: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


def internal() -> Failure:
    """A fault of ours.  The log knows more; the client does not."""
    return Failure(500, "InternalServerException", {"message": _INTERNAL})


def of(err: RegistryError, model: Model, operation: Operation | None, target: Target | None) -> Failure:
    """The answer to an error of the core."""
    if isinstance(err, SignatureError):
        return Failure(err.status, err.code, {"message": err.message})
    if isinstance(err, Unauthenticated):
        return Failure(403, "UnrecognizedClientException", {"message": err.message})
    if isinstance(err, UnknownOperation):
        return Failure(404, "UnknownOperationException", {"message": err.message})
    name = next((shape for cls, shape in _SHAPES.items() if isinstance(err, cls)), "InternalServerException")
    shape = model.errors[name]
    if name == "InternalServerException":
        return _unavailable(err)
    members = shape.shape.members
    document: dict[str, Any] = {"message": err.message}
    if "resourceId" in members:
        document |= _subject(err, target)
    if "reason" in members:
        document["reason"] = err.reason if isinstance(err, Validation) else "UNKNOWN_OPERATION"
    headers = {"retry-after": str(err.retry_after)} if isinstance(err, Throttling) else {}
    return Failure(shape.status, name, document, headers)


def _unavailable(err: RegistryError) -> Failure:
    """The model has no shape for "not now"; clients retry a 503 as they retry a 500."""
    if isinstance(err, UpstreamUnavailable | Unavailable):
        headers = {"retry-after": str(err.retry_after)}
        return Failure(503, "InternalServerException", {"message": err.message}, headers)
    return internal()


def _subject(err: RegistryError, target: Target | None) -> dict[str, str]:
    """resourceId and resourceType: of the error, else what the request was about."""
    identity, kind = err.resource_id, err.resource_type
    if identity is None and kind is None and target is not None and not isinstance(err, AccessDenied):
        identity, kind = target.id, target.type
    found = {}
    if identity is not None:
        found["resourceId"] = identity
    if kind in _RESOURCE_TYPES and kind is not None:
        found["resourceType"] = kind
    return found
