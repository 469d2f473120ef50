"""Changes of package versions as events.

Guide, "CodeArtifact event format and example".  `made` gives the record for the outbox, which commits with
the change itself; `envelope` gives the whole event as EventBridge carries it.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from registry.core.arns import Arns
from registry.core.clock import new_id
from registry.core.types import DomainKey, Event, PackageKey, RepoKey, Repository, Status

Operation = Literal["Created", "Updated", "Deleted"]

DETAIL_TYPE = "CodeArtifact Package Version State Change"
SOURCE = "aws.codeartifact"


@dataclass(frozen=True, slots=True)
class Changes:
    """What an event says has changed; counts of assets, and two marks."""

    assets_added: int = 0
    assets_removed: int = 0
    assets_updated: int = 0
    metadata: bool = False
    status: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """The version that an event is about, as it is after the change (before it, for Deleted)."""

    package: PackageKey
    version: str
    status: Status
    revision: str


def made(
    repository: Repository, subject: Subject, operation: Operation, changes: Changes, *, sequence: int, now: int
) -> Event:
    """The event of one change; `sequence` is the package's counter after it."""
    domain = repository.key.domain
    detail = {
        "domainName": domain.name,
        "domainOwner": domain.owner,
        "repositoryName": repository.key.name,
        "repositoryAdministrator": repository.administrator,
        "packageFormat": subject.package.format,
        "packageNamespace": subject.package.namespace,
        "packageName": subject.package.name,
        "packageVersion": subject.version,
        "packageVersionState": subject.status.value,
        "packageVersionRevision": subject.revision,
        "changes": {
            "assetsAdded": changes.assets_added,
            "assetsRemoved": changes.assets_removed,
            "metadataUpdated": changes.metadata,
            "assetsUpdated": changes.assets_updated,
            "statusChanged": changes.status,
        },
        "operationType": operation,
        "sequenceNumber": sequence,
    }
    event_id = new_id(now)
    detail["eventDeduplicationId"] = _deduplication_id(repository, subject, sequence, event_id)
    return Event(id=event_id, account=repository.administrator, time=now, detail=detail)


def copies(event: Event, arns: Arns) -> list[dict[str, object]]:
    """One for the domain's owner and one for the repository's administrator; one where they are the same."""
    accounts = dict.fromkeys((str(event.detail["domainOwner"]), event.account))
    return [envelope(replace(event, account=account), arns) for account in accounts]


def envelope(event: Event, arns: Arns) -> dict[str, object]:
    """The event as a sink delivers it; the same event gives the same bytes however often it is sent."""
    detail = event.detail
    repo = RepoKey(DomainKey(str(detail["domainOwner"]), str(detail["domainName"])), str(detail["repositoryName"]))
    namespace = detail["packageNamespace"]
    package = PackageKey(
        str(detail["packageFormat"]), None if namespace is None else str(namespace), str(detail["packageName"])
    )
    return {
        "version": "0",
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{detail['eventDeduplicationId']} {event.account}")),
        "detail-type": DETAIL_TYPE,
        "source": SOURCE,
        "account": event.account,
        "time": datetime.fromtimestamp(event.time // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": arns.region,
        "resources": [arns.package(repo, package)],
        "detail": dict(detail),
    }


def _deduplication_id(repository: Repository, subject: Subject, sequence: int, event_id: int) -> str:
    parts = (repository.id, subject.package, subject.version, sequence, event_id)
    return base64.b64encode(hashlib.sha256(repr(parts).encode()).digest()).decode()
