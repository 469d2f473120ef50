"""Every constraint of the model is checked, and the message names the member and the rule."""

from __future__ import annotations

from typing import Any

import pytest

from registry.control import model, validate
from registry.core.errors import Validation

MODEL = model.load()
BASE = {"domain": "dom", "repository": "repo", "format": "npm", "package": "p"}


def refusal(operation: str, params: dict[str, Any]) -> str:
    with pytest.raises(Validation) as caught:
        validate.check(MODEL.operations[operation].input, params)
    assert caught.value.reason == "FIELD_VALIDATION_FAILED"
    return caught.value.message


@pytest.mark.parametrize(
    ("operation", "params", "expected"),
    [
        ("DescribeDomain", {}, "Value null at 'domain' failed to satisfy constraint: Member must not be null"),
        (
            "DescribeDomain",
            {"domain": "X!"},
            "Value 'X!' at 'domain' failed to satisfy constraint: Member must satisfy",
        ),
        ("DescribeDomain", {"domain": "a" * 51}, "Member must have length less than or equal to 50"),
        ("DescribeDomain", {"domain": "a"}, "Member must have length greater than or equal to 2"),
        ("DescribeDomain", {"domain": "dom", "domainOwner": "12"}, "'domainOwner'"),
        ("DescribePackage", {**BASE, "format": "rpm"}, "Member must satisfy enum value set: [npm, pypi, maven,"),
        ("DescribePackage", {**BASE, "package": "a/b"}, "Value 'a/b' at 'package'"),
        ("DescribePackage", {**BASE, "package": ""}, "'package'"),
        ("ListPackages", {**BASE, "maxResults": 1_000_000}, "Member must have value less than or equal to 1000"),
        ("ListPackages", {**BASE, "maxResults": 0}, "Member must have value greater than or equal to 1"),
        ("DeletePackageVersions", {**BASE, "versions": ["1"] * 101}, "at 'versions' failed to satisfy constraint"),
        ("DeletePackageVersions", {**BASE, "versions": ["1", "#"]}, "Value '#' at 'versions.2.member'"),
        ("CopyPackageVersions", {"versionRevisions": {"1.0": "a b"}}, "Value 'a b' at 'versionRevisions.1.0.value'"),
        ("CopyPackageVersions", {"versionRevisions": {"1#": "a"}}, "Value '1#' at 'versionRevisions.key'"),
        ("CreateDomain", {"domain": "dom", "tags": [{"key": "k"}]}, "Value null at 'tags.1.member.value'"),
        ("CreateDomain", {"domain": "dom", "tags": [{"key": "", "value": ""}]}, "'tags.1.member.key'"),
        ("PutPackageOriginConfiguration", {**BASE, "restrictions": {"publish": "NO"}}, "'restrictions.publish'"),
        (
            "PutPackageOriginConfiguration",
            {**BASE, "restrictions": {"publish": "NO"}},
            "null at 'restrictions.upstream'",
        ),
        ("PublishPackageVersion", {**BASE, "assetSHA256": "F" * 64}, "'assetSHA256'"),
        ("PublishPackageVersion", {**BASE, "assetSHA256": "UNSIGNED-PAYLOAD"}, "'assetSHA256'"),
        ("PutDomainPermissionsPolicy", {"domain": "dom", "policyDocument": "x" * 7169}, "'policyDocument'"),
    ],
)
def test_a_broken_rule_is_named_with_its_member(operation: str, params: dict[str, Any], expected: str) -> None:
    assert expected in refusal(operation, params)


def test_every_broken_rule_is_told_at_once() -> None:
    message = refusal("DescribePackage", {"domain": "X!", "repository": "r", "format": "rpm"})

    assert message.startswith("5 validation errors detected: ")
    assert message.count("failed to satisfy constraint") == 5


def test_a_long_value_is_shortened_in_the_message() -> None:
    assert len(refusal("DescribeDomain", {"domain": "A" * 100_000})) < 2000


def test_an_underscore_is_allowed_in_a_domain_name() -> None:
    validate.check(MODEL.operations["DescribeDomain"].input, {"domain": "my_domain"})


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (r"\P{C}+", "name (1) \u00e9\u3000\U0001f600", True),
        (r"\P{C}+", "a\tb", False),
        (r"\P{C}+", "a\u200bb", False),
        (r"\P{C}+", "a\ue000", False),
        (r"\P{C}+", "a\U000e0001", False),
        (r"\P{C}+", "\u0378", False),
        (r"\P{C}+", "\ud800", False),
        (r"\P{C}+", "", False),
        (r"\P{C}*", "", True),
        (r"\P{C}*", "a\n", False),
        (r"[\P{C}\s]+", "{\r\n\t}", True),
        (r"[\P{C}\s]+", "a\x07", False),
        (r"[^\p{C}\p{IsWhitespace}]+", "/npm/scope~", True),
        (r"[^\p{C}\p{IsWhitespace}]+", "a b", False),
        (r"[^\p{C}\p{IsWhitespace}]+", "a\u00a0b", False),
        (r"[^\p{C}\p{IsWhitespace}]+", "a\u2003b", False),
        (r"[^\p{C}\p{IsWhitespace}]+", "a\u200bb", False),
        (r"[^#/\s]+", "a\u00a0b", True),
        (r"[^#/\s]+", "a b", False),
        (r"\S+", "a\n", False),
        (r"[0-9]{12}", "\u0661" * 12, False),
    ],
)
def test_the_patterns_of_the_model_mean_what_they_mean_in_java(pattern: str, text: str, expected: bool) -> None:
    assert model.Pattern(pattern).matches(text) is expected


def test_every_pattern_of_the_model_compiles() -> None:
    patterns = {s.pattern.text for o in MODEL.operations.values() for s in _strings(o.input) if s.pattern}

    assert len(patterns) >= 10


def _strings(shape: model.Shape) -> list[model.Shape]:
    inner = [m.shape for m in shape.members.values()]
    inner += [s for s in (shape.item, shape.key, shape.value) if s is not None]
    return [shape, *(s for each in inner for s in _strings(each))]
