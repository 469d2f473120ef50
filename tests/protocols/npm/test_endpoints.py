"""Requests as clients make them, against a real server."""

from __future__ import annotations

import base64
import gzip
import hashlib
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness import Answer, Pair, Server
from tests.samples import npm

ABBREVIATED = "application/vnd.npm.install-v1+json"


class Repo:
    """One repository's npm endpoint, with the administrator's token."""

    def __init__(self, server: Server, repo: str = "repo", domain: str = "dom") -> None:
        self.server = server
        self.name = repo
        self.endpoint = server.endpoint("npm", repo, domain)
        self.token = server.token(domain)

    def __call__(self, method: str, path: str, body: Any = None, *, token: str | None = None, **headers: str) -> Answer:
        sent = body if isinstance(body, bytes | Iterator) or body is None else json.dumps(body).encode()
        credentials = {"Authorization": f"Bearer {token or self.token}"} if token != "" else {}
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.server.request(method, self.endpoint + path, body=sent, headers={**credentials, **names})

    def publish(self, name: str = "left", version: str = "1.0.0", **more: Any) -> Answer:
        return self("PUT", name.replace("/", "%2f"), npm.Publish(name, version, **more).body())


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the module: every test has a repository of its own."""
    with Server(tmp_path_factory.mktemp("house"), settings={"quotas": {"repositories_per_domain": 10_000}}) as server:
        yield server.make("dom")


_numbers = itertools.count()


@pytest.fixture(scope="module")
def aws(house: Server) -> Any:
    return house.boto()


@pytest.fixture
def repo(house: Server, aws: Any) -> Repo:
    name = f"repo-{next(_numbers)}"
    aws.create_repository(domain="dom", repository=name)
    return Repo(house, name)


def test_a_published_version_is_in_every_document_and_can_be_fetched(repo: Repo) -> None:
    published = npm.Publish(
        "@acme/bar", manifest={"description": "A bar", "bin": "cli.js", "scripts": {"postinstall": "x"}}
    )

    answer = repo("PUT", "@acme%2fbar", published.body())

    assert (answer.status, answer.json()["ok"]) == (201, True)
    full = repo("GET", "@acme%2fbar").json()
    version = full["versions"]["1.0.0"]
    assert version["dist"]["tarball"] == f"{repo.endpoint}@acme/bar/-/bar-1.0.0.tgz"
    assert version["dist"]["integrity"] == npm.sri(published.tgz)
    assert version["dist"]["shasum"] == hashlib.sha1(published.tgz).hexdigest()
    assert version["dist"]["fileCount"] == 2
    assert version["bin"] == {"bar": "cli.js"}
    assert (version["hasInstallScript"], version["_hasShrinkwrap"]) == (True, False)
    assert "readme" not in version
    assert (full["readme"], full["description"]) == ("# Left\n", "A bar")
    assert full["time"]["1.0.0"] == full["time"]["modified"]
    assert full["maintainers"] == [{"name": "admin", "email": ""}]
    short = repo("GET", "@acme%2fbar", accept=f"{ABBREVIATED}; q=1.0, application/json; q=0.8, */*")
    assert short.headers["content-type"] == ABBREVIATED
    assert short.headers["vary"] == "Accept, Accept-Encoding"
    assert short.json()["time"] == full["time"]
    tarball = repo("GET", "@acme/bar/-/bar-1.0.0.tgz")
    assert tarball.body == published.tgz
    assert tarball.headers["content-type"] == "application/octet-stream"
    assert "content-encoding" not in tarball.headers
    assert "immutable" in tarball.headers["cache-control"]


@pytest.mark.parametrize("name", ["@acme/bar", "@acme%2fbar", "@acme%2Fbar", "%40acme%2fbar", "%40acme/bar"])
def test_every_spelling_of_a_scoped_name_is_taken_everywhere(repo: Repo, name: str) -> None:
    assert repo("PUT", name, npm.Publish("@acme/bar").body()).status == 201
    for path in (
        name,
        f"{name}/1.0.0",
        f"{name}/latest",
        f"{name}/-/bar-1.0.0.tgz",
        f"{name}/-/@acme/bar-1.0.0.tgz",
        f"{name}/-/@acme%2fbar-1.0.0.tgz",
        f"-/package/{name}/dist-tags",
    ):
        assert repo("GET", path).status == 200, path
    assert repo("PUT", f"-/package/{name}/dist-tags/next", "1.0.0").status == 201
    assert repo("DELETE", f"-/package/{name}/dist-tags/next").status == 200
    assert repo("DELETE", f"{name}/-rev/undefined").status == 200
    assert repo("GET", name).status == 404


def test_a_packument_is_revalidated_and_a_publish_is_seen_at_once(repo: Repo) -> None:
    repo.publish()
    first = repo("GET", "left", accept_encoding="gzip")
    assert (
        json.loads(gzip.decompress(first.body) if "content-encoding" in first.headers else first.body)["name"] == "left"
    )
    etag = first.headers["etag"]

    assert repo("GET", "left", accept_encoding="gzip", if_none_match=etag).status == 304
    repo.publish(version="1.0.1")
    again = repo("GET", "left", if_none_match=etag)

    assert again.status == 200
    assert list(again.json()["versions"]) == ["1.0.0", "1.0.1"]
    assert again.headers["cache-control"] == "no-cache"


def test_heads_and_ranges_of_a_tarball(repo: Repo) -> None:
    published = npm.Publish()
    repo("PUT", "left", published.body())

    head = repo("HEAD", "left/-/left-1.0.0.tgz")
    part = repo("GET", "left/-/left-1.0.0.tgz", range="bytes=2-5")

    assert (head.status, head.headers["content-length"], head.body) == (200, str(len(published.tgz)), b"")
    assert (part.status, part.body) == (206, published.tgz[2:6])
    assert repo("HEAD", "left").status == 200


def test_the_same_bytes_again_are_fine_and_others_are_a_conflict(repo: Repo) -> None:
    assert repo.publish().status == 201
    assert repo.publish().status == 200

    other = repo.publish(tgz=npm.tarball(files={"a": "b"}))

    assert other.status == 409
    assert "different content" in other.json()["error"]


def test_the_other_shapes_of_a_publish_are_understood(repo: Repo) -> None:
    # yarn 4 puts the readme at the root; attachments may come first; provenance is a second attachment.
    document = npm.Publish("first", readme=None).document()
    attachments = {"first-1.0.0.sigstore": {"data": '{"a": "b"}', "length": 10}, **document.pop("_attachments")}
    body = json.dumps({"_attachments": attachments, **document, "readme": "# Root"}, indent=2).replace("/", "\\/")

    assert repo("PUT", "first", body.encode()).status == 201

    assert repo("GET", "first").json()["readme"] == "# Root"
    assert (
        repo("PUT", "second", npm.Publish("second", "v2.0.0+build", tgz=npm.tarball("second", "2.0.0")).body()).status
        == 201
    )
    found = repo("GET", "second").json()
    assert (found["dist-tags"], list(found["versions"])) == ({"latest": "2.0.0"}, ["2.0.0"])
    readme = npm.tarball("third", files={"readme.md": "# Inside"})
    assert repo.publish("third", readme=None, tgz=readme).status == 201
    assert repo("GET", "third").json()["readme"] == "# Inside"


def wrong_documents() -> Iterator[Any]:
    def case(what: str, **changes: Any) -> Any:
        document = npm.Publish("left").document()
        return pytest.param({**document, **changes}, 400, id=what)

    good = npm.Publish("left").document()
    version = good["versions"]["1.0.0"]
    attachment = good["_attachments"]["left-1.0.0.tgz"]

    def attached(**changes: Any) -> dict[str, Any]:
        return {"left-1.0.0.tgz": {**attachment, **changes}}

    def of(tgz: bytes) -> dict[str, Any]:
        return npm.Publish("left", tgz=tgz).document()

    yield case("other name", name="right")
    yield case("other id", _id="right")
    yield case("other version name", versions={"1.0.0": {**version, "name": "right"}})
    yield case("other version", versions={"1.0.0": {**version, "version": "1.0.1"}})
    yield case("no version", versions={})
    yield case("no versions", versions=None)
    yield case("bad version", versions={"1.0": {**version, "version": "1.0"}})
    yield case("manifest no object", versions={"1.0.0": "x"})
    yield case("wrong integrity", versions={"1.0.0": {**version, "dist": {"integrity": npm.sri(b"x")}}})
    yield case("wrong shasum", versions={"1.0.0": {**version, "dist": {"shasum": "0" * 40}}})
    yield case("wrong length", _attachments=attached(length=7))
    yield case("bad base64", _attachments=attached(data="!!!!"))
    yield case("empty tarball", _attachments=attached(data="", length=0))
    yield case("two tarballs", _attachments={**attached(), "b-1.0.0.tgz": attachment})
    yield case("range as tag", **{"dist-tags": {"1.x": "1.0.0"}})
    yield case("tags no object", **{"dist-tags": 7})
    yield pytest.param(of(b"no tarball"), 400, id="no gzip")
    yield pytest.param(of(npm.tarball("right")), 400, id="tarball of another")
    yield pytest.param(of(npm.tarball("left", "2.0.0")), 400, id="tarball of another version")
    yield pytest.param(of(npm.tarball(files={"package.json": "{"})), 400, id="broken package.json")
    yield pytest.param(of(npm.tarball(root="a/b")), 400, id="no package.json")
    yield pytest.param({"users": {"bob": True}}, 405, id="star")
    yield pytest.param({"maintainers": [{"name": "bob"}]}, 405, id="owner")
    yield pytest.param({"_id": "left"}, 400, id="nothing")
    yield pytest.param([1], 400, id="no object")


@pytest.mark.parametrize(("document", "status"), list(wrong_documents()))
def test_a_publish_that_does_not_fit_together_is_refused_and_leaves_nothing(
    repo: Repo, document: Any, status: int
) -> None:
    answer = repo("PUT", "left", document)

    assert answer.status == status
    assert set(answer.json()) == {"error"}
    assert repo("GET", "left").status == 404
    # One whose length is not announced is taken apart while it arrives: the same judgement.
    streamed = repo("PUT", "left", iter([json.dumps(document).encode()]))
    assert (streamed.status, streamed.body) == (answer.status, answer.body)


def test_a_body_that_comes_in_pieces_is_published_like_one_that_comes_whole(repo: Repo) -> None:
    first, second = npm.Publish("left").body(), npm.Publish("left", "2.0.0").body()

    assert repo("PUT", "left", iter([first[n : n + 100] for n in range(0, len(first), 100)])).status == 201
    assert repo("PUT", "left", second).status == 201

    found = repo("GET", "left").json()["versions"]
    known = [
        {key: value for key, value in each.items() if key not in ("_id", "version", "dist")} for each in found.values()
    ]
    assert known[0] == known[1]
    assert [found[version]["dist"]["fileCount"] for version in ("1.0.0", "2.0.0")] == [2, 2]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"nonsense", b"\x00\xff", npm.Publish("left").body()[:-1], npm.Publish("left").body() + b"}"]
)
def test_a_body_that_is_no_document_is_refused(repo: Repo, body: bytes) -> None:
    answer = repo("PUT", "left", body)

    assert (answer.status, set(answer.json())) == (400, {"error"})
    assert repo("GET", "left").status == 404


@pytest.mark.parametrize("name", ["%20", ".hidden", "_x", "a%20b", "%E9", "x" * 215, "@acme"])
def test_a_name_that_npm_cannot_have_is_refused(repo: Repo, name: str) -> None:
    assert repo("PUT", name, npm.Publish("left").body()).status == 400
    assert repo("GET", name).status == 400


def test_deprecating_changes_nothing_else(repo: Repo) -> None:
    repo.publish()
    repo.publish(version="2.0.0")
    before = repo("GET", "left?write=true").json()
    sent = json.loads(json.dumps(before))
    sent["versions"]["1.0.0"] |= {"deprecated": "old", "description": "smuggled", "dist": {}}
    sent["dist-tags"]["latest"] = "1.0.0"

    assert repo("PUT", "left", sent).status == 200

    after = repo("GET", "left").json()
    assert after["versions"]["1.0.0"] == {**before["versions"]["1.0.0"], "deprecated": "old"}
    assert after["dist-tags"] == {"latest": "2.0.0"}
    short = repo("GET", "left", accept=ABBREVIATED).json()
    assert short["versions"]["1.0.0"]["deprecated"] == "old"
    after["versions"]["1.0.0"]["deprecated"] = ""
    assert repo("PUT", "left", after).status == 200
    assert repo("GET", "left").json()["versions"] == before["versions"]
    after["versions"]["9.9.9"] = {"name": "left", "version": "9.9.9"}
    assert repo("PUT", "left", after).status == 404


def test_tags_are_added_moved_and_removed(repo: Repo) -> None:
    repo.publish()
    repo.publish(version="2.0.0-rc.1", tag="rc")

    assert repo("GET", "-/package/left/dist-tags").json() == {"latest": "1.0.0", "rc": "2.0.0-rc.1"}
    assert repo("PUT", "-/package/left/dist-tags/latest", "2.0.0-rc.1").status == 201
    assert repo("POST", "-/package/left/dist-tags/old", "v1.0.0").status == 201
    assert repo("DELETE", "-/package/left/dist-tags/rc").status == 200
    assert repo("GET", "left").json()["dist-tags"] == {"latest": "2.0.0-rc.1", "old": "1.0.0"}
    assert repo("GET", "left/old").json()["version"] == "1.0.0"
    for tag, body, status in (
        ("1.x", "1.0.0", 400),
        ("y", "9.9.9", 404),
        ("y", "x", 400),
        ("y", {"version": "1.0.0"}, 400),
        ("y", b"{", 400),
    ):
        assert repo("PUT", f"-/package/left/dist-tags/{tag}", body).status == status
    assert repo("DELETE", "-/package/left/dist-tags/latest").status == 400
    assert repo("DELETE", "-/package/left/dist-tags/nope").status == 404
    assert repo("PUT", "-/package/nope/dist-tags/y", "1.0.0").status == 404


def test_unpublishing_one_version_as_the_client_does(repo: Repo) -> None:
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        repo.publish(version=version)
    document = repo("GET", "left?write=true").json()
    del document["versions"]["1.2.0"]

    assert repo("PUT", f"left/-rev/{document['_rev']}", document).status == 200
    assert repo("DELETE", f"left/-/left-1.2.0.tgz/-rev/{document['_rev']}").status == 200

    found = repo("GET", "left").json()
    assert (list(found["versions"]), found["dist-tags"]) == (["1.0.0", "1.1.0"], {"latest": "1.1.0"})
    assert repo("GET", "left/-/left-1.2.0.tgz").status == 404
    assert repo("PUT", f"left/-rev/{document['_rev']}", document).status == 200
    assert repo("DELETE", "left/-/left-1.1.0.tgz/-rev/1").status == 409
    assert repo("PUT", "left/-rev/1", {"maintainers": []}).status == 405


def test_a_version_published_meanwhile_is_not_unpublished_with_another(repo: Repo) -> None:
    for version in ("1.0.0", "1.1.0"):
        repo.publish(version=version)
    document = repo("GET", "left").json()
    del document["versions"]["1.0.0"]
    repo.publish(version="1.2.0")

    answer = repo("PUT", f"left/-rev/{document['_rev']}", document)

    assert answer.status == 409
    assert list(repo("GET", "left").json()["versions"]) == ["1.0.0", "1.1.0", "1.2.0"]


def test_what_is_not_here_is_not_unpublished_with_success(repo: Repo) -> None:
    # npm prints success on 404.
    assert repo("DELETE", "nope/-rev/1").status == 409


def test_search_finds_by_words_and_scope(repo: Repo) -> None:
    for name in ("left-pad", "@acme/left", "@acme/right"):
        repo.publish(name)

    def names(query: str) -> list[str]:
        return [each["package"]["name"] for each in repo("GET", f"-/v1/search?{query}").json()["objects"]]

    assert sorted(names("text=left")) == ["@acme/left", "left-pad"]
    assert names("text=%40acme%2Fleft") == ["@acme/left"]
    assert names("text=scope%3Aacme+right") == ["@acme/right"]
    assert names("text=pad+left+keywords%3Ax") == ["left-pad"]
    assert len(names("text=&size=2")) == 2
    assert len(names("text=&size=2&from=2")) == 1
    assert names("text=zzz") == []
    assert repo("GET", "-/v1/search?text=a&size=x").status == 400


def test_ping_whoami_and_who_may_ask(repo: Repo) -> None:
    assert repo("GET", "-/ping?write=true").json() == {}
    assert repo("GET", "-/whoami").json() == {"username": "admin"}
    for token in ("", "bad", "Bearer"):
        answer = repo("GET", "-/whoami", token=token)
        assert answer.status == 401
        assert answer.json()["error"]
        assert answer.headers["www-authenticate"] == 'Bearer realm="packyard", Basic realm="packyard"'
    basic = base64.b64encode(f"anybody:{repo.token}".encode()).decode()
    assert repo("GET", "-/whoami", token="", authorization=f"basic {basic}").status == 200


def test_a_login_checks_the_token_that_is_the_password(repo: Repo) -> None:
    path = "-/user/org.couchdb.user:bob"

    good = repo("PUT", path, {"name": "bob", "password": repo.token}, token="an-expired-one")

    assert (good.status, good.json()["token"]) == (201, repo.token)
    for body in ({"name": "bob", "password": "x"}, {"name": "bob"}, [1]):
        assert repo("PUT", path, body).status == 401
    assert repo("PUT", path, b"{").status == 400
    assert repo("POST", "-/v1/login", {}).status == 404
    assert repo("DELETE", "-/user/token/abc").status == 200
    assert repo("GET", "-/user/org.couchdb.user:admin").json()["name"] == "admin"
    assert repo("GET", "-/user/org.couchdb.user:bob").status == 405


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "-/npm/v1/security/advisories/bulk", 404),
        ("POST", "-/npm/v1/security/audits/quick", 404),
        ("GET", "-/npm/v1/keys", 404),
        ("GET", "-/npm/v1/attestations/left@1.0.0", 404),
        ("GET", "-/npm/v1/tokens", 405),
        ("GET", "-/npm/v1/user", 405),
        ("GET", "-/package/left/collaborators", 405),
        ("POST", "-/package/left/access", 405),
        ("GET", "-/org/acme/package", 405),
        ("PUT", "-/team/acme/devs/package", 405),
        ("GET", "-/_view/starredByUser?key=%22bob%22", 405),
        ("PATCH", "left", 405),
        ("GET", "", 404),
        ("GET", "left/-/left-1.0.0.zip", 404),
        ("GET", "left/a/b/c", 404),
    ],
)
def test_every_other_command_is_answered_in_json(repo: Repo, method: str, path: str, status: int) -> None:
    answer = repo(method, path, gzip.compress(b'{"left":["1.0.0"]}') if method != "GET" else None)

    assert answer.status == status
    assert answer.json()["error"]


def test_a_caller_without_rights_is_told(repo: Repo, aws: Any) -> None:
    aws.put_repository_permissions_policy(
        domain="dom",
        repository=repo.name,
        policyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": ["codeartifact:PublishPackageVersion", "codeartifact:PutPackageMetadata"],
                        "Resource": "*",
                    }
                ],
            }
        ),
    )

    answer = repo.publish()
    broken = npm.Publish("left", tgz=b"no archive").body()

    assert answer.status == 403
    assert answer.json()["error"]
    assert repo("PUT", "left", broken).body == repo("PUT", "left", iter([broken])).body == answer.body


def test_the_control_plane_sees_what_was_published(repo: Repo, aws: Any) -> None:
    manifest = {
        "description": "A bar",
        "license": "MIT",
        "homepage": "https://bar.example",
        "repository": {"type": "git", "url": "git+https://git.example/bar.git"},
        "dependencies": {"@s/dep": "^1"},
    }
    repo.publish("@acme/bar", manifest=manifest)
    where = {"domain": "dom", "repository": repo.name, "format": "npm", "namespace": "acme", "package": "bar"}

    described = aws.describe_package_version(**where, packageVersion="1.0.0")["packageVersion"]

    assert described["displayName"] == "@acme/bar"
    assert (described["summary"], described["homePage"]) == ("A bar", "https://bar.example")
    assert described["sourceCodeRepository"] == "https://git.example/bar.git"
    assert [each["name"] for each in described["licenses"]] == ["MIT"]
    assets = aws.list_package_version_assets(**where, packageVersion="1.0.0")["assets"]
    assert [each["name"] for each in assets] == ["package.tgz"]
    dependencies = aws.list_package_version_dependencies(**where, packageVersion="1.0.0")["dependencies"]
    assert dependencies == [
        {"namespace": "s", "package": "dep", "dependencyType": "regular", "versionRequirement": "^1"}
    ]
    assert aws.get_package_version_readme(**where, packageVersion="1.0.0")["readme"] == "# Left\n"
    aws.update_package_versions_status(**where, versions=["1.0.0"], targetStatus="Unlisted")
    assert repo("GET", "@acme%2fbar").status == 404
    assert repo("GET", "@acme/bar/-/bar-1.0.0.tgz").status == 200
    aws.update_package_versions_status(**where, versions=["1.0.0"], targetStatus="Archived")
    assert repo("GET", "@acme/bar/-/bar-1.0.0.tgz").status == 404


def test_a_tarball_alone_comes_through_an_external_connection(pair: Pair) -> None:
    back = Repo(pair.back, "main", "pub")
    published = npm.Publish("@far/thing", manifest={"description": "far"})
    back("PUT", "@far%2fthing", published.body())
    front = Repo(pair.front)

    tarball = front("GET", "@far/thing/-/thing-1.0.0.tgz")

    assert tarball.body == published.tgz
    found = front("GET", "@far%2fthing").json()
    assert found["versions"]["1.0.0"]["dist"]["tarball"].startswith(front.endpoint)
    assert found["time"]["1.0.0"] == back("GET", "@far%2fthing").json()["time"]["1.0.0"]
    assert found["readme"] == "# Left\n"
    conflict = front.publish("@far/thing", tgz=npm.tarball("@far/thing", files={"x": "y"}))
    assert conflict.status in (403, 409)


def test_upstream_deprecations_pass_through_and_come_back_unchanged(pair: Pair) -> None:
    back, front = Repo(pair.back, "main", "pub"), Repo(pair.front)
    back.publish("far")
    document = back("GET", "far").json()
    document["versions"]["1.0.0"]["deprecated"] = "old"
    back("PUT", "far", document)

    seen = front("GET", "far").json()

    assert seen["versions"]["1.0.0"]["deprecated"] == "old"
    assert front("PUT", "far", seen).status == 200
    seen["versions"]["1.0.0"]["deprecated"] = "changed here"
    assert front("PUT", "far", seen).status == 404
    assert front("DELETE", "far/-rev/1").status == 409
