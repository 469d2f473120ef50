"""Secrets at rest and the key that seals them."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.errors import Unavailable
from registry.identity.secrets import KeyFileError, Secrets, master_key

MASTER = bytes(range(32))


@given(plain=st.binary(max_size=100), name=st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_what_is_sealed_is_unsealed_by_its_name(plain: bytes, name: str) -> None:
    assert Secrets(MASTER).unseal(Secrets(MASTER).seal(plain, name), name) == plain


def test_the_same_secret_is_sealed_differently_each_time_and_does_not_show() -> None:
    secrets = Secrets(MASTER)

    first, second = secrets.seal(b"secret", "a"), secrets.seal(b"secret", "a")

    assert first != second
    assert b"secret" not in first


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_what_was_altered_is_not_unsealed(at: int, bit: int) -> None:
    secrets = Secrets(MASTER)
    sealed = bytearray(secrets.seal(b"secret", "a"))
    sealed[at % len(sealed)] ^= 1 << bit

    with pytest.raises(Unavailable):
        secrets.unseal(bytes(sealed), "a")


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01" + bytes(12), bytes(40)])
def test_what_was_never_sealed_is_not_unsealed(sealed: bytes) -> None:
    with pytest.raises(Unavailable):
        Secrets(MASTER).unseal(sealed, "a")


def test_another_key_or_name_does_not_unseal() -> None:
    sealed = Secrets(MASTER).seal(b"secret", "a")

    with pytest.raises(Unavailable):
        Secrets(bytes(32)).unseal(sealed, "a")
    with pytest.raises(Unavailable):
        Secrets(MASTER).unseal(sealed, "b")


def test_each_purpose_has_a_key_of_its_own() -> None:
    secrets = Secrets(MASTER)

    assert len({secrets.derive("tokens"), secrets.derive("pages"), MASTER}) == 3
    assert secrets.derive("tokens") == Secrets(MASTER).derive("tokens")


def test_the_key_file_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    keys = tmp_path / "keys"

    first = master_key(keys, {})

    assert master_key(keys, {}) == first
    assert len(first) == 32
    assert (keys / "master").stat().st_mode & 0o777 == 0o600
    assert keys.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in keys.iterdir()] == ["master"]


def test_processes_that_start_at_once_have_the_same_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as threads:
        made = set(threads.map(lambda _: master_key(tmp_path / "keys", {}), range(64)))

    assert len(made) == 1


@pytest.mark.parametrize("text", [MASTER.hex(), MASTER.hex().upper() + "\n", base64.b64encode(MASTER).decode()])
def test_the_environment_gives_the_key_and_no_file_is_made(tmp_path: Path, text: str) -> None:
    assert master_key(tmp_path / "keys", {"PACKYARD_MASTER_KEY": text}) == MASTER
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("text", ["short", "é" * 64, base64.b64encode(bytes(31)).decode()])
def test_a_key_that_is_none_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(KeyFileError) as refused:
        master_key(tmp_path, {"PACKYARD_MASTER_KEY": text})

    assert text not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"broken", b"\xff\xfe"])
def test_a_broken_key_file_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "master").write_bytes(content)

    with pytest.raises(KeyFileError):
        master_key(tmp_path, {})

    assert (tmp_path / "master").read_bytes() == content


def test_a_key_file_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(KeyFileError):
        master_key(tmp_path / "file" / "keys", {})


def test_a_master_key_of_another_length_is_refused() -> None:
    with pytest.raises(KeyFileError):
        Secrets(bytes(16))
