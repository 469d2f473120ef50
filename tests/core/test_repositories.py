"""Domains, repositories, upstreams, connections, policies and tags."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core import repositories, topology
from registry.core.errors import Conflict, ResourceNotFound, ServiceQuotaExceeded, Validation
from registry.core.repositories import DomainRecord, RepositoryRecord
from registry.core.types import DomainKey, Quotas, RepoKey, RepositoryFilter
from tests.core.house import ACCOUNT, DOMAIN, House, opened

OTHER = DomainKey("444455556666", "dom")


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[House]:
    """A house whose quotas are soon used up; `dom` is there."""
    async with opened(
        tmp_path, Quotas(domains_per_account=2, repositories_per_domain=3, tags=2, policy_bytes=10)
    ) as house:
        yield house


def key(name: str) -> RepoKey:
    return RepoKey(DOMAIN, name)


async def domain(house: House, of: DomainKey, **more: str) -> DomainRecord:
    return await house.store.write(
        lambda tx: repositories.create_domain(
            tx, house.services, of, encryption_key=more.get("encryption_key"), tags={}
        )
    )


async def upstreams(house: House, name: str, *names: str) -> RepositoryRecord:
    return await house.store.write(
        lambda tx: repositories.update_repository(tx, house.services, key(name), description=None, upstreams=names)
    )


async def connect(house: House, name: str, connection: str = "public:npmjs") -> RepositoryRecord:
    return await house.store.write(
        lambda tx: repositories.associate_connection(tx, house.services, key(name), connection)
    )


async def described(house: House, name: str) -> RepositoryRecord:
    return await house.store.read(lambda tx: repositories.describe_repository(tx, house.services, key(name)))


# --- domains ---------------------------------------------------------------------------------


async def test_a_domain_is_described_with_what_it_holds(house: House) -> None:
    repo = await house.repo()
    await house.repo("other")
    await house.publish(repo, files={"a": b"12345"})

    record = await house.store.read(lambda tx: repositories.describe_domain(tx, house.services, DOMAIN))

    assert record.arn == f"arn:aws:codeartifact:us-west-2:{ACCOUNT}:domain/dom"
    assert (record.repository_count, record.asset_bytes) == (2, 5)


async def test_an_encryption_key_is_shown_as_an_arn(house: House) -> None:
    prefix = f"arn:aws:kms:us-west-2:{ACCOUNT}:"
    shown = {}
    for name, given_key in (("a", ""), ("b", "1234"), ("c", "alias/mine"), ("d", f"{prefix}key/its")):
        more = {"encryption_key": given_key} if given_key else {}
        shown[name] = (await domain(house, DomainKey(ACCOUNT, name), **more)).domain.encryption_key

    assert shown["a"].startswith(f"{prefix}key/")
    assert shown["b"] == f"{prefix}key/1234"
    assert shown["c"] == f"{prefix}alias/mine"
    assert shown["d"] == f"{prefix}key/its"


async def test_an_account_has_a_name_once_and_two_accounts_may_share_it(house: House) -> None:
    with pytest.raises(Conflict):
        await domain(house, DOMAIN)

    assert (await domain(house, OTHER)).domain.key == OTHER


async def test_domains_are_limited_by_account(small: House) -> None:
    await domain(small, DomainKey(ACCOUNT, "second"))

    with pytest.raises(ServiceQuotaExceeded):
        await domain(small, DomainKey(ACCOUNT, "third"))
    with pytest.raises(Conflict):
        await domain(small, DOMAIN)
    await domain(small, OTHER)


async def test_domains_are_listed_by_account_in_pages(house: House) -> None:
    for name in ("a", "z"):
        await domain(house, DomainKey(ACCOUNT, name))
    await domain(house, OTHER)

    first = await house.store.read(lambda tx: repositories.list_domains(tx, ACCOUNT, after=None, limit=2))
    rest = await house.store.read(lambda tx: repositories.list_domains(tx, ACCOUNT, after=first.last, limit=2))

    assert [row.key.name for row in first.items] == ["a", "dom"]
    assert [row.key.name for row in rest.items] == ["z"]
    assert rest.last is None


async def test_a_domain_goes_only_when_it_is_empty_and_absent_ones_quietly(house: House) -> None:
    await house.repo()

    async def delete(of: DomainKey) -> DomainRecord | None:
        return await house.store.write(lambda tx: repositories.delete_domain(tx, house.services, of))

    with pytest.raises(Conflict, match="contains repositories"):
        await delete(DOMAIN)
    assert await delete(OTHER) is None
    await house.store.write(lambda tx: repositories.delete_repository(tx, house.services, key("repo")))
    deleted = await delete(DOMAIN)

    assert deleted is not None and deleted.domain.key == DOMAIN
    with pytest.raises(ResourceNotFound, match="Domain not found"):
        await house.store.read(lambda tx: repositories.domain(tx, DOMAIN))


# --- repositories ----------------------------------------------------------------------------


async def test_a_repository_is_made_described_changed_and_deleted(house: House) -> None:
    await house.repo("up")
    made = await house.store.write(
        lambda tx: repositories.create_repository(
            tx,
            house.services,
            key("repo"),
            description="mine",
            upstreams=["up"],
            administrator="444455556666",
            tags={"team": "a"},
        )
    )
    assert await described(house, "repo") == made
    assert made.arn == f"arn:aws:codeartifact:us-west-2:{ACCOUNT}:repository/dom/repo"
    assert (made.upstreams, made.connections) == (("up",), ())
    assert (made.repository.administrator, made.repository.description) == ("444455556666", "mine")

    changed = await house.store.write(
        lambda tx: repositories.update_repository(tx, house.services, key("repo"), description="new", upstreams=None)
    )
    assert (changed.repository.description, changed.upstreams) == ("new", ("up",))
    assert (await upstreams(house, "repo")).upstreams == ()

    deleted = await house.store.write(lambda tx: repositories.delete_repository(tx, house.services, key("repo")))
    assert deleted.repository.description == "new"
    with pytest.raises(ResourceNotFound, match="Repository not found"):
        await described(house, "repo")


async def test_a_repository_that_goes_leaves_the_lists_of_others(house: House) -> None:
    for name in ("a", "b", "c"):
        await house.repo(name)
    await upstreams(house, "a", "b", "c")

    await house.store.write(lambda tx: repositories.delete_repository(tx, house.services, key("b")))

    assert (await described(house, "a")).upstreams == ("c",)


async def test_a_name_is_used_once_and_repositories_are_limited(small: House) -> None:
    for name in ("a", "b", "c"):
        await small.repo(name)

    with pytest.raises(Conflict):
        await small.repo("a")
    with pytest.raises(ServiceQuotaExceeded):
        await small.repo("d")


async def test_what_fails_while_a_repository_is_made_leaves_none(house: House) -> None:
    with pytest.raises(ResourceNotFound, match="Upstream repository nowhere"):
        await house.repo("repo", upstreams=["nowhere"])

    with pytest.raises(ResourceNotFound):
        await described(house, "repo")


async def test_repositories_are_listed_by_name_in_pages(house: House) -> None:
    for name in ("b", "a", "c"):
        await house.repo(name)

    async def page(after: tuple[str, ...] | None) -> tuple[list[str], tuple[str, ...] | None]:
        found = await house.store.read(
            lambda tx: repositories.list_repositories(tx, RepositoryFilter(), after=after, limit=2)
        )
        return [row.key.name for row in found.items], found.last

    names, last = await page(None)
    rest, end = await page(last)

    assert (names, rest, end) == (["a", "b"], ["c"], None)


async def test_an_endpoint_is_a_path_of_format_domain_owner_and_repository(house: House) -> None:
    await house.repo()

    path = await house.store.read(lambda tx: repositories.endpoint_path(tx, key("repo"), "npm"))

    assert path == f"/npm/d/dom-{ACCOUNT}/repo/"


# --- topology --------------------------------------------------------------------------------


async def test_upstreams_keep_their_order_and_are_replaced_whole(house: House) -> None:
    for name in ("repo", "a", "b", "c"):
        await house.repo(name)

    assert (await upstreams(house, "repo", "c", "a")).upstreams == ("c", "a")
    assert (await upstreams(house, "repo", "b", "c")).upstreams == ("b", "c")


@pytest.mark.parametrize(
    ("names", "message"),
    [(["repo"], "of itself"), (["a", "a"], "named twice"), (["b"], "no cycle")],
)
async def test_upstreams_form_no_cycle_and_no_repetition(house: House, names: Sequence[str], message: str) -> None:
    for name in ("repo", "a", "b"):
        await house.repo(name)
    await upstreams(house, "a", "repo")
    await upstreams(house, "b", "a")

    with pytest.raises(Validation, match=message):
        await upstreams(house, "repo", *names)


async def test_the_eleventh_upstream_is_too_many(house: House) -> None:
    for n in range(12):
        await house.repo(f"r{n}")

    assert len((await upstreams(house, "r0", *[f"r{n}" for n in range(1, 11)])).upstreams) == 10
    with pytest.raises(ServiceQuotaExceeded, match="11 direct upstream"):
        await upstreams(house, "r0", *[f"r{n}" for n in range(1, 12)])


async def test_a_repository_has_one_connection_or_upstreams_in_both_orders(house: House) -> None:
    for name in ("store", "repo", "up"):
        await house.repo(name)

    connected = await connect(house, "store")
    await upstreams(house, "repo", "up")

    assert connected.connections == (("public:npmjs", "npm"),)
    with pytest.raises(Conflict, match="only one"):
        await connect(house, "store", "public:pypi")
    with pytest.raises(Conflict, match="only one"):
        await connect(house, "store")
    with pytest.raises(Conflict, match="not both"):
        await upstreams(house, "store", "up")
    with pytest.raises(Conflict, match="has upstream repositories"):
        await connect(house, "repo")
    assert (await upstreams(house, "store")).upstreams == ()


async def test_a_connection_comes_and_goes(house: House) -> None:
    await house.repo("store")

    async def disconnect(name: str) -> RepositoryRecord:
        return await house.store.write(
            lambda tx: repositories.disassociate_connection(tx, house.services, key("store"), name)
        )

    with pytest.raises(ResourceNotFound, match="no external connection public:nothing"):
        await connect(house, "store", "public:nothing")
    await connect(house, "store")
    with pytest.raises(ResourceNotFound, match="does not have"):
        await disconnect("public:pypi")
    assert (await disconnect("public:npmjs")).connections == ()
    assert (await connect(house, "store", "public:pypi")).connections == (("public:pypi", "pypi"),)


graphs = st.dictionaries(st.integers(0, 6), st.lists(st.integers(0, 6), max_size=4))


@given(graphs, st.integers(0, 6), st.integers(0, 6))
def test_reaching_agrees_with_following_every_edge(edges: dict[int, list[int]], start: int, goal: int) -> None:
    reached = {start}
    for _ in range(8):
        reached |= {target for here in reached for target in edges.get(here, ())}

    assert topology.reaches(edges, start, goal) == (goal in reached)


# --- policies and tags -----------------------------------------------------------------------


async def test_a_policy_is_put_replaced_and_deleted_by_revision(house: House) -> None:
    arn = house.services.arns.domain(DOMAIN)
    row = await house.store.read(lambda tx: repositories.domain(tx, DOMAIN))

    async def put(document: str, revision: str | None = None) -> str:
        stored = await house.store.write(
            lambda tx: repositories.put_policy(tx, house.services, arn, row.id, document, revision=revision)
        )
        return stored.revision

    with pytest.raises(ResourceNotFound, match="No permissions policy"):
        await house.store.read(lambda tx: repositories.policy(tx, arn))
    with pytest.raises(Conflict, match="not the current revision"):
        await put("{}", "made up")
    first = await put("{}")
    second = await put("{1}", first)
    third = await put("{}")
    with pytest.raises(Conflict):
        await put("{2}", first)
    with pytest.raises(Conflict):
        await house.store.write(lambda tx: repositories.delete_policy(tx, arn, row.id, revision=second))

    stored = await house.store.read(lambda tx: repositories.policy(tx, arn))
    deleted = await house.store.write(lambda tx: repositories.delete_policy(tx, arn, row.id, revision=third))

    assert stored == deleted
    assert deleted.document == "{}"
    assert len({first, second, third}) == 3
    with pytest.raises(ResourceNotFound):
        await house.store.write(lambda tx: repositories.delete_policy(tx, arn, row.id, revision=None))


async def test_a_policy_has_a_largest_size(small: House) -> None:
    arn = small.services.arns.domain(DOMAIN)

    with pytest.raises(Validation, match="11 bytes"):
        await small.store.write(
            lambda tx: repositories.put_policy(tx, small.services, arn, 1, "ü" + 9 * "x", revision=None)
        )


async def test_tags_are_added_overwritten_listed_and_removed(house: House) -> None:
    await house.repo()
    for arn in (house.services.arns.domain(DOMAIN), house.services.arns.repository(key("repo"))):
        await house.store.write(lambda tx, arn=arn: repositories.tag(tx, house.services, arn, {"a": "1", "b": "2"}))
        await house.store.write(lambda tx, arn=arn: repositories.tag(tx, house.services, arn, {"a": "3"}))
        await house.store.write(lambda tx, arn=arn: repositories.untag(tx, house.services, arn, ["b", "x"]))

        assert await house.store.read(lambda tx, arn=arn: repositories.tags(tx, house.services, arn)) == {"a": "3"}


@pytest.mark.parametrize("resource", ["domain/nowhere", "repository/dom/nowhere", "repository/nowhere/repo"])
async def test_tags_belong_to_what_is_there(house: House, resource: str) -> None:
    arn = f"arn:aws:codeartifact:us-west-2:{ACCOUNT}:{resource}"

    with pytest.raises(ResourceNotFound):
        await house.store.write(lambda tx: repositories.tag(tx, house.services, arn, {"a": "1"}))
    with pytest.raises(ResourceNotFound):
        await house.store.write(lambda tx: repositories.untag(tx, house.services, arn, ["a"]))
    with pytest.raises(ResourceNotFound):
        await house.store.read(lambda tx: repositories.tags(tx, house.services, arn))


async def test_what_is_no_resource_of_this_server_is_refused(house: House) -> None:
    with pytest.raises(Validation):
        await house.store.read(lambda tx: repositories.tags(tx, house.services, "arn:aws:s3:::bucket"))


async def test_tags_are_limited_and_the_prefix_of_the_service_is_reserved(small: House) -> None:
    arn = small.services.arns.domain(DOMAIN)

    async def tag(**tags: str) -> None:
        await small.store.write(
            lambda tx: repositories.tag(tx, small.services, arn, {k.replace("_", ":"): v for k, v in tags.items()})
        )

    await tag(a="1", b="2")
    await tag(b="3")
    with pytest.raises(ServiceQuotaExceeded, match="at most 2 tags"):
        await tag(c="4")
    with pytest.raises(Validation, match="reserved prefix"):
        await tag(AWS_name="x")
