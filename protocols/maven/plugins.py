"""Plug-ins of a group by prefix: of packages here, by their tags, and of an external registry's group metadata.

The registry's document about a group is kept as the listing of a package with the metadata's own name, which no
artifact can have; its versions are the plug-ins.
"""

from __future__ import annotations

import msgspec

from protocols.maven.metadata import TAG_PREFIX, Document, Plugin, conventional_prefix
from protocols.maven.names import FORMAT, METADATA
from registry.core.errors import UpstreamUnavailable
from registry.core.types import PackageKey, RemoteVersion
from registry.core.view import RepoView

_MOST = 2000
_CONVENTION = "plugin"


class _Entry(msgspec.Struct, frozen=True):
    prefix: str
    artifact: str
    name: str


_entry = msgspec.json.Decoder(_Entry)


def entries(document: Document) -> tuple[RemoteVersion, ...]:
    """The plug-ins of a registry's group, in the form of versions."""
    return tuple(
        RemoteVersion(
            f"{each.prefix}:{each.artifact}",
            each.artifact,
            msgspec.json.encode(_Entry(each.prefix, each.artifact, each.name)),
            0,
            (),
        )
        for each in document.plugins
    )


def convention(version: str) -> dict[str, str]:
    """The tag of a plug-in whose group metadata did not come (yet)."""
    return {_CONVENTION: version}


def explicit(prefix: str) -> str:
    """The tag that says under which prefix a package is run."""
    return f"{TAG_PREFIX}{prefix}"


async def of_group(view: RepoView, group: str) -> list[Plugin]:
    """All that can be known of; what is here comes first.  Raises UpstreamUnavailable when nothing is known and a
    registry could not be asked."""
    found: dict[str, Plugin] = {}
    for artifact, tags in (await view.tagged(group, _MOST)).items():
        given = [tag.removeprefix(TAG_PREFIX) for tag in tags if tag.startswith(TAG_PREFIX)]
        if not given and _CONVENTION in tags:
            given = [conventional_prefix(artifact)]
        for prefix in given:
            found.setdefault(prefix, Plugin(prefix, artifact))
    try:
        listing = await view.listing(PackageKey(FORMAT, group, METADATA))
    except UpstreamUnavailable:
        if not found:
            raise
        return list(found.values())
    for version in listing.versions:
        entry = _entry.decode(version.native)
        found.setdefault(entry.prefix, Plugin(entry.prefix, entry.artifact, entry.name))
    return list(found.values())
