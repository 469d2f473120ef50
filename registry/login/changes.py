"""What a login changes: files of the user's, and settings behind a tool's own command.  Each can show itself."""

from __future__ import annotations

import difflib
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from registry.login.session import LoginError


@dataclass(frozen=True, slots=True)
class Place:
    """Whose settings: a home directory and an environment."""

    home: Path
    environ: Mapping[str, str]

    def config(self, *parts: str) -> Path:
        """Below the user's configuration directory (XDG base directory specification)."""
        base = self.environ.get("XDG_CONFIG_HOME")
        return Path(base or self.home / ".config").joinpath(*parts)

    def named(self, *variables: str) -> Path | None:
        """A file that an environment variable names."""
        value = next((self.environ[name] for name in variables if self.environ.get(name)), None)
        return Path(value).expanduser() if value else None


class Change(Protocol):
    def shown(self, token: str) -> str:
        """What would be done, without the token."""

    def make(self) -> None:
        """Do it.  Raises LoginError."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A file that is to have another text; what `edit` does not touch stays.  Written whole, for its owner only."""

    path: Path
    edit: Callable[[str], str]

    def shown(self, token: str) -> str:
        before = self._read()
        lines = difflib.unified_diff(
            before.replace(token, "***").splitlines(),
            self.edit(before).replace(token, "***").splitlines(),
            str(self.path),
            str(self.path),
            lineterm="",
        )
        return "\n".join(lines)

    def make(self) -> None:
        text = self.edit(self._read())
        target = self.path.resolve()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write(text)
                Path(name).replace(target)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as err:
            raise LoginError(f"{self.path} cannot be written: {err.strerror}") from err

    def _read(self) -> str:
        try:
            return self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as err:
            raise LoginError(f"{self.path} cannot be read: {err}") from err


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the tool's own."""

    words: Sequence[str]

    def shown(self, token: str) -> str:
        return shlex.join(self.words).replace(token, "***")

    def make(self) -> None:
        if shutil.which(self.words[0]) is None:
            raise LoginError(f"{self.words[0]} was not found on PATH")
        done = subprocess.run(self.words, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
            raise LoginError(f"{' '.join(self.words[:3])} failed: {lines[-1]}")
