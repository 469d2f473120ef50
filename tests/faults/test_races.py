"""Several clients at one version, in every format: one wins, whole; what caches hold is true after every change."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.faults.publishes import settled
from tests.harness import Answer, Server
from tests.samples import cargo, generic, maven, npm, nuget, pypi, ruby, swift
from tests.samples.base import Sample, Shop

SAMPLES: tuple[Sample, ...] = (
    cargo.SAMPLE, generic.SAMPLE, maven.SAMPLE, npm.SAMPLE, nuget.SAMPLE, pypi.SAMPLE, ruby.SAMPLE, swift.SAMPLE
)  # fmt: skip
_number = itertools.count()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("races") / "data") as server:
        server.make("dom", "repo")
        yield server
        server.stop()
        assert [line for line in server.records() if "exception" in line or line.get("status", 0) >= 500] == []


@pytest.fixture
def word() -> str:
    return "race" + "".join(chr(ord("a") + int(each)) for each in str(next(_number)))


@pytest.fixture(params=SAMPLES, ids=lambda sample: sample.format)
def sample(request: pytest.FixtureRequest) -> Sample:
    found: Sample = request.param
    return found


def named(sample: Sample, word: str) -> dict[str, str]:
    namespace, package = sample.coordinates(word)
    key = {"domain": "dom", "repository": "repo", "format": sample.format, "package": package}
    return {**key, **({"namespace": namespace} if namespace else {})}


def shown(shop: Shop, sample: Sample, word: str) -> set[str]:
    """Versions in the index, asked twice so that the second answer is the cache's."""
    found = []
    for _ in range(3):
        answer = shop("GET", sample.index(word))
        assert answer.status in (200, 404), answer
        found.append(sample.versions(answer, word) if answer.status == 200 else set())
    assert found[0] == found[1] == found[2]
    return found[0]


def test_of_publishers_of_one_version_one_wins(server: Server, sample: Sample, word: str) -> None:
    shop = Shop(server, sample.format, "repo")
    server.token()
    before = len(settled(server))

    with ThreadPoolExecutor(6) as pool:
        answers: list[Answer] = list(
            pool.map(lambda number: sample.publish(shop, word, marker=f"publisher {number % 3}"), range(6))
        )

    assert {each.status for each in answers} <= {200, 201, 204, 400, 403, 409, 422}, answers
    if sample.format != "maven":  # a deploy is many requests: of two at once neither may come to its end
        assert any(each.status < 300 for each in answers)
        assert {each.status for each in answers if each.status >= 300} <= {403, 409}
        assert shown(shop, sample, word) == {"1.0.0"}
        bodies = {shop("GET", sample.asset(word)[1]).body for _ in range(3)}
        assert len(bodies) == 1
        assets = server.boto().list_package_version_assets(**named(sample, word), packageVersion="1.0.0")["assets"]
        assert before < len(settled(server)) <= before + len(assets)  # what was stored already is not stored again


def test_publishes_amid_deletes_leave_all_or_nothing(server: Server, sample: Sample, word: str) -> None:
    shop, aws = Shop(server, sample.format, "repo"), server.boto()
    assert sample.publish(shop, word, "0.9.0").status < 300

    def work(number: int) -> Any:
        if number % 2:
            return aws.delete_package_versions(**named(sample, word), versions=["1.0.0"])
        return sample.publish(shop, word)

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(work, range(12)))

    assert {each.status for each in done[::2]} <= {200, 201, 204, 400, 404, 409}
    held = {each["version"]: each["status"] for each in aws.list_package_versions(**named(sample, word))["versions"]}
    published = {version for version, status in held.items() if status == "Published"}
    assert shown(shop, sample, word) == published
    there = shop("GET", sample.asset(word)[1])
    assert there.status == 200 or "1.0.0" not in published


def test_caches_follow_every_change(server: Server, sample: Sample, word: str) -> None:
    shop, aws = Shop(server, sample.format, "repo"), server.boto()
    package, path = named(sample, word), sample.asset(word)[1]
    assert sample.publish(shop, word).status < 300
    assert sample.publish(shop, word, "2.0.0").status < 300
    assert shown(shop, sample, word) == {"1.0.0", "2.0.0"}
    assert [shop("GET", path).status for _ in range(3)] == [200] * 3

    def change(status: str) -> None:
        done = aws.update_package_versions_status(**package, versions=["1.0.0"], targetStatus=status)
        assert not done["failedVersions"]

    change("Archived")
    assert shown(shop, sample, word) == {"2.0.0"}
    assert [shop("GET", path).status for _ in range(2)] == [404] * 2
    change("Published")
    assert shown(shop, sample, word) == {"1.0.0", "2.0.0"}
    assert shop("GET", path).status == 200
    change("Unlisted")
    assert shown(shop, sample, word) == {"2.0.0"}
    assert [shop("GET", path).status for _ in range(2)] == [200] * 2

    deny = {"Effect": "Deny", "Principal": "*", "Action": "codeartifact:ReadFromRepository", "Resource": "*"}
    aws.put_repository_permissions_policy(
        domain="dom", repository="repo", policyDocument=json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    )
    try:
        assert {shop("GET", each).status for each in (path, sample.index(word)) for _ in range(2)} == {403}
    finally:
        aws.delete_repository_permissions_policy(domain="dom", repository="repo")
    assert shop("GET", path).status == 200

    aws.delete_package_versions(**package, versions=["1.0.0"])
    assert shown(shop, sample, word) == {"2.0.0"}
    assert [shop("GET", path).status for _ in range(2)] == [404] * 2
    aws.delete_package(**package)
    assert shown(shop, sample, word) == set()


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.test"}, {"X-Forwarded-Host": "evil.test"}, {"X-Forwarded-Proto": "gopher"},
        {"X-Forwarded-Prefix": "/evil.test"}, {"X-Original-URL": "/evil.test"}, {"Forwarded": "host=evil.test"},
    ],
    ids=lambda each: next(iter(each)),
)  # fmt: skip
def test_one_clients_address_is_in_no_others_answer(
    server: Server, sample: Sample, word: str, headers: dict[str, str]
) -> None:
    shop = Shop(server, sample.format, "repo")
    if shop("GET", sample.index("poison")).status == 404:
        assert sample.publish(shop, "poison").status < 300

    for _ in range(2):
        shop("GET", sample.index("poison"), headers=headers)
        for answer in (shop("GET", sample.index("poison")), shop("GET", sample.asset("poison")[1])):
            assert answer.status == 200
            assert b"evil.test" not in answer.body + str(answer.headers).encode()
