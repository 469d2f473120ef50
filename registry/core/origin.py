"""May this be published here?  May this come from there?

Guide, "Editing package origin controls" and "Publishing and upstream repositories".  Pure: rows in,
decision out.  `modes` is the one place where a package group enters: the effective modes of the group that
the package belongs to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from registry.core.errors import AccessDenied
from registry.core.types import Control, OriginType, PackageKey, PackageRow, Repository, Restriction, Version


@dataclass(frozen=True, slots=True)
class Modes:
    """A package group's effective origin controls for one repository, already decided to allow or block.

    `open`: the group allows everything everywhere.
    `by_name`: the group names this one package (`...$`), so that its owner has chosen where it comes from.
    `weak`: the package is a variation of what the group names, and blocked for that.
    `of`: the groups that the restrictions are of, where they are inherited.
    """

    publish: Control = "ALLOW"
    internal_upstream: Control = "ALLOW"
    external_upstream: Control = "ALLOW"
    open: bool = True
    by_name: bool = False
    group: str = "/*"
    weak: bool = False
    of: Mapping[Restriction, str] = field(default_factory=dict)


DEFAULT_MODES = Modes()


def defaults(arrival: OriginType, modes: Modes = DEFAULT_MODES) -> tuple[Control, Control]:
    """(publish, upstream) for a package whose first version arrives in a repository.

    Guide, "Default package origin control settings": by the kind of arrival when the group allows
    everything, else both ALLOW, which leaves the decision to the group.
    """
    if not modes.open:
        return "ALLOW", "ALLOW"
    return ("ALLOW", "BLOCK") if arrival == "INTERNAL" else ("BLOCK", "ALLOW")


def may_publish(row: PackageRow | None, modes: Modes = DEFAULT_MODES) -> bool:
    """May a version be published straight into the repository of this row?"""
    return modes.publish == "ALLOW" and (row is None or row.publish == "ALLOW")


def may_retain(row: PackageRow | None, modes: Modes = DEFAULT_MODES) -> bool:
    """May the repository of this row gain a version from another repository?"""
    return modes.internal_upstream == "ALLOW" and (row is None or row.upstream == "ALLOW")


def may_ingest(row: PackageRow | None, modes: Modes = DEFAULT_MODES) -> bool:
    """May the repository of this row gain a version through its external connection?"""
    return modes.external_upstream == "ALLOW" and (row is None or row.upstream == "ALLOW")


def may_take(row: PackageRow | None, modes: Modes, *, connected: bool) -> bool:
    """May versions reach the repository of this row from above: through its connection, else from its upstreams?"""
    return may_ingest(row, modes) if connected else may_retain(row, modes)


def require_publish(
    repository: Repository, key: PackageKey, row: PackageRow | None, modes: Modes = DEFAULT_MODES
) -> None:
    """Raise AccessDenied that names the control which forbids a publish."""
    if not may_publish(row, modes):
        raise _denied(f"Publishing to package {spelled(key)}", repository, key, _why("PUBLISH", modes, "publish"))


def blocked_upstream(
    repository: Repository, key: PackageKey, modes: Modes = DEFAULT_MODES, *, connected: bool = False
) -> AccessDenied:
    """The error of an arrival from upstream that controls forbid."""
    return _denied(
        f"Taking versions of package {spelled(key)} from upstream",
        repository,
        key,
        _why("EXTERNAL_UPSTREAM" if connected else "INTERNAL_UPSTREAM", modes, "upstream"),
    )


def weakly_matched(key: PackageKey, modes: Modes) -> str:
    """Why a package is blocked that a group matches weakly."""
    return (
        f"package {spelled(key)} is a variation of what the package group {modes.group} names (a weak match), "
        "which blocks new versions"
    )


def _denied(what: str, repository: Repository, key: PackageKey, why: str) -> AccessDenied:
    return AccessDenied(
        f"{what} in repository {repository.key.name} is blocked: {why}",
        resource_id=spelled(key),
        resource_type="package",
    )


def _why(kind: Restriction, modes: Modes, control: str) -> str:
    """Which control says no: the group's, if it does, else the package's own."""
    group = {
        "PUBLISH": modes.publish,
        "INTERNAL_UPSTREAM": modes.internal_upstream,
        "EXTERNAL_UPSTREAM": modes.external_upstream,
    }[kind]
    if modes.weak:
        return f"it is a variation of what the package group {modes.group} names (a weak match, {kind}=BLOCK)"
    if group == "BLOCK":
        of = modes.of.get(kind, modes.group)
        inherited = "" if of == modes.group else f", inherited from {of}"
        return f"the package group {modes.group} has {kind}=BLOCK for it{inherited}"
    return f"its package origin control is {control}=BLOCK"


def is_private(row: PackageRow, versions: Iterable[Version]) -> bool:
    """Is this row a package that somebody published and keeps from coming from outside?"""
    return row.upstream == "BLOCK" and any(version.origin.type == "INTERNAL" for version in versions)


def hides_external(asked: PackageRow | None, *, private_in_chain: bool, modes: Modes = DEFAULT_MODES) -> bool:
    """Are versions from external connections left out for the repository that is asked?

    Beyond the guide, against dependency confusion: where any hop holds the package privately (is_private),
    a public package of that name is not mixed in, unless the owner of the repository asked has set
    `upstream: ALLOW` on the package there, or the package group allows this package by name.
    """
    if not private_in_chain or modes.by_name:
        return False
    return not (asked is not None and asked.configured and asked.upstream == "ALLOW")


def spelled(key: PackageKey) -> str:
    """A package as messages name it: `namespace/name`, or the name alone."""
    return f"{key.namespace}/{key.name}" if key.namespace else key.name
