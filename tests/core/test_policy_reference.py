"""The evaluator against a slow and simple one, which reads the documents anew each time."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from registry.core.errors import Validation
from registry.core.globs import glob
from registry.core.policy import Request, evaluate, parse

Json = dict[str, Any]
Context = dict[str, list[str]]


# --- the reference --------------------------------------------------------------------------------------------------


def like(pattern: str, text: str) -> bool:
    """`*` and `?`, by trying everything."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return like(pattern[1:], text) or (bool(text) and like(pattern, text[1:]))
    return bool(text) and pattern[0] in ("?", text[0]) and like(pattern[1:], text[1:])


def filled(text: str, context: Context) -> str | None:
    """The only variable of these tests, with its stars made harmless; None when there is nothing to fill in."""
    variable = "${aws:username}"
    if variable not in text:
        return text
    values = context.get("aws:username", [])
    return text.replace(variable, values[0]) if len(values) == 1 else None


def resource_matches(statement: Json, name: str, resource: str, context: Context) -> list[bool | None]:
    found: list[bool | None] = []
    for pattern in statement[name]:
        text = filled(pattern, context)
        found.append(None if text is None else like(text, resource))
    return found


def condition_holds(operator: str, wanted: list[str], values: list[str], context: Context, *, allows: bool) -> bool:
    quantifier, _, base = operator.rpartition(":")
    if_exists = base.endswith("IfExists")
    base = base.removesuffix("IfExists")
    if base == "Null":
        return ("true" if not values else "false") in wanted
    negated = "Not" in base
    if not values:
        if if_exists or quantifier == "ForAllValues":
            return True
        return negated and quantifier == ""

    def equal(value: str, text: str) -> bool:
        want = filled(text, context)
        if want is None:
            return negated and allows
        if base in ("StringLike", "StringNotLike"):
            return like(want, value)
        if base.endswith("IgnoreCase"):
            return want.lower() == value.lower()
        return want == value

    outcomes = []
    for value in values:
        matches = [equal(value, text) for text in wanted]
        outcomes.append(not any(matches) if negated else any(matches))
    if quantifier == "ForAllValues":
        return all(outcomes)
    if quantifier == "ForAnyValue":
        return any(outcomes)
    return all(outcomes) if negated else any(outcomes)


def applies(statement: Json, asked: Request, context: Context) -> bool:
    allows = statement["Effect"] == "Allow"
    for name, keep in (("Principal", True), ("NotPrincipal", False)):
        if name in statement:
            entries = statement[name]["AWS"]
            named = "*" in entries or asked.account in entries or asked.principal in entries
            named = named or f"arn:aws:iam::{asked.account}:root" in entries
            if named is not keep:
                return False
    for name, keep in (("Action", True), ("NotAction", False)):
        if name in statement:
            named = any(like(pattern.lower(), asked.action.lower()) for pattern in statement[name])
            if named is not keep:
                return False
    if "Resource" in statement and True not in resource_matches(statement, "Resource", asked.resource, context):
        return False
    if "NotResource" in statement:
        found = resource_matches(statement, "NotResource", asked.resource, context)
        if True in found or (None in found and allows):
            return False
    for operator, block in statement.get("Condition", {}).items():
        for key, wanted in block.items():
            if not condition_holds(operator, wanted, context.get(key.lower(), []), context, allows=allows):
                return False
    return True


def reference(documents: list[Json], asked: Request, context: Context) -> str:
    effects = [s["Effect"] for d in documents for s in d["Statement"] if applies(s, asked, context)]
    return "deny" if "Deny" in effects else "allow" if "Allow" in effects else "none"


# --- made-up documents and requests ---------------------------------------------------------------------------------

ACCOUNTS = ["111122223333", "444455556666"]
USERS = [f"arn:aws:iam::{account}:user/{name}" for account in ACCOUNTS for name in ("bob", "eve")]
ACTIONS = ["codeartifact:ReadFromRepository", "codeartifact:ListPackages", "sts:GetServiceBearerToken"]
RESOURCES = ["arn:x:a/b", "arn:x:a/bob", "arn:x:b", "arn:x:*"]
NAMES = ["bob", "eve", "*", "BOB"]
KEYS = ["aws:username", "aws:TagKeys", "aws:ResourceTag/Team"]
OPERATORS = [
    quantifier + base + suffix
    for quantifier in ("", "ForAllValues:", "ForAnyValue:")
    for base in ("StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase")
    for suffix in ("", "IfExists")
]


def some(values: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True)


def either(name: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    return st.builds(lambda not_, v: {f"Not{name}" if not_ else name: v}, st.booleans(), values)


blocks = st.dictionaries(st.sampled_from(KEYS), some([*NAMES, "b*", "?o*", "${aws:username}", "x"]), max_size=2)
conditions = st.one_of(
    st.dictionaries(st.sampled_from(OPERATORS), blocks, max_size=2),
    st.dictionaries(st.just("Null"), st.dictionaries(st.sampled_from(KEYS), some(["true", "false"]), max_size=2)),
)
principals = st.builds(
    lambda entries: {"AWS": entries}, some([*USERS, *ACCOUNTS, f"arn:aws:iam::{ACCOUNTS[0]}:root", "*"])
)
actions = some([*ACTIONS, "codeartifact:*", "*", "CODEARTIFACT:read*", "codeartifact:*a*", "sts:?etServiceBearerToken"])
resources = some(["*", "arn:x:*", "arn:x:a/*", "arn:x:?", "arn:x:a/${aws:username}", "arn:x:*b", "arn:x:a/b"])


def statements(*, named: bool) -> st.SearchStrategy[Json]:
    return st.builds(
        lambda effect, who, action, resource, condition: {"Effect": effect, **who, **action, **resource, **condition},
        st.sampled_from(["Allow", "Allow", "Deny"]),
        either("Principal", principals) if named else st.just({}),
        either("Action", actions),
        either("Resource", resources),
        st.one_of(st.just({}), st.builds(lambda c: {"Condition": c}, conditions)),
    )


def documents(*, named: bool) -> st.SearchStrategy[Json]:
    return st.builds(
        lambda s: {"Version": "2012-10-17", "Statement": s}, st.lists(statements(named=named), min_size=1, max_size=3)
    )


contexts = st.dictionaries(st.sampled_from([key.lower() for key in KEYS]), some(NAMES), max_size=3)


@settings(max_examples=250, deadline=None)
@given(
    identity=st.lists(documents(named=False), max_size=2),
    attached=st.lists(documents(named=True), max_size=2),
    who=st.sampled_from(USERS),
    action=st.sampled_from(ACTIONS),
    resource=st.sampled_from(RESOURCES),
    context=contexts,
)
def test_the_evaluator_agrees_with_the_slow_one(
    identity: list[Json], attached: list[Json], who: str, action: str, resource: str, context: Context
) -> None:
    # The reference fills a name in before it looks for stars, so it is only asked about names without any.
    if "*" in context.get("aws:username", []):
        context["aws:username"] = ["bob"]
    asked = Request(who, who.split(":")[4], action, resource, {k: tuple(v) for k, v in context.items()})
    parsed = [parse(json.dumps(each), "identity") for each in identity]
    parsed += [parse(json.dumps(each), "resource") for each in attached]

    assert evaluate(parsed, asked) == reference(identity + attached, asked, context)


@given(pattern=st.text("ab*?.\\[", max_size=8), text=st.text("ab.\\[*\n", max_size=8))
def test_patterns_agree_with_the_slow_ones(pattern: str, text: str) -> None:
    assert glob(pattern).matches(text, lambda key: None) == like(pattern, text)


@given(text=st.text(max_size=300))
def test_any_text_is_a_document_or_a_refusal(text: str) -> None:
    for kind in ("identity", "resource"):
        try:
            parse(text, kind)  # type: ignore[arg-type]
        except Validation as refused:
            assert refused.message


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(
    ["Version", "Id", "Statement", "Sid", "Effect", "Action", "NotAction", "Resource", "Principal", "Condition"]
)


@given(
    base=documents(named=True),
    path=st.lists(names, min_size=1, max_size=2),
    value=anything,
    kind=st.sampled_from(["identity", "resource"]),
)
def test_a_document_with_anything_put_anywhere_is_taken_or_refused(
    base: Json, path: list[str], value: Any, kind: Any
) -> None:
    where = base if len(path) == 1 else base["Statement"][0]
    where[path[-1]] = value
    try:
        parse(json.dumps(base), kind)
    except Validation as refused:
        assert refused.message
