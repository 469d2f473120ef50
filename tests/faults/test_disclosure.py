"""A caller without rights learns from no answer which repositories and domains there are."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import botocore.exceptions
import pytest

from tests.chains.town import new_user
from tests.harness import ACCOUNT, Server
from tests.samples import npm, pypi

STRANGERS = "444455556666"
TOKENS = {
    "Effect": "Allow",
    "Action": ["codeartifact:GetAuthorizationToken", "sts:GetServiceBearerToken"],
    "Resource": "*",
}
FORM, UPLOAD = pypi.upload(pypi.Project(), *pypi.wheel(pypi.Project()))

REQUESTS: list[tuple[str, str, str, bytes | None, dict[str, str]]] = [
    *(("GET", "npm", path, None, {}) for path in (
        "left", "nothing", "left/1.0.0", "left/-/left-1.0.0.tgz", "-/whoami", "-/ping", "-/npm/v1/keys", "-/nothing",
        "-/v1/search?text=a", "-/user/org.couchdb.user:nobody", "-/package/left/dist-tags", "a/b/c/d/e", "..%2f", "",
    )),
    ("HEAD", "npm", "left", None, {}),
    ("PATCH", "npm", "left", b"x", {}),
    ("PUT", "npm", "left", npm.Publish().body(), {}),
    ("PUT", "npm", "left", npm.Publish(tgz=b"nonsense").body(), {}),
    ("PUT", "npm", "left", b"{", {}),
    ("PUT", "npm", "left", b'{"versions":{"1.0.0":{}}}', {}),
    ("DELETE", "npm", "left/-rev/1", None, {}),
    ("PUT", "npm", "-/package/left/dist-tags/next", b'"1.0.0"', {}),
    ("PUT", "npm", "-/package/left/dist-tags/next", b"nonsense", {}),
    ("POST", "npm", "-/npm/v1/security/audits", b"{}", {}),
    ("DELETE", "npm", "-/user/token/abc", None, {}),
    *(("GET", "pypi", path, None, {}) for path in (
        "", "simple/", "simple", "simple/x/", "simple/X/", "simple/%20/", "pypi/x/json", "simple/x/1/x-1.tar.gz", "a/b",
    )),
    ("GET", "pypi", "simple/x/", None, {"Accept": "image/png"}),
    ("POST", "pypi", "", UPLOAD, {"Content-Type": FORM}),
    ("POST", "pypi", "", UPLOAD[:-9], {"Content-Type": FORM}),
    ("POST", "pypi", "", UPLOAD, {"Content-Type": "text/xml"}),
    ("POST", "pypi", "simple/x/1/", b'{"yanked":true}', {"Content-Type": "application/json"}),
    ("POST", "pypi", "simple/x/1/", b"{}", {"Content-Type": "application/json"}),
    *(("GET", "generic", path, None, {}) for path in ("n/p/1/a", "n/p/1/a%09", "n/p/", "n/p/1/")),
    ("PUT", "generic", "n/p/1/a", b"x", {}),
    ("PUT", "generic", "n/p/1/a%09", b"x", {}),
    ("PUT", "generic", "n/p/1/a", b"x", {"x-checksum-sha256": "nonsense"}),
    ("POST", "generic", "n/p/1/?finish", None, {}),
    ("POST", "generic", "n/p/1/", None, {}),
    ("OPTIONS", "generic", "n/p/1/a", None, {}),
]  # fmt: skip


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`dom` with `repo` and a package in it; the strangers' account may get tokens and nothing else."""
    with Server(tmp_path_factory.mktemp("town") / "data") as server:
        server.make("dom", "repo")
        assert server.request("PUT", server.endpoint("npm") + "left", body=npm.Publish().body(), token=server.token())
        statement = {**TOKENS, "Action": TOKENS["Action"][0], "Principal": {"AWS": STRANGERS}}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        server.boto().put_domain_permissions_policy(domain="dom", policyDocument=policy)
        server.make("hidden", "repo")
        yield server


_number = itertools.count()


def caller(server: Server, kind: str) -> Any:
    who = f"{kind}{next(_number)}"
    if kind == "stranger":
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        return new_user(server, who, everything, account=STRANGERS)
    elsewhere = f"arn:aws:codeartifact:us-west-2:{ACCOUNT}:package/dom/elsewhere/*"
    publish = {"Effect": "Allow", "Action": "codeartifact:PublishPackageVersion", "Resource": elsewhere}
    return new_user(server, who, TOKENS, *([publish] if kind == "publisher" else []))


def heard(server: Server, token: str, request: tuple[Any, ...], repo: str, domain: str) -> tuple[Any, ...]:
    """The answer, the same for every name."""
    method, format, path, body, headers = request
    answer = server.request(
        method, server.endpoint(format, repo, domain) + path, body=body, headers=headers, token=token
    )
    told = {name: value for name, value in answer.headers.items() if name not in ("x-request-id", "date")}
    text = json.dumps([told, answer.body.decode("latin-1")])
    return answer.status, text.replace(f"repository/{domain}/{repo}", "R").replace(f"{domain}/{repo}", "R").replace(
        f"{domain}-{ACCOUNT}/{repo}", "R"
    ).replace(f"'{domain}'", "D").replace(f'\\"{domain}\\"', "D")


@pytest.mark.parametrize("who", ["nobody", "stranger", "publisher"])
def test_a_repository_that_is_closed_looks_as_one_that_is_not_there(town: Server, who: str) -> None:
    token = caller(town, who).get_authorization_token(domain="dom", domainOwner=ACCOUNT)["authorizationToken"]

    for request in REQUESTS:
        assert heard(town, token, request, "repo", "dom") == heard(town, token, request, "none", "dom"), request[:3]


@pytest.mark.parametrize("who", ["nobody", "stranger"])
def test_another_domain_looks_as_one_that_is_not_there(town: Server, who: str) -> None:
    token = caller(town, who).get_authorization_token(domain="dom", domainOwner=ACCOUNT)["authorizationToken"]

    for request in REQUESTS:
        there, absent = (heard(town, token, request, "repo", domain) for domain in ("hidden", "absent"))
        assert there == absent, request[:3]
        assert there[0] in (403, 404)


def test_who_may_read_hears_that_a_repository_is_not_there(town: Server) -> None:
    read = {"Effect": "Allow", "Action": "codeartifact:ReadFromRepository", "Resource": "*"}
    reader = new_user(town, "reader", TOKENS, read)
    token = reader.get_authorization_token(domain="dom")["authorizationToken"]

    for format, path in (("npm", "left"), ("npm", "-/whoami"), ("pypi", "simple/"), ("generic", "n/p/")):
        assert town.get(town.endpoint(format, "none") + path, token=token).status == 404


def test_who_may_publish_hears_that_a_repository_is_not_there(town: Server) -> None:
    publish = {"Effect": "Allow", "Action": "codeartifact:PublishPackageVersion", "Resource": "*"}
    publisher = new_user(town, "writer", TOKENS, publish)
    token = publisher.get_authorization_token(domain="dom")["authorizationToken"]

    for method, format, path, body, headers in (
        ("PUT", "npm", "left", npm.Publish().body(), {}),
        ("POST", "pypi", "", UPLOAD, {"Content-Type": FORM}),
        ("PUT", "generic", "n/p/1/a", b"x", {}),
    ):
        answer = town.request(method, town.endpoint(format, "none") + path, body=body, headers=headers, token=token)
        assert answer.status == 404
        assert town.request("GET", town.endpoint(format, "none"), token=token).status in (403, 404, 405)


@pytest.mark.parametrize("who", ["nobody", "stranger"])
@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("describe_repository", {}),
        ("delete_repository", {}),
        ("update_repository", {"description": "x"}),
        ("list_packages", {}),
        ("get_repository_endpoint", {"format": "npm"}),
        ("get_repository_permissions_policy", {}),
        ("describe_package", {"format": "npm", "package": "left"}),
        ("delete_package", {"format": "npm", "package": "left"}),
        ("dispose_package_versions", {"format": "npm", "package": "left", "versions": ["1.0.0"]}),
    ],
)
def test_the_control_plane_says_as_little(town: Server, who: str, operation: str, more: dict[str, Any]) -> None:
    client = caller(town, who)

    def told(repository: str) -> tuple[str, str]:
        with pytest.raises(botocore.exceptions.ClientError) as failure:
            getattr(client, operation)(domain="dom", domainOwner=ACCOUNT, repository=repository, **more)
        error = failure.value.response["Error"]
        return error["Code"], error["Message"].replace(f"dom/{repository}", "R")

    assert told("repo") == told("none")
