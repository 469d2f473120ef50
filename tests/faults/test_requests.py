"""Requests made to break the server: every one gets a plain answer, and nothing is half done."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from tests.faults.test_connections import memory
from tests.harness import ACCOUNT, Server, basic
from tests.samples import npm


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


@pytest.mark.parametrize("lines", [["gzip, chunked"], ["gzip", "chunked"], ["deflate, gzip, chunked"]])
def test_a_body_in_a_transfer_coding_that_we_do_not_undo_is_refused(sound: Server, lines: list[str]) -> None:
    path = sound.endpoint("generic").split(sound.host)[1] + "names/tool/1.0/file"
    head = [f"PUT {path} HTTP/1.1", f"Host: {sound.host}", f"Authorization: {basic(sound.token())}"]
    head += [f"Transfer-Encoding: {line}" for line in lines]
    with socket.create_connection(("127.0.0.1", sound.port), timeout=10) as raw:
        raw.sendall("\r\n".join([*head, "", "2", "ab", "0", "", ""]).encode())

        assert raw.recv(4096).startswith(b"HTTP/1.1 400 ")

    assert sound.get(path, token=sound.token()).status == 404


@pytest.mark.parametrize("again", [b"{}", b'{"other.tgz":{"length":1}}'])
def test_a_publish_whose_attachments_come_twice_is_refused(sound: Server, again: bytes) -> None:
    body = npm.Publish().body()[:-1] + b',"_attachments":' + again + b"}"

    assert sound.request("PUT", sound.endpoint("npm") + "left", body=body, token=sound.token()).status == 400


def test_a_document_of_nothing_but_braces_is_refused_in_time(sound: Server) -> None:
    body = b'{"x":[' + b"{}," * 2_000_000 + b"0]}"

    started = time.monotonic()
    status = sound.request("PUT", sound.endpoint("npm") + "left", body=body, token=sound.token()).status

    assert (status, time.monotonic() - started < 15) == (400, True)


def test_a_document_of_nothing_but_keys_is_refused_in_time(sound: Server) -> None:
    body = b"{" + b'"":0,' * 2_000_000 + b'"":0}'

    assert sound.request("PUT", sound.endpoint("npm") + "left", body=body, token=sound.token()).status == 400


def test_long_names_are_neither_remembered_nor_logged(sound: Server) -> None:
    """A client that makes up names must not fill the memory with them."""
    token = sound.token()
    before = memory()
    for number in range(120):
        name = f"{number}-" + "x" * 60_000
        assert sound.get(f"/npm/d/dom-{ACCOUNT}/{name}/left", token=token).status == 404
        assert sound.get(f"/npm/d/{name}-{ACCOUNT}/repo/left", token=token).status == 404
        assert sound.get(f"/npm/d/dom-{ACCOUNT}/repo/{name}", token=token).status == 400

    assert memory() - before < 15_000_000
    sound.stop()
    assert max(len(line.get("path", "")) for line in sound.records()) <= 2048
