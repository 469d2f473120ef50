"""Audit records of requests, in the shape of CloudTrail's (guide, "Understanding CodeArtifact log file entries").

Each request gives one record for each account that is concerned: the caller's, the repository administrator's and
the domain owner's.  No token, signature or secret is ever in one.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.types import Scope

from registry.core.types import Caller
from registry.web.exchange import Exchange
from registry.web.paths import masked

Record = dict[str, object]

VERSION = "1.08"
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
SOURCE = "codeartifact.amazonaws.com"
LONGEST = 2048
"""Characters of an address and of a user agent that a record shows."""
_SECRET = ("token", "secret", "password", "signature", "accesskey", "identitytoken")
_SHOWN = frozenset({"nexttoken", "tags", "accesskeyid"})
_RENAMED = {
    "domain": "domainName",
    "repository": "repositoryName",
    "package": "packageName",
    "format": "packageFormat",
    "namespace": "packageNamespace",
}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a request was about.

    `source` is the service, `name` the action.  `parameters` are the operation's own; secrets in them are hidden here.
    `accounts` are those concerned beside the caller's.  `response` is what a writing operation gave back.
    """

    name: str
    caller: Caller | None
    parameters: Mapping[str, object]
    read_only: bool
    source: str = SOURCE
    access_key: str = ""
    accounts: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    response: Mapping[str, object] | None = None
    error: str = ""
    message: str = ""
    client: bool = False
    """A package manager's request: its method and address are shown too."""


class AuditTrail:
    """Makes records and hands them on.  `add` must not wait."""

    def __init__(self, region: str, add: Callable[[Record], None]) -> None:
        self._region = region
        self._add = add

    def records(self, scope: Scope, trip: Exchange, subject: Subject) -> list[Record]:
        return records(scope, trip, subject, self._region)

    def keep(self, complete: list[Record]) -> None:
        for record in complete:
            self._add(record)


def records(scope: Scope, trip: Exchange, subject: Subject, region: str) -> list[Record]:
    """One for each account concerned, without what `finished` adds."""
    caller = subject.caller
    agent = next((value for name, value in scope["headers"] if name == b"user-agent"), b"")
    record: Record = {
        "eventVersion": VERSION,
        "userIdentity": _identity(caller, subject.access_key),
        "eventSource": subject.source,
        "eventName": subject.name,
        "awsRegion": region,
        "sourceIPAddress": scope["client"][0] if scope.get("client") else "",
        "userAgent": agent.decode("latin-1")[:LONGEST],
        "requestParameters": _shown(subject.parameters) or None,
        "responseElements": _shown(subject.response) if subject.response else None,
        "readOnly": subject.read_only,
        "eventType": "AwsApiCall",
        "managementEvent": not subject.client,
        "eventCategory": "Data" if subject.client else "Management",
    }
    if subject.resources:
        record["resources"] = [{"ARN": arn} for arn in subject.resources]
    if subject.client:
        path = masked(scope["raw_path"].decode("latin-1"))[:LONGEST]
        record["additionalEventData"] = {"httpMethod": trip.method, "requestUri": path}
    if subject.error:
        record["errorCode"] = subject.error
        record["errorMessage"] = subject.message[:LONGEST]
    accounts = dict.fromkeys([caller.account] if caller is not None else [])
    accounts |= dict.fromkeys(subject.accounts)
    return [{**record, "recipientAccountId": account} for account in accounts] or [record]


def finished(made: list[Record], *, moment: int, request: str) -> list[Record]:
    """The records of one request, complete; `moment` in milliseconds."""
    time = datetime.fromtimestamp(moment // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    shared = {"sharedEventID": str(uuid.uuid4())} if len(made) > 1 else {}
    return [
        {**record, "eventTime": time, "requestID": request, "eventID": str(uuid.uuid4()), **shared} for record in made
    ]


def _identity(caller: Caller | None, access_key: str) -> Record:
    if caller is None or caller.anonymous:
        return {"type": "Unknown"}
    identity: Record = {
        "type": "IAMUser",
        "principalId": caller.user_id,
        "arn": caller.arn,
        "accountId": caller.account,
        "userName": caller.name,
    }
    if access_key:
        identity["accessKeyId"] = access_key
    if ":assumed-role/" in caller.arn:
        issuer = {
            "type": "Role",
            "principalId": caller.principal_id,
            "arn": f"arn:aws:iam::{caller.account}:role/{caller.name}",
            "accountId": caller.account,
            "userName": caller.name,
        }
        attributes = {"mfaAuthenticated": "false"}
        if caller.issued:
            began = datetime.fromtimestamp(caller.issued // 1000, UTC)
            attributes["creationDate"] = began.strftime("%Y-%m-%dT%H:%M:%SZ")
        del identity["userName"]
        identity |= {"type": "AssumedRole", "sessionContext": {"attributes": attributes, "sessionIssuer": issuer}}
    elif caller.arn.endswith(":root"):
        del identity["userName"]
        identity["type"] = "Root"
    return identity


def _shown(value: Mapping[str, object]) -> Record:
    """Parameters as they may be shown, under the names that the guide's records have."""
    return {_RENAMED.get(name, name): _safe(name, each) for name, each in value.items() if name != "assetContent"}


def _safe(name: str, value: object) -> object:
    lowered = name.lower()
    if lowered not in _SHOWN and any(word in lowered for word in _SECRET):
        return HIDDEN if isinstance(value, (str, bytes)) else _inside(value)
    return _inside(value)


def _inside(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(name): _safe(str(name), each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_inside(each) for each in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return None
