"""boto3 against a real server: what only shows on a real connection."""

from __future__ import annotations

import hashlib
import io
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.harness import ACCESS_KEY, SECRET_KEY, Server

VERSION = {
    "domain": "dom",
    "repository": "repo",
    "format": "generic",
    "namespace": "ns",
    "package": "pkg",
    "packageVersion": "1.0.0",
}


def publish(client: Any, name: str, content: bytes, body: Any = None, **more: Any) -> Any:
    digest = hashlib.sha256(content).hexdigest()
    asset = content if body is None else body
    return client.publish_package_version(**{**VERSION, **more}, assetName=name, assetContent=asset, assetSHA256=digest)


class Unseekable(io.RawIOBase):
    """A stream of unknown length, which botocore sends in chunks."""

    def __init__(self, content: bytes) -> None:
        self._rest = io.BytesIO(content)

    def read(self, size: int = -1) -> bytes:
        return self._rest.read(size)

    def readable(self) -> bool:
        return True


@pytest.mark.parametrize("size", [0, 1, 65_536, 9_000_001])
def test_a_body_of_any_size_arrives_whole(server: Server, size: int) -> None:
    client, content = server.boto(), bytes(range(256)) * (size // 256 + 1)
    content = content[:size]

    publish(client, "whole", content, unfinished=True)
    publish(client, "file", content, io.BytesIO(content), unfinished=True)
    done = publish(client, "chunked", content, Unseekable(content))
    assets = client.list_package_version_assets(**VERSION)["assets"]

    assert done["status"] == "Published"
    assert [(a["name"], a["size"]) for a in assets] == [(n, size) for n in ("chunked", "file", "whole")]
    for asset in assets:
        got = client.get_package_version_asset(**VERSION, asset=asset["name"])
        assert got["asset"].read() == content
        assert got["packageVersionRevision"] == done["versionRevision"]
        assert asset["hashes"]["SHA-512"] == hashlib.sha512(content).hexdigest()
    domain = client.describe_domain(domain="dom")["domain"]
    assert domain["assetSizeBytes"] == size


def test_errors_are_the_models_exceptions_with_their_members(server: Server) -> None:
    client = server.boto()

    with pytest.raises(client.exceptions.ResourceNotFoundException) as missing:
        client.describe_repository(domain="dom", repository="none")
    with pytest.raises(client.exceptions.ConflictException) as conflict:
        client.create_repository(domain="dom", repository="repo")
    with pytest.raises(client.exceptions.ValidationException) as invalid:
        client.describe_domain(domain="X!")
    with pytest.raises(ClientError) as stranger:
        server.boto(secret_key="wrong").list_domains()

    assert missing.value.response["resourceId"] == "none"
    assert missing.value.response["resourceType"] == "repository"
    assert conflict.value.response["resourceId"] == "repo"
    assert invalid.value.response["reason"] == "FIELD_VALIDATION_FAILED"
    assert stranger.value.response["Error"]["Code"] == "InvalidSignatureException"
    assert stranger.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_a_large_body_that_may_not_come_is_refused_early(server: Server) -> None:
    client, content = server.boto(), b"\0" * 30_000_000

    with pytest.raises(client.exceptions.ResourceNotFoundException):
        publish(client, "a", content, repository="none")

    assert client.describe_domain(domain="dom")["domain"]["assetSizeBytes"] == 0


@pytest.mark.parametrize(("repository", "first"), [("repo", b"HTTP/1.1 100 "), ("none", b"HTTP/1.1 404 ")])
def test_expect_continue_is_answered_before_the_body(server: Server, repository: str, first: bytes) -> None:
    head = _head(server, "POST", _target(repository), b"content", {"Expect": "100-continue"})

    with socket.create_connection((server.host.split(":")[0], server.port), timeout=10) as connection:
        connection.sendall(head)
        answer = connection.recv(65_536)
        assert answer.startswith(first)
        if repository == "repo":
            connection.sendall(b"content")
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_an_upload_that_is_cut_short_leaves_nothing(server: Server) -> None:
    client = server.boto()
    head = _head(server, "POST", _target("repo"), b"x" * 100_000, {})

    with socket.create_connection((server.host.split(":")[0], server.port), timeout=10) as connection:
        connection.sendall(head + b"x" * 50_000)

    assert client.list_packages(domain="dom", repository="repo")["packages"] == []
    publish(client, "a", b"x")
    assert client.describe_domain(domain="dom")["domain"]["assetSizeBytes"] == 1


def test_many_clients_add_assets_to_one_version(server: Server) -> None:
    client = server.boto()
    names = [f"asset-{n:02}" for n in range(16)]

    with ThreadPoolExecutor(8) as threads:
        done = list(threads.map(lambda name: publish(client, name, name.encode(), unfinished=True), names))

    assert {made["status"] for made in done} == {"Unfinished"}
    assert len({made["versionRevision"] for made in done}) == 16
    assert [a["name"] for a in client.list_package_version_assets(**VERSION)["assets"]] == names


def test_paginators_see_every_row_once(server: Server) -> None:
    client = server.boto()
    for n in range(7):
        client.create_repository(domain="dom", repository=f"r-{n}")
        publish(client, "a", b"1", package=f"p-{n}", packageVersion="1")
        publish(client, "a", b"1", packageVersion=f"1.{n}")

    def rows(operation: str, key: str, **more: Any) -> list[Any]:
        pages = client.get_paginator(operation).paginate(**more, PaginationConfig={"PageSize": 3})
        return [row for page in pages for row in page[key]]

    repo = {"domain": "dom", "repository": "repo"}
    package = {k: v for k, v in VERSION.items() if k != "packageVersion"}
    assert len({r["name"] for r in rows("list_repositories", "repositories")}) == 8
    assert len({r["name"] for r in rows("list_repositories_in_domain", "repositories", domain="dom")}) == 8
    assert len({p["package"] for p in rows("list_packages", "packages", **repo)}) == 8
    assert len({v["version"] for v in rows("list_package_versions", "versions", **package)}) == 7
    assert len(rows("list_domains", "domains")) == 1


def test_an_endpoint_answers_where_it_says(server: Server) -> None:
    found = server.boto().get_repository_endpoint(domain="dom", repository="repo", format="generic")

    assert found["repositoryEndpoint"] == server.endpoint("generic")


def _target(repository: str) -> str:
    wire = {"format": "generic", "namespace": "ns", "package": "pkg", "version": "1", "asset": "a"}
    query = "&".join(f"{k}={v}" for k, v in {"domain": "dom", "repository": repository, **wire}.items())
    return f"/v1/package/version/publish?{query}"


def _head(server: Server, method: str, target: str, body: bytes, headers: dict[str, str]) -> bytes:
    """A signed request without its body."""
    digest = hashlib.sha256(body).hexdigest()
    request = AWSRequest(method, f"{server.url}{target}", headers={"x-amz-content-sha256": digest})
    request.context["payload_signing_enabled"] = True
    request.data = body
    SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "codeartifact", "us-west-2").add_auth(request)
    fields = {"Host": server.host, "Content-Length": str(len(body)), **dict(request.headers.items()), **headers}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def test_the_model_is_the_one_that_clients_have() -> None:
    assert botocore.session.get_session().get_service_model("codeartifact").api_version == "2018-09-22"
