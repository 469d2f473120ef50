"""What every metadata driver must do, noun by noun.

A driver's test module imports all of this and gives the fixture `store`: an open, empty store.
"""

from __future__ import annotations

import pytest

from registry.core.errors import Conflict
from registry.core.types import (
    AccessKey,
    Asset,
    Dependency,
    DomainKey,
    Event,
    Facts,
    License,
    Origin,
    PackageFilter,
    PackageKey,
    PolicyDocument,
    Remote,
    RemoteFile,
    RemoteVersion,
    RepositoryFilter,
    Status,
    User,
    VersionFilter,
)
from tests.contracts import make
from tests.contracts.make import NOW, OWNER
from tests.contracts.store import seed

LARGEST = 2**63 - 1

# --- identity ----------------------------------------------------------------------------------


async def test_an_account_is_added_once(store):
    assert await store.write(lambda tx: tx.identity.add_account(OWNER, NOW)) is True
    assert await store.write(lambda tx: tx.identity.add_account(OWNER, NOW)) is False
    assert await store.read(lambda tx: tx.identity.accounts()) == [OWNER]


async def user(tx, name="admin"):
    await tx.identity.add_account(OWNER, NOW)
    await tx.identity.add_user(User(OWNER, name, "/", f"AIDA{name}", NOW))


async def test_users_and_keys_come_back(store):
    key = AccessKey("AKIA1", OWNER, "admin", b"\x00sealed\xff", True)

    async def work(tx):
        await user(tx)
        await tx.identity.add_key(key, NOW)
        return await tx.identity.user(OWNER, "admin"), await tx.identity.key("AKIA1"), await tx.identity.key("AKIA2")

    assert await store.write(work) == (User(OWNER, "admin", "/", "AIDAadmin", NOW), key, None)


async def test_a_second_user_of_that_name_is_a_conflict(store):
    await store.write(user)

    with pytest.raises(Conflict):
        await store.write(lambda tx: tx.identity.add_user(User(OWNER, "admin", "/", "AIDA2", NOW)))


async def test_a_users_documents_are_inline_and_attached_ones(store):
    async def work(tx):
        await user(tx)
        await user_other(tx)
        await tx.identity.put_policy(OWNER, "admin", "mine", "old")
        await tx.identity.put_policy(OWNER, "admin", "mine", "inline")
        await tx.identity.managed_policy("arn:managed", "first")
        await tx.identity.attach_policy(OWNER, "admin", "arn:managed")
        await tx.identity.attach_policy(OWNER, "admin", "arn:managed")
        await tx.identity.managed_policy("arn:managed", "attached")
        return sorted(await tx.identity.documents(OWNER, "admin")), await tx.identity.documents(OWNER, "other")

    async def user_other(tx):
        await tx.identity.add_user(User(OWNER, "other", "/", "AIDAother", NOW))

    assert await store.write(work) == (["attached", "inline"], [])


async def test_the_identity_revision_grows_with_every_change(store):
    changes = [
        user,
        lambda tx: tx.identity.add_key(AccessKey("AKIA1", OWNER, "admin", b"s", True), NOW),
        lambda tx: tx.identity.managed_policy("arn:managed", "{}"),
        lambda tx: tx.identity.attach_policy(OWNER, "admin", "arn:managed"),
        lambda tx: tx.identity.put_policy(OWNER, "admin", "mine", "{}"),
    ]
    revisions = [await store.read(lambda tx: tx.identity.revision())]
    for change in changes:
        await store.write(change)
        revisions.append(await store.read(lambda tx: tx.identity.revision()))

    assert revisions == sorted(set(revisions))


# --- domains and repositories ------------------------------------------------------------------


async def test_a_domain_of_that_name_is_a_conflict_for_the_same_owner_only(store):
    await store.write(lambda tx: tx.domains.add(make.domain()))
    await store.write(lambda tx: tx.domains.add(make.domain(owner="444455556666")))

    with pytest.raises(Conflict):
        await store.write(lambda tx: tx.domains.add(make.domain()))


async def test_domains_are_paged_by_name_then_owner(store):
    for name, owner in [("b", "2" * 12), ("a", "9" * 12), ("b", "1" * 12), ("c", "1" * 12), ("B", "1" * 12)]:
        await store.write(lambda tx, name=name, owner=owner: tx.domains.add(make.domain(name, owner)))
    found, after = [], None
    while page := await store.read(lambda tx, after=after: tx.domains.page(None, after, 2)):
        found += [(domain.key.name, domain.key.owner[0]) for domain in page]
        after = f"{page[-1].key.name}/{page[-1].key.owner}"

    assert found == [("B", "1"), ("a", "9"), ("b", "1"), ("b", "2"), ("c", "1")]
    assert len(await store.read(lambda tx: tx.domains.page("1" * 12, None, 10))) == 3


async def test_a_deleted_domain_is_gone_with_its_policy_and_tags(store):
    domain = make.domain()
    arn = f"arn:aws:codeartifact:us-west-2:{OWNER}:domain/dom"

    async def work(tx):
        await tx.domains.add(domain)
        await tx.blobs.claim(domain.id, make.blob(b"x"), NOW)
        await tx.policies.put(PolicyDocument(arn, "{}", "1"), domain.id)
        await tx.policies.set_resource_tags(arn, {"k": "v"})
        await tx.policies.set_resource_tags(arn + "2", {"k": "v"})
        await tx.domains.delete(domain.id)
        left = await tx.policies.get(arn), await tx.policies.resource_tags(arn), await tx.domains.get(domain.key)
        return left, await tx.policies.resource_tags(arn + "2")

    assert await store.write(work) == ((None, {}, None), {"k": "v"})


async def test_usage_counts_repositories_and_bytes_that_are_referred_to(store):
    domain, repo = await seed(store)

    async def work(tx):
        await make.published(tx, repo, make.npm("a"), "1.0.0", b"12345")
        await make.published(tx, repo, make.npm("b"), "1.0.0", b"12345", b"123")
        await tx.blobs.claim(domain.id, make.blob(b"nobody"), NOW)
        return await tx.domains.usage(domain.id)

    assert await store.write(work) == (1, 8)


async def test_every_change_of_a_repository_touches_the_topology(store):
    domain, repo = await seed(store)
    other = make.repository(domain, "other")
    arn = f"arn:aws:codeartifact:us-west-2:{OWNER}:repository/dom/repo"
    changes = [
        lambda tx: tx.repositories.add(other),
        lambda tx: tx.repositories.describe(repo.id, "new"),
        lambda tx: tx.repositories.set_upstreams(repo.id, [other.id]),
        lambda tx: tx.repositories.connect(other.id, "public:npmjs"),
        lambda tx: tx.repositories.connect(other.id, None),
        lambda tx: tx.policies.put(PolicyDocument(arn, "{}", "1"), domain.id),
        lambda tx: tx.policies.delete(arn, domain.id),
        lambda tx: tx.domains.touch(domain.id),
        lambda tx: tx.repositories.delete(other.id),
    ]
    seen = [(await store.read(lambda tx: tx.domains.by_id(domain.id))).topology]
    for change in changes:
        await store.write(change)
        seen.append((await store.read(lambda tx: tx.domains.by_id(domain.id))).topology)

    assert seen == sorted(set(seen))


async def test_a_second_repository_of_that_name_is_a_conflict(store):
    domain, _ = await seed(store)

    with pytest.raises(Conflict):
        await store.write(lambda tx: tx.repositories.add(make.repository(domain)))


async def test_repositories_are_paged_by_name_domain_and_owner(store):
    for owner in ("1" * 12, "2" * 12):
        for name in ("x", "y"):
            domain = make.domain(name, owner)
            await store.write(lambda tx, domain=domain: tx.domains.add(domain))
            for repo in ("b", "a", "ab"):
                made = make.repository(domain, repo)
                await store.write(lambda tx, made=made: tx.repositories.add(made))
    found, after = [], None
    while page := await store.read(lambda tx, after=after: tx.repositories.page(RepositoryFilter(), after, 5)):
        found += [(repo.key.name, repo.key.domain.name, repo.key.domain.owner) for repo in page]
        after = found[-1]
    where = RepositoryFilter(prefix="a", administrator="1" * 12)

    assert found == sorted(found)
    assert len(found) == 12
    filtered = await store.read(lambda tx: tx.repositories.page(where, None, 10))
    assert [(repo.key.name, repo.key.domain.name) for repo in filtered] == [
        ("a", "x"),
        ("a", "y"),
        ("ab", "x"),
        ("ab", "y"),
    ]


async def test_a_prefix_minds_case_and_special_characters(store):
    domain, _ = await seed(store)
    for name in ("Repo", "re_o", "re%o", "rexo"):
        made = make.repository(domain, name)
        await store.write(lambda tx, made=made: tx.repositories.add(made))

    async def names(prefix):
        page = await store.read(
            lambda tx: tx.repositories.page(RepositoryFilter(domain_id=domain.id, prefix=prefix), None, 10)
        )
        return [repo.key.name for repo in page]

    assert await names("re_") == ["re_o"]
    assert await names("re%") == ["re%o"]
    assert await names("R") == ["Repo"]


async def test_edges_keep_their_order(store):
    domain, repo = await seed(store)
    others = [make.repository(domain, name) for name in "abc"]

    async def work(tx):
        for other in others:
            await tx.repositories.add(other)
        await tx.repositories.set_upstreams(repo.id, [others[0].id])
        await tx.repositories.set_upstreams(repo.id, [others[2].id, others[0].id, others[1].id])
        await tx.repositories.connect(others[1].id, "public:npmjs")
        await tx.repositories.connect(others[1].id, "public:pypi")
        return await tx.repositories.edges(domain.id), await tx.repositories.connections(domain.id)

    edges, connections = await store.write(work)
    assert edges == {repo.id: [others[2].id, others[0].id, others[1].id]}
    assert connections == {others[1].id: "public:pypi"}


async def test_a_deleted_repository_leaves_nothing_but_its_blobs_for_the_sweep(store):
    domain, repo = await seed(store)
    below = make.repository(domain, "below")
    arn = f"arn:aws:codeartifact:us-west-2:{OWNER}:repository/dom/repo"

    async def work(tx):
        await tx.repositories.add(below)
        await tx.repositories.set_upstreams(below.id, [repo.id])
        await make.published(tx, repo, make.npm(), "1.0.0", b"asset")
        for name in (arn, arn + "2"):
            await tx.policies.put(PolicyDocument(name, "{}", "1"), domain.id)
            await tx.policies.set_resource_tags(name, {"k": "v"})
        await tx.repositories.delete(repo.id)
        await tx.repositories.delete(repo.id)
        gone = await tx.policies.get(arn), await tx.policies.resource_tags(arn)
        kept = await tx.policies.get(arn + "2"), await tx.policies.resource_tags(arn + "2")
        return await tx.repositories.edges(domain.id), gone, kept

    edges, gone, kept = await store.write(work)

    assert (edges, gone) == ({}, (None, {}))
    assert all(kept)
    assert await store.read(lambda tx: tx.packages.get(repo.id, make.npm())) is None
    assert await store.write(lambda tx: tx.blobs.condemn(domain.id, NOW, 10)) == 1


# --- packages ----------------------------------------------------------------------------------


async def test_touching_a_package_of_a_repository_that_is_gone_tells_so(store):
    await seed(store)
    key = make.npm()

    async def work(tx):
        return await tx.packages.touch(7, key, display="x", publish="ALLOW", upstream="BLOCK", now=NOW)

    assert await store.write(work) is None


async def test_touching_a_package_keeps_its_controls_and_grows_its_counter(store):
    _, repo = await seed(store)

    async def work(tx):
        first = await make.touched(tx, repo, make.npm())
        again = await tx.packages.touch(
            repo.id, make.npm(), display="other", publish="BLOCK", upstream="ALLOW", now=NOW + 5
        )
        return first, again, await tx.packages.bump(first.id), await tx.packages.get(repo.id, make.npm())

    first, again, bumped, found = await store.write(work)

    assert (first.seq, again.seq, bumped, found.seq) == (1, 2, 3, 3)
    assert (again.id, again.display, again.publish, again.upstream, again.created) == (
        first.id,
        "left",
        "ALLOW",
        "BLOCK",
        NOW,
    )
    assert first.configured is False


async def test_controls_set_by_an_owner_are_marked(store):
    _, repo = await seed(store)

    async def work(tx):
        row = await make.touched(tx, repo, make.npm())
        await tx.packages.set_controls(row.id, "BLOCK", "ALLOW")
        return await tx.packages.get(repo.id, make.npm())

    row = await store.write(work)
    assert (row.publish, row.upstream, row.seq, row.configured) == ("BLOCK", "ALLOW", 2, True)


async def test_the_same_name_with_and_without_namespace_are_two_packages(store):
    _, repo = await seed(store)

    async def work(tx):
        await make.touched(tx, repo, make.npm("name"))
        await make.touched(tx, repo, make.npm("name", "scope"))
        return [row.key for row in await tx.packages.page(repo.id, PackageFilter(), None, 10)]

    assert await store.write(work) == [make.npm("name"), make.npm("name", "scope")]


async def test_one_package_is_read_across_repositories(store):
    domain, repo = await seed(store)
    others = [make.repository(domain, name) for name in "abc"]

    async def work(tx):
        for other in others:
            await tx.repositories.add(other)
        for each in (repo, others[1]):
            await make.touched(tx, each, make.npm())
            await make.touched(tx, each, make.npm("else"))
        ids = [repo.id, *[other.id for other in others]]
        return await tx.packages.across(ids, make.npm()), await tx.packages.across([], make.npm())

    rows, none = await store.write(work)
    assert {row.repo_id for row in rows} == {repo.id, others[1].id}
    assert {row.key for row in rows} == {make.npm()}
    assert none == []


async def test_packages_are_paged_and_filtered(store):
    _, repo = await seed(store)
    keys = [make.npm(name, scope) for scope in (None, "s", "sc") for name in ("a", "ab", "B")]
    keys.append(PackageKey("pypi", None, "ab"))

    async def work(tx):
        for key in reversed(keys):
            await make.touched(tx, repo, key)

    await store.write(work)
    found, after = [], None
    while page := await store.read(lambda tx, after=after: tx.packages.page(repo.id, PackageFilter(), after, 3)):
        found += [row.key for row in page]
        after = (found[-1].format, found[-1].namespace or "", found[-1].name)
    where = PackageFilter(format="npm", namespace_prefix="s", name_prefix="a", publish="ALLOW", upstream="BLOCK")
    filtered = await store.read(lambda tx: tx.packages.page(repo.id, where, None, 10))

    assert found == sorted(keys, key=lambda key: (key.format, key.namespace or "", key.name))
    assert [row.key for row in filtered] == [make.npm(name, scope) for scope in ("s", "sc") for name in ("a", "ab")]
    assert await store.read(lambda tx: tx.packages.page(repo.id, PackageFilter(publish="BLOCK"), None, 10)) == []


async def test_tags_are_set_moved_and_dropped(store):
    _, repo = await seed(store)

    async def work(tx):
        one = await make.touched(tx, repo, make.npm("one"))
        two = await make.touched(tx, repo, make.npm("two"))
        await tx.packages.set_tag(one.id, "latest", "1.0.0")
        await tx.packages.set_tag(one.id, "latest", "2.0.0")
        await tx.packages.set_tag(one.id, "next", "3.0.0")
        await tx.packages.set_tag(two.id, "latest", "9.0.0")
        await tx.packages.drop_tag(one.id, "next")
        await tx.packages.drop_tag(one.id, "never")
        return {one.id: {"latest": "2.0.0"}, two.id: {"latest": "9.0.0"}}, await tx.packages.tags([one.id, two.id])

    expected, found = await store.write(work)
    assert found == expected
    assert await store.read(lambda tx: tx.packages.tags([])) == {}


async def test_a_deleted_package_takes_its_versions_and_tags_along(store):
    domain, repo = await seed(store)

    async def work(tx):
        made = await make.published(tx, repo, make.npm(), "1.0.0", b"asset")
        await tx.packages.set_tag(made.package_id, "latest", "1.0.0")
        await tx.packages.delete(made.package_id)
        again = await make.touched(tx, repo, make.npm())
        return await tx.versions.of([made.package_id]), await tx.packages.tags([made.package_id, again.id]), again.seq

    assert await store.write(work) == ([], {}, 1)
    assert await store.write(lambda tx: tx.blobs.condemn(domain.id, NOW, 10)) == 1


async def test_search_finds_published_packages_in_any_case_each_once_nearest_first(store):
    domain, repo = await seed(store)
    above = make.repository(domain, "above")

    async def work(tx):
        await tx.repositories.add(above)
        await make.published(tx, above, make.npm("Left-Pad"), "1.0.0", b"a")
        await make.published(tx, repo, make.npm("Left-Pad"), "1.0.0", b"b")
        await make.published(tx, above, make.npm("core", "leftish"), "1.0.0", b"c")
        await make.published(tx, above, make.npm("left_hidden"), "1.0.0", b"d", status=Status.UNLISTED)
        await make.published(tx, above, make.npm("right"), "1.0.0", b"e")
        await make.published(tx, above, PackageKey("pypi", None, "left"), "1.0.0", b"f")

    await store.write(work)

    async def search(text, after=None, limit=10):
        rows = await store.read(lambda tx: tx.packages.search([repo.id, above.id], "npm", text, after, limit))
        return [(row.key.namespace, row.key.name, row.repo_id) for row in rows]

    assert await search("lEFt") == [(None, "Left-Pad", repo.id), ("leftish", "core", above.id)]
    assert await search("left", None, 1) == [(None, "Left-Pad", repo.id)]
    assert await search("left", ("", "Left-Pad")) == [("leftish", "core", above.id)]
    assert await search("t_p") == []
    assert await search("%") == []
    assert len(await search("")) == 3
    assert await store.read(lambda tx: tx.packages.search([], "npm", "", None, 10)) == []


async def test_the_pulse_of_a_format_moves_with_its_roll(store):
    domain, repo = await seed(store)
    above, other = make.repository(domain, "above"), make.repository(domain, "other")
    repos = [repo.id, above.id]
    for each in (above, other):
        await store.write(lambda tx, each=each: tx.repositories.add(each))

    async def seen(ids=repos):
        async def work(tx):
            return await tx.packages.pulse(ids, "npm"), sorted(await tx.packages.roll(ids, "npm"))

        return await store.read(work)

    assert await seen([]) == ((0, 0, 0), [])
    assert await seen() == ((0, 0, 0), [])
    pulses = []
    for where, key in ((repo, make.npm("a")), (above, make.npm("a")), (repo, make.npm("b", "scope"))):
        await store.write(lambda tx, w=where, k=key: make.published(tx, w, k, "1.0.0", b"x"))
        pulses.append((await seen())[0])
    for where, key in ((other, make.npm("a")), (repo, PackageKey("pypi", None, "a"))):
        await store.write(lambda tx, w=where, k=key: make.published(tx, w, k, "1.0.0", b"y"))
    pulse, roll = await seen()

    assert pulse == pulses[-1]
    assert len(set(pulses)) == 3
    assert [(namespace, name, repo_id) for namespace, name, repo_id, _, _ in roll] == sorted(
        [("", "a", repo.id), ("", "a", above.id), ("scope", "b", repo.id)]
    )
    assert pulse == (3, sum(row[4] for row in roll), max(row[3] for row in roll))
    await store.write(lambda tx: tx.packages.bump(roll[0][3]))
    assert (await seen())[0] == (pulse[0], pulse[1] + 1, pulse[2])
    await store.write(lambda tx: tx.packages.delete(roll[0][3]))
    assert (await seen())[0][0] == 2


# --- versions ----------------------------------------------------------------------------------


FACTS = Facts(
    "1.0.0",
    "a summary with \x00 and ünïcode",
    "https://home.example",
    "https://source.example",
    (License("MIT", "https://mit.example"), License(None, None)),
    "# Read me\x00\n",
    (Dependency("scope", "dep", "regular", "^1"), Dependency(None, "dep2", "dev", "")),
)


async def test_a_version_comes_back_as_it_was_added(store):
    _, repo = await seed(store)

    async def work(tx):
        package = await make.touched(tx, repo, make.npm("name", "scope"))
        stored = [await tx.blobs.claim(repo.domain_id, make.blob(body), NOW) for body in (b"two", b"one")]
        assets = (Asset("a.tgz", stored[1], b"\x00native", NOW), Asset("b.tgz", stored[0], b"", LARGEST))
        made = make.version(
            package, "1.0.0", *assets, native=b"\xff\x00", origin=Origin("EXTERNAL", None, "public:npmjs")
        )
        await tx.versions.add(made, FACTS)
        return made

    made = await store.write(work)

    assert await store.read(lambda tx: tx.versions.get(made.package_id, "1.0.0")) == made
    assert await store.read(lambda tx: tx.versions.of([made.package_id])) == [made]
    assert await store.read(lambda tx: tx.versions.facts(made.id)) == FACTS
    assert await store.read(lambda tx: tx.versions.get(made.package_id, "2.0.0")) is None


async def test_a_second_version_of_that_name_is_a_conflict_and_changes_nothing(store):
    _, repo = await seed(store)
    first = await store.write(lambda tx: make.published(tx, repo, make.npm(), "1.0.0", b"one"))

    with pytest.raises(Conflict):
        await store.write(lambda tx: make.published(tx, repo, make.npm(), "1.0.0", b"two"))
    assert await store.read(lambda tx: tx.versions.of([first.package_id])) == [first]
    assert (await store.read(lambda tx: tx.packages.get(repo.id, make.npm()))).seq == 1


async def test_every_version_of_several_packages_is_read_at_once(store):
    _, repo = await seed(store)

    async def work(tx):
        for name in ("a", "b"):
            for text in ("1.0.0", "10.0.0", "2.0.0"):
                await make.published(tx, repo, make.npm(name), text, f"{name}{text}".encode(), b"shared")
        rows = await tx.packages.page(repo.id, PackageFilter(), None, 10)
        return await tx.versions.of([row.id for row in rows]), await tx.versions.of([])

    versions, none = await store.write(work)

    assert [(version.key.package.name, version.display) for version in versions] == [
        (name, text) for name in ("a", "b") for text in ("1.0.0", "2.0.0", "10.0.0")
    ]
    assert all(
        sorted(asset.name for asset in version.assets) == [asset.name for asset in version.assets]
        for version in versions
    )
    assert all(len(version.assets) == 2 for version in versions)
    assert none == []


async def test_versions_are_paged_newest_first_in_their_own_order(store):
    _, repo = await seed(store)
    texts = [f"{number}.0.0" for number in range(1, 12)]

    async def work(tx):
        for text in texts:
            made = await make.published(tx, repo, make.npm(), text, text.encode())
        return made.package_id

    package_id = await store.write(work)
    found, after = [], None
    while page := await store.read(lambda tx, after=after: tx.versions.page(package_id, VersionFilter(), after, 4)):
        found += page
        after = (page[-1].sort, page[-1].key.version)

    assert [version.display for version in found] == texts[::-1]
    assert {(version.assets, version.native) for version in found} == {((), b"")}


async def test_versions_are_paged_by_time_with_ties_in_their_own_order(store):
    _, repo = await seed(store)
    published = {"1.0.0": 5, "2.0.0": 900, "3.0.0": 1000, "4.0.0": 5, "5.0.0": 5}

    async def work(tx):
        for text, time in published.items():
            made = await make.published(tx, repo, make.npm(), text, text.encode(), published=time)
        for text in ("6.0.0", "7.0.0"):  # as with build metadata, which no order looks at
            await make.published(tx, repo, make.npm(), text, text.encode(), published=7, sort="same")
        return made.package_id

    package_id = await store.write(work)
    where = VersionFilter(order="published")
    found, after = [], None
    while page := await store.read(lambda tx, after=after: tx.versions.page(package_id, where, after, 2)):
        found += [version.display for version in page]
        after = (str(page[-1].published), page[-1].sort, page[-1].key.version)

    assert found == ["3.0.0", "2.0.0", "7.0.0", "6.0.0", "5.0.0", "4.0.0", "1.0.0"]


async def test_versions_are_filtered_by_status_and_origin(store):
    _, repo = await seed(store)
    external = Origin("EXTERNAL", connection="public:npmjs")

    async def work(tx):
        await make.published(tx, repo, make.npm(), "1.0.0", b"1")
        await make.published(tx, repo, make.npm(), "2.0.0", b"2", status=Status.ARCHIVED)
        made = await make.published(tx, repo, make.npm(), "3.0.0", b"3", origin=external, published=1)
        return made.package_id

    package_id = await store.write(work)

    async def listed(**where):
        page = await store.read(lambda tx: tx.versions.page(package_id, VersionFilter(**where), None, 10))
        return [version.display for version in page]

    assert await listed(status=Status.ARCHIVED) == ["2.0.0"]
    assert await listed(origin="EXTERNAL") == ["3.0.0"]
    assert await listed(origin="INTERNAL", status=Status.PUBLISHED) == ["1.0.0"]
    assert await store.read(lambda tx: tx.versions.latest_published(package_id)) == "1.0.0"
    assert await store.read(lambda tx: tx.versions.latest_published(1)) is None


async def test_a_version_changes_only_in_what_is_named(store):
    _, repo = await seed(store)
    made = await store.write(lambda tx: make.published(tx, repo, make.npm(), "1.0.0", b"one"))

    async def work(tx):
        await tx.versions.change(made.id)
        unchanged = await tx.versions.get(made.package_id, "1.0.0")
        await tx.versions.change(made.id, status=Status.UNLISTED, native=b"")
        await tx.versions.set_facts(made.id, FACTS)
        await tx.versions.set_asset_native(made.id, "one", b"yanked")
        return unchanged, await tx.versions.get(made.package_id, "1.0.0"), await tx.versions.facts(made.id)

    unchanged, changed, facts = await store.write(work)

    assert unchanged == made
    assert (changed.status, changed.native, changed.revision, changed.published) == (
        Status.UNLISTED,
        b"",
        made.revision,
        made.published,
    )
    assert changed.assets[0].native == b"yanked"
    assert facts == FACTS


async def test_assets_are_added_paged_and_dropped(store):
    domain, repo = await seed(store)
    made = await store.write(lambda tx: make.published(tx, repo, make.npm(), "1.0.0", b"b"))

    async def more(tx):
        for body in (b"d", b"a", b"c"):
            row = await tx.blobs.claim(domain.id, make.blob(body), NOW)
            await tx.versions.add_assets(made.id, [Asset(body.decode(), row)])

    async def names(after, limit=2):
        return [asset.name for asset in await store.read(lambda tx: tx.versions.assets_page(made.id, after, limit))]

    await store.write(more)

    assert [await names(None), await names("b"), await names("d")] == [["a", "b"], ["c", "d"], []]
    await store.write(lambda tx: tx.versions.drop_assets(made.id))
    assert await names(None, 10) == []
    assert await store.write(lambda tx: tx.blobs.condemn(domain.id, NOW, 10)) == 4


async def test_a_second_asset_of_that_name_is_a_conflict(store):
    _, repo = await seed(store)
    made = await store.write(lambda tx: make.published(tx, repo, make.npm(), "1.0.0", b"one"))

    with pytest.raises(Conflict):
        await store.write(lambda tx: tx.versions.add_assets(made.id, made.assets))


# --- blobs -------------------------------------------------------------------------------------


async def test_the_first_claim_wins_and_clears_the_condemnation(store):
    domain, _ = await seed(store)
    first, second = make.blob(b"x"), make.blob(b"x")

    async def work(tx):
        claimed = await tx.blobs.claim(domain.id, first, NOW), await tx.blobs.claim(domain.id, second, NOW)
        condemned = await tx.blobs.condemn(domain.id, NOW, 10)
        await tx.blobs.claim(domain.id, second, NOW)
        return claimed, condemned, await tx.blobs.reap(domain.id, NOW + 1, 10)

    assert await store.write(work) == ((first, first), 1, [])


async def test_a_condemned_row_can_be_adopted_until_it_is_reaped(store):
    domain, _ = await seed(store)
    row = make.blob(b"x")
    sha256 = row.digests.sha256

    async def work(tx):
        await tx.blobs.claim(domain.id, row, NOW)
        await tx.blobs.condemn(domain.id, NOW, 10)
        adopted = await tx.blobs.adopt(domain.id, sha256)
        spared = await tx.blobs.reap(domain.id, NOW + 1, 10)
        await tx.blobs.condemn(domain.id, NOW, 10)
        too_early = await tx.blobs.reap(domain.id, NOW, 10)
        reaped = await tx.blobs.reap(domain.id, NOW + 1, 10)
        return adopted, spared, too_early, reaped, await tx.blobs.adopt(domain.id, sha256)

    assert await store.write(work) == (row, [], [], [row], None)


async def test_what_an_asset_refers_to_is_never_condemned(store):
    domain, repo = await seed(store)

    async def work(tx):
        made = await make.published(tx, repo, make.npm("a"), "1.0.0", b"shared")
        await make.published(tx, repo, make.npm("b"), "1.0.0", b"shared")
        counts = [await tx.blobs.condemn(domain.id, NOW, 10)]
        await tx.versions.delete(made.id)
        counts.append(await tx.blobs.condemn(domain.id, NOW, 10))
        other = await tx.packages.get(repo.id, make.npm("b"))
        await tx.packages.delete(other.id)
        counts.append(await tx.blobs.condemn(domain.id, NOW, 10))
        return counts

    assert await store.write(work) == [0, 0, 1]


async def test_a_lost_file_is_replaced_once(store):
    domain, _ = await seed(store)
    old, mine, other = (make.blob(b"x") for _ in range(3))

    async def work(tx):
        await tx.blobs.claim(domain.id, old, NOW)
        await tx.blobs.condemn(domain.id, NOW, 10)
        replaced = await tx.blobs.replace(domain.id, old.key, mine)
        again = await tx.blobs.replace(domain.id, old.key, other)
        return replaced, again, await tx.blobs.reap(domain.id, NOW + 1, 10)

    assert await store.write(work) == (mine, mine, [])


async def test_replacing_a_row_that_is_gone_inserts(store):
    domain, _ = await seed(store)
    mine = make.blob(b"x")

    assert await store.write(lambda tx: tx.blobs.replace(domain.id, "gone", mine)) == mine


async def test_condemning_goes_in_steps(store):
    domain, _ = await seed(store)

    async def work(tx):
        for number in range(7):
            await tx.blobs.claim(domain.id, make.blob(b"%d" % number), NOW)
        steps = [await tx.blobs.examine(domain.id, NOW, 3) for _ in range(4)]
        return steps, [len(await tx.blobs.reap(domain.id, NOW + 1, 4)) for _ in range(3)]

    assert await store.write(work) == ([(3, 3), (3, 3), (1, 1), (0, 0)], [4, 3, 0])


async def test_a_row_marked_lost_is_healed_by_the_next_claimant(store):
    domain, _ = await seed(store)
    row, mine = make.blob(b"x"), make.blob(b"x")

    async def work(tx):
        await tx.blobs.claim(domain.id, row, NOW)
        marked = [await tx.blobs.mark_lost(domain.id, row.digests.sha256, row.key) for _ in range(2)]
        lost = await tx.blobs.find(domain.id, row.digests.sha256)
        return marked, lost.key != row.key, await tx.blobs.replace(domain.id, lost.key, mine)

    assert await store.write(work) == ([True, False], True, mine)


async def test_rows_tell_which_keys_they_name_and_are_paged(store):
    domain, _ = await seed(store)
    rows = [make.blob(b"%d" % number) for number in range(1200)]

    async def work(tx):
        for row in rows[:1100]:
            await tx.blobs.claim(domain.id, row, NOW)
        known = await tx.blobs.known(domain.id, [row.key for row in rows])
        first = await tx.blobs.page(domain.id, None, 700)
        return known, first, await tx.blobs.page(domain.id, first[-1].digests.sha256, 700)

    known, first, second = await store.write(work)

    assert known == {row.key for row in rows[:1100]}
    assert first + second == sorted(rows[:1100], key=lambda row: row.digests.sha256)


async def test_domains_do_not_share_rows(store):
    one, _ = await seed(store, "one")
    two, _ = await seed(store, "two")
    row = make.blob(b"x")
    await store.write(lambda tx: tx.blobs.claim(one.id, row, NOW))

    assert await store.read(lambda tx: tx.blobs.find(two.id, row.digests.sha256)) is None
    assert await store.read(lambda tx: tx.blobs.known(two.id, [row.key])) == set()


# --- policies, tags, listings, outbox ----------------------------------------------------------


async def test_policies_are_replaced_and_deleted(store):
    domain, _ = await seed(store)

    async def work(tx):
        await tx.policies.put(PolicyDocument("arn:x", "old", "1"), domain.id)
        await tx.policies.put(PolicyDocument("arn:x", "new", "2"), domain.id)
        found = await tx.policies.get("arn:x")
        await tx.policies.delete("arn:x", domain.id)
        return found, await tx.policies.get("arn:x")

    assert await store.write(work) == (PolicyDocument("arn:x", "new", "2"), None)


async def test_resource_tags_are_merged_and_dropped(store):
    async def work(tx):
        await tx.policies.set_resource_tags("arn:x", {"a": "1", "b": "2"})
        await tx.policies.set_resource_tags("arn:x", {"b": "3", "c": ""})
        await tx.policies.drop_resource_tags("arn:x", ["a", "never"])
        return await tx.policies.resource_tags("arn:x")

    assert await store.write(work) == {"b": "3", "c": ""}


def remote(size: int = 1) -> Remote:
    files = tuple(
        [RemoteFile(f"f{number}", f"https://x.example/{number}", None, {"sha1": "a" * 40}) for number in range(size)]
    )
    return Remote(
        "left", (RemoteVersion("1.0.0", "1.0.0", b"\x00\xff", 5, files),), {"latest": "1.0.0"}, {"etag": '"x"'}
    )


@pytest.mark.parametrize("size", [1, 3000])
async def test_a_cached_listing_comes_back_as_it_was_stored(store, size):
    domain, _ = await seed(store)

    await store.write(lambda tx: tx.listings.put(domain.id, "public:npmjs", make.npm(), remote(size), NOW))

    for _ in range(2):
        cached = await store.read(lambda tx: tx.listings.get(domain.id, "public:npmjs", make.npm()))
        assert (cached.remote, cached.fetched) == (remote(size), NOW)


async def test_not_there_is_remembered_too(store):
    domain, _ = await seed(store)

    async def work(tx):
        await tx.listings.put(domain.id, "public:npmjs", make.npm(), remote(), NOW)
        await tx.listings.put(domain.id, "public:npmjs", make.npm(), None, NOW + 1)
        absent = await tx.listings.get(domain.id, "public:npmjs", make.npm())
        await tx.listings.put(domain.id, "public:npmjs", make.npm(), remote(2), NOW + 2)
        return absent, await tx.listings.get(domain.id, "public:npmjs", make.npm())

    absent, back = await store.write(work)
    assert (absent.remote, absent.fetched) == (None, NOW + 1)
    assert back.remote == remote(2)


async def test_the_change_number_of_a_listing_grows_with_its_content_only(store):
    domain, _ = await seed(store)
    changes = []

    async def note(work):
        await store.write(work)
        ages = await store.read(lambda tx: tx.listings.age(domain.id, ["public:npmjs", "public:pypi"], make.npm()))
        changes.append(ages["public:npmjs"])

    await note(lambda tx: tx.listings.put(domain.id, "public:npmjs", make.npm(), remote(), NOW))
    await note(lambda tx: tx.listings.fresh(domain.id, "public:npmjs", make.npm(), NOW + 9))
    await note(lambda tx: tx.listings.put(domain.id, "public:npmjs", make.npm(), remote(), NOW))
    await note(lambda tx: tx.listings.put(domain.id, "public:npmjs", make.npm(), remote(2), NOW - 99_999))

    assert [fetched for fetched, _ in changes] == [NOW, NOW + 9, NOW, NOW - 99_999]
    numbers = [number for _, number in changes]
    assert numbers[0] == numbers[1] < numbers[2] < numbers[3]


async def test_a_rolled_back_listing_is_never_seen(store):
    domain, _ = await seed(store)

    async def fails(tx):
        await tx.listings.put(domain.id, "public:npmjs", make.npm(), remote(7), NOW)
        assert (await tx.listings.get(domain.id, "public:npmjs", make.npm())).remote == remote(7)
        raise KeyError

    with pytest.raises(KeyError):
        await store.write(fails)
    await store.write(lambda tx: tx.listings.put(domain.id, "public:npmjs", make.npm(), remote(2), NOW))

    cached = await store.read(lambda tx: tx.listings.get(domain.id, "public:npmjs", make.npm()))
    assert cached.remote == remote(2)


async def test_listings_are_apart_by_domain_connection_and_package(store):
    one, _ = await seed(store, "one")
    two, _ = await seed(store, "two")
    await store.write(lambda tx: tx.listings.put(one.id, "public:npmjs", make.npm(), remote(), NOW))

    async def work(tx):
        return [
            await tx.listings.get(two.id, "public:npmjs", make.npm()),
            await tx.listings.get(one.id, "other", make.npm()),
            await tx.listings.get(one.id, "public:npmjs", make.npm("left", "scope")),
            await tx.listings.age(two.id, ["public:npmjs"], make.npm()),
            await tx.listings.age(one.id, [], make.npm()),
        ]

    assert await store.read(work) == [None, None, None, {}, {}]


async def test_the_outbox_keeps_events_in_order_until_dropped(store):
    events = [Event(number, OWNER, NOW, {"n": number, "nested": {"list": [1, None, "ü\x00"]}}) for number in (3, 1, 2)]

    async def work(tx):
        for event in events:
            await tx.outbox.add(event)
        taken = await tx.outbox.take(0, 2), await tx.outbox.take(2, 10)
        await tx.outbox.drop(2)
        return taken, await tx.outbox.take(0, 10)

    (first, second), left = await store.write(work)
    assert [event.id for event in first] == [1, 2]
    assert second == left == [events[0]]


async def test_a_domain_is_found_by_owner_and_name_together(store):
    await seed(store)

    assert await store.read(lambda tx: tx.domains.get(DomainKey("0" * 12, "dom"))) is None


async def test_old_listings_are_forgotten_absent_ones_sooner(store):
    domain, _ = await seed(store)

    async def work(tx):
        await tx.listings.put(domain.id, "public:npmjs", make.npm("old"), remote(), NOW)
        await tx.listings.put(domain.id, "public:npmjs", make.npm("used"), remote(), NOW + 10)
        await tx.listings.put(domain.id, "public:npmjs", make.npm("absent"), None, NOW + 10)
        await tx.listings.put(domain.id, "public:npmjs", make.npm("just-absent"), None, NOW + 20)
        gone = await tx.listings.forget(domain.id, absent=NOW + 15, unasked=NOW + 5, limit=10)
        names = ("old", "used", "absent", "just-absent")
        return gone, [await tx.listings.get(domain.id, "public:npmjs", make.npm(name)) is None for name in names]

    assert await store.write(work) == (2, [True, False, True, False])
