"""Files in a bucket beside files on disk, and beside the bucket itself: one run, one machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests import bucket
from tests.bench import load, packages, servers
from tests.bench.rows import fetch, measure, path_of
from tests.bench.table import Table


def buckets(scratch: Path, seconds: float) -> Iterator[Table]:
    """Warm downloads and publishes."""
    store = bucket.shared()
    place = store.place()
    settings = {"PACKYARD_STORAGE_BLOBS": place, **store.environment}
    downloads = Table(
        "downloads from a bucket, token checked",
        ("what", "requests/s", "MB/s", "of files on disk", "of the bucket itself", "CPU us", "p99 ms"),
    )
    publishing = Table(
        "npm publish to a bucket", ("what", "requests/s", "median ms", "p99 ms", "of files on disk", "failed")
    )
    with servers.packyard(scratch, "disk") as disk, servers.packyard(scratch, "bucket", settings=settings) as far:
        for label, size in (("10 KB", 10_000), ("200 KB", 200_000), ("1 MB", 1_000_000), ("10 MB", 10_000_000)):
            name = "file-" + label.replace(" ", "").lower()
            for pack in (disk, far):
                upload = packages.npm_publish(path_of(pack.endpoint("npm")), name, "1.0.0", size, pack.bearer)
                load.write(pack.process.url, [upload], connections=1)
            address = "{}" + f"{name}/-/{name}-1.0.0.tgz"
            data, _ = fetch(address.format(far.endpoint("npm")), far.bearer)
            direct = _signed(store, place, len(data))
            for connections in (1, 16):
                ours = measure(far.process, address.format(far.endpoint("npm")), far.bearer, connections, seconds)
                near = measure(disk.process, address.format(disk.endpoint("npm")), disk.bearer, connections, seconds)
                limit = load.read(direct, connections=connections, seconds=seconds)
                downloads.add(
                    f"{label}, {connections} connections" + (" FAILED" if ours.rate.failed else ""),
                    ours.rate.per_second,
                    ours.rate.megabytes,
                    ours.rate.per_second / max(0.001, near.rate.per_second),
                    ours.rate.per_second / max(0.001, limit.per_second),
                    ours.cpu_us,
                    ours.rate.p99_ms,
                )
        count = int(100 * max(1.0, seconds))
        for label, connections, size in (("10 KB, one by one", 1, 10_000), ("10 KB, 16 at once", 16, 10_000)):
            rates = []
            for pack in (far, disk):
                names = [f"up-{connections}-{number}" for number in range(count)]
                path = path_of(pack.endpoint("npm"))
                uploads = [packages.npm_publish(path, name, "1.0.0", size, pack.bearer) for name in names]
                rates.append(load.write(pack.process.url, uploads, connections=connections))
            ours, near = rates
            publishing.add(
                label, ours.per_second, ours.median_ms, ours.p99_ms, ours.per_second / near.per_second, ours.failed
            )
        rates = []
        for pack in (far, disk):
            upload = packages.npm_publish(path_of(pack.endpoint("npm")), "huge", "1.0.0", 100_000_000, pack.bearer)
            rates.append(load.write(pack.process.url, [upload], connections=1))
        ours, near = rates
        publishing.add(
            "100 MB", ours.per_second, ours.median_ms, ours.p99_ms, ours.per_second / near.per_second, ours.failed
        )
    yield downloads
    yield publishing


def _signed(store: bucket.BucketServer, place: str, size: int) -> str:
    """Where a client without us would fetch the file of that size."""
    client: Any = store.boto()
    prefix = place.removeprefix(f"s3://{bucket.BUCKET}/") + "/"
    listed = client.list_objects_v2(Bucket=bucket.BUCKET, Prefix=prefix)["Contents"]
    key = next(each["Key"] for each in listed if each["Size"] == size)
    return str(
        client.generate_presigned_url("get_object", Params={"Bucket": bucket.BUCKET, "Key": key}, ExpiresIn=3600)
    )
