"""The condition operators of policy documents.

Source: IAM User Guide, "IAM JSON policy elements: Condition operators" and "Multivalued context keys".
One Condition is one operator on one key; those of a statement are joined by "and", the values of one by "or"
(by "nor" for the negated operators).
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Literal

from registry.core.globs import Lookup, glob

Context = Mapping[str, tuple[str, ...]]
"""Condition keys in lower case, each with its values; a key without values is absent."""

Test = Callable[[str, Lookup], bool | None]
"""Does a value of the request match this value of the policy?  None: its variable stands for nothing."""

Qualifier = Literal["", "ForAllValues", "ForAnyValue"]


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one key.  `keys` are all condition keys that its outcome depends on."""

    key: str
    tests: tuple[Test, ...]
    negated: bool
    null: bool
    if_exists: bool
    qualifier: Qualifier
    keys: frozenset[str]

    def holds(self, context: Context, lookup: Lookup, *, unresolved: bool) -> bool:
        """`unresolved`: what a policy value counts as, in a negated operator, when its variable stands for nothing."""
        values = context.get(self.key, ())
        if self.null:
            return any(test("false" if values else "true", lookup) for test in self.tests)
        if not values:
            return self.if_exists or self.qualifier == "ForAllValues" or (self.negated and not self.qualifier)
        blank = self.negated and unresolved

        def one(value: str) -> bool:
            outcomes = (test(value, lookup) for test in self.tests)
            return any(blank if outcome is None else outcome for outcome in outcomes) != self.negated

        if self.qualifier == "ForAllValues" or (self.negated and not self.qualifier):
            return all(map(one, values))
        return any(map(one, values))


def condition(name: str, key: str, values: list[str], *, variables: bool) -> Condition:
    """Compile one operator on one key.  Raises ValueError with the reason."""
    qualifier, base, if_exists = _split(name)
    kind = _OPERATORS.get(base)
    if kind is None or (base == "Null" and (if_exists or qualifier)):
        raise ValueError(f"Invalid Condition type : {name}")
    make, negated = kind
    tests, keys = [], {key.lower()}
    for value in values:
        try:
            test, named = make(value, variables)
        except (ValueError, InvalidOperation, OverflowError):
            raise ValueError(f"Invalid value {value!r} for the condition operator {name}") from None
        tests.append(test)
        keys |= named
    return Condition(
        key=key.lower(),
        tests=tuple(tests),
        negated=negated,
        null=base == "Null",
        if_exists=if_exists,
        qualifier=qualifier,
        keys=frozenset(keys),
    )


def _split(name: str) -> tuple[Qualifier, str, bool]:
    qualifier: Qualifier = ""
    head, colon, base = name.partition(":")
    if colon:
        if head == "ForAllValues":
            qualifier = "ForAllValues"
        elif head == "ForAnyValue":
            qualifier = "ForAnyValue"
        else:
            raise ValueError(f"Invalid Condition type : {name}")
    else:
        base = name
    return qualifier, base.removesuffix("IfExists"), base.endswith("IfExists")


# --- one maker per family: (value of the policy, are variables understood) -> (test, keys of its variables) ------

Made = tuple[Test, frozenset[str]]
Make = Callable[[str, bool], Made]


def _string(*, wild: bool = False, fold: bool = False) -> Make:
    def make(value: str, variables: bool) -> Made:
        pattern = glob(value, variables=variables, wild=wild, fold=fold)
        return pattern.matches, pattern.keys

    return make


def _arn(value: str, variables: bool) -> Made:
    """Each of the six parts by itself, with wildcards; a lone "*" is any name."""
    if value == "*":
        return (lambda text, lookup: True), frozenset()
    parts = [glob(part, variables=variables) for part in _arn_parts(value)]

    def test(text: str, lookup: Lookup) -> bool | None:
        given = text.split(":", 5)
        if len(given) != len(parts):
            return False
        outcomes = [part.matches(one, lookup) for part, one in zip(parts, given, strict=True)]
        return None if None in outcomes else all(outcomes)

    return test, frozenset[str]().union(*(part.keys for part in parts))


def _arn_parts(value: str) -> list[str]:
    """Split at colons outside of variables: `${aws:username}` has one of its own."""
    parts, depth = [""], 0
    for i, char in enumerate(value):
        if char == "{" and value[i - 1 : i] == "$":
            depth = 1
        elif char == "}":
            depth = 0
        if char == ":" and not depth and len(parts) < 6:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def _number(text: str) -> Decimal:
    number = Decimal(text.strip())
    if not number.is_finite():
        raise ValueError(text)
    return number


def _moment(text: str) -> Decimal:
    """ISO 8601 (UTC unless it says otherwise) or seconds since the epoch; as seconds."""
    try:
        return _number(text)
    except InvalidOperation:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return Decimal(str(moment.timestamp()))


def _ordered(read: Callable[[str], Decimal], compare: Callable[[Decimal, Decimal], bool]) -> Make:
    def make(value: str, _variables: bool) -> Made:
        wanted = read(value)

        def test(text: str, _lookup: Lookup) -> bool:
            try:
                return compare(read(text), wanted)
            except (ValueError, InvalidOperation, OverflowError):
                return False

        return test, frozenset()

    return make


def _truth(value: str, _variables: bool) -> Made:
    wanted = value.strip().lower()
    if wanted not in ("true", "false"):
        raise ValueError(value)
    return (lambda text, lookup: text.lower() == wanted), frozenset()


def _binary(value: str, _variables: bool) -> Made:
    wanted = base64.b64decode(value, validate=True)

    def test(text: str, _lookup: Lookup) -> bool:
        try:
            return base64.b64decode(text, validate=True) == wanted
        except (binascii.Error, ValueError):
            return False

    return test, frozenset()


def _address(value: str, _variables: bool) -> Made:
    network = ipaddress.ip_network(value.strip(), strict=False)

    def test(text: str, _lookup: Lookup) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        # A dual-stack socket shows IPv4 clients as ::ffff:a.b.c.d.
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return (mapped or address) in network

    return test, frozenset()


_ORDER: dict[str, tuple[Callable[[Decimal, Decimal], bool], bool]] = {
    "Equals": (lambda a, b: a == b, False),
    "NotEquals": (lambda a, b: a == b, True),
    "LessThan": (lambda a, b: a < b, False),
    "LessThanEquals": (lambda a, b: a <= b, False),
    "GreaterThan": (lambda a, b: a > b, False),
    "GreaterThanEquals": (lambda a, b: a >= b, False),
}

_OPERATORS: dict[str, tuple[Make, bool]] = {
    "StringEquals": (_string(), False),
    "StringNotEquals": (_string(), True),
    "StringEqualsIgnoreCase": (_string(fold=True), False),
    "StringNotEqualsIgnoreCase": (_string(fold=True), True),
    "StringLike": (_string(wild=True), False),
    "StringNotLike": (_string(wild=True), True),
    "ArnEquals": (_arn, False),
    "ArnLike": (_arn, False),
    "ArnNotEquals": (_arn, True),
    "ArnNotLike": (_arn, True),
    "Bool": (_truth, False),
    "BinaryEquals": (_binary, False),
    "IpAddress": (_address, False),
    "NotIpAddress": (_address, True),
    "Null": (_truth, False),
    **{f"Numeric{name}": (_ordered(_number, compare), negated) for name, (compare, negated) in _ORDER.items()},
    **{f"Date{name}": (_ordered(_moment, compare), negated) for name, (compare, negated) in _ORDER.items()},
}
