"""Events on their way out of a real server: files, webhooks, retries, restarts, both accounts' copies."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from registry.sinks import relay as relaying
from registry.sinks.webhook import key_of
from tests.chains.town import new_user
from tests.harness import ACCOUNT, Server
from tests.samples.base import Shop
from tests.samples.npm import SAMPLE as NPM
from tests.sinks.receiver import Receiver

SECRET = "whsec_" + base64.b64encode(b"a signing key of some length").decode()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relaying, "TICK", 0.02)
    monkeypatch.setattr(relaying, "LONGEST_WAIT", 0.05)


def settings(receiver: Receiver | None = None, **events: Any) -> dict[str, Any]:
    hook = {"name": "ci", "url": receiver.url, "secret_env": "HOOK_SECRET"} if receiver else None
    return {"events": events, "webhooks": [hook] if hook else []}


def server_with(data: Path, *args: Any, **events: Any) -> Server:
    return Server(data, settings=settings(*args, **events), environ={"HOOK_SECRET": SECRET})


def versions(events: list[dict[str, Any]]) -> list[str]:
    return [each["detail"]["packageVersion"] for each in events]


def written(path: Path, count: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        if len(found) >= count:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{path} has fewer than {count} events")


def test_events_arrive_in_a_file_and_signed_at_an_address(tmp_path: Path, receiver: Receiver) -> None:
    with server_with(tmp_path / "data", receiver, file="events.jsonl") as server:
        shop = Shop(server.make("dom", "repo"), "npm", "repo")
        for version in ("1.0.0", "1.1.0", "1.2.0"):
            assert NPM.publish(shop, "left", version).status < 300
        receiver.wait(lambda: len(receiver.got) == 3)
        filed = written(tmp_path / "data" / "events.jsonl", 3)

    assert filed == receiver.got
    assert versions(filed) == ["1.0.0", "1.1.0", "1.2.0"]
    assert [each["detail"]["sequenceNumber"] for each in filed] == [1, 2, 3]
    event = filed[0]
    assert (event["source"], event["account"], event["version"]) == ("aws.codeartifact", ACCOUNT, "0")
    assert event["resources"] == [f"arn:aws:codeartifact:us-west-2:{ACCOUNT}:package/dom/repo/npm/team/left"]
    headers, body = receiver.seen[0]
    signed = f"{event['id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key_of(SECRET), signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-id"] == event["id"]
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60


def test_an_address_that_fails_is_asked_again_in_order(tmp_path: Path, receiver: Receiver) -> None:
    failures = iter([500, 503, 429])
    receiver.answer = lambda event: next(failures, 200)
    with server_with(tmp_path / "data", receiver) as server:
        shop = Shop(server.make("dom", "repo"), "npm", "repo")
        for number in range(5):
            assert NPM.publish(shop, "left", f"1.{number}.0").status < 300
        receiver.wait(lambda: len(receiver.got) == 5)

    assert versions(receiver.got) == [f"1.{number}.0" for number in range(5)]


def test_a_refused_event_is_given_up_and_holds_up_no_other(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answer = lambda event: 400 if event["detail"]["packageVersion"] == "1.0.0" else 200
    with server_with(tmp_path / "data", receiver) as server:
        shop = Shop(server.make("dom", "repo"), "npm", "repo")
        assert NPM.publish(shop, "left", "1.0.0").status < 300
        assert NPM.publish(shop, "left", "1.1.0").status < 300
        receiver.wait(lambda: len(receiver.got) == 1)

    assert versions(receiver.got) == ["1.1.0"]
    assert 2 <= len(receiver.seen) <= 12


def test_a_restart_goes_on_where_it_stopped(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answer = lambda event: 503
    with server_with(tmp_path / "data", receiver, file="events.jsonl") as server:
        shop = Shop(server.make("dom", "repo"), "npm", "repo")
        assert NPM.publish(shop, "left", "1.0.0").status < 300
        receiver.wait(lambda: len(receiver.seen) >= 1)
        written(tmp_path / "data" / "events.jsonl", 1)
    receiver.answer = lambda event: 200

    with server_with(tmp_path / "data", receiver, file="events.jsonl") as server:
        assert NPM.publish(Shop(server, "npm", "repo"), "left", "1.1.0").status < 300
        receiver.wait(lambda: len(receiver.got) == 2)
        filed = written(tmp_path / "data" / "events.jsonl", 2)

    assert versions(receiver.got) == ["1.0.0", "1.1.0"]
    assert versions(filed) == ["1.0.0", "1.1.0"]


def test_what_happened_before_there_was_a_sink_is_told_too(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        assert NPM.publish(Shop(server.make("dom", "repo"), "npm", "repo"), "left").status < 300

    with server_with(tmp_path / "data", file="events.jsonl"):
        assert versions(written(tmp_path / "data" / "events.jsonl", 1)) == ["1.0.0"]


def test_the_domains_owner_and_the_repositorys_administrator_get_a_copy_each(tmp_path: Path) -> None:
    other = "444455556666"
    with server_with(tmp_path / "data", file="events.jsonl") as server:
        server.make("dom")
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        user = new_user(server, "neighbor", everything, account=other)
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": other},
                    "Action": ["codeartifact:CreateRepository", "codeartifact:DescribeRepository"],
                    "Resource": "*",
                }
            ],
        }
        server.boto().put_domain_permissions_policy(domain="dom", policyDocument=json.dumps(policy))
        user.create_repository(domain="dom", domainOwner=ACCOUNT, repository="repo")
        # Whoever administers the repository says who may publish there.
        grant = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "*", "Resource": "*"}],
        }
        server.boto().put_repository_permissions_policy(
            domain="dom", repository="repo", policyDocument=json.dumps(grant)
        )
        assert NPM.publish(Shop(server, "npm", "repo"), "left").status < 300
        first, second = written(tmp_path / "data" / "events.jsonl", 2)

    assert [first["account"], second["account"]] == [ACCOUNT, other]
    assert first["id"] != second["id"]
    assert first["detail"] == second["detail"]


def test_settings_that_cannot_work_are_named(tmp_path: Path) -> None:
    hook = {"name": "ci", "url": "http://127.0.0.1:9/", "secret_env": "NOT_SET"}
    with pytest.raises(Exception, match=r"ci.*NOT_SET"):
        Server(tmp_path / "data", settings={"webhooks": [hook]}, environ={}).start()
    for bad in ({"url": "ftp://127.0.0.1/"}, {"secret_env": ""}, {"name": "a b"}):
        with pytest.raises(Exception, match="webhooks"):
            Server(tmp_path / "data", settings={"webhooks": [{**hook, **bad}]})
