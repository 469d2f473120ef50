"""Deploys, checksums, metadata and snapshots by their requests, on one server."""

from __future__ import annotations

import hashlib
import itertools
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.chains.town import new_user
from tests.harness import Answer, Server
from tests.samples.base import Shop
from tests.samples.maven import Artifact, deploy, deploy_snapshot, jar, metadata, pom, put, snapshot_metadata

FIRST, SECOND = ("20210728.194552", 1), ("20210729.171330", 2)
_numbers = itertools.count()


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("data")) as server:
        yield server.make("dom")


@pytest.fixture
def shop(front: Server) -> Shop:
    repo = f"repo-{next(_numbers)}"
    front.make("dom", repo)
    return Shop(front, "maven", repo)


def statuses(shop: Shop, artifact: Artifact) -> dict[str, str]:
    found = shop.server.boto().list_package_versions(**where(shop, artifact))
    return {each["version"]: each["status"] for each in found["versions"]}


def where(shop: Shop, artifact: Artifact, **more: Any) -> dict[str, Any]:
    return {
        "domain": "dom", "repository": shop.repo, "format": "maven", "namespace": artifact.group,
        "package": artifact.name, **more,
    }  # fmt: skip


def listed(answer: Answer) -> list[str]:
    return re.findall(r"<version>([^<]+)</version>", answer.text)


def sha1(body: bytes) -> bytes:
    return hashlib.sha1(body).hexdigest().encode()


# --- releases --------------------------------------------------------------------------------


def test_a_version_is_unfinished_and_nobody_s_until_its_metadata_comes(shop: Shop) -> None:
    lib = Artifact()
    for path, body in ((lib.path(), jar(lib)), (lib.path(".pom"), pom(lib))):
        assert put(shop, path, body).status == 201
    before = statuses(shop, lib)
    hidden = [shop("GET", path).status for path in (lib.path(), lib.path(".pom.sha1"), lib.metadata)]

    told = shop("PUT", lib.metadata, metadata(lib))

    assert (before, hidden) == ({"1.0": "Unfinished"}, [404, 404, 404])
    assert told.status == 201
    assert statuses(shop, lib) == {"1.0": "Published"}
    assert shop("GET", lib.path()).body == jar(lib)


def test_a_version_that_the_api_publishes_is_published(shop: Shop) -> None:
    lib = Artifact()
    put(shop, lib.path(), jar(lib))

    shop.server.boto().update_package_versions_status(**where(shop, lib), versions=["1.0"], targetStatus="Published")

    assert listed(shop("GET", lib.metadata)) == ["1.0"]


def test_every_file_has_four_checksums_and_tells_them_in_its_head(shop: Shop) -> None:
    lib = Artifact(classifiers=("sources",))
    assert deploy(shop, lib, algorithms=("sha512", "sha256", "sha1", "md5")).status == 201

    for path in (lib.path(), lib.path(".pom"), lib.path("-sources.jar"), lib.metadata):
        whole = shop("GET", path)
        head = shop("HEAD", path)
        assert (head.status, head.body, head.headers["etag"]) == (200, b"", whole.headers["etag"])
        for name in ("md5", "sha1", "sha256", "sha512"):
            digest = hashlib.new(name, whole.body).hexdigest()
            told = shop("GET", f"{path}.{name}")
            assert (told.text, told.headers["content-type"]) == (digest, "text/plain")
            assert whole.headers[f"x-checksum-{name}"] == digest
    names = shop.server.boto().list_package_version_assets(**where(shop, lib, packageVersion="1.0"))["assets"]
    assert [each["name"] for each in names] == ["lib-1.0-sources.jar", "lib-1.0.jar", "lib-1.0.pom"]


def test_the_same_bytes_again_succeed_and_others_do_not(shop: Shop) -> None:
    lib = Artifact()
    deploy(shop, lib)

    same, other = shop("PUT", lib.path(), jar(lib)), shop("PUT", lib.path(), b"other")

    assert (same.status, other.status) == (200, 409)
    assert other.headers["content-type"] == "application/problem+json"
    assert shop("GET", lib.path()).body == jar(lib)
    assert deploy(shop, lib).status < 300


def test_files_may_join_a_version_that_is_published(shop: Shop) -> None:
    lib = Artifact()
    deploy(shop, lib)

    late = put(shop, lib.path("-late.jar"), b"late")
    wrong = shop("PUT", lib.path("-late.jar.md5"), b"0" * 32)

    assert (late.status, wrong.status) == (201, 400)
    assert shop("GET", lib.path("-late.jar")).body == b"late"
    assert shop("GET", lib.path("-late.jar.md5")).text == hashlib.md5(b"late").hexdigest()
    assert statuses(shop, lib) == {"1.0": "Published"}


def test_metadata_finishes_only_what_it_lists(shop: Shop) -> None:
    for version in ("1.0", "2.0", "3.0"):
        put(shop, Artifact(version=version).path(), b"x")

    shop("PUT", Artifact().metadata, metadata(Artifact(version="3.0"), "1.0", "0.9"))

    assert statuses(shop, Artifact()) == {"1.0": "Published", "2.0": "Unfinished", "3.0": "Published"}


def test_versions_are_in_maven_s_order_and_name_the_latest(shop: Shop) -> None:
    versions = ["1.10", "1.9", "1.0-rc1", "1.0", "2.0-beta-1"]
    for version in versions:
        deploy(shop, Artifact(version=version))

    answer = shop("GET", Artifact().metadata)

    assert listed(answer) == ["1.0-rc1", "1.0", "1.9", "1.10", "2.0-beta-1"]
    assert "<latest>2.0-beta-1</latest>" in answer.text
    assert "<release>2.0-beta-1</release>" in answer.text
    page = shop.server.boto().list_package_versions(**where(shop, Artifact()))
    assert [each["version"] for each in page["versions"]] == listed(answer)[::-1]
    assert page["defaultDisplayVersion"] == "2.0-beta-1"


@pytest.mark.parametrize("status", ["Unlisted", "Archived"])
def test_metadata_tells_what_is_listed_now(shop: Shop, status: str) -> None:
    for version in ("1.0", "2.0"):
        deploy(shop, Artifact(version=version))
    tag = shop("GET", Artifact().metadata).headers["etag"]

    shop.server.boto().update_package_versions_status(**where(shop, Artifact()), versions=["2.0"], targetStatus=status)
    now = shop("GET", Artifact().metadata, headers={"If-None-Match": tag})

    assert (now.status, listed(now)) == (200, ["1.0"])
    assert shop("GET", Artifact().metadata, headers={"If-None-Match": now.headers["etag"]}).status == 304
    assert shop("GET", Artifact(version="2.0").path()).status == (200 if status == "Unlisted" else 404)


def test_the_control_plane_shows_what_the_pom_says(shop: Shop) -> None:
    lib = Artifact(dependencies=("a.b:c:1.0", "d:e:[1,2):test"))
    deploy(shop, lib)
    aws = shop.server.boto()

    told = aws.describe_package_version(**where(shop, lib, packageVersion="1.0"))["packageVersion"]
    needs = aws.list_package_version_dependencies(**where(shop, lib, packageVersion="1.0"))["dependencies"]

    assert (told["displayName"], told["summary"], told["homePage"]) == ("The lib", "Made for tests", "http://lib.test/")
    assert told["licenses"] == [{"name": "MIT", "url": "http://mit.test/"}]
    assert needs == [
        {"namespace": "a.b", "package": "c", "dependencyType": "compile", "versionRequirement": "1.0"},
        {"namespace": "d", "package": "e", "dependencyType": "test", "versionRequirement": "[1,2)"},
    ]


def test_a_pom_that_cannot_be_read_is_kept_as_it_is(shop: Shop) -> None:
    lib = Artifact()
    put(shop, lib.path(".pom"), b"\x00 no pom")
    put(shop, lib.metadata, metadata(lib))

    assert shop("GET", lib.path(".pom")).body == b"\x00 no pom"


# --- checksums -------------------------------------------------------------------------------


def test_a_wrong_checksum_keeps_a_version_from_being_published_until_it_is_right(shop: Shop) -> None:
    lib = Artifact()
    put(shop, lib.path(), jar(lib))

    wrong = shop("PUT", lib.path(".jar.sha1"), sha1(b"other"))
    refused = shop("PUT", lib.metadata, metadata(lib))
    right = shop("PUT", lib.path(".jar.sha1"), sha1(jar(lib)))
    taken = shop("PUT", lib.metadata, metadata(lib))

    assert [each.status for each in (wrong, refused, right, taken)] == [400, 400, 201, 201]
    assert "lib-1.0.jar" in refused.json()["detail"]


def test_case_matters_in_a_checksum_and_names_beside_it_do_not(shop: Shop) -> None:
    lib = Artifact()
    shop("PUT", lib.path(), jar(lib))
    digest = sha1(jar(lib))

    told = [
        shop("PUT", lib.path(".jar.sha1"), body).status
        for body in (
            digest.upper(),
            digest + b"  lib-1.0.jar\n",
            b"SHA1(lib-1.0.jar)= " + digest,
            b"",
            b"no hex",
            b"ab",
        )
    ]

    assert told == [400, 201, 201, 400, 400, 400]


def test_a_checksum_of_a_file_that_is_not_there_is_not_found(shop: Shop) -> None:
    assert shop("PUT", Artifact().path(".jar.sha1"), sha1(b"")).status == 404


def test_a_checksum_may_overtake_its_file(shop: Shop) -> None:
    lib, body = Artifact(), b"a" * 1000
    begun, rest = threading.Event(), threading.Event()

    def slowly() -> Iterator[bytes]:
        yield body[:500]
        begun.set()
        rest.wait(20)
        yield body[500:]

    with ThreadPoolExecutor(2) as pool:
        file = pool.submit(shop, "PUT", lib.path(), slowly())
        begun.wait(20)
        checksum = pool.submit(shop, "PUT", lib.path(".jar.sha1"), sha1(body))
        rest.set()

        assert (file.result().status, checksum.result().status) == (201, 201)


def test_the_checksum_of_metadata_is_that_of_what_was_sent(shop: Shop) -> None:
    lib = Artifact()
    put(shop, lib.path(), jar(lib))
    document = metadata(lib)

    early = shop("PUT", f"{lib.metadata}.sha1", sha1(b"nobody knows"))
    shop("PUT", lib.metadata, document)
    shop("PUT", lib.metadata, document + b" ")

    assert early.status == 201
    assert [shop("PUT", f"{lib.metadata}.sha1", sha1(each)).status for each in (document, document + b" ", b"x")] == [
        201, 201, 400,
    ]  # fmt: skip


# --- bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("com/example/lib/1.0/other.jar", b"x"),
        ("com/example/lib/1.0/lib-1.0.jar.sha1.md5", b"0" * 32),
        ("com.example/lib/1.0/lib-1.0.jar", b"x"),
        ("com/example/lib/1.0-SNAPSHOT/lib-1.0-SNAPSHOT.jar", b"x"),
        ("com/example/lib/1.0/maven-metadata.xml.asc", b"x"),
        ("archetype-catalog.xml", b"<x/>"),
        ("com/example/lib/maven-metadata.xml", b"no xml"),
        ("com/example/lib/maven-metadata.xml", b"<metadata/>"),
        ("com/example/lib/maven-metadata.xml",
         b"<metadata><groupId>other</groupId><versioning><release>1</release></versioning></metadata>"),
        ("com/example/lib/1.0-SNAPSHOT/maven-metadata.xml", b"<metadata><version>1.0-SNAPSHOT</version></metadata>"),
    ],
)  # fmt: skip
def test_what_the_layout_does_not_know_is_refused_with_a_reason(shop: Shop, path: str, body: bytes) -> None:
    answer = shop("PUT", path, body)

    assert answer.status == 400
    assert len(answer.json()["detail"]) > 10


def test_metadata_of_what_is_not_here_is_not_found(shop: Shop) -> None:
    assert shop("PUT", Artifact().metadata, metadata(Artifact())).status == 404


def test_nothing_is_sent_before_the_challenge_and_absence_is_plain(shop: Shop) -> None:
    challenged = Shop(shop.server, "maven", shop.repo, token="")("GET", Artifact().path())
    absent = shop("GET", Artifact().metadata)
    other = [shop(method, Artifact().path()).status for method in ("DELETE", "POST")]

    assert (challenged.status, challenged.headers["www-authenticate"]) == (401, 'Basic realm="packyard"')
    # Maven 3.9 takes a 404 with a problem document for a failed transfer.
    assert (absent.status, absent.headers["content-type"]) == (404, "text/plain; charset=utf-8")
    assert other == [405, 405]
    assert shop("GET", ".meta/prefixes.txt").status == 404


def test_publishing_needs_both_of_its_actions(shop: Shop) -> None:
    actions = ("PublishPackageVersion", "PutPackageMetadata")
    told = {}
    for number, given in enumerate(((), actions[:1], actions[1:], actions)):
        allowed = ["GetAuthorizationToken", *given]
        user = new_user(
            shop.server,
            f"{shop.repo}-{number}",
            {"Effect": "Allow", "Action": [f"codeartifact:{each}" for each in allowed], "Resource": "*"},
            {"Effect": "Allow", "Action": "sts:GetServiceBearerToken", "Resource": "*"},
        )
        theirs = Shop(
            shop.server, "maven", shop.repo, token=user.get_authorization_token(domain="dom")["authorizationToken"]
        )
        told[given] = theirs("PUT", Artifact().path(), b"x").status

    assert told == {(): 403, actions[:1]: 403, actions[1:]: 403, actions: 201}


# --- snapshots -------------------------------------------------------------------------------


def test_a_snapshot_points_to_its_last_build(shop: Shop) -> None:
    lib = Artifact(version="1.0-SNAPSHOT")
    put(shop, lib.path(build="20210728.194552-1"), b"one")
    alone = statuses(shop, lib)

    assert deploy_snapshot(shop, Artifact(version="1.0-SNAPSHOT", packaging="pom"), *FIRST).status == 201
    once = statuses(shop, lib)
    assert deploy_snapshot(shop, lib, *SECOND).status == 201

    assert alone == {"1.0-20210728.194552-1": "Unfinished"}
    assert once == {"1.0-20210728.194552-1": "Unlisted", "1.0-SNAPSHOT": "Published"}
    assert statuses(shop, lib) == {**once, "1.0-20210729.171330-2": "Unlisted"}
    told = shop("GET", f"{lib.folder}1.0-SNAPSHOT/maven-metadata.xml").text
    assert "<timestamp>20210729.171330</timestamp>" in told
    assert "<buildNumber>2</buildNumber>" in told
    assert re.findall(r"<extension>(.*)</extension>\s*<value>(.*)</value>", told) == [
        ("jar", "1.0-20210729.171330-2"),
        ("pom", "1.0-20210729.171330-2"),
    ]
    for version in ("1.0-SNAPSHOT", "1.0-20210729.171330-2"):
        found = shop.server.boto().list_package_version_assets(**where(shop, lib, packageVersion=version))["assets"]
        assert [each["name"] for each in found] == ["lib-1.0-20210729.171330-2.jar", "lib-1.0-20210729.171330-2.pom"]
    assert listed(shop("GET", lib.metadata)) == ["1.0-SNAPSHOT"]
    described = shop.server.boto().list_package_versions(**where(shop, lib))
    assert described["defaultDisplayVersion"] == "1.0-SNAPSHOT"


def test_every_build_stays_and_has_two_paths(shop: Shop) -> None:
    lib = Artifact(version="1.0-SNAPSHOT")
    put(shop, lib.path(build="20210728.194552-1"), b"one")
    shop("PUT", f"{lib.folder}1.0-SNAPSHOT/maven-metadata.xml", snapshot_metadata(lib, *FIRST))
    deploy_snapshot(shop, lib, *SECOND)

    for folder in ("1.0-SNAPSHOT", "1.0-20210728.194552-1"):
        assert shop("GET", f"{lib.folder}{folder}/lib-1.0-20210728.194552-1.jar").body == b"one"
    assert shop("GET", lib.path()).body == jar(lib)
    assert shop("GET", lib.path(".jar.sha256")).text == hashlib.sha256(jar(lib)).hexdigest()


def test_an_older_build_whose_metadata_comes_late_does_not_become_the_last(shop: Shop) -> None:
    lib = Artifact(version="1.0-SNAPSHOT")
    deploy_snapshot(shop, lib, *SECOND)
    deploy_snapshot(shop, lib, *FIRST)

    assert "<buildNumber>2<" in shop("GET", f"{lib.folder}1.0-SNAPSHOT/maven-metadata.xml").text
    assert set(statuses(shop, lib).values()) == {"Unlisted", "Published"}


def test_a_file_may_join_a_build_and_is_told_after_the_next_metadata(shop: Shop) -> None:
    lib = Artifact(version="1.0-SNAPSHOT")
    deploy_snapshot(shop, lib, *FIRST)
    place = f"{lib.folder}1.0-SNAPSHOT/maven-metadata.xml"

    late = put(shop, lib.path("-docs.tar.gz", build="20210728.194552-1"), b"docs")
    again = shop("PUT", place, snapshot_metadata(lib, *FIRST, (".pom", ".jar", "-docs.tar.gz")))

    assert (late.status, again.status) == (201, 201)
    assert re.search(r"<classifier>docs</classifier>\s*<extension>tar.gz</extension>", shop("GET", place).text)


@pytest.mark.parametrize(
    ("time", "number", "endings"),
    [("20210728.194553", 1, (".jar",)), ("20210728.194552", 1, ()), ("20210728.194552", 1, (".war",))],
)
def test_metadata_that_names_no_file_of_its_build_is_refused(
    shop: Shop, time: str, number: int, endings: tuple[str, ...]
) -> None:
    lib = Artifact(version="1.0-SNAPSHOT")
    put(shop, lib.path(build="20210728.194552-1"), b"one")

    answer = shop("PUT", f"{lib.folder}1.0-SNAPSHOT/maven-metadata.xml", snapshot_metadata(lib, time, number, endings))

    assert answer.status == 400
    assert statuses(shop, lib) == {"1.0-20210728.194552-1": "Unfinished"}


def test_a_wrong_checksum_keeps_a_build_from_being_the_last(shop: Shop) -> None:
    lib = Artifact(version="1.0-SNAPSHOT")
    shop("PUT", lib.path(build="20210728.194552-1"), b"one")
    shop("PUT", lib.path(".jar.sha1", build="20210728.194552-1"), sha1(b"two"))

    answer = shop("PUT", f"{lib.folder}1.0-SNAPSHOT/maven-metadata.xml", snapshot_metadata(lib, *FIRST))

    assert answer.status == 400


def test_deleting_builds_leaves_the_snapshot_and_deleting_that_leaves_the_builds(shop: Shop) -> None:
    lib = Artifact(version="1.0-SNAPSHOT")
    deploy_snapshot(shop, lib, *FIRST)
    deploy_snapshot(shop, lib, *SECOND)
    aws, place = shop.server.boto(), f"{lib.folder}1.0-SNAPSHOT/maven-metadata.xml"

    aws.delete_package_versions(**where(shop, lib), versions=["1.0-20210728.194552-1", "1.0-20210729.171330-2"])
    kept = shop("GET", place).text
    file = shop("GET", lib.path(build="20210729.171330-2"))
    gone = shop("GET", lib.path(build="20210728.194552-1"))
    aws.delete_package_versions(**where(shop, lib), versions=["1.0-SNAPSHOT"])

    assert "<buildNumber>2<" in kept
    assert (file.body, gone.status) == (jar(lib), 404)
    assert shop("GET", place).status == 404


def test_a_snapshot_that_was_taken_out_of_use_is_not_moved(shop: Shop) -> None:
    lib = Artifact(version="1.0-SNAPSHOT")
    deploy_snapshot(shop, lib, *FIRST)
    shop.server.boto().update_package_versions_status(
        **where(shop, lib), versions=["1.0-SNAPSHOT"], targetStatus="Archived"
    )

    refused = deploy_snapshot(shop, lib, *SECOND)

    assert refused.status == 409
    assert statuses(shop, lib) == {
        "1.0-SNAPSHOT": "Archived", "1.0-20210728.194552-1": "Unlisted", "1.0-20210729.171330-2": "Unfinished",
    }  # fmt: skip
    assert shop("GET", f"{lib.folder}1.0-SNAPSHOT/maven-metadata.xml").status == 404


def test_files_of_one_deploy_with_another_number_join_the_snapshot(shop: Shop) -> None:
    lib, place = Artifact(version="1.0-SNAPSHOT"), "com/example/lib/1.0-SNAPSHOT/maven-metadata.xml"
    put(shop, lib.path(build="20210728.194552-1"), b"one")
    put(shop, lib.path(".jar.asc", build="20210728.194553-2"), b"signature")
    both = snapshot_metadata(lib, *FIRST, (".jar",)).replace(
        b"</snapshotVersions>",
        b"<snapshotVersion><extension>jar.asc</extension><value>1.0-20210728.194553-2</value></snapshotVersion>"
        b"<snapshotVersion><extension>pom</extension><value>2.0-20210728.194553-2</value></snapshotVersion>"
        b"<snapshotVersion><extension>pom</extension><value>1.0-20210728.194553-9</value></snapshotVersion>"
        b"</snapshotVersions>",
    )

    assert shop("PUT", place, both).status == 201

    assert set(statuses(shop, lib).values()) == {"Published", "Unlisted"}
    assert re.findall(r"<extension>(.*)</extension>\s*<value>(.*)</value>", shop("GET", place).text) == [
        ("jar", "1.0-20210728.194552-1"),
        ("jar.asc", "1.0-20210728.194553-2"),
    ]
    assert shop("GET", lib.path(".jar.asc", build="20210728.194553-2")).body == b"signature"


def test_a_copied_snapshot_can_be_resolved(shop: Shop) -> None:
    lib = Artifact(version="1.0-SNAPSHOT")
    deploy_snapshot(shop, lib, *FIRST)
    shop.server.make("dom", f"{shop.repo}-copy")
    copy = Shop(shop.server, "maven", f"{shop.repo}-copy")
    given = {name: value for name, value in where(shop, lib).items() if name != "repository"}

    shop.server.boto().copy_package_versions(
        **given, sourceRepository=shop.repo, destinationRepository=copy.repo, versions=["1.0-SNAPSHOT"]
    )

    assert "<buildNumber>1<" in copy("GET", f"{lib.folder}1.0-SNAPSHOT/maven-metadata.xml").text
    assert copy("GET", lib.path(build="20210728.194552-1")).body == jar(lib)


def test_of_a_snapshot_in_two_repositories_the_one_further_up_wins(shop: Shop) -> None:
    lib, own = Artifact(version="1.0-SNAPSHOT"), Artifact(version="1.0-SNAPSHOT", marker="own")
    below = Shop(shop.server, "maven", f"{shop.repo}-below")
    shop.server.make("dom", below.repo, **{below.repo.replace("-", "_"): [shop.repo]})
    deploy_snapshot(shop, lib, *FIRST)
    aws, place = shop.server.boto(), f"{lib.folder}1.0-SNAPSHOT/maven-metadata.xml"
    both = {"publish": "ALLOW", "upstream": "ALLOW"}
    aws.put_package_origin_configuration(**where(below, lib), restrictions=both)

    through = below("GET", place).text
    file = below("GET", lib.path(build="20210728.194552-1"))
    assert deploy_snapshot(below, own, *SECOND).status == 201
    now = below("GET", place).text
    aws.put_package_origin_configuration(**where(below, lib), restrictions={"publish": "ALLOW", "upstream": "BLOCK"})
    alone = below("GET", place).text

    assert "<buildNumber>1<" in through
    assert file.body == jar(lib)
    assert "<buildNumber>1<" in now
    assert "<buildNumber>2<" in alone


# --- plug-ins --------------------------------------------------------------------------------


def test_plugins_of_a_group_are_told_by_their_prefixes(shop: Shop) -> None:
    usual = Artifact(name="usual-maven-plugin", packaging="maven-plugin")
    odd = Artifact(name="odd", packaging="maven-plugin")
    deploy(shop, usual)
    deploy(shop, odd)
    deploy(shop, Artifact())
    group = (
        b"<metadata><plugins><plugin><name>Odd</name><prefix>strange</prefix><artifactId>odd</artifactId></plugin>"
        b"<plugin><prefix>none</prefix><artifactId>not-here</artifactId></plugin></plugins></metadata>"
    )

    told = put(shop, "com/example/maven-metadata.xml", group)
    answer = shop("GET", "com/example/maven-metadata.xml")

    assert told.status == 201
    assert re.findall(r"<prefix>(.*)</prefix>\s*<artifactId>(.*)</artifactId>", answer.text) == [
        ("strange", "odd"),
        ("usual", "usual-maven-plugin"),
    ]
    assert shop("GET", "com/example/maven-metadata.xml.sha1").body == sha1(answer.body)
    same = shop("GET", "com/example/maven-metadata.xml", headers={"If-None-Match": answer.headers["etag"]})
    assert same.status == 304
    assert shop("GET", "com/maven-metadata.xml").status == 404


# --- many at once ----------------------------------------------------------------------------


def test_fifty_modules_deploy_side_by_side(shop: Shop) -> None:
    modules = [Artifact(name=f"lib{n % 10}", version=f"1.{n // 10}", classifiers=("sources",)) for n in range(50)]

    with ThreadPoolExecutor(5) as pool:
        done = [each.status for each in pool.map(lambda module: deploy(shop, module), modules)]

    assert done == [201] * 50
    assert listed(shop("GET", modules[0].metadata)) == [f"1.{n}" for n in range(5)]


def test_metadata_and_the_checksums_in_its_head_agree_while_others_deploy(shop: Shop) -> None:
    deploy(shop, Artifact(version="0"))
    over = threading.Event()

    def deploying() -> None:
        for n in range(1, 15):
            deploy(shop, Artifact(version=str(n)))
        over.set()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(deploying)
        seen = 0
        while not over.is_set():
            answer = shop("GET", Artifact().metadata)
            assert answer.headers["x-checksum-sha1"].encode() == sha1(answer.body)
            assert len(listed(answer)) >= seen
            seen = len(listed(answer))
    assert listed(shop("GET", Artifact().metadata)) == [str(n) for n in range(15)]


def test_what_is_sent_to_an_address_of_two_meanings_needs_a_right_to_one(shop: Shop) -> None:
    user = new_user(
        shop.server,
        f"{shop.repo}-reader",
        {"Effect": "Allow", "Action": ["codeartifact:ReadFromRepository", "codeartifact:GetAuthorizationToken",
                                       "sts:GetServiceBearerToken"], "Resource": "*"},
    )  # fmt: skip
    theirs = Shop(
        shop.server, "maven", shop.repo, token=user.get_authorization_token(domain="dom")["authorizationToken"]
    )

    told = [
        theirs("PUT", path, body).status
        for path in ("com/example/maven-metadata.xml", "com/maven-metadata.xml", "com/example/lib_2/maven-metadata.xml")
        for path, body in ((f"{path}.sha1", sha1(b"x")), (path, metadata(Artifact())))
    ]

    assert told[0] == told[2] == told[4] == 403
    assert set(told) == {403, 400}
