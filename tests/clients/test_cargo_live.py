"""The public crates registry itself, through a fresh Packyard: serde and tokio, then again with the line cut."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.test_cargo_clients import Cargo
from tests.harness import Server

pytestmark = [pytest.mark.live, pytest.mark.clients, pytest.mark.slow]


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Server]:
    """`repo` above cargo-store, whose connection is the built-in one."""
    with Server(tmp_path / "data") as server:
        server.make("dom", "cargo-store", "repo", repo=["cargo-store"])
        server.boto().associate_external_connection(
            domain="dom", repository="cargo-store", externalConnection="public:crates-io"
        )
        yield server


def test_serde_and_tokio_are_fetched_and_fetched_again_with_the_connection_cut(live: Server, tmp_path: Path) -> None:
    if live.get(live.endpoint("cargo") + "se/rd/serde", token=live.token()).status != 200:
        pytest.skip("the public crates registry does not answer")
    more = (
        '[dependencies]\nserde = { version = "1", features = ["derive"] }\n'
        'tokio = { version = "1", features = ["full"] }\n'
    )

    first = Cargo(tmp_path / "first", live, "repo")
    at = first.project("app", more=more)
    first.run("fetch", at=at)
    lock = (first.home.work / at / "Cargo.lock").read_text()

    live.boto().disassociate_external_connection(
        domain="dom", repository="cargo-store", externalConnection="public:crates-io"
    )
    second = Cargo(tmp_path / "second", live, "repo")
    second.project("app", more=more)
    (second.home.work / at / "Cargo.lock").write_text(lock)
    second.run("fetch", "--locked", at=at)
    (second.home.work / at / "Cargo.lock").unlink()
    second.run("generate-lockfile", at=at)

    assert (second.home.work / at / "Cargo.lock").read_text() == lock
    pages = live.boto().get_paginator("list_packages").paginate(domain="dom", repository="repo", format="cargo")
    assert {"serde", "serde_derive", "tokio", "mio"} <= {each["package"] for page in pages for each in page["packages"]}
    shown = live.boto().list_package_versions(domain="dom", repository="repo", format="cargo", package="tokio")
    version = live.boto().describe_package_version(
        domain="dom", repository="repo", format="cargo", package="tokio",
        packageVersion=shown["versions"][0]["version"],
    )["packageVersion"]  # fmt: skip
    assert version["licenses"] == [{"name": "MIT"}]
    assert version["summary"]
