"""NuGet packages made in code: a few hundred bytes each, and pushes as the clients send them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

from tests.harness import Answer
from tests.samples.base import Shop

FIXED = (2026, 1, 1, 0, 0, 0)
NAMESPACE = "http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd"
BOUNDARY = "4d6ea1c8-8a8b-4d0a-9b1c-0f5a9f3c7a11"


@dataclass(frozen=True)
class Package:
    """A package; `id` and `version` are written as given.  `metadata` is more XML inside of the nuspec's metadata."""

    id: str = "Acme.Hello"
    version: str = "1.0.0"
    description: str = "Says hello"
    authors: str = "Acme"
    metadata: str = ""
    namespace: str = NAMESPACE
    files: Mapping[str, bytes] = field(default_factory=dict)
    dependencies: Sequence[tuple[str, str]] = ()
    framework: str = "netstandard2.0"

    def nuspec(self) -> bytes:
        xmlns = f' xmlns="{self.namespace}"' if self.namespace else ""
        needed = "".join(f'<dependency id="{id}" version="{escape(range)}"/>' for id, range in self.dependencies)
        group = f'<dependencies><group targetFramework="{self.framework}">{needed}</group></dependencies>'
        return (
            f'<?xml version="1.0" encoding="utf-8"?>\n<package{xmlns}><metadata>'
            f"<id>{escape(self.id)}</id><version>{escape(self.version)}</version>"
            f"<authors>{escape(self.authors)}</authors><description>{escape(self.description)}</description>"
            f"{self.metadata}{group if self.dependencies else ''}</metadata></package>"
        ).encode()

    def nupkg(self) -> bytes:
        """The package file; the same package always has the same bytes."""
        return zipped(
            {
                f"{self.id}.nuspec": self.nuspec(),
                f"lib/{self.framework}/_._": b"",
                **self.files,
            }
        )

    def snupkg(self) -> bytes:
        """Its symbols, with a portable PDB that is none."""
        types = '<packageTypes><packageType name="SymbolsPackage"/></packageTypes>'
        symbols = Package(self.id, self.version, self.description, self.authors, types, files={"lib/a.pdb": b"BSJB"})
        return symbols.nupkg()


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip archive; the same files always give the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(zipfile.ZipInfo(name, FIXED), body, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def pushed(body: bytes) -> tuple[dict[str, str], Iterator[bytes]]:
    """Headers and chunked body of a push as NuGet 5.8 sends it: one part, its attributes without quotes."""
    head = (
        f"--{BOUNDARY}\r\nContent-Type: application/octet-stream\r\n"
        "Content-Disposition: form-data; name=package; filename=package.nupkg; filename*=utf-8''package.nupkg\r\n\r\n"
    )
    headers = {
        "User-Agent": "NuGet Command Line/5.8.0 (Unix 5.10)",
        "X-NuGet-Client-Version": "5.8.0",
        "X-NuGet-Session-Id": "5a1e3b0e-9d4b-44a7-a3a3-0d9d3bb3b0a8",
        "Content-Type": f'multipart/form-data; boundary="{BOUNDARY}"',
    }
    return headers, iter([head.encode(), body, f"\r\n--{BOUNDARY}--\r\n".encode()])


def registered(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Version -> catalog entry of a registration index whose pages stand in it, or of a page."""
    pages = document["items"] if "parent" not in document else [document]
    return {item["catalogEntry"]["version"]: item["catalogEntry"] for page in pages for item in page["items"]}


class _Sample:
    """Implements tests.samples.base.Sample."""

    format = "nuget"
    connection = "public:nuget-org"
    dependency = "acme.base"
    readme = True

    def coordinates(self, word: str) -> tuple[str | None, str]:
        return None, word

    def publish(self, shop: Shop, word: str, version: str = "1.0.0", *, marker: str = "") -> Answer:
        package = Package(
            word.capitalize(),
            version,
            metadata="<readme>docs\\readme.md</readme>",
            files={"docs/readme.md": f"# {word}\n".encode(), "content/marker.txt": marker.encode()},
            dependencies=[("Acme.Base", "1.0")],
        )
        headers, body = pushed(package.nupkg())
        return shop("PUT", "v3/package/", body, headers)

    def index(self, word: str) -> str:
        return f"v3/registration-gz-semver2/{word}/index.json"

    def versions(self, answer: Answer, word: str) -> set[str]:
        return {version for version, entry in registered(answer.json()).items() if entry["listed"]}

    def asset(self, word: str, version: str = "1.0.0") -> tuple[str, str]:
        name = f"{word}.{version}.nupkg"
        return name, f"v3/flat/{word}/{version}/{name}"


SAMPLE = _Sample()
