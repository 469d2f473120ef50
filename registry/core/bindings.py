"""Principals of stored policies are those who were there when the policy was put, not whoever has their names later.

IAM User Guide, "AWS JSON policy elements: Principal": a user or role named in a policy is kept by its unique id; a user
who is deleted and made anew under the same name does not match, and the policy then shows the id in place of the ARN.
A name that nobody had when the policy was put stays a name (docs/decisions/003).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from registry.core.iam import Kind, Principal
from registry.core.policy import Document, named
from registry.core.ports import Tx

_NAMED = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):(user|role)/(?:.*/)?([^/]+)")


async def of(tx: Tx, document: Document) -> dict[str, str]:
    """ARN -> unique id, of those whom a document names and who are there now."""
    found = {}
    for arn in sorted(named(document)):
        principal = await by_arn(tx, arn)
        if principal is not None:
            found[arn] = principal.id
    return found


async def by_arn(tx: Tx, arn: str) -> Principal | None:
    """The user or role of that ARN, path included."""
    match = _NAMED.fullmatch(arn)
    if match is None:
        return None
    kind: Kind = "user" if match[2] == "user" else "role"
    principal = await tx.principals.named(match[1], kind, match[3])
    return principal if principal is not None and principal.arn == arn else None


async def shown(tx: Tx, text: str, bound: Mapping[str, str]) -> str:
    """The document with the ids of those who are gone in place of their ARNs."""
    for arn, id in bound.items():
        if await tx.principals.get(id) is None:
            text = text.replace(json.dumps(arn), json.dumps(id))
    return text
