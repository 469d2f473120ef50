"""Errors as the client shows them: problem details (RFC 9457) with the protocol's version beside them."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from starlette.responses import Response

from protocols.swift.accept import UnsupportedMediaType
from registry.core.errors import RegistryError, ServiceQuotaExceeded, Validation
from registry.web.failures import retry_after, status_of

VERSION = {"content-version": "1"}
"""On every answer: without it the client takes none."""


class Unprocessable(Validation):
    """The archive, its metadata or its signature cannot be used."""


_STATUS = {UnsupportedMediaType: 415, Unprocessable: 422, ServiceQuotaExceeded: 403}


def answer(err: RegistryError) -> Response:
    status = status_of(err, _STATUS)
    body = {"status": status, "title": HTTPStatus(status).phrase, "detail": err.message}
    headers = {**VERSION, "cache-control": "no-store", "content-language": "en", **retry_after(err)}
    return Response(msgspec.json.encode(body), status, headers, media_type="application/problem+json")
