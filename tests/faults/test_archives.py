"""Archives and metadata made to hang, to exhaust memory or to confuse those who read them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import threading
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from protocols.npm import tarball
from protocols.pypi import artifact, core
from protocols.pypi.names import parse_filename

WHEEL = parse_filename("a-1-py3-none-any.whl")
MANIFEST = b'{"name":"a","version":"1.0.0"}'
METADATA = b"Metadata-Version: 2.1\nName: a\nVersion: 1\n"


def within(seconds: float, work: Callable[[], Any]) -> Any:
    """What the work returns or raises; a work that does not end fails the test."""
    ended: list[tuple[Any, BaseException | None]] = []

    def run() -> None:
        try:
            ended.append((work(), None))
        except BaseException as err:
            ended.append((None, err))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert ended, f"not done in {seconds} seconds"
    result, failure = ended[0]
    if failure is not None:
        raise failure
    return result


def put(folder: Path, body: bytes) -> Path:
    path = folder / "archive"
    path.write_bytes(body)
    return path


# --- npm ---------------------------------------------------------------------------------------


def entry(name: bytes, size: bytes, kind: bytes = b"0") -> bytes:
    """A tar header with this text as its size."""
    header = bytearray(512)
    header[: len(name)] = name
    header[100:108] = b"0000644\0"
    header[124 : 124 + len(size)] = size
    header[156:157] = kind
    header[257:265] = b"ustar\x0000"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


@pytest.mark.parametrize("name", [b"package/package.json", b"package/index.js", b"package/README.md"])
@pytest.mark.parametrize("kind", [b"0", b"x", b"L", b"g", b"K"])
@pytest.mark.parametrize("size", [b"-0000000005\0", b"-0000001000\0", b"+0000001000\0", b"0_0\0", b"\xff" * 12])
def test_a_size_that_is_no_number_ends_the_reading_of_a_tarball(
    tmp_path: Path, name: bytes, kind: bytes, size: bytes
) -> None:
    path = put(tmp_path, gzip.compress(entry(name, size, kind) + MANIFEST + bytes(2048)))

    with pytest.raises(ValueError, match="tarball"):
        within(10, lambda: tarball.inspect(path))


def test_hundred_thousands_of_empty_gzip_members_are_refused(tmp_path: Path) -> None:
    path = put(tmp_path, gzip.compress(b"") * 300_000)

    with pytest.raises(ValueError, match="gzip members"):
        within(20, lambda: tarball.inspect(path))


def test_a_tarball_in_blocks_of_its_own_is_read(tmp_path: Path) -> None:
    """As bgzip and pigz write it."""
    body = entry(b"package/package.json", b"%011o\0" % len(MANIFEST)) + MANIFEST.ljust(512, b"\0") + bytes(100_000)
    path = put(tmp_path, b"".join(gzip.compress(body[at : at + 8192]) for at in range(0, len(body), 8192)))

    assert within(10, lambda: tarball.inspect(path)).manifest == MANIFEST


# --- Python ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_metadata_in_a_coding_that_inflates_without_bound_is_refused(tmp_path: Path, method: int) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("a-1.dist-info/METADATA", METADATA + bytes(60_000_000))
    body = bytearray(out.getvalue())
    at = body.rfind(b"PK\x01\x02")
    body[at + 24 : at + 28] = struct.pack("<I", 100)  # the size it declares
    path = put(tmp_path, bytes(body))

    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="compress"):
            within(20, lambda: artifact.read(path, WHEEL))
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()


def test_a_directory_of_a_million_entries_is_not_read_into_memory(tmp_path: Path) -> None:
    record = b"PK\x01\x02" + bytes(24) + struct.pack("<HHHHHII", 1, 0, 0, 0, 0, 0, 0) + b"a"
    count = 1_000_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(record) * count, 0, 0)
    path = put(tmp_path, record * count + end)

    with pytest.raises(ValueError, match="too large"):
        within(5, lambda: artifact.read(path, WHEEL))


def test_a_hundred_thousand_header_names_do_not_take_minutes() -> None:
    body = METADATA + b"".join(b"X%d: 1\n" % number for number in range(100_000))

    with pytest.raises(ValueError, match="header"):
        within(5, lambda: core.from_bytes(body))


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_million_header_lines_are_refused_however_they_end(end: bytes) -> None:
    with pytest.raises(ValueError, match="header"):
        within(5, lambda: core.from_bytes(METADATA.replace(b"\n", end) + (b" a" + end) * 1_000_000))


def test_a_long_description_is_no_header() -> None:
    body = METADATA + b"\n" + b"Word: again\n" * 300_000

    assert within(10, lambda: core.from_bytes(body)).name == "a"


@pytest.mark.parametrize("text", ["a; " + "(" * 5000 + "python_version=='3'" + ")" * 5000, "a[" * 100_000])
def test_a_requirement_nested_beyond_reason_is_kept_as_text(text: str) -> None:
    facts = core.facts(core.from_bytes(METADATA + f"Requires-Dist: {text}\n".encode()))

    assert facts.dependencies[0].package == "a"


def test_what_bombs_look_like_is_what_we_say() -> None:
    """The bombs above are small on the wire."""
    assert len(bz2.compress(bytes(20_000_000))) < 4096
    assert len(lzma.compress(bytes(20_000_000))) < 8192


def test_a_tarball_that_unpacks_to_a_thousand_times_its_size_is_not_unpacked_to_the_end(tmp_path: Path) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    header = entry(b"package/zeros", b"\x80" + (1 << 33).to_bytes(11, "big"))
    piece = bytes(16_000_000)
    path = put(tmp_path, packer.compress(header) + b"".join(packer.compress(piece) for _ in range(40)) + packer.flush())

    with pytest.raises(ValueError, match="unpacks to more"):
        within(10, lambda: tarball.inspect(path))
