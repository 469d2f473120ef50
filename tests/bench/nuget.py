"""Rows of NuGet: what restore and the IDE ask for, beside nginx with the same bytes; pushes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.bench import load, servers
from tests.bench.rows import fetch, measure, path_of
from tests.bench.table import Table
from tests.samples.nuget import Package, pushed

_CLIENT = {
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": "NuGet .NET Core MSBuild Task/5.4.0",
    "X-NuGet-Client-Version": "5.4.0",
}


def _push(path: str, id: str, version: str, headers: Mapping[str, str], *, size: int = 300) -> load.Upload:
    needed = [(f"Dependency.{letter}", "[1.2.3, 2.0.0)") for letter in "ABCD"]
    more = "<tags>bench measure load</tags><projectUrl>https://example.com/bench</projectUrl>"
    body = Package(id, version, "A package for measuring", metadata=more, dependencies=needed,
                   files={"lib/x.bin": os.urandom(size)}).nupkg()  # fmt: skip
    form, chunks = pushed(body)
    return load.Upload("PUT", f"{path}v3/package/", {**form, **headers}, b"".join(chunks))


def nuget(scratch: Path, seconds: float) -> Iterator[Table]:
    """Documents of 10 and 500 versions, package files of 10 KB and 1 MB, pushes one by one and at once."""
    table = Table(
        "NuGet, warm, 16 connections, gzip, token checked",
        ("what", "requests/s", "of nginx", "CPU us", "nginx CPU us", "p99 ms"),
    )
    pushes = Table("NuGet push of 10 KB", ("what", "requests/s", "median ms", "p99 ms", "failed"))
    with servers.packyard(scratch) as pack, servers.nginx(scratch) as nginx:
        base, url = pack.endpoint("nuget"), pack.process.url
        for count in (10, 500):
            uploads = [_push(path_of(base), f"Bench{count}", f"1.{n}.0", pack.bearer) for n in range(count)]
            _done(load.write(url, uploads, connections=1))
        for size in (10_000, 1_000_000):
            _done(
                load.write(url, [_push(path_of(base), f"File{size}", "1.0.0", pack.bearer, size=size)], connections=1)
            )
        documents = [
            (f"{what}, {count} versions", path.format(f"bench{count}"))
            for count in (10, 500)
            for what, path in (
                ("flat container index", "v3/flat/{}/index.json"),
                ("registration index", "v3/registration-gz-semver2/{}/index.json"),
            )
        ]
        documents.append(("registration page of 64", "v3/registration-gz-semver2/bench500/page/1.0.0/1.63.0.json"))
        documents += [
            (f"package of {size // 1000} KB", f"v3/flat/file{size}/1.0.0/file{size}.1.0.0.nupkg")
            for size in (10_000, 1_000_000)
        ]
        for number, (what, path) in enumerate(documents):
            headers = {**pack.bearer, **_CLIENT}
            body, _ = fetch(base + path, headers)
            ending = "nupkg" if path.endswith(".nupkg") else "json.gz" if body.startswith(b"\x1f\x8b") else "json"
            file = scratch / "nginx" / "www" / f"{number}.{ending}"
            file.write_bytes(body)
            mine = measure(pack.process, base + path, headers, 16, seconds)
            limit = measure(nginx, f"{nginx.url}/{file.name}", _CLIENT, 16, seconds)
            what += f" ({len(body):,} bytes)" + (f" ({mine.rate.failed} FAILED)" if mine.rate.failed else "")
            share = mine.rate.per_second / limit.rate.per_second
            table.add(what, mine.rate.per_second, share, mine.cpu_us, limit.cpu_us, mine.rate.p99_ms)
        yield table
        count = int(100 * max(1.0, seconds))
        for what, connections in (("new packages, one by one", 1), ("new packages, 16 at once", 16)):
            uploads = [
                _push(path_of(base), f"New{connections}.{n}", "1.0.0", pack.bearer, size=10_000) for n in range(count)
            ]
            done = load.write(url, uploads, connections=connections)
            pushes.add(what, done.per_second, done.median_ms, done.p99_ms, done.failed)
    yield pushes


def _done(rate: load.Rate) -> None:
    if rate.failed:
        raise RuntimeError(f"{rate.failed} pushes failed")
