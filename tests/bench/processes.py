"""The servers of a run: each started as a process of its own in a scratch folder, measured, and ended by its pid."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _tree(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


@dataclass
class Process:
    """A running server."""

    name: str
    url: str
    popen: subprocess.Popen[bytes]

    def cpu(self) -> float:
        """Seconds of CPU that it and its children have used."""
        ticks = 0
        for pid in _tree(self.popen.pid):
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def reset_peak(self) -> None:
        """Forget the peak memory, where the kernel lets us."""
        for pid in _tree(self.popen.pid):
            with contextlib.suppress(OSError):
                Path(f"/proc/{pid}/clear_refs").write_text("5")

    def peak(self) -> float:
        """Peak resident MiB of it and its children since the last reset."""
        kib = 0
        for pid in _tree(self.popen.pid):
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                    if line.startswith("VmHWM:"):
                        kib += int(line.split()[1])
        return kib / 1024

    def written(self) -> int:
        """Bytes that it and its children have asked the kernel to write to files and sockets."""
        total = 0
        for pid in _tree(self.popen.pid):
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{pid}/io").read_text().splitlines():
                    if line.startswith("write_bytes:"):
                        total += int(line.split()[1])
        return total


@contextlib.contextmanager
def process(
    name: str, command: Sequence[str], url: str, *, cwd: Path, env: Mapping[str, str] | None = None, ready: str = ""
) -> Iterator[Process]:
    """Run a server until the block ends; waits up to 60 seconds for any HTTP answer at url + ready."""
    log = (cwd / f"{name}.log").open("wb")
    popen = subprocess.Popen(
        list(command), cwd=cwd, env={**os.environ, **(env or {})}, stdout=log, stderr=log, start_new_session=True
    )
    try:
        _await(url + ready, popen, cwd / f"{name}.log")
        yield Process(name, url, popen)
    finally:
        for pid in reversed(_tree(popen.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        try:
            popen.wait(10)
        except subprocess.TimeoutExpired:
            popen.kill()
            popen.wait()
        log.close()


def _await(url: str, popen: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if popen.poll() is not None:
            raise RuntimeError(f"it ended with {popen.returncode}: {log.read_text()[-2000:]}")
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"no answer from {url}: {log.read_text()[-2000:]}")
