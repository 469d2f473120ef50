"""Whole versions along a search: where one is, and having it brought with all its files."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from registry.core.errors import ResourceNotFound, UpstreamUnavailable
from registry.core.ports import Asking
from registry.core.services import Services
from registry.core.types import FormatInfo, Hop, Repository, VersionKey
from upstreams.assets import Assets, Wanted
from upstreams.external import External
from upstreams.flights import Following
from upstreams.merge import Gate
from upstreams.survey import Surveys


class Versions:
    """Finds versions."""

    def __init__(self, services: Services, surveys: Surveys, external: External, assets: Assets) -> None:
        self._services = services
        self._surveys = surveys
        self._external = external
        self._assets = assets

    async def reachable(self, repo: Repository, key: VersionKey) -> str | None:
        """Where above this repository the version is."""
        seen = await self._services.store.glance(lambda tx: self._surveys.of_version(tx, repo, key))
        for step, hop in seen.hops():
            version = seen.held.get(step.id)
            if version is not None and step.parent is not None and seen.shows(step, version):
                return f"upstream:{hop.repository.key.name}"
            name = seen.asks(hop)
            if name is None or not self._external.concerns(name, key.package):
                continue
            try:
                known = await self._external.word(repo.domain_id, name, key.package, refresh=True)
            except UpstreamUnavailable:
                continue
            if known.version(key.version) is not None:
                return f"external:{name}"
        return None

    async def secure(self, repo: Repository, info: FormatInfo, key: VersionKey) -> Repository | None:
        """The first repository that holds the version, once it is whole there."""
        seen = await self._services.store.read(lambda tx: self._surveys.of_version(tx, repo, key))
        unasked: UpstreamUnavailable | None = None
        for step, hop in seen.hops():
            version = seen.held.get(step.id)
            if version is not None and seen.shows(step, version):
                return hop.repository
            name = seen.asks(hop)
            if name is None or not self._external.concerns(name, key.package):
                continue
            try:
                if await self._brought(hop, name, info, key):
                    return hop.repository
            except UpstreamUnavailable as err:
                unasked = unasked or err
        if unasked is not None:
            raise unasked
        return None

    async def _brought(self, hop: Hop, name: str, info: FormatInfo, key: VersionKey) -> bool:
        """Every file of the version, as the registry lists it, into the repository with the connection."""
        asking = self._external.asking(key.package.format)
        if asking is not None:
            return await self._brought_by_name(hop, info, key, asking)
        for refresh in (False, True):
            known = await self._external.word(hop.repository.domain_id, name, key.package, refresh=refresh)
            remote = known.version(key.version)
            if remote is not None:
                for file in remote.files:
                    await self.bring(hop.repository, info, key, file.name)
                return True
        if known.stale:
            raise UpstreamUnavailable(f"The external registry {name} could not be asked for version {key.version}")
        return False

    async def _brought_by_name(self, hop: Hop, info: FormatInfo, key: VersionKey, asking: Asking) -> bool:
        """Every file that it is likely to have."""
        found = False
        for name in asking.usual(key, b""):
            with contextlib.suppress(ResourceNotFound):
                await self.bring(hop.repository, info, key, name)
                found = True
        return found

    async def missing(self, repo: Repository, info: FormatInfo, key: VersionKey, asset: str) -> Sequence[str]:
        """Companions of an asset that the repository does not have yet."""
        seen = await self._services.store.read(lambda tx: self._surveys.of_version(tx, repo, key))
        held = seen.held.get(repo.id)
        if held is None or not Gate.of(info, held, repo).open:
            return ()
        there = {each.name for each in held.assets}
        asking = self._external.asking(key.package.format)
        if asking is not None:
            return [each for each in asking.usual(key, held.native) if each not in there]
        for name in seen.connections():
            if name == held.origin.connection and self._external.concerns(name, key.package):
                remote = (await self._external.word(repo.domain_id, name, key.package)).version(key.version)
                companions = self._external.fetcher(key.package.format).companions
                return [each.name for each in companions(remote, asset) if each.name not in there] if remote else ()
        return ()

    async def bring(self, repo: Repository, info: FormatInfo, key: VersionKey, asset: str) -> None:
        """Have an asset retained here, and wait until it is.  Raises what its flight failed with."""
        content = await self._assets.open(Wanted(repo, info, key, asset, alone=True))
        if isinstance(content, Following):
            await content.flight.landed()
