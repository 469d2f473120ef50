"""What a tarball's headers say, and what archives may not do."""

from __future__ import annotations

import contextlib
import gzip
import io
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.npm import tarball
from tests.samples import npm


def put(body: bytes) -> io.BytesIO:
    return io.BytesIO(body)


def test_files_sizes_manifest_and_readme_are_read() -> None:
    body = npm.tarball(
        files={"README.md": "# Hi", "lib/README.md": "# No", "npm-shrinkwrap.json": "{}", "binding.gyp": "{}"}
    )

    found = tarball.inspect(put(body))

    assert found.manifest == b'{"name": "left", "version": "1.0.0"}'
    assert (found.readme, found.readme_name) == ("# Hi", "README.md")
    assert found.files == 6
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        assert found.unpacked == sum(member.size for member in archive)
    assert found.shrinkwrap
    assert found.gyp


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_tar_dialect_is_read(format: int) -> None:
    out = io.BytesIO()
    long = "a" * 60 + "/" + "b" * 70
    with tarfile.open(fileobj=out, mode="w:gz", format=format) as archive:
        for name, body in {"pkg/package.json": b"{}", f"pkg/{long}": b"x" * 1000, "pkg/Readme": b"hello"}.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            info.uname = "ü" if format == tarfile.PAX_FORMAT else ""
            archive.addfile(info, io.BytesIO(body))
        link = tarfile.TarInfo("pkg/link")
        link.type, link.linkname = tarfile.SYMTYPE, "../../etc/passwd"
        archive.addfile(link)
        folder = tarfile.TarInfo("pkg/dir")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)

    found = tarball.inspect(put(out.getvalue()))

    assert (found.manifest, found.readme, found.files, found.unpacked) == (b"{}", "hello", 3, 1007)


@pytest.mark.parametrize("root", ["package", "my-pkg", "./package", "."])
def test_the_first_path_component_may_have_any_name(root: str) -> None:
    found = tarball.inspect(put(npm.tarball(root=root)))

    assert (found.manifest is not None) == (root != "./package")


def test_no_gzip_no_tar_and_half_a_tar_are_refused() -> None:
    whole = npm.tarball(files={"big": bytes(range(256)) * 2000})
    for body in (b"", b"PK\x03\x04 zip", gzip.compress(b"no tar at all" * 100), whole[: len(whole) // 2]):
        with pytest.raises(ValueError, match="tarball"):
            tarball.inspect(put(body))


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        info = tarfile.TarInfo("package/zeros")
        info.size = 40 * 1024**2
        archive.addfile(info, io.BytesIO(bytes(info.size)))
    monkeypatch.setattr(tarball, "FREE_OF_RATIO", 1024)

    with pytest.raises(ValueError, match="unpacks"):
        tarball.inspect(put(out.getvalue()))


def test_too_many_entries_and_headers_that_claim_too_much_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pax = tarfile.TarInfo("x")
    pax.type, pax.size = b"x", 900 * 1024**2
    with pytest.raises(ValueError, match="limit"):
        tarball.inspect(put(gzip.compress(pax.tobuf(tarfile.USTAR_FORMAT) + bytes(512))))
    monkeypatch.setattr(tarball, "MAX_ENTRIES", 1)
    with pytest.raises(ValueError, match="entries"):
        tarball.inspect(put(npm.tarball()))


@settings(max_examples=150)
@given(st.integers(0, 4000), st.binary(min_size=1, max_size=40))
def test_damage_never_ends_in_anything_but_a_value_error(at: int, noise: bytes) -> None:
    plain = bytearray(gzip.decompress(npm.tarball(files={"x" * 120: "y"})))
    plain[at % len(plain) : at % len(plain) + len(noise)] = noise
    with contextlib.suppress(ValueError):
        tarball.inspect(put(gzip.compress(bytes(plain), 1)))


def test_a_readme_is_found_without_reading_everything() -> None:
    body = npm.tarball(files={"README.md": "# Early", "big": bytes(5 * 1024**2)})

    assert tarball.find_readme(put(body), limit=1024**2) == "# Early"
    assert tarball.find_readme(put(b"nonsense")) is None
