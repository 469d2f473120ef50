"""The smallest format: a listing is JSON at `BASE/NAME`, a version's native bytes are a note, a file's are its mark."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from registry.core.errors import UpstreamUnavailable
from registry.core.ports import Http
from registry.core.types import (
    Absent,
    Blob,
    Draft,
    DraftAsset,
    Facts,
    FormatInfo,
    NotModified,
    PackageKey,
    Remote,
    RemoteFile,
    RemoteVersion,
    Staged,
    VersionKey,
)

_LIMIT = 1_000_000


def _name(namespace: str | None, name: str) -> tuple[str | None, str]:
    return namespace, name.lower()


def _sort(version: str) -> str:
    if version == "refused":
        raise ValueError(version)
    return ".".join(part.zfill(4) for part in version.split("."))


TINY = FormatInfo(name="tiny", canonical=_name, canonical_version=str, sort=_sort, connections=("public:tiny",))
MANY = FormatInfo(
    name="many",
    canonical=_name,
    canonical_version=str,
    sort=_sort,
    grows=True,
    merges_files=True,
    connections=("public:many",),
    refresh=lambda stored, remote: remote,
)


def page(
    versions: Mapping[str, Mapping[str, bytes]], *, tags: Mapping[str, str] | None = None, **more: Any
) -> dict[str, Any]:
    """A listing of honest files: version -> file name -> bytes."""
    return {
        "versions": {
            version: {
                "files": {
                    name: {
                        "url": f"files/{name}",
                        "size": len(body),
                        "digests": {"sha256": hashlib.sha256(body).hexdigest()},
                    }
                    for name, body in files.items()
                }
            }
            for version, files in versions.items()
        },
        "tags": dict(tags or {}),
        **more,
    }


class TinyFetcher:
    """Reads such a registry."""

    async def listing(
        self, http: Http, package: PackageKey, validators: Mapping[str, str]
    ) -> Remote | NotModified | Absent:
        async with http.get(package.name, validators) as reply:
            if reply.status == 304:
                return NotModified()
            if reply.status in (404, 410):
                return Absent()
            if reply.status != 200 or "json" not in reply.headers.get("Content-Type", "json"):
                raise UpstreamUnavailable(f"answered {reply.status}")
            document = json.loads(await reply.body(_LIMIT))
            etag = reply.headers.get("ETag")
            return Remote(
                display=document.get("display", package.name),
                versions=tuple(_version(http.base, *each) for each in document["versions"].items()),
                tags=document.get("tags", {}),
                validators={"If-None-Match": etag} if etag else {},
            )

    async def draft(
        self, package: PackageKey, remote: Remote, version: RemoteVersion, files: Mapping[str, Staged | Blob]
    ) -> Draft:
        marks = {file.name: file.native for file in version.files}
        return Draft(
            key=VersionKey(package, version.version),
            display=version.display,
            native=version.native,
            facts=Facts(display=remote.display),
            assets=tuple(
                DraftAsset(name, staged, marks[name]) for name, staged in files.items() if isinstance(staged, Staged)
            ),
            published=version.published,
        )

    def companions(self, version: RemoteVersion, asset: str) -> Sequence[RemoteFile]:
        return [file for file in version.files if file.name != asset]


class NotedFetcher(TinyFetcher):
    """With a note beside each file."""

    def sidecar(self, version: RemoteVersion, asset: str) -> RemoteFile | None:
        for file in version.files:
            if asset == f"{file.name}.note":
                digests = {"sha256": file.digests["note"]} if "note" in file.digests else {}
                return RemoteFile(asset, f"{file.url}.note", None, digests)
        return None


def _version(base: str, version: str, document: Mapping[str, Any]) -> RemoteVersion:
    return RemoteVersion(
        version=version,
        display=version,
        native=document.get("native", "").encode(),
        published=document.get("published"),
        files=tuple(
            RemoteFile(
                name,
                file["url"] if "://" in file["url"] else base + file["url"],
                file.get("size"),
                file.get("digests", {}),
                file.get("mark", "").encode(),
                file.get("uploaded"),
            )
            for name, file in document["files"].items()
        ),
    )
