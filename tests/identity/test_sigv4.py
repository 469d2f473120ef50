"""Signatures against botocore's own signer, and every part of a request altered."""

from __future__ import annotations

import hashlib
import string
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from unittest.mock import patch
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import example, given
from hypothesis import strategies as st

from registry.identity.sigv4 import Claim, SignatureError, check, parse

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
NOW = datetime(2024, 6, 1, 12, 0, 0, tzinfo=UTC)
HOST = "registry.example.com:8080"


@dataclass(frozen=True)
class Wire:
    """A request as a server sees it."""

    method: str
    path: bytes
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def header(self, name: str, value: str | None) -> Wire:
        rest = tuple(pair for pair in self.headers if pair[0] != name.encode())
        return replace(self, headers=rest if value is None else (*rest, (name.encode(), value.encode())))

    def value(self, name: str) -> str:
        return dict(self.headers)[name.encode()].decode()


def sign(
    method: str = "POST",
    url: str = f"http://{HOST}/v1/domain?domain=my_domain",
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    *,
    presign: int | None = None,
    service: str = "codeartifact",
    region: str = "us-west-2",
    secret: str = SECRET,
    token: str | None = None,
    at: datetime = NOW,
) -> Wire:
    request = AWSRequest(method=method, url=url, headers=headers or {}, data=body)
    credentials = Credentials(KEY, secret, token)
    signer = (
        SigV4Auth(credentials, service, region)
        if presign is None
        else SigV4QueryAuth(credentials, service, region, expires=presign)
    )
    with patch("botocore.auth.get_current_datetime", return_value=at.replace(tzinfo=None)):
        signer.add_auth(request)
    parts = urlsplit(request.url)
    sent = [(b"host", parts.netloc.encode())]
    sent += [(name.lower().encode(), value.encode("latin-1")) for name, value in request.headers.items()]
    return Wire(method, parts.path.encode(), parts.query.encode(), tuple(sent), body)


def read(wire: Wire, *, now: datetime = NOW, services: tuple[str, ...] = ("codeartifact",)) -> Claim:
    return parse(wire.method, wire.path, wire.query, wire.headers, services=services, now=round(now.timestamp() * 1000))


def verify(wire: Wire, *, now: datetime = NOW, secret: str = SECRET) -> Claim:
    claim = read(wire, now=now)
    check(claim, secret, body_sha256=hashlib.sha256(wire.body).hexdigest())
    return claim


def refusal(wire: Wire, *, now: datetime = NOW, secret: str = SECRET) -> tuple[int, str, str]:
    with pytest.raises(SignatureError) as refused:
        verify(wire, now=now, secret=secret)
    return refused.value.status, refused.value.code, refused.value.message


INVALID = (403, "InvalidSignatureException")
INCOMPLETE = (400, "IncompleteSignatureException")

# --- what botocore signs is taken -----------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
paths = st.lists(texts.map(lambda t: quote(t, safe="~.+:@!$&'()*,;=")), max_size=4).map(lambda s: "/" + "/".join(s))
queries = st.lists(
    st.tuples(texts.filter(lambda t: not t.startswith("X-Amz-")), texts), max_size=4, unique_by=lambda p: p[0]
)
header_names = st.sampled_from(["x-amz-meta", "content-type", "x-other", "accept", "x-amz-content-sha256x"])
header_values = st.text(string.ascii_letters + string.digits + "  \t,;=\"'é", max_size=20).map(str.strip)


def query(pairs: list[tuple[str, str]]) -> str:
    return "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs)


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]),
    path=paths,
    pairs=queries,
    headers=st.dictionaries(header_names, header_values, max_size=3),
    body=st.binary(max_size=40),
    region=st.sampled_from(["us-west-2", "eu-central-1", "anywhere"]),
)
@example(method="GET", path="/v1/../v1//./tags/", pairs=[("b", "2"), ("a", "x y+z%")], headers={}, body=b"", region="r")
@example(
    method="PUT",
    path="/a%2Fb/%20/+",
    pairs=[("a", ""), ("A", "é&=")],
    headers={"accept": "a  b"},
    body=b"x",
    region="r",
)
def test_what_botocore_signs_in_the_header_is_taken(
    method: str, path: str, pairs: list[tuple[str, str]], headers: dict[str, str], body: bytes, region: str
) -> None:
    wire = sign(method, f"http://{HOST}{path}?{query(pairs)}", headers, body, region=region)

    claim = verify(wire)

    assert (claim.access_key_id, claim.region, claim.service, claim.presigned) == (KEY, region, "codeartifact", False)


@given(path=paths, pairs=queries, expires=st.integers(1, 604_800))
def test_what_botocore_signs_in_the_query_is_taken(path: str, pairs: list[tuple[str, str]], expires: int) -> None:
    wire = sign("GET", f"http://{HOST}{path}?{query(pairs)}", presign=expires)

    claim = verify(wire, now=NOW + timedelta(seconds=expires))

    assert claim.presigned


@pytest.mark.parametrize("raw", ["a=x+y", "a=%7e", "a", "a&b=&a=1&a=0", "a=é", "b=1&a=2&", "a=x%2fy", "a=1=2"])
def test_a_query_that_is_not_in_the_canonical_spelling_is_taken_as_botocore_signs_it(raw: str) -> None:
    wire = sign("GET", f"http://{HOST}/v1/domain?{raw}")

    verify(wire)


def test_a_query_signed_in_the_canonical_spelling_may_be_sent_in_another() -> None:
    wire = sign("GET", f"http://{HOST}/v1/domain?domain=a%2Fb%7Ec")

    verify(replace(sign("GET", f"http://{HOST}/v1/domain?domain=a%2Fb~c"), query=b"domain=a%2fb%7Ec"))
    verify(wire)


def test_a_plus_is_no_space() -> None:
    wire = sign("GET", f"http://{HOST}/v1/domain?domain=a%20b")

    assert refusal(replace(wire, query=b"domain=a+b"))[:2] == INVALID
    assert refusal(replace(sign("GET", f"http://{HOST}/v1/domain?domain=a%2Bb"), query=b"domain=a%20b"))[:2] == INVALID


def test_a_date_header_in_place_of_the_other() -> None:
    wire = sign(headers={"Date": "x"})

    assert verify(wire).timestamp == "20240601T120000Z"


def test_a_header_sent_twice_is_one_with_a_comma() -> None:
    wire = sign(headers={"x-amz-meta": "a,b"})

    verify(
        replace(
            wire.header("x-amz-meta", None),
            headers=(*wire.header("x-amz-meta", None).headers, (b"x-amz-meta", b"a"), (b"x-amz-meta", b"b")),
        )
    )


def test_a_request_for_another_of_our_services() -> None:
    wire = sign(url=f"http://{HOST}/", body=b"Action=GetCallerIdentity", service="sts")

    claim = read(wire, services=("iam", "sts"))
    check(claim, SECRET, body_sha256=hashlib.sha256(wire.body).hexdigest())

    assert claim.service == "sts"
    assert refusal(wire)[2] == "Credential should be scoped to correct service: 'codeartifact'."


# --- what was altered is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "altered",
    [
        lambda w: replace(w, method="GET"),
        lambda w: replace(w, path=w.path + b"s"),
        lambda w: replace(w, path=b"/v1/%64omain"),
        lambda w: replace(w, query=b"domain=other"),
        lambda w: replace(w, query=w.query + b"&x=1"),
        lambda w: replace(w, query=b""),
        lambda w: replace(w, body=w.body + b" "),
        lambda w: replace(w, body=b""),
        lambda w: w.header("host", "other.example.com"),
        lambda w: w.header("content-type", "text/plain"),
        lambda w: w.header("content-type", None),
        lambda w: w.header("x-amz-date", "20240601T120001Z"),
        lambda w: w.header("x-amz-meta", "other"),
        lambda w: w.header("x-amz-new", "1"),
        lambda w: w.header("authorization", w.value("authorization").replace("us-west-2", "us-west-1")),
        lambda w: w.header("authorization", w.value("authorization").replace("content-type;", "")),
        lambda w: w.header("authorization", w.value("authorization")[:-1] + "g"),
        lambda w: w.header("authorization", w.value("authorization")[:-1]),
        lambda w: w.header("authorization", w.value("authorization").replace("Signature=", "Signature=0")),
        lambda w: w.header("authorization", w.value("authorization").replace("Signature=", "Signature=é")),
    ],
)
def test_an_altered_request_is_refused(altered: object) -> None:
    wire = sign(headers={"content-type": "application/json", "x-amz-meta": "1"}, body=b'{"a": 1}')
    verify(wire)

    assert refusal(altered(wire))[:2] == INVALID  # type: ignore[operator]


@given(at=st.integers(0, 10_000), put=st.integers(0, 255))
def test_a_request_with_any_byte_altered_is_refused_or_means_the_same(at: int, put: int) -> None:
    wire = sign("GET", f"http://{HOST}/v1/domain?domain=dom&max-results=10", presign=60)
    query = bytearray(wire.query)
    query[at % len(query)] = put
    altered = replace(wire, query=bytes(query))

    try:
        claim = verify(altered)
    except SignatureError:
        return
    assert claim.heads[0] == verify(wire).heads[0]


def test_another_secret_is_refused() -> None:
    status, code, message = refusal(sign(), secret=SECRET + "x")

    assert (status, code) == INVALID
    assert message.startswith("The request signature we calculated does not match the signature you provided.")


@pytest.mark.parametrize("presign", [None, 60])
def test_the_token_of_a_session_is_handed_on(presign: int | None) -> None:
    wire = sign("GET", token="session", presign=presign)

    assert verify(wire).session_token == "session"


def test_two_tokens_of_a_session_are_refused() -> None:
    wire = sign("GET", token="session")
    twice = replace(wire, query=wire.query + b"&X-Amz-Security-Token=other")

    assert refusal(twice)[:2] == (400, "IncompleteSignatureException")


# --- the payload ------------------------------------------------------------------------------------------------------


def test_a_claimed_digest_stands_for_a_streamed_body() -> None:
    digest = hashlib.sha256(b"asset").hexdigest()
    wire = sign(headers={"x-amz-content-sha256": digest}, body=b"asset")

    claim = read(wire)
    check(claim, SECRET, body_sha256=None)

    assert claim.payload == digest
    assert refusal(replace(wire, body=b"other"))[:2] == INVALID
    assert refusal(wire.header("x-amz-content-sha256", hashlib.sha256(b"other").hexdigest()))[:2] == INVALID


def test_a_streamed_body_without_a_claim_is_refused() -> None:
    with pytest.raises(SignatureError, match="x-amz-content-sha256"):
        check(read(sign(body=b"asset")), SECRET, body_sha256=None)


def test_a_claim_in_capitals_is_the_same_digest() -> None:
    digest = hashlib.sha256(b"asset").hexdigest().upper()

    assert verify(sign(headers={"x-amz-content-sha256": digest}, body=b"asset")).payload == digest


@pytest.mark.parametrize(
    "value", ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"]
)
def test_a_body_that_is_not_signed_is_refused(value: str) -> None:
    status, code, message = refusal(sign(headers={"x-amz-content-sha256": value}, body=b"asset"))

    assert (status, code) == INVALID
    assert value in message


# --- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [-5, 0, 5])
def test_a_clock_may_be_five_minutes_off(minutes: int) -> None:
    verify(sign(), now=NOW + timedelta(minutes=minutes))


def test_an_old_signature_is_refused() -> None:
    assert refusal(sign(), now=NOW + timedelta(minutes=5, seconds=1)) == (
        *INVALID,
        "Signature expired: 20240601T120000Z is now earlier than 20240601T120001Z (20240601T120501Z - 5 min.)",
    )


def test_a_signature_of_the_future_is_refused() -> None:
    assert refusal(sign(), now=NOW - timedelta(minutes=5, seconds=1)) == (
        *INVALID,
        "Signature not yet current: 20240601T120000Z is still later than 20240601T115959Z (20240601T115459Z + 5 min.)",
    )


def test_a_signed_address_lives_as_long_as_it_says() -> None:
    wire = sign("GET", presign=60)

    verify(wire, now=NOW + timedelta(seconds=60))
    assert refusal(wire, now=NOW + timedelta(seconds=61)) == (
        *INVALID,
        "Signature expired: 20240601T120100Z is now earlier than 20240601T120101Z",
    )


@pytest.mark.parametrize("expires", [0, -1, 604_801, 10**12])
def test_a_signed_address_lives_at_most_a_week(expires: int) -> None:
    assert refusal(sign("GET", presign=expires))[:2] == INCOMPLETE


# --- what is missing or malformed -------------------------------------------------------------------------------------


def test_a_request_without_a_signature() -> None:
    wire = sign().header("authorization", None)

    assert refusal(wire) == (403, "MissingAuthenticationTokenException", "Missing Authentication Token")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: "Bearer abc", "Unsupported AWS 'algorithm': 'Bearer'."),
        (lambda text: "AWS4-HMAC-SHA256", "requires 'Credential' parameter"),
        (lambda text: "", "Unsupported AWS 'algorithm'"),
        (lambda text: text.replace("Credential=", "Credentials="), "requires 'Credential' parameter"),
        (lambda text: text.replace("SignedHeaders=", "Signed="), "requires 'SignedHeaders' parameter"),
        (lambda text: text.split(", Signature")[0], "requires 'Signature' parameter"),
        (lambda text: text + ", Signature=0", "each once"),
        (lambda text: text + ", x", "NAME=VALUE"),
        (lambda text: text.replace("/us-west-2", ""), "exactly 5 slash-delimited elements"),
        (lambda text: text.replace("/us-west-2", "/"), "exactly 5 slash-delimited elements"),
    ],
)
def test_an_authorization_that_is_not_whole(change: object, said: str) -> None:
    wire = sign()

    status, code, message = refusal(wire.header("authorization", change(wire.value("authorization"))))  # type: ignore[operator]

    assert (status, code) == INCOMPLETE
    assert said in message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("aws4_request", "aws5_request"), "valid terminator"),
        (lambda text: text.replace("/codeartifact/", "/s3/"), "correct service: 'codeartifact'"),
        (lambda text: text.replace("/20240601/", "/20240602/"), "'20240602' != '20240601'"),
        (lambda text: text.replace("host;", ""), "'Host' or ':authority' must be a 'SignedHeader'"),
        (lambda text: text.replace("host;", "host;host;"), "each once"),
        (lambda text: text.replace("host;", "Host;"), "lower case"),
        (lambda text: text.replace("host;", "host;absent;"), "absent"),
        (lambda text: text.replace(";x-amz-date", ""), "not signed: x-amz-date"),
    ],
)
def test_an_authorization_that_does_not_fit(change: object, said: str) -> None:
    wire = sign()

    status, code, message = refusal(wire.header("authorization", change(wire.value("authorization"))))  # type: ignore[operator]

    assert (status, code) == INVALID
    assert said in message


@pytest.mark.parametrize("value", [None, "yesterday", "20241301T000000Z", "2024-06-01T12:00:00Z", ""])
def test_a_date_that_is_none(value: str | None) -> None:
    assert refusal(sign().header("x-amz-date", value))[:2] == INCOMPLETE


def test_a_request_signed_twice_is_refused() -> None:
    wire = sign("GET", presign=60)
    header = sign().value("authorization")

    assert refusal(wire.header("authorization", header))[:2] == INCOMPLETE
    assert refusal(replace(sign(), headers=(*sign().headers, (b"authorization", header.encode()))))[:2] == INCOMPLETE
    assert refusal(replace(sign(), headers=(*sign().headers, (b"x-amz-date", b"20240601T120000Z"))))[:2] == INCOMPLETE


@pytest.mark.parametrize("name", ["Algorithm", "Credential", "Date", "SignedHeaders", "Signature"])
def test_a_signed_address_needs_each_part_once(name: str) -> None:
    wire = sign("GET", presign=60)
    parts = wire.query.split(b"&")
    mine = next(part for part in parts if part.startswith(f"X-Amz-{name}=".encode()))

    assert refusal(replace(wire, query=wire.query + b"&" + mine))[:2] == INCOMPLETE
    assert refusal(replace(wire, query=b"&".join(p for p in parts if p != mine)))[:2] == INCOMPLETE


def test_neither_the_claim_nor_a_refusal_shows_what_was_sent_as_a_secret() -> None:
    wire = sign().header("authorization", "Basic c2VjcmV0OnNlY3JldA==")

    assert "c2Vj" not in refusal(wire)[2]
    assert "AWS4-HMAC" not in repr(read(sign()))


@given(
    path=st.binary(max_size=20),
    raw=st.binary(max_size=60),
    headers=st.lists(
        st.tuples(st.sampled_from([b"authorization", b"host", b"x-amz-date", b"date"]), st.binary(max_size=60))
    ),
)
@example(path=b"/", raw=b"X-Amz-Algorithm=%ff&X-Amz-Signature", headers=[])
@example(
    path=b"/", raw=b"", headers=[(b"authorization", b"AWS4-HMAC-SHA256 Credential=\xff,SignedHeaders=a,Signature=b")]
)
def test_whatever_comes_is_taken_or_refused(path: bytes, raw: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    wire = Wire("GET", path, raw, tuple(headers), b"")

    assert refusal(wire)[0] in (400, 403)
