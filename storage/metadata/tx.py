"""A transaction over three verbs: what a driver supplies is `fetch`, `row` and `run`, and nothing else.

Parameters are written `$1`, `$2`, ... on every engine; a driver binds them as its engine does.
"""

from __future__ import annotations

from registry.core import iam, ports
from storage.metadata.listing_memo import ListingMemo
from storage.metadata.sql import Sql
from storage.metadata.tables.blobs import Blobs
from storage.metadata.tables.domains import Domains
from storage.metadata.tables.groups import Groups
from storage.metadata.tables.identity import Identities
from storage.metadata.tables.listings import Listings
from storage.metadata.tables.logins import Logins
from storage.metadata.tables.managed import ManagedPolicies
from storage.metadata.tables.outbox import Outbox
from storage.metadata.tables.packages import Packages
from storage.metadata.tables.policies import Policies
from storage.metadata.tables.principals import Principals
from storage.metadata.tables.repositories import Repositories
from storage.metadata.tables.stream import Stream
from storage.metadata.tables.versions import Versions


class Transaction:
    """`registry.core.ports.Tx` over any engine."""

    __slots__ = (
        "blobs",
        "domains",
        "groups",
        "identity",
        "listings",
        "logins",
        "managed",
        "outbox",
        "packages",
        "policies",
        "principals",
        "repositories",
        "stream",
        "versions",
        "writes",
    )

    def __init__(self, sql: Sql, memo: ListingMemo, *, writes: bool) -> None:
        self.writes = writes
        self.identity: ports.Identities = Identities(sql)
        self.principals: iam.Principals = Principals(sql)
        self.managed: iam.Managed = ManagedPolicies(sql)
        self.logins: iam.Logins = Logins(sql)
        self.domains: ports.Domains = Domains(sql)
        self.repositories: ports.Repositories = Repositories(sql)
        self.packages: ports.Packages = Packages(sql)
        self.versions: ports.Versions = Versions(sql)
        self.blobs: ports.Blobs = Blobs(sql)
        self.policies: ports.Policies = Policies(sql)
        self.listings: ports.Listings = Listings(sql, memo)
        self.outbox: ports.Outbox = Outbox(sql)
        self.stream: ports.Stream = Stream(sql)
        self.groups: ports.Groups = Groups(sql)
