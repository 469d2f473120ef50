"""The storage drivers that the settings name: for the application, and for the commands that need nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from registry.config import Config
from registry.core.clock import SystemClock
from storage.blobs.filesystem import FileBlobs
from storage.metadata.postgres import PostgresStore
from storage.metadata.sqlite import SQLiteStore

DATABASE = "packyard.db"
BLOBS = "blobs"


Metadata = SQLiteStore | PostgresStore


def store_of(config: Config) -> Metadata:
    """The metadata store; not opened."""
    settings = config.storage
    if settings.database:
        return PostgresStore(
            settings.database, connections=settings.database_connections, patience=settings.database_timeout
        )
    return SQLiteStore(config.data / DATABASE)


def blobs_of(config: Config) -> FileBlobs:
    """The blob store; not opened."""
    return FileBlobs(config.data / BLOBS)


@asynccontextmanager
async def storage(config: Config) -> AsyncIterator[tuple[Metadata, FileBlobs, SystemClock]]:
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
