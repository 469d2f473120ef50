"""What every operation and every adapter works with, put together once by `registry.app`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from registry.core.arns import Arns
from registry.core.groups.association import Groups
from registry.core.ports import BlobStore, Clock, Resolver, Store
from registry.core.rates import Rates
from registry.core.types import FormatInfo, Quotas


@dataclass(frozen=True, slots=True)
class Services:
    """The drivers and tables of one server.  `blobs(domain_id)` hands out one domain's files."""

    store: Store
    blobs: Callable[[int], BlobStore]
    resolver: Resolver
    clock: Clock
    arns: Arns
    formats: Mapping[str, FormatInfo]
    quotas: Quotas
    connections: Mapping[str, str]
    """External connection name -> format name, built-in and configured."""
    page_key: bytes = b""
    """Signs page tokens; the same on every process and after a restart."""
    groups: Groups = field(default_factory=Groups, repr=False)
    """Which package group applies to which package, remembered."""
    rates: Rates | None = None
    """Limits of request rates; None where they are off."""
