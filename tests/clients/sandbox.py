"""A home of its own for a real client, and the environment in which it cannot reach past the test's server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools"
_KEPT = ("LANG", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "TERM")


def tool(relative: str, *, or_path: str | None = None) -> str:
    """A client below .tools, else `or_path` from PATH.  Skips by name; with CI set a missing client is a failure."""
    path = TOOLS / relative
    if path.exists():
        return str(path)
    found = shutil.which(or_path) if or_path else None
    if found:
        return found
    if os.environ.get("CI"):
        pytest.fail(f"client not installed: {relative} (make tools)")
    pytest.skip(f"client not installed: {relative} (make tools)")


@dataclass
class Home:
    """A fresh HOME with a project folder; `run` fails the test with the client's own words."""

    folder: Path
    extra: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "work").mkdir(parents=True, exist_ok=True)

    @property
    def work(self) -> Path:
        return self.folder / "work"

    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        venv = str(Path(sys.executable).parent)
        return {
            **kept,
            "HOME": str(self.folder),
            "XDG_CONFIG_HOME": str(self.folder / ".config"),
            "XDG_CACHE_HOME": str(self.folder / ".cache"),
            "PATH": os.pathsep.join([venv, os.environ["PATH"]]),
            "NO_UPDATE_NOTIFIER": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_DEFAULT_REGION": "us-west-2",
            "NO_PROXY": "127.0.0.1,localhost",
            **self.extra,
        }

    def run(
        self, command: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None, ok: bool = True
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            list(command),
            cwd=cwd or self.work,
            env={**self.environment(), **(env or {})},
            capture_output=True,
            text=True,
            timeout=240,
            stdin=subprocess.DEVNULL,
        )
        if ok and done.returncode:
            pytest.fail(f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done
