"""Whole publish requests of every kind, as bytes, and what must be true of a server that refused one."""

from __future__ import annotations

import hashlib
import socket
import struct
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.harness import ACCESS_KEY, REGION, SECRET_KEY, Server, basic
from tests.samples import cargo, npm, nuget, pypi, ruby, swift

KINDS = ("npm", "wheel", "sdist", "generic", "api", "maven", "cargo", "nuget", "ruby", "swift")
PLAIN = ("generic", "maven")
"""Kinds whose bytes say nothing of what they should be."""


def signed(
    server: Server, method: str, target: str, body: bytes, headers: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Headers of a signed request of the control plane."""
    request = AWSRequest(method, server.url + target, data=body, headers={"Host": server.host, **(headers or {})})
    SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "codeartifact", REGION).add_auth(request)
    return dict(request.headers.items())


def publish(server: Server, kind: str, *, size: int = 40_000, name: str = "sample-pkg") -> tuple[bytes, bytes]:
    """Head and body of a publish of version 1.0.0 of a package of that name."""
    headers = {"Authorization": basic(server.token())}
    project = pypi.Project(name=name, code="".join(hashlib.sha256(b"%d" % n).hexdigest() for n in range(size // 64)))
    if kind == "npm":
        tgz = npm.tarball(name, "1.0.0", files={"code.js": project.code})
        method, target, body = "PUT", _path(server, "npm") + name, npm.Publish(name, tgz=tgz).body()
        headers["Content-Type"] = "application/json"
    elif kind in ("wheel", "sdist"):
        made = pypi.wheel(project) if kind == "wheel" else pypi.sdist(project)
        headers["Content-Type"], body = pypi.upload(project, *made)
        method, target = "POST", _path(server, "pypi")
    elif kind == "generic":
        method, target, body = "PUT", _path(server, "generic") + f"names/{name}/1.0.0/code", project.code.encode()
    elif kind in _MADE:
        method, path, body, more = _MADE[kind](name, project.code.encode())
        target, headers = _path(server, kind) + path, {**headers, **more}
    else:
        body = project.code.encode()
        digest = hashlib.sha256(body).hexdigest()
        method, target = "POST", "/v1/package/version/publish?" + "&".join(
            f"{key}={value}"
            for key, value in {
                "domain": "dom", "repository": "repo", "format": "generic", "namespace": "names", "package": name,
                "version": "1.0.0", "asset": "code",
            }.items()
        )  # fmt: skip
        headers = signed(server, method, target, body, {"x-amz-content-sha256": digest})
    headers = {"Host": server.host, **headers, "Content-Length": str(len(body))}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode(), body


Made = tuple[str, str, bytes, dict[str, str]]


def _maven(name: str, code: bytes) -> Made:
    return "PUT", f"com/example/{name}/1.0.0/{name}-1.0.0.jar", code, {}


def _cargo(name: str, code: bytes) -> Made:
    file = cargo.crate(name, files={"src/code.rs": code})
    return "PUT", "api/v1/crates/new", cargo.Publish(name, "1.0.0", file).body(), {}


def _nuget(name: str, code: bytes) -> Made:
    headers, body = nuget.pushed(nuget.Package(name, files={"content/code.txt": code}).nupkg())
    return "PUT", "v3/package/", b"".join(body), headers


def _ruby(name: str, code: bytes) -> Made:
    body = ruby.Gem(name, files={"lib/code.rb": code}).build()
    return "POST", "api/v1/gems", body, {"Content-Type": "application/octet-stream"}


def _swift(name: str, code: bytes) -> Made:
    kind, body = swift.form(swift.archive({"Sources/Hello/code.swift": code}), metadata={"description": name})
    return "PUT", f"acme/{name}/1.0.0", body, {"Content-Type": kind, "Accept": swift.JSON}


_MADE = {"maven": _maven, "cargo": _cargo, "nuget": _nuget, "ruby": _ruby, "swift": _swift}


def _path(server: Server, format: str) -> str:
    return urlsplit(server.endpoint(format)).path


def answer(server: Server, data: bytes) -> bytes:
    """What comes back to these bytes, until the server ends the connection or has answered."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as raw:
        raw.sendall(data)
        return raw.recv(65536)


def cut(server: Server, data: bytes, *, reset: bool) -> None:
    """Send these bytes and leave: orderly, or with a reset."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as raw:
        raw.sendall(data)
        if reset:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            raw.shutdown(socket.SHUT_WR)
            while raw.recv(65536):
                pass


def files(server: Server) -> set[str]:
    """Files among the blobs, staged ones included."""
    return {
        str(path.relative_to(server.data))
        for path in (server.data / "blobs").rglob("*")
        if path.is_file() and path.suffix != ".run" and path.name != "lock"
    }


def settled(server: Server) -> set[str]:
    """The files, once nothing is under way any more; what stays for ten seconds stays."""
    for _ in range(200):
        staging = server.data / "blobs" / "staging"
        if not any(path.is_file() and path.parent != staging for path in staging.rglob("*")):
            break
        time.sleep(0.05)
    return files(server)


def packages(server: Server) -> list[str]:
    """Every package of the repository."""
    pages = server.boto().get_paginator("list_packages").paginate(domain="dom", repository="repo")
    return [each["package"] for page in pages for each in page["packages"]]


def failures(server: Server) -> list[dict[str, object]]:
    """What the server says of itself, after it was stopped, that should not have happened."""
    server.stop()
    return [line for line in server.records() if "exception" in line or line.get("status", 0) in range(500, 600)]
