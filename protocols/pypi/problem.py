"""Errors as Python's clients can show them: `application/problem+json` with title, detail, status and message.

uv prints title and detail; poetry prints the body; twine only the code and, with --verbose, the body.
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from starlette.responses import Response

from registry.core.errors import NotSupported, RegistryError, ServiceQuotaExceeded
from registry.web.failures import retry_after, status_of


class NotAcceptable(RegistryError):
    """The client takes no form that the index has."""


_STATUS = {NotAcceptable: 406, ServiceQuotaExceeded: 403}


def answer(err: RegistryError) -> Response:
    """Status and body."""
    status = status_of(err, _STATUS)
    title = HTTPStatus(status).phrase
    body = {"title": title, "detail": err.message, "status": status, "message": err.message}
    headers = {"cache-control": "no-store", **retry_after(err)}
    if isinstance(err, NotSupported):
        headers["allow"] = "POST"
    return Response(msgspec.json.encode(body), status, headers, media_type="application/problem+json")
