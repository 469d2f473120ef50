"""Whom an external registry may make us ask: no host of our own network, whatever it is called.

An address in a listing or a redirect is somebody else's word.  A registry of the outside must not lead us to this
machine, to a private network or to a cloud's metadata service: not by number in any spelling, and not by a name that
resolves to one.  A registry that is inside itself may lead us around there, but not to link-local addresses.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
from collections.abc import Callable

import aiohttp.abc
from aiohttp.resolver import DefaultResolver

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")


def address(host: str) -> Address | None:
    """The address that a host is by number, the one behind it where it stands for another; None for a name."""
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        behind = found.ipv4_mapped or found.sixtofour
        if behind is None and found in _TRANSLATED:
            behind = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        return behind or found
    return found


def plain(host: str) -> bool:
    """A name or an address as everybody writes it; systems take `127.1` and `0x7f.1` for addresses too."""
    if address(host) is not None:
        return True
    return _NAME.fullmatch(host) is not None and not _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2])


def inside(host: str) -> bool:
    """This machine or a private network, by number or by one of the names that are always this machine's."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    found = address(host)
    return found is not None and (not found.is_global or found.is_multicast)


def link_local(host: str) -> bool:
    """Where clouds keep their metadata; no registry is there."""
    found = address(host)
    return found is not None and (found.is_link_local or found == ipaddress.ip_address("fd00:ec2::254"))


class Guard(aiohttp.abc.AbstractResolver):
    """Resolves for one registry.  Its own name may mean what it likes: somebody has set it up so."""

    def __init__(
        self, home: str, *, exempt: Callable[[str], bool], inner: aiohttp.abc.AbstractResolver | None = None
    ) -> None:
        """`exempt` knows the names of proxies."""
        self._home = home
        self._exempt = exempt
        self._inner = inner or DefaultResolver()
        self._home_inside: bool | None = inside(home) or None

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[aiohttp.abc.ResolveResult]:
        """Raises OSError where no address is left that may be asked."""
        found = await self._inner.resolve(host, port, family)
        if host == self._home:
            self._home_inside = any(inside(each["host"]) for each in found)
        if host == self._home or self._exempt(host):
            return found
        if self._home_inside is None:
            with contextlib.suppress(OSError):
                await self.resolve(self._home, port, family)
        allowed = [each for each in found if self._allows(each["host"])]
        if not allowed:
            raise OSError(None, "a name of our own network")
        return allowed

    def _allows(self, host: str) -> bool:
        return not link_local(host) and (self._home_inside is True or not inside(host))

    async def close(self) -> None:
        await self._inner.close()
