"""The HTTP server on raw sockets: what clients really send."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import Server
from tests.web.conftest import ROOT
from tests.web.raw import Raw

UPGRADE = (
    "Connection: Upgrade, HTTP2-Settings",
    "Upgrade: h2c",
    "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
)
Dial = Callable[[Server], Raw]


def stored(server: Server, path: str) -> bytes:
    answer = server.get(path, token=server.token())
    assert answer.status == 200, answer
    return answer.body


def logged(server: Server, **wanted: str) -> dict[str, Any]:
    """The log's line of a request, once it is there."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for record in server.records():
            if all(record.get(name) == value for name, value in wanted.items()):
                return record
        server.get("/healthz")
    raise AssertionError(f"No line with {wanted}")


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def test_a_body_sent_with_an_upgrade_to_http2_arrives_whole(shared: Server, dial: Dial) -> None:
    path, body = f"{ROOT}up/grade/1/a.bin", os.urandom(200_000)
    connection = dial(shared)

    connection.send(connection.head("PUT", path, f"Content-Length: {len(body)}", *UPGRADE) + body)

    assert connection.answer().status == 201
    assert stored(shared, path) == body


def test_an_upgrade_is_ignored_wherever_the_head_is_cut(shared: Server, dial: Dial) -> None:
    path, body = f"{ROOT}up/cut/1/a.bin", b"Upgrade: h2c\r\n\r\n" * 3
    connection = dial(shared)

    for byte in connection.head("PUT", path, f"Content-Length: {len(body)}", *UPGRADE) + body:
        connection.send(bytes([byte]))

    assert connection.answer().status == 201
    assert stored(shared, path) == body


def test_an_upgrade_does_not_swallow_the_requests_behind_it(shared: Server, dial: Dial) -> None:
    body = b"x" * 1000
    connection = dial(shared)
    first = connection.head("PUT", f"{ROOT}up/pipe/1/a.bin", f"Content-Length: {len(body)}", *UPGRADE) + body
    second = connection.head("GET", f"{ROOT}up/pipe/1/a.bin", *UPGRADE)
    third = connection.head("GET", "/healthz")

    connection.send(first + second + third)

    assert [connection.answer().status for _ in range(3)] == [201, 200, 200]


def test_a_chunked_body_with_an_upgrade_arrives_whole(shared: Server, dial: Dial) -> None:
    path = f"{ROOT}up/chunks/1/a.bin"
    connection = dial(shared)

    connection.send(connection.head("PUT", path, "Transfer-Encoding: chunked", *UPGRADE) + chunked(b"one ", b"two"))

    assert connection.answer().status == 201
    assert stored(shared, path) == b"one two"


def test_a_websocket_is_answered_as_the_plain_request_that_it_is(shared: Server, dial: Dial) -> None:
    connection = dial(shared)

    connection.send(connection.head("GET", "/healthz", "Connection: Upgrade", "Upgrade: websocket"))

    assert connection.answer().status == 200


def test_a_tunnel_is_refused(shared: Server, dial: Dial) -> None:
    connection = dial(shared)

    connection.send(b"CONNECT example:443 HTTP/1.1\r\nHost: example:443\r\n\r\n")

    assert connection.answer().status == 405
    assert connection.ended()


def test_a_client_that_expects_a_go_ahead_gets_it(shared: Server, dial: Dial) -> None:
    path = f"{ROOT}ex/pect/1/a.bin"
    connection = dial(shared)

    connection.send(connection.head("PUT", path, "Content-Length: 3", "Expect: 100-continue"))
    assert connection.answer().status == 100
    connection.send(b"abc")

    assert connection.answer().status == 201
    assert stored(shared, path) == b"abc"


def test_a_client_that_expects_a_go_ahead_is_refused_without_one(shared: Server, dial: Dial) -> None:
    head = ("Content-Length: 3", "Expect: 100-continue")
    connection = dial(shared)

    connection.send(connection.head("PUT", f"{ROOT}ex/refused/1/a.bin", *head, token=False))

    answer = connection.answer()
    assert answer.status == 401
    assert answer.headers["connection"] == "close"
    assert connection.ended()


def test_a_refused_upload_leaves_the_connection_in_step(shared: Server, dial: Dial) -> None:
    body = b"GET /nothing HTTP/1.1\r\n\r\n" * 40_000
    connection = dial(shared)

    connection.send(connection.head("PUT", f"{ROOT}re/fused/1/a.bin", f"Content-Length: {len(body)}", token=False))
    assert connection.answer().status == 401
    connection.send(body)
    connection.send(connection.head("GET", "/healthz"))

    assert connection.answer().status == 200


def test_pipelined_requests_are_answered_in_order(shared: Server, dial: Dial) -> None:
    """The hot cache answers out of band; it must not overtake."""
    path = f"{ROOT}pipe/line/1/a.bin"
    shared.request("PUT", path, body=b"hot", token=shared.token())
    connection = dial(shared)
    hot = connection.head("GET", path)
    connection.send(hot)
    assert connection.answer().body == b"hot"

    connection.send(hot + connection.head("GET", "/healthz") + hot + connection.head("GET", "/readyz") + hot)

    bodies = [connection.answer().body for _ in range(5)]
    assert bodies == [b"hot", b'{"status":"ok"}\n', b"hot", b'{"status":"ready"}\n', b"hot"]


def test_http_1_0_gets_an_answer_and_the_end(shared: Server, dial: Dial) -> None:
    connection = dial(shared)

    connection.send(b"GET /healthz HTTP/1.0\r\n\r\n")

    assert connection.answer().status == 200
    assert connection.ended()


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused(shared: Server, dial: Dial, garbage: bytes) -> None:
    connection = dial(shared)

    connection.send(garbage)

    assert connection.answer().status == 400
    assert connection.ended()


def test_a_head_that_is_too_large_is_refused(shared: Server, dial: Dial) -> None:
    connection = dial(shared)

    connection.send(b"GET / HTTP/1.1\r\nHost: x\r\nX-Much: ")
    for _ in range(20):
        connection.send(b"y" * 8192)

    assert connection.answer().status == 431


def test_a_head_that_is_too_large_is_refused_in_one_piece_too(shared: Server, dial: Dial) -> None:
    connection = dial(shared)

    connection.send(connection.head("GET", "/healthz", "X-Much: " + "y" * 70_000) + connection.head("GET", "/healthz"))

    assert connection.answer().status == 431
    assert connection.ended()


def test_an_address_that_is_none_is_refused_with_its_body(shared: Server, dial: Dial) -> None:
    connection = dial(shared)

    connection.send(connection.head("PUT", "http://[/x", "Content-Length: 5") + b"hello")

    assert connection.answer().status == 400
    assert connection.ended()


def test_a_large_body_in_small_pieces_arrives_whole(shared: Server, dial: Dial) -> None:
    path, body = f"{ROOT}many/pieces/1/a.bin", os.urandom(3_000_000)
    connection = dial(shared)

    connection.send(connection.head("PUT", path, "Transfer-Encoding: chunked"))
    connection.send(chunked(*(body[start : start + 4321] for start in range(0, len(body), 4321))))

    assert connection.answer().status == 201
    assert stored(shared, path) == body


def test_a_head_that_does_not_come_to_an_end_is_cut_off(impatient: Server, dial: Dial) -> None:
    connection = dial(impatient)

    connection.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")

    assert connection.answer().status == 408
    assert connection.ended()


def test_a_body_that_does_not_come_is_cut_off_and_leaves_nothing(impatient: Server, dial: Dial) -> None:
    path = f"{ROOT}slow/body/1/a.bin"
    connection = dial(impatient)

    connection.send(connection.head("PUT", path, "Content-Length: 100000") + b"some")

    assert connection.answer().status == 408
    assert connection.ended()
    assert impatient.get(path, token=impatient.token()).status == 404


def test_an_idle_connection_is_closed(impatient: Server, dial: Dial) -> None:
    connection = dial(impatient)

    connection.send(connection.head("GET", "/healthz"))

    assert connection.answer().status == 200
    assert connection.ended()


def test_an_answer_that_nobody_takes_is_broken_off(impatient: Server, dial: Dial) -> None:
    path, size = f"{ROOT}never/read/1/a.bin", 24_000_000
    impatient.request("PUT", path, body=bytes(size), token=impatient.token())
    connection = dial(impatient)

    connection.send(connection.head("GET", path))
    record = logged(impatient, method="GET", path=path)

    assert record["bytes"] < size
    assert record["error"] == "ClientDisconnect"


def test_a_client_that_leaves_in_the_middle_leaves_nothing(shared: Server, dial: Dial) -> None:
    path = f"{ROOT}left/early/1/a.bin"
    connection = dial(shared)

    connection.send(connection.head("PUT", path, "Content-Length: 100000") + b"x" * 50_000)
    connection.close()

    assert shared.get(path, token=shared.token()).status == 404
