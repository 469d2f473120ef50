"""A whole server in front of a public registry that is slow, down, cutting short, or lying.

Rulings, "Upstream registries": an outage is never an absence, and what was not checked never arrives whole.
"""

from __future__ import annotations

import http.client
import os
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chains.public import PublicNpm
from tests.harness import Answer as Got
from tests.harness import Server
from tests.upstreams.wire import Answer

BALLAST = os.urandom(3_000_000)
TARBALL = "left/-/left-1.0.0.tgz"


@dataclass
class Outside:
    """`repo` above `store`, which has the connection to `public`."""

    front: Server
    public: PublicNpm

    def get(self, path: str, repo: str = "repo") -> Got:
        return self.front.get(self.front.endpoint("npm", repo) + path, token=self.front.token())

    def stored(self, repo: str) -> list[str]:
        pages = self.front.boto().list_packages(domain="dom", repository=repo)
        return [each["package"] for each in pages["packages"]]


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    settings = {"upstreams": {"listing_age": 0, "negative_age": 0, "connect_timeout": 2, "read_timeout": 2}}
    with PublicNpm() as public:
        with Server(tmp_path / "data", settings=settings, connections={"public:npmjs": public.base}) as front:
            front.make("dom", "store", "repo", repo=["store"])
            front.boto().associate_external_connection(
                domain="dom", repository="store", externalConnection="public:npmjs"
            )
            yield Outside(front, public)


def test_what_was_fetched_is_kept_and_served_when_the_registry_is_gone(outside: Outside) -> None:
    body = outside.public.publish("left", "1.0.0")

    first = outside.get(TARBALL)
    outside.public.stop()
    again = outside.get(TARBALL)
    listed = outside.get("left")

    assert (first.status, first.body) == (200, body)
    assert (again.status, again.body) == (200, body)
    assert list(listed.json()["versions"]) == ["1.0.0"]
    assert outside.stored("repo") == outside.stored("store") == ["left"]


def test_a_registry_that_is_down_is_an_outage_and_not_an_absence(outside: Outside) -> None:
    outside.public.stop()

    answers = [outside.get("left"), outside.get(TARBALL)]

    assert all(answer.status in (502, 503) for answer in answers)
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
    outside.public.start()
    assert outside.get("left").status == 404


def test_a_package_that_the_registry_does_not_have_is_not_found(outside: Outside) -> None:
    assert outside.get("left").status == 404
    assert outside.get(TARBALL).status == 404


def test_a_version_that_appears_is_served_at_once(outside: Outside) -> None:
    outside.public.publish("left", "1.0.0")
    assert outside.get("left").status == 200
    body = outside.public.publish("left", "1.0.0", "2.0.0")

    assert list(outside.get("left").json()["versions"]) == ["1.0.0", "2.0.0"]
    assert outside.get("left/-/left-2.0.0.tgz").body == body


@pytest.mark.parametrize("length", [None, "own"])
def test_a_lie_about_the_checksum_never_arrives_whole(outside: Outside, length: str | None) -> None:
    body = outside.public.publish("left", "1.0.0", ballast=BALLAST)
    lie = body[:-1] + bytes([body[-1] ^ 1])
    outside.public.wire.answers["/" + TARBALL] = Answer(200, lie, length=length)

    try:
        answer = outside.get(TARBALL)
    except (http.client.IncompleteRead, ConnectionError):
        pass  # broken off
    else:
        assert answer.status == 502

    assert outside.stored("repo") == outside.stored("store") == []
    outside.public.publish("left", "1.0.0", ballast=BALLAST)
    assert outside.get(TARBALL).body == body


def test_a_small_lie_gets_an_error_that_says_so(outside: Outside) -> None:
    body = outside.public.publish("left", "1.0.0")
    outside.public.wire.answers["/" + TARBALL] = Answer(200, body[:-1] + b"X")

    answer = outside.get(TARBALL)

    assert answer.status in (502, 503)
    assert "digest" in answer.text


def test_a_body_that_is_cut_short_never_arrives_as_if_it_were_whole(outside: Outside) -> None:
    body = outside.public.publish("left", "1.0.0", ballast=BALLAST)
    for length in (len(body), None):
        outside.public.wire.answers["/" + TARBALL] = Answer(200, body[:2_000_000], length=length, cut=True)
        try:
            answer = outside.get(TARBALL)
        except (http.client.IncompleteRead, ConnectionError):
            pass
        else:
            assert answer.status in (502, 503)

    assert outside.stored("store") == []


@pytest.mark.parametrize("answer", ["html", "empty", "unavailable", "broken"])
def test_nonsense_is_neither_a_package_nor_an_absence(outside: Outside, answer: str) -> None:
    outside.public.wire.answers["/left"] = {
        "html": Answer(200, b"<html>sign in</html>", {"Content-Type": "text/html"}),
        "empty": Answer(200, b"", {"Content-Type": "application/json"}),
        "unavailable": Answer(503, b""),
        "broken": Answer(200, b'{"name":', {"Content-Type": "application/json"}, length=100, cut=True),
    }[answer]

    assert outside.get("left").status in (502, 503)
    outside.public.publish("left", "1.0.0")
    assert outside.get("left").status == 200


def test_fifty_clients_of_one_file_make_one_request(outside: Outside) -> None:
    body = outside.public.publish("left", "1.0.0", ballast=BALLAST)
    outside.front.token()

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: outside.get(TARBALL), range(50)))

    assert all(answer.body == body for answer in answers)
    assert outside.public.wire.paths().count("/" + TARBALL) == 1


def test_the_first_bytes_arrive_while_the_registry_is_still_sending(outside: Outside) -> None:
    body = outside.public.publish("left", "1.0.0", ballast=BALLAST)
    rest = outside.public.event()

    async def slowly() -> AsyncIterator[bytes]:
        yield body[:100_000]
        await rest.wait()
        yield body[100_000:]

    outside.public.wire.answers["/" + TARBALL] = Answer(200, slowly, length=len(body))
    connection = http.client.HTTPConnection(outside.front.host, timeout=30)
    path = outside.front.endpoint("npm", "repo").split(outside.front.host)[1] + TARBALL
    connection.request("GET", path, headers={"Authorization": f"Bearer {outside.front.token()}"})
    answer = connection.getresponse()
    first = answer.read(50_000)

    outside.public.set(rest)
    whole = first + answer.read()
    connection.close()

    assert int(answer.headers["Content-Length"]) == len(body)
    assert whole == body


def test_a_client_that_leaves_does_not_end_the_fetch(outside: Outside) -> None:
    body = outside.public.publish("left", "1.0.0", ballast=BALLAST)
    rest = outside.public.event()

    async def slowly() -> AsyncIterator[bytes]:
        yield body[:100_000]
        await rest.wait()
        yield body[100_000:]

    outside.public.wire.answers["/" + TARBALL] = Answer(200, slowly, length=len(body))
    connection = http.client.HTTPConnection(outside.front.host, timeout=30)
    path = outside.front.endpoint("npm", "repo").split(outside.front.host)[1] + TARBALL
    connection.request("GET", path, headers={"Authorization": f"Bearer {outside.front.token()}"})
    connection.getresponse().read(1000)
    connection.close()
    outside.public.set(rest)

    assert outside.get(TARBALL).body == body
    assert outside.public.wire.paths().count("/" + TARBALL) == 1


def test_a_sign_in_page_in_place_of_a_tarball_is_refused(outside: Outside) -> None:
    outside.public.publish("left", "1.0.0", ballast=BALLAST)
    outside.public.wire.answers["/" + TARBALL] = Answer(200, b"<html>sign in</html>", {"Content-Type": "text/html"})

    assert outside.get(TARBALL).status in (502, 503)
    assert outside.stored("store") == []


def test_publishing_what_the_registry_has_is_a_conflict_and_an_outage_does_not_stop_publishing(
    outside: Outside,
) -> None:
    outside.public.publish("left", "1.0.0")
    assert publish(outside, "left", "1.0.0").status == 409

    outside.public.stop()

    assert publish(outside, "right", "1.0.0").status in (200, 201)


def publish(outside: Outside, name: str, version: str) -> Got:
    import base64
    import json

    from tests.chains.public import tarball

    body = tarball(name, version)
    document = {
        "_id": name,
        "name": name,
        "dist-tags": {"latest": version},
        "versions": {version: {"name": name, "version": version, "dist": {}}},
        "_attachments": {
            f"{name}-{version}.tgz": {
                "content_type": "application/octet-stream",
                "data": base64.b64encode(body).decode(),
                "length": len(body),
            }
        },
    }
    return outside.front.request(
        "PUT",
        outside.front.endpoint("npm", "repo") + name,
        body=json.dumps(document).encode(),
        headers={"Content-Type": "application/json"},
        token=outside.front.token(),
    )
