"""Signed JSON web tokens (RFC 7515, 7518, 7519): taken apart and verified.  Pure; no I/O, no clock.

Only signatures with public keys are taken (RS, PS, ES and EdDSA): never `none`, never a shared secret.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

LONGEST = 20_000
_SHORTEST_RSA = 2048
_HASHES: Mapping[str, type[hashes.SHA256 | hashes.SHA384 | hashes.SHA512]] = {
    "256": hashes.SHA256,
    "384": hashes.SHA384,
    "512": hashes.SHA512,
}
_CURVES: Mapping[str, tuple[str, type[ec.EllipticCurve], int]] = {
    "ES256": ("P-256", ec.SECP256R1, 32),
    "ES384": ("P-384", ec.SECP384R1, 48),
    "ES512": ("P-521", ec.SECP521R1, 66),
}
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", *_CURVES, "EdDSA")

Key = Mapping[str, Any]
"""A JSON web key (RFC 7517)."""


class BadToken(Exception):
    """Not a token, or not signed by any of these keys; the message is for the client."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token taken apart, not yet believed.  `key_id` is the header's `kid`, or ""."""

    algorithm: str
    key_id: str
    claims: Mapping[str, Any]
    signed: bytes
    signature: bytes


def parse(text: str) -> Token:
    """Raises BadToken."""
    parts = text.split(".")
    if len(text) > LONGEST or len(parts) != 3:
        raise BadToken("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
    header, claims = _object(parts[0]), _object(parts[1])
    algorithm, key_id = header.get("alg"), header.get("kid", "")
    if algorithm not in ALGORITHMS or not isinstance(key_id, str) or "crit" in header:
        raise BadToken("The token is not signed in a way that is accepted")
    return Token(algorithm, key_id, claims, f"{parts[0]}.{parts[1]}".encode(), _bytes(parts[2]))


def verify(token: Token, keys: Sequence[Key]) -> bool:
    """Did one of these keys sign it?  With a `kid`, only keys of that name are tried."""
    named = [key for key in keys if key.get("kid") == token.key_id] if token.key_id else list(keys)
    return any(_signed(token, key) for key in named if key.get("use", "sig") == "sig")


def _signed(token: Token, key: Key) -> bool:
    if key.get("alg", token.algorithm) != token.algorithm:
        return False
    try:
        kind = token.algorithm[:2]
        if kind in ("RS", "PS"):
            _rsa(token, key)
        elif kind == "ES":
            _ec(token, key)
        else:
            _ed(token, key)
    except (InvalidSignature, ValueError, KeyError, TypeError, BadToken):
        return False
    return True


def _rsa(token: Token, key: Key) -> None:
    if key["kty"] != "RSA":
        raise ValueError
    public = rsa.RSAPublicNumbers(_number(key["e"]), _number(key["n"])).public_key()
    if public.key_size < _SHORTEST_RSA:
        raise ValueError
    digest = _HASHES[token.algorithm[2:]]()
    if token.algorithm.startswith("RS"):
        public.verify(token.signature, token.signed, padding.PKCS1v15(), digest)
    else:
        public.verify(token.signature, token.signed, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)


def _ec(token: Token, key: Key) -> None:
    name, curve, size = _CURVES[token.algorithm]
    if key["kty"] != "EC" or key["crv"] != name or len(token.signature) != 2 * size:
        raise ValueError
    public = ec.EllipticCurvePublicNumbers(_number(key["x"]), _number(key["y"]), curve()).public_key()
    r, s = int.from_bytes(token.signature[:size], "big"), int.from_bytes(token.signature[size:], "big")
    digest = _HASHES[token.algorithm[2:]]()
    public.verify(encode_dss_signature(r, s), token.signed, ec.ECDSA(digest))


def _ed(token: Token, key: Key) -> None:
    if key["kty"] != "OKP" or key["crv"] != "Ed25519":
        raise ValueError
    ed25519.Ed25519PublicKey.from_public_bytes(_bytes(key["x"])).verify(token.signature, token.signed)


def _number(text: str) -> int:
    return int.from_bytes(_bytes(text), "big")


def _object(text: str) -> Mapping[str, Any]:
    try:
        value = msgspec.json.decode(_bytes(text))
    except (msgspec.DecodeError, RecursionError):
        raise BadToken("The ID Token provided is not a valid JWT") from None
    if not isinstance(value, dict):
        raise BadToken("The ID Token provided is not a valid JWT")
    return value


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadToken("The ID Token provided is not a valid JWT") from None
