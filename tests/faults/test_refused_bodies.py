"""Publishes of every kind that are refused while their body is still to come, or is larger than may be."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import BinaryIO

import pytest

from tests.chains.town import new_user
from tests.faults.publishes import KINDS, packages, publish, settled
from tests.faults.test_disclosure import TOKENS
from tests.harness import Server, basic

SENT_BY_CLIENTS = [kind for kind in KINDS if kind != "api"]
LIMIT = 30_000


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose assets have at most 30,000 bytes."""
    settings = {"quotas": {"asset_bytes": LIMIT}}
    with Server(tmp_path_factory.mktemp("small") / "data", settings=settings) as server:
        server.make("dom", "repo")
        yield server
        server.stop()
        assert [line for line in server.records() if "exception" in line or line.get("status", 0) >= 500] == []


@pytest.fixture(scope="module")
def reader(small: Server) -> str:
    read = {"Effect": "Allow", "Action": "codeartifact:ReadFromRepository", "Resource": "*"}
    token = new_user(small, "reader", TOKENS, read).get_authorization_token(domain="dom")["authorizationToken"]
    return basic(token)


def reply(file: BinaryIO) -> tuple[int, bytes]:
    """One answer; 0 where the connection ended instead."""
    line = file.readline()
    if not line:
        return 0, b""
    length = 0
    while (header := file.readline().strip().lower()) != b"":
        length = int(header.partition(b":")[2]) if header.startswith(b"content-length:") else length
    return int(line.split(b" ")[1]), file.read(length)


def without(head: bytes, name: bytes) -> list[bytes]:
    return [line for line in head.removesuffix(b"\r\n\r\n").split(b"\r\n") if not line.lower().startswith(name)]


def as_(head: bytes, authorization: str) -> bytes:
    lines = without(head, b"authorization:")
    return b"\r\n".join([*lines, f"Authorization: {authorization}".encode(), b"", b""])


@pytest.mark.parametrize("kind", SENT_BY_CLIENTS)
def test_who_asks_first_is_refused_before_the_body(small: Server, kind: str) -> None:
    """With Expect: 100-continue nothing of the body has to be sent by who has no token."""
    head, _ = publish(small, kind)
    with socket.create_connection(("127.0.0.1", small.port), timeout=10) as raw, raw.makefile("rb") as file:
        raw.sendall(as_(head, basic("nonsense"))[:-2] + b"Expect: 100-continue\r\n\r\n")
        assert reply(file)[0] == 401
    assert packages(small) == []


@pytest.mark.parametrize("kind", SENT_BY_CLIENTS)
def test_the_request_after_a_refused_publish_is_understood(small: Server, reader: str, kind: str) -> None:
    """The refused body is not taken for the next request, or the connection is ended."""
    head, body = publish(small, kind, size=10_000)
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    for authorization in (basic("nonsense"), reader):
        refused = as_(head, authorization)
        with socket.create_connection(("127.0.0.1", small.port), timeout=10) as raw, raw.makefile("rb") as file:
            try:
                raw.sendall(refused + body + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                assert reply(file)[0] in (401, 403)
                status, told = reply(file)
            except ConnectionError:
                continue
            assert (status, told.strip()) in ((200, b'{"status":"ok"}'), (0, b""))
        length = b"Content-Length: %d" % (len(smuggled) * 3)
        lines = [*without(refused, b"content-length:"), length, b"", b""]
        with socket.create_connection(("127.0.0.1", small.port), timeout=10) as raw, raw.makefile("rb") as file:
            raw.sendall(b"\r\n".join(lines) + smuggled * 2)
            raw.shutdown(socket.SHUT_WR)
            answers = b""
            with contextlib.suppress(ConnectionError):
                answers = file.read()
            assert answers.count(b"HTTP/1.1 404") == 0
    assert packages(small) == []


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("kind", SENT_BY_CLIENTS)
def test_a_publish_that_is_too_large_is_refused_and_leaves_nothing(small: Server, kind: str, chunked: bool) -> None:
    head, body = publish(small, kind, size=400_000)
    assert len(body) > 2 * LIMIT
    if chunked:
        head = b"\r\n".join([*without(head, b"content-length:"), b"Transfer-Encoding: chunked", b"", b""])
        pieces = [body[at : at + 5000] for at in range(0, len(body), 5000)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    with socket.create_connection(("127.0.0.1", small.port), timeout=10) as raw, raw.makefile("rb") as file:
        raw.sendall(head)
        with contextlib.suppress(ConnectionError):
            raw.sendall(body)
        status, told = reply(file)
    assert status in (402, 403, 413), (status, told)
    assert str(LIMIT).encode() in told
    assert packages(small) == []
    assert settled(small) == set()


@pytest.mark.parametrize("kind", SENT_BY_CLIENTS)
@pytest.mark.parametrize(
    "lengths",
    [[b"5", b"6"], [b"-1"], [b"+5"], [b"5, 6"], [b"0x10"], [b"9" * 30], [b"5", b"chunked"]],
    ids=lambda each: b"+".join(each).decode()[:9],
)
def test_lengths_that_are_none_are_refused(small: Server, kind: str, lengths: list[bytes]) -> None:
    head, body = publish(small, kind, size=1000)
    names = [b"Transfer-Encoding" if each == b"chunked" else b"Content-Length" for each in lengths]
    told = [b"%s: %s" % pair for pair in zip(names, lengths, strict=True)]
    with socket.create_connection(("127.0.0.1", small.port), timeout=10) as raw, raw.makefile("rb") as file:
        raw.sendall(b"\r\n".join([*without(head, b"content-length:"), *told, b"", b""]) + body)
        raw.shutdown(socket.SHUT_WR)
        status, _ = reply(file)
    assert status in (0, 400, 413), status
    assert packages(small) == []
