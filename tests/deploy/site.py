"""The shipped nginx files in front of real `packyard serve` processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config as BotoConfig

from tests.bench.processes import Process, free_port, process
from tests.clients.sandbox import tool
from tests.harness import ACCESS_KEY, ACCOUNT, REGION, SECRET_KEY

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


@contextmanager
def nginx(folder: Path, name: str, changes: Mapping[str, str]) -> Iterator[str]:
    """nginx with the shipped server file `name`, in which each of `changes` stands once or more; its address."""
    binary = tool("nginx/none", or_path="nginx" if not Path("/usr/sbin/nginx").exists() else "/usr/sbin/nginx")
    port, folder = free_port(), folder / "nginx"
    folder.mkdir()
    text = (DEPLOY / "nginx" / name).read_text()
    for old, new in {"listen 80;": f"listen 127.0.0.1:{port};", **changes}.items():
        assert old in text, old
        text = text.replace(old, new)
    paths = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.getuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user} daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{ worker_connections 512; }}\nhttp {{ access_log off; {paths} {text} }}\n"
    )
    command = [binary, "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    with process("nginx", command, f"http://127.0.0.1:{port}", cwd=folder):
        yield f"http://127.0.0.1:{port}"


@dataclass
class Node:
    """One `packyard serve`, which can be killed and started again on its port."""

    folder: Path
    environ: dict[str, str]
    port: int
    arguments: tuple[str, ...] = ()
    running: Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def started(self) -> Iterator[Node]:
        command = [sys.executable, "-m", "registry", "serve", "--port", str(self.port), *self.arguments]
        with process(f"node-{self.port}", command, self.url, cwd=self.folder, env=self.environ, ready="/readyz") as it:
            self.running = it
            yield self

    def kill(self) -> None:
        """kill -9 of it and its workers."""
        assert self.running is not None
        os.killpg(self.running.popen.pid, signal.SIGKILL)
        self.running.popen.wait(20)

    @cached_property
    def aws(self) -> Any:
        return client(self.url)


def client(url: str) -> Any:
    return boto3.session.Session().client(
        "codeartifact",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=BotoConfig(retries={"max_attempts": 0}, ignore_configured_endpoint_urls=True),
    )


def environment(**more: str) -> dict[str, str]:
    return {
        "PYTHONPATH": str(ROOT),
        "PACKYARD_ADMIN_ACCESS_KEY_ID": ACCESS_KEY,
        "PACKYARD_ADMIN_SECRET_ACCESS_KEY": SECRET_KEY,
        "PACKYARD_AWS_ACCOUNT": ACCOUNT,
        "PACKYARD_AWS_REGION": REGION,
        **more,
    }
