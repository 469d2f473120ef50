"""Records -> output structures of the model, one function each.  None means unset and is left out on the wire."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from registry.core.arns import Arns
from registry.core.errors import Validation
from registry.core.groups.administration import Entry, GroupRecord
from registry.core.groups.association import KINDS
from registry.core.packages import Outcome, VersionDetail
from registry.core.repositories import DomainRecord, RepositoryRecord
from registry.core.types import (
    Asset,
    Dependency,
    Digests,
    Domain,
    GroupKey,
    License,
    Origin,
    PackageGroup,
    PackageKey,
    PackageRow,
    PolicyDocument,
    Repository,
    Restriction,
    Version,
)

Structure = dict[str, Any]


def domain_summary(domain: Domain, arns: Arns) -> Structure:
    return {
        "name": domain.key.name,
        "owner": domain.key.owner,
        "arn": arns.domain(domain.key),
        "status": "Active",
        "createdTime": domain.created,
        "encryptionKey": domain.encryption_key,
    }


def domain(record: DomainRecord, arns: Arns, *, status: str = "Active") -> Structure:
    owner = record.domain.key.owner
    return {
        **domain_summary(record.domain, arns),
        "status": status,
        "repositoryCount": record.repository_count,
        "assetSizeBytes": record.asset_bytes,
        "s3BucketArn": f"arn:{arns.partition}:s3:::assets-{owner}-{arns.region}",
    }


def repository_summary(repository: Repository, arns: Arns) -> Structure:
    key = repository.key
    return {
        "name": key.name,
        "administratorAccount": repository.administrator,
        "domainName": key.domain.name,
        "domainOwner": key.domain.owner,
        "arn": arns.repository(key),
        "description": repository.description or None,
        "createdTime": repository.created,
    }


def repository(record: RepositoryRecord, arns: Arns) -> Structure:
    return {
        **repository_summary(record.repository, arns),
        "upstreams": [{"repositoryName": name} for name in record.upstreams],
        "externalConnections": [
            {"externalConnectionName": name, "packageFormat": format or None, "status": "Available"}
            for name, format in record.connections
        ],
    }


def group(record: GroupRecord, arns: Arns) -> Structure:
    """PackageGroupDescription, and PackageGroupSummary, which has the same members."""
    own, domain, parent = record.group, record.domain, record.line.parent
    return {
        **group_reference(own, domain, arns),
        "domainName": domain.key.name,
        "domainOwner": domain.key.owner,
        "createdTime": own.created,
        "contactInfo": own.contact or None,
        "description": own.description or None,
        "originConfiguration": {"restrictions": {kind: restriction(record, kind, arns) for kind in KINDS}},
        "parent": None if parent is None else group_reference(parent, domain, arns),
    }


def group_reference(group: PackageGroup, domain: Domain, arns: Arns) -> Structure:
    return {"arn": arns.group(GroupKey(domain.key, group.pattern)), "pattern": group.pattern}


def restriction(record: GroupRecord, kind: Restriction, arns: Arns) -> Structure:
    mode, effective = record.group.modes[kind], record.line.effective(kind)
    inherited = group_reference(effective.of, record.domain, arns) if mode == "INHERIT" else None
    return {
        "mode": mode,
        "effectiveMode": effective.mode,
        "inheritedFrom": inherited,
        "repositoriesCount": len(effective.repositories),
    }


def entry(member: str, given: Mapping[str, Any]) -> Entry:
    """A repository to be added to, or removed from, a list.  Raises Validation where a part of it is left out."""
    for part in ("originRestrictionType", "repositoryName"):
        if part not in given:
            raise Validation(f"Each of {member} needs {part}")
    return Entry(given["originRestrictionType"], given["repositoryName"])


def policy(document: PolicyDocument) -> Structure:
    return {"resourceArn": document.arn, "revision": document.revision, "document": document.document}


def tags(found: Mapping[str, str]) -> list[Structure]:
    return [{"key": key, "value": value} for key, value in sorted(found.items())]


def coordinates(key: PackageKey) -> Structure:
    """format, namespace, package: what stands above most lists."""
    return {"format": key.format, "namespace": key.namespace, "package": key.name}


def origin_configuration(row: PackageRow) -> Structure:
    return {"restrictions": {"publish": row.publish, "upstream": row.upstream}}


def package_summary(row: PackageRow) -> Structure:
    return {**coordinates(row.key), "originConfiguration": origin_configuration(row)}


def package(row: PackageRow) -> Structure:
    return {
        "format": row.key.format,
        "namespace": row.key.namespace,
        "name": row.key.name,
        "originConfiguration": origin_configuration(row),
    }


def origin(value: Origin) -> Structure:
    entry = {"repositoryName": value.repository, "externalConnectionName": value.connection}
    return {"domainEntryPoint": entry, "originType": value.type}


def version_summary(version: Version) -> Structure:
    return {
        "version": version.display,
        "revision": version.revision,
        "status": version.status.value,
        "origin": origin(version.origin),
    }


def version(detail: VersionDetail) -> Structure:
    found, facts = detail.version, detail.facts
    return {
        "format": detail.package.key.format,
        "namespace": detail.package.key.namespace,
        "packageName": detail.package.key.name,
        "displayName": (facts.display or detail.package.display)[:255],
        "version": found.display,
        "summary": facts.summary or None,
        "homePage": facts.homepage or None,
        "sourceCodeRepository": facts.source or None,
        "publishedTime": found.published,
        "licenses": [license_info(each) for each in facts.licenses],
        "revision": found.revision,
        "status": found.status.value,
        "origin": origin(found.origin),
    }


def license_info(value: License) -> Structure:
    return {"name": value.name, "url": value.url}


def hashes(digests: Digests) -> Structure:
    return {"MD5": digests.md5, "SHA-1": digests.sha1, "SHA-256": digests.sha256, "SHA-512": digests.sha512}


def asset(value: Asset) -> Structure:
    return {"name": value.name, "size": value.blob.size, "hashes": hashes(value.blob.digests)}


def version_head(row: PackageRow, found: Version) -> Structure:
    """What stands above the assets, the dependencies and the readme of a version."""
    return {**coordinates(row.key), "version": found.display, "versionRevision": found.revision}


def dependencies(found: Iterable[Dependency]) -> list[Structure]:
    return [
        {
            "namespace": each.namespace,
            "package": each.package,
            "dependencyType": each.type or None,
            "versionRequirement": each.requirement,
        }
        for each in found
    ]


def outcome(result: Outcome) -> Structure:
    return {
        "successfulVersions": {
            version: {"revision": done.revision, "status": done.status.value} for version, done in result.done.items()
        },
        "failedVersions": {
            version: {"errorCode": failed.code, "errorMessage": failed.message}
            for version, failed in result.failed.items()
        },
    }
