"""A publish whose files are placed while the rest of it is still being read.

    async with view.early(package, [staged], version="1.0.0") as early:
        draft = ...                                      # what is in the archive, what the form says
        published = await view.publish(draft, early=early)

Rights come first, so nobody who may not publish has anything written.  Whatever is not published in the end is dropped.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType

from registry.core import origin, rights
from registry.core.errors import RegistryError
from registry.core.placing import peek
from registry.core.ports import BlobStore, Tx
from registry.core.services import Services
from registry.core.types import Blob, Caller, FormatInfo, PackageKey, PackageRow, Repository, Staged, Version


@dataclass(frozen=True, slots=True)
class Publisher:
    """Who publishes which package where."""

    services: Services
    repository: Repository
    info: FormatInfo
    caller: Caller
    context: Mapping[str, str]
    package: PackageKey

    async def authorize(self, tx: Tx) -> None:
        """Raises AccessDenied, ResourceNotFound."""
        await rights.require_publish(
            tx,
            self.services,
            repository=self.repository,
            info=self.info,
            caller=self.caller,
            package=self.package,
            context=self.context,
        )

    async def admitted(self, tx: Tx) -> PackageRow | None:
        """Rights first, then origin controls.  Raises AccessDenied, ResourceNotFound."""
        await self.authorize(tx)
        row = await tx.packages.get(self.repository.id, self.package)
        origin.require_publish(self.repository, self.package, row, await self.modes(tx))
        return row

    async def modes(self, tx: Tx) -> origin.Modes:
        """What the package's group says of the repository."""
        return await self.services.groups.modes(tx, self.repository, self.package)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look told before anything was placed: the package, the version, and rows with the files' bytes.

    `alone`: nothing is above the repository.
    """

    row: PackageRow | None
    held: Version | None
    blobs: tuple[Blob | None, ...]
    alone: bool


async def look(tx: Tx, publisher: Publisher, files: Sequence[Staged | Blob], version: str | None) -> Seen:
    """Raises AccessDenied, ResourceNotFound."""
    row = await publisher.admitted(tx)
    held = None if row is None or version is None else await tx.versions.get(row.id, version)
    alone = not publisher.info.upstreams or await publisher.services.resolver.alone(tx, publisher.repository)
    return Seen(row, held, await peek(tx, publisher.repository.domain_id, files), alone)


class Ahead:
    """Files that are being placed before it is certain that they are wanted."""

    def __init__(self, blobs: BlobStore, files: Sequence[Staged | Blob], rows: Sequence[Blob | None]) -> None:
        self._blobs = blobs
        self._keys: dict[str, Awaitable[str]] = {}
        for file, row in zip(files, rows, strict=True):
            if row is None and isinstance(file, Staged) and file.digests.sha256 not in self._keys:
                self._keys[file.digests.sha256] = blobs.place(file)

    def take(self, sha256: str) -> Awaitable[str] | None:
        """The key of one of the files, which is now the taker's to drop."""
        return self._keys.pop(sha256, None)

    async def drop(self) -> None:
        """Remove those that nobody took; what fails here is left to the sweep."""
        while self._keys:
            _, placing = self._keys.popitem()
            try:
                await self._blobs.delete(await placing)
            except RegistryError:
                continue


class Early:
    """See above.  `seen` and `ahead` are there while it is open."""

    seen: Seen
    ahead: Ahead

    def __init__(self, publisher: Publisher, files: Sequence[Staged | Blob], version: str | None) -> None:
        self.publisher = publisher
        self.files = tuple(files)
        self.version = version

    def covers(self, files: Sequence[Staged | Blob]) -> bool:
        """Are these the files that were looked for?"""
        return [each.digests.sha256 for each in files] == [each.digests.sha256 for each in self.files]

    async def __aenter__(self) -> Early:
        services, repository = self.publisher.services, self.publisher.repository
        self.seen = await services.store.glance(lambda tx: look(tx, self.publisher, self.files, self.version))
        self.ahead = Ahead(services.blobs(repository.domain_id), self.files, self.seen.blobs)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.ahead.drop()
