"""The real SwiftPM against a server with TLS: `make clients SWIFT=1`.  It takes a toolchain of 2.9 GB.

What it sends is written to tests/protocols/swift/transcript.json with PACKYARD_TRANSCRIPT=1, and replayed by the
ordinary suite.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from registry.app import Application
from tests.certificate import certificate
from tests.clients.sandbox import ROOT, TOOLS
from tests.harness import ACCOUNT, Server
from tests.samples.base import Shop
from tests.samples.swift import MANIFEST

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(not os.environ.get("SWIFT"), reason="asked for by SWIFT=1"),
]
TRANSCRIPT = ROOT / "tests" / "protocols" / "swift" / "transcript.json"
INSIDE = TOOLS / "swift" / "root"
APP = """// swift-tools-version:5.9
import PackageDescription

let package = Package(
    name: "App",
    dependencies: [.package(id: "{id}", from: "1.0.0")],
    targets: [.executableTarget(name: "App", dependencies: [.product(name: "Hello", package: "{id}")])]
)
"""


@dataclass
class Swift:
    """SwiftPM in its own root, with homes of its own; `home` is a path in there."""

    server: Server
    home: str
    seen: list[dict[str, Any]] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        return f"{self.server.url}/swift/d/dom-{ACCOUNT}/repo/"

    def folder(self, name: str) -> Path:
        made = INSIDE / self.home.lstrip("/") / name
        made.mkdir(parents=True, exist_ok=True)
        return made

    def run(self, project: str, *arguments: str, ok: bool = True, cache: str = "cache") -> str:
        places = []
        for option in ("config", "security"):
            self.folder(option)
            places += [f"--{option}-path", f"{self.home}/{option}"]
        self.folder(cache)
        (self.folder(".") / "netrc").touch(mode=0o600)
        places += ["--cache-path", f"{self.home}/{cache}", "--netrc-file", f"{self.home}/netrc"]
        for _ in range(8):
            done = self._once(project, [*arguments[:2], *places, "--disable-sandbox", *arguments[2:]])
            if done.returncode not in (-6, -11, 134, 139):
                break
            if "publish" in arguments and self.seen and self.seen[-1]["status"] == 201:
                return ""  # 6.0.3 on Linux crashes now and then once it has its answer
        told = done.stdout + done.stderr
        assert (done.returncode == 0) == ok, told
        return told

    def _once(self, project: str, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(TOOLS / "swift" / "swift"), *arguments],
            env={
                "PATH": os.environ["PATH"],
                "HOME": self.home,
                "SWIFT_CWD": f"{self.home}/{project}",
                "LANG": "C.UTF-8",
            },
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def authenticated(self) -> None:
        """As `login` leaves it; the client crashes there about every second time, after the server's answer."""
        registries = {
            "authentication": {self.server.host: {"type": "token", "loginAPIPath": "/login"}},
            "registries": {"[default]": {"url": self.endpoint, "supportsAvailability": False}},
            "version": 1,
        }
        (self.folder("config") / "registries.json").write_text(json.dumps(registries))
        netrc = self.folder(".") / "netrc"
        netrc.write_text(f"machine 127.0.0.1 login token password {self.server.token()}\n")
        netrc.chmod(0o600)


@pytest.fixture
def swift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Swift]:
    files = certificate(tmp_path)
    trusted = INSIDE / "usr/local/share/ca-certificates/packyard.crt"
    trusted.write_bytes(Path(files["tls_certificate"]).read_bytes())
    subprocess.run(["chroot", INSIDE, "update-ca-certificates"], check=True, capture_output=True)
    monkeypatch.setenv("AWS_CA_BUNDLE", files["tls_certificate"])
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(Application, "__call__", recording(Application.__call__, seen))
    with Server(tmp_path / "data", settings={"server": files}) as server:
        server.make("dom", "repo")
        yield Swift(server, f"/tmp/{tmp_path.name}-{os.getpid()}", seen)
    trusted.unlink()
    subprocess.run(["chroot", INSIDE, "update-ca-certificates", "--fresh"], check=True, capture_output=True)


def recording(call: Any, seen: list[dict[str, Any]]) -> Any:
    """The application, and every request below the endpoint on the side."""

    async def recorded(self: Application, scope: Any, receive: Any, send: Any) -> None:
        mark = f"/swift/d/dom-{ACCOUNT}/repo/"
        if scope["type"] != "http" or mark not in scope["path"]:
            await call(self, scope, receive, send)
            return
        query = scope["query_string"].decode()
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        entry = {
            "method": scope["method"],
            "path": scope["raw_path"].decode().partition(mark)[2] + (f"?{query}" if query else ""),
            "headers": {name: value for name, value in headers.items() if name not in ("host", "authorization")},
            "scheme": headers.get("authorization", "").partition(" ")[0],
        }
        body = bytearray()

        async def taken() -> Any:
            message = await receive()
            body.extend(message.get("body", b""))
            return message

        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start":
                entry["status"] = message["status"]
            await send(message)

        seen.append(entry)
        await call(self, scope, taken, sent)
        if body:
            entry["body"] = base64.b64encode(body).decode()

    return recorded


def package(folder: Path) -> None:
    (folder / "Sources" / "Hello").mkdir(parents=True)
    (folder / "Package.swift").write_text(MANIFEST)
    (folder / "Package@swift-6.0.swift").write_text(MANIFEST.replace("5.5", "6.0"))
    (folder / "README.md").write_text("# Hello\n")
    (folder / "Sources/Hello/Hello.swift").write_text('public let hello = "hello"\n')
    metadata = {
        "author": {"name": "Ada"},
        "description": "Says hello",
        "licenseURL": "https://git.example/acme/Hello/LICENSE",
        "originalPublicationTime": "2026-01-01T00:00:00.123Z",
        "repositoryURLs": ["https://git.example/Acme/Hello.git"],
    }
    (folder / "package-metadata.json").write_text(json.dumps(metadata))


def app(folder: Path, dependency: str) -> None:
    (folder / "Sources" / "App").mkdir(parents=True)
    (folder / "Package.swift").write_text(dependency)
    (folder / "Sources/App/main.swift").write_text("import Hello\nprint(hello)\n")


def test_a_package_is_published_and_resolved_and_built(swift: Swift) -> None:
    server = swift.server
    package(swift.folder("Hello"))
    swift.run("Hello", "package-registry", "set", swift.endpoint)
    written = json.loads((swift.folder("Hello") / ".swiftpm/configuration/registries.json").read_text())
    assert written["registries"]["[default]"]["url"] == swift.endpoint
    swift.authenticated()

    swift.run("Hello", "package-registry", "publish", "Acme.Hello", "1.0.0", "--url", swift.endpoint)
    swift.run("Hello", "package-registry", "publish", "Acme.Hello", "1.1.0", "--url", swift.endpoint)
    told = swift.run("Hello", "package-registry", "publish", "Acme.Hello", "1.1.0", "--url", swift.endpoint, ok=False)
    assert "409" in told
    assert "is in this repository" in told

    app(swift.folder("App"), APP.format(id="ACME.hello"))
    told = swift.run("App", "package", "resolve")
    assert "1.1.0" in told
    pinned = json.loads((swift.folder("App") / "Package.resolved").read_text())
    assert [(pin["identity"].lower(), pin["state"]["version"]) for pin in pinned["pins"]] == [("acme.hello", "1.1.0")]
    assert "hello" in swift.run("App", "run", "App").splitlines()

    shop = Shop(server, "swift", "repo")
    at = {"domain": "dom", "repository": "repo", "format": "swift", "namespace": "acme", "package": "hello"}
    server.boto().update_package_versions_status(**at, versions=["1.1.0"], targetStatus="Unlisted")
    (swift.folder("App") / ".build").rename(swift.folder("App") / "old")
    swift.run("App", "package", "resolve", cache="other")  # Package.resolved names it
    (swift.folder("App") / "Package.resolved").unlink()
    told = swift.run("App", "package", "update", cache="third")
    assert "1.0.0" in told
    assert shop.server is server

    by_address = APP.replace(
        '.package(id: "{id}", from: "1.0.0")', '.package(url: "git@git.example:acme/hello", from: "1.0.0")'
    )
    app(swift.folder("Other"), by_address.format(id="acme.hello"))
    told = swift.run("Other", "package", "--replace-scm-with-registry", "resolve")
    assert "acme.hello" in told.lower()
    assert all(entry["scheme"] == "Bearer" for entry in swift.seen if entry["path"] != "login")
    if os.environ.get("PACKYARD_TRANSCRIPT"):
        TRANSCRIPT.write_text(json.dumps(swift.seen, indent=1) + "\n")


def test_a_wrong_token_is_told_and_the_client_does_not_hang(swift: Swift) -> None:
    app(swift.folder("App"), APP.format(id="acme.hello"))
    swift.authenticated()
    netrc = swift.folder(".") / "netrc"
    netrc.write_text("machine 127.0.0.1 login token password wrong\n")

    told = swift.run("App", "package", "resolve", ok=False)

    assert "401" in told


def test_login_is_answered(swift: Swift) -> None:
    package(swift.folder("Hello"))
    swift.run("Hello", "package-registry", "set", swift.endpoint)
    swift.run("Hello", "package-registry", "login", f"{swift.endpoint}login", "--token", swift.server.token())
    assert [entry["status"] for entry in swift.seen if entry["path"] == "login"][-1] == 200
