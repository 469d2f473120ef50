"""TLS: the same answers, and https in every address."""

from __future__ import annotations

import http.client
import json
import os
import ssl
from pathlib import Path

import pytest

from tests.certificate import certificate
from tests.harness import Server, basic
from tests.samples.npm import Publish
from tests.web.conftest import ROOT


def test_everything_works_over_tls_and_addresses_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = certificate(tmp_path)
    monkeypatch.setenv("AWS_CA_BUNDLE", files["tls_certificate"])
    body = os.urandom(700_000)
    with Server(tmp_path / "data", settings={"server": files}) as server:
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
