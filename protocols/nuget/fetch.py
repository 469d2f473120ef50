"""Reading a V3 registry, another Packyard included: existence from its flat container, metadata from registrations.

Everything is found through the service index, whose resources may live on other hosts and are remembered for a while.
The flat container decides which versions there are; what its registrations do not know (yet) is offered with little
more than its version.  Package files carry no digest in most registrations: a file is compared with the hash of the
catalog leaf that its registration names, or, where there is none, inflated once against its own checksums.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from weakref import WeakKeyDictionary

import msgspec

from protocols.nuget import archive, contents, names, native, remote
from protocols.nuget.index import Resources, read_index
from registry.core.errors import UpstreamUnavailable
from registry.core.ports import Http
from registry.core.types import (
    Absent,
    Blob,
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

T = TypeVar("T")

MAX_INDEX = 4 * 1024**2
MAX_DOCUMENT = 64 * 1024**2
MAX_PAGES = 4096
MAX_REGISTRATION = 256 * 1024**2
"""Bytes of all pages together; what was read of them is held until the last one came."""
_TOGETHER = 6
_REMEMBERED = 600.0
"""Seconds for which a service index is believed; clients do so for forty minutes."""
_MOST_INDEXES = 256
_ENTRANCES = ("v3/index.json", "index.json")
_FLAT, _REGISTRATION = "flat ", "registration "
"""Before the validators of the two documents that a listing is made of."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """One document.  `body` None: not there; `same`: as it was."""

    body: bytes | None
    validators: Mapping[str, str]
    url: str = ""
    same: bool = False


class NuGetFetcher:
    """Implements registry.core.ports.Fetcher, Sidecars and Confirms."""

    def __init__(self) -> None:
        self._indexes: dict[str, tuple[float, Resources]] = {}
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Lock]] = WeakKeyDictionary()

    async def listing(
        self, http: Http, package: PackageKey, validators: Mapping[str, str]
    ) -> Remote | NotModified | Absent:
        resources = await self._resources(http)
        try:
            return await self._listing(http, resources, package, validators)
        except UpstreamUnavailable:
            # Resources move: the next question looks them up anew.
            self._indexes.pop(http.base, None)
            raise

    async def _listing(
        self, http: Http, resources: Resources, package: PackageKey, validators: Mapping[str, str]
    ) -> Remote | NotModified | Absent:
        flat = f"{resources.flat}{names.quoted(package)}/index.json" if resources.flat else ""
        registration = f"{resources.registration}{names.quoted(package)}/index.json" if resources.registration else ""
        versions, metadata = await _together(
            _get(http, flat, _picked(validators, _FLAT)), _get(http, registration, _picked(validators, _REGISTRATION))
        )
        if flat and versions.body is None and not versions.same:
            return Absent()
        if metadata.same and versions.same:
            return NotModified()
        if metadata.same and not flat:
            return NotModified()
        if versions.same:
            versions = await _get(http, flat, {})
            if versions.body is None:
                return Absent()
        if metadata.same:
            metadata = await _get(http, registration, {})
        found = await _leaves(http, metadata, lenient=bool(flat))
        listed = await asyncio.to_thread(remote.versions, versions.body) if flat and versions.body is not None else None
        seen = {
            **{f"{_FLAT}{name}": value for name, value in versions.validators.items()},
            **{f"{_REGISTRATION}{name}": value for name, value in metadata.validators.items()},
        }
        return await asyncio.to_thread(_assembled, package, resources, listed, found, seen)

    async def _resources(self, http: Http) -> Resources:
        """Asked for once, however many wait for it."""
        lock = self._locks.setdefault(asyncio.get_running_loop(), {}).setdefault(http.base, asyncio.Lock())
        async with lock:
            known = self._indexes.get(http.base)
            if known is None or time.monotonic() - known[0] >= _REMEMBERED:
                if len(self._indexes) >= _MOST_INDEXES:
                    self._indexes.clear()
                known = self._indexes[http.base] = (time.monotonic(), await self._looked_up(http))
            return known[1]

    async def _looked_up(self, http: Http) -> Resources:
        for entrance in _ENTRANCES:
            async with http.get(entrance, {"accept": "application/json"}) as reply:
                if reply.status != 200:
                    status = reply.status
                    continue
                body, url = await reply.body(MAX_INDEX), reply.url
            resources = read_index(body, url)
            if resources is not None:
                return resources
            status = 200
        raise UpstreamUnavailable(f"The external registry has no V3 service index (it answered {status})")

    async def confirm(self, http: Http, version: RemoteVersion, file: RemoteFile, staged: Staged) -> None:
        """It must be the package of that name; and have the hash of the registration or, failing that, of the catalog;
        without either, the archive's own checksums must be right."""
        declared = file.digests.get("sha512") or (await _declared(http, file.native.decode()) if file.native else None)
        if declared is not None and declared != staged.digests.sha512:
            raise UpstreamUnavailable(f"{file.name} does not have the hash that the registry's catalog declares for it")
        await asyncio.to_thread(_checked, staged, file.name, whole=declared is None)

    async def draft(
        self, package: PackageKey, remote: Remote, version: RemoteVersion, files: Mapping[str, Staged | Blob]
    ) -> Draft:
        return await asyncio.to_thread(_draft, package, version, files)

    def companions(self, version: RemoteVersion, asset: str) -> Sequence[RemoteFile]:
        return ()

    def sidecar(self, version: RemoteVersion, asset: str) -> RemoteFile | None:
        """The nuspec beside a package in the flat container, served but never kept."""
        for file in version.files:
            folder, _, name = file.url.rpartition("/")
            if asset.endswith(".nuspec") and name.endswith(".nupkg") and folder.count("/") > 3:
                return RemoteFile(asset, f"{folder}/{asset}", None, {})
        return None


async def _together(*work: Coroutine[None, None, T]) -> list[T]:
    """All of them at once; the first that fails ends the others."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


async def _get(http: Http, url: str, validators: Mapping[str, str]) -> _Answer:
    """One JSON document.  Raises UpstreamUnavailable for any answer but 200, 204, 304, 404 and 410."""
    if not url:
        return _Answer(None, {})
    async with http.get(url, {"accept": "application/json", **validators}) as reply:
        if reply.status == 304 and validators:
            return _Answer(None, validators, reply.url, same=True)
        if reply.status in (204, 404, 410):
            return _Answer(None, {})
        if reply.status != 200:
            raise UpstreamUnavailable(f"The external registry answered {reply.status} for a package's document")
        return _Answer(await reply.body(MAX_DOCUMENT), answers.validators(reply.headers), reply.url)


def _picked(validators: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {name.removeprefix(prefix): value for name, value in validators.items() if name.startswith(prefix)}


async def _leaves(http: Http, metadata: _Answer, *, lenient: bool) -> dict[str, remote.Leaf]:
    """Every leaf by canonical version; pages that are not in the index are fetched a few at a time."""
    if metadata.body is None:
        return {}
    found, pages = await asyncio.to_thread(remote.registration, metadata.body, metadata.url)
    if len(pages) > MAX_PAGES:
        raise UpstreamUnavailable(f"The external registry's registration has more than {MAX_PAGES} pages")
    gate = asyncio.Semaphore(_TOGETHER)
    size = 0

    async def one(url: str) -> dict[str, remote.Leaf]:
        nonlocal size
        async with gate:
            answer = await _get(http, url, {})
            if answer.body is None:
                if lenient:  # its versions are known from the flat container all the same
                    return {}
                raise UpstreamUnavailable("The external registry names a page of a registration that it does not have")
            size += len(answer.body)
            if size > MAX_REGISTRATION:
                raise UpstreamUnavailable(
                    f"The external registry's registration has more than {MAX_REGISTRATION} bytes"
                )
            return await asyncio.to_thread(remote.page, answer.body, answer.url)

    for each in await _together(*map(one, pages)):
        found.update(each)
    return found


def _assembled(
    package: PackageKey,
    resources: Resources,
    listed: Mapping[str, str] | None,
    leaves: Mapping[str, remote.Leaf],
    validators: Mapping[str, str],
) -> Remote | Absent:
    """The listing.  `listed`: canonical version -> the spelling in the flat container, which decides where known."""
    spelled = listed if listed is not None else dict.fromkeys(leaves, "")
    versions = []
    display = package.name
    for version, path in spelled.items():
        leaf = leaves.get(version) or remote.bare(package, path or version)
        url = leaf.content
        if path:
            quoted = names.quoted(package)
            url = f"{resources.flat}{quoted}/{path}/{quoted}.{path}.nupkg"
        if not url.startswith(("https://", "http://")):
            continue
        digests = {"sha512": leaf.sha512} if leaf.sha512 else {}
        proof = b"" if leaf.sha512 else leaf.catalog.encode()
        file = RemoteFile(names.asset(package, version), url, None, digests, native=proof, uploaded=leaf.published)
        versions.append(RemoteVersion(version, leaf.display, leaf.native, leaf.published, (file,)))
        display = leaf.id or display
    return Remote(display, tuple(versions), {}, dict(validators)) if versions else Absent()


class _Catalog(msgspec.Struct):
    packageHash: str = ""
    packageHashAlgorithm: str = "SHA512"


async def _declared(http: Http, url: str) -> str | None:
    """The SHA-512 of a catalog leaf, lower-case hex; None where the registry has no such leaf or does not say."""
    try:
        answer = await _get(http, url, {})
        leaf = msgspec.json.decode(answer.body or b"{}", type=_Catalog)
        digest = base64.b64decode(leaf.packageHash, validate=True)
    except (UpstreamUnavailable, msgspec.DecodeError, binascii.Error, ValueError):
        return None
    return digest.hex() if leaf.packageHashAlgorithm.upper() == "SHA512" and len(digest) == 64 else None


def _checked(staged: Staged, name: str, *, whole: bool) -> None:
    """Raises UpstreamUnavailable for what is not the package of that name; `whole` looks at every byte of it."""
    try:
        with staged.open() as file:
            found = contents.inspect(file, strict=False)
            if whole:
                with archive.opened(file, strict=False) as package:
                    package.verify()
    except ValueError as err:
        raise UpstreamUnavailable(f"{name} is damaged: {err}") from None
    if names.asset(found.package, found.version) != name:
        raise UpstreamUnavailable(f"{name} is of {found.spec.id[:100]} {found.version}")


def _draft(package: PackageKey, version: RemoteVersion, files: Mapping[str, Staged | Blob]) -> Draft:
    """As the package file itself says, with what only its registry can say: unlisted, deprecated, vulnerable."""
    name = names.asset(package, version.version)
    staged = files.get(name)
    if not isinstance(staged, Staged):
        raise UpstreamUnavailable(f"{name} was not fetched")
    try:
        with staged.open() as file:
            found = contents.inspect(file, strict=False)
    except ValueError as err:
        raise UpstreamUnavailable(f"{name} is not a package: {err}") from None
    told = native.fields(version.native)
    entry = contents.entry(found, staged.digests, staged.size)
    entry |= {name: told[name] for name in remote.JUDGED if name in told}
    kept = native.unpack(version.native)
    packed = native.pack(entry, semver2=found.spec.semver2, unlisted=kept.unlisted)
    return Draft(
        key=VersionKey(package, version.version),
        display=found.spec.version.normal,
        native=packed,
        facts=contents.facts(found),
        assets=(DraftAsset(name, staged, uploaded=version.published),),
        published=version.published,
    )
