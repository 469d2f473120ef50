"""The audit trail of a real server: one record for each call, in CloudTrail's shape, without secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.harness import ACCESS_KEY, ACCOUNT, SECRET_KEY, Server
from tests.samples.base import Shop
from tests.samples.npm import SAMPLE as NPM


def trail(data: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (data / "audit.jsonl").read_text().splitlines()]


@pytest.fixture
def audited(tmp_path: Path) -> Server:
    return Server(tmp_path / "data", settings={"audit": {"file": "audit.jsonl"}})


def test_a_call_of_the_api_is_recorded(audited: Server) -> None:
    with audited as server:
        server.make("dom", "repo")
        token = server.token()
        with pytest.raises(ClientError):
            server.boto().describe_repository(domain="dom", repository="nowhere")
    found = trail(server.data)

    assert [each["eventName"] for each in found] == [
        "CreateDomain", "CreateRepository", "GetAuthorizationToken", "DescribeRepository",
    ]  # fmt: skip
    asked = found[2]
    assert asked["userIdentity"] == {
        "type": "IAMUser",
        "principalId": asked["userIdentity"]["principalId"],
        "arn": f"arn:aws:iam::{ACCOUNT}:user/admin",
        "accountId": ACCOUNT,
        "accessKeyId": ACCESS_KEY,
        "userName": "admin",
    }
    assert asked["eventSource"] == "codeartifact.amazonaws.com"
    assert asked["requestParameters"]["domainName"] == "dom"
    assert asked["responseElements"] == {"sessionToken": "HIDDEN_DUE_TO_SECURITY_REASONS"}
    assert asked["sourceIPAddress"] == "127.0.0.1"
    assert asked["recipientAccountId"] == ACCOUNT
    assert "boto" in asked["userAgent"].lower()
    assert [each["readOnly"] for each in found] == [False, False, False, True]
    assert found[3]["errorCode"] == "ResourceNotFoundException"
    assert "nowhere" in found[3]["errorMessage"]
    assert len({each["eventID"] for each in found}) == 4
    text = json.dumps(found)
    assert token not in text
    assert SECRET_KEY not in text


def test_a_package_managers_requests_are_recorded_also_from_the_hot_cache(audited: Server) -> None:
    with audited as server:
        shop = Shop(server.make("dom", "repo"), "npm", "repo")
        assert NPM.publish(shop, "left").status < 300
        for _ in range(6):
            assert shop("GET", NPM.index("left")).status == 200
        assert shop("GET", NPM.asset("left")[1]).status == 200
        assert Shop(server, "npm", "repo", token="wrong")("GET", NPM.index("left")).status == 401
        token = server.token()
    found = [each for each in trail(server.data) if "additionalEventData" in each]

    assert [each["eventName"] for each in found] == ["PublishPackageVersion"] + ["ReadFromRepository"] * 8
    published, read, file, refused = found[0], found[1:7], found[7], found[8]
    assert published["requestParameters"] == {
        "packageFormat": "npm",
        "domainName": "dom",
        "domainOwner": ACCOUNT,
        "repositoryName": "repo",
        "packageName": "left",
        "packageNamespace": "team",
        "packageVersion": "1.0.0",
    }
    assert published["readOnly"] is False
    assert published["additionalEventData"]["httpMethod"] == "PUT"
    alike = [{k: v for k, v in each.items() if k not in ("eventID", "requestID", "eventTime")} for each in read]
    assert alike == [alike[0]] * 6
    assert len({each["requestID"] for each in found}) == 9
    assert file["requestParameters"]["packageVersion"] == "1.0.0"
    assert file["additionalEventData"]["requestUri"].endswith("/@team/left/-/left-1.0.0.tgz")
    assert refused["errorCode"] == "Unauthenticated"
    assert refused["userIdentity"] == {"type": "Unknown"}
    assert token not in json.dumps(found)


def test_without_the_setting_there_is_no_file(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        server.make("dom", "repo")
    assert not list((tmp_path / "data").glob("audit*"))
