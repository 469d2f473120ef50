"""Reading other sparse registries, the public one and another Packyard included.

`config.json` says where the files are and is asked for once an hour; an index file is asked for with its validators.
A line that makes no sense is left out, a file of which none makes any is UpstreamUnavailable, never "not there".
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from msgspec import Raw

from protocols.cargo import archive, lines, manifest, names
from registry.core.errors import UpstreamUnavailable
from registry.core.ports import Http
from registry.core.types import (
    Absent,
    Blob,
    Dependency,
    Draft,
    DraftAsset,
    NotModified,
    PackageKey,
    Remote,
    RemoteFile,
    RemoteVersion,
    Staged,
    VersionKey,
)
from registry.web import remote as answers

MAX_CONFIG = 64 * 1024
MAX_INDEX = 64 * 1024**2
_HOUR = 3600.0
_MOST_BASES = 256
_GONE = (404, 410, 451)
_DOWNLOADS = ":dl"
"""Among the validators of a listing: the template that its addresses were made with.  No header has such a name."""
_MARKERS = ("{crate}", "{version}", "{prefix}", "{lowerprefix}", "{sha256-checksum}")


class _Config(msgspec.Struct):
    dl: str


class _Dependency(msgspec.Struct):
    name: str
    req: str
    kind: str | None = None
    package: str | None = None
    registry: str | None = None


class _Line(msgspec.Struct):
    name: str
    vers: str
    cksum: str
    deps: list[_Dependency] = []
    yanked: bool | None = False
    pubtime: Any = None


@dataclass(frozen=True, slots=True)
class _Source:
    """What a file of an index is read with."""

    package: PackageKey
    base: str
    downloads: str


class CargoFetcher:
    """Implements registry.core.ports.Fetcher."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, tuple[float, str]] = {}

    async def listing(
        self, http: Http, package: PackageKey, validators: Mapping[str, str]
    ) -> Remote | NotModified | Absent:
        downloads = await self._downloads(http)
        asked = {name: value for name, value in validators.items() if name != _DOWNLOADS}
        if validators.get(_DOWNLOADS) != downloads:
            asked = {}  # the addresses that are stored lead nowhere any more
        async with http.get(names.index_path(package.name), {"accept": "text/plain", **asked}) as reply:
            if reply.status == 304 and asked:
                return NotModified()
            if reply.status in _GONE:
                return Absent()
            if reply.status != 200:
                raise UpstreamUnavailable(f"The external registry answered {reply.status} for {package.name}")
            body = await reply.body(MAX_INDEX)
            seen = {**answers.validators(reply.headers), _DOWNLOADS: downloads}
        return await asyncio.to_thread(read_index, body, _Source(package, http.base, downloads), seen)

    async def draft(
        self, package: PackageKey, remote: Remote, version: RemoteVersion, files: Mapping[str, Staged | Blob]
    ) -> Draft:
        """What the index does not say is read from the manifest in the file, off the loop."""
        return await asyncio.to_thread(_draft, package, remote, version, files)

    def companions(self, version: RemoteVersion, asset: str) -> Sequence[RemoteFile]:
        return ()

    async def _downloads(self, http: Http) -> str:
        """The template of download addresses.  One that is known holds on while the registry cannot be asked."""
        known = self._known.get(http.base)
        if known is not None and self._clock() - known[0] < _HOUR:
            return known[1]
        try:
            async with http.get("config.json", {"accept": "text/plain"}) as reply:
                if reply.status != 200:
                    raise UpstreamUnavailable(f"The external registry answered {reply.status} for its config.json")
                found = template(await reply.body(MAX_CONFIG))
        except UpstreamUnavailable:
            if known is None:
                raise
            return known[1]
        if len(self._known) >= _MOST_BASES:
            self._known.clear()
        self._known[http.base] = (self._clock(), found)
        return found


def template(body: bytes) -> str:
    """`dl` of a config.json with its markers.  Raises UpstreamUnavailable."""
    try:
        found = msgspec.json.decode(body, type=_Config).dl
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise UpstreamUnavailable("The external registry's config.json does not say where its files are") from None
    if not found.startswith(("https://", "http://")) or len(found) > 2000 or any(c <= " " for c in found):
        raise UpstreamUnavailable("The external registry's config.json has a download address that is none")
    if not any(marker in found for marker in _MARKERS):
        found = f"{found.rstrip('/')}/{{crate}}/{{version}}/download"
    return found


def address(template: str, name: str, version: str, cksum: str) -> str:
    """Where a file is, exactly as cargo works it out: `+` stays as it is."""
    values = (name, version, names.prefix(name), names.prefix(name.lower()), cksum)
    for marker, value in zip(_MARKERS, values, strict=True):
        template = template.replace(marker, value)
    return template


def read_index(body: bytes, source: _Source, validators: Mapping[str, str]) -> Remote | Absent:
    """An index file as a Remote; Absent when it is empty.  Raises UpstreamUnavailable."""
    found: dict[str, RemoteVersion] = {}
    display = source.package.name
    texts = [text for text in body.split(b"\n") if text.strip()]
    for text in texts:
        try:
            line = msgspec.json.decode(text, type=_Line)
            version = _version(text, line, source)
        except (msgspec.DecodeError, RecursionError, ValueError):
            continue
        if version.version in found:
            # An old registry may have versions that differ in build metadata alone: see index.download.
            version = replace(version, version=version.display)
        found.setdefault(version.version, version)
        display = line.name
    if texts and not found:
        raise UpstreamUnavailable(f"The external registry's index of {source.package.name} cannot be understood")
    return Remote(display, tuple(found.values()), {}, dict(validators)) if found else Absent()


def _version(text: bytes, line: _Line, source: _Source) -> RemoteVersion:
    """One line.  Raises ValueError for one that no client could use, or that is of another crate."""
    canonical = names.canonical_version(line.vers)
    if names.package(line.name) != source.package:
        raise ValueError("another crate")
    if len(line.cksum) != 64 or len(bytes.fromhex(line.cksum)) != 32:
        raise ValueError("no checksum")
    fields = msgspec.json.decode(text, type=dict[str, Raw])
    if any(each.registry == f"sparse+{source.base}" for each in line.deps):
        fields["deps"] = _at_home(fields["deps"], source)
    published = answers.milliseconds(line.pubtime)
    file = RemoteFile(
        name=names.asset(line.name, line.vers),
        url=address(source.downloads, line.name, line.vers, line.cksum.lower()),
        size=None,
        digests={"sha256": line.cksum.lower()},
        native=lines.YANKED if line.yanked else lines.FOREIGN,
        uploaded=published,
    )
    return RemoteVersion(canonical, line.vers, lines.without_mark(fields), published, (file,))


def _at_home(deps: Raw, source: _Source) -> Raw:
    """A dependency on the very registry that is read is one on ours, which stands in for it."""
    found = msgspec.json.decode(deps, type=list[dict[str, Any]])
    for each in found:
        if each.get("registry") == f"sparse+{source.base}":
            each["registry"] = None
    return Raw(msgspec.json.encode(found))


def _draft(package: PackageKey, remote: Remote, version: RemoteVersion, files: Mapping[str, Staged | Blob]) -> Draft:
    line = msgspec.json.decode(version.native, type=_Line)
    offers = {file.name: file for file in version.files}
    contents = archive.Contents()
    for staged in files.values():
        if isinstance(staged, Staged):
            with staged.open() as file:
                contents = archive.look(file, line.name, line.vers)
    shown = [Dependency(None, each.package or each.name, each.kind or "normal", each.req) for each in line.deps]
    return Draft(
        key=VersionKey(package, version.version),
        display=version.display,
        native=version.native,
        facts=manifest.shown_as(line.name, contents.package, contents.readme, shown),
        assets=tuple(
            DraftAsset(name, staged, offers[name].native if name in offers else lines.FOREIGN, version.published)
            for name, staged in files.items()
            if isinstance(staged, Staged)
        ),
        published=version.published,
    )
