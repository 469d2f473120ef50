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

from collections.abc import Hashable, Mapping
from dataclasses import replace

from registry.core.arns import Arns
from registry.core.decision import MOVING, Ask, Outcome, Rules, context_of, decide
from registry.core.kept import Kept, keep
from registry.core.policy import Document
from registry.core.ports import Tx
from registry.core.refusals import not_found, refusal
from registry.core.rules import given_to, parsed, rules_of
from registry.core.types import Caller, Domain, RepoKey

__all__ = ["not_found", "require"]

# Characters of a resource and of what a request says of itself; a decision about more is not remembered.
_LONGEST = 2048


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
    ask = Ask(arns, caller, full, resource, domain, repository, context, tags)
    outcome = await _outcome(tx, ask)
    if outcome != "allow":
        raise refusal(outcome, ask)


async def _outcome(tx: Tx, ask: Ask) -> Outcome:
    caller, domain = ask.caller, ask.domain
    if caller.token_domain is not None and (domain is None or domain.id != caller.token_domain):
        return "hidden" if ask.foreign else "other token"
    revision = await tx.identity.revision()
    place = (domain.id, domain.topology, ask.repository) if domain is not None else None
    basis = (caller.user_id, caller.arn, caller.session_id, revision, place, ask.arns)
    rules = _rules.get(basis)
    if rules is None:
        rules = await _read(tx, ask)
        keep(tx, _rules, basis, rules)
    given: dict[str, tuple[str, ...]] | None = None
    if rules.keys:
        given = await given_to(tx, ask, rules)
        if not MOVING.isdisjoint(rules.keys):
            return decide(rules, ask, given)
    # Without conditions nothing of the request matters but what is asked for.
    values = tuple([given.get(key) for key in rules.keys]) if given is not None else ()
    question = (basis, ask.action, ask.resource, values)
    outcome = _outcomes.get(question)
    if outcome is None:
        outcome = decide(rules, ask, given if given is not None else context_of(ask, rules))
        if len(ask.resource) + sum(len(each) for value in values for each in value or ()) <= _LONGEST:
            keep(tx, _outcomes, question, outcome)
    return outcome


async def _read(tx: Tx, ask: Ask) -> Rules:
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
    return parsed(stored.document, "resource", stored.bound) if stored is not None else None


_rules: Kept[Hashable, Rules] = Kept(4096)
_outcomes: Kept[Hashable, Outcome] = Kept(16384)
