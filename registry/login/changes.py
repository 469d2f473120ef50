"""What a login changes: files of the user's, all or none, each of which can show itself without secrets."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from registry.login.errors import LoginError, Malformed


@dataclass(frozen=True, slots=True)
class Place:
    """Whose settings: a home directory, an environment and the kind of system."""

    home: Path
    environ: Mapping[str, str]
    platform: str = sys.platform

    def config(self, *parts: str, mac: str = ".config") -> Path:
        """Below the user's configuration directory (XDG base directory specification; %APPDATA% on Windows).

        `mac` is where a program looks on macOS, below the home directory.
        """
        return self._base("XDG_CONFIG_HOME", ".config", mac).joinpath(*parts)

    def data(self, *parts: str) -> Path:
        """Below the user's data directory."""
        return self._base("XDG_DATA_HOME", ".local/share", ".local/share").joinpath(*parts)

    def named(self, *variables: str) -> Path | None:
        """A file that an environment variable names."""
        value = next((self.environ[name] for name in variables if self.environ.get(name)), None)
        if value is None:
            return None
        return self.home / value[2:] if value.startswith("~/") else Path(value)

    def _base(self, variable: str, other: str, mac: str) -> Path:
        if self.platform == "win32" and self.environ.get("APPDATA"):
            return Path(self.environ["APPDATA"])
        named = self.environ.get(variable)
        if named and Path(named).is_absolute():
            return Path(named)
        return self.home / (mac if self.platform == "darwin" else other)


@dataclass(frozen=True, slots=True)
class Edit:
    """A file that is to have another text.  `edit` is pure: old text in, new text out, or Malformed."""

    path: Path
    edit: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Change:
    """An edit that was worked out on the file as it is.  Nothing is written yet."""

    path: Path
    before: str = field(repr=False)
    after: str = field(repr=False)
    crlf: bool = False

    def shown(self, token: str) -> str:
        """The file's name and the lines that change.  Of what goes only the keys are shown: it may be a secret too."""
        before, after = self.before.splitlines(), self.after.splitlines()
        gone = [f"- {_veiled(line)}" for line in before if line not in set(after)]
        new = [f"+ {line.replace(token, '***')}" for line in after if line not in set(before)]
        return "\n".join([f"{self.path}:", *(f"  {line}" for line in (gone + new or ["(nothing changes)"]))])


def plan(edits: Sequence[Edit]) -> list[Change]:
    """Work all edits out.  Raises LoginError before anything is touched."""
    return [_planned(edit) for edit in edits]


def apply(changes: Sequence[Change]) -> None:
    """Write all files, whole and for their owner only, links followed.  Raises LoginError.

    Every text is on the disk before the first file is replaced, so that what can fail fails while nothing has changed.
    """
    staged: list[tuple[Path, Path]] = []
    try:
        for change in changes:
            with _told(change.path, "written"):
                target = Path(os.path.realpath(change.path))
                staged.append((_stage(target, change), target))
        for change, (temporary, target) in zip(changes, staged, strict=True):
            with _told(change.path, "written"):
                temporary.replace(target)
    finally:
        for temporary, _ in staged:
            temporary.unlink(missing_ok=True)


def _planned(edit: Edit) -> Change:
    with _told(edit.path, "read"):
        try:
            state = edit.path.stat()
        except FileNotFoundError:
            raw = b""
        else:
            if not stat.S_ISREG(state.st_mode):  # replacing /dev/null would be a feat
                raise LoginError(f"{edit.path} is not a file")
            raw = edit.path.read_bytes()
    try:
        text = raw.decode()
        if "\0" in text:
            raise Malformed("it is not text")
        mark, before = ("\ufeff", text[1:]) if text.startswith("\ufeff") else ("", text)
        crlf = "\r\n" in before
        before = before.replace("\r\n", "\n")
        return Change(edit.path, mark + before, mark + edit.edit(before), crlf)
    except UnicodeDecodeError as err:
        raise LoginError(f"{edit.path} was left alone: it is not text in UTF-8") from err
    except Malformed as err:
        raise LoginError(f"{edit.path} was left alone: {err}") from err


def _stage(target: Path, change: Change) -> Path:
    """A file beside the target, with its text and its owner, readable by nobody else."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\r\n" if change.crlf else "\n") as file:
            file.write(change.after)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            owner = target.stat()
            if hasattr(os, "chown") and (owner.st_uid, owner.st_gid) != (os.geteuid(), os.getegid()):
                with contextlib.suppress(PermissionError):
                    os.chown(temporary, owner.st_uid, owner.st_gid)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


@contextlib.contextmanager
def _told(path: Path, verb: str) -> Iterator[None]:
    try:
        yield
    except OSError as err:
        raise LoginError(f"{path} cannot be {verb}: {err.strerror or err}") from err


def _veiled(line: str) -> str:
    """A line without what it sets.  A key may be quoted, and .npmrc has keys such as `//host:8080/path/:_authToken`."""
    key = re.match(r"""\s*(?:"[^"]*"|'[^']*'|//[^=]*(?==)|[^=:]*)\s*[=:]""", line)
    if key is None:
        return "***"
    return f"{key[0]}***" if line[key.end() :].strip() else key[0]
