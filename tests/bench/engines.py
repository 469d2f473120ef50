"""PostgreSQL beside SQLite, one process and two, and PostgreSQL with a bucket: the same requests in one run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from tests import bucket, postgres
from tests.bench import load, packages, servers
from tests.bench.rows import ABBREVIATED, SIMPLE_JSON, Measured, measure, path_of
from tests.bench.table import Table


def engines(scratch: Path, seconds: float) -> Iterator[Table]:
    """Ratios to one process on SQLite and files."""
    cluster, far = postgres.shared(), bucket.shared()
    kinds: dict[str, Mapping[str, str]] = {
        "SQLite, files": {},
        "SQLite, files, 2 workers": {"PACKYARD_SERVER_WORKERS": "2"},
        "PostgreSQL, files": {"PACKYARD_STORAGE_DATABASE": cluster.database()},
        "PostgreSQL, bucket": {
            "PACKYARD_STORAGE_DATABASE": cluster.database(),
            "PACKYARD_STORAGE_BLOBS": far.place(),
            **far.environment,
        },
        "PostgreSQL, bucket, 2 workers": {
            "PACKYARD_STORAGE_DATABASE": cluster.database(),
            "PACKYARD_STORAGE_BLOBS": far.place(),
            "PACKYARD_SERVER_WORKERS": "2",
            **far.environment,
        },
    }
    with ExitStack() as stack:
        packs = [
            (kind, stack.enter_context(servers.packyard(scratch, f"packyard-{number}", settings=settings)))
            for number, (kind, settings) in enumerate(kinds.items())
        ]
        yield _reading(packs, seconds)
        yield _publishing(packs, int(60 * max(1.0, seconds)))


def _reading(packs: list[tuple[str, servers.Packyard]], seconds: float) -> Table:
    table = Table(
        "warm reads by engine, 16 connections, token checked",
        ("what", "engine", "requests/s", "of SQLite, files", "CPU us", "p99 ms"),
    )
    for _, pack in packs:
        path = path_of(pack.endpoint("npm"))
        uploads = [packages.npm_publish(path, "bench", f"1.{n}.0", 10_000, pack.bearer) for n in range(20)]
        path = path_of(pack.endpoint("pypi"))
        uploads += [packages.pypi_upload(path, "bench", f"1.{n}", pack.bearer) for n in range(20)]
        if load.write(pack.process.url, uploads, connections=1).failed:
            raise RuntimeError("a publish failed")
    for what, format, rest, accept in (
        ("packument, 20 versions", "npm", "bench", ABBREVIATED),
        ("simple page, 20 files", "pypi", "simple/bench/", SIMPLE_JSON),
        ("10 KB tarball", "npm", "bench/-/bench-1.1.0.tgz", "*/*"),
    ):
        first: Measured | None = None
        for kind, pack in packs:
            headers = {**pack.bearer, "Accept": accept, "Accept-Encoding": "gzip"}
            found = measure(pack.process, pack.endpoint(format) + rest, headers, 16, seconds)
            first = first or found
            table.add(
                what + (f" ({found.rate.failed} FAILED)" if found.rate.failed else ""),
                kind,
                found.rate.per_second,
                found.rate.per_second / max(0.001, first.rate.per_second),
                found.cpu_us,
                found.rate.p99_ms,
            )
    return table


def _publishing(packs: list[tuple[str, servers.Packyard]], count: int) -> Table:
    table = Table(
        "npm publish of 10 KB by engine",
        ("what", "engine", "requests/s", "of SQLite, files", "median ms", "p99 ms", "failed"),
    )
    for what, connections, names, versions in (
        ("new packages, one by one", 1, [f"new-{n}" for n in range(count)], ["1.0.0"]),
        ("new packages, 16 at once", 16, [f"par-{n}" for n in range(count)], ["1.0.0"]),
        ("versions of one package, 16 at once", 16, ["next"], [f"1.{n}.0" for n in range(count)]),
    ):
        first: load.Rate | None = None
        for kind, pack in packs:
            path = path_of(pack.endpoint("npm"))
            uploads = [packages.npm_publish(path, n, v, 10_000, pack.bearer) for n in names for v in versions]
            rate = load.write(pack.process.url, uploads, connections=connections)
            first = first or rate
            share = rate.per_second / first.per_second
            table.add(what, kind, rate.per_second, share, rate.median_ms, rate.p99_ms, rate.failed)
    return table
