"""The registry endpoint over real HTTP, and what a real client sent, once more."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Server
from tests.samples.base import Shop
from tests.samples.swift import JSON, MANIFEST, archive, form, publish

TRANSCRIPT = Path(__file__).parent / "transcript.json"
CMS = bytes.fromhex("301006092a864886f70d010702a0030c0178")
SIGNED = {"X-Swift-Package-Signature-Format": "cms-1.0.0"}
_numbers = itertools.count()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("data"), settings={"quotas": {"asset_bytes": 400_000}}) as server:
        yield server.make("dom")


@pytest.fixture
def shop(running: Server) -> Shop:
    name = f"repo{next(_numbers)}"
    running.boto().create_repository(domain="dom", repository=name)
    return Shop(running, "swift", name)


def test_every_answer_names_the_version_of_the_protocol(shop: Shop) -> None:
    answers = [
        publish(shop, "acme/Hello/1.0.0", archive()),
        publish(shop, "acme/Hello/1.0.0", archive()),
        shop("GET", "acme/Hello"),
        shop("GET", "acme/Hello.json"),
        shop("GET", "acme/Hello/1.0.0"),
        shop("GET", "acme/Hello/1.0.0.json"),
        shop("GET", "acme/Hello/1.0.0.zip"),
        shop("GET", "acme/Hello/1.0.0/Package.swift"),
        shop("GET", "acme/Hello/1.0.0/Package.swift?swift-version=5.9"),
        shop("GET", "acme/Other"),
        shop("GET", "acme/Hello/2.0.0"),
        shop("GET", "nothing/here/at/all/of/it"),
        shop("DELETE", "acme/Hello/1.0.0"),
        shop("POST", "login"),
        shop("GET", "availability"),
        shop("OPTIONS", "acme/Hello/1.0.0"),
        shop("GET", "identifiers?url=https://git.example/acme/Hello"),
        shop("GET", "identifiers"),
        Shop(shop.server, "swift", shop.repo, token="")("GET", "acme/Hello"),
        Shop(shop.server, "swift", "nowhere")("GET", "acme/Hello"),
    ]

    assert [answer.status for answer in answers] == [
        201, 409, 200, 200, 200, 200, 200, 200, 303, 404, 404, 404, 405, 200, 200, 204, 404, 400, 401, 404,
    ]  # fmt: skip
    assert {answer.headers.get("content-version") for answer in answers} == {"1"}
    for answer in answers:
        if answer.status >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["detail"]
    assert answers[-2].headers["www-authenticate"] == 'Bearer realm="packyard"'
    assert answers[15].headers["allow"] == "GET, HEAD, OPTIONS, PUT"


def test_a_release_says_what_the_client_needs(shop: Shop) -> None:
    source = archive()
    metadata = {
        "author": {"name": "Ada"},
        "description": "Says hello",
        "originalPublicationTime": "2026-01-01T00:00:00.000Z",
        "commitHash": "abc",
    }
    done = publish(shop, "Acme/Hello/1.0.0", source, metadata=metadata)
    assert done.headers["location"].endswith("/Acme/Hello/1.0.0")

    answer = shop("GET", "ACME/hello/1.0.0", headers={"Accept": JSON})

    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    published = told.pop("publishedAt")
    assert published.endswith("Z")
    assert "." not in published
    assert told == {
        "id": "Acme.Hello",
        "version": "1.0.0",
        "resources": [
            {
                "name": "source-archive",
                "type": "application/zip",
                "checksum": hashlib.sha256(source).hexdigest(),
            }
        ],
        "metadata": {**metadata, "originalPublicationTime": "2026-01-01T00:00:00Z"},
    }


def test_releases_link_to_their_neighbors_by_precedence(shop: Shop) -> None:
    for version in ("1.10.0", "1.2.0", "2.0.0-beta", "1.9.0"):
        assert publish(shop, f"acme/Hello/{version}", archive(marker=version)).status == 201
    root = f"{shop.endpoint}acme/Hello"

    listed = shop("GET", "acme/Hello")
    assert list(listed.json()["releases"]) == ["1.2.0", "1.9.0", "1.10.0", "2.0.0-beta"]
    assert listed.headers["link"] == f'<{root}/1.10.0>; rel="latest-version"'
    assert shop("GET", "acme/Hello/1.9.0").headers["link"] == (
        f'<{root}/1.10.0>; rel="latest-version", <{root}/1.10.0>; rel="successor-version", '
        f'<{root}/1.2.0>; rel="predecessor-version"'
    )
    assert shop("GET", "acme/Hello/1.2.0").headers["link"].count("rel=") == 2

    assert publish(shop, "acme/Hello/3.0.0", archive(marker="3")).status == 201
    assert '/3.0.0>; rel="latest-version"' in shop("GET", "acme/Hello/1.9.0").headers["link"]


def test_manifests_are_found_by_tools_version(shop: Shop) -> None:
    newer, old = "// swift-tools-version: 5.9.2\n", "// swift-tools-version:4.2\n"
    files = {"Package@swift-5.9.swift": newer, "Package@swift-4.swift": old}
    assert publish(shop, "acme/Hello/1.0.0", archive(files)).status == 201
    here = f"{shop.endpoint}acme/Hello/1.0.0/Package.swift"

    plain = shop("GET", "acme/Hello/1.0.0/Package.swift", headers={"Accept": "application/vnd.swift.registry.v1+swift"})
    assert (plain.text, plain.headers["content-type"]) == (MANIFEST, "text/x-swift")
    assert plain.headers["content-disposition"] == 'attachment; filename="Package.swift"'
    assert plain.headers["link"] == (
        f'<{here}?swift-version=4>; rel="alternate"; filename="Package@swift-4.swift"; swift-tools-version="4.2", '
        f'<{here}?swift-version=5.9>; rel="alternate"; filename="Package@swift-5.9.swift"; swift-tools-version="5.9.2"'
    )
    other = shop("GET", "acme/Hello/1.0.0/Package.swift?swift-version=5.9")
    assert (other.text, "link" in other.headers) == (newer, False)
    asked = shop("GET", "acme/Hello/1.0.0/Package.swift?swift-version=5.9.0")  # as the client spells it
    assert (asked.status, asked.text) == (200, newer)
    none = shop("GET", "acme/Hello/1.0.0/Package.swift?swift-version=5.10")
    assert (none.status, none.headers["location"]) == (303, here)
    assert shop("GET", "acme/Hello/1.0.0/Package.swift?swift-version=x").status == 400


def test_an_archive_carries_its_digest_and_signature(shop: Shop) -> None:
    source = archive()
    done = publish(shop, "acme/Hello/1.0.0", source, metadata={}, signature=CMS, metadata_signature=CMS, headers=SIGNED)
    assert done.status == 201, done.text

    answer = shop("GET", "acme/Hello/1.0.0.zip", headers={"Accept": "application/vnd.swift.registry.v1+zip"})

    assert (answer.body, answer.headers["content-type"]) == (source, "application/zip")
    assert answer.headers["digest"] == "sha-256=" + base64.b64encode(hashlib.sha256(source).digest()).decode()
    assert answer.headers["content-disposition"] == 'attachment; filename="Hello-1.0.0.zip"'
    assert answer.headers["x-swift-package-signature-format"] == "cms-1.0.0"
    assert base64.b64decode(answer.headers["x-swift-package-signature"]) == CMS
    signing = shop("GET", "acme/Hello/1.0.0").json()["resources"][0]["signing"]
    assert signing == {"signatureBase64Encoded": base64.b64encode(CMS).decode(), "signatureFormat": "cms-1.0.0"}


@pytest.mark.parametrize(
    ("path", "parts", "headers", "status"),
    [
        ("acme/Hello/1.0", {}, {}, 400),
        ("-acme/Hello/1.0.0", {}, {}, 400),
        ("acme/Hel.lo/1.0.0", {}, {}, 400),
        ("acme/Hello/1.0.0", {"source": None}, {}, 422),
        ("acme/Hello/1.0.0", {"source": b"not a zip"}, {}, 422),
        ("acme/Hello/1.0.0", {"metadata": b"{"}, {}, 422),
        ("acme/Hello/1.0.0", {"metadata": {"author": 1}}, {}, 422),
        ("acme/Hello/1.0.0", {"signature": CMS}, {}, 400),
        ("acme/Hello/1.0.0", {}, SIGNED, 400),
        ("acme/Hello/1.0.0", {"signature": CMS, "metadata": {}}, SIGNED, 400),
        ("acme/Hello/1.0.0", {"signature": b"x" * 40}, SIGNED, 422),
        ("acme/Hello/1.0.0", {"signature": CMS}, {"X-Swift-Package-Signature-Format": "cms-2.0.0"}, 400),
        ("acme/Hello/1.0.0", {}, {"Accept": "application/vnd.swift.registry.v2+json"}, 400),
        ("acme/Hello/1.0.0", {}, {"Accept": "text/html"}, 415),
        ("acme/Hello/1.0.0", {}, {"Content-Type": "application/zip"}, 400),
        ("acme/Hello/1.0.0", {"source": b"PK" + b"x" * 500_000}, {}, 413),
    ],
)  # fmt: skip
def test_what_cannot_be_published_is_refused_and_leaves_nothing(
    shop: Shop, path: str, parts: dict[str, Any], headers: dict[str, str], status: int
) -> None:
    given = {"source": archive(), **parts}
    source = given.pop("source")

    answer = publish(shop, path, source, headers=headers, **given)

    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    assert shop.server.boto().list_packages(domain="dom", repository=shop.repo)["packages"] == []


def test_curl_publishes_as_the_guide_says(shop: Shop) -> None:
    boundary = "------------------------d74496d66958873e"
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="source-archive"; filename="Hello.zip"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    body += archive() + f"\r\n--{boundary}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Accept": JSON}

    assert shop("PUT", "my_scope/name/1.0.0", body, kind).status == 400  # the guide's placeholder is no scope
    assert shop("PUT", "my-scope/package_name/1.0.0", body, kind).status == 201


def test_build_metadata_may_look_like_an_ending(shop: Shop) -> None:
    for version in ("1.0.0+a.zip", "1.0.0+a"):
        assert publish(shop, f"acme/Hello/{version}", archive(marker=version)).status == 201

    assert shop("GET", "acme/Hello/1.0.0+a.zip").json()["version"] == "1.0.0+a.zip"
    assert shop("GET", "acme/Hello/1.0.0%2Ba").json()["version"] == "1.0.0+a"
    assert shop("GET", "acme/Hello/1.0.0+a.zip.zip").body == archive(marker="1.0.0+a.zip")


def test_packages_are_found_by_the_address_of_their_repository(shop: Shop) -> None:
    first = {"repositoryURLs": ["https://git.example/acme/Hello.git"]}
    assert publish(shop, "acme/Hello/1.0.0", archive(), metadata=first).status == 201
    assert publish(shop, "evil/Hello/1.0.0", archive(), metadata=first).status == 201

    for url in ("https%3A%2F%2Fgit.example%2FAcme%2FHello", "git@git.example:acme/hello.git"):
        assert shop("GET", f"identifiers?url={url}").json() == {"identifiers": ["acme.Hello"]}

    other = {"repositoryURLs": ["https://git.example/acme/Other"]}
    assert shop("GET", "identifiers?url=https://git.example/acme/other").status == 404
    assert publish(shop, "acme/Other/1.0.0", archive(), metadata=other).status == 201
    assert shop("GET", "identifiers?url=https://git.example/acme/other").json() == {"identifiers": ["acme.Other"]}


def test_a_publish_is_refused_before_its_body_is_read(shop: Shop) -> None:
    kind, body = form(archive())
    stranger = Shop(shop.server, "swift", shop.repo, token="wrong")

    answer = stranger("PUT", "acme/Hello/1.0.0", body, {"Content-Type": kind, "Expect": "100-continue"})

    assert answer.status == 401


def test_what_a_real_client_sent_is_answered_as_it_was(shop: Shop) -> None:
    """SwiftPM 6.0.3: publish, publish again, resolve, build (tests/clients/test_swift_client.py)."""
    entries = json.loads(TRANSCRIPT.read_text())
    assert {entry["method"] for entry in entries} == {"PUT", "GET"}
    for entry in entries:
        body = base64.b64decode(entry["body"]) if "body" in entry else None
        if entry["path"].startswith("identifiers") or (entry["status"] >= 400 and entry["method"] == "GET"):
            continue
        headers = {name: value for name, value in entry["headers"].items() if name not in ("content-length", "expect")}
        answer = shop(
            entry["method"], entry["path"], body, {**headers, "Authorization": f"Bearer {shop.server.token()}"}
        )
        assert answer.status == entry["status"], (entry["path"], answer.text)
