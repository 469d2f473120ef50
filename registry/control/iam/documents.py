"""Policy documents as IAM takes them: parsed, of limited size, with IAM's own errors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from registry.control.iam.call import IamError
from registry.core.errors import Validation
from registry.core.iam import Kind as PrincipalKind
from registry.core.policy import Document, Kind, parse

MANAGED = 6144
TRUST = 2048 * 4
INLINE: Mapping[PrincipalKind, int] = {"user": 2048, "group": 5120, "role": 10_240}
_HARD = 131_072


def taken(text: str, kind: Kind = "identity") -> Document:
    """Raises IamError (MalformedPolicyDocument) with the reason."""
    try:
        return parse(text, kind, limit=_HARD)
    except Validation as err:
        raise IamError("MalformedPolicyDocument", err.message) from None


def size(text: str) -> int:
    """White space between the words of a document does not count against its quota."""
    try:
        return len(json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False))
    except ValueError:
        return len(text)


def fits(texts: Iterable[str], limit: int, what: str) -> None:
    """Raises IamError (LimitExceeded)."""
    if sum(map(size, texts)) > limit:
        raise IamError("LimitExceeded", f"Cannot exceed quota for {what}: {limit}")
