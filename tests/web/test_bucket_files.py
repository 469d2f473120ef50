"""Files that lie in a bucket, as clients meet them: a whole server, a real bucket, and harm in between."""

from __future__ import annotations

import hashlib
import http.client
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests import bucket
from tests.faulty import Cut, Faulty, Refuse, Say, beside
from tests.harness import Answer, Server

BIG = os.urandom(3 * 1024 * 1024)
SMALL = b"small and hot"


@pytest.fixture(scope="module")
def proxy() -> Iterator[Faulty]:
    with beside(bucket.shared().url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in bucket.shared().environment.items():
            patch.setenv(name, value)
        yield bucket.shared().environment


def storage(address: str, **more: Any) -> dict[str, Any]:
    place = bucket.shared().place()
    return {"storage": {"blobs": place, "s3_endpoint_url": address, "s3_attempts": 2, "s3_read_timeout": 3, **more}}


@pytest.fixture(scope="module")
def server(proxy: Faulty, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("data"), settings=storage(proxy.url)) as server:
        server.make("dom", "repo")
        publish(server, "small", SMALL)
        publish(server, "big", BIG)
        yield server


@pytest.fixture(autouse=True)
def peace(request: pytest.FixtureRequest) -> Iterator[None]:
    proxy: Faulty = request.getfixturevalue("proxy")
    proxy.fault = lambda request: None
    proxy.requests.clear()
    yield
    proxy.fault = lambda request: None


def publish(server: Server, version: str, body: bytes) -> None:
    server.boto().publish_package_version(
        domain="dom",
        repository="repo",
        format="generic",
        namespace="ns",
        package="tool",
        packageVersion=version,
        assetName="tool.bin",
        assetContent=body,
        assetSHA256=hashlib.sha256(body).hexdigest(),
    )


def path(version: str) -> str:
    return f"/generic/d/dom-111122223333/repo/ns/tool/{version}/tool.bin"


def ask(server: Server, version: str, method: str = "GET", **headers: str) -> Answer:
    connection = http.client.HTTPConnection(server.host, timeout=30)
    try:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path(version), headers={"authorization": f"Bearer {server.token()}", **given})
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def test_a_download_is_one_request_of_the_bucket(server: Server, proxy: Faulty):
    answer = ask(server, "big")

    assert (answer.status, answer.body) == (200, BIG)
    assert [each.method for each in proxy.requests] == ["GET"]


def test_a_head_and_a_known_etag_ask_the_bucket_nothing(server: Server, proxy: Faulty):
    answer = ask(server, "big", "HEAD")

    assert (answer.status, answer.headers["content-length"]) == (200, str(len(BIG)))
    assert ask(server, "big", if_none_match=answer.headers["etag"]).status == 304
    assert proxy.requests == []


def test_a_part_is_a_part_of_the_bucket_too(server: Server, proxy: Faulty):
    answer = ask(server, "big", range="bytes=1000000-1000009")

    assert (answer.status, answer.body) == (206, BIG[1_000_000:1_000_010])
    assert answer.headers["content-range"] == f"bytes 1000000-1000009/{len(BIG)}"
    assert proxy.requests[0].headers["range"] == "bytes=1000000-1000009"


def test_a_small_file_is_asked_for_once(server: Server, proxy: Faulty):
    publish(server, "warm", b"warm")
    proxy.requests.clear()

    answers = [ask(server, "warm").body for _ in range(3)]

    assert answers == [b"warm"] * 3
    assert [each.method for each in proxy.requests] == ["GET"]
    proxy.fault = lambda request: Refuse()
    assert ask(server, "warm").body == b"warm"


def test_other_bytes_than_were_stored_are_never_kept_nor_told(server: Server, proxy: Faulty):
    publish(server, "changed", b"as it was stored")
    client = bucket.shared().boto()
    name = next(each.path.partition("?")[0] for each in proxy.requests if each.method == "PUT")
    client.put_object(Bucket=bucket.BUCKET, Key=name.removeprefix(f"/{bucket.BUCKET}/"), Body=b"as it was changd")

    assert ask(server, "changed").status == 503


def test_a_download_that_the_bucket_breaks_off_is_whole_all_the_same(server: Server, proxy: Faulty):
    cuts = iter([Cut(1024 * 1024), Cut(1024 * 1024)])
    proxy.fault = lambda request: next(cuts, None)

    assert ask(server, "big").body == BIG
    assert len(proxy.requests) == 3


def test_a_download_that_cannot_go_on_breaks_the_clients_connection(server: Server, proxy: Faulty):
    proxy.fault = lambda request: Cut(1024 * 1024) if len(proxy.requests) == 1 else Refuse()

    with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
        ask(server, "big")


def test_without_its_bucket_the_answer_is_503_and_comes_with_a_time(server: Server, proxy: Faulty):
    proxy.fault = lambda request: Say(503)

    answer = ask(server, "big")

    assert answer.status == 503
    assert int(answer.headers["retry-after"]) > 0
    assert _plain(server, "/readyz") == 503


def test_a_publish_without_its_bucket_stores_nothing_and_works_afterwards(server: Server, proxy: Faulty):
    import botocore.exceptions

    for fault in (Refuse(), Say(403, "AccessDenied")):
        proxy.fault = lambda request, fault=fault: fault
        with pytest.raises(botocore.exceptions.ClientError) as told:
            publish(server, "later", b"later")
        assert told.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    listed = server.boto().list_package_versions(
        domain="dom", repository="repo", format="generic", namespace="ns", package="tool"
    )
    assert "later" not in {each["version"] for each in listed["versions"]}

    proxy.fault = lambda request: None
    publish(server, "later", b"later")
    assert ask(server, "later").body == b"later"


def test_a_client_that_leaves_ends_the_download_from_the_bucket(server: Server, proxy: Faulty):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        head = f"GET {path('big')} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {server.token()}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")

    assert ask(server, "big").body == BIG


def test_a_server_starts_without_its_bucket_and_serves_when_it_is_there(
    environment: dict[str, str], proxy: Faulty, tmp_path_factory: pytest.TempPathFactory
):
    proxy.fault = lambda request: Refuse()
    with Server(tmp_path_factory.mktemp("early"), settings=storage(proxy.url)) as early:
        early.make("dom", "repo")
        assert _plain(early, "/readyz") == 503
        proxy.fault = lambda request: None
        assert _plain(early, "/readyz") == 200
        publish(early, "1", b"there")
        assert ask(early, "1").body == b"there"


def _plain(server: Server, path: str) -> int:
    connection = http.client.HTTPConnection(server.host, timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_redirect_leads_to_the_bucket_where_it_is_wanted_and_allowed(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
):
    address = bucket.shared().url
    settings = storage(address, s3_redirect_seconds=60)
    with Server(tmp_path_factory.mktemp("redirects"), settings=settings) as server:
        server.make("dom", "repo")
        publish(server, "1", SMALL)
        answer = ask(server, "1")
        head = ask(server, "1", "HEAD")
        known = ask(server, "1", if_none_match=head.headers["etag"])
        through_the_api = server.boto().get_package_version_asset(
            domain="dom", repository="repo", format="generic", namespace="ns", package="tool", packageVersion="1",
            asset="tool.bin",
        )["asset"].read()  # fmt: skip

    assert answer.status == 302
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["location"].startswith(address)
    assert "Bearer" not in str(answer.headers)
    assert _followed(answer.headers["location"]) == SMALL
    assert (known.status, head.status, through_the_api) == (304, 200, SMALL)


def _followed(address: str) -> bytes:
    import urllib.request

    with urllib.request.urlopen(address, timeout=10) as answer:
        return bytes(answer.read())


def test_formats_whose_clients_may_not_be_sent_away_never_are():
    import protocols

    allowed = {adapter.info.name for adapter in protocols.FORMATS if adapter.info.redirects}

    assert allowed.isdisjoint({"npm", "pypi", "nuget", "swift"})
    assert "generic" in allowed
