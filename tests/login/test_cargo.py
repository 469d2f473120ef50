"""What a login writes for cargo."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from registry.login import changes
from registry.login.changes import Place
from registry.login.errors import LoginError
from registry.login.rust import cargo
from registry.login.session import Grant

GRANT = Grant("http://127.0.0.1:8080/cargo/d/dom-111122223333/repo/", "py1.token", datetime(2030, 1, 1, tzinfo=UTC))


def _do(home: Path, **environ: str) -> None:
    changes.apply(changes.plan(cargo(Place(home, environ), GRANT, "")))


def test_cargo_gets_a_registry_a_default_and_a_replacement_and_keeps_the_rest(tmp_path: Path) -> None:
    folder = tmp_path / ".cargo"
    folder.mkdir()
    (folder / "config.toml").write_text('# mine\n[net]\nretry = 2\n\n[source.crates-io]\nreplace-with = "old"\n')

    _do(tmp_path)
    _do(tmp_path)

    text = (folder / "config.toml").read_text()
    assert text.startswith("# mine\n")
    assert tomllib.loads(text) == {
        "net": {"retry": 2},
        "source": {"crates-io": {"replace-with": "packyard"}},
        "registries": {"packyard": {"index": f"sparse+{GRANT.endpoint}", "credential-provider": "cargo:token"}},
        "registry": {"default": "packyard"},
    }
    secret = tomllib.loads((folder / "credentials.toml").read_text())
    assert secret == {"registries": {"packyard": {"token": "Bearer py1.token"}}}


def test_cargo_home_and_files_without_an_ending_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "config").write_text("")
    (folder / "credentials").write_text("")

    _do(tmp_path, CARGO_HOME=str(folder))

    assert sorted(path.name for path in folder.iterdir()) == ["config", "credentials"]
    assert "packyard" in (folder / "config").read_text()
    assert not (tmp_path / ".cargo").exists()


def test_a_file_that_is_not_toml_is_left_alone_and_so_is_the_other(tmp_path: Path) -> None:
    (tmp_path / ".cargo").mkdir()
    (tmp_path / ".cargo" / "config.toml").write_text("[registries\n")

    with pytest.raises(LoginError, match=r"config\.toml was left alone"):
        _do(tmp_path)

    assert [path.name for path in (tmp_path / ".cargo").iterdir()] == ["config.toml"]
