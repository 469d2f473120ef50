"""Decisions, one a line, and what a document is refused for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from registry.core.errors import Validation
from registry.core.policy import Request, evaluate, parse

ACCOUNT = "111122223333"
OTHER = "123456789012"
BOB = f"arn:aws:iam::{ACCOUNT}:user/bob"
REPO = f"arn:aws:codeartifact:us-west-2:{ACCOUNT}:repository/my_domain/my_repo"
PACKAGE = f"arn:aws:codeartifact:us-west-2:{ACCOUNT}:package/my_domain/my_repo/npm//react"

Json = dict[str, Any]


def document(*statements: Json, version: str = "2012-10-17") -> str:
    return json.dumps({"Version": version, "Statement": list(statements)})


def allow(**elements: Any) -> Json:
    return {"Effect": "Allow", "Action": "*", "Resource": "*", **elements}


def deny(**elements: Any) -> Json:
    return allow(**elements) | {"Effect": "Deny"}


def request(
    action: str = "codeartifact:ReadFromRepository",
    resource: str = REPO,
    principal: str = BOB,
    account: str = ACCOUNT,
    **context: str | list[str],
) -> Request:
    """Context keys are written with `__` for ":" and `_0` for "/", as Python's names have neither."""
    keys = {name.replace("__", ":").replace("_0", "/").lower(): value for name, value in context.items()}
    return Request(
        principal, account, action, resource, {k: (v,) if isinstance(v, str) else tuple(v) for k, v in keys.items()}
    )


def decide(asked: Request, *statements: Json, version: str = "2012-10-17") -> str:
    return evaluate([parse(document(*statements, version=version), "identity")], asked)


def when(operator: str, key: str, value: Any) -> Json:
    return allow(Condition={operator: {key: value}})


PLAIN = request()

ACTIONS_AND_RESOURCES: list[tuple[str, Request, list[Json], str]] = [
    ("nothing is said", PLAIN, [allow(Action="iam:*")], "none"),
    ("everything", PLAIN, [allow()], "allow"),
    ("a deny alone", PLAIN, [deny()], "deny"),
    ("deny after allow", PLAIN, [allow(), deny()], "deny"),
    ("deny before allow", PLAIN, [deny(), allow()], "deny"),
    ("deny of another action", PLAIN, [allow(), deny(Action="codeartifact:List*")], "allow"),
    ("deny of another resource", PLAIN, [allow(), deny(Resource=PACKAGE)], "allow"),
    ("the action", PLAIN, [allow(Action="codeartifact:ReadFromRepository")], "allow"),
    ("another action", PLAIN, [allow(Action="codeartifact:ListPackages")], "none"),
    ("one action of a list", PLAIN, [allow(Action=["iam:GetUser", "codeartifact:ReadFromRepository"])], "allow"),
    ("the action in other letters", PLAIN, [allow(Action="CodeArtifact:READFROMrepository")], "allow"),
    ("the service's actions", PLAIN, [allow(Action="codeartifact:*")], "allow"),
    ("another service's actions", PLAIN, [allow(Action="sts:*")], "none"),
    ("actions by prefix", PLAIN, [allow(Action="codeartifact:Read*")], "allow"),
    ("actions by suffix", PLAIN, [allow(Action="codeartifact:*Repository")], "allow"),
    ("actions by their middle", PLAIN, [allow(Action="codeartifact:*From*")], "allow"),
    ("a question mark is one letter", PLAIN, [allow(Action="codeartifact:?eadFromRepository")], "allow"),
    ("a question mark is not none", PLAIN, [allow(Action="codeartifact:?ReadFromRepository")], "none"),
    ("a prefix is not the whole", PLAIN, [allow(Action="codeartifact:Read")], "none"),
    ("all but another", PLAIN, [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], "allow"),
    ("all but this", PLAIN, [{"Effect": "Allow", "NotAction": "codeartifact:*", "Resource": "*"}], "none"),
    (
        "deny all but this",
        PLAIN,
        [allow(), {"Effect": "Deny", "NotAction": "codeartifact:*", "Resource": "*"}],
        "allow",
    ),
    ("deny all but another", PLAIN, [allow(), {"Effect": "Deny", "NotAction": "iam:*", "Resource": "*"}], "deny"),
    ("the resource", PLAIN, [allow(Resource=REPO)], "allow"),
    ("another resource", PLAIN, [allow(Resource=f"{REPO}2")], "none"),
    ("part of the resource", PLAIN, [allow(Resource=REPO[:-1])], "none"),
    ("the resource in other letters", PLAIN, [allow(Resource=REPO.replace("my_repo", "My_Repo"))], "none"),
    ("a resource of a list", PLAIN, [allow(Resource=[PACKAGE, REPO])], "allow"),
    ("all resources of the service", PLAIN, [allow(Resource="arn:aws:codeartifact:*")], "allow"),
    ("of another service", PLAIN, [allow(Resource="arn:aws:s3:*")], "none"),
    ("of the account", PLAIN, [allow(Resource=f"arn:aws:codeartifact:us-west-2:{ACCOUNT}:*")], "allow"),
    ("of another account", PLAIN, [allow(Resource=f"arn:aws:codeartifact:us-west-2:{OTHER}:*")], "none"),
    ("by the end of its name", PLAIN, [allow(Resource="arn:aws:codeartifact:*:*:repository/*/*repo")], "allow"),
    ("by the wrong end", PLAIN, [allow(Resource="arn:aws:codeartifact:*:*:repository/*/*test")], "none"),
    ("a colon is no slash", PLAIN, [allow(Resource=REPO.replace("repository/", "repository:"))], "none"),
    (
        "packages of repositories by name",
        request(resource=PACKAGE),
        [allow(Resource="arn:aws:codeartifact:*:*:package/*/*repo/*/*/*")],
        "allow",
    ),
    (
        "a package without a namespace has an empty one",
        request(resource=PACKAGE),
        [allow(Resource=PACKAGE.replace("npm//", "npm/"))],
        "none",
    ),
    ("a package is not its repository", request(resource=PACKAGE), [allow(Resource=REPO)], "none"),
    ("all but another resource", PLAIN, [{"Effect": "Allow", "Action": "*", "NotResource": PACKAGE}], "allow"),
    ("all but this resource", PLAIN, [{"Effect": "Allow", "Action": "*", "NotResource": [REPO, PACKAGE]}], "none"),
    ("deny all but this resource", PLAIN, [allow(), {"Effect": "Deny", "Action": "*", "NotResource": REPO}], "allow"),
    ("stars that must be tried in order", PLAIN, [allow(Resource="arn:*:*my*my*repo")], "allow"),
    ("stars that would overlap", PLAIN, [allow(Resource="arn:*:*my_repo*repo")], "none"),
    ("other pattern characters are plain", request(resource="arn:x:[a].b"), [allow(Resource="arn:x:[a].b")], "allow"),
    ("a dot is a dot", request(resource="arn:x:[a]xb"), [allow(Resource="arn:x:[a].b")], "none"),
    ("a newline is a character", request(resource="arn:x:a\nb"), [allow(Resource="arn:x:a*b")], "allow"),
]

NAMED = request(aws__username="bob", resource="arn:aws:iam::111122223333:user/bob")
OWN = "arn:aws:iam::*:user/${aws:username}"

VARIABLES: list[tuple[str, Request, list[Json], str]] = [
    ("one's own name", NAMED, [allow(Resource=OWN)], "allow"),
    ("another's name", request(aws__username="eve", resource=NAMED.resource), [allow(Resource=OWN)], "none"),
    ("in any letters", NAMED, [allow(Resource="arn:aws:iam::*:user/${AWS:UserName}")], "allow"),
    ("no name to put in", request(resource=NAMED.resource), [allow(Resource=OWN)], "none"),
    (
        "a star as a name is no pattern",
        request(aws__username="*", resource=NAMED.resource),
        [allow(Resource=OWN)],
        "none",
    ),
    ("a default", request(resource="arn:x:y"), [allow(Resource="arn:x:${aws:username, 'y'}")], "allow"),
    ("a default that is not needed", NAMED, [allow(Resource="arn:aws:iam::*:user/${aws:username, 'eve'}")], "allow"),
    ("a star as itself", request(resource="arn:x:*"), [allow(Resource="arn:x:${*}")], "allow"),
    ("a star as itself is nothing else", request(resource="arn:x:y"), [allow(Resource="arn:x:${*}")], "none"),
    ("a question mark as itself", request(resource="arn:x:a"), [allow(Resource="arn:x:${?}")], "none"),
    ("a dollar as itself", request(resource="arn:x:$"), [allow(Resource="arn:x:${$}")], "allow"),
    (
        "several values put nothing in",
        request(resource="arn:x:a", aws__tagkeys=["a", "b"]),
        [allow(Resource="arn:x:${aws:TagKeys}")],
        "none",
    ),
    (
        "an exception that cannot be named does not widen an allow",
        PLAIN,
        [{"Effect": "Allow", "Action": "*", "NotResource": OWN}],
        "none",
    ),
    (
        "an exception that cannot be named does not narrow a deny",
        PLAIN,
        [allow(), {"Effect": "Deny", "Action": "*", "NotResource": OWN}],
        "deny",
    ),
    ("in a condition", NAMED, [when("StringEquals", "aws:username", "${aws:username}")], "allow"),
    (
        "in a condition on a tag",
        request(aws__username="bob", aws__ResourceTag_0owner="bob"),
        [when("StringEquals", "aws:ResourceTag/owner", "${aws:username}")],
        "allow",
    ),
    ("an unknown one in a condition", NAMED, [when("StringEquals", "aws:username", "${aws:userid}")], "none"),
    (
        "an unknown one in a negated condition",
        NAMED,
        [when("StringNotEquals", "aws:username", "${aws:userid}")],
        "none",
    ),
]

AT = request(aws__currenttime="2024-06-01T12:00:00Z", aws__epochtime="1717243200")
FROM = request(aws__sourceip="203.0.113.7")
LONG = request("sts:GetServiceBearerToken", "*", sts__durationseconds="3600")
TAGGED = request(aws__requesttag_0costcenter="1", aws__tagkeys=["costcenter", "team"])
ME = request(aws__principalarn=BOB, aws__securetransport="true", aws__username="bob")

CONDITIONS: list[tuple[str, Request, Json, str]] = [
    ("StringEquals", ME, when("StringEquals", "aws:username", "bob"), "allow"),
    ("StringEquals with case", ME, when("StringEquals", "aws:username", "Bob"), "none"),
    ("StringEquals takes no pattern", ME, when("StringEquals", "aws:username", "b*"), "none"),
    ("StringEquals, one of several", ME, when("StringEquals", "aws:username", ["eve", "bob"]), "allow"),
    ("StringEquals, key in other letters", ME, when("StringEquals", "AWS:UserName", "bob"), "allow"),
    ("StringEquals, absent", PLAIN, when("StringEquals", "aws:username", "bob"), "none"),
    ("StringEqualsIfExists, absent", PLAIN, when("StringEqualsIfExists", "aws:username", "bob"), "allow"),
    ("StringEqualsIfExists, another", ME, when("StringEqualsIfExists", "aws:username", "eve"), "none"),
    ("StringNotEquals", ME, when("StringNotEquals", "aws:username", "eve"), "allow"),
    ("StringNotEquals, the same", ME, when("StringNotEquals", "aws:username", ["eve", "bob"]), "none"),
    ("StringNotEquals, absent", PLAIN, when("StringNotEquals", "aws:username", "bob"), "allow"),
    ("StringEqualsIgnoreCase", ME, when("StringEqualsIgnoreCase", "aws:username", "BOB"), "allow"),
    ("StringNotEqualsIgnoreCase", ME, when("StringNotEqualsIgnoreCase", "aws:username", "BOB"), "none"),
    ("StringLike", ME, when("StringLike", "aws:username", "b?b"), "allow"),
    ("StringLike, otherwise", ME, when("StringLike", "aws:username", "c*"), "none"),
    ("StringNotLike", ME, when("StringNotLike", "aws:username", "b*"), "none"),
    ("NumericEquals", LONG, when("NumericEquals", "sts:DurationSeconds", 3600), "allow"),
    ("NumericEquals of text", LONG, when("NumericEquals", "sts:DurationSeconds", "3600.0"), "allow"),
    ("NumericEquals, another", LONG, when("NumericEquals", "sts:DurationSeconds", 43200), "none"),
    ("NumericNotEquals", LONG, when("NumericNotEquals", "sts:DurationSeconds", 43200), "allow"),
    ("NumericLessThan", LONG, when("NumericLessThan", "sts:DurationSeconds", 3600), "none"),
    ("NumericLessThanEquals", LONG, when("NumericLessThanEquals", "sts:DurationSeconds", 3600), "allow"),
    ("NumericGreaterThan", LONG, when("NumericGreaterThan", "sts:DurationSeconds", 900), "allow"),
    ("NumericGreaterThanEquals", LONG, when("NumericGreaterThanEquals", "sts:DurationSeconds", 3601), "none"),
    ("a number is not compared as text", LONG, when("NumericLessThan", "sts:DurationSeconds", 10000), "allow"),
    ("what is no number", ME, when("NumericLessThan", "aws:username", 1), "none"),
    ("DateGreaterThan", AT, when("DateGreaterThan", "aws:CurrentTime", "2024-06-01T00:00:00Z"), "allow"),
    ("DateLessThan", AT, when("DateLessThan", "aws:CurrentTime", "2024-06-01"), "none"),
    ("DateLessThanEquals", AT, when("DateLessThanEquals", "aws:CurrentTime", "2024-06-01T12:00:00Z"), "allow"),
    (
        "DateGreaterThanEquals, offset",
        AT,
        when("DateGreaterThanEquals", "aws:CurrentTime", "2024-06-01T14:00:00+02:00"),
        "allow",
    ),
    ("DateEquals of seconds", AT, when("DateEquals", "aws:CurrentTime", 1717243200), "allow"),
    ("DateNotEquals", AT, when("DateNotEquals", "aws:EpochTime", "2024-06-01T12:00:00Z"), "none"),
    ("NumericLessThan of seconds", AT, when("NumericLessThan", "aws:EpochTime", 1717243201), "allow"),
    ("Bool", ME, when("Bool", "aws:SecureTransport", "true"), "allow"),
    ("Bool of a truth value", ME, when("Bool", "aws:SecureTransport", True), "allow"),
    ("Bool, otherwise", ME, when("Bool", "aws:SecureTransport", "false"), "none"),
    ("Bool, absent", PLAIN, when("Bool", "aws:SecureTransport", "false"), "none"),
    ("BoolIfExists, absent", PLAIN, when("BoolIfExists", "aws:SecureTransport", "true"), "allow"),
    ("BinaryEquals", request(x__y="QUJD"), when("BinaryEquals", "x:y", "QUJD"), "allow"),
    ("BinaryEquals, another", request(x__y="QUJE"), when("BinaryEquals", "x:y", "QUJD"), "none"),
    ("IpAddress", FROM, when("IpAddress", "aws:SourceIp", "203.0.113.0/24"), "allow"),
    ("IpAddress of one", FROM, when("IpAddress", "aws:SourceIp", "203.0.113.7"), "allow"),
    ("IpAddress, elsewhere", FROM, when("IpAddress", "aws:SourceIp", ["198.51.100.0/24", "10.0.0.0/8"]), "none"),
    ("IpAddress of a network by any address", FROM, when("IpAddress", "aws:SourceIp", "203.0.113.99/24"), "allow"),
    (
        "IpAddress in a dual stack",
        request(aws__sourceip="::ffff:203.0.113.7"),
        when("IpAddress", "aws:SourceIp", "203.0.113.0/24"),
        "allow",
    ),
    (
        "IpAddress of the sixth version",
        request(aws__sourceip="2001:db8::1"),
        when("IpAddress", "aws:SourceIp", "2001:db8::/32"),
        "allow",
    ),
    (
        "IpAddress of another version",
        request(aws__sourceip="2001:db8::1"),
        when("IpAddress", "aws:SourceIp", "0.0.0.0/0"),
        "none",
    ),
    ("IpAddress of no address", ME, when("IpAddress", "aws:username", "0.0.0.0/0"), "none"),
    ("BinaryEquals of what is not binary", ME, when("BinaryEquals", "aws:PrincipalArn", "QUJD"), "none"),
    ("ArnLike of no name", ME, when("ArnLike", "aws:username", "arn:*:*:*:*:*"), "none"),
    ("NotIpAddress", FROM, when("NotIpAddress", "aws:SourceIp", "203.0.113.0/24"), "none"),
    ("NotIpAddress, elsewhere", FROM, when("NotIpAddress", "aws:SourceIp", "10.0.0.0/8"), "allow"),
    ("ArnEquals", ME, when("ArnEquals", "aws:PrincipalArn", BOB), "allow"),
    ("ArnLike", ME, when("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:user/*"), "allow"),
    ("ArnLike, a star stays in its part", ME, when("ArnLike", "aws:PrincipalArn", "arn:aws:*:user/bob"), "none"),
    ("ArnLike, any", ME, when("ArnLike", "aws:PrincipalArn", "*"), "allow"),
    (
        "ArnLike with a variable",
        ME,
        when("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:user/${aws:username}"),
        "allow",
    ),
    ("ArnNotLike", ME, when("ArnNotLike", "aws:PrincipalArn", "arn:aws:iam::*:user/*"), "none"),
    ("ArnNotEquals", ME, when("ArnNotEquals", "aws:PrincipalArn", BOB + "2"), "allow"),
    ("Null of what is there", ME, when("Null", "aws:username", "false"), "allow"),
    ("Null of what is absent", PLAIN, when("Null", "aws:username", True), "allow"),
    ("Null, wrongly there", ME, when("Null", "aws:username", "true"), "none"),
    ("Null, wrongly absent", PLAIN, when("Null", "aws:username", "false"), "none"),
    ("ForAllValues", TAGGED, when("ForAllValues:StringEquals", "aws:TagKeys", ["costcenter", "team", "x"]), "allow"),
    ("ForAllValues, one too many", TAGGED, when("ForAllValues:StringEquals", "aws:TagKeys", ["costcenter"]), "none"),
    ("ForAllValues, absent", PLAIN, when("ForAllValues:StringEquals", "aws:TagKeys", ["costcenter"]), "allow"),
    ("ForAnyValue", TAGGED, when("ForAnyValue:StringLike", "aws:TagKeys", ["cost*"]), "allow"),
    ("ForAnyValue, none", TAGGED, when("ForAnyValue:StringEquals", "aws:TagKeys", ["x"]), "none"),
    ("ForAnyValue, absent", PLAIN, when("ForAnyValue:StringEquals", "aws:TagKeys", ["x"]), "none"),
    ("ForAnyValue, negated", TAGGED, when("ForAnyValue:StringNotEquals", "aws:TagKeys", ["team"]), "allow"),
    ("ForAnyValue, negated, absent", PLAIN, when("ForAnyValue:StringNotEquals", "aws:TagKeys", ["team"]), "none"),
    ("ForAllValues, negated", TAGGED, when("ForAllValues:StringNotEquals", "aws:TagKeys", ["team"]), "none"),
    (
        "ForAnyValue with IfExists, absent",
        PLAIN,
        when("ForAnyValue:StringEqualsIfExists", "aws:TagKeys", ["x"]),
        "allow",
    ),
    ("several values without a set operator", TAGGED, when("StringEquals", "aws:TagKeys", "team"), "allow"),
    ("several values, negated", TAGGED, when("StringNotEquals", "aws:TagKeys", "team"), "none"),
    ("no values at all", PLAIN, when("StringEquals", "aws:username", []), "none"),
    ("an empty condition", PLAIN, allow(Condition={}), "allow"),
    (
        "two keys are both needed",
        ME,
        allow(Condition={"StringEquals": {"aws:username": "bob", "aws:userid": "x"}}),
        "none",
    ),
    (
        "two operators are both needed",
        ME,
        allow(Condition={"StringEquals": {"aws:username": "bob"}, "Bool": {"aws:SecureTransport": "false"}}),
        "none",
    ),
]


@pytest.mark.parametrize(
    ("asked", "statements", "wanted"),
    [pytest.param(*row[1:], id=row[0]) for row in ACTIONS_AND_RESOURCES + VARIABLES],
)
def test_actions_resources_and_variables(asked: Request, statements: list[Json], wanted: str) -> None:
    assert decide(asked, *statements) == wanted


@pytest.mark.parametrize(("asked", "statement", "wanted"), [pytest.param(*row[1:], id=row[0]) for row in CONDITIONS])
def test_conditions(asked: Request, statement: Json, wanted: str) -> None:
    assert decide(asked, statement) == wanted


def test_a_deny_applies_under_the_same_conditions_as_an_allow() -> None:
    for _, asked, statement, wanted in CONDITIONS:
        outcome = decide(asked, allow(), statement | {"Effect": "Deny"})

        assert (outcome == "deny") == (wanted == "allow")


def test_variables_are_plain_text_in_the_old_version() -> None:
    literal = request(resource="arn:x:${aws:username}", aws__username="bob")

    assert decide(literal, allow(Resource="arn:x:${aws:username}"), version="2008-10-17") == "allow"
    assert decide(NAMED, allow(Resource=OWN), version="2008-10-17") == "none"


def test_the_guides_policy_on_request_tags_denies_without_a_tag_and_with_another_value() -> None:
    create = "codeartifact:CreateRepository"
    statements = [
        allow(),
        deny(Action=create, Condition={"Null": {"aws:RequestTag/costcenter": "true"}}),
        deny(Action=create, Condition={"ForAnyValue:StringNotEquals": {"aws:RequestTag/costcenter": ["1", "2"]}}),
    ]

    assert decide(request(create), *statements) == "deny"
    assert decide(request(create, aws__requesttag_0costcenter="3"), *statements) == "deny"
    assert decide(request(create, aws__RequestTag_0CostCenter="2"), *statements) == "allow"


def test_a_pattern_of_many_stars_takes_no_time() -> None:
    hostile = "arn:x:" + "*a" * 40 + "b"

    assert decide(request(resource="arn:x:" + "a" * 20_000), allow(Resource=hostile)) == "none"


# --- principals ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("principal", "wanted"),
    [
        ("*", "allow"),
        ({"AWS": "*"}, "allow"),
        ({"AWS": BOB}, "allow"),
        ({"AWS": [f"arn:aws:iam::{OTHER}:root", BOB]}, "allow"),
        ({"AWS": ACCOUNT}, "allow"),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "allow"),
        ({"AWS": OTHER}, "none"),
        ({"AWS": f"arn:aws:iam::{OTHER}:root"}, "none"),
        ({"AWS": f"{BOB}by"}, "none"),
        ({"AWS": f"arn:aws:iam::{OTHER}:user/bob"}, "none"),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/bob"}, "none"),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:user/team/bob"}, "none"),
        ({"Service": "codeartifact.amazonaws.com"}, "none"),
        ({"Federated": "accounts.example.com"}, "none"),
        ({"Federated": BOB}, "none"),
        ({"Service": "codeartifact.amazonaws.com", "AWS": BOB}, "allow"),
    ],
)
def test_principals(principal: Any, wanted: str) -> None:
    resource_policy = parse(document(allow(Principal=principal)), "resource")

    assert evaluate([resource_policy], PLAIN) == wanted


@pytest.mark.parametrize(
    ("principal", "wanted"),
    [({"AWS": BOB}, "none"), ({"AWS": f"{BOB}by"}, "deny"), ({"AWS": ACCOUNT}, "none"), ("*", "none")],
)
def test_all_principals_but_some(principal: Any, wanted: str) -> None:
    resource_policy = parse(document(deny(NotPrincipal=principal)), "resource")

    assert evaluate([resource_policy], PLAIN) == wanted


def test_a_deny_in_one_document_wins_over_an_allow_in_another() -> None:
    documents = [parse(document(each), "identity") for each in (allow(), deny(Action="codeartifact:Read*"), allow())]

    assert evaluate(documents, PLAIN) == "deny"
    assert evaluate([], PLAIN) == "none"


# --- refusals -----------------------------------------------------------------------------------------------------

REFUSED: list[tuple[str, str, str]] = [
    ("", "identity", "not valid JSON"),
    ("{", "identity", "not valid JSON"),
    ("[" * 100_00, "identity", "not valid JSON"),
    ('{"Version": NaN}', "identity", "NaN is not a number"),
    ("[]", "identity", "must be a JSON object"),
    ("null", "identity", "must be a JSON object"),
    ('{"Statement": [], "Statement": []}', "identity", "'Statement' is given twice"),
    ("{}", "identity", "Statement must be"),
    ('{"Statement": []}', "identity", "Statement must be"),
    ('{"Statement": "x"}', "identity", "Statement must be"),
    ('{"Statement": ["x"]}', "identity", "must be an object"),
    ('{"Version": "2013-10-17", "Statement": []}', "identity", "Version"),
    ('{"Version": 2012, "Statement": []}', "identity", "Version"),
    ('{"version": "2012-10-17", "Statement": []}', "identity", "unknown element 'version'"),
    ('{"Id": "x", "Statement": []}', "identity", "Id"),
    ('{"Id": 1, "Statement": []}', "resource", "Id"),
    (document(allow(Efect="Allow")), "identity", "unknown element 'Efect'"),
    (document({"Action": "*", "Resource": "*"}), "identity", "Effect"),
    (document(allow(Effect="allow")), "identity", "Effect"),
    (document(allow(Effect=["Allow"])), "identity", "Effect"),
    (document(allow(Sid="has a space")), "identity", "SID"),
    (document(allow(Sid=1)), "identity", "SID"),
    (document(allow(Sid="a"), deny(Sid="a")), "identity", "must be unique"),
    (document({"Effect": "Allow", "Resource": "*"}), "identity", "exactly one of Action and NotAction"),
    (document(allow(NotAction="*")), "identity", "exactly one of Action and NotAction"),
    (document({"Effect": "Allow", "Action": "*"}), "identity", "exactly one of Resource and NotResource"),
    (document(allow(NotResource="*")), "identity", "exactly one of Resource and NotResource"),
    (document(allow(Action=[])), "identity", "Action must not be empty"),
    (document(allow(Action="ReadFromRepository")), "identity", "Invalid Action"),
    (document(allow(Action="codeartifact>ListPackages")), "identity", "Invalid Action"),
    (document(allow(Action="codeartifact:")), "identity", "Invalid Action"),
    (document(allow(Action=1)), "identity", "Invalid Action"),
    (document(allow(Action=None)), "identity", "Invalid Action"),
    (document(allow(Resource=[])), "identity", "Resource must not be empty"),
    (document(allow(Resource="my_repo")), "identity", "Invalid Resource"),
    (document(allow(Resource="arn:aws")), "identity", "Invalid Resource"),
    (document(allow(Resource=["*", {}])), "identity", "Invalid Resource"),
    (document(allow(Condition=[])), "identity", "Condition must be an object"),
    (document(allow(Condition={"StringEquals": "x"})), "identity", "must be an object of keys"),
    (document(when("StringEqual", "aws:x", "y")), "identity", "Invalid Condition type : StringEqual"),
    (document(when("NullIfExists", "aws:x", "true")), "identity", "Invalid Condition type"),
    (document(when("ForAllValues:Null", "aws:x", "true")), "identity", "Invalid Condition type"),
    (document(when("ForSomeValues:StringEquals", "aws:x", "y")), "identity", "Invalid Condition type"),
    (document(when("StringEquals", "username", "y")), "identity", "prefaced by a vendor"),
    (document(when("StringEquals", "aws:x", {})), "identity", "must be text, a number or a truth value"),
    (document(when("StringEquals", "aws:x", None)), "identity", "must be text, a number or a truth value"),
    (document(when("NumericEquals", "aws:x", "many")), "identity", "Invalid value 'many'"),
    (document(when("NumericEquals", "aws:x", "NaN")), "identity", "Invalid value 'NaN'"),
    (document(when("DateEquals", "aws:x", "tomorrow")), "identity", "Invalid value 'tomorrow'"),
    (document(when("Bool", "aws:x", "yes")), "identity", "Invalid value 'yes'"),
    (document(when("IpAddress", "aws:x", "localhost")), "identity", "Invalid value 'localhost'"),
    (document(when("IpAddress", "aws:x", "10.0.0.0/33")), "identity", "Invalid value"),
    (document(when("BinaryEquals", "aws:x", "!")), "identity", "Invalid value '!'"),
    (document(allow(Principal="*")), "identity", "should not specify a principal"),
    (document(allow(NotPrincipal="*")), "identity", "should not specify a principal"),
    (document(allow()), "resource", "exactly one of Principal and NotPrincipal"),
    (document(allow(Principal="*", NotPrincipal="*")), "resource", "exactly one of Principal"),
    (document(allow(Principal=BOB)), "resource", "Principal must be"),
    (document(allow(Principal={})), "resource", "Principal must be"),
    (document(allow(Principal={"aws": "*"})), "resource", "Invalid principal"),
    (document(allow(Principal={"AWS": []})), "resource", "must not be empty"),
    (document(allow(Principal={"AWS": [1]})), "resource", "Invalid principal"),
    (document(allow(Principal={"AWS": "12345"})), "resource", "Invalid principal"),
    (document(allow(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/*"})), "resource", "Invalid principal"),
    (document(allow(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:group/x"})), "resource", "Invalid principal"),
    (document(allow(Principal={"AWS": "arn:aws:iam::1:root"})), "resource", "Invalid principal"),
    (document(allow(Principal={"Service": "nobody"})), "resource", "Invalid principal"),
    (document(allow(Resource=f"arn:x:{'y' * 20_500}")), "identity", "larger than 20480 bytes"),
]


@pytest.mark.parametrize(("text", "kind", "reason"), REFUSED)
def test_a_document_is_refused_with_the_reason(text: str, kind: Any, reason: str) -> None:
    with pytest.raises(Validation) as refused:
        parse(text, kind)

    assert reason in refused.value.message


def test_what_is_not_json_is_another_kind_of_mistake() -> None:
    with pytest.raises(Validation) as refused:
        parse("{", "identity")

    assert refused.value.reason == "CANNOT_PARSE"


def test_a_document_tells_which_keys_its_outcome_depends_on() -> None:
    parsed = parse(
        document(allow(Resource=OWN, Condition={"StringLike": {"aws:ResourceTag/Team": "${aws:PrincipalArn}"}})),
        "identity",
    )

    assert parsed.keys == {"aws:username", "aws:resourcetag/team", "aws:principalarn"}


def test_the_samples_of_the_guide_are_taken() -> None:
    organization = {
        "Version": "2012-10-17",
        "Statement": {
            "Sid": "DomainPolicyForOrganization",
            "Effect": "Allow",
            "Principal": "*",
            "Action": ["codeartifact:GetDomainPermissionsPolicy", "codeartifact:CreateRepository"],
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:PrincipalOrgID": ["o-xxxxxxxxxxx"]}},
        },
    }

    assert evaluate([parse(json.dumps(organization), "resource")], PLAIN) == "none"
