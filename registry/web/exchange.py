"""What the front door keeps of one request, for handlers' answers, the log and the hot cache."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Scope

from registry.core.types import PackageKey, Stamp
from registry.core.view import RepoView

if TYPE_CHECKING:
    from registry.web.openfiles import OpenFiles
    from registry.web.rendered import Indexes

KEY = "packyard.exchange"


@dataclass(slots=True)
class Hold:
    """An answer that the hot cache may give again.

    `body` lives in a bounded cache and belongs to `owner`; the answer holds while that is alive and, for an index,
    while the package has this stamp.  `again` answers instead where there is more to it than a head and a body.
    """

    head: bytes
    body: bytes
    owner: Any
    etag: bytes
    not_modified: bytes
    stamp: Stamp | None = None
    view: RepoView | None = None
    package: PackageKey | None = None
    again: ASGIApp | None = None


@dataclass(slots=True)
class Exchange:
    """One request.  `epoch` is the store's when it began; `hot_key` names it in the hot cache, None: do not keep.

    `audited`: somebody reads the audit trail, so that what only it needs is worth looking up.
    """

    id: str
    method: str
    started: float
    epoch: int | None
    indexes: Indexes
    files: OpenFiles
    hot_key: Hashable | None = None
    plane: str = ""
    route: str = ""
    resource: str = ""
    caller: str = ""
    source: str = "local"
    status: int = 0
    sent: int = 0
    error: str = ""
    hold: Hold | None = None
    audited: bool = False
    extra: dict[str, Any] = field(default_factory=dict)


def of(scope: Scope) -> Exchange:
    """The exchange of a request that came through the front door."""
    exchange = scope[KEY]
    assert isinstance(exchange, Exchange)
    return exchange
