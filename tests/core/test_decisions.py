"""The whole decision: identity policies, boundaries, sessions and resource policies weighed against each other.

The table says it case by case; below it a slow evaluator of the rules, read off the guide and IAM's reference, must
agree on policies made up at random.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.core.arns import Arns
from registry.core.decision import Ask, Rules, decide
from registry.core.policy import Document, evaluate, parse
from registry.core.types import Caller, Domain, DomainKey, RepoKey

OWNER, ADMINISTRATOR, STRANGER = "111122223333", "222233334444", "999988887777"
ARNS = Arns("us-west-2")
DOMAIN = Domain(1, DomainKey(OWNER, "dom"), 0, "", 1)
REPO = RepoKey(DOMAIN.key, "repo")

ACTIONS = {
    "Read": "ReadFromRepository",
    "Publish": "PublishPackageVersion",
    "PutDomain": "PutDomainPermissionsPolicy",
    "PutRepo": "PutRepositoryPermissionsPolicy",
    "GetRepo": "GetRepositoryPermissionsPolicy",
    "Bearer": "sts:GetServiceBearerToken",
}
ACCOUNTS = {"user": OWNER, "role": OWNER, "other": STRANGER, "otherrole": STRANGER, "admin": ADMINISTRATOR}


def arn(who: str) -> str:
    account = ACCOUNTS[who]
    return f"arn:aws:sts::{account}:assumed-role/{who}/s" if "role" in who else f"arn:aws:iam::{account}:user/{who}"


def caller(who: str) -> Caller:
    if who == "nobody":
        return Caller("anonymous", "anonymous", "anonymous", "anonymous", kind="Anonymous")
    name = who.removeprefix("gone ")
    kind: Any = "AssumedRole" if "role" in name else "User"
    unique = f"AROA{name.upper()}:s" if "role" in name else f"AIDA{name.upper()}"
    return Caller(ACCOUNTS[name], arn(name), unique, name, kind=kind)


def principal(code: str) -> Any:
    """`@NAME` names a user, or a role's session; `@role!` the role itself; `@id` its unique id; `@=` an account."""
    if code in ("", "*"):
        return "*"
    if code.startswith("="):
        return {"AWS": f"arn:aws:iam::{ACCOUNTS[code[1:]]}:root"}
    if code.startswith("#"):
        return {"AWS": ACCOUNTS[code[1:]]}
    if code.endswith("!"):
        return {"AWS": f"arn:aws:iam::{ACCOUNTS[code[:-1]]}:role/{code[:-1]}"}
    return {"AWS": arn(code)}


def statement(code: str, *, named: bool) -> dict[str, Any]:
    """`+ACTION@PRINCIPAL` allows, `-...` denies, `+~ACTION` every action but that one, `@~` everybody but that one."""
    what, _, who = code[1:].partition("@")
    exact = what.removeprefix("~")
    action = "*" if exact == "*" else ACTIONS.get(exact, exact)
    full = action if ":" in action or action == "*" else f"codeartifact:{action}"
    made = {"Effect": "Allow" if code[0] == "+" else "Deny", "Resource": "*"}
    made["NotAction" if what.startswith("~") else "Action"] = full
    if named:
        made["NotPrincipal" if who.startswith("~") else "Principal"] = principal(who.removeprefix("~"))
    return made


def document(text: str, *, named: bool) -> Document | None:
    """None for a dash; "0" has no statement that matches anything."""
    if text == "-":
        return None
    codes = ["+Nothing:x"] if text == "0" else text.split()
    body = {"Version": "2012-10-17", "Statement": [statement(code, named=named) for code in codes]}
    return parse(json.dumps(body), "resource" if named else "identity")


def decided(row: list[str], action: str = "Read") -> str:
    who, identity, boundary, session, of_domain, of_repository = row
    asks = caller(who)
    name = who.removeprefix("gone ")
    limits = [(limit,) for limit in (document(boundary, named=False), document(session, named=False)) if limit]
    own = document(identity, named=False)
    names = frozenset({asks.arn, asks.user_id, asks.principal_id})
    if "role" in name:
        names |= {f"arn:aws:iam::{asks.account}:role/{name}"}
    rules = Rules(
        here=not who.startswith("gone"),
        identity=(own,) if own is not None else (),
        limits=tuple(limits),
        domain=document(of_domain, named=True),
        repository=document(of_repository, named=True),
        administrator=None if action == "PutDomain" else ADMINISTRATOR,
        keys=(),
        names=names,
        direct=frozenset({asks.arn, asks.user_id}),
        principal={},
    )
    full = ACTIONS[action] if ":" in ACTIONS[action] else f"codeartifact:{ACTIONS[action]}"
    resource = (
        "*" if action == "Bearer" else ARNS.domain(DOMAIN.key) if action == "PutDomain" else ARNS.repository(REPO)
    )
    about = None if action == "Bearer" else DOMAIN
    ask = Ask(ARNS, asks, full, resource, about, REPO if "Domain" not in action else None, {})
    outcome = decide(rules, ask, {})
    return {"allow": "yes", "hidden": "hidden"}.get(outcome, "no")


TABLE = """
# who       | identity       | boundary | session | domain policy     | repository policy  | may read?
# --- nothing at all, and one side alone
user        | -              | -        | -       | -                 | -                  | no
user        | +Read          | -        | -       | -                 | -                  | yes
user        | +*             | -        | -       | -                 | -                  | yes
user        | +Publish       | -        | -       | -                 | -                  | no
user        | +~Publish      | -        | -       | -                 | -                  | yes
user        | +~Read         | -        | -       | -                 | -                  | no
user        | 0              | -        | -       | -                 | -                  | no
user        | -              | -        | -       | +Read@user        | -                  | yes
user        | -              | -        | -       | -                 | +Read@user         | yes
user        | -              | -        | -       | +Read@*           | -                  | yes
user        | -              | -        | -       | +Read@=user       | -                  | yes
user        | -              | -        | -       | +Read@#user       | -                  | yes
user        | -              | -        | -       | +Read@other       | -                  | no
user        | -              | -        | -       | +Read@=other      | -                  | no
user        | -              | -        | -       | +Read@~other      | -                  | yes
user        | -              | -        | -       | +Read@~user       | -                  | no
user        | -              | -        | -       | +Publish@user     | +Read@user         | yes
user        | -              | -        | -       | +Publish@user     | +GetRepo@user      | no
# --- a deny anywhere wins
user        | +* -Read       | -        | -       | -                 | -                  | no
user        | +* -Publish    | -        | -       | -                 | -                  | yes
user        | +*             | -        | -       | -Read@*           | -                  | no
user        | +*             | -        | -       | -                 | -Read@*            | no
user        | +*             | -        | -       | -Read@user        | +Read@user         | no
user        | +*             | -        | -       | -Read@other       | -                  | yes
user        | +*             | -        | -       | -Read@~other      | -                  | no
user        | +*             | -        | -       | -Read@~user       | -                  | yes
user        | +*             | -        | -       | -*@=user          | -                  | no
user        | -Read          | -        | -       | +Read@user        | +Read@*            | no
user        | +Read          | -        | -       | -~Read@*          | -                  | yes
user        | +Read          | -        | -       | -~Publish@*       | -                  | no
# --- a boundary narrows what identity policies give
user        | +*             | +Read    | -       | -                 | -                  | yes
user        | +*             | +Publish | -       | -                 | -                  | no
user        | +*             | 0        | -       | -                 | -                  | no
user        | -              | +*       | -       | -                 | -                  | no
user        | +Publish       | +Read    | -       | -                 | -                  | no
user        | +*             | +* -Read | -       | -                 | -                  | no
# --- and not what is given to the user by name, but for a deny
user        | -              | 0        | -       | +Read@user        | -                  | yes
user        | +*             | 0        | -       | -                 | +Read@user         | yes
user        | -              | 0        | -       | +Read@*           | -                  | no
user        | -              | 0        | -       | +Read@=user       | -                  | no
user        | -              | +Read    | -       | +Read@=user       | -                  | yes
user        | -              | -Read    | -       | +Read@user        | -                  | no
user        | +*             | -Read    | -       | +Read@user        | +Read@user         | no
# --- sessions of a role
role        | +Read          | -        | -       | -                 | -                  | yes
role        | +*             | -        | +Read   | -                 | -                  | yes
role        | +*             | -        | +Publish| -                 | -                  | no
role        | +*             | -        | 0       | -                 | -                  | no
role        | -              | -        | +*      | -                 | -                  | no
role        | +*             | +Read    | +Read   | -                 | -                  | yes
role        | +*             | +Read    | +Publish| -                 | -                  | no
role        | +*             | +Publish | +Read   | -                 | -                  | no
role        | +*             | -        | +* -Read| -                 | -                  | no
role        | -              | -        | -       | +Read@role        | -                  | yes
role        | -              | -        | -       | +Read@role!       | -                  | yes
role        | -              | -        | -       | +Read@=role       | -                  | yes
role        | -              | -        | 0       | +Read@role        | -                  | yes
role        | -              | 0        | 0       | -                 | +Read@role         | yes
role        | -              | -        | 0       | +Read@role!       | -                  | no
role        | -              | 0        | -       | +Read@role!       | -                  | no
role        | -              | +Read    | +Read   | +Read@role!       | -                  | yes
role        | -              | +Read    | +Read   | -                 | +Read@=role        | yes
role        | -              | -        | 0       | +Read@=role       | -                  | no
role        | -              | -        | -Read   | +Read@role        | -                  | no
role        | +*             | -        | -       | -Read@role        | -                  | no
role        | +*             | -        | -       | -Read@role!       | -                  | no
role        | +*             | -        | -       | -Read@user        | -                  | yes
role        | +*             | -        | -       | -Read@~role!      | -                  | yes
role        | +*             | -        | -       | -Read@~user       | -                  | no
# --- from another account both sides must allow
other       | +*             | -        | -       | -                 | -                  | hidden
other       | -              | -        | -       | +Read@other       | -                  | no
other       | +Read          | -        | -       | +Read@other       | -                  | yes
other       | +Read          | -        | -       | -                 | +Read@other        | yes
other       | +Read          | -        | -       | +Read@=other      | -                  | yes
other       | +Read          | -        | -       | +Read@#other      | -                  | yes
other       | +Read          | -        | -       | +Read@*           | -                  | yes
other       | +Read          | -        | -       | +Read@=user       | -                  | hidden
other       | +Read          | -        | -       | +Publish@other    | -                  | no
other       | +Read          | -        | -       | +Read@~user       | -                  | yes
other       | +Read          | -        | -       | +Read@~other      | -                  | hidden
other       | +Publish       | -        | -       | +Read@other       | -                  | no
other       | +* -Read       | -        | -       | +Read@other       | -                  | no
other       | +*             | -        | -       | +Read@other       | -Read@other        | no
other       | +*             | -        | -       | -Read@other       | +Read@other        | no
other       | +*             | -        | -       | +*@other -Read@*  | -                  | no
other       | +*             | 0        | -       | +Read@other       | -                  | no
other       | +*             | +Read    | -       | +Read@other       | -                  | yes
other       | +*             | -Read    | -       | +Read@other       | -                  | no
otherrole   | +Read          | -        | -       | +Read@otherrole   | -                  | yes
otherrole   | +Read          | -        | -       | +Read@otherrole!  | -                  | yes
otherrole   | +Read          | -        | -       | +Read@=otherrole  | -                  | yes
otherrole   | -              | -        | -       | +Read@otherrole   | -                  | no
otherrole   | +Read          | -        | 0       | +Read@otherrole   | -                  | no
otherrole   | +Read          | -        | +Read   | +Read@otherrole!  | -                  | yes
otherrole   | +Read          | 0        | +Read   | +Read@otherrole!  | -                  | no
# --- the account that administers the repository needs no resource policy, and cannot do with one alone
admin       | -              | -        | -       | -                 | -                  | no
admin       | +Read          | -        | -       | -                 | -                  | yes
admin       | -              | -        | -       | -                 | +Read@admin        | no
admin       | +Read          | -        | -       | -Read@admin       | -                  | no
admin       | +Read          | -        | -       | -                 | -Read@*            | no
admin       | +Read          | 0        | -       | -                 | +Read@admin        | no
# --- who is gone gets nothing
gone user   | +*             | -        | -       | +*@*              | +*@*               | no
gone role   | +*             | -        | -       | +*@role           | +*@*               | no
gone other  | +*             | -        | -       | +*@*              | +*@*               | no
# --- nobody known reads by the repository's policy alone, where it names everybody
nobody      | -              | -        | -       | -                 | +Read@*            | yes
nobody      | -              | -        | -       | -                 | +*@*               | yes
nobody      | -              | -        | -       | +Read@*           | -                  | no
nobody      | -              | -        | -       | -                 | +Read@=user        | no
nobody      | -              | -        | -       | -                 | +Publish@*         | no
nobody      | -              | -        | -       | -                 | +Read@~user        | yes
nobody      | -              | -        | -       | -Read@*           | +Read@*            | no
nobody      | -              | -        | -       | -                 | +Read@* -Read@~user | no
nobody      | -              | -        | -       | -                 | -                  | no
"""

OTHER_ACTIONS = """
# action     | who   | identity   | boundary | session | domain policy         | repository policy     | may?
# --- the policies that count for an operation
PutDomain    | user  | +*         | -        | -       | -*@*                  | -                     | yes
PutDomain    | user  | -          | -        | -       | +*@user               | -                     | no
PutDomain    | user  | +* -PutDomain | -     | -       | -                     | -                     | no
PutDomain    | user  | +*         | 0        | -       | -                     | -                     | no
PutRepo      | user  | +*         | -        | -       | -                     | -*@*                  | yes
PutRepo      | user  | +*         | -        | -       | -*@*                  | -                     | no
PutRepo      | user  | -          | -        | -       | -                     | +*@user               | no
PutRepo      | user  | -          | -        | -       | +PutRepo@user         | -                     | yes
PutRepo      | other | +*         | -        | -       | -                     | +PutRepo@other        | no
PutRepo      | other | +*         | -        | -       | +PutRepo@other        | -*@*                  | yes
GetRepo      | user  | +*         | -        | -       | -                     | -GetRepo@*            | no
GetRepo      | user  | -          | -        | -       | -                     | +GetRepo@user         | yes
Publish      | user  | +Publish   | -        | -       | -                     | -                     | yes
Publish      | nobody | -         | -        | -       | +*@*                  | +*@*                  | no
Publish      | admin | +Publish   | -        | -       | -                     | -                     | yes
# --- what another service decides knows identity policies only
Bearer       | user  | +Bearer    | -        | -       | -*@*                  | -*@*                  | yes
Bearer       | user  | -          | -        | -       | +Bearer@user          | +Bearer@*             | no
Bearer       | other | +Bearer    | -        | -       | -                     | -                     | yes
Bearer       | role  | +Bearer    | -        | +Read   | -                     | -                     | no
Bearer       | role  | +Bearer    | +Bearer  | +Bearer | -                     | -                     | yes
"""


def rows(table: str) -> list[list[str]]:
    lines = [line for line in table.splitlines() if line.strip() and not line.startswith("#")]
    return [[cell.strip() for cell in line.split("|")] for line in lines]


@pytest.mark.parametrize("row", rows(TABLE), ids=" ; ".join)
def test_who_may_read(row: list[str]) -> None:
    assert decided(row[:-1]) == row[-1]


@pytest.mark.parametrize("row", rows(OTHER_ACTIONS), ids=" ; ".join)
def test_other_operations(row: list[str]) -> None:
    assert decided(row[1:-1], row[0]) == row[-1]


# --- the rules once more, slowly ---------------------------------------------------------------------------------


def says(code: str, who: str, action: str, *, kinds: str, named: bool) -> str:
    """ "allow", "deny" or "" of one statement; `kinds` are the ways in which it may name who asks."""
    what, _, given = code[1:].partition("@")
    hit = what.removeprefix("~") in ("*", action)
    if hit == what.startswith("~"):
        return ""
    if named:
        ways = {"*": "a", f"={who}": "c", f"#{who}": "c", who: "n", f"{who}!": "r"}
        plain = given.removeprefix("~") or "*"
        account = {f"{sign}{name}": "c" for sign in "=#" for name in ACCOUNTS if ACCOUNTS[name] == ACCOUNTS.get(who)}
        way = {**account, **ways}.get(plain, "")
        meant = bool(way) and way in kinds
        if given.startswith("~"):
            meant = not way and "a" in kinds
        if not meant:
            return ""
    return "allow" if code[0] == "+" else "deny"


def all_of(text: str, who: str, action: str, *, kinds: str = "acnr", named: bool = True) -> str:
    said = {says(code, who, action, kinds=kinds, named=named) for code in text.split() if code not in ("-", "0")}
    return "deny" if "deny" in said else "allow" if "allow" in said else ""


def slowly(row: list[str], action: str) -> str:
    """Guide, "Interaction between repository and domain policies"; IAM, "Policy evaluation logic"."""
    who, identity, boundary, session, of_domain, of_repository = row
    own = all_of(identity, who, action, named=False)
    limits = [all_of(limit, who, action, named=False) for limit in (boundary, session) if limit != "-"]
    counted = []
    if action not in ("PutDomain", "Bearer"):
        counted.append(of_domain)
    if action not in ("PutDomain", "PutRepo", "Bearer"):
        counted.append(of_repository)
    attached = [all_of(text, who, action) for text in counted]
    if "deny" in (own, *limits, *attached):
        return "no"
    within, granted = all(limit == "allow" for limit in limits), "allow" in attached
    directly = any(all_of(text, who, action, kinds="n") == "allow" for text in counted)
    if ACCOUNTS[who] == OWNER or action == "Bearer":
        return "yes" if directly or (within and (own == "allow" or granted)) else "no"
    needs_none = ACCOUNTS[who] == ADMINISTRATOR and action != "PutDomain"
    return "yes" if own == "allow" and within and (granted or needs_none) else "no"


def codes(*, named: bool) -> st.SearchStrategy[str]:
    actions = st.sampled_from(["*", "Read", "Publish", "PutRepo", "~Read", "~PutRepo"])
    people = ["*", *ACCOUNTS, "role!", "otherrole!", *(f"={who}" for who in ACCOUNTS), "~user", "~role!", "~other"]
    who = st.sampled_from([f"@{each}" for each in people]) if named else st.just("")
    one = st.builds(lambda sign, action, name: f"{sign}{action}{name}", st.sampled_from("+++-"), actions, who)
    return st.one_of(st.just("-"), st.lists(one, min_size=1, max_size=3).map(" ".join))


@settings(max_examples=250, deadline=None)
@given(
    row=st.tuples(
        st.sampled_from(sorted(ACCOUNTS)),
        codes(named=False),
        codes(named=False),
        codes(named=False),
        codes(named=True),
        codes(named=True),
    ).map(list),
    action=st.sampled_from(["Read", "Publish", "PutRepo", "PutDomain", "Bearer"]),
)
def test_the_decision_agrees_with_the_slow_one(row: list[str], action: str) -> None:
    found = decided(row, action)

    assert ("no" if found == "hidden" else found) == slowly(row, action)


def test_a_bound_name_means_who_had_it_then() -> None:
    text = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [statement("+Read@user", named=True), statement("-Read@role!", named=True)],
        }
    )
    bound = {arn("user"): "AIDAOLD"}
    rules = parse(text, "resource", bound=bound)
    asked = {"principal": arn("user"), "account": OWNER, "action": "codeartifact:ReadFromRepository", "resource": "x"}
    from registry.core.policy import Request

    assert evaluate([rules], Request(**asked, context={}, names=frozenset({arn("user"), "AIDANEW"}))) == "none"
    assert evaluate([rules], Request(**asked, context={}, names=frozenset({arn("user"), "AIDAOLD"}))) == "allow"
