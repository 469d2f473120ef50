"""What a login writes for gem and Bundler."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from registry.login import changes
from registry.login.changes import Place
from registry.login.errors import LoginError
from registry.login.ruby import bundler, gem
from registry.login.session import Grant

GRANT = Grant("http://127.0.0.1:8080/ruby/d/my_dom-111122223333/re.po/", "py1.tok-en", datetime(2030, 1, 1, tzinfo=UTC))
HOST = GRANT.endpoint.rstrip("/")


def _gem(home: Path) -> None:
    changes.apply(changes.plan(gem(Place(home, {}), GRANT, "")))


def _bundler(home: Path, **environ: str) -> None:
    changes.apply(changes.plan(bundler(Place(home, environ), GRANT, "")))


def test_gem_gets_one_source_and_two_keys_and_keeps_the_rest(tmp_path: Path) -> None:
    (tmp_path / ".gem").mkdir()
    (tmp_path / ".gem" / "credentials").write_text("---\n:rubygems_api_key: other\n:codeartifact_api_key: Bearer old\n")
    (tmp_path / ".gemrc").write_text(
        "---\n:sources:\n- http://elsewhere/\n# mine\n:verbose: true\ngem: --no-document\n"
    )

    _gem(tmp_path)
    _gem(tmp_path)

    source = "http://aws:py1.tok-en@127.0.0.1:8080/ruby/d/my_dom-111122223333/re.po/"
    assert yaml.safe_load((tmp_path / ".gemrc").read_text()) == {
        ":sources": [source], ":verbose": True, "gem": "--no-document",
    }  # fmt: skip
    assert "# mine\n" in (tmp_path / ".gemrc").read_text()
    assert yaml.safe_load((tmp_path / ".gem" / "credentials").read_text()) == {
        ":rubygems_api_key": "other", ":codeartifact_api_key": "Bearer py1.tok-en", HOST: "Bearer py1.tok-en",
    }  # fmt: skip
    assert stat.S_IMODE((tmp_path / ".gem" / "credentials").stat().st_mode) == 0o600


def test_files_that_are_not_there_are_made(tmp_path: Path) -> None:
    _gem(tmp_path)
    _bundler(tmp_path)

    assert (tmp_path / ".gemrc").exists()
    assert yaml.safe_load((tmp_path / ".bundle" / "config").read_text()) == {
        "BUNDLE_HTTP://127__0__0__1:8080/RUBY/D/MY_DOM___111122223333/RE__PO/": "aws:py1.tok-en"
    }


def test_bundlers_file_is_where_its_variables_say(tmp_path: Path) -> None:
    _bundler(tmp_path, BUNDLE_USER_HOME=str(tmp_path / "a"))
    _bundler(tmp_path, BUNDLE_USER_HOME=str(tmp_path / "a"), BUNDLE_USER_CONFIG=str(tmp_path / "b"))

    assert (tmp_path / "a" / "config").exists()
    assert (tmp_path / "b").is_file()
    assert not (tmp_path / ".bundle").exists()


def test_bundlers_other_settings_stay(tmp_path: Path) -> None:
    folder = tmp_path / ".bundle"
    folder.mkdir()
    (folder / "config").write_text('---\nBUNDLE_JOBS: "4"\nBUNDLE_HTTP://127__0__0__1:8080/OTHER/: "aws:old"\n')

    _bundler(tmp_path)

    assert yaml.safe_load((folder / "config").read_text()) | {} == {
        "BUNDLE_JOBS": "4",
        "BUNDLE_HTTP://127__0__0__1:8080/OTHER/": "aws:old",
        "BUNDLE_HTTP://127__0__0__1:8080/RUBY/D/MY_DOM___111122223333/RE__PO/": "aws:py1.tok-en",
    }


def test_a_file_that_is_not_understood_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".gemrc").write_text("{ :sources: [a] }\n")

    with pytest.raises(LoginError, match="left alone"):
        _gem(tmp_path)

    assert not (tmp_path / ".gem").exists()
