"""Reading the npm registry and whatever speaks its protocol, another Packyard included.

One packument per package, the full form; each version is taken apart as raw JSON and packed into our native
form.  Documents are other people's: a version that makes no sense is left out, a document that makes none is
UpstreamUnavailable, never "not there".
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urljoin

import msgspec
from msgspec import Raw

from protocols.npm import facts, jsontext, manifest, names, tarball
from protocols.npm.manifest import Manifest
from protocols.npm.publish import declared_digests, integrity
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

MAX_PACKUMENT = 192 * 1024**2
ATTESTATIONS = "attestations.json"
"""The name under which the resolver is asked for a version's attestations."""
_MAX_README = 512 * 1024


class _Packument(msgspec.Struct):
    name: Raw = Raw()
    tags: Raw = msgspec.field(default=Raw(), name="dist-tags")
    versions: Raw = Raw()
    time: Raw = Raw()
    readme: Raw = Raw()


class NpmFetcher:
    """Implements registry.core.ports.Fetcher and Sidecars."""

    async def listing(
        self, http: Http, package: PackageKey, validators: Mapping[str, str]
    ) -> Remote | NotModified | Absent:
        headers = {"accept": "application/json", **validators}
        async with http.get(names.quoted(package), headers) as reply:
            if reply.status == 304 and validators:
                return NotModified()
            if reply.status in (404, 410):
                return Absent()
            if reply.status != 200:
                raise UpstreamUnavailable(
                    f"The external registry answered {reply.status} for {names.full_name(package)}"
                )
            body = await reply.body(MAX_PACKUMENT)
            seen = answers.validators(reply.headers)
            url = reply.url
        # Taking a large document apart would hold the loop for a good while.
        return await asyncio.to_thread(read_packument, body, package, url=url, validators=seen)

    async def draft(
        self, package: PackageKey, remote: Remote, version: RemoteVersion, files: Mapping[str, Staged | Blob]
    ) -> Draft:
        return await asyncio.to_thread(_draft, package, remote, version, files)

    def companions(self, version: RemoteVersion, asset: str) -> Sequence[RemoteFile]:
        return ()

    def sidecar(self, version: RemoteVersion, asset: str) -> RemoteFile | None:
        """The attestations of a version, which are served but never kept."""
        if asset != ATTESTATIONS or not version.files or not version.files[0].native:
            return None
        return RemoteFile(asset, version.files[0].native.decode(), None, {})


def read_packument(
    body: bytes, package: PackageKey, *, url: str, validators: Mapping[str, str] | None = None
) -> Remote | Absent:
    """A packument as a Remote.  Absent when every version was unpublished.  Raises UpstreamUnavailable."""
    try:
        document = jsontext.decode(body, _Packument)
        versions = jsontext.part(document.versions, dict[str, Raw]) if _given(document.versions) else {}
    except ValueError as err:
        raise _nonsense(package, str(err)) from None
    full = names.full_name(package)
    if _given(document.name) and _decoded(document.name) != full:
        raise _nonsense(package, f"it is of {str(_decoded(document.name))[:80]!r}")
    times = _decoded(document.time)
    times = times if isinstance(times, dict) else {}
    tags = _tags(_decoded(document.tags))
    if not versions:
        if _given(document.versions) or "unpublished" in times:
            return Absent()
        raise _nonsense(package, "it has no versions")
    readme = {tags.get("latest"): _readme(document.readme)}
    found: dict[str, RemoteVersion] = {}
    for spelled, text in versions.items():
        version = _version(
            package, spelled, text, published=answers.milliseconds(times.get(spelled)), readme=readme, url=url
        )
        # Two spellings of one version: the canonical one counts.
        if version is not None and (version.version not in found or spelled == version.version):
            found[version.version] = version
    if not found:
        raise _nonsense(package, "none of its versions can be read")
    kept = {tag: version for tag, version in tags.items() if version in found}
    return Remote(full, tuple(found.values()), kept, dict(validators or {}))


def _version(
    package: PackageKey, spelled: str, text: Raw, *, published: int | None, readme: Mapping[str | None, bytes], url: str
) -> RemoteVersion | None:
    """One version; None when it cannot be offered to anybody."""
    try:
        canonical = names.canonical_version(spelled)
        fields = jsontext.part(text, Manifest)
        if not _agrees(fields, package, canonical):
            return None
        dist = manifest.value(fields, "dist")
        file = _file(dist, url, published) if isinstance(dist, dict) else None
        if file is None:
            return None
        display = spelled.strip()
        native = manifest.native(fields, package=package, version=display, readme=readme.get(canonical, b""))
    except ValueError:
        return None
    return RemoteVersion(canonical, display, native, published, (file,))


def _agrees(fields: Manifest, package: PackageKey, version: str) -> bool:
    name, inner = manifest.value(fields, "name"), manifest.value(fields, "version")
    if name is not None and name != names.full_name(package):
        return False
    return inner is None or inner == version or (isinstance(inner, str) and names.canonical_version(inner) == version)


def _file(dist: Mapping[str, Any], url: str, published: int | None) -> RemoteFile | None:
    address = dist.get("tarball")
    if not isinstance(address, str):
        return None
    address = _absolute(url, address)
    declared = declared_digests(dist)
    if not address.startswith(("https://", "http://")) or _unreadable(dist, declared):
        return None
    attestations = dist.get("attestations")
    proof = attestations.get("url") if isinstance(attestations, dict) else None
    proof = _absolute(url, proof) if isinstance(proof, str) else ""
    return RemoteFile(names.ASSET, address, None, declared, native=proof.encode(), uploaded=published)


def _absolute(url: str, address: str) -> str:
    return address if address.startswith(("https://", "http://")) else urljoin(url, address)


def _unreadable(dist: Mapping[str, Any], declared: Mapping[str, str]) -> bool:
    """A digest that cannot be read must not pass for none.  (SHA-384 can be read, but not checked here.)"""
    texts = [text for text in (dist.get("integrity"), dist.get("shasum")) if text]
    return bool(texts) and not declared and not str(texts[0]).startswith("sha384-")


def _tags(found: Any) -> dict[str, str]:
    tags = {}
    for tag, version in found.items() if isinstance(found, dict) else ():
        if isinstance(version, str) and 0 < len(tag) <= names.MAX_NAME:
            try:
                tags[tag] = names.canonical_version(version)
            except ValueError:
                continue
    return tags


def _readme(text: Raw) -> bytes:
    found = _decoded(text) if len(bytes(text)) <= _MAX_README else None
    return jsontext.encode(found) if facts.readme(found) else b""


def _given(text: Raw) -> bool:
    return bytes(text) not in (b"", b"null")


def _decoded(text: Raw) -> Any:
    try:
        return jsontext.part(text, object) if _given(text) else None
    except ValueError:
        return None


def _nonsense(package: PackageKey, why: str) -> UpstreamUnavailable:
    return UpstreamUnavailable(
        f"The external registry's answer for {names.full_name(package)} is not a package document: {why}"
    )


def _draft(package: PackageKey, remote: Remote, version: RemoteVersion, files: Mapping[str, Staged | Blob]) -> Draft:
    """The manifest as the registry gave it; where that has no integrity it is computed from the file."""
    parts = manifest.unpack(version.native)
    fields = manifest.parse(parts.full)
    file = files.get(names.ASSET)
    readme = facts.readme(
        manifest.value(fields, "readme"), jsontext.decode(parts.readme, str) if parts.readme else None
    )
    if readme is None and isinstance(file, Staged):
        with file.open() as body:
            readme = tarball.find_readme(body)
    return Draft(
        key=VersionKey(package, version.version),
        display=version.display,
        native=manifest.complete(version.native, integrity(file.digests), file.digests.sha1)
        if file
        else version.native,
        facts=facts.of(fields, package=package, readme=readme),
        assets=tuple(
            DraftAsset(name, staged, uploaded=version.published)
            for name, staged in files.items()
            if isinstance(staged, Staged)
        ),
        tags={tag: target for tag, target in remote.tags.items() if target == version.version},
        published=version.published,
    )
