"""Reading in a stored file: in the local one, or in ranges of one that lies elsewhere."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pytest

from registry.core.errors import InternalServer
from registry.web import stored


@dataclass
class Elsewhere:
    """A content without a local file; remembers which ranges were asked for."""

    body: bytes
    size: int | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    modified: int = 0
    source: str = "local"
    path: Path | None = None
    asked: list[tuple[int, int]] = field(default_factory=list)

    async def read(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        end = len(self.body) if end is None else end
        self.asked.append((start, end))
        for at in range(start, end, 1000):
            yield self.body[at : min(at + 1000, end)]


def archive(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, body in files.items():
            packed.writestr(name, body)
    return out.getvalue()


def member(file: IO[bytes]) -> bytes:
    with zipfile.ZipFile(file) as packed:
        return packed.read("wanted")


async def test_a_local_file_is_read_as_it_lies(tmp_path: Path) -> None:
    body = archive(wanted=b"this")
    path = tmp_path / "file"
    path.write_bytes(body)

    assert await stored.read(Elsewhere(body, len(body), path=path), member) == b"this"


async def test_of_a_file_elsewhere_only_the_ranges_that_are_needed_come() -> None:
    body = archive(before=os.urandom(3_000_000), wanted=b"this" * 10_000, after=os.urandom(2_000_000))
    content = Elsewhere(body, len(body))

    assert await stored.read(content, member) == b"this" * 10_000
    assert sum(end - start for start, end in content.asked) < 500_000


async def test_a_file_that_makes_no_sense_is_our_fault() -> None:
    def refuse(file: IO[bytes]) -> None:
        raise ValueError(file.read(1))

    for content in (Elsewhere(b"x", None), Elsewhere(b"", 10), Elsewhere(b"x", 1)):
        with pytest.raises(InternalServer):
            await stored.read(content, refuse)


async def test_no_more_is_fetched_than_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "_MOST", 200_000)
    body = archive(wanted=bytes(1_000_000))

    with pytest.raises(InternalServer):
        await stored.read(Elsewhere(body, len(body)), member)
