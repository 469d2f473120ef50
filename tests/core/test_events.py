"""Events, as the guide prints them."""

from __future__ import annotations

import re

from registry.core import events
from registry.core.arns import Arns
from registry.core.types import DomainKey, PackageKey, RepoKey, Repository, Status

REPO = Repository(7, 1, RepoKey(DomainKey("111122223333", "my_domain"), "myrepo"), "", "123456789012", 1)
CHANGES = events.Changes(assets_added=1, metadata=True, status=True)


PLAIN = PackageKey("npm", None, "mypackage")


def made(package: PackageKey = PLAIN, sequence: int = 1) -> events.Event:
    subject = events.Subject(package, "1.0.0", Status.PUBLISHED, "0E5DE26A4CD79FDF3EBC4924FFFFFFFF")
    return events.made(REPO, subject, "Created", CHANGES, sequence=sequence, now=1_574_378_394_123)


def test_the_guides_example_comes_out_as_printed() -> None:
    event = made()

    envelope = events.envelope(event, Arns("us-west-2"))

    detail = dict(event.detail)
    assert re.fullmatch(r"[A-Za-z0-9+/]{43}=", str(detail.pop("eventDeduplicationId")))
    assert detail == {
        "domainName": "my_domain",
        "domainOwner": "111122223333",
        "repositoryName": "myrepo",
        "repositoryAdministrator": "123456789012",
        "packageFormat": "npm",
        "packageNamespace": None,
        "packageName": "mypackage",
        "packageVersion": "1.0.0",
        "packageVersionState": "Published",
        "packageVersionRevision": "0E5DE26A4CD79FDF3EBC4924FFFFFFFF",
        "changes": {
            "assetsAdded": 1,
            "assetsRemoved": 0,
            "metadataUpdated": True,
            "assetsUpdated": 0,
            "statusChanged": True,
        },
        "operationType": "Created",
        "sequenceNumber": 1,
    }
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", str(envelope.pop("id")))
    assert envelope.pop("detail") == dict(event.detail)
    assert envelope == {
        "version": "0",
        "detail-type": "CodeArtifact Package Version State Change",
        "source": "aws.codeartifact",
        "account": "123456789012",
        "time": "2019-11-21T23:19:54Z",
        "region": "us-west-2",
        "resources": ["arn:aws:codeartifact:us-west-2:111122223333:package/my_domain/myrepo/npm//mypackage"],
    }


def test_a_namespace_stands_in_the_resource() -> None:
    envelope = events.envelope(made(PackageKey("npm", "types", "node")), Arns("us-west-2"))

    assert envelope["resources"] == [
        "arn:aws:codeartifact:us-west-2:111122223333:package/my_domain/myrepo/npm/types/node"
    ]


def test_an_event_sent_twice_is_the_same_and_two_events_differ() -> None:
    one, two = made(), made()

    assert events.envelope(one, Arns("us-west-2")) == events.envelope(one, Arns("us-west-2"))
    assert one.detail["eventDeduplicationId"] != two.detail["eventDeduplicationId"]
    assert one.id < two.id
