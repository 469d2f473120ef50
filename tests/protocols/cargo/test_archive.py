"""What is in a .crate, and what may not be."""

from __future__ import annotations

import contextlib
import gzip
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.cargo import archive
from tests.samples import cargo as samples


def inspect(body: bytes) -> archive.Contents:
    return archive.inspect(io.BytesIO(body), "left", "1.0.0")


def test_the_manifest_and_the_readme_are_read() -> None:
    more = 'description = "Hi"\nreadme = "docs/README-en.md"\n'
    files = {
        "Cargo.toml": samples.manifest("left", "1.0.0", more),
        "README.md": b"# No",
        "docs/README-en.md": b"# Yes",
    }

    found = inspect(samples.crate(files=files))

    assert found.package["description"] == "Hi"
    assert found.readme == "# Yes"
    assert inspect(samples.crate(files={"readme.txt": b"# Usual"})).readme == "# Usual"
    assert inspect(samples.crate()).readme is None


CARGO = ("left-1.0.0/Cargo.toml", samples.manifest("left", "1.0.0"))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "cut short"),
        (b"not gzip at all", "damaged"),
        (gzip.compress(b"not a tar" * 100, mtime=0), "damaged"),
        (samples.crate()[:-20], "cut short|damaged"),
        (samples.crate()[:-8] + b"\0" * 8, "damaged"),
        (samples.crate() + b"more", "something follows"),
        (samples.archive([]), "no left-1.0.0/Cargo.toml"),
        (samples.archive([("left-1.0.0/src/lib.rs", b"")]), "no left-1.0.0/Cargo.toml"),
        (samples.archive([CARGO, ("other/lib.rs", b"")]), "not below left-1.0.0/"),
        (samples.archive([CARGO, ("left-1.0.0/../../etc/passwd", b"")]), "not below"),
        (samples.archive([CARGO, ("/etc/passwd", b"")]), "not below"),
        (samples.archive([CARGO, ("left-1.0.0/a\\..\\b", b"")]), "not below"),
        (samples.archive([CARGO], links={"left-1.0.0/link": "/etc/passwd"}), "neither a file nor a directory"),
        (samples.crate("left", "1.0.1"), "not below left-1.0.0/"),
        (samples.crate(files={"Cargo.toml": samples.manifest("other", "1.0.0")}), "has name 'other', not 'left'"),
        (samples.crate(files={"Cargo.toml": samples.manifest("left", "1.0.1")}), "has version '1.0.1'"),
        (samples.crate(files={"Cargo.toml": b"package = 1"}), "has name None"),
        (samples.crate(files={"Cargo.toml": b"[package\n"}), "not TOML"),
        (samples.crate(files={"Cargo.toml": b"a = " + b"[" * 50_000}), "damaged|TOML"),
        (samples.crate(files={"Cargo.toml": b"\xff\xfe"}), "damaged"),
        (samples.crate(files={"Cargo.toml": b"#" * (archive.MAX_MANIFEST + 1)}), "larger than"),
    ],
)
def test_an_archive_that_is_not_a_crate_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        inspect(body)


def test_a_bomb_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "FREE_OF_RATIO", 1024**2)
    with pytest.raises(ValueError, match="unpacks to more than is allowed"):
        inspect(samples.crate(files={"zeros": bytes(16 * 1024**2)}))


def test_many_entries_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_ENTRIES", 10)
    with pytest.raises(ValueError, match="more than 10 entries"):
        inspect(samples.crate(files={f"f{n}": b"" for n in range(20)}))


def test_of_a_verified_file_that_cannot_be_read_nothing_is_told() -> None:
    assert archive.look(io.BytesIO(b"nonsense"), "left", "1.0.0") == archive.Contents()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2000), st.binary(min_size=1, max_size=40))
def test_damage_anywhere_is_a_value_error_or_none(at: int, change: bytes) -> None:
    plain = gzip.decompress(samples.crate())
    at %= len(plain)
    with contextlib.suppress(ValueError):
        inspect(gzip.compress(plain[:at] + change + plain[at + len(change) :]))
