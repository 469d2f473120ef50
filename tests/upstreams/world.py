"""A domain with real storage around a resolver, and a public registry on a wire."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry.config import UpstreamsConfig
from registry.core.arns import Arns
from registry.core.clock import new_id
from registry.core.errors import RegistryError
from registry.core.placing import Claims, claim_all, storing
from registry.core.ports import Content, Fetcher, Resolver, Tx
from registry.core.services import Services
from registry.core.types import (
    Asset,
    Control,
    Domain,
    DomainKey,
    Facts,
    FormatInfo,
    Origin,
    PackageKey,
    Quotas,
    RepoKey,
    Repository,
    Status,
    Version,
    VersionKey,
)
from registry.core.writing import Arriving, Place, insert
from storage.blobs.filesystem import FileBlobs
from storage.metadata.sqlite import SQLiteStore
from tests.upstreams.tiny import MANY, TINY, NotedFetcher, TinyFetcher
from tests.upstreams.wire import Answer, Wire
from upstreams.connections import Connection
from upstreams.resolver import UpstreamResolver

DOMAIN = DomainKey("111122223333", "dom")
SETTINGS = UpstreamsConfig(connect_timeout=2, read_timeout=2)


class Clock:
    """Stands still unless told otherwise."""

    def __init__(self) -> None:
        self.time = 1_700_000_000_000

    def now(self) -> int:
        return self.time

    def pass_seconds(self, seconds: float) -> None:
        self.time += int(seconds * 1000)


def package(name: str = "pack", format: str = "tiny") -> PackageKey:
    return PackageKey(format, None, name)


def key(version: str = "1.0", name: str = "pack", format: str = "tiny") -> VersionKey:
    return VersionKey(package(name, format), version)


async def whole(content: Content, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in content.read(start, end)])


@dataclass
class World:
    """Everything a test needs."""

    services: Services
    resolver: UpstreamResolver
    clock: Clock
    wire: Wire
    store: SQLiteStore
    domain: Domain
    repositories: dict[str, Repository]

    async def repository(self, name: str, upstreams: Sequence[str] = (), connection: str | None = None) -> Repository:
        repo = Repository(
            new_id(self.clock.now()), self.domain.id, RepoKey(DOMAIN, name), "", DOMAIN.owner, self.clock.now()
        )

        async def work(tx: Tx) -> None:
            await tx.repositories.add(repo)
            await tx.repositories.set_upstreams(repo.id, [self.repositories[each].id for each in upstreams])
            await tx.repositories.connect(repo.id, connection)

        await self.store.write(work)
        self.repositories[name] = repo
        return repo

    async def publish(
        self,
        repo: str,
        version: str,
        files: Mapping[str, bytes],
        *,
        format: str = "tiny",
        name: str = "pack",
        status: Status = Status.PUBLISHED,
        origin: Origin | None = None,
        controls: tuple[Control, Control] = ("ALLOW", "ALLOW"),
        tags: Mapping[str, str] | None = None,
        mark: bytes = b"",
    ) -> Version:
        """Put a version into a repository, as a publisher (or whoever `origin` says) would have."""
        blobs = self.services.blobs(self.domain.id)
        where = self.repositories[repo]
        assets = []
        for asset_name, body in files.items():
            async with blobs.stage() as staging:
                await staging.write(body)
                staged = await staging.done()

                async def claim(tx: Tx, claims: Claims) -> Any:
                    return await claim_all(tx, claims, self.clock.now())

                (blob,) = await storing(self.store, blobs, self.domain.id, [staged], claim)
            assets.append(Asset(asset_name, blob, mark, self.clock.now()))

        async def work(tx: Tx) -> Version:
            now = self.clock.now()
            publish, upstream = controls
            row = await tx.packages.touch(
                where.id, package(name, format), display=name, publish=publish, upstream=upstream, now=now
            )
            for tag, target in (tags or {}).items():
                await tx.packages.set_tag(row.id, tag, target)
            info = self.services.formats[format]
            arriving = Arriving(
                key=key(version, name, format),
                display=version,
                status=status,
                origin=origin or Origin("INTERNAL", repository=repo),
                published=now,
                sort=info.sort(version),
                native=b"",
                facts=Facts(),
                assets=tuple(assets),
            )
            return await insert(Place(tx, where, row, now), arriving)

        return await self.store.write(work)

    def offer(
        self, document: Mapping[str, Any], files: Mapping[str, bytes] | None = None, *, name: str = "pack"
    ) -> None:
        """Have the public registry list this, with an ETag, and serve these files."""
        body = json.dumps(document).encode()
        etag = f'"{hash(body)}"'

        def listing(asked: Any) -> Answer:
            if asked.headers.get("if-none-match") == etag:
                return Answer(304, headers={"ETag": etag})
            return Answer(200, body, {"ETag": etag, "Content-Type": "application/json"})

        self.wire.answers[f"/{name}"] = listing
        for file, content in (files or {}).items():
            self.wire.answers[f"/files/{file}"] = Answer(200, content, {"Content-Type": "application/octet-stream"})

    async def fetched(
        self, repo: str, version: str = "1.0", asset: str = "a.bin", *, format: str = "tiny", name: str = "pack"
    ) -> bytes:
        """Open an asset and read it whole."""
        content = await self.resolver.open(self.repositories[repo], key(version, name, format), asset)
        body = await whole(content)
        await self.resolver.idle()
        return body

    async def refused(
        self, repo: str, version: str = "1.0", asset: str = "a.bin", *, format: str = "tiny", name: str = "pack"
    ) -> RegistryError:
        """The error of opening or reading an asset."""
        try:
            await self.fetched(repo, version, asset, format=format, name=name)
        except RegistryError as err:
            await self.resolver.idle()
            return err
        raise AssertionError("it was served")

    async def held(self, repo: str, *, format: str = "tiny", name: str = "pack") -> dict[str, list[str]]:
        """version -> asset names, of what the repository has stored."""

        async def work(tx: Tx) -> dict[str, list[str]]:
            row = await tx.packages.get(self.repositories[repo].id, package(name, format))
            versions = await tx.versions.of([row.id]) if row is not None else []
            return {each.key.version: [asset.name for asset in each.assets] for each in versions}

        return await self.store.read(work)

    async def listed(self, repo: str, *, format: str = "tiny", name: str = "pack") -> list[str]:
        listing = await self.resolver.listing(self.repositories[repo], package(name, format))
        return [each.version for each in listing.versions]


@asynccontextmanager
async def world_at(
    directory: Path,
    wire: Wire,
    *,
    settings: UpstreamsConfig = SETTINGS,
    quotas: Quotas | None = None,
    fetchers: Mapping[str, Fetcher] | None = None,
) -> AsyncIterator[World]:
    """A world whose files lie in `directory`."""
    clock = Clock()
    store = SQLiteStore(directory / "packyard.db")
    await store.open()
    blobs = FileBlobs(directory / "blobs")
    await blobs.open()
    formats: dict[str, FormatInfo] = {"tiny": TINY, "many": MANY}
    connections = {
        f"public:{format}": Connection(f"public:{format}", format, wire.base, "Basic c2VjcmV0") for format in formats
    }
    resolver = UpstreamResolver(
        connections=connections,
        fetchers=fetchers or {"tiny": TinyFetcher(), "many": NotedFetcher()},
        settings=settings,
    )
    as_port: Resolver = resolver
    services = Services(
        store=store,
        blobs=blobs.of,
        resolver=as_port,
        clock=clock,
        arns=Arns("us-west-2"),
        formats=formats,
        quotas=quotas or Quotas(),
        connections=resolver.formats,
    )
    resolver.attach(services)
    domain = Domain(new_id(clock.now()), DOMAIN, clock.now(), "", 1)
    await store.write(lambda tx: tx.domains.add(domain))
    try:
        async with resolver:
            yield World(services, resolver, clock, wire, store, domain, {})
    finally:
        await blobs.close()
        await store.close()
