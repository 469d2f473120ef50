"""The blob suite on a real S3-compatible server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.blobs.s3 import S3Blobs, S3Settings
from tests import bucket
from tests.contracts.blobs import *  # noqa: F403


@pytest.fixture
async def root(tmp_path: Path) -> AsyncIterator[S3Blobs]:
    server = bucket.shared()
    prefix = server.place().removeprefix(f"s3://{bucket.BUCKET}/")
    driver = S3Blobs(
        S3Settings(
            bucket.BUCKET,
            prefix,
            endpoint_url=server.url,
            region=bucket.REGION,
            addressing="path",
            credentials=server.credentials,
        ),
        tmp_path / "staging",
    )
    await driver.open()
    yield driver
    await driver.close()
