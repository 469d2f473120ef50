"""What every format must do, by its clients' requests and the API beside them.

`tests/protocols/test_every_format.py` imports all of this for each format's sample.  The fixture `stage` gives
fresh repositories: `repo` above `up`, `other` beside them, and `outside` with the external connection.
"""

from __future__ import annotations

import asyncio
import html
import itertools
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import pytest

from registry.core.types import DomainKey, Event
from tests.chains.town import new_user, settle
from tests.harness import ACCOUNT, Answer, Server
from tests.samples.base import Sample, Shop

_numbers = itertools.count()


@cache
def _boto(server: Server) -> Any:
    """Making a client takes longer than most tests here."""
    return server.boto()


def _word(number: int) -> str:
    return "pkg" + "".join(chr(ord("a") + int(digit)) for digit in str(number))


@dataclass
class Stage:
    """One test's repositories of `front`, and a package's word that no other test has."""

    sample: Sample
    front: Server
    back: Server | None
    number: int = 0
    word: str = ""
    made: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.number = next(_numbers)
        self.word = _word(self.number)
        self.aws = _boto(self.front)

    def shop(self, name: str = "repo", *upstreams: str, token: str | None = None) -> Shop:
        """The endpoint of a repository of this test, which is made with these upstreams when first named."""
        full = f"{name}-{self.number}"
        if name not in self.made:
            above = [{"repositoryName": f"{each}-{self.number}"} for each in upstreams]
            self.aws.create_repository(domain="dom", repository=full, upstreams=above)
            self.made.add(name)
        return Shop(self.front, self.sample.format, full, token=token)

    def outside(self) -> Shop:
        """The public registry's."""
        assert self.back is not None
        return Shop(self.back, self.sample.format, "main", "pub")

    def connected(self, name: str = "store") -> Shop:
        """A repository with the format's external connection."""
        shop = self.shop(name)
        self.aws.associate_external_connection(
            domain="dom", repository=shop.repo, externalConnection=self.sample.connection
        )
        return shop

    def publish(self, shop: Shop, version: str = "1.0.0", *, marker: str = "") -> Answer:
        answer = self.sample.publish(shop, self.word, version, marker=marker)
        assert answer.status < 300, (answer.status, answer.body[:500])
        return answer

    def index(self, shop: Shop, headers: Mapping[str, str] | None = None, method: str = "GET") -> Answer:
        return shop(method, self.sample.index(self.word), headers=headers)

    def offered(self, shop: Shop) -> set[str]:
        """The versions that a client finds; none when the package is unknown."""
        answer = self.index(shop)
        assert answer.status in (200, 404, 410), (answer.status, answer.body[:500])
        return self.sample.versions(answer, self.word) if answer.status == 200 else set()

    def fetch(self, shop: Shop, version: str = "1.0.0", method: str = "GET", **headers: str) -> Answer:
        path = self.sample.asset(self.word, version)[1]
        answer = shop(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        settle(self.front)
        return answer

    def at(self, shop: Shop) -> dict[str, str]:
        """The members that name the package in a request."""
        namespace, package = self.sample.coordinates(self.word)
        found = {"domain": "dom", "repository": shop.repo, "format": self.sample.format, "package": package}
        return found if namespace is None else {**found, "namespace": namespace}

    def held(self, shop: Shop) -> dict[str, str]:
        """Version -> status of what the repository itself holds."""
        try:
            found = self.aws.list_package_versions(**self.at(shop))
        except self.aws.exceptions.ResourceNotFoundException:
            return {}
        return {each["version"]: each["status"] for each in found["versions"]}

    def stored(self, shop: Shop, version: str = "1.0.0") -> bytes:
        """The asset's bytes as the API gives them."""
        found = self.aws.get_package_version_asset(
            **self.at(shop), packageVersion=version, asset=self.sample.asset(self.word, version)[0]
        )
        body: bytes = found["asset"].read()
        return body

    def files(self) -> set[str]:
        """The keys of every stored file of the domain."""

        async def walk() -> set[str]:
            services = self.front.app.services
            domain = await services.store.read(lambda tx: tx.domains.get(DomainKey(ACCOUNT, "dom")))
            assert domain is not None
            return {each.key async for each in services.blobs(domain.id).walk()}

        return asyncio.run_coroutine_threadsafe(walk(), self.front.loop).result(20)

    def events(self) -> list[Mapping[str, Any]]:
        """The package's events, oldest first."""
        package = self.sample.coordinates(self.word)[1]

        async def read() -> list[Event]:
            return await self.front.app.services.store.read(lambda tx: tx.outbox.take(0, 100_000))

        found = asyncio.run_coroutine_threadsafe(read(), self.front.loop).result(20)
        return [each.detail for each in found if each.detail["packageName"] == package]


# --- publish, list, fetch --------------------------------------------------------------------------


def test_what_was_published_is_listed_and_installed(stage: Stage) -> None:
    shop = stage.shop()
    stage.publish(shop)
    stage.publish(shop, "1.1.0")

    assert stage.offered(shop) == {"1.0.0", "1.1.0"}
    assert stage.held(shop) == {"1.0.0": "Published", "1.1.0": "Published"}
    answer = stage.fetch(shop)
    assert (answer.status, answer.body) == (200, stage.stored(shop))
    assert stage.fetch(shop, "1.1.0").body == stage.stored(shop, "1.1.0") != answer.body


def test_an_index_and_a_file_answer_head_and_revalidation(stage: Stage) -> None:
    shop = stage.shop()
    stage.publish(shop)

    whole, head = stage.index(shop), stage.index(shop, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["etag"] == whole.headers["etag"]
    assert int(head.headers["content-length"]) == len(whole.body)
    again = stage.index(shop, {"If-None-Match": whole.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    stage.publish(shop, "1.1.0")
    assert stage.index(shop, {"If-None-Match": whole.headers["etag"]}).status == 200

    file, head = stage.fetch(shop), stage.fetch(shop, method="HEAD")
    assert (head.status, head.body, int(head.headers["content-length"])) == (200, b"", len(file.body))
    assert stage.fetch(shop, If_None_Match=file.headers["etag"]).status == 304


def test_a_file_is_read_in_ranges(stage: Stage) -> None:
    shop = stage.shop()
    stage.publish(shop)
    whole = stage.fetch(shop).body

    first = stage.fetch(shop, Range="bytes=0-9")
    last = stage.fetch(shop, Range="bytes=-10")
    beyond = stage.fetch(shop, Range=f"bytes={len(whole)}-")

    assert (first.status, first.body, first.headers["content-range"]) == (206, whole[:10], f"bytes 0-9/{len(whole)}")
    assert (last.status, last.body) == (206, whole[-10:])
    assert (beyond.status, beyond.headers["content-range"]) == (416, f"bytes */{len(whole)}")


def test_files_are_never_encoded_on_the_way(stage: Stage) -> None:
    shop = stage.shop()
    stage.publish(shop)

    answer = stage.fetch(shop, Accept_Encoding="gzip, br, zstd")

    assert "content-encoding" not in answer.headers
    assert answer.body == stage.stored(shop)


def test_an_unknown_package_and_an_unknown_version_are_not_found(stage: Stage) -> None:
    shop = stage.shop()
    assert stage.index(shop).status in (404, 410)
    assert stage.fetch(shop).status == 404

    stage.publish(shop)

    assert stage.fetch(shop, "9.9.9").status == 404


def test_an_unknown_repository_is_not_found(stage: Stage) -> None:
    nowhere = replace(stage.shop(), repo="nowhere")

    assert stage.index(nowhere).status == 404
    assert stage.sample.publish(nowhere, stage.word).status == 404


def test_publishing_the_same_bytes_again_changes_nothing(stage: Stage) -> None:
    shop = stage.shop()
    stage.publish(shop)
    told = stage.events()

    answer = stage.sample.publish(shop, stage.word)

    assert answer.status < 300 if getattr(stage.sample, "idempotent", True) else answer.status == 409
    assert stage.events() == told


def test_publishing_other_bytes_is_a_conflict_and_changes_nothing(stage: Stage) -> None:
    shop = stage.shop()
    stage.publish(shop)
    before, told = stage.stored(shop), stage.events()

    answer = stage.sample.publish(shop, stage.word, marker="other")

    assert (answer.status, stage.stored(shop)) == (409, before)
    assert stage.events() == told


def test_of_publishers_at_once_at_most_one_wins(stage: Stage) -> None:
    shop = stage.shop()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda marker: stage.sample.publish(shop, stage.word, marker=marker), "abcd"))

    assert sorted({answer.status for answer in answers} - {200, 201, 204}) in ([409], [])
    assert sum(answer.status < 300 for answer in answers) <= 1
    if any(answer.status < 300 for answer in answers):
        assert stage.offered(shop) == {"1.0.0"}
        assert stage.fetch(shop).body == stage.stored(shop)


# --- credentials and rights ------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "not-a-token", "eyJ2ZXIiOjF9.AAAA.BBBB"])
def test_without_a_good_token_nothing_is_told(stage: Stage, token: str) -> None:
    stage.publish(stage.shop())
    shop = stage.shop(token=token)

    answers = [stage.index(shop), stage.fetch(shop), stage.sample.publish(shop, stage.word, "2.0.0")]

    assert [answer.status for answer in answers] == [401, 401, 401]
    assert all("www-authenticate" in answer.headers or stage.sample.format == "swift" for answer in answers)
    assert stage.held(stage.shop()) == {"1.0.0": "Published"}


def test_a_token_without_rights_is_refused(stage: Stage) -> None:
    stage.publish(stage.shop())
    rights = {
        "Effect": "Allow",
        "Action": ["codeartifact:GetAuthorizationToken", "sts:GetServiceBearerToken"],
        "Resource": "*",
    }
    user = new_user(stage.front, f"{stage.sample.format}{stage.number}", rights)
    shop = stage.shop(token=user.get_authorization_token(domain="dom")["authorizationToken"])

    answers = [stage.index(shop), stage.fetch(shop), stage.sample.publish(shop, stage.word, "2.0.0")]

    assert [answer.status for answer in answers] == [403, 403, 403]


def test_a_reader_may_not_publish(stage: Stage) -> None:
    stage.publish(stage.shop())
    actions = ["codeartifact:GetAuthorizationToken", "sts:GetServiceBearerToken", "codeartifact:ReadFromRepository"]
    user = new_user(
        stage.front,
        f"{stage.sample.format}{stage.number}",
        {"Effect": "Allow", "Action": actions, "Resource": "*"},
    )
    shop = stage.shop(token=user.get_authorization_token(domain="dom")["authorizationToken"])

    assert (stage.index(shop).status, stage.fetch(shop).status) == (200, 200)
    assert stage.sample.publish(shop, stage.word, "2.0.0").status == 403


# --- what the API shows ----------------------------------------------------------------------------


def test_the_api_describes_what_was_published(stage: Stage) -> None:
    shop = stage.shop()
    stage.publish(shop)
    at = stage.at(shop)

    shown = stage.aws.describe_package_version(**at, packageVersion="1.0.0")["packageVersion"]

    assert (shown["format"], shown["version"], shown["status"]) == (stage.sample.format, "1.0.0", "Published")
    assert (shown.get("namespace"), shown["packageName"]) == stage.sample.coordinates(stage.word)
    assert len(shown["revision"]) == 44
    assert shown["origin"]["originType"] == "INTERNAL"
    assert shown["origin"]["domainEntryPoint"] == {"repositoryName": shop.repo}
    name = stage.sample.asset(stage.word)[0]
    assets = stage.aws.list_package_version_assets(**at, packageVersion="1.0.0")["assets"]
    [asset] = [each for each in assets if each["name"] == name]
    assert asset["size"] == len(stage.stored(shop))
    assert set(asset["hashes"]) == {"MD5", "SHA-1", "SHA-256", "SHA-512"}
    package = stage.aws.describe_package(**at)["package"]
    assert package["originConfiguration"]["restrictions"] == {"publish": "ALLOW", "upstream": "BLOCK"}
    [listed] = stage.aws.list_packages(domain="dom", repository=shop.repo)["packages"]
    assert (listed.get("namespace"), listed["package"]) == stage.sample.coordinates(stage.word)


def test_the_api_shows_dependencies_and_the_readme(stage: Stage) -> None:
    shop = stage.shop()
    stage.publish(shop)
    at = {**stage.at(shop), "packageVersion": "1.0.0"}

    if stage.sample.dependency is not None:
        found = stage.aws.list_package_version_dependencies(**at)["dependencies"]
        assert stage.sample.dependency in {each["package"] for each in found}
    if stage.sample.readme:
        assert stage.word in stage.aws.get_package_version_readme(**at)["readme"]


def test_every_change_is_told_once(stage: Stage) -> None:
    shop = stage.shop()
    stage.publish(shop)
    stage.aws.update_package_versions_status(**stage.at(shop), versions=["1.0.0"], targetStatus="Archived")
    stage.aws.delete_package_versions(**stage.at(shop), versions=["1.0.0"])

    told = stage.events()

    assert told[0]["operationType"] == "Created"
    assert [(each["operationType"], each["packageVersionState"]) for each in told][-2:] == [
        ("Updated", "Archived"),
        ("Deleted", "Archived"),
    ]
    assert [each["sequenceNumber"] for each in told] == list(range(1, len(told) + 1))
    assert json.dumps(told[0])


# --- statuses, deletion, copies --------------------------------------------------------------------


def test_an_unlisted_version_is_not_offered_and_still_installed(stage: Stage) -> None:
    shop = stage.shop()
    stage.publish(shop)
    stage.publish(shop, "1.1.0")

    stage.aws.update_package_versions_status(**stage.at(shop), versions=["1.1.0"], targetStatus="Unlisted")

    assert stage.offered(shop) == {"1.0.0"}
    assert stage.fetch(shop, "1.1.0").status == 200
    assert stage.sample.publish(shop, stage.word, "1.1.0", marker="other").status == 409


@pytest.mark.parametrize("status", ["Archived", "Disposed", "Deleted"])
def test_a_version_that_was_taken_away_is_not_there(stage: Stage, status: str) -> None:
    shop = stage.shop()
    stage.publish(shop)
    stage.publish(shop, "1.1.0")

    given = {**stage.at(shop), "versions": ["1.1.0"]}
    if status == "Disposed":
        stage.aws.dispose_package_versions(**given)
    elif status == "Deleted":
        stage.aws.delete_package_versions(**given)
    else:
        stage.aws.update_package_versions_status(**given, targetStatus=status)

    assert stage.offered(shop) == {"1.0.0"}
    assert stage.fetch(shop, "1.1.0").status == 404
    again = stage.sample.publish(shop, stage.word, "1.1.0", marker="other")
    assert again.status < 300 if status == "Deleted" else again.status == 409


def test_a_copy_has_the_same_bytes_and_takes_no_room(stage: Stage) -> None:
    shop, other = stage.shop(), stage.shop("other")
    stage.publish(shop)
    at = {key: value for key, value in stage.at(shop).items() if key != "repository"}

    done = stage.aws.copy_package_versions(
        **at, sourceRepository=shop.repo, destinationRepository=other.repo, versions=["1.0.0"]
    )

    assert not done["failedVersions"]
    assert stage.fetch(other).body == stage.stored(shop)
    assert stage.offered(other) == {"1.0.0"}
    revisions = {
        stage.aws.describe_package_version(**stage.at(each), packageVersion="1.0.0")["packageVersion"]["revision"]
        for each in (shop, other)
    }
    assert len(revisions) == 1


def test_the_same_file_in_two_repositories_is_stored_once(stage: Stage) -> None:
    stage.publish(stage.shop())
    before = stage.files()

    stage.publish(stage.shop("other"))

    assert stage.files() <= before


# --- upstreams, connections, origin controls -------------------------------------------------------


def test_an_upstreams_version_is_offered_and_kept_once_installed(stage: Stage) -> None:
    if not stage.front.app.services.formats[stage.sample.format].upstreams:
        pytest.skip("the format has no upstreams")
    up = stage.shop("up")
    shop = stage.shop("repo", "up")
    stage.publish(up)

    assert stage.offered(shop) == {"1.0.0"}
    assert stage.held(shop) == {}
    assert stage.fetch(shop).body == stage.stored(up)
    assert stage.held(shop) == {"1.0.0": "Published"}
    stage.publish(up, "1.1.0")
    assert stage.offered(shop) == {"1.0.0", "1.1.0"}
    stage.aws.delete_package(**stage.at(up))
    assert stage.fetch(shop).status == 200
    assert stage.offered(shop) == {"1.0.0"}


def test_what_an_upstream_has_cannot_be_published_below_it(stage: Stage) -> None:
    if not stage.front.app.services.formats[stage.sample.format].upstreams:
        pytest.skip("the format has no upstreams")
    up = stage.shop("up")
    shop = stage.shop("repo", "up")
    stage.publish(up)

    answer = stage.sample.publish(shop, stage.word, marker="other")

    assert answer.status == 409
    assert stage.held(shop) == {}


def test_a_public_version_comes_through_the_connection_and_stays(stage: Stage) -> None:
    if stage.sample.connection is None:
        pytest.skip("the format has no external connection")
    outside = stage.outside()
    assert stage.sample.publish(outside, stage.word).status < 300
    store = stage.connected()
    shop = stage.shop("repo", "store")

    assert stage.offered(shop) == {"1.0.0"}
    assert stage.held(store) == {}
    body = stage.fetch(shop).body
    assert body == outside("GET", stage.sample.asset(stage.word)[1]).body
    assert stage.held(shop) == stage.held(store) == {"1.0.0": "Published"}
    shown = stage.aws.describe_package_version(**stage.at(shop), packageVersion="1.0.0")["packageVersion"]
    assert shown["origin"] == {
        "originType": "EXTERNAL",
        "domainEntryPoint": {"externalConnectionName": stage.sample.connection},
    }
    restrictions = stage.aws.describe_package(**stage.at(shop))["package"]["originConfiguration"]["restrictions"]
    assert restrictions == {"publish": "BLOCK", "upstream": "ALLOW"}

    assert stage.sample.publish(outside, stage.word, "1.1.0").status < 300
    assert stage.offered(shop) == {"1.0.0", "1.1.0"}
    stage.aws.disassociate_external_connection(
        domain="dom", repository=store.repo, externalConnection=stage.sample.connection
    )
    assert stage.fetch(shop).body == body
    assert stage.offered(shop) == {"1.0.0"}


def test_publishing_is_refused_where_the_package_blocks_it(stage: Stage) -> None:
    shop = stage.shop()
    stage.publish(shop)
    stage.aws.put_package_origin_configuration(**stage.at(shop), restrictions={"publish": "BLOCK", "upstream": "ALLOW"})

    assert stage.sample.publish(shop, stage.word, "1.1.0").status == 403
    assert stage.held(shop) == {"1.0.0": "Published"}


def test_a_blocked_upstream_shows_nothing_and_gives_nothing(stage: Stage) -> None:
    if stage.sample.connection is None:
        pytest.skip("the format has no external connection")
    assert stage.sample.publish(stage.outside(), stage.word, "9.0.0").status < 300
    stage.connected()
    shop = stage.shop("repo", "store")
    local = stage.shop("local")
    stage.publish(local)
    at = {key: value for key, value in stage.at(local).items() if key != "repository"}
    done = stage.aws.copy_package_versions(
        **at, sourceRepository=local.repo, destinationRepository=shop.repo, versions=["1.0.0"]
    )
    assert not done["failedVersions"]

    stage.aws.put_package_origin_configuration(**stage.at(shop), restrictions={"publish": "ALLOW", "upstream": "BLOCK"})

    assert stage.offered(shop) == {"1.0.0"}
    assert stage.fetch(shop, "9.0.0").status == 404
    stage.aws.put_package_origin_configuration(**stage.at(shop), restrictions={"publish": "ALLOW", "upstream": "ALLOW"})
    assert stage.offered(shop) == {"1.0.0", "9.0.0"}
    assert stage.fetch(shop, "9.0.0").status == 200


# --- Package groups -------------------------------------------------------------------------------


def _grouped(stage: Stage, name: str, **modes: str) -> str:
    """A group for exactly this name, in the package's namespace."""
    namespace, _ = stage.sample.coordinates(stage.word)
    pattern = f"/{stage.sample.format}/{namespace or ''}/{name}$"
    stage.aws.create_package_group(domain="dom", packageGroup=pattern)
    stage.aws.update_package_group_origin_configuration(domain="dom", packageGroup=pattern, restrictions=modes)
    return pattern


def test_a_package_group_forbids_publishing_and_the_client_is_told_so(stage: Stage) -> None:
    _, package = stage.sample.coordinates(stage.word)
    pattern = _grouped(stage, package, PUBLISH="BLOCK")
    shop = stage.shop()

    refused = stage.sample.publish(shop, stage.word)

    assert refused.status == 403, refused.body[:500]
    assert pattern in html.unescape(refused.text)
    assert "PUBLISH=BLOCK" in refused.text
    assert stage.held(shop) == {}
    stage.aws.delete_package_group(domain="dom", packageGroup=pattern)
    stage.publish(shop)


def test_a_package_group_forbids_what_comes_from_above(stage: Stage) -> None:
    _, package = stage.sample.coordinates(stage.word)
    if stage.sample.connection is None:
        pytest.skip("the format has no external connection")
    stage.publish(stage.outside())
    store = stage.connected()
    shop = stage.shop("repo", "store")
    pattern = _grouped(stage, package, EXTERNAL_UPSTREAM="BLOCK")

    assert stage.offered(store) == stage.offered(shop) == set()
    assert stage.fetch(shop).status in (404, 410)
    assert stage.held(store) == stage.held(shop) == {}
    stage.aws.update_package_group_origin_configuration(
        domain="dom", packageGroup=pattern, restrictions={"EXTERNAL_UPSTREAM": "ALLOW", "INTERNAL_UPSTREAM": "BLOCK"}
    )
    assert (stage.offered(store), stage.offered(shop)) == ({"1.0.0"}, set())
    assert stage.fetch(shop).status in (404, 410)
    stage.aws.delete_package_group(domain="dom", packageGroup=pattern)
    assert stage.offered(shop) == {"1.0.0"}
    assert stage.fetch(shop).status == 200


def test_a_variation_of_a_groups_name_is_neither_published_nor_fetched(stage: Stage) -> None:
    """A weak match: `o` and `0` look alike."""
    stage.word += "lo"
    namespace, package = stage.sample.coordinates(stage.word)
    pattern = _grouped(stage, package.replace("lo", "l0"))
    where = {
        "format": stage.sample.format,
        "package": package,
        **({} if namespace is None else {"namespace": namespace}),
    }
    found = stage.aws.get_associated_package_group(domain="dom", **where)
    assert (found["packageGroup"]["pattern"], found["associationType"]) == (pattern, "WEAK")

    refused = stage.sample.publish(stage.shop(), stage.word)

    assert refused.status == 403, refused.body[:500]
    assert "weak match" in refused.text
    if stage.sample.connection is not None:
        stage.publish(stage.outside())
        store = stage.connected()
        assert stage.offered(store) == set()
        assert stage.fetch(store).status in (404, 410)
        assert stage.held(store) == {}
