"""Authorization tokens, and where clients put them."""

from __future__ import annotations

import base64
import hmac
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from registry.core.errors import Unauthenticated
from registry.core.types import Caller
from registry.identity.tokens import Expired, Malformed, Tokens, credentials_from

BOB = Caller("111122223333", "arn:aws:iam::111122223333:user/bob", "AIDABOB", "bob")
KEY = bytes(range(32))
LATER = 2_000


def test_a_token_says_who_and_for_which_domain_and_until_when() -> None:
    tokens = Tokens(KEY)

    claims = tokens.verify(tokens.mint(BOB, 42, LATER), LATER - 1)

    assert (claims.account, claims.user, claims.user_id) == ("111122223333", "bob", "AIDABOB")
    assert (claims.domain_id, claims.expires) == (42, LATER)


def test_no_two_tokens_are_alike() -> None:
    tokens = Tokens(KEY)

    assert tokens.mint(BOB, 42, LATER) != tokens.mint(BOB, 42, LATER)


def test_a_token_of_another_process_with_the_same_key_is_taken() -> None:
    assert Tokens(KEY).verify(Tokens(KEY).mint(BOB, 1, LATER), 0).user == "bob"


@given(
    name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64), domain=st.integers(0, 2**63 - 1)
)
def test_a_token_holds_any_name_in_its_alphabet(name: str, domain: int) -> None:
    tokens = Tokens(KEY)
    caller = Caller("111122223333", "arn", "AIDA", name)

    text = tokens.mint(caller, domain, LATER)

    assert set(text) <= set(string.ascii_letters + string.digits + "._~-")
    assert (tokens.verify(text, 0).user, tokens.verify(text, 0).domain_id) == (name, domain)


def test_an_expired_token_is_refused_though_it_was_taken_before() -> None:
    tokens = Tokens(KEY)
    text = tokens.mint(BOB, 42, LATER)
    tokens.verify(text, LATER - 1)

    with pytest.raises(Expired):
        tokens.verify(text, LATER)
    with pytest.raises(Expired):
        tokens.verify(text, LATER)


@given(at=st.integers(0, 10_000), put=st.sampled_from(string.ascii_letters + string.digits + "._~- é\n"))
def test_a_token_with_any_character_altered_is_refused(at: int, put: str) -> None:
    tokens = Tokens(KEY)
    text = tokens.mint(BOB, 42, LATER)
    at %= len(text)
    altered = text[:at] + put + text[at + 1 :]

    if altered != text:
        with pytest.raises(Malformed):
            tokens.verify(altered, 0)


@pytest.mark.parametrize(
    "text", ["", ".", "..", "py1..", "py1.e30.AAAA", "eyJhbGciOiJub25lIn0.e30.", "é", "x" * 100_000]
)
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        Tokens(KEY).verify(text, 0)


def test_a_token_under_another_key_is_refused() -> None:
    with pytest.raises(Malformed):
        Tokens(KEY).verify(Tokens(bytes(32)).mint(BOB, 42, LATER), 0)


def test_a_sealed_text_that_is_no_claim_is_refused() -> None:
    body = "py1." + base64.urlsafe_b64encode(b'{"account": 1}').rstrip(b"=").decode()
    seal = base64.urlsafe_b64encode(hmac.digest(KEY, body.encode(), "sha256")).rstrip(b"=").decode()

    with pytest.raises(Malformed):
        Tokens(KEY).verify(f"{body}.{seal}", 0)


def test_a_client_cannot_tell_an_expired_token_from_a_malformed_one() -> None:
    tokens = Tokens(KEY)

    with pytest.raises(Unauthenticated) as expired:
        tokens.verify(tokens.mint(BOB, 42, 0), 1)
    with pytest.raises(Unauthenticated) as malformed:
        tokens.verify("x", 1)

    assert str(expired.value) == str(malformed.value)


def test_only_so_many_tokens_are_remembered() -> None:
    tokens = Tokens(KEY, remember=8)

    for n in range(100):
        tokens.verify(tokens.mint(BOB, n, LATER), 0)

    assert len(tokens._seen) <= 8


# --- where clients put them -------------------------------------------------------------------------------------------


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({}, None),
        ({"authorization": "Bearer T"}, "T"),
        ({"authorization": "bearer T"}, "T"),
        ({"authorization": "BEARER   T "}, "T"),
        ({"authorization": "T"}, "T"),
        ({"authorization": basic("aws:T")}, "T"),
        ({"authorization": basic("token:T")}, "T"),
        ({"authorization": basic(":T")}, "T"),
        ({"authorization": basic("who.ever:T")}, "T"),
        ({"authorization": basic("aws:T:with:colons")}, "T:with:colons"),
        ({"authorization": basic("aws:T").replace("Basic", "bAsIc")}, "T"),
        ({"authorization": basic("aws:TT").rstrip("=")}, "TT"),
        ({"x-nuget-apikey": "T"}, "T"),
        ({"x-nuget-apikey": ""}, None),
        ({"authorization": "Bearer T", "x-nuget-apikey": "other"}, "T"),
        ({"authorization": basic("aws:T"), "x-nuget-apikey": "other"}, "T"),
    ],
)
def test_where_a_token_is(headers: dict[str, str], token: str | None) -> None:
    assert credentials_from(headers) == token
    assert credentials_from(Headers({name.title(): value for name, value in headers.items()})) == token


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Basic",
        "Bearer",
        "Bearer ",
        "Basic !!!",
        "Basic \u00e9",
        "Basic YXdz",  # no colon
        basic("aws:"),
        "Basic " + base64.b64encode(b"aws:\xff").decode(),
        "Digest username=x",
        "AWS4-HMAC-SHA256 Credential=x",
    ],
)
def test_an_authorization_that_cannot_be_read_is_refused_whatever_else_is_there(value: str) -> None:
    with pytest.raises(Unauthenticated):
        credentials_from({"authorization": value, "x-nuget-apikey": "T"})


@given(value=st.text(max_size=40))
def test_any_authorization_is_read_or_refused(value: str) -> None:
    try:
        token = credentials_from({"authorization": value})
    except Unauthenticated:
        return
    assert token
