"""Which group applies: from memory where groups are few, by keys where they are many; never what was not committed."""

from __future__ import annotations

import random
from typing import Any

import pytest

from registry.core.groups import administration, association
from registry.core.groups.association import KINDS, Groups
from registry.core.groups.hierarchy import Hierarchy
from registry.core.origin import Modes
from registry.core.types import Domain, PackageKey
from tests.core.house import DOMAIN, House, package

WORDS = ["app", "App", "app-ui", "app_ui", "lib", "1ib", "corn", "com", "tool", "a"]
SPACES = ["", "", "corp", "Corp", "c0rp", "corp-x"]


async def domain(house: House) -> Domain:
    found = await house.store.read(lambda tx: tx.domains.get(DOMAIN))
    assert found is not None
    return found


async def create(house: House, *texts: str, **modes: Any) -> None:
    for text in texts:

        async def work(tx: Any, text: str = text) -> None:
            row = await tx.domains.get(DOMAIN)
            await administration.create(tx, house.services, row, text, contact="", description="", tags={})
            if modes:
                await administration.configure(tx, house.services, row, text, modes=modes)

        await house.store.write(work)


async def test_both_ways_find_the_same(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    pick = random.Random(11)
    texts: set[str] = set()
    while len(texts) < 90:
        space, word = pick.choice(SPACES), pick.choice(WORDS)
        texts.add(pick.choice([f"/npm/{space}/{word}$", f"/npm/{space}/{word}~", f"/npm/{space}/{word[:2]}*"]))
        texts.add(pick.choice([f"/npm/{space}/*", f"/npm/{space or 'x'}~", "/npm/*"]))
    await create(house, *texts)
    row = await domain(house)
    groups = await house.store.read(lambda tx: tx.groups.page(row.id, "", None, 1000))
    every = Hierarchy(groups)
    assert len(groups) > association._FEW

    async def asked(known: Groups, key: PackageKey) -> association.Association | None:
        return await house.store.read(lambda tx: known.of(tx, row.id, key))

    for _ in range(200):
        key = package(pick.choice(WORDS) + pick.choice(["", "-x", "x"]), namespace=pick.choice(SPACES) or None)
        many = Groups()
        monkeypatch.setattr(association, "_FEW", 1000)
        whole = await asked(Groups(), key)
        monkeypatch.setattr(association, "_FEW", 1)
        keyed = await asked(many, key)
        again = await asked(many, key)

        assert whole == keyed == again
        assert keyed is not None
        expected = every.associated(key)
        assert expected is not None
        assert (keyed.line.group, keyed.strength) == expected
        assert keyed.line.groups == every.line(expected[0])


async def test_a_change_is_seen_at_once_and_an_undone_one_never(house: House) -> None:
    repo = await house.repo()
    known = house.services.groups

    async def modes() -> Modes:
        return await house.store.read(lambda tx: known.modes(tx, repo, package("lib")))

    assert await modes() == Modes(of=dict.fromkeys(KINDS, "/*"))
    await create(house, "/npm//lib$", PUBLISH="BLOCK")
    assert (await modes()).publish == "BLOCK"

    async def undone(tx: Any) -> None:
        row = await tx.domains.get(DOMAIN)
        await administration.configure(tx, house.services, row, "/npm//lib$", modes={"EXTERNAL_UPSTREAM": "BLOCK"})
        assert (await known.modes(tx, repo, package("lib"))).external_upstream == "BLOCK"  # it sees its own
        raise RuntimeError("undone")

    with pytest.raises(RuntimeError):
        await house.store.write(undone)
    await create(house, "/npm//other$")  # the counter that was given out is given out again
    assert (await modes()).external_upstream == "ALLOW"


async def test_what_a_group_says_of_a_repository(house: House) -> None:
    one, two = await house.repo("one"), await house.repo("two")
    await create(house, "/npm/*", EXTERNAL_UPSTREAM="BLOCK")
    await create(house, "/npm//lib$", PUBLISH="ALLOW_SPECIFIC_REPOSITORIES")
    row = await domain(house)
    entry = administration.Entry("PUBLISH", "one")
    await house.store.write(
        lambda tx: administration.configure(tx, house.services, row, "/npm//lib$", modes={}, add=[entry])
    )
    known = house.services.groups

    at_one = await house.store.read(lambda tx: known.modes(tx, one, package("lib")))
    at_two = await house.store.read(lambda tx: known.modes(tx, two, package("lib")))
    weak = await house.store.read(lambda tx: known.modes(tx, one, package("LIB")))

    assert (at_one.publish, at_two.publish) == ("ALLOW", "BLOCK")
    assert at_one.external_upstream == at_two.external_upstream == "BLOCK"
    assert at_one.of["EXTERNAL_UPSTREAM"] == "/npm/*"
    assert not (at_one.open or at_one.by_name or at_one.weak)
    assert weak == Modes("BLOCK", "BLOCK", "BLOCK", open=False, group="/npm//lib$", weak=True)


async def test_memory_is_bounded(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    row = await domain(house)
    monkeypatch.setattr(association, "_REMEMBERED", 3)
    monkeypatch.setattr(association, "_DOMAINS", 1)
    known = Groups()
    for name in "abcdefgh":
        await house.store.read(lambda tx, name=name: known.of(tx, row.id, PackageKey("npm", None, name)))
    assert len(known._known) <= 3
    assert await house.store.read(lambda tx: known.of(tx, 1, package("x"))) is None  # a domain that is gone
    assert len(known._whole) == 1
