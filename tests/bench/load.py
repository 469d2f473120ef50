"""Load: wrk for reads, keep-alive sockets of our own for writes.  Every loop ends by count or by time."""

from __future__ import annotations

import asyncio
import re
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Rate:
    """What a load came to: requests a second, median and 99th percentile in ms, MB a second, failed requests."""

    per_second: float
    median_ms: float
    p99_ms: float
    megabytes: float
    failed: int


_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}
_SIZES = {"B": 1e-6, "KB": 1e-3, "MB": 1.0, "GB": 1e3}


def read(url: str, *, connections: int, seconds: float, headers: Mapping[str, str] | None = None) -> Rate:
    """GET one URL as fast as it goes."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency", "--timeout", "20s"]
    for name, value in (headers or {}).items():
        command += ["-H", f"{name}: {value}"]
    out = subprocess.run([*command, url], check=True, capture_output=True, text=True, timeout=seconds + 60).stdout

    def latency(mark: str) -> float:
        found = re.search(rf"{mark}\s+([\d.]+)(us|ms|s|m)\b", out)
        return float(found[1]) * _UNITS[found[2]] if found else float("nan")

    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    transfer = re.search(r"Transfer/sec:\s+([\d.]+)(B|KB|MB|GB)", out)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    broken = sum(int(n) for line in re.findall(r"Socket errors: (.*)", out) for n in re.findall(r"\d+", line))
    return Rate(
        float(rate[1]) if rate else 0.0,
        latency("50%"),
        latency("99%"),
        float(transfer[1]) * _SIZES[transfer[2]] if transfer else 0.0,
        (int(bad[1]) if bad else 0) + broken,
    )


@dataclass(frozen=True)
class Upload:
    """One request, ready to send."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def wire(self, host: str) -> bytes:
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


async def answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    lower = head.lower()
    length = re.search(rb"content-length:\s*(\d+)", lower)
    if length:
        await reader.readexactly(int(length[1]))
    elif b"transfer-encoding: chunked" in lower:
        while size := int((await reader.readline()).split(b";")[0], 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    return status, b"connection: close" not in lower


async def _worker(base: str, queue: Iterator[Upload], times: list[float], bad: list[int]) -> None:
    parts = urlsplit(base)
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None
    for upload in queue:
        if reader is None or writer is None:
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        began = time.perf_counter()
        writer.write(upload.wire(parts.netloc))
        await writer.drain()
        status, keep = await asyncio.wait_for(answer(reader), 120)
        times.append((time.perf_counter() - began) * 1000)
        if status >= 300:
            bad.append(status)
        if not keep:
            writer.close()
            reader = writer = None
    if writer is not None:
        writer.close()


def write(base: str, uploads: Sequence[Upload], *, connections: int) -> Rate:
    """Send every upload once over some connections."""
    times: list[float] = []
    bad: list[int] = []
    queue = iter(uploads)

    async def run() -> None:
        await asyncio.gather(*(_worker(base, queue, times, bad) for _ in range(connections)))

    began = time.perf_counter()
    asyncio.run(run())
    took = time.perf_counter() - began
    times.sort()
    size = sum(len(upload.body) for upload in uploads)
    return Rate(
        len(uploads) / took,
        times[len(times) // 2],
        times[min(len(times) - 1, int(len(times) * 0.99))],
        size / took / 1e6,
        len(bad),
    )


def crowd(url: str, headers: Mapping[str, str], clients: int) -> float:
    """Ask for one URL from many clients at the same moment; seconds until all have it whole."""
    parts = urlsplit(url)
    upload = Upload("GET", parts.path, headers, b"")
    began = time.perf_counter()
    base = f"{parts.scheme}://{parts.netloc}"
    if write(base, [upload] * clients, connections=clients).failed:
        raise RuntimeError(f"a client failed at {base}")
    return time.perf_counter() - began
