"""How files are changed: all or none, whole, for their owner only, and shown without secrets."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from registry.login import changes
from registry.login.changes import Edit, Place
from registry.login.errors import LoginError, Malformed
from registry.login.session import Grant
from registry.login.tools import TOOLS, Tool

GRANT = Grant("http://127.0.0.1:8080/any/d/dom-111122223333/repo/", "py1.to-ken_1", datetime(2030, 1, 1, tzinfo=UTC))


def _do(*edits: Edit) -> None:
    changes.apply(changes.plan(edits))


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_written_for_its_owner_only_whatever_it_was(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.write_text("a")
    old.chmod(0o644)

    _do(Edit(old, lambda text: text + "b"), Edit(tmp_path / "sub" / "folder" / "new", lambda text: text + "c"))

    assert (old.read_text(), _mode(old)) == ("ab", 0o600)
    assert _mode(tmp_path / "sub" / "folder" / "new") == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old", "sub"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_stays_theirs(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("a")
    os.chown(path, 12345, 12346)

    _do(Edit(path, lambda text: text + "b"))

    assert (path.stat().st_uid, path.stat().st_gid, _mode(path), path.read_text()) == (12345, 12346, 0o600, "ab")


@pytest.mark.parametrize("there", [True, False])
def test_links_are_followed_and_stay(tmp_path: Path, there: bool) -> None:
    real = tmp_path / "dotfiles" / "npmrc"
    real.parent.mkdir()
    if there:
        real.write_text("a")
    link = tmp_path / ".npmrc"
    link.symlink_to("dotfiles/npmrc")

    _do(Edit(link, lambda text: text + "b"))

    assert link.is_symlink()
    assert real.read_text() == ("ab" if there else "b")


def test_line_ends_and_the_byte_order_mark_stay(tmp_path: Path) -> None:
    path = tmp_path / "pip.ini"
    path.write_bytes(b"\xef\xbb\xbf[a]\r\nx = 1\r\n")

    _do(Edit(path, lambda text: text + "y = 2\n"))

    assert path.read_bytes() == b"\xef\xbb\xbf[a]\r\nx = 1\r\ny = 2\r\n"


def _refuse(text: str) -> str:
    raise Malformed("line 3 is odd")


def test_one_file_that_cannot_be_changed_leaves_all_alone(tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    bad.write_text("x")

    with pytest.raises(LoginError, match="bad was left alone: line 3 is odd"):
        _do(Edit(good, lambda _: "new"), Edit(bad, _refuse))

    assert [path.name for path in tmp_path.iterdir()] == ["bad"]
    assert bad.read_text() == "x"


def test_one_file_that_cannot_be_written_leaves_all_alone(tmp_path: Path) -> None:
    good, blocked = tmp_path / "good", tmp_path / "file" / "below"
    good.write_text("old")
    plan = changes.plan([Edit(good, lambda _: "new"), Edit(blocked, lambda _: "new")])
    (tmp_path / "file").write_text("not a folder")

    with pytest.raises(LoginError, match=r"below cannot be written"):
        changes.apply(plan)

    assert good.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "good"]


def test_a_disk_that_takes_no_more_leaves_all_as_it_was(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    small, large = tmp_path / "small", tmp_path / "large"
    large.write_text("old")
    plan = changes.plan([Edit(small, lambda _: "new"), Edit(large, lambda _: "new" * 50_000)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(LoginError, match="large cannot be written: File too large"):
            changes.apply(plan)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert [path.name for path in tmp_path.iterdir()] == ["large"]
    assert large.read_text() == "old"


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")

    for path, why in (
        (Path(os.devnull), "is not a file"),
        (tmp_path / "pipe", "is not a file"),
        (tmp_path, "is not a file"),
        (tmp_path / "loop", "cannot be read"),
    ):
        with pytest.raises(LoginError, match=why):
            changes.plan([Edit(path, lambda _: "new")])


@pytest.mark.parametrize("body", [b"\xff\xfe", b"a\0b"])
def test_what_is_not_text_is_left_alone(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(body)

    with pytest.raises(LoginError, match="file was left alone: it is not text"):
        _do(Edit(path, lambda _: "new"))

    assert path.read_bytes() == body


def test_a_change_is_shown_without_this_token_or_any_secret_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / ".npmrc"
    path.write_text("//other/:_authToken=SECRET1\nregistry=http://u:SECRET2@old/\n//h:80/:_authToken=SECRET3\n")
    new = "//other/:_authToken=SECRET1\nregistry=http://h:80/\n//h:80/:_authToken=TOKEN\n"

    [change] = changes.plan([Edit(path, lambda _: new)])

    assert change.shown("TOKEN") == (
        f"{path}:\n  - registry=***\n  - //h:80/:_authToken=***\n  + registry=http://h:80/\n  + //h:80/:_authToken=***"
    )
    assert "SECRET" not in repr(change)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('password = "SECRET"', "password =***"),
        ("    https://u:SECRET@h/", "    https:***"),
        ('  "//h:80/": { npmAuthToken: "SECRET" }', '  "//h:80/":***'),
        ("  npmAuthToken: SECRET", "  npmAuthToken:***"),
        ("npmRegistries:", "npmRegistries:"),
        ("SECRET", "***"),
    ],
)
def test_of_a_line_that_goes_only_the_key_is_shown(tmp_path: Path, line: str, shown: str) -> None:
    path = tmp_path / "file"
    path.write_text(line + "\n")

    [change] = changes.plan([Edit(path, lambda _: "")])

    assert change.shown("TOKEN") == f"{path}:\n  - {shown}"


# --- each tool -----------------------------------------------------------------------------------------------

EVERY = pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)


_STORE = "credentials/credentials.toml"
_MAC = "Library/Application Support/pypoetry"


def _place(home: Path, **environ: str) -> Place:
    return Place(home, environ, "linux")


def _files(home: Path) -> dict[str, str]:
    return {str(path.relative_to(home)): path.read_text() for path in home.rglob("*") if path.is_file()}


@EVERY
@pytest.mark.parametrize("scope", ["", "acme"])
def test_a_second_login_changes_nothing_but_the_token(tmp_path: Path, tool: Tool, scope: str) -> None:
    _do(*tool.edits(_place(tmp_path), GRANT, scope))
    first = _files(tmp_path)

    _do(*tool.edits(_place(tmp_path), replace(GRANT, token="later"), scope))

    assert _files(tmp_path) == {name: text.replace(GRANT.token, "later") for name, text in first.items()}
    assert any("later" in text for text in _files(tmp_path).values())


@EVERY
def test_what_a_tool_would_do_is_shown_without_the_token(tmp_path: Path, tool: Tool) -> None:
    planned = changes.plan(tool.edits(_place(tmp_path), GRANT, ""))

    shown = "\n".join(change.shown(GRANT.token) for change in planned)

    assert GRANT.token not in shown
    assert "***" in shown
    spelled = GRANT.bare.upper().replace("-", "___").replace(".", "__")  # as bundler writes a key
    assert GRANT.bare in shown.replace("aws:***@", "") or spelled in shown
    assert not list(tmp_path.iterdir())


@EVERY
def test_a_malformed_file_is_left_alone(tmp_path: Path, tool: Tool) -> None:
    paths = [edit.path for edit in tool.edits(_place(tmp_path), GRANT, "")]
    paths[-1].parent.mkdir(parents=True, exist_ok=True)
    paths[-1].write_bytes(b"\xff secret")

    with pytest.raises(LoginError, match="was left alone"):
        _do(*tool.edits(_place(tmp_path), GRANT, ""))

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [paths[-1]]


@pytest.mark.parametrize(
    ("tool", "environ", "path"),
    [
        ("npm", {}, ".npmrc"),
        ("npm", {"NPM_CONFIG_USERCONFIG": "~/other"}, "other"),
        ("pnpm", {"npm_config_userconfig": "~/other"}, "other"),
        ("bun", {"XDG_CONFIG_HOME": "~/nothing"}, ".npmrc"),
        ("bun", {"XDG_CONFIG_HOME": "~/there"}, "there/.npmrc"),
        ("bun", {"XDG_CONFIG_HOME": "~/there", "NPM_CONFIG_USERCONFIG": "~/other"}, "other"),
        ("yarn", {}, ".yarnrc.yml"),
        ("yarn", {"YARN_RC_FILENAME": ".other.yml"}, ".other.yml"),
        ("pip", {}, ".config/pip/pip.conf"),
        ("pip", {"PIP_CONFIG_FILE": "~/pip"}, "pip"),
        ("uv", {}, ".config/uv/uv.toml"),
        ("uv", {"UV_CONFIG_FILE": "~/uv.toml"}, "uv.toml"),
        ("poetry", {}, ".config/pypoetry/config.toml"),
        ("poetry", {"POETRY_CONFIG_DIR": "~/poetry"}, "poetry/config.toml"),
        ("twine", {}, ".pypirc"),
    ],
)
def test_where_a_tool_looks(tmp_path: Path, tool: str, environ: dict[str, str], path: str) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / ".npmrc").touch()
    absolute = {name: value.replace("~", str(tmp_path)) if "XDG" in name else value for name, value in environ.items()}

    edits = TOOLS[tool].edits(_place(tmp_path, **absolute), GRANT, "")

    assert edits[-1].path == tmp_path / path


@pytest.mark.parametrize(
    ("platform", "environ", "tool", "paths"),
    [
        ("darwin", {}, "pip", [".config/pip/pip.conf"]),
        ("darwin", {}, "poetry", [f"{_MAC}/auth.toml", f"{_MAC}/config.toml"]),
        ("darwin", {}, "uv", [f".local/share/uv/{_STORE}", ".config/uv/uv.toml"]),
        ("win32", {"APPDATA": "roaming"}, "pip", ["roaming/pip/pip.ini"]),
        ("win32", {"APPDATA": "roaming"}, "uv", [f"roaming/uv/data/{_STORE}", "roaming/uv/uv.toml"]),
        ("linux", {"XDG_CONFIG_HOME": "c", "XDG_DATA_HOME": "d"}, "uv", [f"d/uv/{_STORE}", "c/uv/uv.toml"]),
    ],
)
def test_where_a_tool_looks_on_other_systems(
    tmp_path: Path, platform: str, environ: dict[str, str], tool: str, paths: list[str]
) -> None:
    place = Place(tmp_path, {name: str(tmp_path / value) for name, value in environ.items()}, platform)

    edits = TOOLS[tool].edits(place, GRANT, "")

    assert [edit.path for edit in edits] == [tmp_path / path for path in paths]


def test_directories_that_are_not_absolute_are_passed_over(tmp_path: Path) -> None:
    assert Place(tmp_path, {"XDG_CONFIG_HOME": "relative"}, "linux").config("x") == tmp_path / ".config" / "x"


def _after(tool: str, text: str, grant: Grant = GRANT, *, file: int = -1, home: Path = Path("/home/u")) -> str:
    return TOOLS[tool].edits(_place(home), grant, "")[file].edit(text)


def test_pip_keeps_hosts_that_are_trusted_and_adds_one_only_where_pip_wants_it() -> None:
    far = replace(GRANT, endpoint="http://packages.example:8080/p/")
    once = _after("pip", "[global]\nindex_url = old\ntrusted-host = a.example\n", far)

    assert once == (
        "[global]\nindex-url = http://aws:py1.to-ken_1@packages.example:8080/p/simple/\n"
        "trusted-host = \n    a.example\n    packages.example:8080\n"
    )
    assert _after("pip", once, far) == once
    assert "trusted" not in _after("pip", "", replace(far, endpoint="https://packages.example/p/"))
    assert "trusted" not in _after("pip", "") + _after("pip", "", replace(GRANT, endpoint="http://localhost:1/p/"))


def test_twine_keeps_the_servers_that_are_there_and_the_usual_ones() -> None:
    assert _after("twine", "").startswith(
        "[distutils]\nindex-servers = \n    pypi\n    testpypi\n    packyard\n\n[packyard]"
    )
    assert "index-servers = \n    house\n    packyard\n\n[house]\nx = 1\n\n[packyard]\nrepository = " in _after(
        "twine", "[distutils]\nindex-servers = house\n\n[house]\nx = 1\n"
    )


def test_uv_keeps_the_token_out_of_its_settings() -> None:
    assert GRANT.token not in _after("uv", "")
    assert GRANT.token in _after("uv", "", file=0)


@pytest.mark.parametrize(
    ("endpoint", "token"),
    [("ftp://h/", "t"), ("http://h/a\nb/", "t"), ('http://h/"/', "t"), ("http://h/", "a b"), ("http://h/", 'a"\n')],
)
def test_an_answer_that_would_break_files_is_refused(endpoint: str, token: str) -> None:
    with pytest.raises(LoginError):
        Grant(endpoint, token, datetime.now(UTC))
