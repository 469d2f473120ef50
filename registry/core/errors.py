"""Every way a request can fail, named as the service model names it, and nothing of HTTP.

    RegistryError
    +- AccessDenied            the caller may not
    +- Unauthenticated         we do not know the caller (data plane: 401)
    +- ResourceNotFound
    +- Conflict                it is already there, or was changed meanwhile
    +- Validation              the request breaks a rule
    |  +- TooLarge             a body or a file above its limit
    +- ServiceQuotaExceeded
    +- Throttling
    +- NotSupported            a client command that this registry does not have
    +- UpstreamUnavailable     an external registry could not be asked; never means "not there"
    +- Unavailable             our own database or disk cannot answer now
    +- InternalServer

The control plane takes status and members from the service model; an adapter has one `error()`.
Messages are for users: what was wrong, with the value; no stack, no secret, no local path.
"""

from __future__ import annotations


class RegistryError(Exception):
    """Base of all: `message` is shown to the client."""

    def __init__(self, message: str, *, resource_id: str | None = None, resource_type: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.resource_id = resource_id
        self.resource_type = resource_type


class AccessDenied(RegistryError):
    """The caller is known and may not do this."""


class Unauthenticated(RegistryError):
    """No token, or one that is malformed, expired or revoked."""


class ResourceNotFound(RegistryError):
    """There is no such domain, repository, package, package-version or asset."""


class Conflict(RegistryError):
    """The thing exists already in another form, or the state does not allow the change."""


class Validation(RegistryError):
    """A rule about the request is broken; `reason` is one of the model's ValidationExceptionReason."""

    def __init__(self, message: str, *, reason: str = "FIELD_VALIDATION_FAILED") -> None:
        super().__init__(message)
        self.reason = reason


class TooLarge(Validation):
    """A body, file or member above its limit."""


class ServiceQuotaExceeded(RegistryError):
    """A quota of the guide's chapter "Quotas" is used up."""


class Throttling(RegistryError):
    """Too many requests; `retry_after` in seconds."""

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotSupported(RegistryError):
    """A command of the client that this registry does not offer."""


class UpstreamUnavailable(RegistryError):
    """An external registry is down, slow, or answers nonsense; `retry_after` in seconds."""

    def __init__(self, message: str, *, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(RegistryError):
    """Our own storage cannot answer now; `retry_after` in seconds.

    `undone`: it is certain that nothing was stored (else a commit may yet turn out to have happened).
    """

    def __init__(self, message: str, *, retry_after: int = 1, undone: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.undone = undone


class InternalServer(RegistryError):
    """A fault of ours; the message says nothing about it, the log does."""
