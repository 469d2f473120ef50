"""The storage drivers that the settings name: for the application, and for the commands that need nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

from registry.config import BUCKET, Config
from registry.core.clock import SystemClock
from storage.blobs.filesystem import FileBlobs
from storage.metadata.postgres import PostgresStore
from storage.metadata.sqlite import SQLiteStore

DATABASE = "packyard.db"
BLOBS = "blobs"
STAGING = "staging"

if TYPE_CHECKING:
    from storage.blobs.s3 import S3Blobs

Blobs: TypeAlias = "FileBlobs | S3Blobs"


Metadata = SQLiteStore | PostgresStore


def store_of(config: Config) -> Metadata:
    """The metadata store; not opened."""
    settings = config.storage
    if settings.database:
        return PostgresStore(
            settings.database, connections=settings.database_connections, patience=settings.database_timeout
        )
    return SQLiteStore(config.data / DATABASE)


def blobs_of(config: Config) -> Blobs:
    """The blob store; not opened."""
    settings = config.storage
    named = BUCKET.fullmatch(settings.blobs)
    if named is not None:
        from storage.blobs.s3 import S3Blobs, S3Settings  # half a second, for those who have a bucket

        return S3Blobs(
            S3Settings(
                bucket=named[1],
                prefix=(named[2] or "").strip("/"),
                endpoint_url=settings.s3_endpoint_url,
                region=settings.s3_region,
                addressing=settings.s3_addressing,
                sse=settings.s3_sse,
                sse_kms_key=settings.s3_sse_kms_key,
                redirect_seconds=settings.s3_redirect_seconds,
                connect_timeout=settings.s3_connect_timeout,
                read_timeout=settings.s3_read_timeout,
                attempts=settings.s3_attempts,
                connections=settings.s3_connections,
            ),
            config.data / STAGING,
        )
    return FileBlobs(config.data / BLOBS)


@asynccontextmanager
async def storage(config: Config) -> AsyncIterator[tuple[Metadata, Blobs, SystemClock]]:
    """Both, open.  Raises Unavailable, SchemaTooNew."""
    store, blobs = store_of(config), blobs_of(config)
    await store.open()
    try:
        await blobs.open()
        try:
            yield store, blobs, SystemClock()
        finally:
            await blobs.close()
    finally:
        await store.close()
