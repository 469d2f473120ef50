"""How Maven's registries are read: files by their names, versions out of `maven-metadata.xml`.

Nothing there lists the files of a version, and some versions are in no metadata (markers of Gradle's plug-ins), so
that a file is asked for whatever the metadata says.  Snapshots are never fetched from outside (guide, "Snapshots and
external connections").
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from urllib.parse import quote

from protocols.maven import metadata, pom
from protocols.maven.files import draft_asset
from protocols.maven.names import METADATA, build_of, canonical_version, folder_of, is_snapshot
from protocols.maven.plugins import entries
from protocols.maven.xmltext import LIMIT
from registry.core.errors import UpstreamUnavailable
from registry.core.ports import Http, HttpReply
from registry.core.types import (
    Absent,
    Blob,
    Draft,
    Facts,
    NotModified,
    PackageKey,
    Remote,
    RemoteFile,
    RemoteVersion,
    Staged,
    VersionKey,
)

_SAFE = "-._~!$&'()*+,;=:@"
_SMALL = 4096
_HEX = re.compile(r"(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])")
_DENIED = b"<Code>AccessDenied</Code>"
_USUAL = (".pom", ".jar", "-javadoc.jar", "-sources.jar")
"""Guide, "Importing standard asset names"."""


class MavenFetcher:
    """Implements registry.core.ports.Fetcher and Asking."""

    async def listing(
        self, http: Http, package: PackageKey, validators: Mapping[str, str]
    ) -> Remote | NotModified | Absent:
        """One conditional GET.  A package named like the metadata itself is a whole group, its versions plug-ins."""
        group = str(package.namespace).replace(".", "/")
        whole = package.name == METADATA
        path = f"{group}/{METADATA}" if whole else f"{group}/{package.name}/{METADATA}"
        async with http.get(_quoted(path), validators) as reply:
            if reply.status == 304 and validators:
                return NotModified()
            if await _missing(reply):
                return Absent()
            if reply.status != 200:
                raise UpstreamUnavailable(f"The registry answered {reply.status} for {path}")
            body = await reply.body(LIMIT)
            kept = {"If-None-Match": reply.headers.get("ETag"), "If-Modified-Since": reply.headers.get("Last-Modified")}
        try:
            document = await asyncio.to_thread(metadata.parse, body)
        except ValueError as err:
            raise UpstreamUnavailable(f"{path} could not be understood: {err}") from None
        versions = entries(document) if whole else _versions(document)
        if not versions and (whole or not document.plugins):
            return Absent()  # a group that is no artifact is known to be none, also while nobody can be asked
        return Remote(package.name, versions, {}, {name: value for name, value in kept.items() if value})

    async def find(self, http: Http, key: VersionKey, asset: str) -> RemoteFile | None:
        """With the SHA-1 that lies beside it, and the time of that as the time of publication.

        A file may have none (signatures): then whether it is there shows when it is fetched.
        """
        if is_snapshot(key.version) or build_of(key.version) is not None:
            return None
        path = _quoted(f"{folder_of(key)}{asset}")
        async with http.get(f"{path}.sha1") as reply:
            if reply.status == 200:
                return RemoteFile(asset, path, None, _declared(await reply.body(_SMALL)), uploaded=_modified(reply))
            if not await _missing(reply):
                raise UpstreamUnavailable(f"The registry answered {reply.status} for {asset}.sha1")
        async with http.get(path) as reply:
            if await _missing(reply):
                return None
            if reply.status != 200:
                raise UpstreamUnavailable(f"The registry answered {reply.status} for {asset}")
            return RemoteFile(asset, path, None, {}, uploaded=_modified(reply))

    def usual(self, key: VersionKey, native: bytes) -> Sequence[str]:
        """A version whose packaging is `pom` (parents, lists of versions) has nothing else."""
        known = pom.project(native)
        endings = _USUAL[:1] if known is not None and known.packaging == "pom" else _USUAL
        return [f"{key.package.name}-{key.version}{ending}" for ending in endings]

    def companions(self, version: RemoteVersion, asset: str) -> Sequence[RemoteFile]:
        """They are asked for by name."""
        return ()

    async def draft(
        self, package: PackageKey, remote: Remote, version: RemoteVersion, files: Mapping[str, Staged | Blob]
    ) -> Draft:
        """The POM, if it is among the files, is read off the loop."""
        key = VersionKey(package, canonical_version(version.version))
        staged = {name: file for name, file in files.items() if isinstance(file, Staged)}
        offered = {file.name: file.uploaded for file in version.files}
        facts, native, assets = Facts(), b"", []
        for name, file in staged.items():
            told, kept, asset = await draft_asset(key, name, file, offered.get(name))
            assets.append(asset)
            if kept:
                facts, native = told, kept
        return Draft(
            key=key,
            display=version.display,
            native=native,
            facts=facts,
            assets=tuple(assets),
            exists="add",
            published=version.published,
        )


def _versions(document: metadata.Document) -> tuple[RemoteVersion, ...]:
    found = []
    for each in document.versions:
        if is_snapshot(each) or build_of(each) is not None:
            continue
        try:
            found.append(RemoteVersion(canonical_version(each), each, b"", None, ()))
        except ValueError:
            continue  # no path leads there
    return tuple(found)


async def _missing(reply: HttpReply) -> bool:
    """Object stores say "denied" of what is not there, in their own words; other refusals say nothing of the file."""
    if reply.status in (404, 410):
        return True
    return reply.status == 403 and _DENIED in await reply.body(64 * 1024)


def _declared(body: bytes) -> dict[str, str]:
    """Bare hex, `hex  name` and `name = hex` are in use.  What is none of these declares nothing."""
    found = _HEX.search(body.decode("latin-1").lower())
    return {"sha1": found[0]} if found else {}


def _modified(reply: HttpReply) -> int | None:
    try:
        return int(parsedate_to_datetime(reply.headers.get("Last-Modified", "")).timestamp() * 1000)
    except (ValueError, TypeError, OverflowError):
        return None


def _quoted(path: str) -> str:
    return quote(path, safe=f"/{_SAFE}")
