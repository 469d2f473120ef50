"""npm packages made in code: tarballs as `npm pack` makes them, and the bodies that clients publish."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.harness import Answer
from tests.samples.base import Shop


def tarball(
    name: str = "left",
    version: str = "1.0.0",
    *,
    files: Mapping[str, bytes | str] | None = None,
    root: str = "package",
    level: int = 6,
    **manifest: Any,
) -> bytes:
    """A .tgz with `package.json`, `index.js` and `files`; a file given as b"" and named `package.json` is left out."""
    contents: dict[str, bytes | str] = {
        "package.json": json.dumps({"name": name, "version": version, **manifest}),
        "index.js": f"module.exports = {version!r}\n",
        **(files or {}),
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, text in contents.items():
            body = text.encode() if isinstance(text, str) else text
            info = tarfile.TarInfo(f"{root}/{path}")
            info.size = len(body)
            info.mtime = 499162500
            archive.addfile(info, io.BytesIO(body))
    return gzip.compress(out.getvalue(), level, mtime=0)


def sri(body: bytes) -> str:
    return "sha512-" + base64.b64encode(hashlib.sha512(body).digest()).decode()


@dataclass
class Publish:
    """A publish as npm 11 sends it; change what you like before `body()`."""

    name: str = "left"
    version: str = "1.0.0"
    tag: str = "latest"
    tgz: bytes = b""
    manifest: dict[str, Any] = field(default_factory=dict)
    readme: str | None = "# Left\n"
    tarball_manifest: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tgz = self.tgz or tarball(self.name, self.version, **{**self.manifest, **self.tarball_manifest})

    @property
    def key(self) -> str:
        return f"{self.name}-{self.version}.tgz"

    def document(self) -> dict[str, Any]:
        version = {
            "name": self.name,
            "version": self.version,
            "readme": self.readme or "ERROR: No README data found!",
            "_id": f"{self.name}@{self.version}",
            "_nodeVersion": "20.20.2",
            "_npmVersion": "11.19.1",
            **self.manifest,
            "dist": {
                "integrity": sri(self.tgz),
                "shasum": hashlib.sha1(self.tgz).hexdigest(),
                "tarball": f"http://elsewhere.example/{self.name}/-/{self.key}",
            },
        }
        return {
            "_id": self.name,
            "name": self.name,
            "dist-tags": {self.tag: self.version},
            "versions": {self.version: version},
            "access": None,
            "_attachments": {
                self.key: {
                    "content_type": "application/octet-stream",
                    "data": base64.b64encode(self.tgz).decode(),
                    "length": len(self.tgz),
                }
            },
        }

    def body(self, **changes: Any) -> bytes:
        return json.dumps({**self.document(), **changes}).encode()


def packument(name: str, versions: Mapping[str, bytes], *, base: str, **more: Any) -> dict[str, Any]:
    """A full packument as the npm registry gives it: version -> tarball."""
    bare = name.rpartition("/")[2]
    manifests = {
        version: {
            "name": name,
            "version": version,
            "dist": {
                "integrity": sri(tgz),
                "shasum": hashlib.sha1(tgz).hexdigest(),
                "tarball": f"{base}{name}/-/{bare}-{version}.tgz",
                "fileCount": 2,
                "unpackedSize": 100,
                "signatures": [{"keyid": "SHA256:abc", "sig": "MEUCIQ=="}],
            },
        }
        for version, tgz in versions.items()
    }
    times = {version: f"2024-01-{day:02d}T03:04:05.678Z" for day, version in enumerate(versions, 1)}
    return {
        "_id": name,
        "_rev": "3-abc",
        "name": name,
        "dist-tags": {"latest": next(reversed(versions), "")},
        "versions": manifests,
        "time": {"created": "2024-01-01T00:00:00.000Z", "modified": "2024-02-01T00:00:00.000Z", **times},
        "readme": f"# {name}\n",
        **more,
    }


class _Sample:
    """Implements tests.samples.base.Sample: scoped packages, as the harder kind."""

    format = "npm"
    connection = "public:npmjs"
    dependency = "dep"
    readme = True

    def coordinates(self, word: str) -> tuple[str | None, str]:
        return "team", word

    def publish(self, shop: Shop, word: str, version: str = "1.0.0", *, marker: str = "") -> Answer:
        made = Publish(
            f"@team/{word}",
            version,
            tgz=tarball(f"@team/{word}", version, files={"marker": marker}, dependencies={"dep": "^1"}),
            manifest={"dependencies": {"dep": "^1"}},
            readme=f"# {word}\n",
        )
        return shop("PUT", f"@team%2f{word}", made.body(), {"Content-Type": "application/json"})

    def index(self, word: str) -> str:
        return f"@team%2f{word}"

    def versions(self, answer: Answer, word: str) -> set[str]:
        return set(answer.json()["versions"])

    def asset(self, word: str, version: str = "1.0.0") -> tuple[str, str]:
        return "package.tgz", f"@team/{word}/-/{word}-{version}.tgz"


SAMPLE = _Sample()
