"""Packages to load a server with: npm documents and wheels, small or large, built in memory."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import tarfile
import zipfile
from collections.abc import Mapping

from tests.bench.load import Upload

_DEPENDENCIES = {f"dependency-{n}": f"^{n}.2.1" for n in range(12)}


def tarball(name: str, version: str, size: int) -> bytes:
    """A .tgz of about `size` bytes, its payload incompressible."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=1, mtime=0) as packed:
        with tarfile.open(fileobj=packed, mode="w") as tar:
            manifest = json.dumps({"name": name, "version": version}).encode()
            for member, content in (("package.json", manifest), ("payload.bin", os.urandom(max(1, size - 400)))):
                info = tarfile.TarInfo(f"package/{member}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def npm_publish(base_path: str, name: str, version: str, size: int, headers: Mapping[str, str]) -> Upload:
    """What `npm publish` sends, with a manifest of the usual length."""
    data = tarball(name, version, size)
    manifest = {
        "name": name,
        "version": version,
        "description": "A package for measuring, with a manifest of the usual length",
        "main": "index.js",
        "scripts": {"test": "node test.js", "build": "tsc -p .", "lint": "eslint ."},
        "repository": {"type": "git", "url": "git+https://git.example.com/bench/bench.git"},
        "keywords": ["bench", "measure", "load"],
        "author": {"name": "Bench", "email": "bench@example.com"},
        "license": "MIT",
        "bugs": {"url": "https://git.example.com/bench/bench/issues"},
        "homepage": "https://git.example.com/bench/bench#readme",
        "dependencies": _DEPENDENCIES,
        "devDependencies": _DEPENDENCIES,
        "engines": {"node": ">=18"},
        "_id": f"{name}@{version}",
        "_nodeVersion": "20.20.2",
        "_npmVersion": "11.19.1",
        "dist": {
            "integrity": "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode(),
            "shasum": hashlib.sha1(data).hexdigest(),
            "tarball": f"http://127.0.0.1/{name}/-/{name}-{version}.tgz",
        },
    }
    body = {
        "_id": name,
        "name": name,
        "description": "A package for measuring",
        "dist-tags": {"latest": version},
        "versions": {version: manifest},
        "access": None,
        "_attachments": {
            f"{name}-{version}.tgz": {
                "content_type": "application/octet-stream",
                "data": base64.b64encode(data).decode(),
                "length": len(data),
            }
        },
    }
    return Upload("PUT", base_path + name, {"Content-Type": "application/json", **headers}, json.dumps(body).encode())


def wheel(name: str, version: str, tag: str, size: int = 300) -> tuple[str, bytes]:
    """A wheel's file name and bytes."""
    out = io.BytesIO()
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as file:
        file.writestr(f"{name}/payload.bin", os.urandom(size))
        file.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: >=3.8\n"
        )
        file.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: {tag}\n")
        file.writestr(f"{info}/RECORD", "")
    return f"{name}-{version}-{tag}.whl", out.getvalue()


def pypi_upload(
    path: str, name: str, version: str, headers: Mapping[str, str], *, tag: str = "py3-none-any", size: int = 300
) -> Upload:
    """What twine sends."""
    file_name, data = wheel(name, version, tag, size)
    fields = {
        ":action": "file_upload",
        "protocol_version": "1",
        "metadata_version": "2.1",
        "name": name,
        "version": version,
        "filetype": "bdist_wheel",
        "pyversion": "py3",
        "requires_python": ">=3.8",
        "sha256_digest": hashlib.sha256(data).hexdigest(),
        "md5_digest": hashlib.md5(data).hexdigest(),
    }
    edge = "----bench-boundary"
    body = bytearray()
    for key, value in fields.items():
        body += f'--{edge}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
    body += f'--{edge}\r\nContent-Disposition: form-data; name="content"; filename="{file_name}"\r\n'.encode()
    body += b"Content-Type: application/octet-stream\r\n\r\n" + data + f"\r\n--{edge}--\r\n".encode()
    return Upload("POST", path, {"Content-Type": f"multipart/form-data; boundary={edge}", **headers}, bytes(body))


def cargo_publish(base_path: str, name: str, version: str, headers: Mapping[str, str]) -> Upload:
    """What `cargo publish` sends, with dependencies of the usual number."""
    root = f"{name}-{version}"
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=1, mtime=0) as packed:
        with tarfile.open(fileobj=packed, mode="w") as tar:
            manifest = f'[package]\nname = "{name}"\nversion = "{version}"\n'.encode()
            for member, content in (("Cargo.toml", manifest), ("src/lib.rs", os.urandom(300))):
                info = tarfile.TarInfo(f"{root}/{member}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    data = out.getvalue()
    dependency = {"optional": False, "default_features": True, "features": [], "target": None, "kind": "normal"}
    metadata = {
        "name": name,
        "vers": version,
        "deps": [{**dependency, "name": each, "version_req": "^1.2.3"} for each in ("alpha", "beta", "gamma", "delta")],
        "features": {"default": ["std"], "std": [], "derive": ["dep:alpha"]},
        "license": "MIT",
        "description": "A crate for measuring",
    }
    text = json.dumps(metadata).encode()
    body = len(text).to_bytes(4, "little") + text + len(data).to_bytes(4, "little") + data
    return Upload("PUT", f"{base_path}api/v1/crates/new", headers, body)
