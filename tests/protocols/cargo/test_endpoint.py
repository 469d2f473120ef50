"""Requests as cargo makes them, against a real server."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.chains.town import new_user
from tests.harness import Answer, Server, basic
from tests.samples import cargo as samples
from tests.samples.cargo import Publish, dependency, framed

_numbers = itertools.count()


class Repo:
    """One repository's endpoint, with the administrator's token, bare as cargo stores it."""

    def __init__(self, server: Server, name: str) -> None:
        self.server = server
        self.name = name
        self.endpoint = server.endpoint("cargo", name)
        self.token = server.token()

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        sent = {"Authorization": self.token, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.server.request(method, self.endpoint + path, body=body, headers=sent)

    def publish(self, name: str = "left", version: str = "1.0.0", file: bytes = b"", **more: Any) -> Answer:
        return self.send(Publish(name, version, file, more).body())

    def send(self, body: bytes | Iterator[bytes], **headers: str) -> Answer:
        return self("PUT", "api/v1/crates/new", body, **headers)

    def lines(self, name: str = "left") -> dict[str, dict[str, Any]]:
        answer = self("GET", samples.path(name))
        assert answer.status in (200, 404), answer.text
        return samples.lines(answer.body) if answer.status == 200 else {}

    def at(self, package: str = "left") -> dict[str, str]:
        return {"domain": "dom", "repository": self.name, "format": "cargo", "package": package}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the module: every test has a repository of its own."""
    with Server(tmp_path_factory.mktemp("house"), settings={"quotas": {"repositories_per_domain": 10_000}}) as server:
        yield server.make("dom")


@pytest.fixture(scope="module")
def aws(house: Server) -> Any:
    return house.boto()


@pytest.fixture
def repo(house: Server, aws: Any) -> Repo:
    name = f"repo-{next(_numbers)}"
    aws.create_repository(domain="dom", repository=name)
    return Repo(house, name)


def detail(answer: Answer) -> str:
    [error] = answer.json()["errors"]
    text = error["detail"]
    assert isinstance(text, str)
    return text


# --- config.json and credentials ---------------------------------------------------------------------------


def test_the_first_request_has_no_token_and_is_told_to_bring_one(repo: Repo) -> None:
    answer = repo.server.get(repo.endpoint + "config.json")

    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith(f'Cargo login_url="{repo.endpoint}me", ')
    assert "token" in detail(answer)


def test_the_configuration_names_this_repository_in_absolute_terms(repo: Repo) -> None:
    root = repo.endpoint.rstrip("/")

    answer = repo("GET", "config.json")

    assert answer.json() == {"dl": f"{root}/api/v1/crates", "api": root, "auth-required": True}
    assert answer.headers["cache-control"] == "no-cache"


def test_a_token_is_taken_bare_with_bearer_and_with_basic(repo: Repo) -> None:
    repo.publish()
    values = [repo.token, f"Bearer {repo.token}", f"bearer {repo.token}", basic(repo.token), f" {repo.token} "]

    for path in ("config.json", "le/ft/left", "api/v1/crates/left/1.0.0/download"):
        assert [repo("GET", path, Authorization=value).status for value in values] == [200] * 5
        assert repo("GET", path, Authorization="Bearer nonsense").status == 401


def test_the_page_for_a_login_tells_how_to_get_a_token(repo: Repo) -> None:
    assert "get-authorization-token" in repo("GET", "me").text
    anonymous = repo.server.get(repo.endpoint + "me")
    assert (anonymous.status, "get-authorization-token" in anonymous.text) == (401, True)


# --- the index ---------------------------------------------------------------------------------------------


def test_a_line_is_exact_and_there_at_once(repo: Repo) -> None:
    made = Publish(
        "Left_Pad",
        "1.0.0-rc.1+build.5",
        more={
            "deps": [dependency("real", "^0.3", explicit_name_in_toml="alias", target="cfg(unix)", kind="build")],
            "features": {"std": [], "fast": ["dep:alias"]},
            "links": "leftpad",
            "rust_version": "1.70",
        },
    )

    answer = repo.send(made.body())

    assert answer.json() == {"warnings": {"invalid_categories": [], "invalid_badges": [], "other": []}}
    found = repo("GET", "le/ft/left_pad")
    assert found.headers["content-type"] == "text/plain; charset=utf-8"
    assert found.body.endswith(b"}\n")
    [line] = samples.lines(found.body).values()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line.pop("pubtime"))
    assert line == {
        "name": "Left_Pad", "vers": "1.0.0-rc.1+build.5", "cksum": made.cksum, "yanked": False, "v": 2,
        "links": "leftpad", "rust_version": "1.70", "features": {"std": []}, "features2": {"fast": ["dep:alias"]},
        "deps": [
            {
                "name": "alias", "package": "real", "req": "^0.3", "features": [], "optional": False,
                "default_features": True, "target": "cfg(unix)", "kind": "build", "registry": None,
            }
        ],
    }  # fmt: skip


@pytest.mark.parametrize("name", ["a", "Ab", "a2X", "abcd", "Foo-Bar_baz"])
def test_names_of_every_length_are_where_cargo_looks(repo: Repo, name: str) -> None:
    assert repo.publish(name).status == 200

    assert set(repo.lines(name)) == {"1.0.0"}
    assert repo("GET", f"api/v1/crates/{name}/1.0.0/download").body == samples.crate(name)


@pytest.mark.parametrize(
    "path",
    ["le/fx/left", "3/l/left", "1/left", "le/ft/Left", "LE/FT/LEFT", "le/ft/left/", "le/ft", "left", "xx/yy/l..t"],
)
def test_an_index_file_is_at_one_path_only(repo: Repo, path: str) -> None:
    repo.publish()

    answer = repo("GET", path)

    assert answer.status == 404
    assert detail(answer)


def test_an_index_file_is_revalidated_and_changes_only_with_its_crate(repo: Repo) -> None:
    repo.publish()
    repo.publish("right")
    tag = repo("GET", "le/ft/left").headers["etag"]
    zipped = repo("GET", "le/ft/left", Accept_Encoding="deflate, gzip").headers["etag"]

    repo.publish("right", "1.1.0")
    assert repo("GET", "le/ft/left", If_None_Match=tag).status == 304
    assert repo("GET", "le/ft/left", If_None_Match=zipped, Accept_Encoding="deflate, gzip").status == 304
    repo.publish("left", "1.1.0")
    assert repo("GET", "le/ft/left", If_None_Match=tag).status == 200


def test_a_request_that_offers_http2_keeps_its_body_and_its_answer(repo: Repo) -> None:
    offer = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAoAAAAAIAAAAA"}

    assert repo.send(Publish().body(), **offer).status == 200
    assert repo("GET", "le/ft/left", **offer).status == 200
    assert repo("GET", "api/v1/crates/left/1.0.0/download", **offer).body == samples.crate()


# --- publishing --------------------------------------------------------------------------------------------


def test_the_api_shows_what_was_published(repo: Repo, aws: Any) -> None:
    deps = [dependency("one", "^1.2"), dependency("two", "2", kind="dev"), dependency("three", ">=3, <4", kind="build")]
    more: dict[str, Any] = {
        "deps": deps,
        "description": "Pads",
        "homepage": "http://h.test/",
        "repository": "http://r.test/",
        "license": "MIT OR Apache-2.0",
        "readme": "# Left",
    }
    repo.publish("Left-Pad", "1.0.0+x", **more)
    at = {**repo.at("left-pad"), "packageVersion": "1.0.0+x"}

    shown = aws.describe_package_version(**at)["packageVersion"]

    assert (shown["displayName"], shown["packageName"], shown["version"]) == ("Left-Pad", "left-pad", "1.0.0+x")
    assert (shown["summary"], shown["homePage"], shown["sourceCodeRepository"]) == (
        "Pads",
        "http://h.test/",
        "http://r.test/",
    )
    assert shown["licenses"] == [{"name": "MIT OR Apache-2.0"}]
    assert aws.get_package_version_readme(**at)["readme"] == "# Left"
    found = aws.list_package_version_dependencies(**at)["dependencies"]
    assert {(each["package"], each["dependencyType"], each["versionRequirement"]) for each in found} == {
        ("one", "normal", "^1.2"),
        ("three", "build", ">=3, <4"),
        ("two", "dev", "2"),
    }
    [asset] = aws.list_package_version_assets(**at)["assets"]
    assert asset["name"] == "Left-Pad-1.0.0+x.crate"


def test_the_same_crate_again_is_fine_and_another_is_not(repo: Repo) -> None:
    repo.publish()
    again = repo.publish()
    other = repo.publish(file=samples.crate(files={"src/lib.rs": b"// other"}))

    assert again.json()["warnings"]["other"] == ["left 1.0.0 was here already, with the same content"]
    assert (other.status, "different content" in detail(other)) == (409, True)


def test_versions_do_not_differ_in_build_metadata_alone(repo: Repo) -> None:
    repo.publish(version="1.0.0+a")

    answers = [repo.publish(version="1.0.0+b"), repo.publish(version="1.0.0")]

    assert [answer.status for answer in answers] == [409, 409]
    assert "build metadata makes no other version" in detail(answers[0])
    body = samples.crate(version="1.0.0+a")
    for spelled in ("1.0.0+a", "1.0.0%2Ba", "1.0.0%2ba"):
        assert repo("GET", f"api/v1/crates/left/{spelled}/download").body == body
    assert repo("GET", "api/v1/crates/left/1.0.0+b/download").status == 404


def test_names_that_read_the_same_are_one(repo: Repo) -> None:
    repo.publish("Left-Pad")

    answers = [repo.publish("left-pad", "1.1.0"), repo.publish("left_pad"), repo.publish("LEFT_PAD")]

    assert [answer.status for answer in answers] == [409] * 3
    assert "spelled 'Left-Pad'" in detail(answers[0])
    assert "cannot be beside Left-Pad" in detail(answers[1])
    assert repo.lines("left_pad") == {}
    assert repo.publish("Left-Pad", "1.1.0").status == 200


GOOD = Publish()
TEXT = GOOD.body()[4 : -4 - len(GOOD.file)]


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        (b"", 400, "shorter"),
        (b"\1\0", 400, "shorter"),
        (GOOD.body()[:-1], 400, "shorter"),
        (GOOD.body() + b"\0", 400, "follows"),
        (b"\xff\xff\xff\xff" + b"{}", 413, "metadata is larger"),
        (len(TEXT).to_bytes(4, "little") + TEXT + b"\xff\xff\xff\xff" + b"x", 400, "shorter"),
        (framed(b"{}", GOOD.file), 400, "not what cargo publish sends"),
        (framed(TEXT, b""), 400, "cut short"),
        (framed(TEXT, b"nonsense"), 400, "damaged"),
        (framed(TEXT, samples.crate("other")), 400, "not below left-1.0.0/"),
        (framed(TEXT, samples.archive([("left-1.0.0/../x", b"")])), 400, "not below"),
        (Publish("1left").body(), 400, "not a crate's name"),
        (Publish("../left").body(), 400, "not a crate's name"),
        (Publish(version="1.0").body(), 400, "not a semantic version"),
        (Publish(more={"deps": [dependency("a", "??")]}).body(), 400, "not a version requirement"),
    ],
)
def test_what_is_not_a_crate_leaves_nothing_behind(repo: Repo, body: bytes, status: int, why: str) -> None:
    answer = repo.send(body)

    assert (answer.status, why in detail(answer)) == (status, True), detail(answer)
    assert repo.lines() == {}
    assert repo.server.boto().list_packages(domain="dom", repository=repo.name)["packages"] == []
    staging = repo.server.data / "blobs" / "staging"
    for _ in range(100):
        left = [path for path in staging.rglob("*") if path.is_file() and path.parent != staging]
        if not left:
            break
        time.sleep(0.05)
    assert not left


def test_a_body_of_unknown_length_is_read_as_it_arrives(repo: Repo) -> None:
    file = samples.crate(files={"src/data.bin": hashlib.shake_256(b"x").digest(3_000_000)})
    body = Publish(file=file).body()

    answer = repo.send(iter([body[:3], body[3:5], body[5:70_000], body[70_000:]]))

    assert answer.status == 200
    assert repo("GET", "api/v1/crates/left/1.0.0/download").body == file


def test_who_may_not_publish_learns_it_before_sending_the_file(repo: Repo) -> None:
    actions = ["codeartifact:GetAuthorizationToken", "sts:GetServiceBearerToken", "codeartifact:ReadFromRepository"]
    user = new_user(repo.server, f"reader{repo.name}", {"Effect": "Allow", "Action": actions, "Resource": "*"})
    token = user.get_authorization_token(domain="dom")["authorizationToken"]
    head = len(TEXT).to_bytes(4, "little") + TEXT

    answer = repo.send(head + b"\0\0\0\1" + b"this is not sixteen megabytes", Authorization=token)

    assert (answer.status, "not authorized" in detail(answer)) == (403, True)


def test_of_publishers_of_rival_names_at_most_one_wins(repo: Repo) -> None:
    names = ["ri-val-x", "ri_val-x", "ri-val_x", "ri_val_x"]

    async def race() -> list[Answer]:
        return await asyncio.gather(*(asyncio.to_thread(repo.publish, name) for name in names))

    answers = asyncio.run(race())

    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409]
    assert sum(bool(repo.lines(name)) for name in names) == 1


# --- yank, statuses ----------------------------------------------------------------------------------------


def status(aws: Any, repo: Repo, version: str = "1.0.0") -> str:
    found = aws.describe_package_version(**repo.at(), packageVersion=version)["packageVersion"]["status"]
    assert isinstance(found, str)
    return found


def test_a_yank_is_the_status_unlisted_and_back(repo: Repo, aws: Any) -> None:
    repo.publish()
    path = "api/v1/crates/left/1.0.0"

    for _ in range(2):
        answer = repo("DELETE", f"{path}/yank")
        assert (answer.status, answer.json()) == (200, {"ok": True})
    assert (status(aws, repo), repo.lines()["1.0.0"]["yanked"]) == ("Unlisted", True)
    assert repo("GET", f"{path}/download").status == 200
    assert repo.publish().status == 409
    assert repo("PUT", f"{path}/unyank").json() == {"ok": True}
    assert (status(aws, repo), repo.lines()["1.0.0"]["yanked"]) == ("Published", False)


def test_statuses_of_the_api_are_seen_in_the_index(repo: Repo, aws: Any) -> None:
    repo.publish()
    repo.publish(version="1.1.0")

    aws.update_package_versions_status(**repo.at(), versions=["1.1.0"], targetStatus="Unlisted")
    assert {version: line["yanked"] for version, line in repo.lines().items()} == {"1.0.0": False, "1.1.0": True}
    aws.update_package_versions_status(**repo.at(), versions=["1.1.0"], targetStatus="Archived")
    assert set(repo.lines()) == {"1.0.0"}
    assert repo("DELETE", "api/v1/crates/left/1.1.0/yank").status == 404
    assert repo("PUT", "api/v1/crates/left/1.1.0/unyank").status == 404
    assert status(aws, repo, "1.1.0") == "Archived"


def test_a_yank_of_what_is_not_here_is_not_found(repo: Repo) -> None:
    answers = [repo("DELETE", f"api/v1/crates/{what}/yank") for what in ("left/1.0.0", "left/x", "1left/1.0.0")]
    repo.publish()
    answers.append(repo("DELETE", "api/v1/crates/left/1.0.1/yank"))

    assert [answer.status for answer in answers] == [404] * 4


def test_a_yank_needs_the_right_to_put_metadata(repo: Repo) -> None:
    repo.publish()
    actions = [
        f"codeartifact:{each}" for each in ("GetAuthorizationToken", "ReadFromRepository", "PublishPackageVersion")
    ]
    user = new_user(
        repo.server,
        f"publisher{repo.name}",
        {"Effect": "Allow", "Action": [*actions, "sts:GetServiceBearerToken"], "Resource": "*"},
    )
    token = user.get_authorization_token(domain="dom")["authorizationToken"]

    answer = repo("DELETE", "api/v1/crates/left/1.0.0/yank", Authorization=token)

    assert (answer.status, repo.lines()["1.0.0"]["yanked"]) == (403, False)


def test_a_copy_keeps_its_line(repo: Repo, aws: Any) -> None:
    repo.publish()
    aws.create_repository(domain="dom", repository=f"{repo.name}-copy")
    at = {key: value for key, value in repo.at().items() if key != "repository"}

    aws.copy_package_versions(
        **at, sourceRepository=repo.name, destinationRepository=f"{repo.name}-copy", versions=["1.0.0"]
    )

    assert Repo(repo.server, f"{repo.name}-copy").lines() == repo.lines()


# --- search, owners, the rest ------------------------------------------------------------------------------


def test_search_finds_names_in_either_spelling(repo: Repo) -> None:
    for name, version in (("left-pad", "1.0.0"), ("left-pad", "1.1.0"), ("left-pad", "2.0.0-rc.1"), ("other", "1.0.0")):
        repo.publish(name, version)
    repo("DELETE", "api/v1/crates/left-pad/1.1.0/yank")
    repo.publish("pre", "0.1.0-a")

    def found(query: str) -> dict[str, str]:
        return {each["name"]: each["max_version"] for each in repo("GET", f"api/v1/crates?{query}").json()["crates"]}

    assert found("q=left_pad&per_page=5") == {"left-pad": "1.0.0"}
    assert found("q=LEFT") == {"left-pad": "1.0.0"}
    assert found("q=pad%20left") == {"left-pad": "1.0.0"}
    assert found("q=nothing") == {}
    assert found("") == {"left-pad": "1.0.0", "other": "1.0.0", "pre": "0.1.0-a"}
    assert repo("GET", "api/v1/crates?q=e&per_page=1&page=2").json()["crates"] != []
    assert repo("GET", "api/v1/crates?per_page=x").status == 400
    [hit] = repo("GET", "api/v1/crates?q=other").json()["crates"]
    assert hit == {"name": "other", "max_version": "1.0.0", "description": "The crate other"}


def test_owners_are_shown_and_not_changed(repo: Repo) -> None:
    assert repo("GET", "api/v1/crates/left/owners").status == 404
    repo.publish()

    [owner] = repo("GET", "api/v1/crates/left/owners").json()["users"]
    assert owner["login"] == "111122223333"
    assert 0 <= owner["id"] < 2**32
    for method in ("PUT", "DELETE"):
        answer = repo(method, "api/v1/crates/left/owners", b'{"users":["alice"]}')
        assert (answer.status, "permissions policies" in detail(answer)) == (405, True)


@pytest.mark.parametrize("path", ["api/v1/crates/left/1.0.0", "api/v1/summary", "index", "api/v1/me"])
def test_what_is_not_there_is_told_in_cargos_form(repo: Repo, path: str) -> None:
    assert (repo("GET", path).status, bool(detail(repo("GET", path)))) == (404, True)
