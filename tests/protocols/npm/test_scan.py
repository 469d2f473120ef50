"""The scanner of publish bodies, against a parser that reads everything at once."""

from __future__ import annotations

import base64
import itertools
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.npm.scan import Base64, Scanner, TooLong

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["data", "_attachments", '"', "\\", '\\"', "{", "}]", "a.tgz"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)


def scan(body: bytes, step: int, limit: int = 10**6) -> tuple[Scanner, bytes, bytes]:
    scanner = Scanner(limit)
    data = bytearray()
    for start in range(0, len(body), step):
        for segment in scanner.feed(body[start : start + step]):
            data += segment
    return scanner, scanner.done(), bytes(data)


@given(
    st.dictionaries(texts.filter(lambda key: key != "_attachments"), values, max_size=4),
    st.binary(min_size=1, max_size=60),
    st.dictionaries(texts.filter(lambda key: key != "data"), values, max_size=3),
    st.booleans(),
    st.integers(1, 40),
    st.sampled_from([None, 2]),
    st.booleans(),
)
def test_the_tarball_is_taken_out_and_the_rest_stays(
    rest: dict[str, Any], tgz: bytes, more: dict[str, Any], first: bool, step: int, indent: int | None, slashes: bool
) -> None:
    encoded = base64.b64encode(tgz).decode()
    attachment = {**more, "data": encoded, "length": len(tgz)}
    attachments = {"_attachments": {"a.sigstore": {"data": '{"x": 1}'}, "a.tgz": attachment}}
    document = {**attachments, **rest} if first else {**rest, **attachments}
    body = json.dumps(document, indent=indent)
    if slashes:
        body = body.replace(json.dumps(encoded), json.dumps(encoded).replace("/", "\\/"))

    scanner, collected, data = scan(body.encode(), step)

    document["_attachments"] = {**attachments["_attachments"], "a.tgz": {**attachment, "data": ""}}
    assert json.loads(collected) == document
    assert base64.b64decode(data) == tgz
    assert scanner.tarballs == ["a.tgz"]


@given(values, st.integers(1, 30))
def test_a_document_without_a_tarball_is_collected_unchanged(value: Any, step: int) -> None:
    body = json.dumps({"versions": value}).encode()

    _, collected, data = scan(body, step)

    assert (collected, data) == (body, b"")


@given(st.binary(max_size=80) | st.text('{}[]",:\\_attachmensd ', max_size=80).map(str.encode), st.integers(1, 9))
def test_garbage_is_refused_or_passed_on_for_the_decoder_to_refuse(body: bytes, step: int) -> None:
    try:
        _, collected, data = scan(body, step)
    except ValueError:
        return

    assert data or collected == body


@pytest.mark.parametrize("cut", [1, 15, 40, 60, 75])
def test_a_truncated_body_is_refused(cut: int) -> None:
    body = b'{"_attachments":{"a-1.0.0.tgz":{"content_type":"x","data":"QUJDRA==","length":4}}}'

    with pytest.raises(ValueError, match="middle"):
        scan(body[:-cut], 7)


@pytest.mark.parametrize(
    "inner",
    ['"a.tgz":{"data":"QQ=="},"b.tgz":{"data":"QQ=="}', '"a.tgz":{"data":"QQ==","data":"QQ=="}'],
)
def test_a_second_tarball_is_refused(inner: str) -> None:
    with pytest.raises(ValueError, match="more than one"):
        scan(f'{{"_attachments":{{{inner}}}}}'.encode(), 100)


def test_keys_may_be_escaped() -> None:
    _, collected, data = scan(rb'{"_attach\u006dents":{"a":{"d\u0061ta":"QUI="}}}', 3)

    assert data == b"QUI="
    assert json.loads(collected) == {"_attachments": {"a": {"data": ""}}}


def test_what_is_collected_is_limited_but_the_tarball_is_not() -> None:
    scan(b'{"_attachments":{"a":{"data":"' + b"A" * 5000 + b'"}}}', 64, limit=200)
    with pytest.raises(TooLong):
        scan(b'{"readme":"' + b"A" * 5000 + b'"}', 64, limit=200)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(ValueError, match="deep"):
        scan(b'{"a":' + b"[" * 10_000, 1000)


@given(st.binary(max_size=200), st.lists(st.integers(0, 300), max_size=6))
def test_base64_decodes_in_pieces(body: bytes, cuts: list[int]) -> None:
    text = base64.b64encode(body)
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    decoder = Base64()

    found = b"".join(decoder.feed(text[a:b]) for a, b in itertools.pairwise(edges))
    decoder.done()

    assert found == body


@pytest.mark.parametrize(
    "text", [b"QQ==QQ==", b"QQ=", b"Q", b"QQ!=", b"Q=Q=", b"====", b"QUJD-_8=", b"\xff\xff\xff\xff"]
)
@pytest.mark.parametrize("step", [1, 4, 100])
def test_what_is_no_base64_is_refused(text: bytes, step: int) -> None:
    decoder = Base64()
    with pytest.raises(ValueError, match="base64"):
        for start in range(0, len(text), step):
            decoder.feed(text[start : start + step])
        decoder.done()


def test_escapes_in_base64_are_understood_wherever_the_chunk_ends() -> None:
    text = base64.b64encode(bytes(range(200))).decode()
    escaped = re.sub("[/+=]", lambda m: {"/": "\\/", "+": "\\u002b", "=": "\\u003D"}[m[0]], text)
    body = f'{{"_attachments":{{"a":{{"data":"{escaped}"}}}}}}'.encode()

    for step in range(1, 12):
        assert base64.b64decode(scan(body, step)[2]) == bytes(range(200))


@pytest.mark.parametrize("bad", [r"QU\"I=", r"QU\q=", r"QU\u12"])
def test_other_escapes_are_refused(bad: str) -> None:
    decoder = Base64()
    with pytest.raises(ValueError):
        _, collected, data = scan(f'{{"_attachments":{{"a":{{"data":"{bad}"}}}}}}'.encode(), 5)
        json.loads(collected)
        decoder.feed(data)
        decoder.done()
