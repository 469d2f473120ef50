"""Stores of every pair of engines, to move between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from registry.config import Config, parse
from tests import bucket, postgres

Pair = tuple[str, str]

FILES, S3 = "files", "s3"
SQLITE, POSTGRES = "sqlite", "postgres"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., dict[str, Any]]]:
    """A settings document for a server of those engines, on fresh stores."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "PACKYARD_MASTER_KEY"):
        monkeypatch.delenv(name, raising=False)
    databases: list[str] = []

    def make(name: str, database: str = SQLITE, blobs: str = FILES) -> dict[str, Any]:
        storage: dict[str, Any] = {"data": str(tmp_path / name)}
        if database == POSTGRES:
            databases.append(postgres.shared().database())
            storage |= {"database": databases[-1], "database_connections": 4}
        if blobs == S3:
            for key, value in bucket.shared().environment.items():
                monkeypatch.setenv(key, value)
            storage["blobs"] = bucket.shared().place()
        return {"storage": storage}

    yield make
    for address in databases:
        postgres.shared().drop(address)


@pytest.fixture
def config(settings: Callable[..., dict[str, Any]]) -> Callable[..., Config]:
    return lambda *args: parse(settings(*args), {})
