"""A registry without wires: the real store, real files, and upstreams that a test declares."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from registry.core import publishing, repositories
from registry.core.arns import Arns
from registry.core.errors import UpstreamUnavailable
from registry.core.ports import Content, Tx
from registry.core.publishing import Published
from registry.core.services import Services
from registry.core.types import (
    Caller,
    Digests,
    DomainKey,
    Draft,
    DraftAsset,
    Event,
    Facts,
    FormatInfo,
    Listing,
    Origin,
    PackageKey,
    PackageRow,
    Quotas,
    RepoKey,
    Repository,
    Stamp,
    User,
    Version,
    VersionKey,
)
from registry.core.view import RepoView
from storage.blobs.filesystem import FileBlobs
from storage.metadata.sqlite import SQLiteStore

ACCOUNT = "111122223333"
DOMAIN = DomainKey(ACCOUNT, "dom")
ALL = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'


def _numbers(version: str) -> str:
    return ".".join(part.zfill(6) for part in version.split("."))


def _spelled(version: str) -> str:
    if not version or version.startswith("bad"):
        raise ValueError(f"'{version}' is not a version")
    return version.lower()


def _names(namespace: str | None, name: str) -> tuple[str | None, str]:
    return namespace, name


SINGLE = FormatInfo("npm", _names, _spelled, _numbers, tag_latest="latest")
GROWING = FormatInfo("pypi", _names, _spelled, _numbers, grows=True, merges_files=True)
GENERIC = FormatInfo("generic", _names, _spelled, _numbers, namespace_required=True, upstreams=False)

EXTERNAL = Origin("EXTERNAL", connection="public:npmjs")


class Clock:
    """Every look is a millisecond later."""

    def __init__(self) -> None:
        self.time = 1_700_000_000_000

    def now(self) -> int:
        self.time += 1
        return self.time


@dataclass
class Above:
    """What a test says of the world above its repositories; keeps what it was asked."""

    reach: dict[VersionKey, str] = field(default_factory=dict)
    holders: dict[VersionKey, Repository] = field(default_factory=dict)
    listings: dict[PackageKey, Listing | UpstreamUnavailable] = field(default_factory=dict)
    asked: list[tuple[str, object]] = field(default_factory=list)

    async def listing(self, repo: Repository, package: PackageKey) -> Listing:
        self.asked.append(("listing", package))
        listing = self.listings.get(package, Listing(package, package.name, (), (), {}, Stamp(1)))
        if isinstance(listing, UpstreamUnavailable):
            raise listing
        return listing

    async def stamp(self, repo: Repository, package: PackageKey) -> Stamp:
        self.asked.append(("stamp", package))
        return Stamp(1)

    async def open(self, repo: Repository, key: VersionKey, asset: str, *, retain: bool = True) -> Content:
        self.asked.append(("open", (key, asset, retain)))
        return None  # type: ignore[return-value]

    async def alone(self, tx: Tx, repo: Repository) -> bool:
        return False

    async def reachable(self, repo: Repository, key: VersionKey) -> str | None:
        self.asked.append(("reachable", key))
        return self.reach.get(key)

    async def secure(self, repo: Repository, key: VersionKey) -> Repository | None:
        self.asked.append(("secure", key))
        return self.holders.get(key)

    async def search(
        self, repo: Repository, format: str, text: str, after: tuple[str, str] | None, limit: int
    ) -> Sequence[PackageRow]:
        self.asked.append(("search", (format, text, after, limit)))
        return ()


def package(name: str = "left-pad", info: FormatInfo = SINGLE, namespace: str | None = None) -> PackageKey:
    return PackageKey(info.name, namespace, name)


@dataclass
class House:
    """One domain `dom` with the repositories that a test makes."""

    services: Services
    store: SQLiteStore
    files: FileBlobs
    above: Above
    clock: Clock
    admin: Caller

    async def repo(self, name: str = "repo", **options: object) -> Repository:
        key = RepoKey(DOMAIN, name)
        upstreams = options.get("upstreams", ())
        assert isinstance(upstreams, Sequence)
        await self.store.write(
            lambda tx: repositories.create_repository(
                tx, self.services, key, description="", upstreams=upstreams, administrator=ACCOUNT, tags={}
            )
        )
        return await self.store.read(lambda tx: repositories.repository(tx, key))

    async def user(self, name: str, statements: Sequence[Mapping[str, object]]) -> Caller:
        """Somebody who may do what the statements say."""
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        return await add_user(self.store, name, document)

    def view(self, repo: Repository, info: FormatInfo = SINGLE, caller: Caller | None = None) -> RepoView:
        return RepoView(self.services, caller or self.admin, repo, info)

    async def publish(
        self,
        repo: Repository,
        version: str = "1.0.0",
        files: Mapping[str, bytes] | None = None,
        *,
        info: FormatInfo = SINGLE,
        key: PackageKey | None = None,
        caller: Caller | None = None,
        native: bytes = b"{}",
        facts: Facts | None = None,
        tags: Mapping[str, str] | None = None,
        finish: bool = True,
        exists: str | None = None,
    ) -> Published:
        """Publish as a client would: stage, then publish through the view."""
        view = self.view(repo, info, caller)
        async with self.drafted(
            repo,
            version,
            files,
            info=info,
            key=key,
            native=native,
            facts=facts,
            tags=tags,
            finish=finish,
            exists=exists,
        ) as draft:
            return await view.publish(draft)

    async def retain(
        self,
        targets: Sequence[Repository],
        version: str = "1.0.0",
        files: Mapping[str, bytes] | None = None,
        *,
        info: FormatInfo = SINGLE,
        key: PackageKey | None = None,
        native: bytes = b"{}",
        facts: Facts | None = None,
        origin: Origin = EXTERNAL,
    ) -> tuple[Version, ...]:
        """Retain as a fetch through a connection would."""
        async with self.drafted(targets[0], version, files, info=info, key=key, native=native, facts=facts) as draft:
            return await publishing.retain(self.services, info=info, targets=targets, draft=draft, origin=origin)

    @asynccontextmanager
    async def drafted(
        self,
        repo: Repository,
        version: str = "1.0.0",
        files: Mapping[str, bytes] | None = None,
        *,
        info: FormatInfo = SINGLE,
        key: PackageKey | None = None,
        native: bytes = b"{}",
        facts: Facts | None = None,
        tags: Mapping[str, str] | None = None,
        finish: bool = True,
        exists: str | None = None,
    ) -> AsyncIterator[Draft]:
        files = {"package.tgz": version.encode()} if files is None else files
        async with staging(self, repo.domain_id, files) as assets:
            yield Draft(
                key=VersionKey(key or package(info=info), version),
                display=version,
                native=native,
                facts=facts or Facts(summary="pads"),
                assets=assets,
                tags=tags or {},
                finish=finish,
                exists="add" if exists == "add" or (exists is None and info is not SINGLE) else "conflict",
            )

    async def row(self, repo: Repository, key: PackageKey | None = None) -> PackageRow | None:
        return await self.store.read(lambda tx: tx.packages.get(repo.id, key or package()))

    async def held(self, repo: Repository, version: str = "1.0.0", key: PackageKey | None = None) -> Version | None:
        async def work(tx: Tx) -> Version | None:
            row = await tx.packages.get(repo.id, key or package())
            return None if row is None else await tx.versions.get(row.id, version)

        return await self.store.read(work)

    async def tags(self, repo: Repository, key: PackageKey | None = None) -> dict[str, str]:
        row = await self.row(repo, key)
        assert row is not None
        return (await self.store.read(lambda tx: tx.packages.tags([row.id]))).get(row.id, {})

    async def events(self) -> list[Event]:
        return await self.store.read(lambda tx: tx.outbox.take(0, 1000))

    async def told(self) -> list[tuple[object, ...]]:
        """The events so far: repository, version, operation, state."""
        return [
            (
                e.detail["repositoryName"],
                e.detail["packageVersion"],
                e.detail["operationType"],
                e.detail["packageVersionState"],
            )
            for e in await self.events()
        ]

    async def stored_files(self, repo: Repository) -> int:
        return len([stat async for stat in self.files.of(repo.domain_id).walk()])


@asynccontextmanager
async def staging(house: House, domain_id: int, files: Mapping[str, bytes]) -> AsyncIterator[tuple[DraftAsset, ...]]:
    """Files as they lie in staging while a request is handled."""
    async with AsyncExitStack() as stack:
        assets = []
        for name, content in files.items():
            arriving = await stack.enter_async_context(house.services.blobs(domain_id).stage())
            await arriving.write(content)
            assets.append(DraftAsset(name, await arriving.done(), native=b"file " + name.encode()))
        yield tuple(assets)


async def add_user(store: SQLiteStore, name: str, document: str) -> Caller:
    async def work(tx: Tx) -> None:
        await tx.identity.add_user(User(ACCOUNT, name, "/", f"AIDA{name.upper()}", 1))
        await tx.identity.put_policy(ACCOUNT, name, "inline", document)

    await store.write(work)
    return Caller(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/{name}", f"AIDA{name.upper()}", name)


@asynccontextmanager
async def opened(root: Path, quotas: Quotas | None = None) -> AsyncIterator[House]:
    """A house with the domain `dom` and an administrator, closed at the end."""
    store, files, clock, above = SQLiteStore(root / "packyard.db"), FileBlobs(root / "blobs"), Clock(), Above()
    await store.open()
    await files.open()
    try:
        services = Services(
            store=store,
            blobs=files.of,
            resolver=above,
            clock=clock,
            arns=Arns("us-west-2"),
            formats={info.name: info for info in (SINGLE, GROWING, GENERIC)},
            quotas=quotas or Quotas(),
            connections={"public:npmjs": "npm", "public:pypi": "pypi"},
            page_key=b"key",
        )
        await store.write(lambda tx: tx.identity.add_account(ACCOUNT, 1))
        admin = await add_user(store, "admin", ALL)
        await store.write(lambda tx: repositories.create_domain(tx, services, DOMAIN, encryption_key=None, tags={}))
        yield House(services, store, files, above, clock, admin)
    finally:
        await files.close()
        await store.close()


def digests(seed: str) -> Digests:
    """Some digests that belong to no file."""
    return Digests(seed * 32, seed * 40, seed * 64, seed * 128)
