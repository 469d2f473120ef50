"""The hot cache never says more, or longer, than the ordinary way would."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from registry.web.hot import key_of
from tests.harness import ACCOUNT, Answer, Server
from tests.samples.npm import Publish

NPM = f"/npm/d/dom-{ACCOUNT}/repo/"
GENERIC = f"/generic/d/dom-{ACCOUNT}/repo/"


def publish(server: Server, version: str, name: str = "left") -> None:
    body = Publish(name=name, version=version).body()
    headers = {"Content-Type": "application/json"}
    assert server.request("PUT", NPM + name, body=body, headers=headers, token=server.token()).status in (200, 201)


def warm(server: Server, path: str, times: int = 3, **headers: str) -> Answer:
    """Ask until it is hot; every answer is the same."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answers = [server.get(path, token=server.token(), headers=named) for _ in range(times)]
    assert len({(each.status, each.body) for each in answers}) == 1
    return answers[-1]


def hits(server: Server) -> int:
    return server.app.front.metrics.hot


def test_the_second_answer_comes_from_the_cache_and_is_the_same(server: Server) -> None:
    publish(server, "1.0.0")
    first = server.get(NPM + "left", token=server.token())

    before = hits(server)
    second = server.get(NPM + "left", token=server.token())

    assert hits(server) == before + 1
    per_request = ("x-request-id", "date")
    assert second.body == first.body
    assert {k: v for k, v in second.headers.items() if k not in per_request} == {
        k: v for k, v in first.headers.items() if k not in per_request
    }
    assert second.headers["x-request-id"] != first.headers["x-request-id"]


def test_a_publish_is_seen_by_the_next_request(server: Server) -> None:
    for version in ("1.0.0", "1.0.1", "1.0.2"):
        publish(server, version)

        assert version in json.loads(warm(server, NPM + "left").body)["versions"]


def test_a_commit_elsewhere_leaves_the_answer_in_place(server: Server) -> None:
    publish(server, "1.0.0")
    warm(server, NPM + "left")
    publish(server, "1.0.0", name="right")
    before = hits(server)

    warm(server, NPM + "left", times=2)

    assert hits(server) == before + 1, "asked about once, then given at once"


def test_a_tag_that_matches_is_answered_with_304(server: Server) -> None:
    publish(server, "1.0.0")
    tag = warm(server, NPM + "left").headers["etag"]
    before = hits(server)

    answer = server.get(NPM + "left", token=server.token(), headers={"If-None-Match": tag})

    assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", tag)
    assert hits(server) == before + 1


def test_codings_and_representations_are_kept_apart(server: Server) -> None:
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        publish(server, version)
    plain = warm(server, NPM + "left")
    zipped = warm(server, NPM + "left", Accept_Encoding="gzip")
    short = warm(server, NPM + "left", Accept="application/vnd.npm.install-v1+json")

    assert zipped.headers["content-encoding"] == "gzip"
    assert gzip.decompress(zipped.body) == plain.body
    assert zipped.headers["etag"] != plain.headers["etag"]
    assert short.body != plain.body
    assert warm(server, NPM + "left").body == plain.body


def test_a_host_gets_its_own_addresses(server: Server) -> None:
    publish(server, "1.0.0")
    warm(server, NPM + "left")

    other = warm(server, NPM + "left", Host="packages.example:8080")

    assert b"http://packages.example:8080/npm/" in other.body
    assert b"packages.example" not in warm(server, NPM + "left").body


def test_no_token_gets_nothing_from_the_cache(server: Server) -> None:
    publish(server, "1.0.0")
    warm(server, NPM + "left")

    assert server.get(NPM + "left").status == 401
    assert server.get(NPM + "left", token=server.token()[:-2] + "xx").status == 401


def _deny(server: Server) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "codeartifact:ReadFromRepository",
                "Resource": "*",
            }
        ],
    }


@pytest.mark.parametrize("path", [NPM + "left", GENERIC + "ns/files/1/a.bin", GENERIC + "ns/files/1/large.bin"])
def test_a_right_that_is_taken_away_is_gone_for_the_next_request(server: Server, path: str) -> None:
    publish(server, "1.0.0")
    server.request("PUT", GENERIC + "ns/files/1/a.bin?unfinished=true", body=b"a", token=server.token())
    server.request("PUT", GENERIC + "ns/files/1/large.bin", body=bytes(200_000), token=server.token())
    assert warm(server, path).status == 200
    client = server.boto()

    client.put_repository_permissions_policy(domain="dom", repository="repo", policyDocument=json.dumps(_deny(server)))
    denied = server.get(path, token=server.token())
    client.delete_repository_permissions_policy(domain="dom", repository="repo")

    assert denied.status == 403
    assert warm(server, path).status == 200


def test_a_version_that_is_deleted_is_gone_for_the_next_request(server: Server) -> None:
    path = GENERIC + "ns/files/1/a.bin"
    server.request("PUT", path, body=b"a", token=server.token())
    assert warm(server, path).status == 200

    server.boto().delete_package_versions(
        domain="dom", repository="repo", format="generic", namespace="ns", package="files", versions=["1"]
    )

    assert server.get(path, token=server.token()).status == 404


def test_a_repository_that_is_deleted_is_gone_for_the_next_request(server: Server) -> None:
    publish(server, "1.0.0")
    warm(server, NPM + "left")

    server.boto().delete_repository(domain="dom", repository="repo")

    assert server.get(NPM + "left", token=server.token()).status == 404


def test_headers_that_nobody_looks_at_do_not_split_the_cache() -> None:
    base = [(b"host", b"h"), (b"authorization", b"Bearer t")]

    plain = key_of(b"/a", "127.0.0.1", base)
    session = key_of(b"/a", "127.0.0.1", [*base, (b"npm-session", b"1234")])

    assert plain is not None
    assert session is not None
    assert plain[0] == session[0]


@pytest.mark.parametrize("header", [b"authorization", b"host", b"accept", b"user-agent", b"x-anything"])
def test_every_other_header_splits_the_cache(header: bytes) -> None:
    one, other = (key_of(b"/a", "127.0.0.1", [(header, value)]) for value in (b"1", b"2"))

    assert one is not None
    assert other is not None
    assert one[0] != other[0]


@pytest.mark.parametrize("header", [b"range", b"content-length", b"transfer-encoding", b"expect", b"if-range"])
def test_unusual_requests_take_the_ordinary_way(header: bytes) -> None:
    assert key_of(b"/a", "127.0.0.1", [(header, b"1")]) is None


def test_a_request_of_unusual_length_is_not_remembered(server: Server) -> None:
    """Else a client could fill the memory with headers that nobody asks for."""
    publish(server, "1.0.0")
    warm(server, NPM + "left", x_padding="x" * 5000)
    warm(server, NPM + "left?" + "x" * 5000)

    assert hits(server) == 0
