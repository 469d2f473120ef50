"""Where a request came to and from, as the client sees it; behind a proxy only if that is trusted."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from starlette.types import Scope

from registry.core.errors import Validation
from registry.web.paths import valid_host

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Addresses:
    """Reads Host and the X-Forwarded headers.  `base_url` overrides what requests say."""

    def __init__(self, base_url: str, trusted: Sequence[str]) -> None:
        """Raises ValueError for what is neither an address nor a network."""
        self._base = base_url.rstrip("/")
        self._networks: list[_Network] = [ipaddress.ip_network(each, strict=False) for each in trusted]
        self._known: dict[str, bool] = {}

    def settle(self, scope: Scope) -> None:
        """Put the client's own scheme and address into the scope, where a trusted proxy tells them."""
        headers = scope["headers"]
        if not any(name.startswith(b"x-forwarded-") for name, _ in headers):
            return
        peer = scope.get("client")
        if peer is None or not self._trusts(peer[0]):
            return
        scope["packyard.proxied"] = True
        told = {name: value.decode("latin-1") for name, value in headers if name.startswith(b"x-forwarded-")}
        scheme = told.get(b"x-forwarded-proto", "").split(",")[-1].strip().lower()
        if scheme in ("http", "https"):
            scope["scheme"] = scheme
        for hop in reversed([each.strip() for each in told.get(b"x-forwarded-for", "").split(",") if each.strip()]):
            scope["client"] = (hop, 0)
            if not self._trusts(hop):
                break
        host = told.get(b"x-forwarded-host", "").split(",")[-1].strip()
        if host:
            scope["packyard.host"] = host

    def base(self, scope: Scope) -> str:
        """This server's address without a trailing slash.  Raises Validation for a Host that is none."""
        return self._base or f"{scope['scheme']}://{self.host(scope)}"

    def host(self, scope: Scope) -> str:
        """Host and port as the client wrote them.  Raises Validation for a Host that is none."""
        host = scope.get("packyard.host")
        if host is None:
            hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
            if len(hosts) > 1:
                raise Validation("There is more than one Host header")
            host = hosts[0] if hosts else None
        if not host:
            server = scope.get("server") or ("localhost", None)
            host = f"{server[0]}:{server[1]}" if server[1] else server[0]
        if not valid_host(host):
            raise Validation("The Host header is not a host")
        return str(host)

    def _trusts(self, address: str) -> bool:
        known = self._known.get(address)
        if known is None:
            try:
                ip = ipaddress.ip_address(address)
            except ValueError:
                return False
            known = any(ip in network for network in self._networks)
            if len(self._known) < 4096:
                self._known[address] = known
        return known
