"""The one decision: may this caller do that to this resource, now?

    await require(tx, arns=arns, caller=caller, action="ReadFromRepository",
                  resource=arns.repository(repo), domain=domain, repository=repo, context=context)

Returns None, or raises AccessDenied, or ResourceNotFound where another account's domain is hidden from the caller.
Call it in the unit of work that acts, with the domain's row as that unit of work has read it.  Must know nothing of
HTTP and of formats.

Sources: guide, "Interaction between repository and domain policies" and "Domain policies"; RULINGS 1.3 and 5.

- Identity documents and the resource policies that count are read together; a deny in any of them wins.
- In the domain's own account an allow in either kind is enough; the account that administers a repository needs no
  resource policy for it; anybody else needs an allow in both kinds.
- A permissions boundary and the policies of a session narrow what identity policies allow.
- The domain's policy counts for everything within the domain, a repository's for what is about that repository.
  The Put operations ignore the policy that they set, so that nobody locks himself out.
- Actions of other services (sts:GetServiceBearerToken) are decided by identity documents alone.

What was read is kept by what it was read from: the user, the revision of all identities and the domain's topology.
A decision of which nothing has changed costs one point read (the revision), and one more for the resource's tags if
any document asks for them.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Generic, Literal, TypeVar

from registry.core.arns import Arns
from registry.core.conditions import Context
from registry.core.errors import AccessDenied, InternalServer, RegistryError, ResourceNotFound, Validation
from registry.core.iam import Principal
from registry.core.policy import Document, Kind, Named, Only, Request, evaluate, parse
from registry.core.ports import Tx
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

# The document was limited when it was put; what is stored is never refused for its size.
_UNLIMITED = 1 << 30
# A decision that depends on these is made anew each time.
_MOVING = {"aws:currenttime", "aws:epochtime"}
_TAG = "aws:resourcetag/"
_PRINCIPAL_TAG = "aws:principaltag/"
# Characters of a resource and of what a request says of itself; a decision about more is not remembered.
_LONGEST = 2048
# The service model has no ResourceNotFound for these; they say AccessDenied whether the domain is there or not.
_SPEECHLESS = {"codeartifact:createdomain", "codeartifact:deletedomain"}


@dataclass(frozen=True, slots=True)
class _Rules:
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


async def require(
    tx: Tx,
    *,
    arns: Arns,
    caller: Caller,
    action: str,
    resource: str,
    domain: Domain | None = None,
    repository: RepoKey | None = None,
    context: Mapping[str, str] = {},
    tags: Mapping[str, str] | None = None,
) -> None:
    """Allow, or raise AccessDenied (or ResourceNotFound, for another account's domain that hides).

    `action` is an operation name ("ReadFromRepository"), or has its service prefix ("sts:GetServiceBearerToken").
    `resource` is the ARN that the action is about; `domain` and `repository` say whose policies count.  Give None for
    a domain that does not exist, so that the answer is the same as for one that hides.
    `context` holds condition keys of the request ("aws:SourceIp", "aws:RequestTag/KEY"); those of the caller
    and the resource's tags are added here.  "aws:TagKeys" joins its values by newlines.
    `tags` are the resource's, where they are not kept with those of domains and repositories.
    """
    full = action if ":" in action else f"codeartifact:{action}"
    ask = _Ask(arns, caller, full, resource, domain, repository, context, tags)
    outcome = await _outcome(tx, ask)
    if outcome != "allow":
        raise _refusal(outcome, ask)


@dataclass(frozen=True, slots=True)
class _Ask:
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
        return self.ours and _account(self.resource) not in ("", "*", self.caller.account)


async def _outcome(tx: Tx, ask: _Ask) -> Outcome:
    caller, domain = ask.caller, ask.domain
    if caller.token_domain is not None and (domain is None or domain.id != caller.token_domain):
        return "hidden" if ask.foreign else "other token"
    revision = await tx.identity.revision()
    place = (domain.id, domain.topology, ask.repository) if domain is not None else None
    basis = (caller.user_id, caller.arn, caller.session_id, revision, place, ask.arns)
    rules = _rules.get(basis)
    if rules is None:
        rules = await _read(tx, ask)
        _keep(tx, _rules, basis, rules)
    given: dict[str, tuple[str, ...]] | None = None
    if rules.keys:
        given = await _given(tx, ask, rules)
        if not _MOVING.isdisjoint(rules.keys):
            return _decide(rules, ask, given)
    # Without conditions nothing of the request matters but what is asked for.
    values = tuple([given.get(key) for key in rules.keys]) if given is not None else ()
    question = (basis, ask.action, ask.resource, values)
    outcome = _outcomes.get(question)
    if outcome is None:
        outcome = _decide(rules, ask, given if given is not None else _context(ask, rules))
        if len(ask.resource) + sum(len(each) for value in values for each in value or ()) <= _LONGEST:
            _keep(tx, _outcomes, question, outcome)
    return outcome


async def _given(tx: Tx, ask: _Ask, rules: _Rules) -> dict[str, tuple[str, ...]]:
    """The context of a request whose decision asks for one."""
    given = _context(ask, rules)
    if any(key.startswith(_TAG) for key in rules.keys):
        tags = ask.tags if ask.tags is not None else await tx.policies.resource_tags(ask.resource)
        for name, value in tags.items():
            key = _TAG + name.lower()
            given[key] = (*given.get(key, ()), value)
    if not _MOVING.isdisjoint(rules.keys):
        _add_time(given)
    return given


async def rules_of(tx: Tx, caller: Caller) -> _Rules:
    """What counts for a caller wherever it asks: own documents, boundary, session."""
    identity: tuple[Document, ...] = ()
    limits: list[tuple[Document, ...]] = []
    principal: dict[str, str] = {}
    names = direct = frozenset({caller.arn, caller.user_id})
    found = await tx.principals.get(caller.principal_id) if not caller.anonymous else None
    if found is not None and (found.account, found.name) != (caller.account, caller.name):
        found = None
    grants = await tx.principals.grants(found.id) if found is not None else None
    if found is not None and grants is not None:
        identity = tuple(_parsed(text, "identity") for text in grants.documents)
        if grants.boundary is not None:
            limits.append((_parsed(grants.boundary, "identity") if grants.boundary else Document((), frozenset()),))
        if caller.policies or caller.policy_arns:
            limits.append(await _session_documents(tx, caller))
        names |= {found.arn, found.id}
        principal = {
            "aws:principalarn": found.arn,
            **{_PRINCIPAL_TAG + name.lower(): value for name, value in grants.tags.items()},
        }
    documents = (*identity, *(each for limit in limits for each in limit))
    keys = set[str]().union(*(d.keys for d in documents))
    here = found is not None or caller.anonymous
    return _Rules(here, identity, tuple(limits), None, None, None, tuple(sorted(keys)), names, direct, principal)


async def _session_documents(tx: Tx, caller: Caller) -> tuple[Document, ...]:
    """A managed policy that is gone allows nothing; nor may a deny of it be passed over, so there is none to deny."""
    texts = list(caller.policies)
    for arn in caller.policy_arns:
        policy = await tx.managed.get(arn)
        version = await tx.managed.version(arn, policy.current) if policy is not None else None
        if version is None:
            return (Document((), frozenset()),)
        texts.append(version.document)
    return tuple(_parsed(text, "identity") for text in texts)


async def _read(tx: Tx, ask: _Ask) -> _Rules:
    domain, repository = ask.domain, ask.repository
    rules = await rules_of(tx, ask.caller)
    if domain is None:
        return rules
    of_domain = await _attached(tx, ask.arns.domain(domain.key))
    of_repository = administrator = None
    if repository is not None:
        of_repository = await _attached(tx, ask.arns.repository(repository))
        row = await tx.repositories.get(domain.id, repository.name)
        administrator = row.administrator if row is not None else None
    keys = set(rules.keys).union(*(d.keys for d in (of_domain, of_repository) if d is not None))
    return replace(
        rules, domain=of_domain, repository=of_repository, administrator=administrator, keys=tuple(sorted(keys))
    )


async def _attached(tx: Tx, arn: str) -> Document | None:
    stored = await tx.policies.get(arn)
    return _parsed(stored.document, "resource", stored.bound) if stored is not None else None


def _parsed(text: str, kind: Kind, bound: Mapping[str, str] = {}) -> Document:
    key = (kind, text, tuple(sorted(bound.items())))
    found = _documents.get(key)
    if found is None:
        try:
            found = parse(text, kind, limit=_UNLIMITED, bound=bound)
        except Validation as reason:
            # It may have held a deny, so nothing can be allowed without it.
            raise InternalServer("A stored policy cannot be read") from reason
        _documents.put(key, found)
    return found


def _decide(rules: _Rules, ask: _Ask, given: Context) -> Outcome:
    caller, domain = ask.caller, ask.domain
    request = _request(rules, ask, given)
    if caller.anonymous:
        return _open_to_all(rules, ask, request)
    own = domain is None or domain.key.owner == caller.account or not ask.ours
    administers = rules.administrator == caller.account
    # Resource policies may grant by themselves, so a user who is gone must not get that far.
    outcome: Outcome = "no identity allow"
    if rules.here:
        outcome = _weigh(rules, _counted(rules, ask), request, own=own, administers=administers)
    if not ask.foreign or (domain is not None and outcome == "allow"):
        return outcome
    known = domain is not None and (
        administers or any(d.introduces(request) for d in (rules.domain, rules.repository) if d is not None)
    )
    return outcome if known else "hidden"


def _request(rules: _Rules, ask: _Ask, given: Context) -> Request:
    return Request(
        principal=ask.caller.arn,
        account=ask.caller.account,
        action=ask.action,
        resource=ask.resource,
        context=given,
        names=rules.names,
    )


def _open_to_all(rules: _Rules, ask: _Ask, request: Request) -> Outcome:
    """Nobody known asks: reading only, where the repository's own policy names everybody and nothing denies."""
    if ask.action.lower() != "codeartifact:readfromrepository" or rules.repository is None:
        return "no resource allow"
    if evaluate(_counted(rules, ask), request) == "deny":
        return "resource deny"
    return "allow" if evaluate((rules.repository,), request) == "allow" else "no resource allow"


def _counted(rules: _Rules, ask: _Ask) -> list[Document]:
    """The resource policies that count for this action."""
    name = ask.action.lower()
    if not ask.ours or name == "codeartifact:putdomainpermissionspolicy":
        return []
    own = None if name == "codeartifact:putrepositorypermissionspolicy" else rules.repository
    return [d for d in (rules.domain, own) if d is not None]


def _weigh(rules: _Rules, documents: list[Document], request: Request, *, own: bool, administers: bool) -> Outcome:
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
    if attached == "allow" and evaluate(documents, _named(request, rules.direct)) == "allow":
        return "allow"
    return "no limit allow" if "allow" in (identity, attached) else "no identity allow"


def _named(request: Request, names: frozenset[str]) -> Named:
    """The same, by somebody whom only these names mean."""
    return Named(request.principal, request.account, request.action, request.resource, request.context, names)


# --- taking on a role --------------------------------------------------------------------------------------------


async def require_assume(
    tx: Tx, *, arns: Arns, caller: Caller, role: Principal, action: str, context: Mapping[str, str]
) -> None:
    """Allow `caller` to take on the role (sts:AssumeRole, sts:TagSession, ...), or raise AccessDenied.

    IAM User Guide, "Cross-account policy evaluation logic" and "IAM role trust policies": the trust policy must allow
    it; the caller's own policies too, but for a caller of the role's account whom the trust policy names.
    """
    ask = _Ask(arns, caller, action, role.arn, None, None, context, await tx.principals.tags(role.id))
    trust = _parsed(role.trust, "trust", role.bound)
    rules = await rules_of(tx, caller)
    rules = replace(rules, keys=tuple(sorted({*rules.keys, *trust.keys})))
    request = _request(rules, ask, await _given(tx, ask, rules))
    if caller.account != role.account:
        outcome = _weigh(rules, [trust], request, own=False, administers=False) if rules.here else "no identity allow"
    else:
        outcome = _within_account(rules, trust, request)
    if outcome != "allow":
        raise _refusal(outcome, ask)


def _within_account(rules: _Rules, trust: Document, request: Request) -> Outcome:
    """The trust policy must allow it; where it does by naming the account alone, the caller's own policies must too."""
    attached = evaluate((trust,), request)
    if attached == "deny":
        return "resource deny"
    if attached != "allow" or not rules.here:
        return "no resource allow"
    named = evaluate((trust,), _named(request, rules.names | {"*"})) == "allow"
    return _weigh(rules, [trust] if named else [], request, own=True, administers=False)


async def require_federated(
    tx: Tx, *, arns: Arns, role: Principal, provider: str, action: str, context: Mapping[str, str]
) -> None:
    """Allow whoever an identity provider (its ARN) speaks for to take on the role, or raise AccessDenied."""
    trust = _parsed(role.trust, "trust", role.bound)
    given = {name.lower(): tuple(value.split("\n")) for name, value in context.items()}
    for name, value in (await tx.principals.tags(role.id)).items():
        given[_TAG + name.lower()] = (value,)
    given["aws:requestedregion"] = (arns.region,)
    given["aws:federatedprovider"] = (provider,)
    _add_time(given)
    asked = Only(provider, "", action, role.arn, given, frozenset({f"other:{provider}"}))
    if evaluate((trust,), asked) != "allow":
        raise AccessDenied(f"Not authorized to perform {action}")


def _account(arn: str) -> str:
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 else ""


# --- the context of a request ------------------------------------------------------------------------------------


def _context(ask: _Ask, rules: _Rules) -> dict[str, tuple[str, ...]]:
    """Condition keys in lower case.  What a request says of its caller or of the resource's tags cannot replace
    what we know of them.  Tags whose names differ by case only are one key with several values."""
    caller = ask.caller
    given: dict[str, tuple[str, ...]] = {}
    for name, value in ask.context.items():
        key = name.lower()
        if key in ("aws:tagkeys", "sts:transitivetagkeys"):
            given[key] = tuple(value.split("\n")) if value else ()
        elif not key.startswith((_TAG, "aws:principal")):
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
    if owner := _account(ask.resource):
        known["aws:resourceaccount"] = owner
        if ask.arns.organization:
            known["aws:resourceorgid"] = ask.arns.organization
    if ask.action == "sts:GetServiceBearerToken":
        known["sts:awsservicename"] = "codeartifact.amazonaws.com"
    return given | {key: (value,) for key, value in known.items()}


def _add_time(given: dict[str, tuple[str, ...]]) -> None:
    now = time.time()
    given.setdefault("aws:epochtime", (str(int(now)),))
    given.setdefault("aws:currenttime", (datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),))


# --- refusals ----------------------------------------------------------------------------------------------------


def _refusal(outcome: Outcome, ask: _Ask) -> RegistryError:
    if outcome == "hidden" and ask.action.lower() not in _SPEECHLESS:
        return not_found(ask.resource)
    reason = {
        "hidden": f"because no resource-based policy allows the {ask.action} action",
        "identity deny": "with an explicit deny in an identity-based policy",
        "limit deny": f"with an explicit deny in a {_limit(ask)}",
        "resource deny": "with an explicit deny in a resource-based policy",
        "no identity allow": f"because no identity-based policy allows the {ask.action} action",
        "no limit allow": f"because no {_limit(ask)} allows the {ask.action} action",
        "no resource allow": f"because no resource-based policy allows the {ask.action} action",
        "other token": "because the authorization token is for another domain",
    }[outcome]
    return AccessDenied(
        f"User: {ask.caller.arn} is not authorized to perform: {ask.action} on resource: {ask.resource} {reason}"
    )


def _limit(ask: _Ask) -> str:
    return "session policy" if ask.caller.policies or ask.caller.policy_arns else "permissions boundary"


def not_found(resource: str) -> ResourceNotFound:
    """What is said of a domain that is not there, or must seem so; `resource` is any ARN within it."""
    owner = _account(resource)
    name = [*resource.split(":", 5)[5].split("/"), ""][1]
    return ResourceNotFound(
        f"Domain not found. Domain: '{name}', owner: '{owner}'", resource_id=name, resource_type="domain"
    )


# --- what is kept ------------------------------------------------------------------------------------------------

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Kept(Generic[K, V]):
    """A bounded map that forgets what was not asked for lately: two generations, of which the older one goes.

    Units of work run in several threads: each step is one dictionary operation, and losing an entry is harmless.
    """

    def __init__(self, size: int) -> None:
        self._half = size // 2
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        value = self._young.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[key] = value


def _keep(tx: Tx, kept: _Kept[Hashable, V], key: Hashable, value: V) -> None:
    """Counters of what is never committed are given out again, so only what is committed is kept under them."""
    if not tx.writes:
        kept.put(key, value)


_documents: _Kept[Hashable, Document] = _Kept(1024)
_rules: _Kept[Hashable, _Rules] = _Kept(4096)
_outcomes: _Kept[Hashable, Outcome] = _Kept(16384)
