"""The generic endpoint over plain HTTP, and the control plane beside it."""

from __future__ import annotations

import base64
import hashlib
import itertools
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.harness import Answer, Server
from tests.samples.generic import NAMES, REFUSED, content

_numbers = itertools.count()


@dataclass
class Repo:
    """A fresh repository on the module's server."""

    server: Server
    aws: Any
    name: str

    def at(self, path: str) -> str:
        return self.server.endpoint("generic", self.name) + path

    def ask(self, method: str, path: str, body: bytes | Iterator[bytes] | None = None, **headers: str) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.server.request(method, self.at(path), body=body, headers=sent, token=self.server.token())

    def put(self, path: str, body: bytes, **headers: str) -> Answer:
        return self.ask("PUT", path, body, **headers)

    def api(self, operation: str, **members: Any) -> Any:
        return getattr(self.aws, operation)(
            domain="dom", repository=self.name, format="generic", namespace="ns", package="pkg", **members
        )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Any]]:
    settings = {"quotas": {"asset_bytes": 2_000_000}}
    with Server(tmp_path_factory.mktemp("data"), settings=settings) as server:
        yield server.make("dom"), server.boto()


@pytest.fixture
def repo(running: tuple[Server, Any]) -> Repo:
    server, aws = running
    name = f"repo{next(_numbers)}"
    aws.create_repository(domain="dom", repository=name)
    return Repo(server, aws, name)


def refused(answer: Answer, status: int, kind: str) -> str:
    assert answer.status == status, answer.text
    assert answer.headers["x-amzn-errortype"] == kind
    return str(answer.json()["message"])


def test_what_is_put_can_be_got(repo: Repo) -> None:
    body = content("a")

    put = repo.put("ns/pkg/1.0/a.bin", body)
    got = repo.ask("GET", "ns/pkg/1.0/a.bin")

    assert put.status == 201
    sha256 = hashlib.sha256(body).hexdigest()
    assert put.json()["asset"]["hashes"]["SHA-256"] == sha256
    assert put.json()["status"] == "Published"
    assert got.body == body
    assert got.headers["etag"] == f'"sha256:{sha256}"'
    assert got.headers["repr-digest"] == f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"
    assert got.headers["content-disposition"].startswith("attachment")
    assert got.headers["content-type"] == "application/octet-stream"
    assert repo.ask("GET", "ns/pkg/1.0/a.bin", if_none_match=got.headers["etag"]).status == 304


def test_head_and_ranges_are_answered(repo: Repo) -> None:
    body = content("a", 5000)
    repo.put("ns/pkg/1.0/a.bin", body)

    head = repo.ask("HEAD", "ns/pkg/1.0/a.bin")
    part = repo.ask("GET", "ns/pkg/1.0/a.bin", range="bytes=100-199", if_range=head.headers["etag"])

    assert (head.status, head.headers["content-length"], head.body) == (200, "5000", b"")
    assert (part.status, part.body) == (206, body[100:200])
    assert repo.ask("GET", "ns/pkg/1.0/a.bin", range="bytes=9000-").status == 416


@pytest.mark.parametrize("name", NAMES)
def test_names_of_the_guide_round_trip(name: str, repo: Repo) -> None:
    path = f"ns/pkg/1.0+b1/{quote(name, safe='+')}"

    assert repo.put(path, b"x").status == 201

    assert repo.ask("GET", path).body == b"x"
    assert repo.ask("GET", "ns/pkg/1.0+b1/").json()["assets"][0]["name"] == name
    got = repo.api("get_package_version_asset", packageVersion="1.0+b1", asset=name)
    assert got["asset"].read() == b"x"


@pytest.mark.parametrize("name", [name for name in REFUSED if name not in {"", ".", ".."}])
def test_other_names_are_refused(name: str, repo: Repo) -> None:
    answer = repo.put(f"ns/pkg/1.0/{quote(name, safe='')}", b"x")

    assert "asset" in refused(answer, 400, "ValidationException")


@pytest.mark.parametrize("path", ["ns/pkg/%2E%2E/a", "%2e/pkg/1/a", "ns/pkg/../a"])
def test_dot_segments_are_refused(path: str, repo: Repo) -> None:
    assert repo.put(path, b"x").status == 400


@pytest.mark.parametrize("path", ["n%20s/pkg/1/a", "n%2Fs/pkg/1/a", "ns/p%23/1/a"])
def test_odd_coordinates_are_refused(path: str, repo: Repo) -> None:
    refused(repo.put(path, b"x"), 400, "ValidationException")


def test_the_same_bytes_succeed_again_and_others_conflict(repo: Repo) -> None:
    assert repo.put("ns/pkg/1.0/a.bin", b"one").status == 201

    assert repo.put("ns/pkg/1.0/a.bin", b"one").status == 200
    assert "different content" in refused(repo.put("ns/pkg/1.0/a.bin", b"two"), 409, "ConflictException")
    assert "Published" in refused(repo.put("ns/pkg/1.0/b.bin", b"two"), 409, "ConflictException")
    assert repo.ask("GET", "ns/pkg/1.0/a.bin").body == b"one"


def test_a_version_stays_open_until_it_is_finished(repo: Repo) -> None:
    assert repo.put("ns/pkg/1.0/a.bin?unfinished=true", b"a").json()["status"] == "Unfinished"
    assert repo.put("ns/pkg/1.0/b.bin?unfinished", b"b").status == 201
    refused(repo.ask("GET", "ns/pkg/1.0/"), 404, "ResourceNotFoundException")
    refused(repo.ask("GET", "ns/pkg/1.0/a.bin"), 404, "ResourceNotFoundException")
    refused(repo.ask("POST", "ns/pkg/1.0/"), 400, "ValidationException")

    done = repo.ask("POST", "ns/pkg/1.0/?finish")

    assert (done.status, done.json()["status"]) == (200, "Published")
    assert repo.ask("GET", "ns/pkg/1.0/a.bin").body == b"a"
    refused(repo.put("ns/pkg/1.0/c.bin", b"c"), 409, "ConflictException")


def test_the_last_upload_can_finish_too(repo: Repo) -> None:
    repo.put("ns/pkg/1.0/a.bin?unfinished=1", b"a")

    assert repo.put("ns/pkg/1.0/b.bin", b"b").json()["status"] == "Published"
    assert [asset["name"] for asset in repo.ask("GET", "ns/pkg/1.0/").json()["assets"]] == ["a.bin", "b.bin"]


def test_a_wrong_checksum_stores_nothing(repo: Repo) -> None:
    for header in ("x_amz_content_sha256", "x_checksum_sha256"):
        said = refused(repo.put("ns/pkg/1.0/a.bin", b"x", **{header: "0" * 64}), 400, "ValidationException")
        assert "do not match" in said

    refused(repo.ask("GET", "ns/pkg/"), 404, "ResourceNotFoundException")


def test_create_only_wins_once(repo: Repo) -> None:
    assert repo.put("ns/pkg/1.0/a.bin", b"x", if_none_match="*").status == 201

    refused(repo.put("ns/pkg/1.0/a.bin", b"x", if_none_match="*"), 412, "ConflictException")


def test_lists_come_in_json_and_sums(repo: Repo) -> None:
    repo.put("ns/pkg/1.0/b%20b.bin?unfinished", b"b")
    repo.put("ns/pkg/1.0/a.bin", b"a")
    repo.put("ns/pkg/2.0/c.bin", b"c")
    repo.put("ns/pkg/3.0/c.bin?unfinished", b"c")

    sums = f"{hashlib.sha256(b'a').hexdigest()}  a.bin\n{hashlib.sha256(b'b').hexdigest()}  b b.bin\n"
    assert repo.ask("GET", "ns/pkg/1.0/", accept="text/plain").text == sums
    assert repo.ask("GET", "ns/pkg/1.0/SHA256SUMS").text == sums
    assert [each["version"] for each in repo.ask("GET", "ns/pkg/").json()["versions"]] == ["2.0", "1.0"]
    refused(repo.ask("GET", "ns/other/"), 404, "ResourceNotFoundException")
    refused(repo.ask("GET", "ns/pkg/9/"), 404, "ResourceNotFoundException")
    refused(repo.ask("GET", "ns/pkg/1.0/absent"), 404, "ResourceNotFoundException")


def test_an_asset_named_like_the_sums_is_itself(repo: Repo) -> None:
    repo.put("ns/pkg/1.0/SHA256SUMS", b"mine")

    assert repo.ask("GET", "ns/pkg/1.0/SHA256SUMS").body == b"mine"


def test_deleting_is_a_right_of_the_api(repo: Repo) -> None:
    repo.put("ns/pkg/1.0/a.bin", b"x")

    answer = repo.ask("DELETE", "ns/pkg/1.0/a.bin")

    assert answer.status == 405
    assert "PUT" in answer.headers["allow"]


def test_statuses_hold_here_too(repo: Repo) -> None:
    repo.put("ns/pkg/1.0/a.bin", b"x")

    repo.api("update_package_versions_status", versions=["1.0"], targetStatus="Unlisted")
    assert repo.ask("GET", "ns/pkg/").json()["versions"] == []
    assert repo.ask("GET", "ns/pkg/1.0/a.bin").status == 200
    repo.api("update_package_versions_status", versions=["1.0"], targetStatus="Archived")

    refused(repo.ask("GET", "ns/pkg/1.0/a.bin"), 404, "ResourceNotFoundException")
    refused(repo.put("ns/pkg/1.0/a.bin", b"x"), 409, "ConflictException")


def test_what_the_api_publishes_is_here_and_the_other_way_round(repo: Repo) -> None:
    digest = hashlib.sha256(b"api").hexdigest()
    repo.api("publish_package_version", packageVersion="1", assetName="a", assetContent=b"api", assetSHA256=digest)
    repo.put("ns/pkg/2/b", b"http")

    assert repo.ask("GET", "ns/pkg/1/a").body == b"api"
    assert repo.api("get_package_version_asset", packageVersion="2", asset="b")["asset"].read() == b"http"


def test_upstream_repositories_are_never_asked(repo: Repo) -> None:
    above = f"{repo.name}-up"
    repo.aws.create_repository(domain="dom", repository=above)
    repo.aws.update_repository(domain="dom", repository=repo.name, upstreams=[{"repositoryName": above}])
    Repo(repo.server, repo.aws, above).put("ns/pkg/1.0/a.bin", b"above")

    refused(repo.ask("GET", "ns/pkg/1.0/a.bin"), 404, "ResourceNotFoundException")
    refused(repo.ask("GET", "ns/pkg/"), 404, "ResourceNotFoundException")
    assert repo.put("ns/pkg/1.0/a.bin", b"here").status == 201


def test_a_body_above_the_quota_is_refused_with_or_without_length(repo: Repo) -> None:
    big = b"x" * 2_100_000

    refused(repo.put("ns/pkg/1.0/a.bin", big), 413, "ServiceQuotaExceededException")
    chunks = (big[start : start + 65536] for start in range(0, len(big), 65536))
    refused(repo.ask("PUT", "ns/pkg/1.0/a.bin", chunks), 413, "ServiceQuotaExceededException")

    refused(repo.ask("GET", "ns/pkg/"), 404, "ResourceNotFoundException")


def test_without_a_token_nothing_is_told(repo: Repo) -> None:
    answer = repo.server.request("PUT", repo.at("ns/pkg/1.0/a.bin"), body=b"x")

    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Basic realm="packyard"'


@pytest.mark.parametrize("way", ["-T", "stdin"])
def test_curl_uploads_and_resumes(way: str, repo: Repo, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("client not installed: curl")
    source, target = tmp_path / "source", tmp_path / "target"
    body = content("big", 1_500_000)
    source.write_bytes(body)
    target.write_bytes(body[:1000])
    common = [curl, "-sS", "--fail", "-u", f"aws:{repo.server.token()}", "--noproxy", "*"]
    url = repo.at("ns/pkg/1.0/big.bin")

    upload = ["-T", str(source)] if way == "-T" else ["-T", "-"]
    with source.open("rb") as stdin:
        subprocess.run([*common, *upload, url], check=True, stdin=stdin, capture_output=True, timeout=60)
    subprocess.run([*common, "-C", "-", "-o", str(target), url], check=True, capture_output=True, timeout=60)

    assert target.read_bytes() == body
