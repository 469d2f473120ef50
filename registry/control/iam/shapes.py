"""Records of IAM -> structures of its model."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from registry.control.iam.call import IamError
from registry.core.iam import Key, ManagedPolicy, PolicyVersion, Principal

TAGS = 50


def tags(found: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in found.items()]


def given_tags(pairs: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """Raises IamError (InvalidInput) for a key that comes twice (in any case) or is reserved."""
    found: dict[str, str] = {}
    for pair in pairs or ():
        if pair["Key"].lower() in {key.lower() for key in found}:
            raise IamError("InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
        if pair["Key"].lower().startswith("aws:"):
            raise IamError("InvalidInput", "Tag keys must not begin with the reserved prefix aws:")
        found[pair["Key"]] = pair.get("Value", "")
    limit_tags(found)
    return found


def limit_tags(found: Mapping[str, str]) -> None:
    if len(found) > TAGS:
        raise IamError("LimitExceeded", f"Cannot exceed quota for TagsPerEntity: {TAGS}")


def tag_context(found: Mapping[str, str]) -> dict[str, str]:
    """Condition keys of a request that brings tags."""
    if not found:
        return {}
    return {**{f"aws:RequestTag/{key}": value for key, value in found.items()}, "aws:TagKeys": "\n".join(found)}


def boundary(principal: Principal) -> dict[str, Any]:
    if not principal.boundary:
        return {}
    return {
        "PermissionsBoundary": {
            "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
            "PermissionsBoundaryArn": principal.boundary,
        }
    }


def user(principal: Principal) -> dict[str, Any]:
    return {
        "Path": principal.path,
        "UserName": principal.name,
        "UserId": principal.id,
        "Arn": principal.arn,
        "CreateDate": principal.created,
    }


def group(principal: Principal) -> dict[str, Any]:
    return {
        "Path": principal.path,
        "GroupName": principal.name,
        "GroupId": principal.id,
        "Arn": principal.arn,
        "CreateDate": principal.created,
    }


def role(principal: Principal, trust: str) -> dict[str, Any]:
    return {
        "Path": principal.path,
        "RoleName": principal.name,
        "RoleId": principal.id,
        "Arn": principal.arn,
        "CreateDate": principal.created,
        "AssumeRolePolicyDocument": trust,
        "Description": principal.description or None,
        "MaxSessionDuration": principal.longest,
    }


def policy(found: ManagedPolicy) -> dict[str, Any]:
    return {
        "PolicyName": found.name,
        "PolicyId": found.id or made_id(found.arn),
        "Arn": found.arn,
        "Path": found.path,
        "DefaultVersionId": f"v{found.current}",
        "AttachmentCount": found.attached,
        "PermissionsBoundaryUsageCount": found.bounding,
        "IsAttachable": True,
        "CreateDate": found.created,
        "UpdateDate": found.updated,
    }


def version(found: PolicyVersion, current: int, *, document: bool) -> dict[str, Any]:
    return {
        "Document": found.document if document else None,
        "VersionId": f"v{found.number}",
        "IsDefaultVersion": found.number == current,
        "CreateDate": found.created,
    }


def key(found: Key, name: str) -> dict[str, Any]:
    return {
        "UserName": name,
        "AccessKeyId": found.id,
        "Status": "Active" if found.active else "Inactive",
        "CreateDate": found.created,
    }


def made_id(arn: str) -> str:
    """The unique id of a policy that comes with the server: the same on every server."""
    return "ANPA" + base64.b32encode(hashlib.sha256(arn.encode()).digest()).decode()[:17]
