"""Crates made in code: .crate files as `cargo package` makes them, and the bodies that `cargo publish` sends."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.harness import Answer
from tests.samples.base import Shop


def archive(entries: Sequence[tuple[str, bytes]], *, links: Mapping[str, str] | None = None) -> bytes:
    """A gzipped tar with these entries; a name that ends in "/" is a directory, `links` are symbolic ones."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path, body in entries:
            info = tarfile.TarInfo(path)
            info.type = tarfile.DIRTYPE if path.endswith("/") else tarfile.REGTYPE
            info.size, info.mtime = len(body), 1_153_704_088
            tar.addfile(info, io.BytesIO(body))
        for path, target in (links or {}).items():
            info = tarfile.TarInfo(path)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    return gzip.compress(out.getvalue(), mtime=0)


def manifest(name: str, version: str, more: str = "") -> bytes:
    return f'[package]\nname = "{name}"\nversion = "{version}"\nedition = "2021"\n{more}'.encode()


def crate(name: str = "left", version: str = "1.0.0", *, files: Mapping[str, bytes] | None = None) -> bytes:
    """A .crate with Cargo.toml, src/lib.rs and `files` (which may replace those)."""
    contents = {"Cargo.toml": manifest(name, version), "src/lib.rs": b"pub fn f() {}\n", **(files or {})}
    return archive([(f"{name}-{version}/{path}", body) for path, body in contents.items()])


def dependency(name: str, req: str = "^1", **more: Any) -> dict[str, Any]:
    """As cargo 1.95 sends it."""
    return {
        "optional": False,
        "default_features": True,
        "name": name,
        "features": [],
        "version_req": req,
        "target": None,
        "kind": "normal",
        **more,
    }


@dataclass
class Publish:
    """A publish as cargo 1.95 sends it; change what you like before `body()`."""

    name: str = "left"
    version: str = "1.0.0"
    file: bytes = b""
    more: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.file = self.file or crate(self.name, self.version)

    @property
    def cksum(self) -> str:
        return hashlib.sha256(self.file).hexdigest()

    def metadata(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "vers": self.version,
            "deps": [],
            "features": {},
            "authors": [],
            "description": f"The crate {self.name}",
            "documentation": None,
            "homepage": None,
            "readme": None,
            "readme_file": None,
            "keywords": [],
            "categories": [],
            "license": "MIT",
            "license_file": None,
            "repository": None,
            "badges": {},
            "links": None,
            "rust_version": None,
            **self.more,
        }

    def body(self) -> bytes:
        text = json.dumps(self.metadata()).encode()
        return framed(text, self.file)


def framed(text: bytes, file: bytes) -> bytes:
    return len(text).to_bytes(4, "little") + text + len(file).to_bytes(4, "little") + file


def line(name: str, version: str, file: bytes, **more: Any) -> dict[str, Any]:
    """A line of an index, as the public one has it."""
    return {
        "name": name,
        "vers": version,
        "deps": [],
        "cksum": hashlib.sha256(file).hexdigest(),
        "features": {},
        "yanked": False,
        **more,
    }


def lines(body: bytes) -> dict[str, dict[str, Any]]:
    """Version -> line of an index file."""
    found = [json.loads(text) for text in body.splitlines()]
    return {each["vers"]: each for each in found}


def path(name: str) -> str:
    """Where the index has a crate, worked out apart from the code under test."""
    name = name.lower()
    folder = {1: "1", 2: "2", 3: f"3/{name[0]}"}.get(len(name), f"{name[:2]}/{name[2:4]}")
    return f"{folder}/{name}"


class _Sample:
    """Implements tests.samples.base.Sample."""

    format = "cargo"
    connection = "public:crates-io"
    dependency = "dep"
    readme = True

    def coordinates(self, word: str) -> tuple[str | None, str]:
        return None, word

    def publish(self, shop: Shop, word: str, version: str = "1.0.0", *, marker: str = "") -> Answer:
        file = crate(word, version, files={"src/marker.rs": f"// {marker}\n".encode()})
        more = {"deps": [dependency("dep")], "readme": f"# {word}\n"}
        return shop("PUT", "api/v1/crates/new", Publish(word, version, file, more).body())

    def index(self, word: str) -> str:
        return path(word)

    def versions(self, answer: Answer, word: str) -> set[str]:
        return {version for version, each in lines(answer.body).items() if not each["yanked"]}

    def asset(self, word: str, version: str = "1.0.0") -> tuple[str, str]:
        return f"{word}-{version}.crate", f"api/v1/crates/{word}/{version}/download"


SAMPLE = _Sample()
