"""Secrets after a busy day: in no log, no answer, no file but the one that is for them; files are their owner's."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path

import pytest

from tests.harness import Pair, Server, basic
from tests.samples import cargo, maven, npm, nuget, pypi, ruby, swift
from tests.samples.base import Shop


def test_the_data_directory_is_for_its_owner_only(tmp_path: Path) -> None:
    data = tmp_path / "deeper" / "data"
    with Server(data) as server:
        server.make("dom", "repo")
        body = npm.Publish(tgz=npm.tarball(files={"large.js": bytes(300_000)}, level=0)).body()
        assert server.request("PUT", server.endpoint("npm") + "left", body=body, token=server.token()).status == 201

        found = {data, *data.rglob("*")}

    assert {"packyard.db", "packyard.db-wal", "credentials", "master"} <= {path.name for path in found}
    files = [path for path in found if path.is_file()]
    assert [str(path) for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
    assert stat.S_IMODE(data.stat().st_mode) == 0o700


def test_tokens_and_passwords_stand_nowhere(pair: Pair) -> None:
    front, back = pair.front, pair.back
    token, above = front.token(), back.token("pub")
    assert back.request("PUT", back.endpoint("npm", "main", "pub") + "left", body=npm.Publish().body(), token=above)
    kind, form = pypi.upload(pypi.Project(), *pypi.wheel(pypi.Project()))
    headers = {"Content-Type": kind}
    assert back.request("POST", back.endpoint("pypi", "main", "pub"), body=form, token=above, headers=headers)

    heard = [
        front.get(front.endpoint(format) + path, token=token)
        for format, path in (
            ("npm", "left"),
            ("npm", "left/-/left-1.0.0.tgz"),
            ("npm", "nothing"),
            ("npm", f"-/user/token/{token}"),
            ("npm", f"left?token={token}"),
            ("pypi", "simple/sample-pkg/"),
            ("pypi", "pypi/sample-pkg/json"),
            ("pypi", "simple/nothing/"),
        )
    ]
    heard.append(front.request("DELETE", front.endpoint("npm") + f"-/user/token/{token}", token=token))
    front.request(
        "PUT", front.endpoint("npm") + "-/user/org.couchdb.user:me", body=json.dumps({"password": token}).encode()
    )
    for value in (
        "Basic " + base64.b64encode(b"aws:PASSWORD").decode(),
        "Bearer PASSWORD",
        "PASSWORD",
        "AWS4 PASSWORD",
    ):
        places = (front.endpoint("npm") + "left", front.url + "/v1/domain?domain=dom", front.url + "/metrics")
        heard += [front.get(address, headers={"Authorization": value}) for address in places]
    signed = front.boto().generate_presigned_url("describe_domain", Params={"domain": "dom"})
    assert front.get(signed).status == 200
    back.stop()
    heard += [
        front.get(front.endpoint(format) + path, token=token) for format, path in (("npm", "x"), ("pypi", "simple/x/"))
    ]
    front.stop()

    secrets = {
        "secret key": front.secret_key,
        "token": token.rpartition(".")[2],
        "upstream token": above.rpartition(".")[2],
        "upstream credentials": base64.b64encode(f"aws:{above}".encode()).decode()[8:60],
        "wrong password": "PASSWORD",
        "signature": signed.partition("X-Amz-Signature=")[2][:64],
    }
    said = front.log.getvalue().encode() + b"".join(answer.body + str(answer.headers).encode() for answer in heard)
    assert [name for name, secret in secrets.items() if secret.encode() in said] == []
    for path in front.data.rglob("*"):
        if path.is_file() and path.name != "credentials":
            assert [name for name, secret in secrets.items() if secret.encode() in path.read_bytes()] == [], path


@pytest.mark.parametrize("path", ["packyard.db", "credentials", "keys/master"])
def test_nothing_in_the_data_directory_can_be_fetched(server: Server, path: str) -> None:
    for prefix in ("", "/data", "/npm/d/dom-111122223333/repo/-", "/pypi/d/dom-111122223333/repo/simple/x/1"):
        for climb in (
            "",
            "../" * 6,
            "%2e%2e%2f" * 6,
            "..%2f" * 6,
            "..%5c" * 6,
            str(server.data).replace("/", "%2f") + "%2f",
        ):
            assert server.get(f"{prefix}/{climb}{path}", token=server.token()).status in (400, 404, 405)


def test_tokens_of_every_format_stand_nowhere(server: Server) -> None:
    """Each client's own way to send one, in good requests and in those that are refused with words of ours."""
    token = server.token()
    secret = token.rpartition(".")[2]
    heard = []
    for sample in (cargo.SAMPLE, maven.SAMPLE, nuget.SAMPLE, ruby.SAMPLE, swift.SAMPLE):
        shop = Shop(server, sample.format, "repo")
        heard.append(sample.publish(shop, "secret"))
        for headers in (
            {"Authorization": token},
            {"Authorization": f"Bearer {token}"},
            {"Authorization": f"{basic(token)}, {token}"},
            {"Authorization": f"Nonsense {token}"},
            {"Authorization": basic(token, user=token)},
            {"X-NuGet-ApiKey": token, "Authorization": ""},
            {"X-NuGet-ApiKey": token + "x", "Authorization": "Basic !"},
        ):
            for path in (sample.index("secret"), sample.index(secret[:9]), f"{token}/{token}/{token}/{token}"):
                heard.append(shop("GET", path, headers=headers))
                heard.append(shop("PUT", f"{path}?token={token}", b"nonsense", headers))
    server.stop()

    assert [answer for answer in heard if secret.encode() in answer.body + str(answer.headers).encode()] == []
    assert secret not in server.log.getvalue()
    for path in server.data.rglob("*"):
        if path.is_file() and path.name != "credentials":
            assert secret.encode() not in path.read_bytes(), path
