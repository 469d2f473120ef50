"""What the audit trail says of IAM and STS: who did what, and no secret."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.harness import Server
from tests.iam.conftest import Cloud, allow, document, keys_of, refused, trust


def test_every_call_is_recorded_without_its_secrets(tmp_path: Path) -> None:
    with Server(tmp_path / "data", settings={"audit": {"file": "audit.jsonl"}}) as server:
        cloud = Cloud(server)
        name, keys = cloud.user(allow("sts:*"))
        role = cloud.role(trust({"AWS": cloud.account}), allow())["Arn"]
        made = cloud.sts.assume_role(RoleArn=role, RoleSessionName="night")
        cloud.client("iam", keys_of(made)).list_users()
        token = cloud.iam.create_service_specific_credential(UserName=name, ServiceName="codeartifact.amazonaws.com")
        assert refused(cloud.client("iam", keys).list_users) == ("AccessDenied", 403)
        assert refused(cloud.iam.put_user_policy, UserName=name, PolicyName="x", PolicyDocument=document()) == (
            "MalformedPolicyDocument",
            400,
        )
        secrets = [keys[1], *keys_of(made)[1:], token["ServiceSpecificCredential"]["ServicePassword"]]
        path, deadline = server.data / "audit.jsonl", time.monotonic() + 10
        while time.monotonic() < deadline and "MalformedPolicyDocument" not in (
            path.read_text() if path.exists() else ""
        ):
            time.sleep(0.05)
        text = path.read_text()
    stored = b"".join(each.read_bytes() for each in server.data.rglob("*") if each.is_file())
    said = stored + server.log.getvalue().encode()
    assert not [secret for secret in secrets if secret.encode() in said]

    records = {record["eventName"]: record for record in map(json.loads, text.splitlines())}
    assert records["CreateUser"]["requestParameters"]["UserName"] == name
    assert records["CreateUser"]["eventSource"] == "iam.amazonaws.com"
    assert records["CreateAccessKey"]["responseElements"]["AccessKey"]["AccessKeyId"] == keys[0]
    assert records["AssumeRole"]["resources"] == [{"ARN": role}]
    assert records["PutUserPolicy"]["errorCode"] == "MalformedPolicyDocument"
    listed = [json.loads(line) for line in text.splitlines() if '"ListUsers"' in line]
    assert [record["userIdentity"]["type"] for record in listed] == ["AssumedRole", "IAMUser"]
    assert listed[1]["errorCode"] == "AccessDenied"
