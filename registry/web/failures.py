"""Errors outside any format: status and a small JSON document."""

from __future__ import annotations

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


def plain(err: Exception) -> tuple[int, Raw, bytes]:
    """Status, headers and body of an error; what is none of ours tells nothing."""
    headers: Raw = []
    if not isinstance(err, errors.RegistryError):
        err = errors.InternalServer("Internal failure")
    status = next((STATUS[each] for each in type(err).__mro__ if each in STATUS), 500)
    if isinstance(err, (errors.Throttling, errors.UpstreamUnavailable, errors.Unavailable)):
        headers.append((b"retry-after", b"%d" % err.retry_after))
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="packyard"'))
    return status, headers, msgspec.json.encode({"message": err.message}) + b"\n"
