"""Every route of every format asks who may do what it does: a walk of the route tables, by callers of few rights."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from protocols import FORMATS
from registry.web.adapter import Route
from tests.chains.town import new_user
from tests.faults.test_disclosure import TOKENS, heard
from tests.faults.test_disclosure import town as strangers_town
from tests.harness import ACCOUNT, Answer, Server, basic
from tests.samples import cargo, generic, maven, npm, nuget, pypi, ruby, swift
from tests.samples.base import Sample, Shop

SAMPLES: dict[str, Sample] = {
    each.format: each
    for each in (cargo.SAMPLE, generic.SAMPLE, maven.SAMPLE, npm.SAMPLE, nuget.SAMPLE, pypi.SAMPLE, ruby.SAMPLE,
                 swift.SAMPLE)
}  # fmt: skip
WORD = "walked"
ROUTES = [(each.info.name, route, method) for each in FORMATS for route in each.routes for method in route.methods]
VALUES: dict[str, tuple[str, ...]] = {
    "namespace": ("ns",), "scope": ("acme",), "version": ("1.0.0", "1.0.0.json", "1.0.0.zip"), "tag": ("latest",),
    "first": ("wa",), "second": ("lk",), "lower": ("1.0.0",), "upper": ("1.0.0.json",), "asset": ("file.bin",),
    "file": (f"{WORD}-1.0.0.tgz", f"{WORD}.1.0.0.nupkg", f"{WORD}.nuspec", f"{WORD}-1.0.0.gem", f"{WORD}.json",
             f"{WORD}-1.0.0.gemspec.rz"),
    "filename": (f"{WORD}-1.0.0-py3-none-any.whl",), "rev": ("1-a",), "token": ("abc",),
    "user": ("org.couchdb.user:x",),
    "spec": (f"{WORD}@1.0.0",), "rest": ("whatever",),
    "path": (*(f"com/example/{WORD}/{WORD}/{path}" for path in (
        "maven-metadata.xml", "maven-metadata.xml.sha1", f"1.0.0/{WORD}-1.0.0.jar", f"1.0.0/{WORD}-1.0.0.jar.md5",
        "2-SNAPSHOT/maven-metadata.xml", "2-SNAPSHOT/maven-metadata.xml.sha1", f"2-SNAPSHOT/{WORD}-2-SNAPSHOT.jar",
        "2-SNAPSHOT/lib-2-20260101.000000-1.jar")),
        "com/maven-metadata.xml", "com/maven-metadata.xml.sha1", "com/example/maven-metadata.xml"),
}  # fmt: skip
"""What stands in the place of a part of a template; the package's name elsewhere."""
SAME_FOR_ALL = {
    ("npm", "-/ping"), ("npm", "-/whoami"), ("npm", "-/user/{user}"), ("npm", "-/user/{user}/-rev/{rev}"),
    ("npm", "-/user/token/{token}"), ("cargo", "me"),
}  # fmt: skip
"""Answers that say nothing of any repository: whoever has a token of the domain may hear them."""
HARMLESS = SAME_FOR_ALL | {("ruby", "api/v1/api_key"), ("swift", "login"), ("npm", "{package}/-/{file}/-rev/{rev}")}
"""What readers may be granted of requests that are no GET: they change nothing."""
SAID = {400, 403, 404, 405, 413, 422}
"""What a caller without rights may hear: a request may be found wrong before anything is looked up."""


def paths(route: Route) -> list[str]:
    """Addresses that the route takes; each part takes each of its values once."""
    parts = re.findall(r"\{(\w+)(?:\.\.\.)?\}", route.template)
    longest = max((len(VALUES.get(part, (WORD,))) for part in parts), default=1)
    found = []
    for at in range(longest):
        path = route.template
        for part in parts:
            values = VALUES.get(part, (WORD,))
            path = path.replace(f"{{{part}...}}", f"{{{part}}}").replace(f"{{{part}}}", values[at % len(values)])
        found.append(path)
    return found


def bodies(method: str) -> list[bytes | None]:
    return [None] if method in ("GET", "HEAD", "OPTIONS") else [b"", b"{}", b"gem_name=walked&version=1.0.0", b"0" * 40]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from strangers_town.__wrapped__(tmp_path_factory)  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def filled(town: Server) -> Server:
    """A package of every format in `repo`, its index and file warm in every cache."""
    for sample in SAMPLES.values():
        shop = Shop(town, sample.format, "repo")
        assert sample.publish(shop, WORD).status < 300
        for path in (sample.index(WORD), sample.asset(WORD)[1]):
            assert {shop("GET", path).status for _ in range(3)} == {200}
    return town


def token(server: Server, name: str, *actions: str) -> str:
    statements = [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}] if actions else []
    user = new_user(server, name, TOKENS, *statements)
    return str(user.get_authorization_token(domain="dom", domainOwner=ACCOUNT)["authorizationToken"])


@pytest.fixture(scope="module")
def tokens(filled: Server) -> dict[str, str]:
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    stranger = new_user(filled, "stranger", everything, account="444455556666")
    return {
        "nobody": token(filled, "walker"),
        "stranger": stranger.get_authorization_token(domain="dom", domainOwner=ACCOUNT)["authorizationToken"],
        "reader": token(filled, "reading", "codeartifact:ReadFromRepository"),
        "publisher": token(
            filled, "publishing", "codeartifact:PublishPackageVersion", "codeartifact:PutPackageMetadata"
        ),
        "elsewhere": filled.token("hidden"),
    }


def ask(server: Server, format: str, method: str, path: str, body: bytes | None, authorization: str) -> Answer:
    headers = {"Authorization": authorization} if authorization else {}
    return server.request(method, server.endpoint(format) + path, body=body, headers=headers)


def held(server: Server) -> Any:
    """What is there, as the API tells it."""
    aws = server.boto()
    rows = aws.list_packages(domain="dom", repository="repo")["packages"]
    found = {}
    for row in rows:
        key = {name: row[name] for name in ("format", "namespace", "package") if name in row}
        listed = aws.list_package_versions(domain="dom", repository="repo", **key)["versions"]
        found[str(key)] = [(each["version"], each["revision"], each["status"]) for each in listed]
    return found


def test_every_route_asks_for_credentials(filled: Server) -> None:
    good = filled.token()
    broken = good[:-6] + ("a" if good[-6] != "a" else "b") + good[-5:]
    odd = []
    for format, route, method in ROUTES:
        for authorization in ("", basic(broken), f"Bearer {broken}", "Basic !", "Bearer"):
            body = None if method in ("GET", "OPTIONS") else b"{}"
            answer = ask(filled, format, method, paths(route)[0], body, authorization)
            told = answer.body + str(answer.headers).encode()
            if answer.status != 401 or "www-authenticate" not in answer.headers or broken.encode() in told:
                odd.append((format, method, route.template, authorization[:8], answer.status, answer.body[:99]))
    assert odd == []


@pytest.mark.parametrize("who", ["nobody", "stranger", "elsewhere"])
def test_who_has_no_right_here_gets_nothing_from_any_route(filled: Server, tokens: dict[str, str], who: str) -> None:
    before = held(filled)
    told = []
    for format, route, method in ROUTES:
        for path in paths(route):
            for body in bodies(method):
                there, absent = (
                    heard(filled, tokens[who], (method, format, path, body, {}), repo, "dom")
                    for repo in ("repo", "none")
                )
                free = (format, route.template) in SAME_FOR_ALL or (format, there[0]) == ("pypi", 301)
                if there != absent or not (there[0] in SAID or free):
                    told.append((method, format, path, body, there, absent))
    assert told == []
    assert held(filled) == before


def test_who_may_only_read_changes_nothing(filled: Server, tokens: dict[str, str]) -> None:
    before = held(filled)
    done = []
    for format, route, method in ROUTES:
        if method in ("GET", "OPTIONS"):
            continue
        for path in paths(route):
            for body in bodies(method):
                answer = ask(filled, format, method, path, body, basic(tokens["reader"]))
                free = (format, route.template) in HARMLESS or path == "com/maven-metadata.xml.sha1"
                if not (400 <= answer.status < 500 or free):
                    done.append((method, format, path, body, answer.status, answer.body[:80]))
    assert done == []
    for sample in SAMPLES.values():
        shop = Shop(filled, sample.format, "repo", token=tokens["reader"])
        for version in ("1.0.0", "3.0.0"):
            assert sample.publish(shop, WORD, version).status == 403, sample.format
    assert held(filled) == before


def test_who_may_only_publish_reads_nothing(filled: Server, tokens: dict[str, str]) -> None:
    read = []
    for format, route, method in ROUTES:
        if method not in ("GET", "OPTIONS") or (format, route.template) in SAME_FOR_ALL:
            continue
        for path in paths(route):
            for verb in (method, *(["HEAD"] if method == "GET" else [])):
                answer = ask(filled, format, verb, path, None, basic(tokens["publisher"]))
                if not 400 <= answer.status < 500 and answer.status != 301:
                    read.append((verb, format, path, answer.status, answer.body[:80]))
    assert read == []
