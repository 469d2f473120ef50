"""Origin controls: pure decisions."""

from __future__ import annotations

import pytest

from registry.core import origin
from registry.core.errors import AccessDenied
from registry.core.origin import Modes
from registry.core.types import (
    Control,
    DomainKey,
    Origin,
    OriginType,
    PackageKey,
    PackageRow,
    RepoKey,
    Repository,
    Status,
    Version,
    VersionKey,
)

KEY = PackageKey("npm", "types", "node")
REPO = Repository(1, 1, RepoKey(DomainKey("111122223333", "dom"), "repo"), "", "111122223333", 1)


def row(publish: Control = "ALLOW", upstream: Control = "ALLOW", *, configured: bool = False) -> PackageRow:
    return PackageRow(1, 1, KEY, "node", 1, publish, upstream, 1, configured)


def version(kind: OriginType) -> Version:
    return Version(1, 1, VersionKey(KEY, "1"), "1", Status.PUBLISHED, "r", Origin(kind), 1, "1", b"")


@pytest.mark.parametrize(
    ("arrival", "modes", "expected"),
    [
        ("INTERNAL", Modes(), ("ALLOW", "BLOCK")),
        ("EXTERNAL", Modes(), ("BLOCK", "ALLOW")),
        ("INTERNAL", Modes(open=False), ("ALLOW", "ALLOW")),
        ("EXTERNAL", Modes(open=False), ("ALLOW", "ALLOW")),
    ],
)
def test_defaults_follow_the_first_arrival_or_leave_it_to_the_group(
    arrival: OriginType, modes: Modes, expected: tuple[str, str]
) -> None:
    assert origin.defaults(arrival, modes) == expected


def test_a_block_on_the_package_or_the_group_wins() -> None:
    blocked = Modes(publish="BLOCK", internal_upstream="BLOCK", external_upstream="BLOCK")

    assert origin.may_publish(None) and origin.may_retain(None) and origin.may_ingest(None)
    assert origin.may_publish(row(upstream="BLOCK")) and not origin.may_publish(row(publish="BLOCK"))
    assert origin.may_retain(row(publish="BLOCK")) and not origin.may_retain(row(upstream="BLOCK"))
    assert origin.may_ingest(row(publish="BLOCK")) and not origin.may_ingest(row(upstream="BLOCK"))
    assert not (origin.may_publish(row(), blocked) or origin.may_retain(row(), blocked))
    assert not origin.may_ingest(None, blocked)


def test_the_refusal_names_the_control_and_the_group() -> None:
    origin.require_publish(REPO, KEY, row())
    with pytest.raises(AccessDenied, match=r"types/node in repository repo is blocked: .*publish=BLOCK"):
        origin.require_publish(REPO, KEY, row("BLOCK"))
    with pytest.raises(AccessDenied, match=r"the package group /npm/\* has PUBLISH=BLOCK"):
        origin.require_publish(REPO, KEY, row(), Modes(publish="BLOCK", group="/npm/*"))
    assert "upstream=BLOCK" in origin.blocked_upstream(REPO, KEY).message


def test_a_package_is_private_when_it_was_published_and_takes_nothing_from_outside() -> None:
    assert origin.is_private(row(upstream="BLOCK"), [version("EXTERNAL"), version("INTERNAL")])
    assert not origin.is_private(row(upstream="ALLOW"), [version("INTERNAL")])
    assert not origin.is_private(row(upstream="BLOCK"), [version("EXTERNAL")])
    assert not origin.is_private(row(upstream="BLOCK"), [])


@pytest.mark.parametrize(
    ("asked", "private", "modes", "hidden"),
    [
        (None, False, Modes(), False),
        (None, True, Modes(), True),
        (row(upstream="ALLOW"), True, Modes(), True),  # the default of a retained package is nobody's decision
        (row(upstream="ALLOW", configured=True), True, Modes(), False),
        (row(upstream="BLOCK", configured=True), True, Modes(), True),
        (None, True, Modes(by_name=True), False),
    ],
)
def test_a_private_package_in_the_chain_hides_public_ones_of_its_name(
    asked: PackageRow | None, private: bool, modes: Modes, hidden: bool
) -> None:
    assert origin.hides_external(asked, private_in_chain=private, modes=modes) is hidden
