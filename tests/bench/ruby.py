"""Rows of Ruby: what gem and Bundler ask for, beside nginx with the same bytes; pushes; a repository of many gems."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.bench import load, servers
from tests.bench.rows import fetch, measure, path_of
from tests.bench.table import Table
from tests.samples.ruby import Gem

_CLIENT = {"Accept-Encoding": "gzip", "User-Agent": "bundler/2.6.7 rubygems/3.6.7 ruby/3.1.2 (x86_64) command/install"}
_NEEDS = [(f"dependency{n}", ["~> 1.2", f">= 1.2.{n}"], "runtime") for n in range(6)]
_MANY = 2000


def _push(path: str, name: str, version: str, headers: Mapping[str, str], *, size: int = 300) -> load.Upload:
    body = Gem(name, version, needs=_NEEDS, files={"lib/x.bin": os.urandom(size)}).build()
    return load.Upload("POST", f"{path}api/v1/gems", {"Content-Type": "application/octet-stream", **headers}, body)


def ruby(scratch: Path, seconds: float) -> Iterator[Table]:
    """Pages of 10 and 500 versions, the indexes of 2,000 gems, specifications and files, pushes."""
    table = Table(
        "Ruby, warm, 16 connections, gzip, token checked",
        ("what", "requests/s", "of nginx", "CPU us", "nginx CPU us", "p99 ms"),
    )
    with servers.packyard(scratch) as pack, servers.nginx(scratch) as nginx:
        base, url = pack.endpoint("ruby"), pack.process.url
        path = path_of(base)
        for count in (10, 500):
            _done(
                load.write(url, [_push(path, f"bench{count}", f"1.{n}.0", pack.bearer) for n in range(count)],
                           connections=1)
            )  # fmt: skip
        for size in (10_000, 1_000_000):
            _done(load.write(url, [_push(path, f"file{size}", "1.0.0", pack.bearer, size=size)], connections=1))
        _done(load.write(url, [_push(path, f"many{n}", "1.0.0", pack.bearer) for n in range(_MANY)], connections=16))
        documents = [
            ("info, 10 versions", "info/bench10"),
            ("info, 500 versions", "info/bench500"),
            (f"versions, {_MANY:,} gems", "versions"),
            (f"latest specs, {_MANY:,} gems", "latest_specs.4.8.gz"),
            ("specification", "quick/Marshal.4.8/bench10-1.9.0.gemspec.rz"),
            ("gem of 10 KB", "gems/file10000-1.0.0.gem"),
            ("gem of 1 MB", "gems/file1000000-1.0.0.gem"),
        ]
        for number, (what, below) in enumerate(documents):
            headers = {**pack.bearer, **_CLIENT}
            body, _ = fetch(base + below, headers)
            gzipped = body.startswith(b"\x1f\x8b") and not below.endswith(".gz")
            file = scratch / "nginx" / "www" / f"{number}.{'json.gz' if gzipped else 'bin'}"
            file.write_bytes(body)
            mine = measure(pack.process, base + below, headers, 16, seconds)
            limit = measure(nginx, f"{nginx.url}/{file.name}", _CLIENT, 16, seconds)
            what += f" ({len(body):,} bytes)" + (f" ({mine.rate.failed} FAILED)" if mine.rate.failed else "")
            share = mine.rate.per_second / limit.rate.per_second
            table.add(what, mine.rate.per_second, share, mine.cpu_us, limit.cpu_us, mine.rate.p99_ms)
        yield table
        yield _pushes(path, url, pack.bearer, seconds)
        yield _after_a_push(base, url, pack.bearer)


def _pushes(path: str, url: str, headers: Mapping[str, str], seconds: float) -> Table:
    table = Table("gem push of 10 KB", ("what", "requests/s", "median ms", "p99 ms", "failed"))
    count = int(100 * max(1.0, seconds))
    for what, connections in (("new gems, one by one", 1), ("new gems, 16 at once", 16)):
        uploads = [_push(path, f"new{connections}x{n}", "1.0.0", headers, size=10_000) for n in range(count)]
        done = load.write(url, uploads, connections=connections)
        table.add(what, done.per_second, done.median_ms, done.p99_ms, done.failed)
    return table


def _after_a_push(base: str, url: str, headers: Mapping[str, str]) -> Table:
    """The indexes of a whole repository, made anew because one gem has changed."""
    table = Table(f"Indexes of more than {_MANY:,} gems, right after a push", ("what", "ms"))
    for below in ("versions", "names", "specs.4.8.gz"):
        took = []
        for n in range(5):
            _done(load.write(url, [_push(path_of(base), "many1", f"{n}.{len(below)}.1", headers)], connections=1))
            began = time.perf_counter()
            fetch(base + below, {**headers, **_CLIENT})
            took.append((time.perf_counter() - began) * 1000)
        table.add(below, sorted(took)[2])
    return table


def _done(rate: load.Rate) -> None:
    if rate.failed:
        raise RuntimeError(f"{rate.failed} pushes failed")
