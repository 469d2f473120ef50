"""Checksums in headers."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.generic.checksums import declared, hashes, repr_digest, verify
from registry.core.errors import Validation
from registry.core.types import Digests

BODY = b"hello"
DIGESTS = Digests(*(getattr(hashlib, name)(BODY).hexdigest() for name in ("md5", "sha1", "sha256", "sha512")))


def b64(algorithm: str, body: bytes = BODY) -> str:
    return base64.b64encode(hashlib.new(algorithm, body).digest()).decode()


RIGHT = {
    "x-amz-content-sha256": DIGESTS.sha256,
    "x-checksum-sha256": DIGESTS.sha256.upper(),
    "x-checksum-sha1": DIGESTS.sha1,
    "x-checksum-md5": DIGESTS.md5,
    "x-checksum-sha512": DIGESTS.sha512,
    "content-md5": b64("md5"),
    "content-digest": f"sha-512=:{b64('sha512')}:, sha-256=:{b64('sha256')}:",
    "repr-digest": f"sha-256=:{b64('sha256')}:",
    "digest": f"SHA-256={b64('sha256')},md5={b64('md5')},unixsum=30637",
}


@pytest.mark.parametrize("header", RIGHT)
def test_a_right_checksum_is_read_and_holds(header: str) -> None:
    found = declared({header: RIGHT[header]})

    assert found
    verify(found, DIGESTS)


@pytest.mark.parametrize("header", RIGHT)
def test_a_wrong_checksum_is_told(header: str) -> None:
    other = Digests(*(getattr(hashlib, name)(b"other").hexdigest() for name in ("md5", "sha1", "sha256", "sha512")))

    with pytest.raises(Validation, match=f"do not match.*{header}"):
        verify(declared({header: RIGHT[header]}), other)


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("x-amz-content-sha256", DIGESTS.sha256.upper()),
        ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        ("x-checksum-sha256", "zz"),
        ("x-checksum-md5", DIGESTS.sha1),
        ("content-md5", "!"),
        ("content-digest", "sha-256=:AAAA:"),
        ("digest", "nonsense"),
    ],
)
def test_a_malformed_checksum_is_refused(header: str, value: str) -> None:
    with pytest.raises(Validation, match=header):
        declared({header: value})


def test_nothing_need_be_declared() -> None:
    assert declared({}) == []
    assert declared({"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}) == []
    assert declared({"digest": "unixsum=1"}) == []


@given(st.sampled_from(sorted(RIGHT)), st.text(max_size=60))
def test_any_header_is_read_or_refused(header: str, value: str) -> None:
    try:
        declared({header: value})
    except Validation:
        return


def test_answers_carry_digests() -> None:
    assert repr_digest(DIGESTS.sha256) == f"sha-256=:{b64('sha256')}:"
    assert list(hashes(DIGESTS)) == ["MD5", "SHA-1", "SHA-256", "SHA-512"]
