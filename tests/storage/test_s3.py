"""The S3 driver beyond the suite: parts, faults of the bucket, signed addresses.  A real server, and harm in front."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from registry.core.errors import Unavailable
from storage.blobs.s3 import S3Blobs, S3Settings
from storage.sweep import Abandoning
from tests import bucket
from tests.contracts.blobs import content, keys, pattern, put
from tests.faulty import Cut, Fault, Faulty, Hang, Lose, Refuse, Say, Seen

MIB = 1024 * 1024
BIG = 13 * MIB + 5


@pytest.fixture
async def proxy() -> AsyncIterator[Faulty]:
    async with Faulty(bucket.shared().url) as proxy:
        yield proxy


@pytest.fixture
def settings(proxy: Faulty) -> S3Settings:
    server = bucket.shared()
    return S3Settings(
        bucket.BUCKET,
        server.place().rpartition("/")[2],
        endpoint_url=proxy.url,
        region=bucket.REGION,
        addressing="path",
        read_timeout=5,
        part_bytes=5 * MIB,
        credentials=server.credentials,
    )


@pytest.fixture
async def root(settings: S3Settings, tmp_path: Path) -> AsyncIterator[S3Blobs]:
    driver = S3Blobs(settings, tmp_path / "staging")
    await driver.open()
    yield driver
    await driver.close()


async def unfinished(root: S3Blobs) -> int:
    return await root.drop_abandoned(2**62, dry_run=True)


def times(proxy: Faulty, count: int, fault: Fault, method: str = "", words: str = "") -> None:
    """The first `count` requests of that kind meet that fault."""
    left = [count]

    def judge(request: Seen) -> Fault:
        if left[0] and request.method == (method or request.method) and words in request.path:
            left[0] -= 1
            return fault
        return None

    proxy.fault = judge


# --- parts -----------------------------------------------------------------------------------


async def test_a_large_file_goes_in_parts_and_comes_back_whole(root: S3Blobs, proxy: Faulty):
    files, body = root.of(1), pattern(BIG)

    key = await put(files, *[body[start : start + MIB] for start in range(0, BIG, MIB)])

    assert await files.stat(key) == BIG
    assert await content(files, key) == body
    assert await content(files, key, 5 * MIB - 3, 5 * MIB + 3) == body[5 * MIB - 3 : 5 * MIB + 3]
    assert len([each for each in proxy.requests if "partNumber" in each.path]) == 3
    assert await unfinished(root) == 0


async def test_a_small_file_is_one_request_and_so_is_its_download(root: S3Blobs, proxy: Faulty):
    files = root.of(1)

    key = await put(files, b"small")
    body = await content(files, key, 0, 5)

    assert body == b"small"
    assert [each.method for each in proxy.requests] == ["PUT", "GET"]
    assert proxy.requests[0].headers["if-none-match"] == "*"


async def test_a_part_that_is_refused_for_good_leaves_nothing(root: S3Blobs, proxy: Faulty):
    times(proxy, 1, Say(403, "AccessDenied"), "PUT", "partNumber=2")

    with pytest.raises(Unavailable):
        await put(root.of(1), pattern(BIG))

    proxy.fault = lambda request: None
    assert await keys(root.of(1)) == set()
    assert await unfinished(root) == 0


async def test_an_upload_that_is_cancelled_is_given_up(root: S3Blobs, proxy: Faulty):
    hanging = asyncio.Event()

    def judge(request: Seen) -> Fault:
        if "partNumber=3" in request.path:
            hanging.set()
            return Hang()
        return None

    proxy.fault = judge
    upload = asyncio.create_task(put(root.of(1), pattern(BIG)))
    async with asyncio.timeout(10):
        await hanging.wait()
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload

    assert await keys(root.of(1)) == set()
    assert await unfinished(root) == 0


async def test_a_lost_answer_to_the_end_of_an_upload_is_no_failure(root: S3Blobs, proxy: Faulty):
    times(proxy, 1, Lose(), "POST", "uploadId=")

    key = await put(root.of(1), pattern(BIG))

    assert await root.of(1).stat(key) == BIG
    assert await keys(root.of(1)) == {key}


async def test_the_sweep_finds_uploads_that_nobody_finished(root: S3Blobs):
    server = bucket.shared()
    key = await put(root.of(1), b"x")
    name = f"{root.prefix}1/{key}"
    client = server.boto()
    await asyncio.to_thread(client.create_multipart_upload, Bucket=bucket.BUCKET, Key=name)

    assert isinstance(root, Abandoning)
    assert await root.drop_abandoned(0, dry_run=False) == 0
    assert await root.drop_abandoned(2**62, dry_run=True) == 1
    assert await root.drop_abandoned(2**62, dry_run=False) == 1
    assert await root.drop_abandoned(2**62, dry_run=False) == 0
    assert await keys(root.of(1)) == {key}


# --- faults ----------------------------------------------------------------------------------


async def test_a_read_that_breaks_off_goes_on_where_it_stopped(root: S3Blobs, proxy: Faulty):
    files, body = root.of(1), pattern(3 * MIB)
    key = await put(files, body)
    proxy.requests.clear()
    times(proxy, 2, Cut(after=MIB))

    assert await content(files, key, 0, len(body)) == body
    ranges = [int(each.headers["range"].removeprefix("bytes=").partition("-")[0]) for each in proxy.requests]
    assert ranges == [0, MIB, 2 * MIB]


async def test_a_read_that_always_breaks_off_is_unavailable_and_never_ends_as_whole(root: S3Blobs, proxy: Faulty):
    files = root.of(1)
    key = await put(files, pattern(MIB))
    proxy.requests.clear()
    proxy.fault = lambda request: Cut(after=0)

    with pytest.raises(Unavailable):
        await content(files, key, 0, MIB)
    assert len(proxy.requests) == root.settings.attempts


async def test_an_object_that_is_shorter_than_its_row_says_is_unavailable(root: S3Blobs):
    files = root.of(1)
    key = await put(files, pattern(1000))
    client = bucket.shared().boto()
    await asyncio.to_thread(client.put_object, Bucket=bucket.BUCKET, Key=f"{root.prefix}1/{key}", Body=b"half")

    with pytest.raises(Unavailable):
        await content(files, key, 0, 1000)


@pytest.mark.parametrize("fault", [Say(503), Say(500, "InternalError"), Say(429), Refuse(), Cut(after=0)])
async def test_a_passing_fault_is_not_noticed(root: S3Blobs, proxy: Faulty, fault: Fault):
    files = root.of(1)
    times(proxy, 2, fault)
    key = await put(files, b"patience")
    times(proxy, 2, fault)

    assert await content(files, key, 0, 8) == b"patience"
    assert await keys(files) == {key}


async def test_a_lost_answer_to_an_upload_stores_once(root: S3Blobs, proxy: Faulty):
    times(proxy, 1, Lose(), "PUT")

    key = await put(root.of(1), b"once")

    assert [each.method for each in proxy.requests] == ["PUT", "PUT", "HEAD"]
    assert await content(root.of(1), key) == b"once"
    assert await keys(root.of(1)) == {key}


async def test_what_is_there_is_never_overwritten(root: S3Blobs):
    files = root.of(1)
    key = await put(files, b"first")
    async with files.stage() as staging:
        await staging.write(b"other")
        await staging.write(b"s")
        staged = await staging.done()

        with pytest.raises(Unavailable):
            await root.uploads.put(staged, f"{root.prefix}1/{key}")

    assert await content(files, key) == b"first"


async def test_a_server_without_conditional_uploads_is_taken_as_it_is(root: S3Blobs, proxy: Faulty):
    proxy.fault = lambda request: Say(501, "NotImplemented") if "if-none-match" in request.headers else None

    first, second = await put(root.of(1), b"plain"), await put(root.of(1), pattern(BIG))

    assert await keys(root.of(1)) == {first, second}


@pytest.mark.parametrize("fault", [Refuse(), Say(503), Say(403, "AccessDenied")])
async def test_a_bucket_that_is_away_makes_everything_unavailable(
    settings: S3Settings, tmp_path: Path, proxy: Faulty, fault: Fault
):
    root = S3Blobs(replace(settings, attempts=1), tmp_path / "away")
    await root.open()
    try:
        files = root.of(1)
        key = await put(files, b"x")
        proxy.fault = lambda request: fault
        for work in (
            content(files, key),
            put(files, b"y"),
            files.stat(key),
            files.delete(key),
            keys(files),
            root.ready(),
        ):
            with pytest.raises(Unavailable):
                await work

        proxy.fault = lambda request: None
        await root.ready()
        assert await keys(files) == {key}
    finally:
        await root.close()


async def test_a_bucket_that_never_answers_costs_a_limited_time(settings: S3Settings, tmp_path: Path, proxy: Faulty):
    root = S3Blobs(replace(settings, read_timeout=1, attempts=2), tmp_path / "slow")
    await root.open()
    try:
        key = await put(root.of(1), b"x")
        proxy.fault = lambda request: Hang()
        async with asyncio.timeout(8):
            with pytest.raises(Unavailable):
                await content(root.of(1), key)
    finally:
        await root.close()


async def test_a_bucket_that_takes_no_more_of_an_upload_costs_a_limited_time(
    settings: S3Settings, tmp_path: Path, proxy: Faulty
):
    slow = replace(settings, connect_timeout=1, read_timeout=1, attempts=1, slowest=50 * MIB)
    root = S3Blobs(slow, tmp_path / "slow")
    await root.open()
    try:
        proxy.fault = lambda request: Hang() if request.method == "PUT" else None
        async with asyncio.timeout(12):
            with pytest.raises(Unavailable):
                await put(root.of(1), pattern(BIG))
        assert await unfinished(root) == 0
    finally:
        await root.close()


async def test_an_endpoint_whose_name_has_no_dot_is_asked_by_path(settings: S3Settings, tmp_path: Path, proxy: Faulty):
    address = proxy.url.replace("127.0.0.1", "localhost")
    root = S3Blobs(replace(settings, addressing="", endpoint_url=address), tmp_path / "named")
    await root.open()
    try:
        key = await put(root.of(1), b"by path")
        assert await content(root.of(1), key) == b"by path"
    finally:
        await root.close()

    assert {each.path.split("/")[1] for each in proxy.requests} == {bucket.BUCKET}


async def test_a_reader_who_leaves_closes_the_connection(root: S3Blobs):
    files = root.of(1)
    key = await put(files, pattern(8 * MIB))

    for _ in range(3):
        async with aclosing(files.read(key, 0, 8 * MIB)) as chunks:
            assert await anext(chunks)

    assert await content(files, key, 0, 8 * MIB) == pattern(8 * MIB)


async def test_wrong_credentials_say_so_and_are_not_tried_again(settings: S3Settings, tmp_path: Path, proxy: Faulty):
    wrong = {"aws_access_key_id": bucket.ACCESS_KEY, "aws_secret_access_key": "wrong"}
    root = S3Blobs(replace(settings, credentials=wrong), tmp_path / "wrong")
    await root.open()
    try:
        with pytest.raises(Unavailable) as told:
            await put(root.of(1), b"x")
    finally:
        await root.close()

    assert len(proxy.requests) == 1
    assert "wrong" not in told.value.message


async def test_without_any_credentials_the_store_does_not_open(
    settings: S3Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    root = S3Blobs(replace(settings, credentials={}), tmp_path / "nobody")

    with pytest.raises(Unavailable, match="credentials"):
        await root.open()
    await root.close()


# --- options ---------------------------------------------------------------------------------


async def test_encryption_is_asked_for_as_set(settings: S3Settings, tmp_path: Path, proxy: Faulty):
    root = S3Blobs(replace(settings, sse="aws:kms", sse_kms_key="key-1"), tmp_path / "encrypted")
    proxy.fault = lambda request: Say(403, "AccessDenied") if request.method != "GET" else None
    await root.open()
    try:
        for body in (b"small", pattern(BIG)):
            with pytest.raises(Unavailable):
                await put(root.of(1), body)
    finally:
        await root.close()

    asked = [each.headers for each in proxy.requests if each.method in ("PUT", "POST")]
    assert len(asked) == 2
    for headers in asked:
        assert headers["x-amz-server-side-encryption"] == "aws:kms"
        assert headers["x-amz-server-side-encryption-aws-kms-key-id"] == "key-1"


async def test_a_signed_address_gives_the_file_to_who_has_it_and_nothing_else(settings: S3Settings, tmp_path: Path):
    root = S3Blobs(replace(settings, endpoint_url=bucket.shared().url, redirect_seconds=60), tmp_path / "links")
    await root.open()
    try:
        files = root.of(1)
        key = await put(files, b"linked")
        address = await files.link(key, media_type="text/plain", disposition='attachment; filename="a.txt"')
    finally:
        await root.close()

    def fetched(url: str) -> tuple[int, bytes, str]:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.status, answer.read(), answer.headers["content-disposition"]
        except urllib.error.HTTPError as error:
            with error:
                return error.code, b"", ""

    assert address is not None
    assert await asyncio.to_thread(fetched, address) == (200, b"linked", 'attachment; filename="a.txt"')
    assert (await asyncio.to_thread(fetched, address[:-4] + "0000"))[0] == 403
    assert (await asyncio.to_thread(fetched, address.partition("?")[0]))[0] == 403
