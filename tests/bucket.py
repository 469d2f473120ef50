"""A real S3-compatible server for tests: SeaweedFS, started once in a test process and stopped with it.

    server = bucket.shared()             # started when it is first asked for: three to six seconds
    settings = {"storage": {"blobs": server.place()}}      # a prefix that nobody else uses
    Server(tmp_path, settings=settings, environ=...)       # with server.environment in os.environ

The tests of one file run in one process (`--dist loadfile`), which starts one server for all of them.
"""

from __future__ import annotations

import atexit
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.clients.sandbox import tool

ACCESS_KEY = "AKIABUCKET"
SECRET_KEY = "bucket/secret/key"
REGION = "us-east-1"
BUCKET = "packyard"
_numbers = itertools.count(1)
_shared: list[BucketServer] = []


@dataclass
class BucketServer:
    """`url` answers S3 requests signed with ACCESS_KEY; the bucket BUCKET is there."""

    folder: Path
    url: str = ""

    def start(self) -> BucketServer:
        """Raises RuntimeError with what the server said.  Takes three to six seconds."""
        weed = tool("seaweedfs/bin/weed")
        self._configure()
        for _ in range(3):
            ports = _free_ports()
            self.url = f"http://127.0.0.1:{ports[3]}"
            self._run(weed, ports)
            if self._answers():
                self._make_bucket()
                return self
            self.stop()
        raise RuntimeError("SeaweedFS does not start:\n" + (self.folder / "log").read_text()[-3000:])

    def stop(self) -> None:
        """The whole group of processes that `start` made."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)  # its data goes with the folder
        self._process.wait()

    def place(self) -> str:
        """The address of a fresh prefix of the bucket."""
        return f"s3://{BUCKET}/{next(_numbers)}"

    @property
    def environment(self) -> dict[str, str]:
        """What makes boto3, and so Packyard, find this server."""
        return {
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": REGION,
        }

    @property
    def credentials(self) -> dict[str, str]:
        return {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY}

    def boto(self) -> Any:
        import boto3
        from botocore.config import Config

        return boto3.session.Session(**self.credentials, region_name=REGION).client(
            "s3", endpoint_url=self.url, config=Config(signature_version="s3v4", s3={"addressing_style": "path"})
        )

    def _configure(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "weed").mkdir(exist_ok=True)
        identity = {
            "name": "packyard",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        (self.folder / "s3.json").write_text(json.dumps({"identities": [identity]}))

    def _run(self, weed: str, ports: list[int]) -> None:
        master, volume, filer, s3 = ports
        options = {
            "dir": self.folder / "weed",
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "master.port": master,
            "volume.port": volume,
            "filer.port": filer,
            "s3.port": s3,
            "s3.config": self.folder / "s3.json",
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "volume.max": 20,
            "master.volumeSizeLimitMB": 256,
            "master.telemetry": "false",
        }
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [weed, "server", "-s3", *[f"-{name}={value}" for name, value in options.items()]],
                cwd=self.folder,
                env={"HOME": str(self.folder), "PATH": os.environ["PATH"]},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _answers(self) -> bool:
        until = time.monotonic() + 40
        while time.monotonic() < until and self._process.poll() is None:
            try:
                urllib.request.urlopen(self.url, timeout=5)
            except urllib.error.HTTPError:
                return True
            except OSError:
                time.sleep(0.1)  # another process: nothing to await
        return False

    def _make_bucket(self) -> None:
        """The first volumes take a moment longer than the first answer."""
        client, until = self.boto(), time.monotonic() + 30
        while True:
            try:
                client.create_bucket(Bucket=BUCKET)
                client.put_object(Bucket=BUCKET, Key="first", Body=b"x")
                client.delete_object(Bucket=BUCKET, Key="first")
                return
            except Exception:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)


def shared() -> BucketServer:
    """The one of this process."""
    if not _shared:
        server = BucketServer(Path(tempfile.mkdtemp(prefix="packyard-s3-"))).start()
        _shared.append(server)
        atexit.register(_end, server, os.getpid())
    return _shared[0]


def _end(server: BucketServer, owner: int) -> None:
    """Not in a process that was forked from the one that started it."""
    if os.getpid() == owner:
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)


def _free_ports() -> list[int]:
    """Four ports that are free together with those 10000 above, which the server opens too."""
    ports: list[int] = []
    while len(ports) < 4:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            if port + 10_000 > 65_535 or port in ports:
                port = 10_000 + port % 20_000
            try:
                other.bind(("127.0.0.1", port + 10_000))
            except OSError:
                continue
            ports.append(port)
    return ports
