"""Errors as NuGet's clients can show them.

They print the status and its usual reason only; the text of `X-NuGet-Warning` is shown as a warning, so the message
goes there too.  A request that came without credentials gets none: that is how every command begins.
"""

from __future__ import annotations

from starlette.responses import Response

from registry.core.errors import RegistryError, ServiceQuotaExceeded, Unauthenticated
from registry.web import reply
from registry.web.failures import retry_after, status_of
from registry.web.request import Req

WARNING = "X-NuGet-Warning"
_LONGEST = 500
_STATUS = {ServiceQuotaExceeded: 403}
"""402 reads as a matter of payment."""


def answer(err: RegistryError, req: Req) -> Response:
    """Status, headers and body."""
    headers = retry_after(err)
    asked = isinstance(err, Unauthenticated) and not {"authorization", "x-nuget-apikey"} & set(req.headers.keys())
    if req.method not in ("GET", "HEAD") and not asked:
        headers[WARNING] = warning(err.message)
    return reply.json({"error": err.message}, status=status_of(err, _STATUS), headers=headers)


def warning(text: str) -> str:
    """One line of ASCII."""
    line = "".join(char if char.isascii() and char.isprintable() else "?" for char in " ".join(text.split()))
    return line[:_LONGEST]
