"""The guide's chapter "CodeArtifact event format and example": one event for each change, of what clients did."""

from __future__ import annotations

from typing import Any

from tests.chains.town import Town, settle, wheel_name

NPM, PYPI = "public:npmjs", "public:pypi"


def told(town: Town, package: str) -> list[tuple[str, str, str, str]]:
    """(repository, version, operation, state) of every event."""
    number = f"-{town.number}"
    return [
        (
            str(each["repositoryName"]).removesuffix(number),
            str(each["packageVersion"]),
            str(each["operationType"]),
            str(each["packageVersionState"]),
        )
        for each in town.events(package)
    ]


def changes(event: Any) -> tuple[int, int, int, bool, bool]:
    found = event["changes"]
    assert set(found) == {"assetsAdded", "assetsRemoved", "assetsUpdated", "metadataUpdated", "statusChanged"}
    return (
        found["assetsAdded"],
        found["assetsRemoved"],
        found["assetsUpdated"],
        found["metadataUpdated"],
        found["statusChanged"],
    )


def test_the_guides_example_of_an_npm_package_that_is_published(town: Town) -> None:
    package = town.name("mypackage")
    town.repo("myrepo")
    town.npm("myrepo").publish(package)
    shown = town.aws.describe_package_version(**town.at("myrepo", package), packageVersion="1.0.0")["packageVersion"]

    [event] = town.events(package)

    detail = dict(event)
    assert len(str(detail.pop("eventDeduplicationId"))) == 44
    assert detail == {
        "domainName": "dom",
        "domainOwner": "111122223333",
        "repositoryName": town.name("myrepo"),
        "repositoryAdministrator": "111122223333",
        "packageFormat": "npm",
        "packageNamespace": None,
        "packageName": package,
        "packageVersion": "1.0.0",
        "packageVersionState": "Published",
        "packageVersionRevision": shown["revision"],
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


def test_every_kind_of_change_has_its_event(town: Town) -> None:
    package = town.name("tool")
    town.repo("my")
    town.repo("copy")
    my = town.pypi("my")

    my.publish(package)
    my.publish(package)  # the same bytes again: nothing changed
    my.publish(package, tag="py311-none-any")
    my.yank(package, "1.0.0", "yanked=true")
    for status in ("Unlisted", "Unlisted", "Archived", "Published"):
        town.set_status("my", package, "1.0.0", status, "pypi")
    town.copy(package, "my", "copy", "1.0.0", format="pypi")
    town.set_status("my", package, "1.0.0", "Disposed", "pypi")
    town.set_status("my", package, "1.0.0", "Deleted", "pypi")
    my.publish(package, "2.0.0")
    my.publish(package, "3.0.0")
    town.aws.delete_package(**town.at("my", package, "pypi"))

    events = town.events(package)
    assert told(town, package) == [
        ("my", "1.0.0", "Created", "Published"),
        ("my", "1.0.0", "Updated", "Published"),
        ("my", "1.0.0", "Updated", "Published"),
        ("my", "1.0.0", "Updated", "Unlisted"),
        ("my", "1.0.0", "Updated", "Archived"),
        ("my", "1.0.0", "Updated", "Published"),
        ("copy", "1.0.0", "Created", "Published"),
        ("my", "1.0.0", "Updated", "Disposed"),
        ("my", "1.0.0", "Deleted", "Disposed"),
        ("my", "2.0.0", "Created", "Published"),
        ("my", "3.0.0", "Created", "Published"),
        ("my", "2.0.0", "Deleted", "Published"),
        ("my", "3.0.0", "Deleted", "Published"),
    ]
    assert [changes(each) for each in events[:9]] == [
        (1, 0, 0, True, True),
        (1, 0, 0, False, False),
        (0, 0, 0, True, False),
        (0, 0, 0, False, True),
        (0, 0, 0, False, True),
        (0, 0, 0, False, True),
        (2, 0, 0, True, True),
        (0, 2, 0, False, True),
        (0, 0, 0, False, True),
    ]
    numbers = [each["sequenceNumber"] for each in events if each["repositoryName"] == town.name("my")]
    assert all(isinstance(number, int) for number in numbers)
    assert numbers == sorted(set(numbers), key=numbers.index)
    assert numbers == sorted(numbers)  # type: ignore[type-var]
    assert len({each["eventDeduplicationId"] for each in events}) == len(events)


def test_retaining_and_ingesting_have_events_of_their_own(town: Town) -> None:
    package = town.name("lodash")
    town.public.publish(package)
    town.repo("store", connection=NPM)
    town.repo("middle", "store")
    town.repo("my", "middle")
    town.repo("other", "store")

    town.npm("my").packument(package)
    assert told(town, package) == []
    town.npm("my").fetch(package)
    town.npm("my").fetch(package)
    town.npm("other").fetch(package)

    assert told(town, package) == [
        ("store", "1.0.0", "Created", "Published"),
        ("my", "1.0.0", "Created", "Published"),
        ("other", "1.0.0", "Created", "Published"),
    ]


def test_further_assets_and_marks_of_a_retained_version_update_it(town: Town) -> None:
    package = town.name("torch")
    town.index.publish(package)
    town.repo("store", connection=PYPI)
    town.repo("my", "store")
    my = town.pypi("my")
    my.fetch(package, "1.0.0", wheel_name(package))
    town.index.publish(package, tag="py311-none-any")
    my.fetch(package, "1.0.0", wheel_name(package, tag="py311-none-any"))
    town.index.yank(package, "1.0.0", "yanked=true")
    my.files(package)
    settle(town.front)

    created = [("store", "1.0.0", "Created", "Published"), ("my", "1.0.0", "Created", "Published")]
    updated = [("store", "1.0.0", "Updated", "Published"), ("my", "1.0.0", "Updated", "Published")]
    assert sorted(told(town, package)) == sorted([*created, *updated, *updated])
    assert [changes(each) for each in town.events(package)][2:4] == [(1, 0, 0, False, False)] * 2


def test_overwriting_by_a_copy_says_what_became_of_the_assets(town: Town) -> None:
    package = town.name("web")
    town.repo("one")
    town.repo("two")
    town.npm("one").publish(package, description="new")
    town.npm("two").publish(package)

    town.copy(package, "one", "two", "1.0.0", allowOverwrite=True)

    event = town.events(package)[-1]
    assert (event["operationType"], changes(event)) == ("Updated", (0, 0, 1, True, False))


def test_what_fails_has_no_event(town: Town) -> None:
    package = town.name("web")
    town.repo("one")
    town.npm("one").publish(package)
    before = len(town.events(package))

    assert town.npm("one").publish(package, description="other").status == 409
    town.aws.update_package_versions_status(
        **town.at("one", package), versions=["1.0.0", "2.0.0"], targetStatus="Archived"
    )
    town.aws.delete_package_versions(**town.at("one", package), versions=["1.0.0", "2.0.0"])

    assert len(town.events(package)) == before
