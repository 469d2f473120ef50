"""Floods on one connection, from clients that need no token: what the server keeps of them is bounded."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.harness import Server

MEGABYTE = 1024 * 1024
MOST = 64 * MEGABYTE


def memory() -> int:
    """Bytes that this process holds; the server runs in it."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


@contextmanager
def connection(server: Server, begin: bytes) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall(begin)
        yield raw


def flood(raw: socket.socket, piece: bytes) -> None:
    """Send until the server ends the connection, takes nothing for a second, or has taken all."""
    raw.settimeout(1)
    before = memory()
    sent = 0
    try:
        while sent < MOST:
            sent += raw.send(piece)
    except OSError:
        pass
    assert memory() - before < MOST // 3


@pytest.mark.parametrize(
    "piece",
    [b"X-Trailer: " + b"x" * 100 + b"\r\n", b"X" * 65536],
    ids=["many", "one"],
)
def test_trailers_without_end_are_refused(server: Server, piece: bytes) -> None:
    head = (
        b"PUT /generic/d/dom-111122223333/repo/n/p/1/f HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    )
    with connection(server, head) as raw:
        flood(raw, piece * (65536 // len(piece)))


def test_chunk_extensions_without_end_are_refused(server: Server) -> None:
    head = b"PUT /generic/d/dom-111122223333/repo/n/p/1/f HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;"
    with connection(server, head) as raw:
        flood(raw, b"x" * 65536)


def test_empty_lines_without_end_are_refused(server: Server) -> None:
    with connection(server, b"\r\n") as raw:
        flood(raw, b"\r\n" * 32768)


def test_requests_sent_ahead_are_not_collected(server: Server) -> None:
    request = b"GET /npm/d/dom-111122223333/repo/left HTTP/1.1\r\nHost: x\r\n\r\n"
    with connection(server, request) as raw:
        flood(raw, request * 1000)

        assert server.get("/healthz").status == 200


def test_a_head_behind_a_request_under_way_is_bounded_too(server: Server) -> None:
    """The first request waits for its answer to be taken, the second one's head never ends."""
    address = server.endpoint("generic") + "names/tool/1.0/file"
    token = server.token()
    assert server.request("PUT", address, body=bytes(64 * MEGABYTE), token=token).status == 201
    path = address.split(server.host)[1]
    head = f"GET {path} HTTP/1.1\r\nHost: {server.host}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    with connection(server, head) as raw:
        time.sleep(0.2)  # the download fills the buffers and then stands still; nothing tells us when

        raw.sendall(b"GET / HTTP/1.1\r\n")
        flood(raw, b"X: " + b"x" * 65536 + b"\r\n")


def test_requests_sent_ahead_are_answered_in_order(server: Server) -> None:
    request = b"GET /npm/d/dom-111122223333/repo/-/ping HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with connection(server, request * 400 + last) as raw:
        answers = b""
        while piece := raw.recv(65536):
            answers += piece

    assert answers.count(b"HTTP/1.1 401") == 400
    assert answers.endswith(b'{"status":"ok"}\n')


def test_small_chunks_with_extensions_are_taken(server: Server) -> None:
    body = b"".join(b"1;name=value\r\n%c\r\n" % byte for byte in b"0123456789" * 2000)
    head = (
        "PUT /generic/d/dom-111122223333/repo/names/tool/1.0/file HTTP/1.1\r\n"
        f"Host: {server.host}\r\nAuthorization: Bearer {server.token()}\r\n"
        "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()
    with connection(server, head + body + b"0\r\nX-Trailer: 1\r\n\r\n") as raw:
        answer = raw.recv(65536)

    assert answer.startswith(b"HTTP/1.1 201")
