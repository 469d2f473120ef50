"""The query protocol: what a request may look like, and what every answer holds."""

from __future__ import annotations

import json
import string
from typing import Any
from urllib.parse import parse_qs, quote, urlencode
from xml.etree import ElementTree

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.model import OperationModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.control import model, query
from registry.control.iam import call as iam
from registry.core.errors import Validation
from tests.harness import Answer
from tests.iam.conftest import Cloud, document, refused, trust

iam.load()
SESSION = botocore.session.get_session()


def send(cloud: Cloud, body: bytes, *, service: str = "iam", signed: bool = True, method: str = "POST") -> Answer:
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    if signed:
        request = AWSRequest(method, cloud.server.url + "/", headers, body)
        SigV4Auth(Credentials(*cloud.admin), service, "us-east-1").add_auth(request)
        headers = dict(request.headers.items())
    return cloud.server.request(method, "/", body=body, headers=headers)


def code(answer: Answer) -> str:
    root = ElementTree.fromstring(answer.text)
    namespace = root.tag.partition("}")[0] + "}"
    assert root.tag == f"{namespace}ErrorResponse" and root.findtext(f"{namespace}RequestId")
    assert root.findtext(f"{namespace}Error/{namespace}Type") == ("Receiver" if answer.status >= 500 else "Sender")
    return str(root.findtext(f"{namespace}Error/{namespace}Code"))


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b"", 400, "InvalidAction"),
        (b"Action=Nonsense&Version=2010-05-08", 400, "InvalidAction"),
        (b"Action=GetUser&Version=1999-01-01", 400, "InvalidAction"),
        (b"Action=GetCallerIdentity", 400, "InvalidAction"),
        (b"Action=CreateUser", 400, "ValidationError"),
        (b"Action=CreateUser&UserName=" + b"x" * 65, 400, "ValidationError"),
        (b"Action=CreateUser&UserName=a%00b", 400, "ValidationError"),
        (b"Action=CreateUser&UserName=%ff", 400, "ValidationError"),
        (b"Action=CreateUser&UserName.x=1", 400, "ValidationError"),
        (b"Action=CreateUser&UserName=a&UserName.x=1", 400, "ValidationError"),
        (b"Action=TagUser&UserName=admin&Tags=x", 400, "ValidationError"),
        (b"Action=TagUser&UserName=admin&Tags.member.x.Key=a", 400, "ValidationError"),
        (b"Action=TagUser&UserName=admin&Tags.member." + b"9" * 5000 + b".Key=a", 400, "ValidationError"),
        (b"Action=ListUsers&MaxItems=many", 400, "ValidationError"),
        (b"Action=ListUsers&MaxItems=0", 400, "ValidationError"),
        (b"Action=ListUsers&MaxItems=1001", 400, "ValidationError"),
        (b"Action=ListUsers&Marker=made-up", 400, "ValidationError"),
        (b"Action=ListUsers&" + b"&".join(b"a%d=" % n for n in range(3000)), 400, "ValidationError"),
        (b"Action=GetUser&UserName=" + b"x" * 1_100_000, 400, "ValidationError"),
        (b"Action=CreateLoginProfile&UserName=a&Password=b", 400, "InvalidAction"),
    ],
)
def test_what_is_no_request_is_refused_in_xml(cloud: Cloud, body: bytes, status: int, error: str) -> None:
    answer = send(cloud, body)

    assert (answer.status, code(answer)) == (status, error)
    assert answer.headers["content-type"].startswith("text/xml") and answer.headers["x-amzn-requestid"]


def test_who_does_not_sign_or_signs_wrong_is_told_so(cloud: Cloud) -> None:
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    assert (lambda a: (a.status, code(a)))(send(cloud, body, signed=False)) == (403, "MissingAuthenticationToken")
    assert (lambda a: (a.status, code(a)))(send(cloud, body, service="s3")) == (403, "SignatureDoesNotMatch")
    wrong = cloud.client("sts", (cloud.admin[0], "wrong"))
    assert refused(wrong.get_caller_identity) == ("SignatureDoesNotMatch", 403)
    unknown = cloud.client("sts", ("AKIANOBODY0000000001", "wrong"))
    assert refused(unknown.get_caller_identity) == ("InvalidClientTokenId", 403)
    assert send(cloud, body, service="sts").status == 200
    assert send(cloud, body, service="iam").status == 400


def test_text_of_every_kind_comes_back_as_it_was(cloud: Cloud) -> None:
    user, _ = cloud.user()
    values = ["<&>\"'", "ü ñ 中文", "a+b=c/d:e@f", "  spaces  "]
    values = [value for value in values if all(c.isalnum() or c in " _.:/=+-@" for c in value)]
    tags = [{"Key": f"k {n}é", "Value": value} for n, value in enumerate(values)]
    cloud.iam.tag_user(UserName=user, Tags=tags)
    assert cloud.iam.list_user_tags(UserName=user)["Tags"] == tags
    role = cloud.role(trust("*"), Description="<tab>\there & 'there'\r\n")
    assert cloud.iam.get_role(RoleName=role["RoleName"])["Role"]["Description"] == "<tab>\there & 'there'\r\n"
    text = document({"Effect": "Allow", "Action": "x:y", "Resource": "arn:aws:x:::<&>é%20+\u00ff"})
    cloud.iam.put_user_policy(UserName=user, PolicyName="a+b", PolicyDocument=text)
    found = cloud.iam.get_user_policy(UserName=user, PolicyName="a+b")["PolicyDocument"]
    assert found == json.loads(text)


@pytest.mark.parametrize(("service", "name"), sorted(iam.TABLE), ids=" ".join)
def test_every_operation_is_one_of_the_model_and_has_its_parameters_read(service: str, name: str) -> None:
    """Requests by botocore's own serializer for made-up parameters come out equal."""
    ours = model.load(service).operations[name]
    theirs = SESSION.get_service_model(service).operation_model(name)
    params = _made_up(theirs)
    request = create_serializer("query", include_validation=False).serialize_to_request(params, theirs)
    body = urlencode(request["body"]).encode()

    assert query.parse(ours, query.fields(body)) == params
    assert parse_qs(body.decode())["Action"] == [name]


def _made_up(operation: OperationModel) -> dict[str, Any]:
    return _value(operation.input_shape, 0) if operation.input_shape is not None else {}


def _value(shape: Any, depth: int) -> Any:
    if shape.type_name == "structure":
        return {name: _value(member, depth + 1) for name, member in shape.members.items()}
    if shape.type_name == "list":
        return [_value(shape.member, depth + 1) for _ in range(12 if depth < 2 else 2)]
    return {"integer": 7, "boolean": True}.get(shape.type_name, f"text & <{shape.name}>")


def test_answers_of_the_model_are_read_by_botocore() -> None:
    ours = model.load("iam").operations["ListUsers"]
    theirs = SESSION.get_service_model("iam").operation_model("ListUsers").output_shape
    user = {"Path": "/", "UserName": "<b&b>", "UserId": "AIDA", "Arn": "arn", "CreateDate": 1_700_000_000_000}
    value = {"Users": [user, user], "IsTruncated": False, "Marker": None}
    body = query.serialize(ours, value, namespace="https://iam.amazonaws.com/doc/2010-05-08/", request_id="r")
    read = create_parser("query").parse({"status_code": 200, "headers": {}, "body": body}, theirs)

    assert [each["UserName"] for each in read["Users"]] == ["<b&b>", "<b&b>"]
    assert read["Users"][0]["CreateDate"].timestamp() == 1_700_000_000 and read["IsTruncated"] is False
    assert read["ResponseMetadata"]["RequestId"] == "r" and "Marker" not in read


names = st.text(string.ascii_letters + ".0123456789", max_size=12)
forms = st.dictionaries(
    st.one_of(
        names, st.sampled_from(["Tags.member.1.Key", "Tags.member", "Tags.member.1", "UserName", "Tags", "Path"])
    ),
    st.text(max_size=8),
    max_size=6,
)


@settings(max_examples=200, deadline=None)
@given(form=forms, raw=st.binary(max_size=60))
def test_any_form_is_read_or_refused(form: dict[str, str], raw: bytes) -> None:
    operation = model.load("iam").operations["CreateUser"]
    for body in (urlencode(form).encode(), raw, quote(raw).encode()):
        try:
            query.parse(operation, query.fields(body))
        except Validation as refusal:
            assert refusal.message
