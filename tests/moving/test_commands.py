"""`packyard backup`, `restore`, `check` and `sweep` as commands, on PostgreSQL and a bucket."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from registry.cli import main
from registry.config import parse
from tests.moving.test_backup import fetch, publish, server


def write(path: Path, document: dict[str, Any]) -> str:
    lines = [f"{key} = {value!r}".replace("'", '"') for key, value in document["storage"].items()]
    path.write_text("[storage]\n" + "\n".join(lines) + "\n")
    return str(path)


def test_a_registry_moves_to_other_engines_by_two_commands(
    settings: Callable[..., dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    old, new = settings("old"), settings("new", "postgres", "s3")
    old_file, new_file = write(tmp_path / "old.toml", old), write(tmp_path / "new.toml", new)
    backup = str(tmp_path / "backup")
    with server(parse(old, {})) as running:
        running.make("dom", "repo")
        publish(running, "1.0", b"moves")
        assert main(["backup", backup, "--config", old_file]) == 0
    assert "1 files (5 bytes), of which 1 were copied now; 0 files" in capsys.readouterr().out

    assert main(["restore", backup, "--dry-run"]) == 0
    assert "is whole: 1 files (5 bytes)" in capsys.readouterr().out
    assert main(["restore", backup, "--config", new_file]) == 0
    assert "1 files (5 bytes), of which 1 were written now" in capsys.readouterr().out
    assert main(["check", "--config", new_file]) == 0
    assert "1 files, 5 bytes: 0 faults, 0 unknown files" in capsys.readouterr().out
    assert main(["sweep", "--dry-run", "--config", new_file]) == 0
    assert "0 unknown files (0 bytes) would be removed" in capsys.readouterr().out
    with server(parse(new, {})) as running:
        assert fetch(running, "1.0") == b"moves"


def test_a_damaged_object_is_found_taken_out_of_use_and_healed(
    settings: Callable[..., dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    from tests import bucket

    place = settings("place", "sqlite", "s3")
    file = write(tmp_path / "place.toml", place)
    with server(parse(place, {})) as running:
        running.make("dom", "repo")
        publish(running, "1.0", b"as it was")
    aws, digest = bucket.shared().boto(), hashlib.sha256(b"as it was").hexdigest()
    prefix = place["storage"]["blobs"].removeprefix(f"s3://{bucket.BUCKET}/") + "/"
    (found,) = aws.list_objects_v2(Bucket=bucket.BUCKET, Prefix=prefix)["Contents"]
    aws.put_object(Bucket=bucket.BUCKET, Key=found["Key"], Body=b"as it wa5")

    assert main(["check", "--config", file]) == 1
    assert f"digest: {digest}" in capsys.readouterr().out
    assert main(["check", "--repair", "--config", file]) == 1
    with server(parse(place, {})) as running:
        publish(running, "1.0", b"as it was")
        assert fetch(running, "1.0") == b"as it was"
    capsys.readouterr()
    assert main(["check", "--config", file]) == 0
    assert "0 faults, 1 unknown files" in capsys.readouterr().out


def test_what_cannot_be_done_is_said_in_one_line(
    settings: Callable[..., dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = write(tmp_path / "place.toml", settings("place"))
    (tmp_path / "empty").mkdir()
    attempts = (
        ["backup", str(tmp_path / "backup"), "--config", file],
        ["restore", str(tmp_path / "empty"), "--config", file],
        ["restore", str(tmp_path / "absent"), "--dry-run", "--config", file],
    )

    for attempt in attempts:
        assert main(attempt) == 1
        told = capsys.readouterr().err
        assert told.startswith("packyard: ")
        assert told.count("\n") == 1
