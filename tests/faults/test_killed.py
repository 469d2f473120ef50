"""kill -9 in the middle of publishes: what was acknowledged is whole, what was not is whole or not there."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest

from tests.bench import load, packages
from tests.bench.processes import free_port, process

_ENV = {"PACKYARD_ADMIN_ACCESS_KEY_ID": "AKIAKILLKILLKILLKILL", "PACKYARD_ADMIN_SECRET_ACCESS_KEY": "kill" * 10}
_PACKYARD = str(Path(sys.executable).parent / "packyard")


@contextmanager
def running(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    port = free_port()
    command = [_PACKYARD, "serve", "--port", str(port), "--data", str(folder / "data")]
    with process("packyard", command, f"http://127.0.0.1:{port}", cwd=folder, env=_ENV, ready="/readyz") as server:
        yield server.url, server.popen


def client(url: str):
    return boto3.client(
        "codeartifact",
        endpoint_url=url,
        region_name="us-west-2",
        aws_access_key_id=_ENV["PACKYARD_ADMIN_ACCESS_KEY_ID"],
        aws_secret_access_key=_ENV["PACKYARD_ADMIN_SECRET_ACCESS_KEY"],
    )


def get(url: str, token: str) -> tuple[int, bytes]:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


async def publish_until_killed(url: str, path: str, token: str, popen: subprocess.Popen[bytes], after: int) -> set[str]:
    """Publish over four connections; kill the server when so many were acknowledged; return those."""
    acknowledged: set[str] = set()
    uploads = iter(
        [
            (
                f"kill-{n}",
                packages.npm_publish(path, f"kill-{n}", "1.0.0", 20_000, {"Authorization": f"Bearer {token}"}),
            )
            for n in range(after + 60)
        ]
    )
    host, port = url.removeprefix("http://").split(":")

    async def worker() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            for name, upload in uploads:
                writer.write(upload.wire(f"{host}:{port}"))
                await writer.drain()
                status, _ = await load.answer(reader)
                assert status in (200, 201)
                acknowledged.add(name)
                if len(acknowledged) == after:
                    os.killpg(popen.pid, signal.SIGKILL)
        finally:
            writer.close()

    results = await asyncio.gather(*(worker() for _ in range(4)), return_exceptions=True)
    unexpected = [r for r in results if r is not None and not isinstance(r, (OSError, asyncio.IncompleteReadError))]
    assert not unexpected, unexpected
    return acknowledged


@pytest.mark.slow
def test_an_acknowledged_publish_survives_and_no_half_version_appears(tmp_path: Path) -> None:
    acknowledged: set[str] = set()
    with running(tmp_path) as (url, popen):
        client(url).create_domain(domain="dom")
        client(url).create_repository(domain="dom", repository="repo")
        token = client(url).get_authorization_token(domain="dom")["authorizationToken"]
        path = "/npm/d/dom-111122223333/repo/"
        acknowledged = asyncio.run(publish_until_killed(url, path, token, popen, random.randint(20, 60)))

    with running(tmp_path) as (url, _):
        listed = {
            package["package"]
            for page in client(url).get_paginator("list_packages").paginate(domain="dom", repository="repo")
            for package in page["packages"]
        }
        assert acknowledged <= listed
        for name in listed:
            status, body = get(f"{url}{path}{name}", token)
            assert status == 200
            dist = json.loads(body)["versions"]["1.0.0"]["dist"]
            status, data = get(dist["tarball"], token)
            assert status == 200
            assert dist["integrity"] == "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()

    checked = subprocess.run(
        [_PACKYARD, "check", "--data", str(tmp_path / "data")],
        env={**os.environ, **_ENV},
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
