"""Guide, "Quotas in AWS CodeArtifact": request rates."""

from __future__ import annotations

import pytest

from registry.core import rates
from registry.core.errors import Throttling
from registry.core.rates import Rates
from registry.core.types import Quotas


class Moment:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


def test_a_seconds_worth_passes_at_once_and_the_rest_as_time_goes_by() -> None:
    moment = Moment()
    limits = Rates(Quotas(copy_package_versions_rate=5), moment)
    for _ in range(5):
        limits.operation("CopyPackageVersions", "one")

    with pytest.raises(Throttling, match="at most 5 CopyPackageVersions requests per second") as refused:
        limits.operation("CopyPackageVersions", "one")

    assert refused.value.retry_after == 1
    limits.operation("CopyPackageVersions", "another")
    moment.time += 0.4
    for _ in range(2):
        limits.operation("CopyPackageVersions", "one")
    with pytest.raises(Throttling):
        limits.operation("CopyPackageVersions", "one")
    moment.time += 60
    for _ in range(5):
        limits.operation("CopyPackageVersions", "one")
    with pytest.raises(Throttling):
        limits.operation("CopyPackageVersions", "one")


def test_every_rate_of_the_guide_has_its_default() -> None:
    moment = Moment()
    limits = Rates(Quotas(account_read_rate=0, account_write_rate=0), moment)
    guide = {
        "CopyPackageVersions": 5,
        "GetAuthorizationToken": 40,
        "GetPackageVersionAsset": 50,
        "ListPackageVersionAssets": 200,
        "ListPackageVersions": 200,
        "ListPackages": 200,
        "PublishPackageVersion": 10,
    }
    for name, rate in guide.items():
        for _ in range(rate):
            limits.operation(name, "one")
        with pytest.raises(Throttling):
            limits.operation(name, "one")
    others = Rates(Quotas(), moment)
    for count, take in (
        (800, lambda: others.operation("DescribePackage", "one")),
        (100, lambda: others.operation("DeletePackage", "one")),
        (1200, lambda: others.token("t")),
        (600, lambda: others.address("192.0.2.1")),
    ):
        for _ in range(count):
            take()
        with pytest.raises(Throttling):
            take()


def test_reads_and_writes_of_an_account_count_apart_from_each_other() -> None:
    limits = Rates(Quotas(account_read_rate=1, account_write_rate=1), Moment())

    limits.operation("ListDomains", "one")
    limits.operation("CreateDomain", "one")

    with pytest.raises(Throttling, match="read requests"):
        limits.account("one", reads=True)
    with pytest.raises(Throttling, match="write requests"):
        limits.account("one", reads=False)


def test_a_request_may_count_as_several() -> None:
    moment = Moment()
    limits = Rates(Quotas(token_rate=10), moment)
    limits.token("t", 8)
    with pytest.raises(Throttling):
        limits.token("t", 3)
    limits.token("t", 2)
    moment.time += 1
    limits.token("t", 500)  # more than a second's worth passes alone


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "_KEPT", 3)
    moment = Moment()
    limits = Rates(Quotas(address_rate=1), moment)
    limits.address("a")
    moment.time += 0.9
    limits.address("b")
    limits.address("c")
    moment.time += 0.2

    limits.address("d")  # that of `a` is full again and goes

    with pytest.raises(Throttling):
        limits.address("b")
    for address in "efgh":
        limits.address(address)
    assert len(limits._buckets) <= 3
