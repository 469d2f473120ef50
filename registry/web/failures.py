"""What an error is in HTTP: one table of statuses for all formats, and the small JSON document outside any of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from registry.core import errors
from registry.web.wire import Raw

STATUS: dict[type[errors.RegistryError], int] = {
    errors.AccessDenied: 403,
    errors.Unauthenticated: 401,
    errors.ResourceNotFound: 404,
    errors.Conflict: 409,
    errors.TooLarge: 413,
    errors.Validation: 400,
    errors.ServiceQuotaExceeded: 402,
    errors.Throttling: 429,
    errors.NotSupported: 405,
    errors.UpstreamUnavailable: 502,
    errors.Unavailable: 503,
    errors.InternalServer: 500,
}


Special = Mapping[Any, int]
"""Classes of errors and their statuses."""


def status_of(err: errors.RegistryError, special: Special | None = None) -> int:
    """The status of an error; `special` holds what a format answers otherwise, and its own kinds."""
    table = {**STATUS, **special} if special else STATUS
    return next((table[each] for each in type(err).__mro__ if each in table), 500)


def retry_after(err: errors.RegistryError) -> dict[str, str]:
    """The header that says when to come again, where the error knows."""
    if isinstance(err, (errors.Throttling, errors.UpstreamUnavailable, errors.Unavailable)):
        return {"retry-after": str(err.retry_after)}
    return {}


def plain(err: Exception) -> tuple[int, Raw, bytes]:
    """Status, headers and body of an error; what is none of ours tells nothing."""
    headers: Raw = []
    if not isinstance(err, errors.RegistryError):
        err = errors.InternalServer("Internal failure")
    status = status_of(err)
    headers += [(name.encode(), value.encode()) for name, value in retry_after(err).items()]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="packyard"'))
    return status, headers, msgspec.json.encode({"message": err.message}) + b"\n"
