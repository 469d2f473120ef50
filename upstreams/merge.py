"""Merging a package over the hops of a search: pure.

The first hop that has a version decides on it, whatever its status (rulings, "Packages" 5).  Formats whose
versions grow get further files of that version from hops further up, under the guide's conditions (chapter
"Requesting Python packages from upstreams and external connections").  Of a tag that several hops have, the
one further up wins (guide, "npm tags and upstream repositories").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from registry.core.types import (
    FormatInfo,
    Listed,
    ListedFile,
    Origin,
    Remote,
    RemoteFile,
    RemoteVersion,
    Repository,
    Status,
    Version,
)

_USABLE = (Status.PUBLISHED, Status.UNLISTED)


@dataclass(frozen=True, slots=True)
class Layer:
    """What one hop knows of a package: its own rows, then what its external connection lists."""

    repository: Repository
    parent: int | None
    versions: Sequence[Version] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    connection: str | None = None
    remote: Remote | None = None

    @property
    def source(self) -> str:
        return "local" if self.parent is None else f"upstream:{self.repository.key.name}"


@dataclass(frozen=True, slots=True)
class Merged:
    """Versions in the format's order; `renewed` holds newer metadata of stored files, by version and name."""

    versions: tuple[Listed, ...]
    unlisted: tuple[Listed, ...]
    tags: Mapping[str, str]
    renewed: Mapping[str, Mapping[str, bytes]]
    remarked: Mapping[str, bytes] = field(default_factory=dict)
    """Newer metadata of stored versions."""


class Gate:
    """Who may add files to a version that was found: holders of the same origin, up to the first who may not be.

    Guide: a status other than Published or Unlisted ends the flow, so does a direct publication, and a
    version that came another way.
    """

    def __init__(self, info: FormatInfo, origin: Origin) -> None:
        self._origin = origin
        self.open = info.merges_files

    @classmethod
    def of(cls, info: FormatInfo, version: Version, repository: Repository) -> Gate:
        """The gate of the first version that was found."""
        gate = cls(info, version.origin)
        gate.open = gate.open and version.status in _USABLE and not _published_in(version, repository)
        return gate

    @classmethod
    def of_remote(cls, info: FormatInfo, connection: str | None) -> Gate:
        return cls(info, Origin("EXTERNAL", connection=connection))

    def admits(self, version: Version, repository: Repository) -> bool:
        """May this further holder add its files?  Closes behind it where the flow ends."""
        admitted = self.open and version.status in _USABLE and version.origin == self._origin
        self.open = admitted and not _published_in(version, repository)
        return admitted

    def takes(self, connection: str | None) -> bool:
        """May the connection add what it lists?"""
        return self.open and self._origin == Origin("EXTERNAL", connection=connection)

    def through(self, connection: str | None) -> bool:
        """Did the version come through this connection?"""
        return connection is not None and self._origin == Origin("EXTERNAL", connection=connection)

    def close(self) -> None:
        """Nothing is added after what an external registry lists."""
        self.open = False


def usable(version: Version) -> bool:
    """Do package managers get its files?"""
    return version.status in _USABLE


def merge(info: FormatInfo, layers: Sequence[Layer]) -> Merged:
    """Lay the layers over each other, nearest first."""
    found: dict[str, _Found] = {}
    for layer in layers:
        for version in layer.versions:
            known = found.get(version.key.version)
            if known is None:
                found[version.key.version] = _Found(_stored(version, layer), Gate.of(info, version, layer.repository))
            elif known.gate.open and known.gate.admits(version, layer.repository):
                known.add(_files(version))
        for remote in layer.remote.versions if layer.remote is not None else ():
            known = found.get(remote.version)
            if known is None:
                listed = _listed(info, remote, layer)
                if listed is not None:
                    found[remote.version] = _Found(listed, Gate.of_remote(info, layer.connection))
                continue
            if info.remark is not None and known.gate.through(layer.connection):
                known.remark(info.remark(known.listed.native, remote.native))
            if known.gate.open:
                if known.gate.takes(layer.connection):
                    known.refresh(info, remote)
                known.gate.close()
    shown = sorted((each.done() for each in found.values()), key=lambda listed: (listed.sort, listed.version))
    versions = tuple(listed for listed in shown if listed.status is Status.PUBLISHED)
    unlisted = tuple(listed for listed in shown if listed.status is Status.UNLISTED)
    tagged = (*versions, *unlisted) if info.tags_unlisted else versions
    return Merged(
        versions,
        unlisted,
        merged_tags(layers, {listed.version for listed in tagged}),
        {name: each.renewed for name, each in found.items() if each.renewed},
        {name: each.listed.native for name, each in found.items() if each.remarked},
    )


def merged_tags(layers: Sequence[Layer], listed: set[str]) -> dict[str, str]:
    """Tags as the first layer's repository shows them; those of versions that are not listed count for nothing.

    A repository's tags are its own, overridden by those of its upstreams, of which the first has priority.
    """
    effective: dict[int, dict[str, str]] = {}
    for layer in reversed(layers):  # upstreams come after those who have them
        above = effective.pop(layer.repository.id, {})
        tags = {tag: version for tag, version in layer.tags.items() if version in listed}
        if layer.remote is not None:
            tags.update((tag, version) for tag, version in layer.remote.tags.items() if version in listed)
        tags.update(above)
        if layer.parent is None:
            return tags
        # Visited last to first: what is nearer to the front overrides what its later siblings said.
        effective.setdefault(layer.parent, {}).update(tags)
    return {}


@dataclass(slots=True)
class _Found:
    """A version on the way through the layers."""

    listed: Listed
    gate: Gate
    renewed: dict[str, bytes] = field(default_factory=dict)
    more: list[ListedFile] = field(default_factory=list)
    remarked: bool = False

    def names(self) -> dict[str, ListedFile]:
        return {file.name: file for file in (*self.listed.files, *self.more)}

    def add(self, files: Iterator[ListedFile]) -> None:
        known = self.names()
        self.more.extend(file for file in files if file.name not in known)

    def remark(self, native: bytes) -> None:
        """Say of a stored version what its registry says of it now."""
        if native != self.listed.native and self.listed.status in _USABLE:
            self.listed = replace(self.listed, native=native)
            self.remarked = True

    def refresh(self, info: FormatInfo, remote: RemoteVersion) -> None:
        """Add the files that are new, and bring the marks of the stored ones up to date."""
        known = self.names()
        for file in remote.files:
            held = known.get(file.name)
            if held is None:
                self.more.append(_remote_file(file))
            elif info.refresh is not None and _same_bytes(held, file):
                native = info.refresh(held.native, file.native)
                if native != held.native:
                    self.renewed[file.name] = native

    def done(self) -> Listed:
        if not self.more and not self.renewed:
            return self.listed
        files = tuple(
            replace(file, native=self.renewed[file.name]) if file.name in self.renewed else file
            for file in (*self.listed.files, *self.more)
        )
        return replace(self.listed, files=files)


def _published_in(version: Version, repository: Repository) -> bool:
    return version.origin.type == "INTERNAL" and version.origin.repository == repository.key.name


def _stored(version: Version, layer: Layer) -> Listed:
    return Listed(
        version=version.key.version,
        display=version.display,
        status=version.status,
        native=version.native,
        files=tuple(_files(version)),
        published=version.published,
        sort=version.sort,
        source=layer.source,
    )


def _files(version: Version) -> Iterator[ListedFile]:
    for asset in version.assets:
        digests = asset.blob.digests
        yield ListedFile(
            name=asset.name,
            size=asset.blob.size,
            digests={
                "md5": digests.md5,
                "sha1": digests.sha1,
                "sha256": digests.sha256,
                "sha512": digests.sha512,
            },
            native=asset.native,
            uploaded=asset.uploaded,
        )


def _listed(info: FormatInfo, remote: RemoteVersion, layer: Layer) -> Listed | None:
    """None for a version that the format itself refuses: an external registry may hold what it never should have."""
    try:
        sort = info.sort(remote.version)
    except ValueError:
        return None
    return Listed(
        version=remote.version,
        display=remote.display,
        status=Status.PUBLISHED,
        native=remote.native,
        files=tuple(_remote_file(file) for file in remote.files),
        published=remote.published or 0,
        sort=sort,
        source=f"external:{layer.connection}",
    )


def _remote_file(file: RemoteFile) -> ListedFile:
    return ListedFile(
        name=file.name,
        size=file.size,
        digests=file.digests,
        native=file.native,
        uploaded=file.uploaded or 0,
        url=file.url,
    )


def _same_bytes(held: ListedFile, file: RemoteFile) -> bool:
    """Marks are for the file that the registry means, not for another of that name."""
    shared = set(held.digests) & set(file.digests)
    return all(held.digests[name].lower() == file.digests[name].lower() for name in shared)
