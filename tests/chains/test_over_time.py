"""What the guide's sentences mean as time goes on: things made anew, registries that forget, restarts, sweeps."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from registry.config import ConnectionConfig
from storage.blobs.filesystem import FileBlobs
from storage.sweep import sweep
from tests.chains.town import Npm, Pypi, Town, npm_client, settle, wheel_name
from tests.harness import Pair, Server

NPM, PYPI = "public:npmjs", "public:pypi"


def test_a_repository_made_anew_shows_nothing_of_the_old_one(town: Town) -> None:
    my = town.repo("my")
    shop, index = town.npm("my"), town.pypi("my")
    shop.publish("web")
    index.publish("tool")
    for _ in range(3):  # until every cache has them
        assert (shop.versions("web"), shop.fetch("web").status) == (["1.0.0"], 200)
        assert index.fetch("tool", "1.0.0", wheel_name("tool")).status == 200

    town.aws.delete_repository(domain="dom", repository=my)
    gone = shop("GET", "web"), shop.fetch("web"), index.page("tool")
    town.repo("my")

    assert [answer.status for answer in gone] == [404] * 3
    assert (shop.versions("web"), shop.fetch("web").status, index.files("tool")) == ([], 404, {})
    assert shop.publish("web", description="other").status == 201
    assert shop.packument("web")["versions"]["1.0.0"]["description"] == "other"


def test_a_token_is_not_good_for_a_domain_made_anew(town: Town) -> None:
    name = town.name("brief")
    town.front.make(name, "my")
    shop = Npm(town.front, "my", domain=name)
    shop.publish("web")
    town.aws.delete_repository(domain=name, repository="my")
    town.aws.delete_domain(domain=name)
    gone = shop("GET", "web").status
    town.front.make(name, "my")

    fresh = town.aws.get_authorization_token(domain=name)["authorizationToken"]

    assert gone in (403, 404)
    assert shop("GET", "web").status == 403
    assert Npm(town.front, "my", domain=name, token=fresh)("GET", "web").status == 404


def test_what_the_public_registry_forgets_stays_once_it_is_retained(town: Town) -> None:
    package = town.name("left-pad")
    for version in ("1.0.0", "1.1.0"):
        town.public.publish(package, version)
        town.index.publish(package, version)
    town.repo("store", connection=NPM)
    town.repo("index", connection=PYPI)
    town.repo("my", "store", "index")
    shop, index = town.npm("my"), town.pypi("my")
    body = shop.fetch(package, "1.0.0").body
    index.fetch(package, "1.0.0", wheel_name(package))
    public = town.back.boto()

    for format in ("npm", "pypi"):
        public.delete_package_versions(
            domain="pub", repository="main", format=format, package=package, versions=["1.0.0"]
        )
    assert shop.versions(package) == ["1.0.0", "1.1.0"]
    assert set(index.files(package)) == {wheel_name(package), wheel_name(package, "1.1.0")}
    for format in ("npm", "pypi"):
        public.delete_package(domain="pub", repository="main", format=format, package=package)

    assert shop.versions(package) == ["1.0.0"]
    assert shop.tags(package) == {"latest": "1.0.0"}
    assert shop.fetch(package, "1.0.0").body == body
    assert shop.fetch(package, "1.1.0").status == 404
    assert set(index.files(package)) == {wheel_name(package)}
    assert index.fetch(package, "1.0.0", wheel_name(package)).status == 200


def test_other_bytes_under_a_retained_version_do_not_come_in(town: Town) -> None:
    package = town.name("web")
    town.public.publish(package, description="honest")
    town.repo("store", connection=NPM)
    town.repo("my", "store")
    town.repo("other", "store")
    body = town.npm("my").fetch(package).body
    town.back.boto().delete_package(domain="pub", repository="main", format="npm", package=package)
    town.public.publish(package, description="changed")

    for repo in ("my", "other"):
        document = town.npm(repo).packument(package)
        assert document["versions"]["1.0.0"]["description"] == "honest"
        assert town.npm(repo).fetch(package).body == body


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        server.make("dom", "up", "my", my=["up"])
        Npm(server, "up").publish("web")
        Pypi(server, "up").publish("tool")
        body = Npm(server, "my").fetch("web").body
        token, pages = server.token(), server.boto().list_repositories(maxResults=1)
        document = Npm(server, "my")("GET", "web")

    with Server(tmp_path / "data", port=server.port) as again:
        shop = Npm(again, "my", token=token)
        rest = again.boto().list_repositories(maxResults=1, nextToken=pages["nextToken"])
        assert shop.fetch("web").body == body
        assert shop("GET", "web", **{"If-None-Match": document.headers["etag"]}).status == 304
        assert set(Pypi(again, "my", token=token).files("tool")) == {wheel_name("tool")}
        assert [each["name"] for each in rest["repositories"]] == ["up"]


def test_a_sweep_takes_only_what_nobody_has(town: Town) -> None:
    """Guide: an asset is stored once in a domain, even if it is available from a thousand repositories."""
    name = town.name("lean")
    town.front.make(name, "one", "two", "three", two=["one"])
    one, two = Npm(town.front, "one", domain=name), Npm(town.front, "two", domain=name)
    one.publish("web")
    one.publish("gone")
    two.fetch("web")
    town.aws.copy_package_versions(
        domain=name,
        sourceRepository="one",
        destinationRepository="three",
        format="npm",
        package="web",
        versions=["1.0.0"],
    )

    def size() -> int:
        found: int = town.aws.describe_domain(domain=name)["domain"]["assetSizeBytes"]
        return found

    async def swept() -> None:
        services = town.front.app.services
        blobs = FileBlobs(town.front.config.data / "blobs")
        for _ in range(2):
            await sweep(services.store, blobs, services.clock, grace=0)

    before = size()
    town.aws.delete_repository(domain=name, repository="one")
    asyncio.run_coroutine_threadsafe(swept(), town.front.loop).result(60)

    assert 0 < size() < before
    assert two.fetch("web").status == 200
    assert Npm(town.front, "three", domain=name).fetch("web").status == 200


def test_a_registry_that_is_down_does_not_hold_up_what_is_known_elsewhere(pair: Pair) -> None:
    front = pair.front
    front.make("dom", "team", "my", my=["npm-store", "pypi-store", "team"])
    team, my = Npm(front, "team"), Npm(front, "my")
    town = Town(front, pair.back)
    front.boto().put_package_origin_configuration(
        domain="dom",
        repository="team",
        format="npm",
        package="open",
        restrictions={"publish": "ALLOW", "upstream": "ALLOW"},
    )
    pair.back.stop()

    for package in ("open", "closed"):
        assert team.publish(package).status == 201
        assert my.versions(package) == ["1.0.0"], package
        assert my.fetch(package).status == 200, package
    assert my("GET", "nowhere").status == 502
    assert Pypi(front, "team").page("nowhere").status == 404  # nothing to ask there
    settle(town.front)


@pytest.mark.clients
def test_two_public_registries_of_one_format(tmp_path: Path) -> None:
    """A connection with a name of its own beside the public one; the order of upstreams decides."""
    with Server(tmp_path / "back") as back:
        back.make("pub", "main", "partner")
        partner, public = Npm(back, "partner", "pub"), Npm(back, "main", "pub")
        addresses = {
            name: back.endpoint("npm", repo, "pub", token=back.token("pub"))
            for name, repo in ((NPM, "main"), ("private:partner", "partner"))
        }
        connections = {
            NPM: addresses[NPM],
            "private:partner": ConnectionConfig(addresses["private:partner"], format="npm"),
        }
        with Server(tmp_path / "front", connections=connections) as front:
            front.make("dom", "public", "partner", "my", my=["partner", "public"])
            for repo, name in (("public", NPM), ("partner", "private:partner")):
                front.boto().associate_external_connection(domain="dom", repository=repo, externalConnection=name)
            public.publish("both", "1.0.0", description="public")
            partner.publish("both", "1.0.0", description="partner")
            public.publish("both", "1.1.0", description="public")
            partner.publish("only", "1.0.0")

            npm = npm_client(tmp_path / "npm", Npm(front, "my"))
            npm("install", "both@1.0.0", "only")

            document = Npm(front, "my").packument("both")
            assert {v: each["description"] for v, each in document["versions"].items()} == {
                "1.0.0": "partner",
                "1.1.0": "public",
            }
            origin = front.boto().describe_package_version(
                domain="dom", repository="my", format="npm", package="only", packageVersion="1.0.0"
            )["packageVersion"]["origin"]
            assert origin["domainEntryPoint"] == {"externalConnectionName": "private:partner"}


def test_tags_of_a_retained_package_when_everything_above_is_gone(town: Town) -> None:
    package = town.name("web")
    town.public.publish(package, "1.0.0")
    town.public.publish(package, "2.0.0-rc.1", tag="next")
    town.repo("store", connection=NPM)
    town.repo("my", "store")
    shop = town.npm("my")
    shop.fetch(package, "1.0.0")
    shop.fetch(package, "2.0.0-rc.1")

    town.upstreams("my")

    assert shop.versions(package) == ["1.0.0", "2.0.0-rc.1"]
    assert shop.tags(package)["latest"] == "1.0.0"


def test_a_registry_that_refuses_our_credentials_is_named(tmp_path: Path) -> None:
    with Server(tmp_path / "back") as back:
        back.make("pub", "main")
        names = {"npm": NPM, "pypi": PYPI}
        addresses = {name: back.endpoint(format, "main", "pub", token="expired") for format, name in names.items()}
        with Server(tmp_path / "front", connections=addresses) as front:
            front.make("dom", *names)
            for format, name in names.items():
                front.boto().associate_external_connection(domain="dom", repository=format, externalConnection=name)
            answers = [Npm(front, "npm")("GET", "far"), Pypi(front, "pypi").page("far")]

    for answer, name in zip(answers, names.values(), strict=True):
        assert answer.status == 502
        assert name in answer.text
        assert "401" in answer.text
        assert back.host not in answer.text  # nor where it is
        assert "expired@" not in answer.text
