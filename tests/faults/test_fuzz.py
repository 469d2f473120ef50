"""Requests put together by chance from pieces that matter: the server answers each, and never with its own fault."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocols import FORMATS, NAMES
from registry.web.adapter import Route
from tests.faults.publishes import failures
from tests.harness import ACCOUNT, Server, basic
from tests.samples import npm, nuget, pypi, swift

PIECES = [
    "left", "@scope%2fleft", "@scope", "-", "-rev", "1-abc", "package", "dist-tags", "latest", "v1", "search", "whoami",
    "user", "org.couchdb.user:me", "token", "npm", "security", "audits", "quick", "advisories", "bulk", "attestations",
    "left@1.0.0", "left-1.0.0.tgz", "simple", "sample-pkg", "1.0.0", "pypi", "json",
    "sample_pkg-1.0.0-py3-none-any.whl",
    "sample_pkg-1.0.0-py3-none-any.whl.metadata", "x.asc", "x.provenance", "names", "tool", "SHA256SUMS", "a b", "%41",
    "%2e", "..", "%00", "%ff", "%c3%a9", "%2f", "%5c", "%0d%0a", "%", "~", "+", "", "é", "*", ";", "'", "%22", "<",
    "0" * 300,
    "com", "example", "maven-metadata.xml", "maven-metadata.xml.sha1", "1.0-SNAPSHOT", "lib-1.0.jar",
    "lib-1.0-20260101.000000-1.pom", "config.json", "api", "crates", "new", "download", "yank", "owners", "me", "le",
    "ft",
    "v3", "index.json", "flat", "registration-gz-semver2", "page", "query", "autocomplete", "symbolpackage", "icon",
    "left.1.0.0.nupkg", "left.nuspec", "info", "versions", "names", "gems", "left-1.0.0.gem", "quick", "Marshal.4.8",
    "left-1.0.0.gemspec.rz", "dependencies", "left.json", "api_key", "specs.4.8.gz", "identifiers", "acme",
    "Package.swift", "1.0.0.zip", "login", "availability",
]  # fmt: skip
QUERIES = [
    "",
    "?",
    "?text=a&size=5",
    "?size=-1",
    "?format=json",
    "?finish",
    "?unfinished=true",
    "?write=true",
    "?a=%ff&a=%00",
    "?q=%00&skip=-1",
    "?q=id:left&take=9999999999",
    "?per_page=x",
    "?gems=left,%00,..",
    "?url=http://[x",
    "?swift-version=%0a",
]
HEADERS = [
    ("Accept", "application/vnd.npm.install-v1+json"), ("Accept", "text/html;q=0.1, */*"), ("Accept", ";;q=,"),
    ("Accept-Encoding", "gzip"), ("Accept-Encoding", "*;q=0"), ("Range", "bytes=0-1"), ("Range", "bytes=-0,5-"),
    ("If-None-Match", "*"), ("If-None-Match", 'W/"x", "y'), ("If-Modified-Since", "yesterday"), ("If-Range", '"x"'),
    ("Content-Type", "application/json"), ("Content-Type", "multipart/form-data; boundary=c0ffee"),
    ("Content-Type", 'multipart/form-data; boundary="'), ("Content-Encoding", "gzip"), ("Expect", "100-continue"),
    ("X-Checksum-Sha256", "zz"), ("Content-MD5", "!"), ("X-Forwarded-Host", "a b"), ("X-Forwarded-For", "x, y"),
    ("User-Agent", "\xff"), ("npm-command", "publish"), ("Accept", "application/vnd.swift.registry.v9+json"),
    ("X-Swift-Package-Signature-Format", "cms-1.0.0"), ("X-NuGet-ApiKey", "\xff"), ("X-NuGet-Client-Version", "a.b"),
]  # fmt: skip
_, FORM = pypi.upload(pypi.Project(), *pypi.wheel(pypi.Project()))
FORMS = (b"".join(nuget.pushed(nuget.Package("left").nupkg())[1]), swift.form(swift.archive(), metadata={"x": 1})[1])
BODIES = [
    b"", b"{}", b"[]", b"null", b'"1.0.0"', b"x" * 3000, b"\xff\xfe", npm.Publish().body(),
    npm.Publish().body()[:-30], FORM,
    FORM[:-12], b'{"versions":{"1.0.0":{"deprecated":"x"}}}', b'{"versions":{}}', b'{"_attachments":{}}',
    b'{"users":{}}', b"<metadata/>", b"<metadata><versioning><versions><version>1.0</version></versions></versioning>",
    b"\x02\0\0\0{}\xff\xff\xff\xff", b"0" * 40, b"PK\x03\x04" + bytes(60), b"gem_name=left&version=1.0.0", *FORMS,
    b'{"yanked":true}', b'{"password":"x"}', b'{"maintainers":[]}', b"[" * 600,
]  # fmt: skip


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("fuzz") / "data") as server:
        server.make("dom", "repo")
        yield server
        assert failures(server) == []


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"]),
    format=st.sampled_from(NAMES),
    path=st.lists(st.sampled_from(PIECES), max_size=6),
    slash=st.sampled_from(["", "/"]),
    query=st.sampled_from(QUERIES),
    headers=st.lists(st.sampled_from(HEADERS), max_size=4),
    body=st.sampled_from(BODIES),
)
def test_no_request_makes_the_server_fail(
    shared: Server,
    method: str,
    format: str,
    path: list[str],
    slash: str,
    query: str,
    headers: list[tuple[str, str]],
    body: bytes,
) -> None:
    send(shared, method, f"{format}/d/dom-{ACCOUNT}/repo/{'/'.join(path)}{slash}{query}", headers, body)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    route=st.sampled_from([(each.info.name, route, verb) for each in FORMATS for route in each.routes
                           for verb in (*route.methods, *(("HEAD",) if "GET" in route.methods else ()))]),
    pieces=st.lists(st.sampled_from(PIECES), min_size=6, max_size=6),
    query=st.sampled_from(QUERIES),
    headers=st.lists(st.sampled_from(HEADERS), max_size=4),
    body=st.sampled_from(BODIES),
)  # fmt: skip
def test_no_request_to_a_route_makes_the_server_fail(
    shared: Server,
    route: tuple[str, Route, str],
    pieces: list[str],
    query: str,
    headers: list[tuple[str, str]],
    body: bytes,
) -> None:
    format, found, method = route
    values = iter(pieces)
    path = re.sub(r"\{\w+\}", lambda _: next(values), re.sub(r"\{\w+\.\.\.\}", "/".join(pieces), found.template))
    send(shared, method, f"{format}/d/dom-{ACCOUNT}/repo/{path}{query}", headers, body)


def send(shared: Server, method: str, target: str, headers: list[tuple[str, str]], body: bytes) -> None:
    lines = [f"{method} /{target} HTTP/1.1", f"Host: {shared.host}", f"Authorization: {basic(shared.token())}"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
    connection = http.client.HTTPConnection(shared.host, timeout=20)
    connection.connect()
    try:
        connection.sock.sendall("\r\n".join(lines).encode("latin-1", "replace") + body)
        reply = http.client.HTTPResponse(connection.sock, method=method)
        reply.begin()
        assert reply.status < 500
        reply.read()
        reply.close()
    finally:
        connection.close()
