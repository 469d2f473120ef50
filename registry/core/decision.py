"""The decision itself, pure: what counts for a caller, what is asked, and how the policies are weighed.

Sources: guide, "Interaction between repository and domain policies"; IAM User Guide, "Policy evaluation logic".
`registry.core.authorize` reads what is needed here, and keeps it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from registry.core.arns import Arns
from registry.core.conditions import Context
from registry.core.policy import Document, Named, Request, evaluate
from registry.core.types import Caller, Domain, RepoKey

Outcome = Literal[
    "allow",
    "identity deny",
    "limit deny",
    "resource deny",
    "no identity allow",
    "no limit allow",
    "no resource allow",
    "other token",
    "hidden",
]

TAG = "aws:resourcetag/"
PRINCIPAL_TAG = "aws:principaltag/"
# A decision that depends on these is made anew each time.
MOVING = {"aws:currenttime", "aws:epochtime"}


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything that decides for one caller about one domain (and repository).

    `here`: the user or role still exists.  `limits`: the permissions boundary and the session's policies; each must
    allow what the caller's own documents allow.  `names` and `direct`: see `_Names`.
    """

    here: bool
    identity: tuple[Document, ...]
    limits: tuple[tuple[Document, ...], ...]
    domain: Document | None
    repository: Document | None
    administrator: str | None
    keys: tuple[str, ...]
    names: frozenset[str]
    direct: frozenset[str]
    principal: Mapping[str, str]
    """Condition keys that tell of the principal as it is stored."""


@dataclass(frozen=True, slots=True)
class Ask:
    arns: Arns
    caller: Caller
    action: str
    resource: str
    domain: Domain | None
    repository: RepoKey | None
    context: Mapping[str, str]
    tags: Mapping[str, str] | None = None

    @property
    def ours(self) -> bool:
        """Is it an action of this service, on which resource policies have a say?"""
        return self.action[:13].lower() == "codeartifact:"

    @property
    def foreign(self) -> bool:
        """Is it about a resource of ours in another account?"""
        return self.ours and account_of(self.resource) not in ("", "*", self.caller.account)


def decide(rules: Rules, ask: Ask, given: Context) -> Outcome:
    caller, domain = ask.caller, ask.domain
    request = request_of(rules, ask, given)
    if caller.anonymous:
        return _open_to_all(rules, ask, request)
    own = domain is None or domain.key.owner == caller.account or not ask.ours
    administers = rules.administrator == caller.account
    # Resource policies may grant by themselves, so a user who is gone must not get that far.
    outcome: Outcome = "no identity allow"
    if rules.here:
        outcome = weigh(rules, _counted(rules, ask), request, own=own, administers=administers)
    if not ask.foreign or (domain is not None and outcome == "allow"):
        return outcome
    known = domain is not None and (
        administers or any(d.introduces(request) for d in (rules.domain, rules.repository) if d is not None)
    )
    return outcome if known else "hidden"


def request_of(rules: Rules, ask: Ask, given: Context) -> Request:
    return Request(
        principal=ask.caller.arn,
        account=ask.caller.account,
        action=ask.action,
        resource=ask.resource,
        context=given,
        names=rules.names,
    )


def _open_to_all(rules: Rules, ask: Ask, request: Request) -> Outcome:
    """Nobody known asks: reading only, where the repository's own policy names everybody and nothing denies."""
    if ask.action.lower() != "codeartifact:readfromrepository" or rules.repository is None:
        return "no resource allow"
    if evaluate(_counted(rules, ask), request) == "deny":
        return "resource deny"
    return "allow" if evaluate((rules.repository,), request) == "allow" else "no resource allow"


def _counted(rules: Rules, ask: Ask) -> list[Document]:
    """The resource policies that count for this action."""
    name = ask.action.lower()
    if not ask.ours or name == "codeartifact:putdomainpermissionspolicy":
        return []
    own = None if name == "codeartifact:putrepositorypermissionspolicy" else rules.repository
    return [d for d in (rules.domain, own) if d is not None]


def weigh(rules: Rules, documents: list[Document], request: Request, *, own: bool, administers: bool) -> Outcome:
    """IAM User Guide, "Policy evaluation logic": a deny anywhere wins; a boundary and a session's policies narrow what
    identity policies allow, and what resource policies allow to the role or the account, but not what they allow to
    the user or the session by name."""
    identity, attached = evaluate(rules.identity, request), evaluate(documents, request)
    limits = [evaluate(limit, request) for limit in rules.limits]
    if identity == "deny":
        return "identity deny"
    if "deny" in limits:
        return "limit deny"
    if attached == "deny":
        return "resource deny"
    within = all(limit == "allow" for limit in limits)
    if not own:
        if identity != "allow":
            return "no identity allow"
        if not within:
            return "no limit allow"
        return "allow" if administers or attached == "allow" else "no resource allow"
    if within:
        return "allow" if "allow" in (identity, attached) else "no identity allow"
    if attached == "allow" and evaluate(documents, named_only(request, rules.direct)) == "allow":
        return "allow"
    return "no limit allow" if "allow" in (identity, attached) else "no identity allow"


def named_only(request: Request, names: frozenset[str]) -> Named:
    """The same, by somebody whom only these names mean."""
    return Named(request.principal, request.account, request.action, request.resource, request.context, names)


def account_of(arn: str) -> str:
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 else ""


# --- the context of a request ------------------------------------------------------------------------------------


def context_of(ask: Ask, rules: Rules) -> dict[str, tuple[str, ...]]:
    """Condition keys in lower case.  What a request says of its caller or of the resource's tags cannot replace
    what we know of them.  Tags whose names differ by case only are one key with several values."""
    caller = ask.caller
    given: dict[str, tuple[str, ...]] = {}
    for name, value in ask.context.items():
        key = name.lower()
        if key in ("aws:tagkeys", "sts:transitivetagkeys"):
            given[key] = tuple(value.split("\n")) if value else ()
        elif not key.startswith((TAG, "aws:principal")):
            given[key] = (*given.get(key, ()), value)
    known = {
        "aws:userid": caller.user_id,
        "aws:principalarn": caller.arn,
        "aws:principaltype": caller.kind,
        "aws:principalisawsservice": "false",
        "aws:viaawsservice": "false",
        "aws:requestedregion": ask.arns.region,
        **rules.principal,
        **{key.lower(): value for key, value in caller.session.items()},
    }
    if caller.anonymous:
        known = {key: known[key] for key in ("aws:principaltype", "aws:viaawsservice", "aws:requestedregion")}
    else:
        known["aws:principalaccount"] = caller.account
        if ask.arns.organization:
            known["aws:principalorgid"] = ask.arns.organization
    if caller.kind == "User":
        known["aws:username"] = caller.name
    if owner := account_of(ask.resource):
        known["aws:resourceaccount"] = owner
        if ask.arns.organization:
            known["aws:resourceorgid"] = ask.arns.organization
    if ask.action == "sts:GetServiceBearerToken":
        known["sts:awsservicename"] = "codeartifact.amazonaws.com"
    return given | {key: (value,) for key, value in known.items()}


def add_time(given: dict[str, tuple[str, ...]]) -> None:
    now = time.time()
    given.setdefault("aws:epochtime", (str(int(now)),))
    given.setdefault("aws:currenttime", (datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),))
