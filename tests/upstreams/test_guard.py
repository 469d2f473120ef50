"""Whom an external registry may make us ask."""

from __future__ import annotations

import socket

import aiohttp.abc
import pytest
from yarl import URL

from upstreams import guard
from upstreams.guard import Guard
from upstreams.origins import may_follow

METADATA = "169.254.169.254"


class Names(aiohttp.abc.AbstractResolver):
    """A name service with a few names."""

    def __init__(self, **known: str) -> None:
        self.known = {name.replace("_", "."): found.split() for name, found in known.items()}
        self.closed = False

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[aiohttp.abc.ResolveResult]:
        if host not in self.known:
            raise OSError(None, "unknown")
        return [
            {"hostname": host, "host": each, "port": port, "family": family, "proto": 0, "flags": 0}
            for each in self.known[host]
        ]

    async def close(self) -> None:
        self.closed = True


def guarded(home: str, **known: str) -> Guard:
    return Guard(home, exempt=lambda host: host == "proxy.corp", inner=Names(**known))


async def found(resolver: Guard, host: str) -> list[str]:
    return [each["host"] for each in await resolver.resolve(host, 443)]


@pytest.mark.parametrize("inside", ["127.0.0.1", "10.1.2.3", "::1", "fd12::1", METADATA, "::ffff:10.0.0.1", "0.0.0.0"])
async def test_a_name_that_means_our_own_network_is_not_asked_for_a_public_registry(inside: str) -> None:
    resolver = guarded("public.example", public_example="8.8.8.8", evil_example=inside)

    with pytest.raises(OSError, match="our own network"):
        await resolver.resolve("evil.example", 443)


async def test_of_a_name_with_both_only_the_outside_is_asked() -> None:
    resolver = guarded("public.example", public_example="8.8.8.8", evil_example="127.0.0.1 9.9.9.9")

    assert await found(resolver, "evil.example") == ["9.9.9.9"]


async def test_a_registry_of_our_own_network_may_name_its_neighbors_but_no_metadata_service() -> None:
    resolver = guarded("npm.corp", npm_corp="10.0.0.5", files_corp="10.0.0.6", evil_corp=METADATA)

    assert await found(resolver, "files.corp") == ["10.0.0.6"]
    with pytest.raises(OSError, match="our own network"):
        await resolver.resolve("evil.corp", 443)


async def test_the_registrys_own_name_and_a_proxys_may_mean_what_they_like() -> None:
    resolver = guarded("npm.corp", npm_corp="10.0.0.5", proxy_corp="10.0.0.1")

    assert await found(resolver, "npm.corp") == ["10.0.0.5"]
    assert await found(resolver, "proxy.corp") == ["10.0.0.1"]


async def test_a_registry_whose_name_nobody_knows_counts_as_public() -> None:
    resolver = guarded("gone.example", evil_example="10.0.0.1", other_example="9.9.9.9")

    assert await found(resolver, "other.example") == ["9.9.9.9"]
    with pytest.raises(OSError, match="our own network"):
        await resolver.resolve("evil.example", 443)


async def test_it_closes_what_it_uses() -> None:
    names = Names()
    await Guard("x.example", exempt=lambda host: False, inner=names).close()

    assert names.closed


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "0x7f.1", "127.1", "0177.0.0.1", "1.2.3.4.5", "127.0.0.1.", "host.0x7f", "host.1",
     "\uff11\uff12\uff17.0.0.1", "a b", "a%00b", "", ".", "-a", "a/b", "a@b", "b\u00fccher.example"],
)  # fmt: skip
def test_an_address_in_disguise_is_not_followed(host: str) -> None:
    assert not guard.plain(host)


@pytest.mark.parametrize("host", ["registry.example", "a.b-c.d_e", "registry.example.", "8.8.8.8", "2001:db8::1", "x1"])
def test_names_and_addresses_are_plain(host: str) -> None:
    assert guard.plain(host)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "LOCALHOST.", "a.localhost", "10.0.0.1", "100.64.0.1", "::1", "::ffff:7f00:1",
     "64:ff9b::7f00:1", "2002:7f00:1::", "fe80::1%eth0", METADATA, "0.0.0.0", "224.0.0.1", "fd00:ec2::254"],
)  # fmt: skip
def test_our_own_network_has_many_names(host: str) -> None:
    assert guard.inside(host)
    assert not may_follow(URL("http://public.example/"), URL.build(scheme="http", host=host), home="public.example")


@pytest.mark.parametrize("host", [METADATA, "fe80::1", "fd00:ec2::254", "::ffff:169.254.169.254"])
def test_nobody_leads_us_to_a_metadata_service(host: str) -> None:
    assert not may_follow(URL("http://127.0.0.1/"), URL.build(scheme="http", host=host), home="127.0.0.1")
