"""Rows of Maven: what a build asks for, beside nginx with the same bytes; deploys beside nginx's WebDAV."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.bench import load, servers
from tests.bench.rows import fetch, measure, path_of
from tests.bench.table import Table
from tests.samples.maven import Artifact, metadata, pom

_CLIENT = {"Cache-control": "no-cache", "User-Agent": "Apache-Maven/3.8.7 (Java 17.0.15; Linux 6.1)"}


def deploy(path: str, name: str, version: str, headers: Mapping[str, str], *, size: int = 10_000) -> list[load.Upload]:
    """The nine PUTs of `mvn deploy`: POM, jar and metadata, each with two checksums."""
    artifact = Artifact("com.bench", name, version, dependencies=[f"com.dep:dep{n}:1.{n}" for n in range(8)])
    sent = (
        (artifact.path(".pom"), pom(artifact)),
        (artifact.path(), os.urandom(size)),
        (artifact.metadata, metadata(artifact)),
    )
    made = []
    for place, body in sent:
        made.append(load.Upload("PUT", path + place, headers, body))
        for algorithm in ("sha1", "md5"):
            digest = hashlib.new(algorithm, body, usedforsecurity=False).hexdigest().encode()
            made.append(load.Upload("PUT", f"{path}{place}.{algorithm}", headers, digest))
    return made


def maven(scratch: Path, seconds: float) -> Iterator[Table]:
    """POM, jars, checksums and metadata of 10 and 500 versions; deploys one by one and side by side."""
    table = Table(
        "Maven, warm, 16 connections, token checked",
        ("what", "requests/s", "of nginx", "CPU us", "nginx CPU us", "p99 ms"),
    )
    with servers.packyard(scratch) as pack, servers.nginx(scratch) as nginx:
        base, url = pack.endpoint("maven"), pack.process.url
        for count in (10, 500):
            for n in range(count):
                _done(
                    load.write(
                        url, deploy(path_of(base), f"list{count}", f"1.{n}", pack.bearer, size=300), connections=1
                    )
                )
        for size in (10_000, 1_000_000):
            _done(load.write(url, deploy(path_of(base), f"file{size}", "1.0", pack.bearer, size=size), connections=1))
        rows = [
            ("POM", "com/bench/file10000/1.0/file10000-1.0.pom"),
            ("jar of 10 KB", "com/bench/file10000/1.0/file10000-1.0.jar"),
            ("jar of 1 MB", "com/bench/file1000000/1.0/file1000000-1.0.jar"),
            (".sha1 of a jar", "com/bench/file10000/1.0/file10000-1.0.jar.sha1"),
            ("metadata of 10 versions", "com/bench/list10/maven-metadata.xml"),
            ("metadata of 500 versions", "com/bench/list500/maven-metadata.xml"),
            (".sha1 of metadata", "com/bench/list500/maven-metadata.xml.sha1"),
        ]
        for number, (what, path) in enumerate(rows):
            headers = {**pack.bearer, **_CLIENT}
            body, _ = fetch(base + path, headers)
            (scratch / "nginx" / "www" / f"maven-{number}").write_bytes(body)
            ours = measure(pack.process, base + path, headers, 16, seconds)
            limit = measure(nginx, f"{nginx.url}/maven-{number}", _CLIENT, 16, seconds)
            table.add(
                what + (" FAILED" if ours.rate.failed else ""),
                ours.rate.per_second,
                ours.rate.per_second / limit.rate.per_second,
                ours.cpu_us,
                limit.cpu_us,
                ours.rate.p99_ms,
            )
    yield table
    yield _deploys(scratch, seconds)


def _deploys(scratch: Path, seconds: float) -> Table:
    """nginx checks nothing, computes nothing and does not flush."""
    table = Table(
        "Maven deploys of a 10 KB jar, nine PUTs each",
        ("what", "PUTs/s", "deploys/s", "median ms of a PUT", "p99 ms", "of nginx", "failed"),
    )
    count = max(20, int(20 * seconds))
    with servers.packyard(scratch, "packyard-deploys") as pack, servers.nginx(scratch, puts=True) as nginx:
        places = ((path_of(pack.endpoint("maven")), pack.bearer, pack.process.url), ("/put/", {}, nginx.url))
        for what, connections, names in (
            ("new artifacts, one by one", 1, [f"one{n}" for n in range(count)]),
            ("new artifacts, 5 at once", 5, [f"five{n}" for n in range(count)]),
        ):
            rates = []
            for path, headers, url in places:
                stages = list(zip(*(deploy(path, name, "1.0", headers) for name in names), strict=True))
                rates.append(_staged(url, stages, connections))
            ours, limit = rates
            table.add(
                what,
                ours.per_second,
                ours.per_second / 9,
                ours.median_ms,
                ours.p99_ms,
                ours.per_second / limit.per_second,
                ours.failed,
            )
    return table


def _staged(url: str, stages: list[tuple[load.Upload, ...]], connections: int) -> load.Rate:
    """Every artifact's first PUT, then every second, and so on: a file is there before its checksum."""
    rates = [load.write(url, list(stage), connections=connections) for stage in stages]
    seconds = sum(len(stage) / rate.per_second for stage, rate in zip(stages, rates, strict=True))
    median = sorted(rate.median_ms for rate in rates)[len(rates) // 2]
    total = sum(len(stage) for stage in stages)
    return load.Rate(total / seconds, median, max(r.p99_ms for r in rates), 0.0, sum(r.failed for r in rates))


def _done(rate: load.Rate) -> None:
    if rate.failed:
        raise RuntimeError(f"{rate.failed} PUTs failed")
