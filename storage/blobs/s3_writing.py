"""Writing an object: a small one in one request, a large one in parts.

A key is fresh and nobody else knows it, and `If-None-Match: *` says so to the bucket.  An object appears whole or
not at all.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import logging
import os
from dataclasses import dataclass
from typing import BinaryIO

from registry.core.errors import RegistryError, Unavailable
from registry.core.threads import Threads
from registry.core.types import Staged
from storage.blobs.base import disk_errors
from storage.blobs.s3_bucket import Answered, Bucket, unavailable

log = logging.getLogger(__name__)

_MOST_PARTS = 10_000
_AT_ONCE = 3
"""Parts of one file that are under way together."""
_HELD = 12
"""Bodies of up to one part that a process holds in memory for uploads."""
_ABORT = 20
"""Seconds to wait for an upload to be given up; the sweep does it otherwise."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part that arrived."""

    number: int
    etag: str


class Uploads:
    """The uploads of one process, whose memory is bounded together."""

    def __init__(self, bucket: Bucket, threads: Threads) -> None:
        self._bucket = bucket
        self._threads = threads
        self._held = asyncio.Semaphore(_HELD)

    async def put(self, staged: Staged, name: str) -> None:
        """Store it under that name.  Raises Unavailable; nothing can then be read under it, now or later,
        but for an upload of which the bucket never said how it ended."""
        file = await self._threads.run(_opened, staged, undo=_closed)
        try:
            if staged.size <= self._bucket.settings.part_bytes:
                await self._whole(staged, file, name)
            else:
                await self._in_parts(staged, file, name)
        except Answered as error:
            raise unavailable(error) from error
        finally:
            await asyncio.shield(self._threads.run(_closed, file))

    async def _whole(self, staged: Staged, file: BinaryIO, name: str) -> None:
        md5 = base64.b64encode(bytes.fromhex(staged.digests.md5)).decode()
        async with self._held:
            body = await self._threads.run(_read, file, 0, staged.size)

            async def attempt(_: int) -> None:
                condition = {"IfNoneMatch": "*"} if self._bucket.conditional else {}
                address = await self._bucket.address(
                    "put_object", Key=name, ContentMD5=md5, **condition, **self._bucket.settings.encryption
                )
                headers = {"content-md5": md5, **self._bucket.settings.encryption_headers}
                if condition:
                    headers["if-none-match"] = "*"
                try:
                    await self._bucket.upload(address, body, headers)
                except Answered as error:
                    if error.status == 412 and await self._size(name) == staged.size:
                        return  # an attempt before did arrive: nobody else knows this key
                    if error.status == 501 and condition:
                        self._bucket.conditional = False
                        raise Answered(503, error.code) from error  # again, without
                    raise

            await self._bucket.retried(attempt)

    async def _in_parts(self, staged: Staged, file: BinaryIO, name: str) -> None:
        begun = await self._bucket.command("create_multipart_upload", Key=name, **self._bucket.settings.encryption)
        upload = begun["UploadId"]
        try:
            parts = await self._parts(staged, file, name, upload)
            await self._complete(name, upload, parts, staged.size)
        except BaseException:
            await asyncio.shield(asyncio.ensure_future(self._abort(name, upload)))
            raise

    async def _parts(self, staged: Staged, file: BinaryIO, name: str, upload: str) -> list[Part]:
        size = max(self._bucket.settings.part_bytes, -(-staged.size // _MOST_PARTS))
        offsets = iter(enumerate(range(0, staged.size, size), 1))
        done: list[Part] = []

        async def work() -> None:
            for number, offset in offsets:
                async with self._held:
                    done.append(await self._part(file, offset, min(size, staged.size - offset), name, upload, number))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(_AT_ONCE):
                    group.create_task(work())
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None
        return sorted(done, key=lambda part: part.number)

    async def _part(self, file: BinaryIO, offset: int, size: int, name: str, upload: str, number: int) -> Part:
        body = await self._threads.run(_read, file, offset, size)
        md5 = base64.b64encode(await self._threads.run(_md5, body)).decode()

        async def attempt(_: int) -> Part:
            address = await self._bucket.address(
                "upload_part", Key=name, UploadId=upload, PartNumber=number, ContentMD5=md5
            )
            answer = await self._bucket.upload(address, body, {"content-md5": md5})
            return Part(number, answer.get("etag", ""))

        return await self._bucket.retried(attempt)

    async def _complete(self, name: str, upload: str, parts: list[Part], size: int) -> None:
        """When the answer is lost, the object itself tells."""
        listed = [{"PartNumber": part.number, "ETag": part.etag} for part in parts]
        condition = {"IfNoneMatch": "*"} if self._bucket.conditional else {}
        try:
            try:
                await self._bucket.command(
                    "complete_multipart_upload",
                    Key=name,
                    UploadId=upload,
                    MultipartUpload={"Parts": listed},
                    **condition,
                )
            except Answered as error:
                if error.status != 501 or not condition:
                    raise
                self._bucket.conditional = False
                await self._complete(name, upload, parts, size)
        except (Answered, Unavailable):
            if await self._size(name) != size:
                raise

    async def _size(self, name: str) -> int | None:
        try:
            found = await self._bucket.command("head_object", Key=name)
        except (Answered, Unavailable):
            return None
        return int(found["ContentLength"])

    async def _abort(self, name: str, upload: str) -> None:
        try:
            async with asyncio.timeout(_ABORT):
                await self._bucket.command("abort_multipart_upload", Key=name, UploadId=upload)
        except (Answered, RegistryError, TimeoutError) as error:
            log.warning("An unfinished upload is left to the sweep: %s", error)


def _opened(staged: Staged) -> BinaryIO:
    with disk_errors():
        return staged.open()


def _closed(file: BinaryIO) -> None:
    file.close()


def _read(file: BinaryIO, offset: int, size: int) -> bytes:
    """Whole, whoever else reads this file meanwhile."""
    with disk_errors():
        if isinstance(file, io.BytesIO):
            body = bytes(file.getbuffer()[offset : offset + size])
        else:
            body = _pread(file.fileno(), offset, size)
    if len(body) != size:
        raise Unavailable("A file that arrived is not there any more.")
    return body


def _pread(descriptor: int, offset: int, size: int) -> bytes:
    pieces = []
    while size:
        piece = os.pread(descriptor, size, offset)
        if not piece:
            break
        pieces.append(piece)
        offset += len(piece)
        size -= len(piece)
    return b"".join(pieces)


def _md5(body: bytes) -> bytes:
    return hashlib.md5(body, usedforsecurity=False).digest()
