"""Templates as text: what is taken, and what strangers may try."""

from __future__ import annotations

import json
from typing import Any

import pytest

from registry.apply import documents, intrinsics, template
from registry.apply.errors import TemplateError
from registry.apply.intrinsics import NO_VALUE, Names

DOMAIN = {"Type": "AWS::CodeArtifact::Domain", "Properties": {"DomainName": "dom"}}


def test_yaml_stays_text_and_knows_the_short_forms() -> None:
    found = documents.parse(
        b"""
Version: 2012-10-17
Account: 012345678901
On: yes
Empty:
Name: !Sub "${Team}-x"
Arn: !GetAtt Domain.Arn
Long: {"Fn::GetAtt": [Domain, Arn]}
List: !Join [",", [!Ref A, b]]
Text: "!Ref no"
"""
    )

    assert found == {
        "Version": "2012-10-17",
        "Account": "012345678901",
        "On": "yes",
        "Empty": "",
        "Name": {"Fn::Sub": "${Team}-x"},
        "Arn": {"Fn::GetAtt": ["Domain", "Arn"]},
        "Long": {"Fn::GetAtt": ["Domain", "Arn"]},
        "List": {"Fn::Join": [",", [{"Ref": "A"}, "b"]]},
        "Text": "!Ref no",
    }
    assert documents.parse(b'\xef\xbb\xbf {"a": [1, true, null]}') == {"a": [1, True, None]}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "is empty"),
        (b"a: &x [1]\nb: *x", r"line 2: aliases \(\*x\)"),
        (b"a: !!python/object/apply:os.system [ls]", "is not supported"),
        (b"a: !ImportValue x", "line 1: !ImportValue is not supported; !Ref"),
        (b"a: 1\na: 2", "line 2: the key a is there twice"),
        (b"? [a]\n: b", "a key must be text"),
        (b"a: [", "not valid YAML in line"),
        (b"a: 1\n---\nb: 2", "more than one YAML document"),
        (b"a: \xff", "not UTF-8"),
        (b"[" * 200 + b"]" * 200, "nested more than 64 deep"),
        (b"[" + b"1," * 100_001 + b"]", "more than 100000 values"),
        (b"#" * (1024 * 1024 + 1), "larger than"),
        (b'{"a": 1, "a": 2}', "The key a is there twice"),
        (b'{"a": ', "not valid JSON"),
        (b'{"a": ' + b"[" * 100_000, "nested more than|not valid JSON"),
    ],
)
def test_what_is_no_template_is_refused_in_one_line(body: bytes, why: str) -> None:
    with pytest.raises(TemplateError, match=why) as refused:
        documents.parse(body)
    assert len(str(refused.value)) < 300


# --- parameters and order -------------------------------------------------------------------------


def read(resources: dict[str, Any], parameters: dict[str, Any] | None = None, **given: str) -> template.Template:
    return template.read({"Resources": resources, "Parameters": parameters or {}}, given)


def repository(name: str, **more: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::CodeArtifact::Repository",
        "Properties": {"DomainName": "dom", "RepositoryName": name, **more},
    }


def test_resources_come_after_what_they_refer_to_or_name() -> None:
    group = {
        "Type": "AWS::CodeArtifact::PackageGroup",
        "Properties": {
            "DomainName": {"Fn::GetAtt": ["D", "Name"]},
            "Pattern": "/npm/*",
            "OriginConfiguration": {
                "Restrictions": {"Publish": {"RestrictionMode": "ALLOW_SPECIFIC_REPOSITORIES", "Repositories": ["c"]}}
            },
        },
    }
    found = read(
        {
            "G": group,
            "A": repository("a", Upstreams=["b", {"Fn::GetAtt": ["C", "Name"]}]),
            "B": {**repository("b"), "DependsOn": "C"},
            "C": repository("c", Description={"Fn::Sub": "of ${D.Arn}"}),
            "D": DOMAIN,
        }
    )

    order = [each.name for each in found.resources]
    assert order.index("D") < order.index("C") < order.index("B") < order.index("A")
    assert order.index("C") < order.index("G")


def test_parameters_have_defaults_types_and_limits() -> None:
    declared = {
        "Team": {"Type": "String", "Default": "core", "AllowedPattern": "[a-z]+"},
        "Names": {"Type": "CommaDelimitedList", "Default": "a, b"},
        "Size": {"Type": "String", "AllowedValues": ["s", "m"]},
    }
    assert read({"D": DOMAIN}, declared, Size="m").parameters == {"Team": "core", "Names": ["a", "b"], "Size": "m"}
    for given, why in (
        ({}, "Parameters.Size has no default: give it with --parameter Size=VALUE"),
        ({"Size": "l"}, "not among its AllowedValues"),
        ({"Size": "s", "Team": "Core"}, "does not match its AllowedPattern"),
        ({"Size": "s", "Other": "x"}, "no parameter Other"),
    ):
        with pytest.raises(TemplateError, match=why):
            read({"D": DOMAIN}, declared, **given)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ([], "no Resources"),
        ({"Resources": {}, "Conditions": {}}, "Conditions is not supported"),
        ({"Resources": {"B": {"Type": "AWS::S3::Bucket"}}}, "'AWS::S3::Bucket' is not supported; AWS::CodeArtifact"),
        ({"Resources": {"D-1": DOMAIN}}, "letters and digits only"),
        ({"Resources": {"D": {**DOMAIN, "Condition": "x"}}}, "Resources.D.Condition is not supported"),
        ({"Resources": {"D": {"Type": DOMAIN["Type"]}}}, "Resources.D.Properties.DomainName is missing"),
        ({"Resources": {"D": {**DOMAIN, "Properties": {"Name": "x"}}}}, "has no such property; it has DomainName"),
        ({"Resources": {"D": {**DOMAIN, "DependsOn": 1}}}, "DependsOn must be a name"),
        ({"Resources": {"D": DOMAIN}, "Parameters": {"D": {"Default": "x"}}}, "both a parameter and a resource"),
        (
            {"Resources": {"A": repository("a", Upstreams=["b"]), "B": repository("b", Upstreams=["a"])}},
            "Resources A, B need each other",
        ),
    ],
)
def test_what_a_template_cannot_be(document: Any, why: str) -> None:
    with pytest.raises(TemplateError, match=why):
        template.read(json.loads(json.dumps(document)), {})


# --- functions ------------------------------------------------------------------------------------

NAMES = Names(
    lambda name, where: {"A": "a", "List": ["x", "y"], "None": NO_VALUE}[name],
    lambda name, key, where: f"{name}/{key}",
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "A"}, "a"),
        ({"Fn::GetAtt": ["D", "Arn"]}, "D/Arn"),
        ({"Fn::GetAtt": "D.Arn"}, "D/Arn"),
        ({"Fn::Sub": "${A}-${D.Name}-${!A}"}, "a-D/Name-${A}"),
        ({"Fn::Sub": ["${B}${A}", {"B": {"Ref": "A"}}]}, "aa"),
        ({"Fn::Join": ["-", ["1", {"Ref": "A"}]]}, "1-a"),
        ({"Fn::Join": [",", {"Ref": "List"}]}, "x,y"),
        ({"x": {"Ref": "None"}, "y": [{"Ref": "None"}, "z"]}, {"y": ["z"]}),
        ({"Ref": "A", "other": 1}, {"Ref": "A", "other": 1}),
    ],
)
def test_functions(value: Any, expected: Any) -> None:
    assert intrinsics.resolve(value, NAMES, "here") == expected


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"Fn::ImportValue": "x"}, "here.p: Fn::ImportValue is not supported"),
        ({"Ref": ["A"]}, "Ref takes a name"),
        ({"Fn::GetAtt": "D"}, "takes a resource and an attribute"),
        ({"Fn::Sub": {"a": 1}}, "Fn::Sub takes"),
        ({"Fn::Sub": "${List}"}, "a text was expected"),
        ({"Fn::Join": ["-"]}, "Fn::Join takes"),
        ({"Fn::Join": ["-", {"Ref": "A"}]}, "Fn::Join takes"),
    ],
)
def test_functions_that_are_wrong_name_their_place(value: Any, why: str) -> None:
    with pytest.raises(TemplateError, match=f"here.p.*{why}" if "here" not in why else why):
        intrinsics.resolve({"p": value}, NAMES, "here")
