"""A public npm registry that can be bent out of shape, in a thread of its own."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import io
import json
import tarfile
import threading
from types import TracebackType
from typing import Any, Self

from tests.upstreams.wire import Answer, Asked, Wire


def tarball(name: str, version: str, *, ballast: bytes = b"") -> bytes:
    """A package that npm would install."""
    manifest = json.dumps({"name": name, "version": version}).encode()
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for path, body in (("package/package.json", manifest), ("package/ballast", ballast)):
            entry = tarfile.TarInfo(path)
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
    return gzip.compress(raw.getvalue(), mtime=0, compresslevel=1)


class PublicNpm:
    """Lists packages, honestly; what it sends can be set otherwise through `wire.answers`."""

    def __init__(self) -> None:
        self.wire = Wire()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="public", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def base(self) -> str:
        return self.wire.base

    def start(self) -> None:
        asyncio.run_coroutine_threadsafe(self.wire.start(), self._loop).result(10)

    def stop(self) -> None:
        """Refuse connections, until started again on the same port."""
        asyncio.run_coroutine_threadsafe(self.wire.stop(), self._loop).result(10)

    def event(self) -> asyncio.Event:
        return asyncio.Event()

    def set(self, event: asyncio.Event) -> None:
        self._loop.call_soon_threadsafe(event.set)

    def publish(self, name: str, *versions: str, ballast: bytes = b"", **dist: Any) -> bytes:
        """Versions with one tarball each; returns the last one's bytes."""
        document: dict[str, Any] = {"name": name, "dist-tags": {"latest": versions[-1]}, "versions": {}, "time": {}}
        body = b""
        for version in versions:
            body = tarball(name, version, ballast=ballast)
            path = f"/{name}/-/{name}-{version}.tgz"
            sha512 = base64.b64encode(hashlib.sha512(body).digest()).decode()
            document["versions"][version] = {
                "name": name,
                "version": version,
                "dist": {
                    "tarball": self.base.rstrip("/") + path,
                    "integrity": f"sha512-{sha512}",
                    "shasum": hashlib.sha1(body).hexdigest(),
                    **dist,
                },
            }
            document["time"][version] = "2020-01-02T03:04:05.678Z"
            self.wire.answers[path] = Answer(200, body, {"Content-Type": "application/octet-stream"})
        text = json.dumps(document).encode()
        etag = f'"{hashlib.sha256(text).hexdigest()}"'

        def listing(asked: Asked) -> Answer:
            if asked.headers.get("if-none-match") == etag:
                return Answer(304, headers={"ETag": etag})
            return Answer(200, text, {"ETag": etag, "Content-Type": "application/json"})

        self.wire.answers[f"/{name}"] = listing
        return body
