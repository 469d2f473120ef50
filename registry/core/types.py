"""Coordinates and records: the nouns of the registry as frozen values.

Names follow the CodeArtifact service model.
Times are integers, milliseconds since the Unix epoch, UTC.
A value of these types is already valid: parse at the edge, then stop checking.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

Control = Literal["ALLOW", "BLOCK"]
OriginType = Literal["INTERNAL", "EXTERNAL"]
Restriction = Literal["EXTERNAL_UPSTREAM", "INTERNAL_UPSTREAM", "PUBLISH"]
Mode = Literal["ALLOW", "ALLOW_SPECIFIC_REPOSITORIES", "BLOCK", "INHERIT"]


class Status(StrEnum):
    """Package version status, as in the guide's chapter "Update package version status"."""

    PUBLISHED = "Published"
    UNFINISHED = "Unfinished"
    UNLISTED = "Unlisted"
    ARCHIVED = "Archived"
    DISPOSED = "Disposed"
    DELETED = "Deleted"


@dataclass(frozen=True, slots=True)
class DomainKey:
    """A domain, as clients name it."""

    owner: str
    name: str


@dataclass(frozen=True, slots=True)
class RepoKey:
    """A repository, as clients name it."""

    domain: DomainKey
    name: str


@dataclass(frozen=True, slots=True)
class GroupKey:
    """A package group, as clients name it: by its pattern."""

    domain: DomainKey
    pattern: str


@dataclass(frozen=True, slots=True)
class PackageKey:
    """A package's identity within a repository: canonical spelling, namespace None when it has none."""

    format: str
    namespace: str | None
    name: str


@dataclass(frozen=True, slots=True)
class VersionKey:
    """A version's identity: canonical spelling."""

    package: PackageKey
    version: str


@dataclass(frozen=True, slots=True)
class Digests:
    """The four digests of a stored file, lower-case hex."""

    md5: str
    sha1: str
    sha256: str
    sha512: str


@dataclass(frozen=True, slots=True)
class Blob:
    """A stored file of one domain.  Its identity is the sha256; `key` names its file in the blob store."""

    digests: Digests
    size: int
    key: str


@dataclass(frozen=True, slots=True)
class Staged:
    """A file that has arrived whole but is not yet durable: on disk at `path`, or a small one in memory as `body`."""

    digests: Digests
    size: int
    path: Path | None
    body: bytes | None = field(default=None, repr=False)

    def open(self) -> BinaryIO:
        """Its bytes; blocks.  Seekable."""
        if self.body is not None:
            return io.BytesIO(self.body)
        assert self.path is not None
        return self.path.open("rb")


@dataclass(frozen=True, slots=True)
class BlobStat:
    """What a walk over a blob store tells of one file."""

    key: str
    size: int
    modified: int


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain's row.  `topology` grows whenever its repositories, edges, connections or policies change."""

    id: int
    key: DomainKey
    created: int
    encryption_key: str
    topology: int


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository's row."""

    id: int
    domain_id: int
    key: RepoKey
    description: str
    administrator: str
    created: int


@dataclass(frozen=True, slots=True)
class Hop:
    """One repository of a search chain, with the name of its external connection if it has one."""

    repository: Repository
    connection: str | None


@dataclass(frozen=True, slots=True)
class Origin:
    """How a version came into the domain: published into `repository`, or fetched through `connection`."""

    type: OriginType
    repository: str | None = None
    connection: str | None = None


@dataclass(frozen=True, slots=True)
class License:
    """A license as the service model has it."""

    name: str | None = None
    url: str | None = None


class Dependency(NamedTuple):
    """One dependency as ListPackageVersionDependencies shows it; a tuple, since there are many."""

    namespace: str | None
    package: str
    type: str
    requirement: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What the control plane shows of a version; filled by the format's parser."""

    display: str = ""
    summary: str = ""
    homepage: str = ""
    source: str = ""
    licenses: tuple[License, ...] = ()
    readme: str | None = None
    dependencies: tuple[Dependency, ...] = ()


@dataclass(frozen=True, slots=True)
class PackageRow:
    """A package of one repository.

    `seq` grows with every change to the package: it is the event sequence number, the row lock of a
    publish and the ETag of its indexes.  `publish` and `upstream` are its origin controls.
    """

    id: int
    repo_id: int
    key: PackageKey
    display: str
    seq: int
    publish: Control
    upstream: Control
    created: int
    configured: bool = False
    """The controls were set by an owner (PutPackageOriginConfiguration), not by the first arrival."""


@dataclass(frozen=True, slots=True)
class PackageGroup:
    """A package group's row.  `modes` are its own restrictions, one of each kind."""

    id: int
    domain_id: int
    pattern: str
    contact: str
    description: str
    created: int
    modes: Mapping[Restriction, Mode]


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of a version.  `native` is the format's own metadata of this file, as bytes."""

    name: str
    blob: Blob
    native: bytes = b""
    uploaded: int = 0


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a package of one repository, with its assets; facts are read apart.

    `key.version` is the canonical spelling, `display` what is shown.
    `native` is the format's own metadata with every base URL left open.
    `sort` orders versions of the format as text.
    """

    id: int
    package_id: int
    key: VersionKey
    display: str
    status: Status
    revision: str
    origin: Origin
    published: int
    sort: str
    native: bytes
    assets: tuple[Asset, ...] = ()


@dataclass(frozen=True, slots=True)
class DraftAsset:
    """A file of a version that is about to be published or retained.  A Blob is one that the domain has already."""

    name: str
    staged: Staged | Blob
    native: bytes = b""
    uploaded: int | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A version as a client or an upstream registry presents it, parsed and checked against its files.

    `finish` False leaves (or makes) the version Unfinished.
    `exists` says what an existing version means: "conflict" (single-shot formats; identical files succeed),
    "add" (further assets join it).  An asset of the same name with other bytes is always a conflict.
    """

    key: VersionKey
    display: str
    native: bytes
    facts: Facts
    assets: tuple[DraftAsset, ...]
    tags: Mapping[str, str] = field(default_factory=dict)
    finish: bool = True
    exists: Literal["conflict", "add"] = "conflict"
    published: int | None = None
    unlisted: bool = False
    """Also joins a version that is Unlisted, as builds of a snapshot are."""


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file in a listing.  `digests` are those declared by whoever published it, by names like "sha256"."""

    name: str
    size: int | None
    digests: Mapping[str, str]
    native: bytes = b""
    uploaded: int = 0
    url: str = ""  # where an external registry keeps it; empty for stored files


@dataclass(frozen=True, slots=True)
class Listed:
    """A version in a listing.  `source` is "local", "upstream:REPO" or "external:CONNECTION"."""

    version: str
    display: str
    status: Status
    native: bytes
    files: tuple[ListedFile, ...]
    published: int
    sort: str
    source: str = "local"


@dataclass(frozen=True, slots=True)
class Listing:
    """What a repository shows of a package, its upstreams merged in, ascending by the format's order.

    `versions` holds what lists show (Published); `unlisted` what can be fetched but is not shown.
    `stale` says that an external registry could not be asked and older knowledge is shown.
    """

    package: PackageKey
    display: str
    versions: tuple[Listed, ...]
    unlisted: tuple[Listed, ...]
    tags: Mapping[str, str]
    stamp: Stamp
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Stamp:
    """What an index was made from.  Equal `value` means an equal index; after `expires` (ms) ask again."""

    value: Hashable
    expires: int | None = None
    stale: bool = False


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file that an external registry offers.  `url` is absolute; `digests` as the registry declares them."""

    name: str
    url: str
    size: int | None
    digests: dict[str, str]
    native: bytes = b""
    uploaded: int | None = None


@dataclass(frozen=True, slots=True)
class RemoteVersion:
    """A version that an external registry offers, in our own native form."""

    version: str
    display: str
    native: bytes
    published: int | None
    files: tuple[RemoteFile, ...]


@dataclass(frozen=True, slots=True)
class Remote:
    """An external registry's listing of one package.  `validators` are the request headers of a revalidation."""

    display: str
    versions: tuple[RemoteVersion, ...]
    tags: dict[str, str]
    validators: dict[str, str]


@dataclass(frozen=True, slots=True)
class NotModified:
    """The external registry says that what we have still holds."""


@dataclass(frozen=True, slots=True)
class Absent:
    """The external registry says, in so many words, that there is no such thing."""


@dataclass(frozen=True, slots=True)
class CachedListing:
    """An external listing as stored.  `remote` is None for "not there"; `changed` grows when its content does."""

    remote: Remote | None
    fetched: int
    changed: int


@dataclass(frozen=True, slots=True)
class Change:
    """A change to a version by its format's own means (deprecate, yank, unlist)."""

    native: Callable[[bytes], bytes] | None = None
    status: Status | None = None


CallerKind = Literal["User", "AssumedRole", "Anonymous"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: an IAM user of an account, a session of a role, or (where that is allowed) nobody known.

    `token_domain` is the id of the domain that the presented authorization token is good for,
    None for a signed request (and for a token that is good for every domain).
    `name` is the user's or the role's.  `user_id` is aws:userid: the unique id, of a session followed by its name.
    `session` holds condition keys of the session (tags, issue time); `policies` and `policy_arns` narrow it.
    `session_id` is empty for long-term credentials; equal ids mean equal `session`, `policies` and `policy_arns`.
    `issued` and `expires` (ms) are the session's own beginning and end.
    """

    account: str
    arn: str
    user_id: str
    name: str
    token_domain: int | None = None
    session: Mapping[str, str] = field(default_factory=dict)
    kind: CallerKind = "User"
    policies: tuple[str, ...] = ()
    policy_arns: tuple[str, ...] = ()
    session_id: str = ""
    issued: int = 0
    expires: int | None = None

    @property
    def principal_id(self) -> str:
        """The unique id of the user or the role."""
        return self.user_id.partition(":")[0]

    @property
    def anonymous(self) -> bool:
        """Nobody said who asks, and the server lets such callers read what is open to all."""
        return self.kind == "Anonymous"


@dataclass(frozen=True, slots=True)
class Event:
    """A change to a package version, as the guide's chapter on EventBridge has it."""

    id: int
    account: str
    time: int
    detail: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class FormatInfo:
    """What the core may know of a format: data and pure functions.

    `canonical(namespace, name)` and `canonical_version(text)` raise ValueError for what the format refuses.
    `sort(canonical version)` is a text whose order is the format's version order.
    `grows`: a Published version may gain assets.  `merges_files`: files of a version are merged over hops.
    `publish`: the IAM actions that publishing needs.  `connections`: names of the built-in connections.
    `tag_latest`: the tag that names the default version, or None.
    `asset_name(name)` raises ValueError for an asset name that the format refuses (PublishPackageVersion).
    `refresh(stored, remote)`: native metadata of a retained file, brought up to date with what its registry
    says of it now (PyPI: yanked marks); None leaves the stored one.
    `rivals(canonical name)`: names that cannot be beside it in one repository (cargo: `-` for `_`).
    """

    name: str
    canonical: Callable[[str | None, str], tuple[str | None, str]]
    canonical_version: Callable[[str], str]
    sort: Callable[[str], str]
    grows: bool = False
    merges_files: bool = False
    namespace_required: bool = False
    upstreams: bool = True
    publish: tuple[str, ...] = ("PublishPackageVersion",)
    connections: tuple[str, ...] = ()
    tag_latest: str | None = None
    asset_name: Callable[[str], None] | None = None
    refresh: Callable[[bytes, bytes], bytes] | None = None
    remark: Callable[[bytes, bytes], bytes] | None = None
    """As `refresh`, for the native metadata of a retained version: what only its registry can say of it (NuGet:
    unlisted, deprecated).  The stored one itself where nothing changed."""
    tags_unlisted: bool = False
    """Tags may name versions that are Unlisted."""
    aliases: tuple[str, ...] = ()
    rivals: Callable[[str], tuple[str, ...]] | None = None
    redirects: bool = False
    """Its clients follow a download to another host, and send no credentials there."""


@dataclass(frozen=True, slots=True)
class User:
    """An IAM user."""

    account: str
    name: str
    path: str
    id: str
    created: int


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key; `secret` is sealed under the master key."""

    id: str
    account: str
    user: str
    secret: bytes
    active: bool


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """A resource policy as stored."""

    arn: str
    document: str
    revision: str
    bound: Mapping[str, str] = field(default_factory=dict)
    """Principals that were there when it was put: ARN -> unique id, which no later one of that name has."""


@dataclass(frozen=True, slots=True)
class PackageFilter:
    """Which packages a list shows; None filters nothing."""

    format: str | None = None
    namespace_prefix: str | None = None
    name_prefix: str | None = None
    publish: Control | None = None
    upstream: Control | None = None


@dataclass(frozen=True, slots=True)
class VersionFilter:
    """Which versions a list shows, and in which order: "version" (newest first) or "published"."""

    status: Status | None = None
    origin: OriginType | None = None
    order: Literal["version", "published"] = "version"


@dataclass(frozen=True, slots=True)
class RepositoryFilter:
    """Which repositories a list shows."""

    domain_id: int | None = None
    prefix: str | None = None
    administrator: str | None = None


@dataclass(frozen=True, slots=True)
class Quotas:
    """Limits of the guide's chapter "Quotas", adjustable; sizes in bytes.  `rates`: the guide's request rates too."""

    domains_per_account: int = 10
    repositories_per_domain: int = 1000
    direct_upstreams: int = 10
    upstreams_searched: int = 25
    assets_per_version: int = 150
    asset_bytes: int = 5 * 1024**3
    tags: int = 50
    package_groups_per_domain: int = 20_000
    allowed_repositories_per_group: int = 1000
    policy_bytes: int = 20_480
    rates: bool = False
    copy_package_versions_rate: int = 5
    get_authorization_token_rate: int = 40
    get_package_version_asset_rate: int = 50
    list_package_version_assets_rate: int = 200
    list_package_versions_rate: int = 200
    list_packages_rate: int = 200
    publish_package_version_rate: int = 10
    account_read_rate: int = 800
    account_write_rate: int = 100
    token_rate: int = 1200
    address_rate: int = 600
