"""Publishes that end early: nothing of them stays, nothing of them is listed, and the next one succeeds."""

from __future__ import annotations

import pytest

from tests.faults.publishes import KINDS, PLAIN, answer, cut, failures, packages, publish, settled
from tests.harness import Server


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reset", [False, True], ids=["ended", "reset"])
def test_a_body_cut_short_leaves_nothing(server: Server, kind: str, reset: bool) -> None:
    head, body = publish(server, kind)
    points = {0, 1, len(body) // 2, len(body) - 1, *range(0, len(body), len(body) // 12)}

    for at in sorted(points):
        cut(server, head + body[:at], reset=reset)
        cut(server, head[: -at % len(head)], reset=reset)

    assert settled(server) == set()
    assert packages(server) == []
    assert answer(server, head + body).startswith((b"HTTP/1.1 200", b"HTTP/1.1 201"))
    assert packages(server) == ["sample-pkg"]
    assert failures(server) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_chunked_body_cut_short_leaves_nothing(server: Server, kind: str) -> None:
    head, body = publish(server, kind)
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
    head = b"\r\n".join([lines[0], b"Transfer-Encoding: chunked", *lines[1:]])
    pieces = [body[at : at + 9000] for at in range(0, len(body), 9000)]
    whole = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"

    for end in range(1, 8):
        cut(server, head + whole[:-end], reset=False)  # the last chunk is not whole
    cut(server, head + b"%x\r\n" % len(body) + body, reset=True)

    assert settled(server) == set()
    assert packages(server) == []
    assert answer(server, head + whole).startswith((b"HTTP/1.1 200", b"HTTP/1.1 201"))
    assert failures(server) == []


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in PLAIN])
def test_one_flipped_byte_is_never_published_as_something_else(server: Server, kind: str) -> None:
    """Whatever the flip does, it is refused or harmless; it breaks nothing."""
    head, body = publish(server, kind, size=2000)

    for at in range(0, len(body), max(1, len(body) // 150)):
        flipped = body[:at] + bytes([body[at] ^ 0x11]) + body[at + 1 :]
        assert answer(server, head + flipped).startswith((b"HTTP/1.1 4", b"HTTP/1.1 200", b"HTTP/1.1 201")), at

    assert len(settled(server)) <= (2 if kind == "swift" else 1)  # its manifest is a file of its own
    assert failures(server) == []
