"""Checksum files that clients put beside their files: read, compared, never stored.

A mismatch is remembered as a tag of the package until the right one comes: `mvn` passes over the refusal, so it is
the metadata that must be refused (guide, "Checksum mismatches during publishing").
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager

from protocols.maven.names import ALGORITHMS
from registry.core.types import Digests, Version

LIMIT = 4096
_SIZES = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
_MARK = "checksum"
_PATIENCE = 120.0
"""Seconds for which a checksum waits for the file that is under way."""
LOOKS = (0.05, 0.15, 0.3)
"""Seconds between looks for a file that may be arriving at another process."""


def parse(body: bytes, algorithm: str) -> str:
    """The digest as sent, case and all: bare, `hex  name` or `name = hex`.  Raises ValueError."""
    text = body.decode("utf-8", "replace").strip()
    line = text.splitlines()[0] if text else ""
    found = re.findall(rf"(?<![0-9A-Za-z])[0-9A-Fa-f]{{{_SIZES[algorithm]}}}(?![0-9A-Za-z])", line)
    if len(found) != 1:
        raise ValueError(f"The body is no {algorithm.upper()} in hex: {line[:80]!r}")
    digest: str = found[0]
    return digest


def mark(asset: str, algorithm: str) -> str:
    """The tag that remembers a mismatch; it names the version."""
    return f"{_MARK}:{algorithm}:{asset}"


def marked(version: Version, tags: Mapping[str, str]) -> list[tuple[str, str]]:
    """(asset, algorithm) of every mismatch that stands."""
    found = []
    for tag, tagged in tags.items():
        kind, _, rest = tag.partition(":")
        algorithm, _, asset = rest.partition(":")
        if kind == _MARK and tagged == version.key.version and algorithm in ALGORITHMS:
            found.append((asset, algorithm))
    return sorted(found)


class Arrivals:
    """Files whose bodies are coming in to this process: their checksums may overtake them."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, tuple[int, asyncio.Event]] = {}

    @contextmanager
    def arriving(self, key: Hashable) -> Iterator[None]:
        """While a file is received and published."""
        count, over = self._under_way.get(key, (0, asyncio.Event()))
        self._under_way[key] = (count + 1, over)
        try:
            yield
        finally:
            count, over = self._under_way.pop(key)
            if count > 1:
                self._under_way[key] = (count - 1, over)
            else:
                over.set()

    async def waits(self, key: Hashable) -> bool:
        """Wait until the file is here; False when none is under way."""
        found = self._under_way.get(key)
        if found is None:
            return False
        try:
            async with asyncio.timeout(_PATIENCE):
                await found[1].wait()
        except TimeoutError:
            return False
        return True


class Recent:
    """Digests of the metadata documents that came last, for the checksums that follow them; bounded."""

    def __init__(self, places: int = 4096, each: int = 16) -> None:
        self._kept: OrderedDict[Hashable, list[Digests]] = OrderedDict()
        self._places = places
        self._each = each

    def put(self, key: Hashable, digests: Digests) -> None:
        """One more document for this place."""
        kept = self._kept.setdefault(key, [])
        kept.append(digests)
        del kept[: -self._each]
        self._kept.move_to_end(key)
        while len(self._kept) > self._places:
            self._kept.popitem(last=False)

    def refuses(self, key: Hashable, algorithm: str, digest: str) -> bool:
        """Is it of none of them?  Where none is known, or some may have been forgotten, that cannot be said."""
        kept = self._kept.get(key, [])
        if not kept or len(kept) == self._each:
            return False
        return all(getattr(each, algorithm) != digest for each in kept)
