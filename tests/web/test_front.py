"""The front door: addresses, who may come in, what is told, what is logged."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from registry.core.errors import Validation
from registry.web.address import Addresses
from registry.web.log import LIMIT, Lines
from tests.harness import ACCOUNT, REGION, Server
from tests.web.conftest import ROOT

OTHER = "444455556666"
OTHER_KEYS = ("AKIAOTHER00000000001", "other/secret/key/of/forty/characters+000")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with two accounts, each with a domain of its own."""
    accounts = [{"id": OTHER, "access_key_id": OTHER_KEYS[0], "secret_access_key": OTHER_KEYS[1]}]
    with Server(tmp_path_factory.mktemp("two"), settings={"accounts": accounts}) as server:
        server.make("dom", "repo")
        stranger(server).create_domain(domain="theirs")
        yield server


def stranger(server: Server):  # type: ignore[no-untyped-def]
    return server.boto(access_key=OTHER_KEYS[0], secret_key=OTHER_KEYS[1])


def test_health_needs_no_credentials(shared: Server) -> None:
    assert shared.get("/healthz").json() == {"status": "ok"}
    assert shared.get("/readyz").json() == {"status": "ready"}
    assert shared.request("HEAD", "/healthz").status == 200
    assert shared.request("POST", "/healthz", body=b"").headers["allow"] == "GET, HEAD"


def test_it_is_not_ready_when_its_directory_is_gone(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        (tmp_path / "data").rename(tmp_path / "moved")

        answer = server.get("/readyz")

        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert str(tmp_path) not in answer.text


@pytest.mark.parametrize("format", ["npm", "pypi", "generic"])
@pytest.mark.parametrize("token", [None, "nonsense", "py1.e30.e30"])
def test_without_a_good_token_a_challenge_comes(shared: Server, format: str, token: str | None) -> None:
    for path in ("repo/x", "no-such-repo/x", "repo/no/such/route/at/all/here"):
        answer = shared.get(f"/{format}/d/dom-{ACCOUNT}/{path}", token=token)

        assert answer.status == 401
        assert 'Basic realm="packyard"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("place", [f"dom-{ACCOUNT}/nothing", f"nothing-{ACCOUNT}/repo", "dom-999988887777/repo"])
def test_a_repository_that_is_not_there_is_404_in_the_formats_words(shared: Server, place: str) -> None:
    answer = shared.get(f"/npm/d/{place}/left", token=shared.token())

    assert answer.status == 404
    assert "error" in answer.json()


@pytest.mark.parametrize(
    "path", [f"/nuclear/d/dom-{ACCOUNT}/repo/x", "/", "/x", "/npm", f"/npm/d/dom{ACCOUNT}/repo/x", "/npm/d/dom-1/r/x"]
)
def test_an_address_that_leads_nowhere_is_404(shared: Server, path: str) -> None:
    assert shared.get(path, token=shared.token()).status == 404


def test_a_method_that_a_path_has_not_is_405_with_those_it_has(shared: Server) -> None:
    answer = shared.request("DELETE", f"{ROOT}ns/p/1/a", token=shared.token())

    assert answer.status == 405
    assert answer.headers["allow"] == "PUT, GET, HEAD"


@pytest.mark.parametrize("path", ["ns/../x", "%2e%2e/x", "ns/%2E/x", "a%00b/p/1/x", "%ff/p/1/x"])
def test_a_path_that_climbs_or_is_no_text_is_400(shared: Server, path: str) -> None:
    assert shared.get(ROOT + path, token=shared.token()).status == 400


def test_double_slashes_do_not_matter(shared: Server) -> None:
    shared.request("PUT", f"{ROOT}sl/ash/1/a.bin", body=b"x", token=shared.token())

    assert shared.get(f"{ROOT}/sl//ash/1///a.bin", token=shared.token()).body == b"x"


def test_query_requests_to_the_root_get_an_error_that_clients_can_read(shared: Server) -> None:
    client = boto3.session.Session().client(
        "sts",
        endpoint_url=shared.url,
        region_name=REGION,
        aws_access_key_id=shared.access_key,
        aws_secret_access_key=shared.secret_key,
    )

    with pytest.raises(client.exceptions.ClientError, match="InvalidAction"):
        client.decode_authorization_message(EncodedMessage="x")


@pytest.mark.parametrize("host", ["a b", 'x"><script>', "h/../", "", "a:b:c"])
def test_a_host_that_is_none_is_refused(shared: Server, host: str) -> None:
    answer = shared.get(f"{ROOT}x", token=shared.token(), headers={"Host": host})

    assert answer.status in (400, 404)
    assert "script" not in answer.text


# --- other accounts ----------------------------------------------------------------------------


def test_a_repository_of_another_account_is_hidden(two: Server) -> None:
    token = stranger(two).get_authorization_token(domain="theirs")["authorizationToken"]

    there = two.get(f"/npm/d/dom-{ACCOUNT}/repo/left", token=token)
    absent = two.get(f"/npm/d/dom-{ACCOUNT}/nope/left", token=token)

    assert there.status == absent.status == 404
    assert there.text.replace("repo", "nope") == absent.text


def test_a_repository_that_another_account_may_read_says_what_it_may_not(two: Server) -> None:
    client = two.boto()
    for operation, actions in (
        (client.put_domain_permissions_policy, ["codeartifact:GetAuthorizationToken"]),
        (client.put_repository_permissions_policy, ["codeartifact:ReadFromRepository"]),
    ):
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"},
                    "Action": actions,
                    "Resource": "*",
                }
            ],
        }
        where = {} if operation == client.put_domain_permissions_policy else {"repository": "repo"}
        operation(domain="dom", policyDocument=json.dumps(policy), **where)
    token = stranger(two).get_authorization_token(domain="dom", domainOwner=ACCOUNT)["authorizationToken"]

    read = two.get(f"/pypi/d/dom-{ACCOUNT}/repo/simple/", token=token)
    written = two.request("PUT", f"/generic/d/dom-{ACCOUNT}/repo/ns/p/1/a", body=b"x", token=token)

    assert read.status == 200
    assert written.status == 403


def test_a_token_is_good_for_one_domain(two: Server) -> None:
    two.make("second", "repo")

    answer = two.get(f"/npm/d/second-{ACCOUNT}/repo/left", token=two.token("dom"))

    assert answer.status == 403


# --- measuring and logging ---------------------------------------------------------------------


def test_metrics_are_for_who_may_read_them(shared: Server) -> None:
    assert shared.get("/metrics").status == 401

    answer = shared.get("/metrics", token=shared.token())

    assert answer.status == 200
    assert 'packyard_requests_total{plane="control",status="2xx"}' in answer.text


def test_metrics_can_be_public(tmp_path: Path) -> None:
    with Server(tmp_path, settings={"metrics": {"public": True}}) as server:
        assert server.get("/metrics").status == 200


def test_every_request_is_one_line_without_secrets(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        token = server.make("dom", "repo").token()
        server.request("PUT", f"{ROOT}ns/logged/1/a.bin", body=b"four", token=token)
        for _ in range(3):
            server.get(f"{ROOT}ns/logged/1/a.bin", token=token)
        server.get(f"/npm/d/dom-{ACCOUNT}/repo/-/npm/v1/tokens/token/{token}", token=token)
        server.request("DELETE", f"/npm/d/dom-{ACCOUNT}/repo/-/user/token/{token}", token=token)
        server.get(f"{ROOT}ns/logged/1/a.bin?token=hidden", token="wrong")
    text = server.log.getvalue()
    lines = [each for each in server.records() if each.get("path") == f"{ROOT}ns/logged/1/a.bin"]

    assert [(each["method"], each["status"], each["bytes"]) for each in lines[1:4]] == [("GET", 200, 4)] * 3
    assert {"time", "id", "caller", "action", "resource", "method", "path", "status", "bytes", "ms", "source"} <= set(
        lines[3]
    )
    assert lines[1]["caller"] == f"arn:aws:iam::{ACCOUNT}:user/admin"
    assert len({each["id"] for each in lines}) == len(lines)
    assert lines[-1]["status"] == 401
    for secret in (token, server.secret_key, "hidden"):
        assert secret not in text


def test_a_log_that_nobody_reads_holds_nothing_up() -> None:
    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            time.sleep(60)
            return 0

    lines = Lines(Stuck())

    for _ in range(LIMIT + 100):
        lines.add({"time": 0})

    assert lines._dropped or len(lines._waiting) <= LIMIT


# --- addresses behind a proxy ------------------------------------------------------------------


def scope(peer: str, **forwarded: str) -> dict[str, object]:
    headers = [(f"x-forwarded-{name}".encode(), value.encode()) for name, value in forwarded.items()]
    return {"scheme": "http", "client": (peer, 1), "headers": [(b"host", b"inner:8080"), *headers]}


def test_a_trusted_proxy_tells_scheme_host_and_client() -> None:
    addresses = Addresses("", ["10.0.0.0/8"])
    asked = scope("10.1.2.3", proto="https", host="packages.example", **{"for": "6.6.6.6, 203.0.113.7, 10.9.9.9"})

    addresses.settle(asked)

    assert addresses.base(asked) == "https://packages.example"
    assert asked["client"] == ("203.0.113.7", 0)


def test_anybody_else_tells_nothing() -> None:
    addresses = Addresses("", ["10.0.0.0/8"])
    asked = scope("192.0.2.1", proto="https", host="evil.example", **{"for": "10.0.0.1"})

    addresses.settle(asked)

    assert addresses.base(asked) == "http://inner:8080"
    assert asked["client"] == ("192.0.2.1", 1)


def test_a_set_base_url_overrides_what_requests_say() -> None:
    assert Addresses("https://p.example/x/", []).base(scope("1.1.1.1")) == "https://p.example/x"


def test_two_hosts_are_refused() -> None:
    asked = scope("192.0.2.1")
    asked["headers"] = [(b"host", b"a"), (b"host", b"b")]

    with pytest.raises(Validation):
        Addresses("", []).base(asked)
