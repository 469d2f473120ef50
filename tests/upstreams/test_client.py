"""Asking external registries: attempts, redirects, credentials, circuits, proxies."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from registry import __version__
from registry.config import UpstreamsConfig
from registry.core.errors import UpstreamUnavailable
from tests.upstreams.wire import Answer, Asked, Wire
from upstreams.circuit import Circuit
from upstreams.client import Client, Registry, reason
from upstreams.connections import Connection
from upstreams.origins import Proxies, may_follow

SECRET = "Basic " + base64.b64encode(b"aws:t0ken").decode()
SETTINGS = UpstreamsConfig(connect_timeout=1, read_timeout=1)


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    async with Client(SETTINGS) as client:
        yield client


@pytest_asyncio.fixture
async def other() -> AsyncIterator[Wire]:
    """Another origin: the same host on another port."""
    wire = Wire()
    await wire.start()
    yield wire
    await wire.stop()


def registry(client: Client, wire: Wire, path: str = "", authorization: str = SECRET) -> Registry:
    return client.to(Connection("public:tiny", "tiny", wire.base + path, authorization))


async def body(http: Registry, url: str = "x", **headers: str) -> bytes:
    async with http.get(url, headers) as reply:
        assert reply.status == 200
        return await reply.body(1000)


async def failure(http: Registry, url: str = "x") -> UpstreamUnavailable:
    with pytest.raises(UpstreamUnavailable) as caught:
        await body(http, url)
    return caught.value


async def test_a_request_says_who_asks_and_carries_the_credentials(client: Client, wire: Wire) -> None:
    wire.answers["/npm/@scope%2fname"] = Answer(200, b"yes")

    assert await body(registry(client, wire, "npm/"), "@scope%2fname", Accept="a/b") == b"yes"

    headers = wire.asked[0].headers
    assert headers["user-agent"] == f"packyard/{__version__}"
    assert headers["authorization"] == SECRET
    assert headers["accept"] == "a/b"


async def test_connections_are_used_again(client: Client, wire: Wire) -> None:
    wire.answers["/x"] = Answer(200, b"yes")
    http = registry(client, wire)

    for _ in range(3):
        await body(http)
    async with http.get("absent") as reply:
        assert reply.status == 404
        assert reply.url == wire.base + "absent"
        await reply.body(10)

    assert wire.connections == 1


async def test_a_fault_is_tried_again(client: Client, wire: Wire) -> None:
    answers = [Answer(503), Answer(500), Answer(200, b"yes")]
    wire.answers["/x"] = lambda asked: answers.pop(0)

    assert await body(registry(client, wire)) == b"yes"


async def test_a_short_retry_after_is_waited_for(client: Client, wire: Wire) -> None:
    answers = [Answer(429, headers={"Retry-After": "0"}), Answer(200, b"yes")]
    wire.answers["/x"] = lambda asked: answers.pop(0)

    assert await body(registry(client, wire)) == b"yes"


async def test_a_long_retry_after_is_passed_on(client: Client, wire: Wire) -> None:
    wire.answers["/x"] = Answer(429, headers={"Retry-After": "77"})

    error = await failure(registry(client, wire))

    assert error.retry_after == 77
    assert len(wire.asked) == 1


async def test_a_registry_that_hangs_is_given_up(client: Client, wire: Wire) -> None:
    hanging = asyncio.Event()

    async def hang(asked: Asked) -> Answer:
        await hanging.wait()
        return Answer(200)

    wire.answers["/x"] = hang

    error = await failure(registry(client, wire))
    hanging.set()

    assert "in time" in error.message
    assert len(wire.asked) == 1


async def test_a_body_that_stops_coming_is_given_up(client: Client, wire: Wire) -> None:
    hanging = asyncio.Event()

    async def stall() -> AsyncIterator[bytes]:
        yield b"begin"
        await hanging.wait()

    wire.answers["/x"] = Answer(200, stall)

    error = await failure(registry(client, wire))
    hanging.set()

    assert "stopped" in error.message


async def test_a_body_above_its_limit_is_refused(client: Client, wire: Wire) -> None:
    for length in ("own", None):
        wire.answers["/x"] = Answer(200, b"x" * 1001, length=length)

        assert "more than 1000" in (await failure(registry(client, wire))).message


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed(client: Client, wire: Wire, status: int) -> None:
    wire.answers["/x"] = Answer(status, b"moved", {"Location": "/y#part"})
    wire.answers["/y"] = Answer(200, b"yes")

    assert await body(registry(client, wire)) == b"yes"
    assert wire.asked[1].headers["authorization"] == SECRET


async def test_credentials_do_not_follow_to_another_origin(client: Client, wire: Wire, other: Wire) -> None:
    wire.answers["/x"] = Answer(302, b"", {"Location": f"http://me:secret@127.0.0.1:{other.port}/y"})
    other.answers["/y"] = Answer(302, b"", {"Location": f"{wire.base}z"})
    wire.answers["/z"] = Answer(200, b"yes")

    assert await body(registry(client, wire)) == b"yes"
    assert "authorization" not in other.asked[0].headers
    assert wire.asked[-1].headers["authorization"] == SECRET


async def test_a_file_on_another_origin_is_fetched_without_credentials(client: Client, wire: Wire, other: Wire) -> None:
    other.answers["/y"] = Answer(200, b"yes")

    assert await body(registry(client, wire), f"http://me:secret@127.0.0.1:{other.port}/y") == b"yes"
    assert "authorization" not in other.asked[0].headers


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://[oops/", "https://"])
async def test_an_address_that_leads_elsewhere_is_refused(client: Client, wire: Wire, url: str) -> None:
    assert "address" in (await failure(registry(client, wire), url)).message


async def test_a_public_registry_may_not_send_us_into_our_own_network(client: Client, wire: Wire) -> None:
    http = client.to(Connection("public:tiny", "tiny", "http://registry.test/"))

    assert "may not" in (await failure(http, f"{wire.base}x")).message
    assert wire.asked == []


@pytest.mark.parametrize(
    ("source", "target", "allowed"),
    [
        ("https://a.test/", "https://b.test/x", True),
        ("https://a.test/", "http://a.test/x", False),
        ("http://a.test/", "https://b.test/x", True),
        ("http://a.test/", "ftp://a.test/x", False),
        ("http://a.test/", "http://127.0.0.1/x", False),
        ("http://a.test/", "http://localhost/x", False),
        ("http://a.test/", "http://x.localhost/x", False),
        ("http://a.test/", "http://169.254.169.254/x", False),
        ("http://a.test/", "http://[::1]/x", False),
        ("http://a.test/", "http://10.1.2.3/x", False),
        ("http://a.test/", "http://1.1.1.1/x", True),
        ("http://127.0.0.1/", "http://10.1.2.3/x", True),
        ("http://localhost/", "http://localhost:99/x", True),
    ],
)
def test_who_may_send_us_where(source: str, target: str, *, allowed: bool) -> None:
    assert may_follow(URL(source), URL(target), home=URL(source).host or "") is allowed


async def test_no_message_shows_credentials(client: Client, wire: Wire) -> None:
    wire.answers["/x"] = Answer(302, b"", {"Location": "ftp://aws:t0ken@127.0.0.1/"})
    http = registry(client, wire)

    texts = [str(await failure(http)), str(await failure(http, "ftp://aws:t0ken@127.0.0.1/"))]
    await wire.stop()
    texts.append(str(await failure(http)))

    assert not any("t0ken" in text or SECRET in text for text in texts)


async def test_a_registry_that_keeps_failing_is_left_alone(client: Client, wire: Wire) -> None:
    wire.answers["/x"] = Answer(503)
    http = registry(client, wire)
    await failure(http)
    await failure(http)
    error = await failure(http)
    before = len(wire.asked)

    again = await failure(http)

    assert "left alone" in error.message
    assert "left alone" in again.message
    assert len(wire.asked) == before == 8


async def test_a_broken_page_does_not_close_off_its_registry(client: Client, wire: Wire) -> None:
    wire.answers["/bad"] = Answer(500)
    wire.answers["/x"] = Answer(200, b"yes")
    http = registry(client, wire)
    for _ in range(4):
        await failure(http, "bad")

    assert await body(http) == b"yes"


async def test_a_client_that_leaves_says_nothing_about_the_registry(client: Client, wire: Wire) -> None:
    asked, never = asyncio.Event(), asyncio.Event()

    async def hang(_: Asked) -> Answer:
        asked.set()
        await never.wait()
        return Answer(200)

    wire.answers["/x"] = hang
    task = asyncio.create_task(body(registry(client, wire)))
    await asked.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    never.set()

    assert client.circuit(URL(wire.base).origin()).blocked() is None


async def test_leaving_a_client_that_was_never_opened_is_fine() -> None:
    await Client(SETTINGS).__aexit__(None, None, None)


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_circuit_lets_one_probe_through_after_its_pause_and_waits_longer_each_time() -> None:
    clock = Time()
    circuit = Circuit(clock, failures=2, pause=1, longest=3)
    circuit.failed()
    assert circuit.blocked() is None
    circuit.failed()
    assert circuit.blocked() == 1

    for pause in (2, 3, 3):
        clock.now += 4
        assert circuit.blocked() is None
        assert circuit.blocked() == 1
        circuit.failed()
        assert circuit.blocked() == pause

    clock.now += 4
    assert circuit.blocked() is None
    circuit.given_up()
    assert circuit.blocked() is None
    circuit.answered()
    assert circuit.blocked() is None
    assert circuit.blocked() is None


def test_reasons_are_words() -> None:
    key = aiohttp.client_reqrep.ConnectionKey("h", 1, True, True, None, None, None)
    assert "encryption" in reason(aiohttp.ClientConnectorSSLError(key, ssl.SSLError(1, "x")))
    assert "certificate" in reason(aiohttp.ClientConnectorCertificateError(key, ssl.CertificateError(1, "x")))
    assert "name" in reason(aiohttp.ClientConnectorDNSError(key, OSError(1, "x")))
    assert "refused" in reason(aiohttp.ClientConnectorError(key, OSError(1, "x")))
    assert "cut short" in reason(aiohttp.ClientPayloadError("x"))
    assert "broke" in reason(aiohttp.ServerDisconnectedError())


async def test_a_retry_after_in_the_past_or_in_nonsense_is_no_reason_to_wait(client: Client, wire: Wire) -> None:
    for value in ("Wed, 21 Oct 2015 07:28:00 GMT", "soon"):
        answers = [Answer(503, headers={"Retry-After": value}), Answer(200, b"yes")]
        wire.answers["/x"] = lambda asked, answers=answers: answers.pop(0)
        began = time.monotonic()

        assert await body(registry(client, wire)) == b"yes"
        assert time.monotonic() - began < 2


# --- proxies ---------------------------------------------------------------------------------


async def test_the_environments_proxy_is_used_with_its_credentials(
    wire: Wire, other: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://me:pass@127.0.0.1:{other.port}")
    monkeypatch.setenv("no_proxy", "")
    other.answers["http://registry.test/x"] = Answer(200, b"by proxy")

    async with Client(SETTINGS) as client:
        http = client.to(Connection("public:tiny", "tiny", "http://registry.test/", SECRET))
        assert await body(http) == b"by proxy"

    headers = other.asked[0].headers
    assert headers["proxy-authorization"] == "Basic " + base64.b64encode(b"me:pass").decode()
    assert headers["authorization"] == SECRET


async def test_what_the_environment_excludes_is_asked_directly(
    wire: Wire, other: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{other.port}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    wire.answers["/x"] = Answer(200, b"direct")

    async with Client(SETTINGS) as client:
        assert await body(registry(client, wire)) == b"direct"

    assert other.asked == []


def test_a_proxy_without_credentials_wants_no_header() -> None:
    proxies = Proxies({"https": "http://proxy.test:3128"}, lambda host: False)

    assert proxies.to(URL("https://a.test/")) == (URL("http://proxy.test:3128"), {})
    assert proxies.to(URL("http://a.test/")) == (None, {})
