"""Source archives: what is read of them, and what is refused."""

from __future__ import annotations

import contextlib
import io
import stat
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.swift import archive
from tests.samples.swift import MANIFEST
from tests.samples.swift import archive as made


def link(target: str, *, path: str = "Hello/Sources/link") -> bytes:
    out = io.BytesIO(made())
    with zipfile.ZipFile(out, "a") as opened:
        info = zipfile.ZipInfo(path)
        info.create_system = 3
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        opened.writestr(info, target)
    return out.getvalue()


def entries(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as opened:
        opened.writestr("Hello/Package.swift", MANIFEST)
        for name in names:
            opened.writestr(name, "")
    return out.getvalue()


def inspect(body: bytes) -> archive.Contents:
    return archive.inspect(io.BytesIO(body))


def test_manifests_and_the_readme_are_read() -> None:
    found = inspect(
        made(
            {
                "Package@swift-5.9.swift": "\ufeff//swift-tools-version: 5.9\n",
                "Package@swift-4.2.swift": "// swift-tools-version:4.2\n",
                "Sources/Package@swift-6.0.swift": "not a manifest",
            },
            root="acme.Hello",
        )
    )

    assert found.tools == {
        "Package.swift": "5.5",
        "Package@swift-5.9.swift": "5.9",
        "Package@swift-4.2.swift": "4.2",
    }
    assert found.manifests["Package.swift"].decode() == MANIFEST
    assert found.readme == "# Hello\n"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "zip"),
        (b"PK\x03\x04 and then nothing", "zip"),
        (made()[:-30], "zip"),
        (made({"Package.swift": b""}), "no Package.swift"),
        (made({"Package.swift": "import PackageDescription"}), "swift-tools-version"),
        (made({"Package@swift-5.9.swift": "no version"}), "swift-tools-version"),
        (entries("Hello/../../etc/passwd"), "leads out"),
        (entries("/etc/passwd"), "leads out"),
        (entries("Other/file"), "more than one"),
        (entries("file"), "not in a top directory"),
        (link("../../../etc/passwd"), "leads out"),
        (link("/etc/passwd"), "leads out"),
        (made({"Package.swift": MANIFEST + " " * 1024**2}), "larger"),
    ],
)
def test_archives_that_are_refused(body: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        inspect(body)


def test_a_link_within_the_package_is_fine() -> None:
    assert inspect(link("../Package.swift")).manifests


def test_an_archive_that_unpacks_to_a_thousand_times_its_size_is_refused() -> None:
    with pytest.raises(ValueError, match="unpacks"):
        inspect(made({f"zeros{number}": b"\0" * 100_000_000 for number in range(3)}))


@given(st.binary(max_size=60), st.integers(0, 800))
def test_a_damaged_archive_is_read_or_refused(harm: bytes, at: int) -> None:
    body = bytearray(made())
    body[at : at + len(harm)] = harm
    with contextlib.suppress(ValueError):
        assert inspect(bytes(body)).manifests
