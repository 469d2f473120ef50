"""Errors as `gem` shows them: one sentence of plain text, printed as it is."""

from __future__ import annotations

from starlette.responses import Response

from registry.core.errors import RegistryError, ServiceQuotaExceeded, Unauthenticated, Validation
from registry.web.failures import retry_after, status_of

_STATUS = {Validation: 422, ServiceQuotaExceeded: 403}


def answer(err: RegistryError) -> Response:
    """Status and body.  A body never begins in a way that makes `gem` ask for something (a one-time password)."""
    message = f"Access denied. {err.message}" if isinstance(err, Unauthenticated) else err.message
    headers = {"cache-control": "no-store", "content-type": "text/plain; charset=utf-8", **retry_after(err)}
    return Response(f"{message}\n".encode(), status_of(err, _STATUS), headers)
