"""What counts for a caller wherever it asks, read from the store: own documents, boundary, session."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from registry.core.decision import MOVING, PRINCIPAL_TAG, TAG, Ask, Rules, add_time, context_of
from registry.core.errors import InternalServer, Validation
from registry.core.kept import Kept
from registry.core.policy import Document, Kind, parse
from registry.core.ports import Tx
from registry.core.types import Caller

# The document was limited when it was put; what is stored is never refused for its size.
_UNLIMITED = 1 << 30


async def rules_of(tx: Tx, caller: Caller) -> Rules:
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
        identity = tuple(parsed(text, "identity") for text in grants.documents)
        if grants.boundary is not None:
            limits.append((parsed(grants.boundary, "identity") if grants.boundary else Document((), frozenset()),))
        if caller.policies or caller.policy_arns:
            limits.append(await _session_documents(tx, caller))
        names |= {found.arn, found.id}
        principal = {
            "aws:principalarn": found.arn,
            **{PRINCIPAL_TAG + name.lower(): value for name, value in grants.tags.items()},
        }
    documents = (*identity, *(each for limit in limits for each in limit))
    keys = set[str]().union(*(d.keys for d in documents))
    here = found is not None or caller.anonymous
    return Rules(here, identity, tuple(limits), None, None, None, tuple(sorted(keys)), names, direct, principal)


async def _session_documents(tx: Tx, caller: Caller) -> tuple[Document, ...]:
    """A managed policy that is gone allows nothing; nor may a deny of it be passed over, so there is none to deny."""
    texts = list(caller.policies)
    for arn in caller.policy_arns:
        policy = await tx.managed.get(arn)
        version = await tx.managed.version(arn, policy.current) if policy is not None else None
        if version is None:
            return (Document((), frozenset()),)
        texts.append(version.document)
    return tuple(parsed(text, "identity") for text in texts)


async def given_to(tx: Tx, ask: Ask, rules: Rules) -> dict[str, tuple[str, ...]]:
    """The context of a request whose decision asks for one."""
    given = context_of(ask, rules)
    if any(key.startswith(TAG) for key in rules.keys):
        tags = ask.tags if ask.tags is not None else await tx.policies.resource_tags(ask.resource)
        for name, value in tags.items():
            key = TAG + name.lower()
            given[key] = (*given.get(key, ()), value)
    if not MOVING.isdisjoint(rules.keys):
        add_time(given)
    return given


def parsed(text: str, kind: Kind, bound: Mapping[str, str] = {}) -> Document:
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


_documents: Kept[Hashable, Document] = Kept(1024)
