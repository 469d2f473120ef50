"""A program that writes and says so, until it is killed: `python -m tests.storage.crashing DIRECTORY NAME`.

It prints the number of each unit of work after it was acknowledged.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from registry.core.placing import claim_all, storing
from registry.core.types import Asset, DomainKey, Facts
from storage.blobs.filesystem import FileBlobs
from storage.metadata.sqlite import SQLiteStore
from tests.contracts import make


async def main(directory: Path, name: str) -> None:
    store, files = SQLiteStore(directory / "packyard.db"), FileBlobs(directory / "blobs")
    await store.open()
    await files.open()
    domain = await store.read(lambda tx: tx.domains.get(DomainKey(make.OWNER, "dom")))
    assert domain is not None
    repo = await store.read(lambda tx: tx.repositories.get(domain.id, "repo"))
    assert repo is not None
    blobs = files.of(domain.id)

    async def publish(number: int) -> None:
        async def work(tx, claims):  # type: ignore[no-untyped-def]
            (blob,) = await claim_all(tx, claims, make.NOW)
            package = await make.touched(tx, repo, make.npm(f"{name}{number}"))
            await tx.versions.add(make.version(package, "1.0.0", Asset("file", blob)), Facts())

        async with blobs.stage() as staging:
            await staging.write(f"{name} {number}".encode() * 50)
            await storing(store, blobs, domain.id, [await staging.done()], work)
        print(number, flush=True)

    async def publisher(start: int) -> None:
        for number in range(start, 1_000_000, 8):
            await publish(number)

    await asyncio.gather(*[publisher(start) for start in range(8)])


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
