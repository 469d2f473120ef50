"""Files: whole, in part, not at all, and while they arrive."""

from __future__ import annotations

import email
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from registry.core.errors import Unavailable, UpstreamUnavailable
from registry.web.exchange import KEY, Exchange
from registry.web.files import FileAnswer
from registry.web.openfiles import OpenFiles
from registry.web.rendered import Indexes
from tests.harness import Answer, Server
from tests.web.conftest import ROOT

BODY = os.urandom(1_000_003)
SMALL = bytes(range(256)) * 4


@pytest.fixture(scope="module")
def paths(shared: Server) -> dict[bytes, str]:
    found = {}
    for name, body in (("large", BODY), ("small", SMALL)):
        found[body] = f"{ROOT}files/{name}/1/a.bin"
        assert shared.request("PUT", found[body], body=body, token=shared.token()).status == 201
    return found


def ask(server: Server, path: str, method: str = "GET", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.request(method, path, headers=named, token=server.token())


@pytest.mark.parametrize("body", [BODY, SMALL], ids=["large", "small"])
class TestAStoredFile:
    def test_comes_whole_and_the_second_time_too(self, shared: Server, paths: dict[bytes, str], body: bytes) -> None:
        for _ in range(3):
            answer = ask(shared, paths[body])
            assert answer.status == 200
            assert answer.body == body
            assert answer.headers["content-length"] == str(len(body))
            assert answer.headers["accept-ranges"] == "bytes"

    def test_has_a_head_of_its_own(self, shared: Server, paths: dict[bytes, str], body: bytes) -> None:
        whole, head = ask(shared, paths[body]), ask(shared, paths[body], "HEAD")

        assert head.status == 200
        assert head.body == b""
        per_request = {"x-request-id", "date"}
        assert {k: v for k, v in head.headers.items() if k not in per_request} == {
            k: v for k, v in whole.headers.items() if k not in per_request
        }

    @pytest.mark.parametrize(
        ("header", "start", "end"),
        [("bytes=0-0", 0, 1), ("bytes=10-99", 10, 100), ("bytes=500-", 500, None), ("bytes=-7", -7, None)],
    )
    def test_comes_in_part(
        self, shared: Server, paths: dict[bytes, str], body: bytes, header: str, start: int, end: int | None
    ) -> None:
        answer = ask(shared, paths[body], Range=header)

        assert answer.status == 206
        assert answer.body == body[start:end]
        first = start if start >= 0 else len(body) + start
        last = first + len(answer.body) - 1
        assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(body)}"

    def test_comes_in_several_parts(self, shared: Server, paths: dict[bytes, str], body: bytes) -> None:
        answer = ask(shared, paths[body], Range="bytes=0-9, 100-199, -5")

        assert answer.status == 206
        head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
        parts = email.message_from_bytes(head + answer.body).get_payload()
        assert [part.get_payload(decode=True) for part in parts] == [body[:10], body[100:200], body[-5:]]
        assert parts[1]["content-range"] == f"bytes 100-199/{len(body)}"

    def test_cannot_give_what_lies_behind_its_end(self, shared: Server, paths: dict[bytes, str], body: bytes) -> None:
        answer = ask(shared, paths[body], Range=f"bytes={len(body)}-")

        assert answer.status == 416
        assert answer.headers["content-range"] == f"bytes */{len(body)}"

    @pytest.mark.parametrize("header", ["lines=1-2", "bytes=x", "bytes=5-2", "bytes=" + "0-1," * 40 + "0-1"])
    def test_comes_whole_for_a_range_that_is_none(
        self, shared: Server, paths: dict[bytes, str], body: bytes, header: str
    ) -> None:
        assert ask(shared, paths[body], Range=header).status == 200

    def test_is_resumed_only_while_it_is_the_same(self, shared: Server, paths: dict[bytes, str], body: bytes) -> None:
        tag = ask(shared, paths[body]).headers["etag"]

        same = ask(shared, paths[body], Range="bytes=5-", If_Range=tag)
        other = ask(shared, paths[body], Range="bytes=5-", If_Range='"other"')

        assert (same.status, same.body) == (206, body[5:])
        assert (other.status, other.body) == (200, body)

    def test_is_not_sent_again_to_who_has_it(self, shared: Server, paths: dict[bytes, str], body: bytes) -> None:
        tag = ask(shared, paths[body]).headers["etag"]

        for header in (tag, f"W/{tag}", f'"a", {tag}', "*"):
            answer = ask(shared, paths[body], If_None_Match=header)
            assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", tag)
        assert ask(shared, paths[body], If_None_Match='"other"').status == 200


@dataclass
class Arriving:
    """Content that is read from elsewhere; `fault` is raised in front of the last chunk."""

    chunks: list[bytes]
    size: int | None
    fault: Exception | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    modified: int = 0
    source: str = "external:public:npmjs"
    path: Path | None = None

    async def read(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        for chunk in self.chunks[:-1]:
            yield chunk
        if self.fault is not None:
            raise self.fault
        yield self.chunks[-1]


async def serve(content: Any, method: str = "GET", **headers: str) -> list[dict[str, Any]]:
    """What goes out over ASGI, until a fault."""
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("the body is not read")

    scope: dict[str, Any] = {
        "type": "http",
        "method": method,
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        KEY: Exchange("id", method, 0.0, None, Indexes(1000), OpenFiles()),
    }
    try:
        await FileAnswer(content, media_type="a/b", etag="tag", headers={})(scope, receive, send)
    except (Unavailable, UpstreamUnavailable):
        sent.append({"type": "fault"})
    return sent


async def test_what_arrives_is_passed_on_with_its_length() -> None:
    sent = await serve(Arriving([b"one", b"two"], 6))

    assert sent[0]["status"] == 200
    assert (b"content-length", b"6") in sent[0]["headers"]
    assert b"".join(each["body"] for each in sent[1:] if "body" in each) == b"onetwo"
    assert "more_body" not in sent[-1]


async def test_a_fetch_that_fails_at_once_is_an_error_and_no_answer() -> None:
    assert await serve(Arriving([b"x"], 6, UpstreamUnavailable("down"))) == [{"type": "fault"}]


async def test_a_fetch_that_fails_later_never_ends_the_answer() -> None:
    sent = await serve(Arriving([b"one", b"two"], 6, UpstreamUnavailable("cut short")))

    assert sent[-1] == {"type": "fault"}
    assert all(each["more_body"] for each in sent[1:-1])


async def test_less_than_was_promised_never_ends_the_answer() -> None:
    sent = await serve(Arriving([b"one", b"two"], 7))

    assert sent[-1] == {"type": "fault"}


async def test_a_head_reads_nothing() -> None:
    sent = await serve(Arriving([b"x"], 6, UpstreamUnavailable("must not be read")), "HEAD")

    assert [each.get("status", each.get("body")) for each in sent] == [200, None]


async def test_a_file_of_the_wrong_size_is_not_served(tmp_path: Path) -> None:
    (tmp_path / "cut").write_bytes(b"half")

    sent = await serve(Arriving([], 8, path=tmp_path / "cut"))

    assert sent == [{"type": "fault"}]


async def test_a_lost_file_is_not_served(tmp_path: Path) -> None:
    assert await serve(Arriving([], 8, path=tmp_path / "lost")) == [{"type": "fault"}]


async def test_descriptors_are_kept_within_a_bound_and_closed_in_the_end(tmp_path: Path) -> None:
    files = OpenFiles()
    for number in range(300):
        (tmp_path / str(number)).write_bytes(b"x")
        files.release(await files.acquire(tmp_path / str(number)))
    held = await files.acquire(tmp_path / "0")

    opened = sum(1 for each in os.listdir("/proc/self/fd") if str(tmp_path) in _target(each))
    files.close()
    left = [each for each in os.listdir("/proc/self/fd") if str(tmp_path) in _target(each)]

    assert opened <= 257
    assert left == [str(held.fd)]
    files.release(held)
    assert not [each for each in os.listdir("/proc/self/fd") if str(tmp_path) in _target(each)]


def _target(descriptor: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return ""
