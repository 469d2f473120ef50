"""The command lines of docs/guide/access.md, run by the AWS CLI in the order of the page."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Server
from tests.iam.issuer import running

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guide" / "access.md").read_text()


def commands() -> list[str]:
    """Each `aws` command of the page's shell blocks, whole."""
    blocks = re.findall(r"^```bash\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return [
        each for block in blocks for each in re.split(r"^(?=aws )", block, flags=re.MULTILINE) if each[:4] == "aws "
    ]


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    settings = {"accounts": [{"id": "444455556666"}]}
    home = tmp_path_factory.mktemp("home")
    worker = str(ROOT / "tests" / "control" / "aws_worker.py")
    with (
        Server(tmp_path_factory.mktemp("guide"), settings=settings) as server,
        subprocess.Popen([sys.executable, worker], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
    ):
        environ = {
            "HOME": str(home),
            "AWS_CONFIG_FILE": str(home / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(server.data / "credentials"),
            "AWS_PROFILE": "packyard",
            "AWS_DEFAULT_REGION": "us-west-2",
            "AWS_ENDPOINT_URL": server.url,
            "AWS_PAGER": "",
            "AWS_DEFAULT_OUTPUT": "json",
        }
        assert process.stdin is not None and process.stdout is not None

        def run(line: str, **more: str) -> Any:
            words = shlex.split(line.replace("\\\n", " "))[1:]
            print(json.dumps({"words": words, "environ": {**environ, **more}}), file=process.stdin, flush=True)
            done = json.loads(process.stdout.readline())
            assert done["status"] == 0, (line, done["err"])
            return json.loads(done["out"]) if done["out"] else None

        yield run
        process.stdin.close()


def test_every_command_of_the_page_does_what_it_says(aws: Any) -> None:
    said = {line: aws(line) for line in commands()}

    assert len(said) >= 25

    def of(start: str) -> Any:
        return next(answer for line, answer in said.items() if line.startswith(f"aws {start}"))

    assert of("sts get-caller-identity")["Arn"] == "arn:aws:iam::111122223333:user/admin"
    assert of("iam create-access-key")["AccessKey"]["Status"] == "Active"
    assert [user["UserName"] for user in of("iam get-group ")["Users"]] == ["bob"]
    assert [group["GroupName"] for group in of("iam list-entities-for-policy")["PolicyGroups"]] == ["publishers"]
    decisions = [each["EvalDecision"] for each in of("iam simulate-principal-policy")["EvaluationResults"]]
    assert decisions == ["allowed", "implicitDeny"]
    assert of("sts assume-role ")["AssumedRoleUser"]["Arn"].endswith("assumed-role/release/today")
    tokens = of("iam list-service-specific-credentials")["ServiceSpecificCredentials"]
    assert len(tokens) == 1 and "ServicePassword" not in tokens[0]


def test_a_profile_that_takes_on_a_role_needs_nothing_but_its_settings(aws: Any, tmp_path: Path) -> None:
    trusted = {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": trusted})
    aws(f"aws iam create-role --role-name by-profile --assume-role-policy-document '{document}'")
    config = tmp_path / "config"
    config.write_text(
        "[profile deploy]\nrole_arn = arn:aws:iam::111122223333:role/by-profile\n"
        "source_profile = packyard\nrole_session_name = nightly\n"
    )
    who = aws("aws sts get-caller-identity", AWS_CONFIG_FILE=str(config), AWS_PROFILE="deploy")

    assert who["Arn"] == "arn:aws:sts::111122223333:assumed-role/by-profile/nightly"


def test_a_build_of_hosted_ci_needs_its_token_file_and_the_name_of_a_role(aws: Any, tmp_path: Path) -> None:
    with running() as issuer:
        aws(f"aws iam create-open-id-connect-provider --url {issuer.url} --client-id-list packyard")
        name = issuer.url.split("://")[1]
        trusted = {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::111122223333:oidc-provider/{name}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {f"{name}:aud": "packyard"}, "StringLike": {f"{name}:sub": "repo:acme/*"}},
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": trusted})
        aws(f"aws iam create-role --role-name build --assume-role-policy-document '{document}'")
        aws(
            "aws iam attach-role-policy --role-name build "
            "--policy-arn arn:aws:iam::aws:policy/AWSCodeArtifactAdminAccess"
        )
        (tmp_path / "token").write_text(issuer.token())
        config = tmp_path / "config"
        config.write_text(
            "[profile ci]\nrole_arn = arn:aws:iam::111122223333:role/build\n"
            f"web_identity_token_file = {tmp_path / 'token'}\nrole_session_name = build-7\n"
        )
        ci = {"AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "ci"}
        assert aws("aws sts get-caller-identity", **ci)["Arn"].endswith(":assumed-role/build/build-7")
        aws("aws codeartifact create-domain --domain built", **ci)
        made = aws("aws codeartifact get-authorization-token --domain built --duration-seconds 0", **ci)
        assert made["authorizationToken"]
