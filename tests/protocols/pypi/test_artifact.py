"""Metadata out of hostile archives."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocols.pypi import artifact
from protocols.pypi.artifact import read
from protocols.pypi.names import parse_filename
from tests.samples import pypi as samples

PROJECT = samples.Project()


def put(tmp_path: Path, filename: str, body: bytes) -> artifact.Document | None:
    path = tmp_path / "staged"
    path.write_bytes(body)
    return read(path, parse_filename(filename))


@pytest.mark.parametrize("build", [samples.wheel, samples.sdist, samples.egg])
def test_metadata_is_read_byte_for_byte(build, tmp_path: Path) -> None:
    filename, body = build(PROJECT)

    document = put(tmp_path, filename, body)

    assert document is not None
    assert document.body == samples.metadata(PROJECT)
    assert document.sha256 == hashlib.sha256(document.body).hexdigest()


def test_a_zip_can_be_a_source_distribution(tmp_path: Path) -> None:
    document = put(tmp_path, "sample-pkg-1.0.0.zip", samples.zipped({"sample-pkg-1.0.0/PKG-INFO": b"Name: x"}))

    assert document is not None
    assert document.body == b"Name: x"


def test_an_old_sdist_has_none(tmp_path: Path) -> None:
    filename, body = samples.sdist(PROJECT, pkg_info=False)

    assert put(tmp_path, filename, body) is None


def test_the_folder_may_spell_name_and_version_otherwise(tmp_path: Path) -> None:
    body = samples.zipped({"Sample.Pkg-1.0.dist-info/METADATA": b"Name: x"})

    assert put(tmp_path, "sample_pkg-1.0.0-py3-none-any.whl", body) is not None


WHEEL = "sample_pkg-1.0.0-py3-none-any.whl"
INFO = "sample_pkg-1.0.0.dist-info/METADATA"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"x": b""}, "no .dist-info/METADATA"),
        ({"other-1.0.0.dist-info/METADATA": b""}, "no .dist-info/METADATA"),
        ({"sample_pkg-2.0.dist-info/METADATA": b""}, "no .dist-info/METADATA"),
        ({"sample_pkg.dist-info/METADATA": b""}, "no .dist-info/METADATA"),
        ({f"deep/{INFO}": b""}, "no .dist-info/METADATA"),
        ({INFO: b"", "Sample_Pkg-1.0.dist-info/METADATA": b""}, "more than one"),
        ({INFO: b"", "../evil": b""}, "outside"),
        ({INFO: b"", "/etc/evil": b""}, "outside"),
        ({INFO: b"", "a\\..\\evil": b""}, "outside"),
        ({INFO: b"", "C:/evil": b""}, "outside"),
        ({INFO: b"\0" * (artifact.MAX_METADATA + 1)}, "larger than"),
    ],
)
def test_a_wheel_that_is_wrong_is_refused(files: dict[str, bytes], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        put(tmp_path, WHEEL, samples.zipped(files))


def test_a_lying_size_does_not_help_a_bomb(tmp_path: Path) -> None:
    body = bytearray(samples.zipped({INFO: b"\0" * (artifact.MAX_METADATA * 2)}))
    directory = body.rindex(b"PK\x01\x02")
    body[directory + 24 : directory + 28] = (10).to_bytes(4, "little")

    with pytest.raises(ValueError, match=r"larger than|damaged|File|CRC"):
        put(tmp_path, WHEEL, bytes(body))


def test_too_many_entries_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifact, "MAX_ENTRIES", 5)

    with pytest.raises(ValueError, match="more than 5 entries"):
        put(tmp_path, WHEEL, samples.zipped({INFO: b"", **{str(n): b"" for n in range(5)}}))
    with pytest.raises(ValueError, match="more than 5 entries"):
        put(tmp_path, "a-1.tar.gz", samples.tarred({str(n): b"" for n in range(6)}))


def test_a_tar_bomb_is_given_up(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo("a-1/big")
        info.size = 80 * 1024**2
        archive.addfile(info, io.BytesIO(b"\0" * info.size))
    bomb = gzip.compress(out.getvalue())

    with pytest.raises(ValueError, match="far more than its size"):
        put(tmp_path, "a-1.tar.gz", bomb)


def test_a_huge_tar_header_is_refused(tmp_path: Path) -> None:
    header = tarfile.TarInfo("@LongLink")
    header.type = tarfile.GNUTYPE_LONGNAME
    header.size = 32 * 1024**2

    with pytest.raises(ValueError, match="header that is too large"):
        put(tmp_path, "a-1.tar.gz", gzip.compress(header.tobuf() + b"a" * header.size))


def test_endlessly_chained_headers_are_refused(tmp_path: Path) -> None:
    header = tarfile.TarInfo("@LongLink")
    header.type = tarfile.GNUTYPE_LONGNAME
    header.size = 1

    with pytest.raises(ValueError, match="cannot be read"):
        put(tmp_path, "a-1.tar.gz", gzip.compress((header.tobuf() + b"a" * 512) * 5000))


def test_a_tar_that_leaves_its_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="outside"):
        put(tmp_path, "a-1.tar.gz", samples.tarred({"../evil": b"", "a-1/PKG-INFO": b""}))


@pytest.mark.parametrize("filename", [WHEEL, "a-1.tar.gz", "a-1.zip", "a-1-py3.11.egg"])
@pytest.mark.parametrize("body", [b"", b"PK", b"\x1f\x8b", b"<html>", b"\x1f\x8b\x08\x00" + b"x" * 100])
def test_what_is_no_archive_is_refused(filename: str, body: bytes, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"."):
        put(tmp_path, filename, body)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(
    which=st.sampled_from([samples.wheel, samples.sdist, samples.egg]),
    edits=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8),
    cut=st.integers(0, 10**6),
)
def test_a_damaged_archive_is_read_or_refused(which, edits: list[tuple[int, int]], cut: int, tmp_path: Path) -> None:
    filename, whole = which(PROJECT)
    body = bytearray(whole)
    for at, value in edits:
        body[at % len(body)] = value
    try:
        put(tmp_path, filename, bytes(body[: cut % len(body)] if cut % 3 == 0 else body))
    except ValueError:
        return


def test_encrypted_metadata_is_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(INFO, b"Name: x")
    body = bytearray(out.getvalue())
    body[6] |= 1
    body[body.rindex(b"PK\x01\x02") + 8] |= 1

    with pytest.raises(ValueError, match="cannot be read"):
        put(tmp_path, WHEEL, bytes(body))


def test_a_large_pkg_info_is_refused(tmp_path: Path) -> None:
    noise = random.Random(1).randbytes(artifact.MAX_METADATA + 1)

    with pytest.raises(ValueError, match="larger than"):
        put(tmp_path, "a-1.tar.gz", samples.tarred({"a-1/PKG-INFO": noise}))


def test_a_tar_that_ends_early_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("a-1/long")
    info.size = 10**7

    with pytest.raises(ValueError, match="cannot be read"):
        put(tmp_path, "a-1.tar.gz", gzip.compress(info.tobuf() + b"x" * 512))
