"""An OpenID Connect issuer on this machine: signs tokens, shows its keys, may be down, may change its keys."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature


def b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


class Issuer:
    """`url` is the issuer.  `asked` counts requests for its keys."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.keys: dict[str, Any] = {}
        self.down = False
        self.asked = 0
        self.other: dict[str, Any] | None = None
        self.rotate("first")

    def rotate(self, key_id: str, key: Any = None) -> None:
        """From now on there is this key only."""
        self.key_id, self.key = key_id, key or rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def token(self, **claims: Any) -> str:
        now = int(time.time())
        body = {"iss": self.url, "aud": "packyard", "sub": "repo:acme/app:ref:refs/heads/main", "iat": now,
                "nbf": now - 5, "exp": now + 300, **claims}  # fmt: skip
        return self.sign({k: v for k, v in body.items() if v is not None})

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        head = {"alg": self.algorithm, "typ": "JWT", "kid": self.key_id, **header}
        text = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(claims).encode())}"
        return f"{text}.{b64(self._signature(text.encode()))}"

    @property
    def algorithm(self) -> str:
        if isinstance(self.key, rsa.RSAPrivateKey):
            return "RS256"
        return "ES256" if isinstance(self.key, ec.EllipticCurvePrivateKey) else "EdDSA"

    def _signature(self, text: bytes) -> bytes:
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(text, padding.PKCS1v15(), hashes.SHA256())
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            r, s = decode_dss_signature(self.key.sign(text, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        assert isinstance(self.key, ed25519.Ed25519PrivateKey)
        return self.key.sign(text)

    def shown(self) -> dict[str, Any]:
        public = self.key.public_key()
        common = {"kid": self.key_id, "use": "sig", "alg": self.algorithm}
        if isinstance(public, rsa.RSAPublicKey):
            numbers = public.public_numbers()
            return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e), **common}
        if isinstance(public, ec.EllipticCurvePublicKey):
            point = public.public_numbers()
            x, y = b64(point.x.to_bytes(32, "big")), b64(point.y.to_bytes(32, "big"))
            return {"kty": "EC", "crv": "P-256", "x": x, "y": y, **common}
        return {"kty": "OKP", "crv": "Ed25519", "x": b64(public.public_bytes_raw()), **common}

    def document(self, path: str) -> dict[str, Any] | None:
        if path == "/ci/.well-known/openid-configuration":
            return self.other or {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        if path == "/ci/keys":
            self.asked += 1
            return {"keys": [self.shown()]}
        return None


@contextmanager
def running() -> Iterator[Issuer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            document = None if issuer.down else issuer.document(self.path)
            body = json.dumps(document).encode()
            self.send_response(503 if issuer.down else 404 if document is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = Issuer(f"http://127.0.0.1:{server.server_port}/ci")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
