"""Checksums that HTTP clients send with a body, and those that we answer with; pure.

`x-amz-content-sha256` (AWS), `X-Checksum-*` (artifact stores), `Content-Digest` and `Repr-Digest` (RFC 9530),
`Digest` (RFC 3230), `Content-MD5`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping

from registry.core.errors import Validation
from registry.core.types import Digests

_SIZES = {"md5": 16, "sha1": 20, "sha256": 32, "sha512": 64}
_HEX = re.compile(r"[0-9a-f]+\Z")
_NAMES = {"md5": "md5", "sha": "sha1", "sha1": "sha1", "sha256": "sha256", "sha512": "sha512"}


def declared(headers: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """(header, algorithm, lower-case hex) of everything that was sent.  Raises Validation for what is malformed."""
    return list(_declared(headers))


def _declared(headers: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    if (sent := headers.get("x-amz-content-sha256")) is not None and sent != "UNSIGNED-PAYLOAD":
        if not _HEX.match(sent) or len(sent) != 64:
            raise Validation(f"x-amz-content-sha256 must be 64 lower-case hex digits, not {sent[:80]!r}")
        yield "x-amz-content-sha256", "sha256", sent
    for algorithm in _SIZES:
        name = f"x-checksum-{algorithm}"
        if (sent := headers.get(name)) is not None:
            yield name, algorithm, _hex(name, algorithm, sent)
    if (sent := headers.get("content-md5")) is not None:
        yield (
            "content-md5",
            "md5",
            _base64(  # RFC 1864
                "content-md5", "md5", sent
            ),
        )
    for name in ("content-digest", "repr-digest", "digest"):
        if (sent := headers.get(name)) is not None:
            yield from _listed(name, sent)


def _listed(header: str, sent: str) -> Iterator[tuple[str, str, str]]:
    """`sha-256=:BASE64:, ...` or, in the older header, without the colons; unknown algorithms are passed over."""
    for member in sent.split(","):
        key, equals, value = member.strip().partition("=")
        algorithm = _NAMES.get(key.strip().lower().replace("-", ""))
        if not equals:
            raise Validation(f"{header} is malformed: {sent[:80]!r}")
        if algorithm is not None:
            yield header, algorithm, _base64(header, algorithm, value.partition(";")[0].strip().strip(":"))


def _hex(header: str, algorithm: str, sent: str) -> str:
    value = sent.strip().lower()
    if not _HEX.match(value) or len(value) != _SIZES[algorithm] * 2:
        raise Validation(f"{header} is not a {algorithm} in hex: {sent[:140]!r}")
    return value


def _base64(header: str, algorithm: str, sent: str) -> str:
    try:
        value = base64.b64decode(sent, validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if len(value) != _SIZES[algorithm]:
        raise Validation(f"{header} is not a {algorithm} in base64: {sent[:140]!r}")
    return value.hex()


def verify(headers: list[tuple[str, str, str]], digests: Digests) -> None:
    """Raises Validation for the first that the received bytes do not have."""
    for header, algorithm, expected in headers:
        actual = getattr(digests, algorithm)
        if actual != expected:
            raise Validation(
                "The provided content hashes do not match the calculated content hashes. "
                f"{header}: expected {algorithm} {expected}, calculated {actual}"
            )


def repr_digest(sha256: str) -> str:
    """RFC 9530."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"


def hashes(digests: Digests) -> dict[str, str]:
    """As the service model names them."""
    return {"MD5": digests.md5, "SHA-1": digests.sha1, "SHA-256": digests.sha256, "SHA-512": digests.sha512}
