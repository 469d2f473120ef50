"""The decision over identity, domain and repository policies, on a real store."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from registry.core import arns as names
from registry.core.arns import Arns
from registry.core.authorize import require
from registry.core.clock import new_id
from registry.core.errors import AccessDenied, InternalServer, ResourceNotFound
from registry.core.ports import Tx
from registry.core.types import (
    Caller,
    Domain,
    DomainKey,
    PackageKey,
    PolicyDocument,
    RepoKey,
    Repository,
    User,
)
from storage.metadata.sqlite import SQLiteStore

OWNER, ADMINISTRATOR, STRANGER = "111122223333", "222233334444", "999988887777"
ARNS = Arns("us-west-2")
DOMAIN = DomainKey(OWNER, "dom")
REPO = RepoKey(DOMAIN, "repo")
PACKAGE = ARNS.package(REPO, PackageKey("npm", None, "react"))

Json = dict[str, Any]


@dataclass
class World:
    """A store with a domain and a repository; `actor` makes users."""

    store: SQLiteStore
    domain: Domain

    async def actor(self, account: str, *identity: Json, name: str = "bob") -> Caller:
        user = User(account, name, "/", f"AIDA{secrets.token_hex(8)}", 1)

        async def work(tx: Tx) -> None:
            await tx.identity.add_account(account, 1)
            await tx.identity.add_user(user)
            for n, statement in enumerate(identity):
                await tx.identity.put_policy(account, name, f"p{n}", document(statement))

        await self.store.write(work)
        return Caller(account, names.user(account, "/", name), user.id, name)

    async def attach(self, arn: str, *statements: Json) -> None:
        async def work(tx: Tx) -> None:
            await tx.policies.put(PolicyDocument(arn, document(*statements), secrets.token_hex(4)), self.domain.id)

        await self.store.write(work)

    async def outcome(
        self,
        caller: Caller,
        action: str = "ReadFromRepository",
        *,
        resource: str | None = None,
        domain: DomainKey | None = DOMAIN,
        repository: RepoKey | None = REPO,
        context: Mapping[str, str] = {},
    ) -> str:
        """ "allowed", "denied" or "unknown"."""

        async def work(tx: Tx) -> None:
            row = await tx.domains.get(domain) if domain is not None else None
            on = resource or (ARNS.repository(repository) if repository else ARNS.domain(domain or DOMAIN))
            await require(
                tx,
                arns=ARNS,
                caller=caller,
                action=action,
                resource=on,
                domain=row,
                repository=repository,
                context=context,
            )

        try:
            await self.store.glance(work)
        except AccessDenied:
            return "denied"
        except ResourceNotFound:
            return "unknown"
        return "allowed"


def document(*statements: Json) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: str = "codeartifact:*", **elements: Any) -> Json:
    return {"Effect": "Allow", "Action": action, "Resource": "*", **elements}


def deny(action: str = "codeartifact:*", **elements: Any) -> Json:
    return {"Effect": "Deny", "Action": action, "Resource": "*", **elements}


def to(account: str, name: str | None = None) -> Json:
    return {"Principal": {"AWS": names.user(account, "/", name) if name else names.root(account)}}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = SQLiteStore(tmp_path / "packyard.db")
    await store.open()
    domain = Domain(new_id(1), DOMAIN, 1, "key", 1)

    async def work(tx: Tx) -> None:
        await tx.domains.add(domain)
        await tx.repositories.add(Repository(new_id(2), domain.id, REPO, "", ADMINISTRATOR, 1))

    await store.write(work)
    yield World(store, domain)
    await store.close()


IDENTITY = ("nothing", "allow", "deny")
# (account, identity, domain policy, repository policy) -> outcome
DECISIONS: list[tuple[str, str, str, str, str]] = [
    (OWNER, "nothing", "nothing", "nothing", "denied"),
    (OWNER, "allow", "nothing", "nothing", "allowed"),
    (OWNER, "deny", "nothing", "nothing", "denied"),
    (OWNER, "nothing", "allow", "nothing", "allowed"),
    (OWNER, "nothing", "nothing", "allow", "allowed"),
    (OWNER, "nothing", "allow", "deny", "denied"),
    (OWNER, "nothing", "deny", "allow", "denied"),
    (OWNER, "allow", "deny", "nothing", "denied"),
    (OWNER, "allow", "nothing", "deny", "denied"),
    (OWNER, "deny", "allow", "allow", "denied"),
    (OWNER, "allow", "allow", "allow", "allowed"),
    (ADMINISTRATOR, "nothing", "nothing", "nothing", "denied"),
    (ADMINISTRATOR, "allow", "nothing", "nothing", "allowed"),
    (ADMINISTRATOR, "nothing", "allow", "allow", "denied"),
    (ADMINISTRATOR, "allow", "deny", "nothing", "denied"),
    (ADMINISTRATOR, "allow", "nothing", "deny", "denied"),
    (ADMINISTRATOR, "deny", "allow", "allow", "denied"),
    (STRANGER, "nothing", "nothing", "nothing", "unknown"),
    (STRANGER, "allow", "nothing", "nothing", "unknown"),
    (STRANGER, "deny", "nothing", "nothing", "unknown"),
    (STRANGER, "nothing", "allow", "nothing", "denied"),
    (STRANGER, "nothing", "nothing", "allow", "denied"),
    (STRANGER, "allow", "allow", "nothing", "allowed"),
    (STRANGER, "allow", "nothing", "allow", "allowed"),
    (STRANGER, "allow", "allow", "deny", "denied"),
    (STRANGER, "allow", "deny", "allow", "denied"),
    (STRANGER, "deny", "allow", "allow", "denied"),
    (STRANGER, "allow", "deny", "nothing", "unknown"),
]


@pytest.mark.parametrize(("account", "identity", "of_domain", "of_repository", "wanted"), DECISIONS)
async def test_who_may_when_which_policy_says_so(
    world: World, account: str, identity: str, of_domain: str, of_repository: str, wanted: str
) -> None:
    make = {"allow": allow, "deny": deny}
    bob = await world.actor(account, *([make[identity]()] if identity in make else []))
    if of_domain in make:
        await world.attach(ARNS.domain(DOMAIN), make[of_domain](**to(account)))
    if of_repository in make:
        await world.attach(ARNS.repository(REPO), make[of_repository](**to(account)))

    assert await world.outcome(bob) == wanted


async def test_a_domain_policy_counts_for_repositories_and_packages_within(world: World) -> None:
    bob = await world.actor(OWNER)
    await world.attach(ARNS.domain(DOMAIN), allow(**to(OWNER)))

    assert await world.outcome(bob, "DescribeDomain", repository=None) == "allowed"
    assert await world.outcome(bob, "PublishPackageVersion", resource=PACKAGE) == "allowed"


async def test_a_repository_policy_counts_for_that_repository_only(world: World) -> None:
    bob = await world.actor(OWNER)
    await world.attach(ARNS.repository(REPO), allow(**to(OWNER)))

    assert await world.outcome(bob, "PublishPackageVersion", resource=PACKAGE) == "allowed"
    assert await world.outcome(bob, "ListRepositoriesInDomain", repository=None) == "denied"
    assert await world.outcome(bob, repository=RepoKey(DOMAIN, "other")) == "denied"


async def test_a_repository_policy_that_names_another_repository_grants_nothing(world: World) -> None:
    bob = await world.actor(OWNER)
    await world.attach(
        ARNS.repository(REPO), allow(**to(OWNER)) | {"Resource": ARNS.repository(RepoKey(DOMAIN, "other"))}
    )

    assert await world.outcome(bob) == "denied"
    assert await world.outcome(bob, repository=RepoKey(DOMAIN, "other")) == "denied"


async def test_no_resource_policy_counts_for_what_is_about_the_account(world: World) -> None:
    bob = await world.actor(OWNER)
    await world.attach(ARNS.domain(DOMAIN), allow(**to(OWNER)))

    assert await world.outcome(bob, "ListDomains", resource="*", domain=None, repository=None) == "denied"


async def test_putting_a_domain_policy_ignores_the_one_that_is_there(world: World) -> None:
    bob = await world.actor(OWNER, allow())
    await world.attach(ARNS.domain(DOMAIN), deny(Principal="*"))

    assert await world.outcome(bob, "PutDomainPermissionsPolicy", repository=None) == "allowed"
    assert await world.outcome(bob, "GetDomainPermissionsPolicy", repository=None) == "denied"
    assert await world.outcome(bob, "DeleteDomainPermissionsPolicy", repository=None) == "denied"
    assert await world.outcome(bob, "PutRepositoryPermissionsPolicy") == "denied"


async def test_putting_a_repository_policy_ignores_that_one_and_heeds_the_domains(world: World) -> None:
    bob = await world.actor(OWNER, allow())
    await world.attach(ARNS.repository(REPO), deny(Principal="*"))

    assert await world.outcome(bob, "PutRepositoryPermissionsPolicy") == "allowed"
    assert await world.outcome(bob, "GetRepositoryPermissionsPolicy") == "denied"
    assert await world.outcome(bob, "DeleteRepositoryPermissionsPolicy") == "denied"


async def test_another_account_cannot_be_allowed_to_put_the_policy_itself(world: World) -> None:
    eve = await world.actor(STRANGER, allow())
    await world.attach(ARNS.domain(DOMAIN), allow(**to(STRANGER)))
    await world.attach(ARNS.repository(REPO), allow(**to(STRANGER)))

    assert await world.outcome(eve, "PutDomainPermissionsPolicy", repository=None) == "denied"


async def test_a_bearer_token_is_for_identity_policies_to_allow(world: World) -> None:
    bob = await world.actor(OWNER, allow())
    eve = await world.actor(STRANGER, allow("sts:GetServiceBearerToken"))
    await world.attach(ARNS.domain(DOMAIN), allow("sts:*", **to(OWNER)), deny("sts:*", **to(STRANGER)))

    assert await world.outcome(bob, "sts:GetServiceBearerToken", resource="*", repository=None) == "denied"
    assert await world.outcome(eve, "sts:GetServiceBearerToken", resource="*", repository=None) == "allowed"


async def test_the_guides_limit_on_the_lifetime_of_tokens(world: World) -> None:
    condition = {
        "NumericLessThanEquals": {"sts:DurationSeconds": 3600},
        "StringEquals": {"sts:AWSServiceName": "codeartifact.amazonaws.com"},
    }
    bob = await world.actor(OWNER, allow("sts:GetServiceBearerToken", Condition=condition))

    async def outcome(seconds: str) -> str:
        return await world.outcome(
            bob, "sts:GetServiceBearerToken", resource="*", repository=None, context={"sts:DurationSeconds": seconds}
        )

    assert [await outcome(s) for s in ("900", "3600", "3601", "43200", "900")] == [
        "allowed",
        "allowed",
        "denied",
        "denied",
        "allowed",
    ]


async def test_a_token_is_good_for_its_domain_only(world: World) -> None:
    bob = replace(await world.actor(OWNER, allow("*")), token_domain=world.domain.id)

    assert await world.outcome(bob) == "allowed"
    assert await world.outcome(replace(bob, token_domain=world.domain.id + 1)) == "denied"
    assert await world.outcome(bob, "ListDomains", resource="*", domain=None, repository=None) == "denied"


async def test_a_user_who_is_gone_or_was_made_anew_is_refused_even_by_policies_for_everybody(world: World) -> None:
    await world.attach(ARNS.domain(DOMAIN), allow(Principal="*"))
    bob = await world.actor(OWNER, allow())

    assert await world.outcome(bob) == "allowed"
    assert await world.outcome(replace(bob, name="gone", arn=names.user(OWNER, "/", "gone"))) == "denied"
    assert await world.outcome(replace(bob, user_id="AIDAANOTHER")) == "denied"


async def test_a_change_of_policy_bites_at_the_next_request(world: World) -> None:
    bob = await world.actor(OWNER, allow())
    assert await world.outcome(bob) == "allowed"

    await world.attach(ARNS.repository(REPO), deny(**to(OWNER)))
    assert await world.outcome(bob) == "denied"

    await world.store.write(lambda tx: tx.policies.delete(ARNS.repository(REPO), world.domain.id))
    assert await world.outcome(bob) == "allowed"

    await world.store.write(lambda tx: tx.identity.put_policy(OWNER, "bob", "p0", document(deny())))
    assert await world.outcome(bob) == "denied"


async def test_what_was_never_committed_decides_nothing(world: World) -> None:
    bob = await world.actor(OWNER)

    async def grant(tx: Tx) -> None:
        await tx.identity.put_policy(OWNER, "bob", "p", document(allow()))
        await require(tx, arns=ARNS, caller=bob, action="ListDomains", resource="*")
        raise RuntimeError("the unit of work fails")

    with pytest.raises(RuntimeError):
        await world.store.write(grant)
    # Another change takes the number that the failed one gave back.
    await world.store.write(lambda tx: tx.identity.put_policy(OWNER, "bob", "p", document(allow("iam:*"))))

    assert await world.outcome(bob, "ListDomains", resource="*", domain=None, repository=None) == "denied"


async def test_a_decision_that_nothing_changed_costs_one_statement(world: World) -> None:
    bob = await world.actor(OWNER, allow(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))
    context = {"aws:SourceIp": "10.1.2.3"}
    assert await world.outcome(bob, context=context) == "allowed"
    statements: list[str] = []

    async def work(tx: Tx) -> None:
        row = await tx.domains.get(DOMAIN)
        connection = tx.identity._sql.raw  # type: ignore[attr-defined]
        connection.set_trace_callback(statements.append)
        try:
            on = ARNS.repository(REPO)
            await require(
                tx,
                arns=ARNS,
                caller=bob,
                action="ReadFromRepository",
                resource=on,
                domain=row,
                repository=REPO,
                context=context,
            )
        finally:
            connection.set_trace_callback(None)

    await world.store.glance(work)

    assert len(statements) == 1


async def test_decisions_about_very_many_resources_are_all_right(world: World) -> None:
    bob = await world.actor(OWNER, allow(), deny() | {"Resource": "arn:*:*7"})
    resources = [ARNS.package(REPO, PackageKey("npm", None, f"p{n}")) for n in range(10_000)]

    async def work(tx: Tx) -> list[int]:
        row = await tx.domains.get(DOMAIN)
        refused = []
        for n, resource in enumerate([*resources, *resources[:100]]):
            try:
                await require(tx, arns=ARNS, caller=bob, action="Get", resource=resource, domain=row, repository=REPO)
            except AccessDenied:
                refused.append(n)
        return refused

    assert await world.store.read(work) == [n for n in range(10_100) if n % 10 == 7]


async def test_a_change_of_the_resources_tags_bites_at_the_next_request(world: World) -> None:
    bob = await world.actor(
        OWNER, allow(), deny(Condition={"StringEquals": {"aws:ResourceTag/Key1": ["Value1", "Value2"]}})
    )
    repo = ARNS.repository(REPO)
    assert await world.outcome(bob) == "allowed"

    await world.store.write(lambda tx: tx.policies.set_resource_tags(repo, {"key1": "Value2"}))
    assert await world.outcome(bob) == "denied"

    await world.store.write(lambda tx: tx.policies.drop_resource_tags(repo, ["key1"]))
    assert await world.outcome(bob) == "allowed"


async def test_the_request_cannot_say_who_it_is_from_or_how_the_resource_is_tagged(world: World) -> None:
    bob = await world.actor(
        OWNER,
        allow(Condition={"StringEquals": {"aws:ResourceTag/open": "yes"}}),
        allow(Condition={"StringEquals": {"aws:username": "eve"}}),
        allow(Condition={"StringEquals": {"aws:PrincipalTag/team": "red"}}),
    )
    lies = {"aws:ResourceTag/open": "yes", "aws:username": "eve", "AWS:PrincipalTag/team": "red"}

    assert await world.outcome(bob, context=lies) == "denied"


@pytest.mark.parametrize(
    ("operator", "key", "value"),
    [
        ("StringEquals", "aws:username", "bob"),
        ("ArnLike", "aws:PrincipalArn", f"arn:aws:iam::{OWNER}:user/b*"),
        ("StringEquals", "aws:PrincipalAccount", OWNER),
        ("StringEquals", "aws:ResourceAccount", OWNER),
        ("StringEquals", "aws:RequestedRegion", "us-west-2"),
        ("StringLike", "aws:userid", "AIDA*"),
        ("IpAddress", "aws:SourceIp", "127.0.0.0/8"),
        ("Bool", "aws:SecureTransport", "false"),
        ("DateGreaterThan", "aws:CurrentTime", "2024-01-01T00:00:00Z"),
        ("NumericGreaterThan", "aws:EpochTime", "1700000000"),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["Key1", "Key2"]),
        ("StringEquals", "aws:RequestTag/Key1", "Value1"),
    ],
)
async def test_the_keys_that_conditions_can_use(world: World, operator: str, key: str, value: Any) -> None:
    bob = await world.actor(OWNER, allow(Condition={operator: {key: value}}))
    context = {
        "aws:SourceIp": "127.0.0.1",
        "aws:SecureTransport": "false",
        "aws:RequestTag/Key1": "Value1",
        "aws:TagKeys": "Key1\nKey2",
    }

    assert await world.outcome(bob, context=context) == "allowed"


async def test_what_another_request_was_told_does_not_decide_this_one(world: World) -> None:
    bob = await world.actor(OWNER, allow(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))

    sources = ["10.1.2.3", "192.0.2.1", "10.1.2.3", "192.0.2.1"]
    outcomes = [await world.outcome(bob, context={"aws:SourceIp": source}) for source in sources]

    assert outcomes == ["allowed", "denied", "allowed", "denied"]


async def refusal(world: World, caller: Caller, action: str, key: DomainKey) -> Exception:
    async def work(tx: Tx) -> None:
        row = await tx.domains.get(key)
        await require(tx, arns=ARNS, caller=caller, action=action, resource=ARNS.domain(key), domain=row)

    with pytest.raises((AccessDenied, ResourceNotFound)) as refused:
        await world.store.read(work)
    return refused.value


async def test_a_domain_of_another_account_looks_as_one_that_is_not_there(world: World) -> None:
    eve = await world.actor(STRANGER, allow())

    hidden = await refusal(world, eve, "DescribeDomain", DOMAIN)
    absent = await refusal(world, eve, "DescribeDomain", DomainKey(OWNER, "none"))

    assert isinstance(hidden, ResourceNotFound)
    assert str(hidden).replace("'dom'", "") == str(absent).replace("'none'", "")
    assert (hidden.resource_id, hidden.resource_type) == ("dom", "domain")


async def test_deleting_a_domain_of_another_account_says_the_same_whether_it_is_there(world: World) -> None:
    eve = await world.actor(STRANGER, allow())

    hidden = await refusal(world, eve, "DeleteDomain", DOMAIN)
    absent = await refusal(world, eve, "DeleteDomain", DomainKey(OWNER, "none"))

    assert isinstance(hidden, AccessDenied)
    assert str(hidden).replace("/dom ", "") == str(absent).replace("/none ", "")


async def test_an_organizations_policy_introduces_only_who_meets_its_condition(world: World) -> None:
    eve = await world.actor(STRANGER, allow())
    condition = {"StringEquals": {"aws:PrincipalOrgID": ["o-xxxxxxxxxxx"]}}
    await world.attach(ARNS.domain(DOMAIN), allow("codeartifact:DescribeDomain", Principal="*", Condition=condition))

    assert await world.outcome(eve, "DescribeDomain", repository=None) == "unknown"
    member = replace(eve, session={"aws:PrincipalOrgID": "o-xxxxxxxxxxx"})
    assert await world.outcome(member, "DescribeDomain", repository=None) == "allowed"
    assert await world.outcome(member, "CreateRepository", repository=None) == "denied"


async def test_one_who_may_do_something_in_a_domain_is_told_what_he_may_not(world: World) -> None:
    eve = await world.actor(STRANGER, allow())
    await world.attach(ARNS.domain(DOMAIN), allow("codeartifact:CreateRepository", **to(STRANGER)))

    assert await world.outcome(eve, "CreateRepository", repository=None) == "allowed"
    assert await world.outcome(eve, "DescribeDomain", repository=None) == "denied"


async def test_the_messages_are_those_that_users_of_the_service_know(world: World) -> None:
    bob = await world.actor(OWNER)
    eve = await world.actor(STRANGER, allow())
    await world.attach(ARNS.domain(DOMAIN), allow("codeartifact:CreateRepository", **to(STRANGER)))

    assert str(await refusal(world, bob, "DescribeDomain", DOMAIN)) == (
        f"User: arn:aws:iam::{OWNER}:user/bob is not authorized to perform: codeartifact:DescribeDomain on resource: "
        f"arn:aws:codeartifact:us-west-2:{OWNER}:domain/dom because no identity-based policy allows the "
        "codeartifact:DescribeDomain action"
    )
    assert str(await refusal(world, eve, "DescribeDomain", DOMAIN)).endswith(
        "because no resource-based policy allows the codeartifact:DescribeDomain action"
    )
    await world.store.write(lambda tx: tx.identity.put_policy(OWNER, "bob", "p", document(deny())))
    assert str(await refusal(world, bob, "DescribeDomain", DOMAIN)).endswith(
        "with an explicit deny in an identity-based policy"
    )
    await world.store.write(lambda tx: tx.identity.put_policy(OWNER, "bob", "p", document(allow())))
    await world.attach(ARNS.domain(DOMAIN), deny(Principal="*"))
    assert str(await refusal(world, bob, "DescribeDomain", DOMAIN)).endswith(
        "with an explicit deny in a resource-based policy"
    )


async def test_one_is_not_told_whether_what_one_may_not_see_is_there(world: World) -> None:
    bob = await world.actor(OWNER)

    there = await refusal(world, bob, "DescribeDomain", DOMAIN)
    absent = await refusal(world, bob, "DescribeDomain", DomainKey(OWNER, "none"))

    assert str(there).replace("/dom", "") == str(absent).replace("/none", "")


async def test_a_stored_policy_that_cannot_be_read_allows_nothing(world: World) -> None:
    bob = await world.actor(OWNER, allow())
    await world.store.write(lambda tx: tx.identity.put_policy(OWNER, "bob", "broken", "{"))

    with pytest.raises(InternalServer):
        await world.outcome(bob)
