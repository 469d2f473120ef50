"""How registries of gems are read: `info/NAME` of the compact index; where there is none, the dependencies API.

The gems lie at `gems/` below the registry's root, perhaps behind a redirect; credentials go to its own origin only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from protocols.ruby import gemfile, gemspec, offered
from protocols.ruby.gemfile import Gem
from protocols.ruby.names import readings
from protocols.ruby.native import encode, file_facts, of_spec
from registry.core.errors import UpstreamUnavailable
from registry.core.ports import Http, HttpReply
from registry.core.types import (
    Absent,
    Blob,
    Draft,
    DraftAsset,
    Facts,
    NotModified,
    PackageKey,
    Remote,
    RemoteFile,
    RemoteVersion,
    Staged,
    VersionKey,
)

T = TypeVar("T")

_LIMIT = 64 * 1024**2
_SMALL = 64 * 1024
_GONE = (404, 410)
_MOST_KNOWN = 1024


class RubyFetcher:
    """Implements registry.core.ports.Fetcher."""

    def __init__(self) -> None:
        self._compact: set[str] = set()
        """Registries that have answered with a page of a compact index: what that lacks, they have not."""

    async def listing(
        self, http: Http, package: PackageKey, validators: Mapping[str, str]
    ) -> Remote | NotModified | Absent:
        """One conditional GET; a second one where it is not known whether the registry has a compact index."""
        async with http.get(f"info/{package.name}", {**validators, "Accept": "text/plain"}) as reply:
            if reply.status == 304 and validators:
                return NotModified()
            if reply.status == 200:
                found = await self._page(http, reply, package)
                self._remember(http.base)
                return found
            if reply.status not in _GONE:
                raise UpstreamUnavailable(f"The compact index answered {reply.status} for {package.name}")
        if http.base in self._compact:
            return Absent()
        return await self._dependencies(http, package)

    def _remember(self, base: str) -> None:
        if len(self._compact) < _MOST_KNOWN:
            self._compact.add(base)

    async def _page(self, http: Http, reply: HttpReply, package: PackageKey) -> Remote:
        etag, modified = reply.headers.get("ETag"), reply.headers.get("Last-Modified")
        kept = {"If-None-Match": etag} if etag else {"If-Modified-Since": modified} if modified else {}
        body = await reply.body(_LIMIT)
        try:
            return await _off_loop(len(body), lambda: _from_info(package.name, body, http.base, kept))
        except ValueError as err:
            raise UpstreamUnavailable(f"The compact index could not be understood for {package.name}: {err}") from None

    async def _dependencies(self, http: Http, package: PackageKey) -> Remote | Absent:
        async with http.get(f"api/v1/dependencies?gems={package.name}", {"Accept": "*/*"}) as reply:
            if reply.status in _GONE:
                return Absent()
            if reply.status != 200:
                raise UpstreamUnavailable(f"The dependencies API answered {reply.status} for {package.name}")
            body = await reply.body(_LIMIT)
        try:
            offers = await _off_loop(len(body), lambda: offered.from_dependencies(body, package.name))
        except ValueError as err:
            raise UpstreamUnavailable(
                f"The dependencies API could not be understood for {package.name}: {err}"
            ) from None
        return offered.remote(package.name, offers, http.base, {}) if offers else Absent()

    async def draft(
        self, package: PackageKey, remote: Remote, version: RemoteVersion, files: Mapping[str, Staged | Blob]
    ) -> Draft:
        """What the index says stays as it is; the specification comes from the gem itself, read off the loop."""
        staged = {name: file for name, file in files.items() if isinstance(file, Staged)}
        return await asyncio.to_thread(_draft, package, version, staged)

    def companions(self, version: RemoteVersion, asset: str) -> Sequence[RemoteFile]:
        """Each platform's gem is fetched when it is wanted."""
        return ()


async def _off_loop(size: int, work: Callable[[], T]) -> T:
    return work() if size < _SMALL else await asyncio.to_thread(work)


def _from_info(name: str, body: bytes, base: str, validators: dict[str, str]) -> Remote:
    return offered.remote(name, offered.from_info(body), base, validators)


def _draft(package: PackageKey, version: RemoteVersion, staged: Mapping[str, Staged]) -> Draft:
    offers = {file.name: file for file in version.files}
    assets = []
    facts = Facts(display=package.name)
    for name, file in staged.items():
        offer = offers.get(name)
        native = offer.native if offer is not None else b""
        gem = _read(package, version.version, name, file)
        if gem is not None:
            facts = gemspec.facts(gem.spec, gem.readme)
            native = _told(native, gem)
        uploaded = offer.uploaded if offer is not None else None
        assets.append(DraftAsset(name, file, native, uploaded or version.published))
    return Draft(
        key=VersionKey(package, version.version),
        display=version.display,
        native=b"",
        facts=facts,
        assets=tuple(assets),
        exists="add",
        published=version.published,
    )


def _told(native: bytes, gem: Gem) -> bytes:
    """The index's own words, so that its line does not change once the gem is here, with the gem's specification."""
    own = of_spec(gem.spec)
    if not native:
        return encode(own)
    told = file_facts(native)
    return encode(type(told)(told.platform, told.needs, told.ruby, told.rubygems, own.spec))


def _read(package: PackageKey, version: str, name: str, file: Staged) -> Gem | None:
    """What we could not accept from a publisher we still keep from a registry: its digest was verified."""
    try:
        with file.open() as body:
            gem = gemfile.read(body, file.size, lenient=True)
    except ValueError:
        return None
    same = any(each.full == gem.spec.full for each in readings(name))
    return gem if same and (gem.spec.name, gem.spec.version) == (package.name, version) else None
