"""Disks that are full, files that are lost, cut short or changed under a running server."""

from __future__ import annotations

import contextlib
import http.client
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import botocore.exceptions
import pytest

from tests.faults.publishes import KINDS, answer, failures, files, packages, publish
from tests.harness import Server

PACKYARD = str(Path(sys.executable).parent / "packyard")
NAMES = {
    "npm": ("npm", "sample-pkg/-/sample-pkg-1.0.0.tgz"),
    "wheel": ("pypi", "simple/sample-pkg/1.0.0/sample_pkg-1.0.0-py3-none-any.whl"),
    "sdist": ("pypi", "simple/sample-pkg/1.0.0/sample_pkg-1.0.0.tar.gz"),
    "generic": ("generic", "names/sample-pkg/1.0.0/code"),
    "api": ("generic", "names/sample-pkg/1.0.0/code"),
}


def check(server: Server) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PACKYARD, "check", "--data", str(server.data)], capture_output=True, text=True, check=False)


def blob(server: Server) -> Path:
    """The only stored file."""
    (name,) = files(server)
    return server.data / name


def read(server: Server, kind: str) -> bytes | None:
    """The whole file, or None when the server says or shows that it cannot give it."""
    format, path = NAMES[kind]
    try:
        got = server.get(server.endpoint(format) + path, token=server.token())
    except (http.client.IncompleteRead, http.client.RemoteDisconnected, ConnectionError):
        return None
    if got.status == 200:
        return got.body
    assert got.status == 503
    assert int(got.headers["retry-after"]) > 0
    return None


def api_read(server: Server, kind: str) -> bytes | None:
    """The same through GetPackageVersionAsset."""
    format, path = NAMES[kind]
    where = {"domain": "dom", "repository": "repo", "format": format, "package": "sample-pkg"}
    where |= {"namespace": "names"} if format == "generic" else {}
    name = "package.tgz" if format == "npm" else path.rpartition("/")[2]
    client = server.boto()
    try:
        whole: bytes = client.get_package_version_asset(**where, packageVersion="1.0.0", asset=name)["asset"].read()
    except (client.exceptions.ClientError, botocore.exceptions.ResponseStreamingError) as err:
        assert getattr(err, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode", 503) == 503
        return None
    return whole


@pytest.mark.parametrize(
    ("kind", "harm", "size"),
    [
        ("wheel", "deleted", 3_000_000),
        ("npm", "deleted", 2_000),
        ("generic", "cut", 3_000_000),
        ("wheel", "cut", 2_000),
        ("npm", "emptied", 3_000_000),
    ],
)
def test_a_lost_file_is_never_served_short_is_reported_and_heals(
    tmp_path: Path, kind: str, harm: str, size: int
) -> None:
    with Server(tmp_path / "data") as server:
        server.make("dom", "repo")
        head, body = publish(server, kind, size=size)
        assert answer(server, head + body).startswith((b"HTTP/1.1 200", b"HTTP/1.1 201"))
        whole = blob(server).read_bytes()
        assert read(server, kind) == whole

        path = blob(server)
        if harm == "deleted":
            path.unlink()
        else:
            os.truncate(path, 0 if harm == "emptied" else path.stat().st_size - 100)
        # What is in memory or open may still be given, whole.
        assert read(server, kind) in (None, whole)
        assert api_read(server, kind) in (None, whole)

    with Server(tmp_path / "data") as server:
        assert read(server, kind) is None
        assert api_read(server, kind) is None
        report = check(server)
        assert report.returncode == 1
        assert ("missing" if harm == "deleted" else "size") in report.stdout

        head, body = publish(server, kind, size=size)
        assert answer(server, head + body).startswith((b"HTTP/1.1 200", b"HTTP/1.1 201"))
        assert read(server, kind) == api_read(server, kind) == whole


def test_a_file_cut_short_under_its_download_is_broken_off(server: Server) -> None:
    """A download under way has the old length; its end never comes."""
    head, body = publish(server, "generic", size=64_000_000)
    assert answer(server, head + body).startswith(b"HTTP/1.1 201")
    format, path = NAMES["generic"]
    connection = http.client.HTTPConnection(server.host, timeout=20)
    connection.request(
        "GET",
        server.endpoint(format).split(server.host)[1] + path,
        headers={"Authorization": f"Bearer {server.token()}"},
    )
    reply = connection.getresponse()
    reply.read(100_000)

    os.truncate(blob(server), 10_000_000)

    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        reply.read()
    connection.close()


def test_changed_bytes_are_found_by_check_and_taken_out_by_repair(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        server.make("dom", "repo")
        head, body = publish(server, "npm", size=100_000)
        answer(server, head + body)
        path = blob(server)
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))

        assert "digest" in check(server).stdout
        subprocess.run([PACKYARD, "check", "--repair", "--data", str(server.data)], capture_output=True, check=False)

    with Server(tmp_path / "data") as server:
        assert read(server, "npm") is None
        head, body = publish(server, "npm", size=100_000)
        assert answer(server, head + body).startswith((b"HTTP/1.1 200", b"HTTP/1.1 201"))
        assert read(server, "npm") == whole


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of its own."""
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("mounting needs rights that we do not have")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_refuses_publishes_whole_and_goes_on_reading(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 8) as disk:
        with Server(disk / "data") as server:
            server.make("dom", "repo")
            stored = []
            for number in range(40):
                head, body = publish(server, KINDS[number % len(KINDS)], size=600_000, name=f"name{number}")
                got = answer(server, head + body)
                assert got.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201", b"HTTP/1.1 503"))
                if got.startswith(b"HTTP/1.1 2"):
                    stored.append(f"name{number}")
                else:
                    assert b"retry-after" in got
            assert 0 < len(stored) < 40
            with contextlib.suppress(OSError), open(disk / "rest", "wb", buffering=0) as rest:
                while rest.write(bytes(4096)):
                    pass

            assert sorted(packages(server)) == sorted(stored)
            assert len(files(server)) <= len(stored)
            head, body = publish(server, "npm", name="later")
            assert answer(server, head + body).startswith(b"HTTP/1.1 503")
            assert server.get(server.endpoint("npm") + "name0", token=server.token()).status == 200
            assert server.get(server.endpoint("npm") + "name0/-/name0-1.0.0.tgz", token=server.token()).status == 200

            (disk / "rest").unlink(missing_ok=True)
            subprocess.run(["mount", "-o", "remount,size=16m", str(disk)], check=True)
            assert answer(server, head + body).startswith(b"HTTP/1.1 201")
            assert {line["status"] for line in failures(server)} == {503}
        assert check(server).returncode == 0
