"""Swift packages made in code: source archives, and the forms that clients publish."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

from tests.harness import Answer
from tests.samples.base import Shop

FIXED = (2026, 1, 1, 0, 0, 0)
JSON = "application/vnd.swift.registry.v1+json"
MANIFEST = """// swift-tools-version:5.5
import PackageDescription

let package = Package(
    name: "Hello",
    products: [.library(name: "Hello", targets: ["Hello"])],
    targets: [.target(name: "Hello")]
)
"""


def archive(files: Mapping[str, str | bytes] | None = None, *, root: str = "Hello", marker: str = "") -> bytes:
    """A source archive; a file given as b"" is left out."""
    contents: dict[str, str | bytes] = {
        "Package.swift": MANIFEST,
        "README.md": "# Hello\n",
        "Sources/Hello/Hello.swift": f'public let hello = "{marker}"\n',
        **(files or {}),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for path, body in contents.items():
            if body != b"":
                made.writestr(zipfile.ZipInfo(f"{root}/{path}", FIXED), body, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def form(
    source: bytes | None,
    metadata: Mapping[str, Any] | bytes | None = None,
    *,
    signature: bytes = b"",
    metadata_signature: bytes = b"",
    boundary: str = "9F5A3E6C-8D1B-4A77-B0C2-2F1D3E4A5B6C",
) -> tuple[str, bytes]:
    """(Content-Type, body) as `swift package-registry publish` 6.0 sends it: quoted boundary, no file names."""
    octets = "application/octet-stream"
    parts: list[tuple[str, str, str, bytes]] = []
    if source is not None:
        parts.append(("source-archive", "application/zip", "binary", source))
    if signature:
        parts.append(("source-archive-signature", octets, "binary", signature))
    if metadata is not None:
        body = metadata if isinstance(metadata, bytes) else json.dumps(metadata).encode()
        parts.append(("metadata", "application/json", "quoted-printable", body))
    if metadata_signature:
        parts.append(("metadata-signature", octets, "binary", metadata_signature))
    out = bytearray()
    for name, kind, encoding, body in parts:
        out += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\nContent-Type: {kind}\r\n'.encode()
        out += f"Content-Transfer-Encoding: {encoding}\r\n\r\n".encode() + body + b"\r\n"
    out += f"--{boundary}--\r\n".encode()
    return f'multipart/form-data;boundary="{boundary}"', bytes(out)


def publish(
    shop: Shop, path: str, source: bytes | None, *, headers: Mapping[str, str] | None = None, **parts: Any
) -> Answer:
    """`path` is scope/name/version."""
    kind, body = form(source, **parts)
    return shop("PUT", path, body, {"Content-Type": kind, "Accept": JSON, **(headers or {})})


class _Sample:
    """Implements tests.samples.base.Sample."""

    format = "swift"
    connection = None
    dependency = None
    readme = True
    idempotent = False

    def coordinates(self, word: str) -> tuple[str | None, str]:
        return "acme", word

    def publish(self, shop: Shop, word: str, version: str = "1.0.0", *, marker: str = "") -> Answer:
        source = archive({"README.md": f"# {word}\n", "version": version}, marker=marker)
        return publish(shop, f"Acme/{word.title()}/{version}", source, metadata={"description": word})

    def index(self, word: str) -> str:
        return f"acme/{word}"

    def versions(self, answer: Answer, word: str) -> set[str]:
        return set(answer.json()["releases"])

    def asset(self, word: str, version: str = "1.0.0") -> tuple[str, str]:
        return f"{word}-{version}.zip", f"acme/{word}/{version}.zip"


SAMPLE = _Sample()
