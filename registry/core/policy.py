"""Policy documents: parse, refuse with a reason, evaluate.  Pure.

Source: IAM User Guide, "IAM JSON policy element reference", and the guide's chapters "Repository policies",
"Domain policies" and "Identity and Access Management".  An identity document has no principal, as it belongs to
one; a resource document names its principals.  A resource document may name any resource: it only ever counts for
requests to the domain or repository that it is attached to (guide, "Grant write access to packages").
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from registry.core.conditions import Condition, Context, condition
from registry.core.errors import Validation
from registry.core.globs import Glob, Lookup, glob

Kind = Literal["identity", "resource", "trust"]
"""A trust document is a role's resource document: it names no resource, as it is about the role itself."""
Decision = Literal["allow", "deny", "none"]

POLICY_BYTES = 20_480


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be decided.  `context` has its keys in lower case.

    `names` are all by which a statement may name who asks, beside `principal`, `account` and "*": the unique id, of a
    session its role.
    """

    principal: str
    account: str
    action: str
    resource: str
    context: Context
    names: frozenset[str] = frozenset()

    def meant(self, principals: frozenset[str], *, negated: bool) -> bool:
        """Does one of these entries (`negated`: none of them) stand for who asks?"""
        strangers = principals.isdisjoint(("*", self.account, self.principal)) and principals.isdisjoint(self.names)
        return strangers == negated


@dataclass(frozen=True, slots=True)
class Only(Request):
    """A request by somebody who is known by `names` alone: not as one of the account, and not as one of all."""

    def meant(self, principals: frozenset[str], *, negated: bool) -> bool:
        return principals.isdisjoint(self.names) == negated


@dataclass(frozen=True, slots=True)
class Named(Request):
    """What is allowed by naming one of `names`; "everybody but" names nobody.  Says nothing of what is denied."""

    def meant(self, principals: frozenset[str], *, negated: bool) -> bool:
        return not negated and not principals.isdisjoint(self.names)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement.  `principals` is None in an identity document.

    A principal is "*", an account id (its root, that is everybody in it), or an ARN.
    """

    sid: str
    effect: Literal["Allow", "Deny"]
    principals: frozenset[str] | None
    not_principals: bool
    actions: tuple[Glob, ...]
    not_actions: bool
    resources: tuple[Glob, ...]
    not_resources: bool
    conditions: tuple[Condition, ...]

    def names(self, request: Request) -> bool:
        """Is the statement about who asks?"""
        return self.principals is None or request.meant(self.principals, negated=self.not_principals)

    def applies(self, request: Request, lookup: Lookup) -> bool:
        """A variable that stands for nothing must not widen a statement that allows, nor narrow one that denies:
        in a plain list its pattern matches nothing, in a list of exceptions everything or nothing by effect."""
        if not self.names(request):
            return False
        if any(action.matches(request.action, lookup) for action in self.actions) == self.not_actions:
            return False
        unresolved = self.effect == "Allow"
        blank = self.not_resources and unresolved
        outcomes = (resource.matches(request.resource, lookup) for resource in self.resources)
        if any(blank if outcome is None else outcome for outcome in outcomes) == self.not_resources:
            return False
        return all(each.holds(request.context, lookup, unresolved=unresolved) for each in self.conditions)


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed document.  `keys` are all condition keys (lower case) that its outcome may depend on."""

    statements: tuple[Statement, ...]
    keys: frozenset[str]

    def introduces(self, request: Request) -> bool:
        """Does any statement allow this principal anything at all, whatever is asked for now?"""
        lookup = _lookup(request)
        return any(
            s.effect == "Allow"
            and s.names(request)
            and all(each.holds(request.context, lookup, unresolved=True) for each in s.conditions)
            for s in self.statements
        )


def evaluate(documents: Iterable[Document], request: Request) -> Decision:
    """An explicit deny wins over every allow; without either, "none"."""
    lookup = _lookup(request)
    decision: Decision = "none"
    for document in documents:
        for statement in document.statements:
            if (decision == "none" or statement.effect == "Deny") and statement.applies(request, lookup):
                if statement.effect == "Deny":
                    return "deny"
                decision = "allow"
    return decision


def _lookup(request: Request) -> Lookup:
    def lookup(key: str) -> str | None:
        values = request.context.get(key, ())
        return values[0] if len(values) == 1 else None

    return lookup


# --- parsing -----------------------------------------------------------------------------------------------------


def parse(text: str, kind: Kind, *, limit: int = POLICY_BYTES, bound: Mapping[str, str] = {}) -> Document:
    """Raises Validation with the reason.  `bound`: ARNs of users and roles that stand for unique ids here."""
    if len(text.encode("utf-8", "surrogatepass")) > limit:
        raise _refused(f"The policy document is larger than {limit} bytes")
    document = _json(text)
    _only(document, {"Version", "Id", "Statement"}, "The policy document")
    version = document.get("Version", "2008-10-17")
    if version not in ("2008-10-17", "2012-10-17"):
        raise _refused(f"Version must be 2012-10-17 or 2008-10-17, not {version!r}")
    if "Id" in document and (kind == "identity" or not isinstance(document["Id"], str)):
        raise _refused("Id must be text, and only a resource policy may have one")
    statements = document.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise _refused("Statement must be an object, or a list of at least one")
    parsed = tuple(_statement(s, kind, variables=version == "2012-10-17") for s in statements)
    if bound:
        parsed = tuple(_bind(s, bound) for s in parsed)
    sids = [s.sid for s in parsed if s.sid]
    for sid in sids:
        if sids.count(sid) > 1:
            raise _refused(f"Statement IDs (SID) in a single policy must be unique: {sid!r}")
    return Document(parsed, frozenset(_keys(parsed)))


def _bind(statement: Statement, bound: Mapping[str, str]) -> Statement:
    if statement.principals is None:
        return statement
    return replace(statement, principals=frozenset(bound.get(each, each) for each in statement.principals))


def named(document: Document) -> frozenset[str]:
    """The ARNs of users and roles (not of their sessions) that a document names as principals."""
    found = (p for s in document.statements for p in s.principals or () if _BINDABLE.fullmatch(p))
    return frozenset(found)


def _keys(statements: Iterable[Statement]) -> Iterator[str]:
    for statement in statements:
        for resource in statement.resources:
            yield from resource.keys
        for each in statement.conditions:
            yield from each.keys


_ELEMENTS = {
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
}
_SID = re.compile(r"[A-Za-z0-9]*")
_ACTION = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+")
_RESOURCE = re.compile(r"\*|arn:[^:\s]+:.*", re.DOTALL)


def _statement(value: object, kind: Kind, *, variables: bool) -> Statement:
    if not isinstance(value, dict):
        raise _refused("Each statement must be an object")
    _only(value, _ELEMENTS, "A statement")
    sid = value.get("Sid", "")
    if not isinstance(sid, str) or not _SID.fullmatch(sid):
        raise _refused(f"Statement IDs (SID) must be letters and digits, not {sid!r}")
    effect = value.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise _refused(f"Effect must be Allow or Deny, not {effect!r}")
    principals, not_principals = _principals(value, kind)
    actions, not_actions = _texts(value, "Action", _ACTION, "an action must be * or SERVICE:NAME")
    resources, not_resources = ["*"], False
    if kind != "trust":
        resources, not_resources = _texts(value, "Resource", _RESOURCE, "a resource must be * or an ARN")
    elif "Resource" in value or "NotResource" in value:
        raise _refused("Has prohibited field Resource")
    return Statement(
        sid=sid,
        effect=effect,
        principals=principals,
        not_principals=not_principals,
        actions=tuple(glob(action, fold=True) for action in actions),
        not_actions=not_actions,
        resources=tuple(glob(resource, variables=variables) for resource in resources),
        not_resources=not_resources,
        conditions=tuple(_conditions(value.get("Condition", {}), variables=variables)),
    )


def _either(value: Mapping[str, Any], name: str) -> tuple[Any, bool]:
    """The element `name` or `Not`name: exactly one of them, and whether it is the latter."""
    if (name in value) == (f"Not{name}" in value):
        raise _refused(f"A statement must have exactly one of {name} and Not{name}")
    negated = name not in value
    return value[f"Not{name}" if negated else name], negated


def _texts(value: Mapping[str, Any], name: str, form: re.Pattern[str], rule: str) -> tuple[list[str], bool]:
    given, negated = _either(value, name)
    texts = given if isinstance(given, list) else [given]
    if not texts:
        raise _refused(f"{name} must not be empty")
    for text in texts:
        if not isinstance(text, str) or not form.fullmatch(text):
            raise _refused(f"Invalid {name} {text!r}: {rule}")
    return texts, negated


def _conditions(value: object, *, variables: bool) -> Iterator[Condition]:
    if not isinstance(value, dict):
        raise _refused("Condition must be an object")
    for operator, block in value.items():
        if not isinstance(block, dict):
            raise _refused(f"The condition {operator} must be an object of keys and values")
        for key, given in block.items():
            if ":" not in key.strip(":") or not key.isprintable():
                raise _refused(f"Conditions must be prefaced by a vendor, e.g., aws or sts, not {key!r}")
            values = given if isinstance(given, list) else [given]
            try:
                yield condition(operator, key, [_scalar(v) for v in values], variables=variables)
            except ValueError as reason:
                raise _refused(str(reason)) from None


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError(f"A condition's value must be text, a number or a truth value, not {value!r}")


# --- principals --------------------------------------------------------------------------------------------------

_ACCOUNT = re.compile(r"\d{12}")
_ROOT = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):root")
_BINDABLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:(?:user|role)/[!-~]+")
_UNIQUE = re.compile(r"A(?:IDA|ROA)[A-Z0-9]{12,124}")
_IDENTITY = re.compile(
    r"arn:aws[a-z-]*:(?:iam::\d{12}:(?:user|role)/[!-~]+|sts::\d{12}:(?:assumed-role/[^/\s*?]+|federated-user)/[!-~]+)"
)


def _aws(text: str) -> str:
    """The matched form of an entry under "AWS"."""
    if text == "*" or _ACCOUNT.fullmatch(text) or _UNIQUE.fullmatch(text):
        return text
    if root := _ROOT.fullmatch(text):
        return root[1]
    if _IDENTITY.fullmatch(text) and "*" not in text and "?" not in text:
        return text
    raise _refused(
        f"Invalid principal in policy: {text!r} must be *, an account id, or the ARN of a root, user or role"
    )


def _other(form: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        # Prefixed, so that a service or provider can never be taken for an account or a user.
        if not re.fullmatch(form, text):
            raise _refused(f"Invalid principal in policy: {text!r}")
        return f"other:{text}"

    return read


_TYPES: dict[str, Callable[[str], str]] = {
    "AWS": _aws,
    "Service": _other(r"[a-z0-9.-]+\.[a-z0-9.-]+"),
    "Federated": _other(r"[!-~]+"),
    "CanonicalUser": _other(r"[0-9a-f]{64}"),
}


def _principals(value: Mapping[str, Any], kind: Kind) -> tuple[frozenset[str] | None, bool]:
    if kind == "identity":
        if "Principal" in value or "NotPrincipal" in value:
            raise _refused("Policy document should not specify a principal.")
        return None, False
    given, negated = _either(value, "Principal")
    if given == "*":
        return frozenset("*"), negated
    if not isinstance(given, dict) or not given:
        raise _refused('Principal must be "*" or an object such as {"AWS": "arn:aws:iam::111122223333:root"}')
    found = set()
    for kind_of, entries in given.items():
        read = _TYPES.get(kind_of)
        if read is None:
            raise _refused(f"Invalid principal in policy: {kind_of!r} is none of {', '.join(_TYPES)}")
        listed = entries if isinstance(entries, list) else [entries]
        if not listed:
            raise _refused(f"Invalid principal in policy: {kind_of} must not be empty")
        for entry in listed:
            if not isinstance(entry, str):
                raise _refused(f"Invalid principal in policy: {entry!r}")
            found.add(read(entry))
    return frozenset(found), negated


# --- JSON --------------------------------------------------------------------------------------------------------


def _json(text: str) -> dict[str, Any]:
    """An object without a name given twice, of which another reader might take the other value."""
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except (ValueError, RecursionError) as reason:
        detail = f": {reason}" if isinstance(reason, ValueError) else ""
        raise Validation(f"The policy document is not valid JSON{detail}", reason="CANNOT_PARSE") from None
    if not isinstance(value, dict):
        raise _refused("The policy document must be a JSON object")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(n for n in names if names.count(n) > 1)!r} is given twice")
    return value


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def _only(value: Mapping[str, Any], allowed: set[str], what: str) -> None:
    for name in value:
        if name not in allowed:
            raise _refused(f"{what} has an unknown element {name!r}")


def _refused(reason: str) -> Validation:
    return Validation(reason)
