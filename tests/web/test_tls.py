"""TLS: the same answers, and https in every address."""

from __future__ import annotations

import datetime
import http.client
import ipaddress
import json
import os
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.harness import Server, basic
from tests.samples.npm import Publish
from tests.web.conftest import ROOT


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with cert.pem and key.pem for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder


def test_everything_works_over_tls_and_addresses_say_so(
    certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"tls_certificate": str(certificate / "cert.pem"), "tls_key": str(certificate / "key.pem")}
    monkeypatch.setenv("AWS_CA_BUNDLE", files["tls_certificate"])
    body = os.urandom(700_000)
    with Server(tmp_path, settings={"server": files}) as server:
        assert server.url.startswith("https://")
        server.make("dom", "repo")
        headers = {"Authorization": basic(server.token())}
        context = ssl.create_default_context(cafile=files["tls_certificate"])
        connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=20)

        def ask(method: str, path: str, sent: bytes | None = None, **more: str) -> tuple[int, bytes]:
            connection.request(method, path, sent, {**headers, **{k.replace("_", "-"): v for k, v in more.items()}})
            reply = connection.getresponse()
            return reply.status, reply.read()

        path = f"{ROOT}ns/tls/1/a.bin"
        assert ask("PUT", path, body)[0] == 201
        for _ in range(2):
            assert ask("GET", path) == (200, body)
        assert ask("GET", path, Range="bytes=100000-299999") == (206, body[100_000:300_000])
        published = Publish(name="left").body()
        assert ask("PUT", "/npm/d/dom-111122223333/repo/left", published, Content_Type="application/json")[0] < 300
        packument = json.loads(ask("GET", "/npm/d/dom-111122223333/repo/left")[1])
        connection.close()
        endpoint = server.boto().get_repository_endpoint(domain="dom", repository="repo", format="npm")

    assert packument["versions"]["1.0.0"]["dist"]["tarball"].startswith(server.url)
    assert endpoint["repositoryEndpoint"].startswith(server.url)
