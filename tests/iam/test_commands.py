"""`packyard account | user | token` on the machine of a server that runs."""

from __future__ import annotations

import configparser
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from registry.cli import main
from tests.harness import REGION, Server


@pytest.fixture
def packyard(empty: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs a command on the server's data: (status, lines, error)."""
    for name in ("PACKYARD_ADMIN_ACCESS_KEY_ID", "PACKYARD_ADMIN_SECRET_ACCESS_KEY", "PACKYARD_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    if empty.config.storage.database:
        monkeypatch.setenv("PACKYARD_STORAGE_DATABASE", empty.config.storage.database)

    def run(*words: str) -> tuple[int, list[str], str]:
        status = main([*words, "--data", str(empty.data)])
        said = capsys.readouterr()
        return status, said.out.splitlines(), said.err

    return run


def client(server: Server, service: str, key: str, secret: str):
    config = Config(retries={"max_attempts": 0}, ignore_configured_endpoint_urls=True)
    session = boto3.session.Session(key, secret, region_name=REGION)
    return session.client(service, endpoint_url=server.url, config=config)


def profile(path: Path, name: str) -> tuple[str, str]:
    config = configparser.RawConfigParser()
    config.read(path)
    return config[name]["aws_access_key_id"], config[name]["aws_secret_access_key"]


def test_an_account_is_added_while_the_server_runs(empty: Server, packyard) -> None:
    status, lines, _ = packyard("account", "add", "222233334444")
    assert status == 0 and "packyard-222233334444" in lines[0]
    keys = profile(empty.data / "credentials", "packyard-222233334444")
    assert client(empty, "sts", *keys).get_caller_identity()["Account"] == "222233334444"
    assert packyard("account", "list")[1] == [empty.account, "222233334444"]
    assert packyard("account", "add", "222233334444")[::2] == (
        1,
        "packyard: There is an account 222233334444 already\n",
    )
    assert packyard("account", "add", "12")[0] == 2


def test_a_user_is_added_given_keys_and_deleted(empty: Server, packyard) -> None:
    status, lines, _ = packyard("user", "add", "bob", "--path", "/team/", "--policy", "AWSCodeArtifactReadOnlyAccess")
    keys = [line.partition(" = ")[2] for line in lines[1:]]
    assert status == 0 and lines[0] == f"User arn:aws:iam::{empty.account}:user/team/bob"
    bob = client(empty, "codeartifact", *keys)
    bob.list_domains()
    assert packyard("user", "add", "BOB")[0] == 1
    assert packyard("user", "add", "eve", "--policy", "None")[::2] == (1, "packyard: There is no managed policy None\n")
    assert packyard("user", "add", "eve", "--account", "999999999999")[0] == 1
    assert packyard("user", "add", "a b")[0] == 1
    assert len(packyard("user", "key", "bob")[1]) == 2
    assert packyard("user", "key", "bob")[0] == 1
    assert [line.split("\t")[:2] for line in packyard("user", "list")[1]] == [["admin", "/"], ["bob", "/team/"]]
    assert packyard("user", "delete", "bob")[0] == 0
    with pytest.raises(bob.exceptions.ClientError, match="UnrecognizedClientException"):
        bob.list_domains()
    assert packyard("user", "delete", "bob")[0] == 1


def test_a_long_lived_token_is_made_listed_and_revoked(empty: Server, packyard) -> None:
    empty.make("dom", "repo").make("other", "repo")
    packyard("user", "add", "bot", "--no-key", "--policy", "AWSCodeArtifactReadOnlyAccess")
    status, lines, _ = packyard("token", "create", "bot", "--days", "30", "--domain", "dom", "--description", "CI")
    assert status == 0
    id, token = lines[0].split()[1].rstrip(","), lines[1]
    dom, other = (empty.endpoint("pypi", domain=domain) + "simple/" for domain in ("dom", "other"))
    assert [empty.get(where, token=token).status for where in (dom, other)] == [200, 403]
    listed = packyard("token", "list")[1]
    assert [line.split("\t")[:3] for line in listed] == [[id, "bot", "active"]] and listed[0].endswith("\tCI")
    assert token not in str(listed)
    assert packyard("token", "revoke", id)[0] == 0
    assert empty.get(dom, token=token).status == 401
    assert packyard("token", "revoke", id)[0] == 1
    everywhere = packyard("token", "create", "bot")[1][1]
    assert [empty.get(where, token=everywhere).status for where in (dom, other)] == [200, 200]
    for wrong in (("--days", "0"), ("--domain", "none")):
        assert packyard("token", "create", "bot", *wrong)[0] == 1
    assert packyard("token", "create", "nobody")[0] == 1
