"""How Python's registries are read: the simple index below `simple/`, JSON preferred, HTML understood.

Files may live on another host; the HTTP client sends our credentials to the connection's own origin only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

import msgspec

from protocols.pypi import core, offered
from protocols.pypi.artifact import Document, read
from protocols.pypi.core import Core
from protocols.pypi.names import Filename, canonical_version, parse_filename
from protocols.pypi.native import encode, file_facts, version_native
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

_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_JSON = "application/vnd.pypi.simple.v1+json"
_HTML = {"application/vnd.pypi.simple.v1+html", "text/html"}
_LIMIT = 128 * 1024**2


class PyPIFetcher:
    """Implements registry.core.ports.Fetcher and Sidecars."""

    async def listing(
        self, http: Http, package: PackageKey, validators: Mapping[str, str]
    ) -> Remote | NotModified | Absent:
        """One conditional GET.  404 and 410 are the only answers that mean "not there"."""
        prefix = "" if http.base.endswith("/simple/") else "simple/"
        async with http.get(f"{prefix}{package.name}/", {**validators, "Accept": _ACCEPT}) as reply:
            if reply.status == 304 and validators:
                return NotModified()
            if reply.status in {404, 410}:
                return Absent()
            if reply.status != 200:
                raise UpstreamUnavailable(f"The index answered {reply.status} for {package.name}")
            return await _understood(reply, package.name)

    async def draft(
        self, package: PackageKey, remote: Remote, version: RemoteVersion, files: Mapping[str, Staged | Blob]
    ) -> Draft:
        """Core metadata comes from the files themselves, off the loop; a file without any is kept all the same."""
        staged = {name: file for name, file in files.items() if isinstance(file, Staged)}
        return await asyncio.to_thread(_draft, package, remote, version, staged)

    def companions(self, version: RemoteVersion, asset: str) -> Sequence[RemoteFile]:
        """All files of the version (guide, "Requesting Python packages from upstreams")."""
        return version.files

    def sidecar(self, version: RemoteVersion, asset: str) -> RemoteFile | None:
        """`FILE.metadata` (PEP 658), only with its digest known; `FILE.provenance` (PEP 740); `FILE.asc`."""
        name, _, kind = asset.rpartition(".")
        file = next((each for each in version.files if each.name == name), None)
        if file is None:
            return None
        facts = file_facts(file.native)
        if kind == "metadata" and facts.core_metadata:
            return RemoteFile(asset, _beside(file.url, ".metadata"), None, {"sha256": facts.core_metadata})
        if kind == "provenance" and facts.provenance:
            return RemoteFile(asset, facts.provenance, None, {})
        if kind == "asc" and facts.gpg_sig:
            return RemoteFile(asset, _beside(file.url, ".asc"), None, {})
        return None


def _beside(url: str, ending: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path + ending))


async def _understood(reply: HttpReply, project: str) -> Remote:
    kind, _, params = reply.headers.get("Content-Type", "").partition(";")
    media = kind.strip().lower()
    if media != _JSON and media not in _HTML:
        raise UpstreamUnavailable(f"The index answered with {media or 'no type'} instead of a simple index page")
    kept = {"If-None-Match": reply.headers.get("ETag"), "If-Modified-Since": reply.headers.get("Last-Modified")}
    validators = {name: value for name, value in kept.items() if value}
    body = await reply.body(_LIMIT)
    try:
        return await asyncio.to_thread(_parsed, body, media, _charset(params), reply.url, project, validators)
    except ValueError as err:
        raise UpstreamUnavailable(f"The index could not be understood for {project}: {err}") from None


def _charset(params: str) -> str:
    for param in params.split(";"):
        name, _, value = param.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"') or "utf-8"
    return "utf-8"


def _parsed(body: bytes, media: str, charset: str, url: str, project: str, validators: dict[str, str]) -> Remote:
    page = offered.from_json(body, url, project) if media == _JSON else offered.from_html(body, url, project, charset)
    return offered.remote(page, project, validators)


def _draft(package: PackageKey, remote: Remote, version: RemoteVersion, staged: Mapping[str, Staged]) -> Draft:
    offers = {file.name: file for file in version.files}
    assets = []
    best: tuple[int, Core] | None = None
    for name, file in staged.items():
        named, document = _document(file, name, package.name)
        kept = _asset(offers.get(name), name, file, document if named and named.kind == "wheel" else None)
        assets.append(replace(kept, uploaded=kept.uploaded or version.published))
        told = _told(document)
        rank = 0 if named is not None and named.kind == "wheel" else 1
        if told is not None and (best is None or rank < best[0]):
            best = (rank, told)
    return Draft(
        key=VersionKey(package, canonical_version(version.version)),
        display=version.display,
        native=version_native(core.info(best[1])) if best else b"",
        facts=core.facts(best[1]) if best else Facts(display=remote.display),
        assets=tuple(assets),
        exists="add",
        published=version.published,
    )


def _document(file: Staged, name: str, project: str) -> tuple[Filename | None, Document | None]:
    """What we could not accept from a publisher we still keep from a registry: its digest was verified."""
    try:
        named = parse_filename(name, project)
    except ValueError:
        return None, None
    try:
        with file.open() as body:
            return named, read(body, named)
    except ValueError:
        return named, None


def _told(document: Document | None) -> Core | None:
    try:
        return None if document is None else core.from_bytes(document.body)
    except ValueError:
        return None


def _asset(offer: RemoteFile | None, name: str, file: Staged, document: Document | None) -> DraftAsset:
    facts = file_facts(offer.native if offer is not None else b"")
    # Announced only for what was read from the stored wheel itself.
    facts = msgspec.structs.replace(facts, core_metadata=None if document is None else document.sha256)
    return DraftAsset(name, file, encode(facts), offer.uploaded if offer is not None else None)
