"""Request rates of the guide's chapter "Quotas", counted in this process.

Each limit is a bucket that holds one second's worth of requests and fills at its rate, by operation, account, token or
address.  Several processes count each for itself, so that together they allow as many times as much.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from registry.core.errors import Throttling
from registry.core.types import Quotas

_KEPT = 65_536
"""Buckets that are remembered; full ones go first, then all."""

_READS = ("Get", "List", "Describe")


class Rates:
    """The limits of one server.  Every method counts a request, or raises Throttling and does not count it."""

    def __init__(self, quotas: Quotas, moment: Callable[[], float] = time.monotonic) -> None:
        self._moment = moment
        self._operations = {
            "CopyPackageVersions": quotas.copy_package_versions_rate,
            "GetAuthorizationToken": quotas.get_authorization_token_rate,
            "GetPackageVersionAsset": quotas.get_package_version_asset_rate,
            "ListPackageVersionAssets": quotas.list_package_version_assets_rate,
            "ListPackageVersions": quotas.list_package_versions_rate,
            "ListPackages": quotas.list_packages_rate,
            "PublishPackageVersion": quotas.publish_package_version_rate,
        }
        self._reads = quotas.account_read_rate
        self._writes = quotas.account_write_rate
        self._token = quotas.token_rate
        self._address = quotas.address_rate
        self._buckets: dict[tuple[str, str], tuple[float, float, int]] = {}

    def operation(self, name: str, account: str) -> None:
        """A call of the API by an account."""
        rate = self._operations.get(name, 0)
        self._take(name, account, rate, f"{name} requests")
        self.account(account, reads=name.startswith(_READS))

    def account(self, account: str, *, reads: bool, count: int = 1) -> None:
        """A request of an account to the API or to an endpoint."""
        if reads:
            self._take("read", account, self._reads, "read requests of an account", count)
        else:
            self._take("write", account, self._writes, "write requests of an account", count)

    def token(self, token: str, count: int = 1) -> None:
        """A request with an authorization token."""
        self._take("token", token, self._token, "requests with one authorization token", count)

    def address(self, address: str) -> None:
        """A request without a good token."""
        self._take("address", address, self._address, "requests without an authorization token from one address")

    def _take(self, kind: str, who: str, rate: int, what: str, count: int = 1) -> None:
        if not rate:  # 0 sets no limit
            return
        now, key = self._moment(), (kind, who)
        left, since, _ = self._buckets.get(key, (float(rate), now, rate))
        left = min(float(rate), left + (now - since) * rate)
        needed = min(count, rate)  # what counts as more than a second's worth still passes, alone
        if left + 1e-9 < needed:
            raise Throttling(
                f"Rate exceeded: at most {rate} {what} per second",
                retry_after=max(1, math.ceil((needed - left) / rate)),
            )
        if len(self._buckets) >= _KEPT and key not in self._buckets:
            self._forget(now)
        self._buckets[key] = (max(left - needed, 0.0), now, rate)

    def _forget(self, now: float) -> None:
        """Buckets that are full again say nothing."""
        kept = {key: each for key, each in self._buckets.items() if each[0] + (now - each[1]) * each[2] < each[2]}
        self._buckets = kept if len(kept) < _KEPT else {}
