"""What the core needs of drivers, as Protocols.  One noun, one small Protocol.

A unit of work is `async def work(tx)`; it may be run again, so it has no effect but its own rows,
and it awaits nothing but its transaction.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

from registry.core import iam
from registry.core.catalogs import Catalog
from registry.core.types import (
    Absent,
    AccessKey,
    Asset,
    Blob,
    BlobStat,
    CachedListing,
    Control,
    Domain,
    DomainKey,
    Draft,
    Event,
    Facts,
    Listing,
    NotModified,
    PackageFilter,
    PackageGroup,
    PackageKey,
    PackageRow,
    PolicyDocument,
    Remote,
    RemoteFile,
    RemoteVersion,
    Repository,
    RepositoryFilter,
    Restriction,
    Staged,
    Stamp,
    Status,
    User,
    Version,
    VersionFilter,
    VersionKey,
)

T = TypeVar("T")


class Clock(Protocol):
    def now(self) -> int:
        """Milliseconds since the epoch, UTC."""


# --- blobs -----------------------------------------------------------------------------------


class Staging(Protocol):
    """A file that is arriving.  Discarded when its context ends, unless it was placed."""

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append; hashing and writing happen off the loop."""

    async def done(self) -> Staged:
        """Close it and give its size and four digests."""

    @property
    def path(self) -> Path:
        """The growing file of one that is followed, so that its readers can read it while it arrives."""

    @property
    def written(self) -> int:
        """Bytes that a reader of `path` can already see."""


class BlobStore(Protocol):
    """One domain's files.  A key is fresh for every placed file and never reused."""

    def stage(self, *, followed: bool = True) -> AbstractAsyncContextManager[Staging]:
        """A place for an arriving file.  One that is not followed has no file until it is too large for memory."""

    def place(self, staged: Staged) -> Awaitable[str]:
        """Make it durable under a fresh key that nobody else knows; the key.  May begin before it is awaited."""

    async def stat(self, key: str) -> int | None:
        """Its size in bytes, or None when there is no such file."""

    def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Bytes start..end (exclusive).  Raises Unavailable when the file is lost."""

    def path(self, key: str) -> Path | None:
        """The local file, where there is one (the file driver), for fast serving."""

    async def link(self, key: str, *, media_type: str, disposition: str) -> str | None:
        """An address that gives the whole file, with these headers, to whoever has it, for a short while.
        None: there is none, or the settings want none.  Nothing is asked of the store."""

    async def delete(self, key: str) -> None:
        """Remove one's own loser, or what the sweep condemned; absent is fine."""

    def walk(self) -> AsyncIterator[BlobStat]:
        """Every file of this domain, in no order."""


# --- metadata --------------------------------------------------------------------------------


class Identities(Protocol):
    async def add_account(self, account: str, created: int) -> bool:
        """False when it is there already."""

    async def accounts(self) -> list[str]: ...
    async def add_user(self, user: User) -> None: ...
    async def user(self, account: str, name: str) -> User | None: ...
    async def add_key(self, key: AccessKey, created: int) -> None: ...
    async def key(self, access_key_id: str) -> AccessKey | None: ...
    async def attach_policy(self, account: str, user: str, policy_arn: str) -> None: ...
    async def put_policy(self, account: str, user: str, name: str, document: str) -> None: ...
    async def managed_policy(self, arn: str, document: str) -> None:
        """Insert or replace a managed policy's document."""

    async def documents(self, account: str, user: str) -> list[str]:
        """Every identity policy document of a user: inline and attached."""

    async def revision(self) -> int:
        """Grows with every change in this noun (Identities)."""


class Domains(Protocol):
    async def add(self, domain: Domain) -> None:
        """Raises Conflict when the owner has a domain of that name."""

    async def get(self, key: DomainKey) -> Domain | None: ...
    async def by_id(self, domain_id: int) -> Domain | None: ...
    async def page(self, owner: str | None, after: str | None, limit: int) -> list[Domain]:
        """By name ascending; `after` is an exclusive (name, owner) joined by "/"."""

    async def delete(self, domain_id: int) -> None: ...
    async def touch(self, domain_id: int) -> None:
        """topology + 1."""

    async def usage(self, domain_id: int) -> tuple[int, int]:
        """(number of repositories, bytes of live blobs)."""


class Repositories(Protocol):
    """Every change here also touches the domain's topology."""

    async def add(self, repository: Repository) -> None:
        """Raises Conflict when the domain has a repository of that name."""

    async def get(self, domain_id: int, name: str) -> Repository | None: ...
    async def by_id(self, repo_id: int) -> Repository | None: ...
    async def describe(self, repo_id: int, description: str) -> None: ...
    async def delete(self, repo_id: int) -> None:
        """With its packages, edges, connection, policy and tags; also from others' upstream lists."""

    async def page(self, where: RepositoryFilter, after: tuple[str, str, str] | None, limit: int) -> list[Repository]:
        """By (name, domain name, domain owner) ascending, after that triple."""

    async def edges(self, domain_id: int) -> dict[int, list[int]]:
        """repository id -> its direct upstreams' ids in priority order."""

    async def set_upstreams(self, repo_id: int, targets: Sequence[int]) -> None: ...
    async def connections(self, domain_id: int) -> dict[int, str]:
        """repository id -> the name of its external connection."""

    async def connect(self, repo_id: int, connection: str | None) -> None:
        """Set or (None) remove the external connection."""


class Packages(Protocol):
    async def get(self, repo_id: int, key: PackageKey) -> PackageRow | None: ...
    async def across(self, repo_ids: Sequence[int], key: PackageKey) -> list[PackageRow]:
        """The rows of one package in several repositories, in no order; one statement."""

    async def touch(
        self, repo_id: int, key: PackageKey, *, display: str, publish: Control, upstream: Control, now: int
    ) -> PackageRow | None:
        """Insert with these controls and seq 1, or seq + 1 (controls and display then stay).  Locks the row.
        None when there is no such repository."""

    async def bump(self, package_id: int) -> int:
        """seq + 1; locks the row; returns the new seq."""

    async def set_controls(self, package_id: int, publish: Control, upstream: Control) -> None:
        """Also seq + 1, and `configured` becomes true (touch() leaves it false)."""

    async def delete(self, package_id: int) -> None:
        """With its versions, assets and tags."""

    async def page(
        self, repo_id: int, where: PackageFilter, after: tuple[str, str, str] | None, limit: int
    ) -> list[PackageRow]:
        """By (format, namespace or "", name) ascending, after that triple."""

    async def tags(self, package_ids: Sequence[int]) -> dict[int, dict[str, str]]:
        """package id -> tag -> canonical version; one statement."""

    async def set_tag(self, package_id: int, tag: str, version: str) -> None: ...
    async def drop_tag(self, package_id: int, tag: str) -> None: ...
    async def search(
        self, repo_ids: Sequence[int], format: str, text: str, after: tuple[str, str] | None, limit: int
    ) -> list[PackageRow]:
        """Packages with a Published version whose name or namespace contains text (any case),
        by (namespace or "", name) ascending, each identity once."""

    async def pulse(self, repo_ids: Sequence[int], format: str) -> tuple[int, int, int]:
        """How many packages of a format these repositories have, the sum of their counters, and the highest id:
        differs from what it was whenever roll() does."""

    async def roll(self, repo_ids: Sequence[int], format: str) -> list[tuple[str, str, int, int, int]]:
        """(namespace or "", name, repository id, package id, seq) of each of them, in no order."""


class Versions(Protocol):
    async def get(self, package_id: int, version: str) -> Version | None:
        """With assets, by name."""

    async def of(self, package_ids: Sequence[int]) -> list[Version]:
        """Every version of some packages, with assets by name; two statements."""

    async def page(
        self, package_id: int, where: VersionFilter, after: tuple[str, ...] | None, limit: int
    ) -> list[Version]:
        """Without assets and native.  order "version": by (sort, version) descending, after that pair.
        order "published": by (published, sort, version) descending, after (str(published), sort, version)."""

    async def latest_published(self, package_id: int) -> str | None:
        """Display spelling of the most recently published version whose status is Published."""

    async def add(self, version: Version, facts: Facts) -> None:
        """With its assets.  Raises Conflict on a duplicate identity."""

    async def change(
        self,
        version_id: int,
        *,
        status: Status | None = None,
        revision: str | None = None,
        native: bytes | None = None,
        published: int | None = None,
        origin: str | None = None,
    ) -> None:
        """Set what is not None.  (`origin` is reserved.)"""

    async def set_facts(self, version_id: int, facts: Facts) -> None: ...
    async def facts(self, version_id: int) -> Facts: ...
    async def delete(self, version_id: int) -> None:
        """With assets and facts."""

    async def add_assets(self, version_id: int, assets: Sequence[Asset]) -> None: ...
    async def drop_assets(self, version_id: int) -> None: ...
    async def set_asset_native(self, version_id: int, name: str, native: bytes) -> None: ...
    async def assets_page(self, version_id: int, after: str | None, limit: int) -> list[Asset]:
        """By name ascending."""


class Blobs(Protocol):
    """The rows that decide which file stays (ARCHITECTURE section 5).

    `domain_id` is always the domain of the assets that refer to it.
    """

    async def find(self, domain_id: int, sha256: str) -> Blob | None:
        """The row, condemned or not."""

    async def claim(self, domain_id: int, blob: Blob, now: int) -> Blob:
        """Insert ours, or adopt the row that is there and clear `condemned`; return the row that holds now.
        The caller drops its own file when the returned key is another's."""

    async def replace(self, domain_id: int, lost_key: str, blob: Blob) -> Blob:
        """Take over a row whose file was lost: set the key if it is still `lost_key`; return the row that holds."""

    async def adopt(self, domain_id: int, sha256: str) -> Blob | None:
        """Lock the row that is there, clear `condemned` and return it; None when there is none."""

    async def condemn(self, domain_id: int, now: int, limit: int) -> int:
        """Mark live rows that no asset refers to; return how many."""

    async def examine(self, domain_id: int, now: int, limit: int) -> tuple[int, int]:
        """One short step of condemn: (rows looked at, rows condemned).  (0, _) when nothing is left to look at."""

    async def reap(self, domain_id: int, before: int, limit: int) -> list[Blob]:
        """Delete rows condemned before that time and still unreferenced; return them, so that files can go."""

    async def condemned(self, domain_id: int, before: int, after: int, limit: int) -> list[Blob]:
        """What reap would take now, the first `after` of them left out; changes nothing."""

    async def mark_lost(self, domain_id: int, sha256: str, key: str) -> bool:
        """The row's file is damaged: if it still has that key, give it one that names no file, so that the next
        upload of the same bytes heals it.  Returns whether it did."""

    async def unreferenced(self, domain_id: int) -> int:
        """How many live rows no asset refers to; looks at all of them, for reports."""

    async def known(self, domain_id: int, keys: Sequence[str]) -> set[str]:
        """Which of these file keys a row names."""

    async def page(self, domain_id: int, after: str | None, limit: int) -> list[Blob]:
        """Every row by sha256 ascending, for `check`."""


class Policies(Protocol):
    """Resource policies and resource tags, by ARN."""

    async def get(self, arn: str) -> PolicyDocument | None: ...
    async def put(self, policy: PolicyDocument, domain_id: int) -> None:
        """Insert or replace; touches the domain's topology."""

    async def delete(self, arn: str, domain_id: int) -> None: ...
    async def resource_tags(self, arn: str) -> dict[str, str]: ...
    async def set_resource_tags(self, arn: str, tags: Mapping[str, str]) -> None:
        """Add or overwrite these."""

    async def drop_resource_tags(self, arn: str, keys: Sequence[str]) -> None: ...


class Listings(Protocol):
    """Cached answers of external registries, one domain's copy per connection and package."""

    async def get(self, domain_id: int, connection: str, key: PackageKey) -> CachedListing | None: ...
    async def age(self, domain_id: int, connections: Sequence[str], key: PackageKey) -> dict[str, tuple[int, int]]:
        """connection -> (fetched, changed), without the body; one statement."""

    async def put(self, domain_id: int, connection: str, key: PackageKey, remote: Remote | None, fetched: int) -> None:
        """Store content; `changed` becomes a number never used before for this row."""

    async def fresh(self, domain_id: int, connection: str, key: PackageKey, fetched: int) -> None:
        """The content still holds; only its age is new."""

    async def forget(self, domain_id: int, *, absent: int, unasked: int, limit: int) -> int:
        """Delete "not there" answers fetched before `absent` and any answer not fetched again since `unasked`;
        return how many."""


class Groups(Protocol):
    """Package groups, found by the keys of their patterns.  Every change here also touches the domain's topology."""

    async def add(self, group: PackageGroup, keys: Sequence[str]) -> None:
        """Raises Conflict when the domain has a group of that pattern."""

    async def get(self, domain_id: int, pattern: str) -> PackageGroup | None: ...
    async def under(self, domain_id: int, keys: Sequence[str]) -> list[PackageGroup]:
        """The groups that have one of these keys, in no order."""

    async def page(self, domain_id: int, prefix: str, after: str | None, limit: int) -> list[PackageGroup]:
        """Those whose pattern begins so, by pattern ascending, after that pattern."""

    async def change(self, group: PackageGroup) -> None:
        """Set contact, description and modes of the group with that id."""

    async def allow(self, group: PackageGroup, kind: Restriction, repo_ids: Sequence[int]) -> None:
        """Set the list of allowed repositories of that kind."""

    async def allowed(self, group_ids: Sequence[int]) -> list[tuple[int, Restriction, int, str]]:
        """(group, kind, repository, its name) of every list of these groups, by name."""

    async def delete(self, group: PackageGroup) -> None: ...
    async def rekey(self, group_id: int, keys: Sequence[str]) -> None:
        """Give it other keys for the same pattern."""

    async def count(self, domain_id: int, atmost: int) -> int:
        """How many groups the domain has; counting ends at `atmost`."""

    async def keyed(self, version: str | None = None) -> str:
        """Which version of the folds the keys were made by; with one given, remember that."""

    async def packages(
        self, domain_id: int, format: str | None, after: tuple[str, str, str] | None, limit: int
    ) -> list[PackageKey]:
        """The packages of all the domain's repositories, each once, by (format, namespace or "", name)."""


class Outbox(Protocol):
    async def add(self, event: Event) -> None: ...
    async def take(self, after: int, limit: int) -> list[Event]: ...
    async def drop(self, upto: int) -> None: ...

    async def expire(self, before: int) -> int:
        """Forget events that are older, in milliseconds since the epoch."""


class Stream(Protocol):
    """Events in the order of their delivery: at least once to every sink, each package's in sequence."""

    async def advance(self, limit: int) -> int:
        """Give the oldest events of the outbox their places; how many.  Only the holder of the lease may."""

    async def after(self, position: int, limit: int) -> list[tuple[int, Event]]: ...
    async def cursor(self, sink: str) -> int: ...
    async def moved(self, sink: str, position: int) -> None: ...

    async def trim(self, sinks: Collection[str], before: int) -> int:
        """Forget what every one of the sinks (which are all there are) has, and what is older than `before`
        (milliseconds) although some sink never got it; how many these are."""

    async def lease(self, name: str, holder: str, now: int, until: int) -> bool:
        """Become or stay the holder; False while it is another's."""

    async def leased(self, name: str) -> tuple[str, int] | None: ...
    async def release(self, name: str, holder: str) -> None: ...


class Tx(Protocol):
    """One transaction.

    `writes`: what is read here may hold changes that are never committed, of this unit of work or of another one in
    its group, so nothing that outlives it may be concluded from it.
    """

    writes: bool
    identity: Identities
    principals: iam.Principals
    managed: iam.Managed
    logins: iam.Logins
    domains: Domains
    repositories: Repositories
    packages: Packages
    versions: Versions
    blobs: Blobs
    policies: Policies
    listings: Listings
    outbox: Outbox
    stream: Stream
    groups: Groups


Work = Callable[[Tx], Awaitable[T]]


class Store(Protocol):
    async def read(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Run on a snapshot.  Raises Unavailable when the engine cannot answer."""

    async def glance(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """A read of a few point look-ups; an embedded engine runs it in the loop."""

    async def write(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Run and commit durably; re-run up to 3 times on serialization failure or unique violation."""

    def epoch(self) -> int | None:
        """A number that differs whenever any process committed something since; None when unknowable."""

    async def moment(self, known: int | None = None) -> int | None:
        """The epoch, asked for after this call; for an engine that cannot tell at once, requests that arrive together
        share one question, and `epoch` gives its answer to the request from then on.  `known`: it has been asked for
        this request already."""

    def soon(self, call: Callable[[int | None], None]) -> None:
        """Call with the same number as soon as it is known, without a task."""


# --- events ----------------------------------------------------------------------------------


class EventSink(Protocol):
    """Where events go, as the guide's chapter on EventBridge has them."""

    async def send(self, events: Sequence[Mapping[str, object]]) -> Sequence[Mapping[str, object]]:
        """Deliver in order per package; those that could not be delivered now, to be given again."""

    async def close(self) -> None: ...


# --- upstreams -------------------------------------------------------------------------------


class Content(Protocol):
    """An asset that can be served.  `source` is "local", "upstream:REPO" or "external:CONNECTION".

    `path` is a complete local file when there is one.  `size` and `digests` may be unknown while a
    flight without a declared size is under way.
    """

    size: int | None
    digests: Mapping[str, str]
    modified: int
    source: str
    path: Path | None

    def read(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]: ...


class HttpReply(Protocol):
    status: int
    headers: Mapping[str, str]
    url: str  # after redirects

    async def body(self, limit: int) -> bytes:
        """Raises UpstreamUnavailable when it is longer, cut short or slow."""

    def chunks(self) -> AsyncIterator[bytes]: ...


class Http(Protocol):
    """One external registry, with its credentials; nobody else opens a socket outwards.

    Transport faults, time-outs and 5xx and 429 answers (after retries) raise UpstreamUnavailable.
    Any other status is returned.
    """

    base: str

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> AbstractAsyncContextManager[HttpReply]:
        """`url` may be relative to `base`.  Credentials go only to the base's own origin."""


class Fetcher(Protocol):
    """How a format reads its ecosystem's registries; `protocols/<format>/fetch.py`."""

    async def listing(
        self, http: Http, package: PackageKey, validators: Mapping[str, str]
    ) -> Remote | NotModified | Absent:
        """Raises UpstreamUnavailable for anything that is not clearly an answer."""

    async def draft(
        self, package: PackageKey, remote: Remote, version: RemoteVersion, files: Mapping[str, Staged | Blob]
    ) -> Draft:
        """The version as it will be retained; `files` are those fetched now.  May read staged files (off the loop).
        The draft's assets are only those whose name is in `files` and whose value is Staged."""

    def companions(self, version: RemoteVersion, asset: str) -> Sequence[RemoteFile]:
        """Files that must be retained together with that one (PyPI: all of the version)."""


@runtime_checkable
class Sidecars(Protocol):
    """What a Fetcher may offer besides: documents that go with a file but are no assets (PyPI: `.metadata`)."""

    def sidecar(self, version: RemoteVersion, asset: str) -> RemoteFile | None:
        """Where the registry keeps the document of that name.  Resolver.open() serves it, checked against its
        declared digest if there is one, and never retains anything for it.  None: there is no such document."""


@runtime_checkable
class Confirms(Protocol):
    """What a Fetcher may offer besides: a look at what its registry says elsewhere of a file that has arrived."""

    async def confirm(self, http: Http, version: RemoteVersion, file: RemoteFile, staged: Staged) -> None:
        """Called when it is here and has the digest that is declared for it, if any, before its last bytes are shown.
        Raises UpstreamUnavailable for one that is not what it should be; nothing is kept of it then."""


@runtime_checkable
class Asking(Protocol):
    """What a Fetcher offers besides where registries list no files (Maven): each is asked for by its name.

    RemoteVersion.files of its listings are empty, and a file may be there although no listing names its version.
    """

    async def find(self, http: Http, key: VersionKey, asset: str) -> RemoteFile | None:
        """Where that file is, with the digests that the registry declares; None: it is not there.

        Raises UpstreamUnavailable.  That the file is gone may also show when it is fetched.
        """

    def usual(self, key: VersionKey, native: bytes) -> Sequence[str]:
        """Files that a version is likely to have; `native` is what is known of it."""


class Resolver(Protocol):
    """The search through a repository and its upstreams; upstreams/resolver.py."""

    async def listing(self, repo: Repository, package: PackageKey) -> Listing:
        """Merged over the chain.  An unknown package gives a listing without versions.
        Raises UpstreamUnavailable only when a registry could not be asked and nothing is known."""

    async def stamp(self, repo: Repository, package: PackageKey) -> Stamp:
        """What listing() would be made from; refreshes external listings that are too old."""

    async def open(self, repo: Repository, key: VersionKey, asset: str, *, retain: bool = True) -> Content:
        """Find, retain where the guide says, and serve.  Raises ResourceNotFound, UpstreamUnavailable.
        `retain` False: only read what some repository of the chain has stored (its metadata is wanted);
        retains nothing; ResourceNotFound where only an external registry has it.
        An asset that no hop has may be a sidecar of its version (see Sidecars): served, never retained."""

    async def alone(self, tx: Tx, repo: Repository) -> bool:
        """Whether nothing is above this repository, so that nothing is reachable; a point read, not for writes."""

    async def reachable(self, repo: Repository, key: VersionKey) -> str | None:
        """Where above this repository that version can be had ("upstream:R", "external:C"), else None.
        An external registry that cannot be asked counts as not having it (guide: publishing goes on)."""

    async def secure(self, repo: Repository, key: VersionKey) -> Repository | None:
        """The first repository of the chain (`repo` itself included) that holds this version in any status.
        One that only an external registry has is fetched whole into the connection's repository first
        (and not into `repo`).  None when it is nowhere.  Raises UpstreamUnavailable.
        For CopyPackageVersions with includeFromUpstream."""

    async def search(
        self, repo: Repository, format: str, text: str, after: tuple[str, str] | None, limit: int
    ) -> list[PackageRow]: ...

    async def namespaced(self, repo: Repository, format: str, namespace: str, limit: int) -> list[PackageRow]:
        """Stored packages of exactly that namespace, of each repository of the chain the first `limit`, nearest
        first."""

    async def catalog(self, repo: Repository, format: str) -> Catalog:
        """The state of all stored packages of a format along the chain, for indexes of a whole repository."""

    async def roll(self, repo: Repository, format: str) -> Mapping[PackageKey, Hashable]:
        """Each stored package of the chain, with a value that changes with what stored() says of it."""

    async def stored(self, repo: Repository, packages: Sequence[PackageKey]) -> list[Listing]:
        """As listing() of each, of what is stored alone: no external registry is asked."""
