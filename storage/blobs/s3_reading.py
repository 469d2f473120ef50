"""Reading an object: in pieces, and on from where it stopped when the bucket breaks off."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator

import aiohttp

from registry.core.errors import Unavailable
from storage.blobs.base import chunk_size, lost
from storage.blobs.s3_bucket import Answered, Bucket, CutShort, closing, passing, pause, unavailable

_RESUMED = 16
"""Times that one read goes on after it was broken off, if every piece brought something."""
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


async def read(bucket: Bucket, name: str, key: str, start: int, end: int | None) -> AsyncGenerator[bytes, None]:
    """Bytes start..end of an object.  Raises Unavailable: lost, shorter than `end`, or not to be had now."""
    failures = resumed = 0
    while end is None or start < end:
        reached = start
        try:
            async with closing(await bucket.download(name, _range(start, end))) as reply:
                stop = _stop(reply, key, start, end)
                size = chunk_size(stop - start)
                while start < stop:
                    chunk = await reply.content.read(min(size, stop - start))
                    if not chunk:
                        raise CutShort(f"{name} ended at {start} of {stop}")
                    start += len(chunk)
                    yield chunk
                return
        except Exception as error:
            failures, resumed = (0, resumed + 1) if start > reached else (failures + 1, resumed)
            _judge(bucket, error, key, failures, resumed)
        await pause(failures)


def _judge(bucket: Bucket, error: Exception, key: str, failures: int, resumed: int) -> None:
    """Return when it is worth going on; else raise Unavailable."""
    if isinstance(error, Unavailable):
        raise error
    if isinstance(error, Answered) and error.status in (404, 416):
        raise lost(key) from error
    stale = isinstance(error, Answered) and error.status in (400, 401, 403) and failures == 1
    if not (stale or passing(error)) or failures >= bucket.settings.attempts or resumed > _RESUMED:
        raise unavailable(error) from error


def _range(start: int, end: int | None) -> dict[str, str]:
    if end is not None:
        return {"range": f"bytes={start}-{end - 1}"}
    return {"range": f"bytes={start}-"} if start else {}


def _stop(reply: aiohttp.ClientResponse, key: str, start: int, end: int | None) -> int:
    """Where this answer ends.  Raises Unavailable when it is not what was asked for."""
    if reply.status == 206:
        told = _RANGE.fullmatch(reply.headers.get("content-range", ""))
        if told is None or int(told[1]) != start:
            raise unavailable(ValueError("the answer has another range than was asked for"))
        size = int(told[3])
    elif start:
        raise unavailable(ValueError("the bucket does not answer ranges"))
    else:
        if reply.content_length is None:
            raise unavailable(ValueError("the answer has no length"))
        size = reply.content_length
    if end is not None and size < end:
        raise lost(key)
    return size if end is None else end
