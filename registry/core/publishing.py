"""Draft -> version, by stages: judge, place, write, answer.

    publish(services, ...)          what a client presents
    retain(services, ...)           what an external registry offers: into the connection's repository and the asked one
    retain_stored(services, ...)    a version that an upstream repository holds: rows only
    refresh(services, ...)          newer metadata of a version that came through a connection (yanked marks, further files)

Each is one unit of work that commits durably or leaves nothing; files are placed before it, and dropped
again by the loser.  None of the retaining functions authorizes: whoever may read through a repository
makes it retain (guide, "Package retention from upstream repositories").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from registry.core.services import Services
from registry.core.types import Caller, Draft, FormatInfo, Origin, Repository, Version, VersionKey
from registry.core.view import Published


async def publish(
    services: Services,
    *,
    repository: Repository,
    info: FormatInfo,
    draft: Draft,
    caller: Caller,
    context: Mapping[str, str],
) -> Published:
    """A client's publish into `repository`.  Authorizes `info.publish` on the package.

    Raises AccessDenied (rights, or the package's origin control), Conflict (here with other content,
    or reachable upstream), ServiceQuotaExceeded, ResourceNotFound (the repository went meanwhile).
    """
    raise NotImplementedError


async def retain(
    services: Services, *, info: FormatInfo, targets: Sequence[Repository], draft: Draft, origin: Origin
) -> tuple[Version, ...]:
    """Write a fetched version into every target (the connection's repository first, then the asked one).

    One result per target, in order, with its assets as stored.  Idempotent: a version that a target has
    stays, with its status; where its origin is EXTERNAL the draft's further assets are added.  An asset
    that is there under the same name stays, whatever its bytes.  A target whose origin controls forbid the
    arrival (origin.may_ingest for the first, origin.may_retain for the others) is skipped: the result is
    then shorter, and AccessDenied is raised only when the first target refuses.
    """
    raise NotImplementedError


async def retain_stored(
    services: Services, *, info: FormatInfo, source: Repository, target: Repository, key: VersionKey
) -> Version:
    """Retain a version of `source` in `target` with everything it has but tags; rows only.

    Keeps origin, native, facts, published and status.  Where `target` has the version already and the
    origin is EXTERNAL, missing assets are added; else it stays as it is.
    Raises ResourceNotFound when `source` no longer has it, AccessDenied when controls of `target` forbid.
    """
    raise NotImplementedError


async def refresh(
    services: Services,
    *,
    repositories: Sequence[Repository],
    key: VersionKey,
    native: bytes | None = None,
    assets: Mapping[str, bytes] | None = None,
) -> bool:
    """Set newer native metadata of a version and of its assets (by name) in every repository that holds it
    with EXTERNAL origin.  False when nothing changed; no event then."""
    raise NotImplementedError
