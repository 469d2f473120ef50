"""Rows and coordinates for the suites, as small as they can be."""

from __future__ import annotations

import hashlib
import secrets
from itertools import count
from typing import Any

from registry.core.ports import Tx
from registry.core.types import (
    Asset,
    Blob,
    Digests,
    Domain,
    DomainKey,
    Facts,
    Origin,
    PackageKey,
    PackageRow,
    RepoKey,
    Repository,
    Status,
    Version,
    VersionKey,
)

OWNER = "111122223333"
NOW = 1_700_000_000_000

_numbers = count(secrets.randbits(48))  # apart from those of other processes


class HandClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> int:
        return self.time


def domain(name: str = "dom", owner: str = OWNER) -> Domain:
    return Domain(next(_numbers), DomainKey(owner, name), NOW, "arn:key", 1)


def repository(of: Domain, name: str = "repo", **fields: Any) -> Repository:
    values = {"description": "", "administrator": of.key.owner, "created": NOW} | fields
    return Repository(next(_numbers), of.id, RepoKey(of.key, name), **values)


def digests(body: bytes) -> Digests:
    return Digests(*[hashlib.new(name, body).hexdigest() for name in ("md5", "sha1", "sha256", "sha512")])


def blob(body: bytes, nonce: int | None = None) -> Blob:
    found = digests(body)
    number = next(_numbers) if nonce is None else nonce
    return Blob(found, len(body), f"{found.sha256[:2]}/{found.sha256}.{number:016x}")


def npm(name: str = "left", namespace: str | None = None) -> PackageKey:
    return PackageKey("npm", namespace, name)


def version(package: PackageRow, text: str = "1.0.0", *assets: Asset, **fields: Any) -> Version:
    values: dict[str, Any] = {
        "status": Status.PUBLISHED,
        "revision": f"revision of {text}",
        "origin": Origin("INTERNAL", repository="repo"),
        "published": NOW,
        "sort": ".".join(f"{int(part):06}" for part in text.split(".")),
        "native": b"{}",
    } | fields
    return Version(next(_numbers), package.id, VersionKey(package.key, text), text, assets=assets, **values)


async def touched(tx: Tx, repo: Repository, key: PackageKey) -> PackageRow:
    """The package's row, made or grown."""
    return await tx.packages.touch(repo.id, key, display=key.name, publish="ALLOW", upstream="BLOCK", now=NOW)


async def published(tx: Tx, repo: Repository, key: PackageKey, text: str, *bodies: bytes, **fields: Any) -> Version:
    """A version with one asset per body, named for the body."""
    package = await touched(tx, repo, key)
    assets = []
    for body in bodies:
        row = await tx.blobs.claim(repo.domain_id, blob(body), NOW)
        assets.append(Asset(body.decode(), row, b"native of " + body, NOW))
    made = version(package, text, *assets, **fields)
    await tx.versions.add(made, Facts(display=text))
    return made
