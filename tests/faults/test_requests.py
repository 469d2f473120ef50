"""Requests made to break the server: every one gets a plain answer, and nothing is half done."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness import Server


@pytest.fixture
def sound(server: Server) -> Iterator[Server]:
    """A server that must not have failed in the end."""
    yield server
    server.stop()
    failures = [line for line in server.records() if "exception" in line or line.get("status", 0) >= 500]
    assert failures == []


@pytest.mark.parametrize("range", [f"{'9' * 5000}-", f"0-{'9' * 5000}", f"-{'9' * 5000}", "-", "²-³", "-0", "0-0,"])
def test_odd_ranges_are_answered(sound: Server, range: str) -> None:
    address = sound.endpoint("generic") + "names/tool/1.0/file"
    token = sound.token()
    assert sound.request("PUT", address, body=b"0123456789", token=token).status == 201

    answer = sound.get(address, token=token, headers={"Range": f"bytes={range}"})

    assert (answer.status, answer.body) in {(200, b"0123456789"), (416, b"")}
