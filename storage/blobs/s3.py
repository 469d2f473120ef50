"""Files in an S3-compatible bucket: `PREFIX/DOMAIN/AA/SHA256.NONCE`.

What arrives is staged in a local directory, as with files; an object appears whole, under a key of its own, so
nothing is ever overwritten and a read needs no question before it: the row knows the size.  Only the sweep, `check`
and `restore` list.  Times of objects are the bucket's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from registry.core.threads import Threads
from registry.core.types import BlobStat, Staged
from storage.blobs import s3_reading
from storage.blobs.base import fresh_key, is_key, lost
from storage.blobs.runs import Run
from storage.blobs.s3_bucket import Answered, Bucket, S3Settings, unavailable
from storage.blobs.s3_writing import Uploads
from storage.blobs.staging import Stage

__all__ = ["S3Blobs", "S3Settings"]

THREADS = 16


class S3Blobs:
    """The files of every domain; `of(domain_id)` is what the core works with."""

    def __init__(self, settings: S3Settings, staging: Path) -> None:
        """`staging` is a local directory, which other processes may use too."""
        self.settings = settings
        self.bucket = Bucket(settings)
        self.threads = Threads(THREADS, "blobs")
        self.uploads = Uploads(self.bucket, self.threads)
        self.prefix = f"{settings.prefix}/" if settings.prefix else ""
        self._run = Run(staging)
        self.staging_directory = self._run.directory
        self._domains: dict[int, DomainObjects] = {}

    async def open(self) -> None:
        """Asks the bucket nothing.  Raises Unavailable."""
        await self.threads.run(self._run.open)
        await self.bucket.open()

    async def close(self) -> None:
        await self.bucket.close()
        await asyncio.to_thread(self.threads.close)
        await asyncio.to_thread(self._run.close)

    async def ready(self) -> None:
        """Raises Unavailable when the bucket does not answer, or refuses."""
        await self.bucket.probe()

    def of(self, domain_id: int) -> DomainObjects:
        known = self._domains.get(domain_id)
        if known is None:
            known = self._domains[domain_id] = DomainObjects(self, domain_id)
        return known

    async def domains(self) -> list[int]:
        """The domains that have objects, for the sweep."""
        found = set()
        async for page in self.pages("list_objects_v2", Prefix=self.prefix, Delimiter="/"):
            for each in page.get("CommonPrefixes", []):
                name = each["Prefix"].removeprefix(self.prefix).rstrip("/")
                if name.isascii() and name.isdigit():
                    found.add(int(name))
        return sorted(found)

    async def drop_abandoned(self, before: int, *, dry_run: bool) -> int:
        """Give up uploads in parts that were begun before that time (milliseconds); how many.  For the sweep."""
        count = 0
        async for page in self.pages("list_multipart_uploads", Prefix=self.prefix):
            for each in page.get("Uploads", []):
                domain, _, key = each["Key"].removeprefix(self.prefix).partition("/")
                if not (domain.isdigit() and is_key(key)) or each["Initiated"].timestamp() * 1000 > before:
                    continue
                count += 1
                if not dry_run:
                    await self._abort(each["Key"], each["UploadId"])
        return count

    async def _abort(self, name: str, upload: str) -> None:
        try:
            await self.bucket.command("abort_multipart_upload", Key=name, UploadId=upload)
        except Answered as error:
            if error.status != 404:
                raise unavailable(error) from error

    async def pages(self, operation: str, **parameters: Any) -> AsyncIterator[Any]:
        """Raises Unavailable."""
        marks: dict[str, Any] = {}
        while True:
            try:
                page = await self.bucket.command(operation, **parameters, **marks)
            except Answered as error:
                if error.status == 404 and error.code == "NoSuchUpload":  # some servers, where there is none
                    return
                raise unavailable(error) from error
            yield page
            if not page.get("IsTruncated"):
                return
            if operation == "list_objects_v2":
                marks = {"ContinuationToken": page["NextContinuationToken"]}
            else:
                marks = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}


class DomainObjects:
    """`ports.BlobStore`: one domain's files."""

    def __init__(self, all_files: S3Blobs, domain_id: int) -> None:
        self._files = all_files
        self._prefix = f"{all_files.prefix}{domain_id}/"

    def stage(self, *, followed: bool = True) -> Stage:
        return Stage(self._files.staging_directory, self._files.threads, followed=followed)

    def place(self, staged: Staged) -> asyncio.Task[str]:
        return asyncio.create_task(self._place(staged))

    async def _place(self, staged: Staged) -> str:
        key = fresh_key(staged.digests.sha256)
        await self._files.uploads.put(staged, self._prefix + key)
        return key

    async def stat(self, key: str) -> int | None:
        if not is_key(key):
            return None
        try:
            found = await self._files.bucket.command("head_object", Key=self._prefix + key)
        except Answered as error:
            if error.status == 404:
                return None
            raise unavailable(error) from error
        return int(found["ContentLength"])

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        if not is_key(key):
            raise lost(key)
        if start == end:  # no range can say this
            size = await self.stat(key)
            if size is None or size < start:
                raise lost(key)
            return
        pieces = s3_reading.read(self._files.bucket, self._prefix + key, key, start, end)
        try:
            async for chunk in pieces:
                yield chunk
        finally:
            await pieces.aclose()

    def path(self, key: str) -> Path | None:
        return None

    async def link(self, key: str, *, media_type: str, disposition: str) -> str | None:
        seconds = self._files.settings.redirect_seconds
        if not seconds or not is_key(key):
            return None
        wanted = {
            "ResponseContentType": media_type,
            **({"ResponseContentDisposition": disposition} if disposition else {}),
        }
        return await self._files.bucket.link(self._prefix + key, seconds, **wanted)

    async def delete(self, key: str) -> None:
        if not is_key(key):
            return
        try:
            await self._files.bucket.command("delete_object", Key=self._prefix + key)
        except Answered as error:
            if error.status != 404:
                raise unavailable(error) from error

    async def walk(self) -> AsyncIterator[BlobStat]:
        async for page in self._files.pages("list_objects_v2", Prefix=self._prefix):
            for each in page.get("Contents", []):
                key = each["Key"].removeprefix(self._prefix)
                if is_key(key):
                    yield BlobStat(key, each["Size"], int(each["LastModified"].timestamp() * 1000))
