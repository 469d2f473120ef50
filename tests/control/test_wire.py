"""What botocore sends is what operations get, and what they answer is what botocore reads: all 48 operations."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import botocore.session
import pytest
from botocore.awsrequest import create_request_object, prepare_request_dict
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.control import model, restjson, validate
from registry.control.model import Operation, Shape
from registry.core.errors import Validation
from tests.control import drawn

MODEL = model.load()
SERVICE = botocore.session.get_session().get_service_model("codeartifact")
NAMES = sorted(MODEL.operations)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

few = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def sent(operation: Operation, params: dict[str, Any]) -> tuple[str, str, bytes, list[tuple[bytes, bytes]], bytes]:
    """Method, path, raw query, headers and body as botocore sends them."""
    request = create_serializer("rest-json").serialize_to_request(params, SERVICE.operation_model(operation.name))
    prepare_request_dict(request, endpoint_url="http://registry.test", context={})
    prepared = create_request_object(request).prepare()
    parts = urlsplit(prepared.url)
    body = prepared.body if isinstance(prepared.body, bytes) else (prepared.body or "").encode()
    headers = [
        (k.lower().encode(), v if isinstance(v, bytes) else str(v).encode()) for k, v in prepared.headers.items()
    ]
    return prepared.method, parts.path, parts.query.encode(), headers, body


def read(operation: Operation, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> dict[str, Any]:
    """A response as botocore's parser gives it to its users."""
    response = {"status_code": status, "headers": {k.decode(): v.decode("latin-1") for k, v in headers}, "body": body}
    parsed = create_parser("rest-json").parse(response, SERVICE.operation_model(operation.name).output_shape)
    del parsed["ResponseMetadata"]
    return parsed  # type: ignore[no-any-return]


def as_read(shape: Shape, value: Any) -> Any:
    """What botocore makes of a value: a time becomes a datetime."""
    if shape.kind == "structure":
        return {k: as_read(shape.members[k].shape, v) for k, v in value.items()}
    if shape.item is not None:
        return [as_read(shape.item, v) for v in value]
    if shape.value is not None:
        return {k: as_read(shape.value, v) for k, v in value.items()}
    return round((value / 1000) * 1000) if shape.kind == "timestamp" else value


def in_milliseconds(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: in_milliseconds(v) for k, v in value.items()}
    if isinstance(value, list):
        return [in_milliseconds(v) for v in value]
    return round((value - EPOCH).total_seconds() * 1000) if isinstance(value, datetime) else value


@pytest.mark.parametrize("name", NAMES)
@few
@given(data=st.data())
def test_a_request_of_botocore_gives_back_its_parameters(name: str, data: st.DataObject) -> None:
    operation = MODEL.operations[name]
    params = data.draw(drawn.structure(operation.input))
    content = {operation.input.payload: b"content"} if operation.input.payload else {}

    method, path, query, headers, body = sent(operation, {**params, **content})

    assert MODEL.routes[(method, path)] is operation
    assert restjson.parse(operation, query, headers, body) == params
    validate.check(operation.input, params)


@pytest.mark.parametrize("name", NAMES)
@few
@given(data=st.data())
def test_an_answer_is_read_by_botocore_as_it_was_meant(name: str, data: st.DataObject) -> None:
    operation = MODEL.operations[name]
    if operation.output.payload is not None:
        pytest.skip("streams")
    meant = data.draw(drawn.structure(operation.output))

    headers, body = restjson.serialize(operation.output, meant)

    assert in_milliseconds(read(operation, 200, headers, body)) == as_read(operation.output, meant)


def test_unset_members_are_left_out_and_empty_lists_stay() -> None:
    operation = MODEL.operations["DescribeRepository"]
    record = {"name": "r", "description": None, "upstreams": [], "createdTime": 1_583_075_193_861}

    _, body = restjson.serialize(operation.output, {"repository": record})

    assert body == b'{"repository":{"name":"r","upstreams":[],"createdTime":1583075193.861}}'


def test_a_member_that_the_shape_does_not_have_is_a_programming_error() -> None:
    with pytest.raises(KeyError):
        restjson.serialize(MODEL.operations["DescribeRepository"].output, {"repo": {}})


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (b"domain=a%2Bb", "a+b"),
        (b"domain=a+b", "a+b"),
        (b"domain=a%20b", "a b"),
        (b"domain=%C3%A9", "é"),
        (b"domain=first&domain=second", "first"),
        (b"&&unknown=1&domain=x&", "x"),
        (b"do%6Dain=x%3D%26", "x=&"),
        (b"domain=a=b", "a=b"),
        (b"domain=", ""),
    ],
)
def test_query_strings_are_decoded_once_and_what_is_unknown_is_ignored(query: bytes, expected: str) -> None:
    assert restjson.parse(MODEL.operations["DescribeDomain"], query, [], b"") == {"domain": expected}


@pytest.mark.parametrize("query", [b"domain=%zz", b"domain=%", b"domain=%e9", b"domain=a%00b"])
def test_a_query_that_cannot_be_read_is_refused(query: bytes) -> None:
    with pytest.raises(Validation) as caught:
        restjson.parse(MODEL.operations["DescribeDomain"], query, [], b"")
    assert caught.value.reason == "CANNOT_PARSE"


@pytest.mark.parametrize("text", [b"yes", b"True", b"1", b""])
def test_a_query_boolean_is_true_or_false(text: bytes) -> None:
    with pytest.raises(Validation):
        restjson.parse(MODEL.operations["PublishPackageVersion"], b"unfinished=" + text, [], b"")


@pytest.mark.parametrize("text", [b"ten", b"1.5", b"", b"9999999999", b"+1", b"1e3", b"%D9%A1"])
def test_a_query_integer_is_decimal(text: bytes) -> None:
    with pytest.raises(Validation):
        restjson.parse(MODEL.operations["ListPackages"], b"max-results=" + text, [], b"")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"versions": "1.0"}',
        b'{"versions": [1]}',
        b'{"versions": [null]}',
        b'{"versions": ["\\ud800"]}',
        b'{"versions": ["a\\u0000b"]}',
        b'{"versionRevisions": []}',
        b'{"versionRevisions": {"1": 2}}',
        b'{"allowOverwrite": "true"}',
        b'{"allowOverwrite": 1}',
        b'{"versions": []} x',
    ],
)
def test_a_body_that_is_not_of_its_type_is_refused(body: bytes) -> None:
    with pytest.raises(Validation) as caught:
        restjson.parse(MODEL.operations["CopyPackageVersions"], b"", [], body)
    assert caught.value.reason == "CANNOT_PARSE"


def test_null_counts_as_absent_and_unknown_members_are_ignored() -> None:
    body = b'{"versions": null, "versionRevisions": {"1": null, "2": "r"}, "more": {"x": 1}}'

    assert restjson.parse(MODEL.operations["CopyPackageVersions"], b"", [], body) == {"versionRevisions": {"2": "r"}}


def test_header_values_are_visible_ascii() -> None:
    assert restjson.header_value("a b+=/é\n名.bin") == b"a b+=/%C3%A9%0A%E5%90%8D.bin"
