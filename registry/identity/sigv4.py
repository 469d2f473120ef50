"""Verify AWS Signature Version 4 of a raw request, in the header or in the query.  No I/O, no clock.

    claim = parse(method, raw_path, raw_query, headers, services=("codeartifact",), now=now)
    ... look up claim.access_key_id (registry.identity.callers.by_key) ...
    check(claim, secret, body_sha256=hex digest of the body)

`check` compares the body's digest with the claimed one, when there is a claim.  For a streamed body pass
body_sha256=None and compare the digest with `claim.payload` when the body has arrived; `claim.payload` is
never None then, or `check` refuses.

Every failure is a SignatureError with the service's error `code` and HTTP `status`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from registry.core.errors import Unauthenticated


class SignatureError(Unauthenticated):
    """The request is not signed as it should be."""

    def __init__(self, code: str, message: str, *, status: int = 403) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says of its signature, well formed but not checked.

    `payload` is the claimed SHA-256 of the body (x-amz-content-sha256), None when the request makes no claim.
    """

    access_key_id: str
    date: str
    region: str
    service: str
    timestamp: str
    signed_headers: tuple[str, ...]
    signature: str
    presigned: bool
    payload: str | None
    head: str


def parse(
    method: str,
    raw_path: bytes,
    raw_query: bytes,
    headers: Iterable[tuple[bytes, bytes]],
    *,
    services: tuple[str, ...] = ("codeartifact",),
    now: int,
) -> Claim:
    """Read the claim; refuse what is missing, malformed, expired, or for another service.  `now` in milliseconds."""
    raise NotImplementedError


def check(claim: Claim, secret: str, *, body_sha256: str | None) -> None:
    """Refuse a signature that this secret did not make, and a body other than the claimed one."""
    raise NotImplementedError
