"""The rows: what is measured, beside which peer."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from tests.bench import grow, load, packages, servers
from tests.bench.processes import Process
from tests.bench.table import Table

FULL = "application/json"
ABBREVIATED = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*"
SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"


def fetch(url: str, headers: Mapping[str, str]) -> tuple[bytes, str]:
    """Body as sent (still encoded) and ETag."""
    with urllib.request.urlopen(urllib.request.Request(url, headers=dict(headers)), timeout=60) as answer:
        return answer.read(), answer.headers.get("ETag") or ""


@dataclass(frozen=True)
class Measured:
    """A rate with the CPU microseconds that the server spent on each request."""

    rate: load.Rate
    cpu_us: float


def measure(process: Process, url: str, headers: Mapping[str, str], connections: int, seconds: float) -> Measured:
    """A short warm-up, then the measurement."""
    load.read(url, connections=connections, seconds=1, headers=headers)
    before = process.cpu()
    rate = load.read(url, connections=connections, seconds=seconds, headers=headers)
    done = max(1.0, rate.per_second * seconds)
    return Measured(rate, (process.cpu() - before) / done * 1e6)


def path_of(url: str) -> str:
    return urlsplit(url).path


def _publish_versions(base: str, name: str, count: int, headers: Mapping[str, str], origin: str) -> None:
    uploads = [packages.npm_publish(base, name, f"1.{n}.0", 500, headers) for n in range(count)]
    done = load.write(origin, uploads, connections=1)
    if done.failed:
        raise RuntimeError(f"{done.failed} publishes failed at {origin}")


def npm_metadata(scratch: Path, seconds: float) -> Iterator[Table]:
    table = Table(
        "npm packuments, warm, 16 connections, gzip, token checked",
        ("what", "requests/s", "of nginx", "CPU us", "nginx CPU us", "times Verdaccio", "p99 ms"),
    )
    with servers.packyard(scratch) as pack, servers.nginx(scratch) as nginx, servers.verdaccio(scratch) as verd:
        base = pack.endpoint("npm")
        for count in (5, 100, 1000):
            name = f"bench-{count}"
            _publish_versions(path_of(base), name, count, pack.bearer, pack.process.url)
            _publish_versions("/", name, count, {}, verd.url)
            for kind, accept in (("full", FULL), ("abbreviated", ABBREVIATED)):
                headers = {**pack.bearer, "Accept": accept, "Accept-Encoding": "gzip"}
                body, etag = fetch(base + name, headers)
                file = scratch / "nginx" / "www" / f"{name}-{kind}.json.gz"
                file.write_bytes(body)
                plain = {"Accept": accept, "Accept-Encoding": "gzip"}
                ours = measure(pack.process, base + name, headers, 16, seconds)
                limit = measure(nginx, f"{nginx.url}/{file.name}", plain, 16, seconds)
                peer = measure(verd, f"{verd.url}/{name}", plain, 16, seconds)
                _metadata_row(table, f"{kind}, {count} versions ({len(body):,} bytes)", ours, limit, peer)
            headers["If-None-Match"] = etag
            _, tag = fetch(f"{nginx.url}/{file.name}", {})
            _, verd_tag = fetch(f"{verd.url}/{name}", plain)
            ours = measure(pack.process, base + name, headers, 16, seconds)
            limit = measure(nginx, f"{nginx.url}/{file.name}", {"If-None-Match": tag}, 16, seconds)
            peer = measure(verd, f"{verd.url}/{name}", {**plain, "If-None-Match": verd_tag}, 16, seconds)
            _metadata_row(table, f"304, {count} versions", ours, limit, peer)
    yield table


def _metadata_row(table: Table, what: str, ours: Measured, limit: Measured, peer: Measured) -> None:
    if ours.rate.failed:
        what += f" ({ours.rate.failed} FAILED)"
    table.add(
        what,
        ours.rate.per_second,
        ours.rate.per_second / limit.rate.per_second,
        ours.cpu_us,
        limit.cpu_us,
        ours.rate.per_second / max(0.01, peer.rate.per_second),
        ours.rate.p99_ms,
    )


def simple_pages(scratch: Path, seconds: float) -> Iterator[Table]:
    table = Table(
        "simple pages, warm, 16 connections, gzip, token checked",
        ("what", "requests/s", "of nginx", "CPU us", "times pypiserver", "times devpi", "times proxpi", "p99 ms"),
    )
    with (
        servers.packyard(scratch) as pack,
        servers.nginx(scratch) as nginx,
        servers.pypiserver(scratch) as pypi,
        servers.devpi(scratch) as devpi,
        servers.proxpi(scratch, _with_token(pack, "pypi") + "simple/") as proxpi,
    ):
        base = pack.endpoint("pypi")
        login = servers.devpi_headers(devpi)
        for count in (10, 500):
            name = f"bench{count}"
            for url, headers in ((base, pack.bearer), (f"{pypi.url}/", {}), (f"{devpi.url}/bench/main/", login)):
                uploads = [packages.pypi_upload(path_of(url), name, f"1.{n}", headers) for n in range(count)]
                failed = load.write(url, uploads, connections=1).failed
                if failed:
                    raise RuntimeError(f"{failed} uploads failed at {url}")
            for kind, accept in (("html", "text/html"), ("json", SIMPLE_JSON)):
                headers = {**pack.bearer, "Accept": accept, "Accept-Encoding": "gzip"}
                body, etag = fetch(f"{base}simple/{name}/", headers)
                file = scratch / "nginx" / "www" / f"{name}-{kind}.json.gz"
                file.write_bytes(body)
                plain = {"Accept": accept, "Accept-Encoding": "gzip"}
                ours = measure(pack.process, f"{base}simple/{name}/", headers, 16, seconds)
                limit = measure(nginx, f"{nginx.url}/{file.name}", plain, 16, seconds)
                rates = [
                    load.read(url, connections=16, seconds=seconds, headers=plain).per_second
                    for url in (
                        f"{pypi.url}/simple/{name}/",
                        f"{devpi.url}/bench/main/+simple/{name}/",
                        f"{proxpi.url}/index/{name}/",
                    )
                ]
                table.add(
                    f"{kind}, {count} files ({len(body):,} bytes)",
                    ours.rate.per_second,
                    ours.rate.per_second / limit.rate.per_second,
                    ours.cpu_us,
                    *(ours.rate.per_second / max(0.01, rate) for rate in rates),
                    ours.rate.p99_ms,
                )
            headers["If-None-Match"] = etag
            _, tag = fetch(f"{nginx.url}/{file.name}", {})
            ours = measure(pack.process, f"{base}simple/{name}/", headers, 16, seconds)
            limit = measure(nginx, f"{nginx.url}/{file.name}", {"If-None-Match": tag}, 16, seconds)
            share = ours.rate.per_second / limit.rate.per_second
            table.add(f"304, {count} files", ours.rate.per_second, share, ours.cpu_us, "", "", "", ours.rate.p99_ms)
    yield table


def _with_token(pack: servers.Packyard, format: str) -> str:
    return pack.endpoint(format).replace("://", f"://aws:{quote(pack.token)}@")


def files(scratch: Path, seconds: float) -> Iterator[Table]:
    table = Table(
        "tarballs, token checked",
        ("what", "requests/s", "MB/s", "of nginx", "CPU us", "times nginx's CPU", "times Verdaccio", "p99 ms"),
    )
    with servers.packyard(scratch) as pack, servers.nginx(scratch) as nginx, servers.verdaccio(scratch) as verd:
        base = pack.endpoint("npm")
        for label, size in (("10 KB", 10_000), ("1 MB", 1_000_000), ("100 MB", 100_000_000)):
            name = "file-" + label.replace(" ", "").lower()
            for path, headers, url in ((path_of(base), pack.bearer, pack.process.url), ("/", {}, verd.url)):
                load.write(url, [packages.npm_publish(path, name, "1.0.0", size, headers)], connections=1)
            data, _ = fetch(f"{base}{name}/-/{name}-1.0.0.tgz", pack.bearer)
            (scratch / "nginx" / "www" / f"{name}.tgz").write_bytes(data)
            for connections in (1, 16):
                ours = measure(pack.process, f"{base}{name}/-/{name}-1.0.0.tgz", pack.bearer, connections, seconds)
                limit = measure(nginx, f"{nginx.url}/{name}.tgz", {}, connections, seconds)
                peer = measure(verd, f"{verd.url}/{name}/-/{name}-1.0.0.tgz", {}, connections, seconds)
                table.add(
                    f"{label}, {connections} connections" + (" FAILED" if ours.rate.failed else ""),
                    ours.rate.per_second,
                    ours.rate.megabytes,
                    ours.rate.megabytes / max(0.001, limit.rate.megabytes),
                    ours.cpu_us,
                    ours.cpu_us / max(0.001, limit.cpu_us),
                    ours.rate.megabytes / max(0.001, peer.rate.megabytes),
                    ours.rate.p99_ms,
                )
    yield table


def publishing(scratch: Path, seconds: float) -> Iterator[Table]:
    table = Table("npm publish of 10 KB", ("what", "requests/s", "median ms", "p99 ms", "times Verdaccio", "failed"))
    big = Table("publish of 100 MB, one by one", ("server", "MB/s", "seconds", "peak MiB", "bytes written / bytes"))
    python = Table("PyPI upload of 10 KB", ("what", "requests/s", "times pypiserver", "times devpi", "failed"))
    count = int(150 * max(1.0, seconds))
    with servers.packyard(scratch) as pack, servers.verdaccio(scratch) as verd:
        places: tuple[tuple[str, Mapping[str, str], str], ...] = (
            (path_of(pack.endpoint("npm")), pack.bearer, pack.process.url),
            ("/", {}, verd.url),
        )
        for what, connections, names, versions in (
            ("new packages, one by one", 1, [f"new-{n}" for n in range(count)], ["1.0.0"]),
            ("new packages, 16 at once", 16, [f"par-{n}" for n in range(count)], ["1.0.0"]),
            ("next version of one package", 1, ["next"], [f"1.{n}.0" for n in range(count)]),
        ):
            rates = []
            for path, headers, url in places:
                uploads = [packages.npm_publish(path, n, v, 10_000, headers) for n in names for v in versions]
                rates.append(load.write(url, uploads, connections=connections))
            ours, peer = rates
            table.add(
                what, ours.per_second, ours.median_ms, ours.p99_ms, ours.per_second / peer.per_second, ours.failed
            )
        for process, (path, headers, url) in zip((pack.process, verd), places, strict=True):
            upload = packages.npm_publish(path, "huge", "1.0.0", 100_000_000, headers)
            process.reset_peak()
            before = process.written()
            rate = load.write(url, [upload], connections=1)
            written = (process.written() - before) / 100_000_000
            big.add(process.name, 100 * rate.per_second, 1 / rate.per_second, process.peak(), written)
    yield table
    yield big
    with (
        servers.packyard(scratch, "packyard-pypi") as pack,
        servers.pypiserver(scratch) as pypi,
        servers.devpi(scratch) as devpi,
    ):
        targets = (
            (pack.endpoint("pypi"), pack.bearer),
            (f"{pypi.url}/", {}),
            (f"{devpi.url}/bench/main/", servers.devpi_headers(devpi)),
        )
        for connections in (1, 16):
            found = []
            for url, headers in targets:
                uploads = [
                    packages.pypi_upload(path_of(url), f"up{connections}x{n}", "1.0", headers, size=10_000)
                    for n in range(count)
                ]
                found.append(load.write(url, uploads, connections=connections))
            first = found[0]
            python.add(
                f"new projects, {connections} at once",
                first.per_second,
                first.per_second / found[1].per_second,
                first.per_second / found[2].per_second,
                "/".join(str(one.failed) for one in found),
            )
    yield python


def many_packages(scratch: Path, seconds: float) -> Iterator[Table]:
    table = Table(
        "a repository of many packages, 16 connections",
        ("packages", "warm packuments/s", "p99 ms", "publishes/s", "p99 ms of a publish"),
    )
    for total in (10, 100_000):
        name = f"packyard-{total}"
        with servers.packyard(scratch, name) as pack:
            path = path_of(pack.endpoint("npm"))
            load.write(pack.process.url, _new(path, "many", 10, pack.bearer), connections=4)
        grow.packages(scratch / name / "data" / "packyard.db", total)
        with servers.packyard(scratch, name) as pack:
            headers = {**pack.bearer, "Accept": ABBREVIATED, "Accept-Encoding": "gzip"}
            reads = [load.Upload("GET", f"{path}many-{n % 10}", headers, b"") for n in range(int(4000 * seconds))]
            load.write(pack.process.url, reads[:500], connections=16)
            read = load.write(pack.process.url, reads, connections=16)
            publish = load.write(pack.process.url, _new(path, "more", 300, pack.bearer), connections=16)
            if read.failed or publish.failed:
                raise RuntimeError("a request failed")
            table.add(total, read.per_second, read.p99_ms, publish.per_second, publish.p99_ms)
    yield table


def _new(path: str, stem: str, count: int, headers: Mapping[str, str]) -> list[load.Upload]:
    return [packages.npm_publish(path, f"{stem}-{n}", "1.0.0", 600, headers) for n in range(count)]


def connections(scratch: Path, seconds: float) -> Iterator[Table]:
    one = Table(
        "10 KB tarballs through a connection, one by one", ("server", "first fetch, median ms", "second, median ms")
    )
    hits = Table("a stored 10 KB tarball through a connection, 16 connections", ("server", "requests/s", "p99 ms"))
    crowd = Table("50 clients ask for one uncached 20 MB file", ("server", "fetches from the source", "seconds"))
    count = 100
    with servers.packyard(scratch, "source") as source, servers.counter(scratch, source) as nginx:
        path = path_of(source.endpoint("npm"))
        uploads = [packages.npm_publish(path, f"up-{n}", "1.0.0", 10_000, source.bearer) for n in range(count)]
        uploads.append(packages.npm_publish(path, "crowd", "1.0.0", 20_000_000, source.bearer))
        if load.write(source.process.url, uploads, connections=4).failed:
            raise RuntimeError("a publish failed at the source")
        upstream = f"{nginx.url}{path}"
        with (
            servers.packyard(scratch, upstream=upstream) as pack,
            servers.verdaccio(scratch, upstream=upstream) as verd,
            servers.nginx(scratch, proxy_to=f"{nginx.url}/") as cache,
        ):
            places = (
                ("packyard", pack.endpoint("npm"), pack.bearer),
                ("verdaccio", f"{verd.url}/", {}),
                ("nginx cache", f"{cache.url}/cached{path}", {}),
            )
            one.add("the source itself", _one_by_one(f"{nginx.url}{path}", {}, count), "")
            for name, base, headers in places:
                one.add(name, _one_by_one(base, headers, count), _one_by_one(base, headers, count))
                rate = load.read(f"{base}up-1/-/up-1-1.0.0.tgz", connections=16, seconds=seconds, headers=headers)
                hits.add(name + (" FAILED" if rate.failed else ""), rate.per_second, rate.p99_ms)
                before = servers.asked(scratch, "/crowd-1.0.0.tgz")
                took = load.crowd(f"{base}crowd/-/crowd-1.0.0.tgz", headers, 50)
                crowd.add(name, servers.asked(scratch, "/crowd-1.0.0.tgz") - before, took)
    yield one
    yield hits
    yield crowd


def _one_by_one(base: str, headers: Mapping[str, str], count: int) -> float:
    uploads = [load.Upload("GET", f"{path_of(base)}up-{n}/-/up-{n}-1.0.0.tgz", headers, b"") for n in range(count)]
    rate = load.write(base, uploads, connections=1)
    return rate.median_ms if not rate.failed else float("nan")


_OFFER = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAoAAAAAIAAAAA"}
"""What cargo adds to every request without TLS."""


def sparse_index(scratch: Path, seconds: float) -> Iterator[Table]:
    """Index files as cargo asks for them; nginx serves the same bytes."""
    table = Table(
        "sparse index files, warm, 16 connections, gzip, token checked",
        ("what", "requests/s", "of nginx", "CPU us", "nginx CPU us", "p99 ms"),
    )
    with servers.packyard(scratch) as pack, servers.nginx(scratch) as nginx:
        base = pack.endpoint("cargo")
        for count in (1, 20, 300):
            name = f"bench-{count}"
            uploads = [packages.cargo_publish(path_of(base), name, f"1.{n}.0", pack.bearer) for n in range(count)]
            if load.write(pack.process.url, uploads, connections=1).failed:
                raise RuntimeError("a publish failed")
            plain = {"Accept": "text/plain", "Accept-Encoding": "deflate, gzip"}
            url = f"{base}be/nc/{name}"
            body, etag = fetch(url, {**pack.bearer, **plain})
            ending = "json.gz" if body.startswith(b"\x1f\x8b") else "json"
            file = scratch / "nginx" / "www" / f"{name}.{ending}"
            file.write_bytes(body)
            beside = f"{nginx.url}/{file.name}"
            _, tag = fetch(beside, {})
            for what, ours, theirs in (
                (f"{count} versions ({len(body):,} bytes)", {}, {}),
                (f"{count} versions, HTTP/2 offered as cargo does", _OFFER, _OFFER),
                (f"304, {count} versions", {"If-None-Match": etag}, {"If-None-Match": tag}),
            ):
                mine = measure(pack.process, url, {**pack.bearer, **plain, **ours}, 16, seconds)
                limit = measure(nginx, beside, {**plain, **theirs}, 16, seconds)
                what += f" ({mine.rate.failed} FAILED)" if mine.rate.failed else ""
                share = mine.rate.per_second / limit.rate.per_second
                table.add(what, mine.rate.per_second, share, mine.cpu_us, limit.cpu_us, mine.rate.p99_ms)
    yield table


SECTIONS: Mapping[str, Callable[[Path, float], Iterable[Table]]] = {
    "metadata": npm_metadata,
    "simple": simple_pages,
    "sparse": sparse_index,
    "files": files,
    "publish": publishing,
    "connections": connections,
    "many": many_packages,
}
