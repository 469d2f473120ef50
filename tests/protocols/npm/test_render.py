"""Packuments and tags from listings."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from protocols.npm import jsontext, manifest, render
from registry.core import semver
from registry.core.errors import ResourceNotFound
from registry.core.types import Listed, Listing, PackageKey, Stamp, Status

LEFT = PackageKey("npm", None, "left")
BASE = "http://h:1/npm/d/dom-1/r/"


def listed(version: str, published: int = 1_700_000_000_123, **more: object) -> Listed:
    fields = {"name": "left", "version": version, "dist": {"shasum": "x"}, **more}
    native = manifest.native(
        jsontext.decode(json.dumps(fields).encode(), manifest.Manifest), package=LEFT, version=version
    )
    return Listed(version, version, Status.PUBLISHED, native, (), published, semver.sort(version))


def listing(*versions: Listed, **tags: str) -> Listing:
    return Listing(LEFT, "left", versions, (), tags, Stamp(1))


def test_the_full_form_repeats_the_latest_versions_fields() -> None:
    found = json.loads(
        render.full(
            listing(
                listed("1.0.0", description="one", license="MIT", maintainers=[{"name": "a"}]),
                listed("2.0.0", 1_700_000_009_000, description="two"),
                latest="1.0.0",
                next="2.0.0",
            ),
            BASE,
        )
    )

    assert (found["_id"], found["name"], found["description"], found["license"]) == ("left", "left", "one", "MIT")
    assert found["maintainers"] == [{"name": "a"}]
    assert found["dist-tags"] == {"latest": "1.0.0", "next": "2.0.0"}
    assert list(found["versions"]) == ["1.0.0", "2.0.0"]
    assert found["versions"]["2.0.0"]["dist"]["tarball"] == f"{BASE}left/-/left-2.0.0.tgz"
    assert found["time"] == {
        "created": "2023-11-14T22:13:20.123Z",
        "modified": "2023-11-14T22:13:29.000Z",
        "1.0.0": "2023-11-14T22:13:20.123Z",
        "2.0.0": "2023-11-14T22:13:29.000Z",
    }


def test_the_abbreviated_form_has_times_and_only_what_installers_read() -> None:
    found = json.loads(render.abbreviated(listing(listed("1.0.0", scripts={"postinstall": "x"})), BASE))

    assert set(found) == {"name", "modified", "dist-tags", "versions", "time"}
    assert found["modified"] == found["time"]["1.0.0"]
    assert set(found["versions"]["1.0.0"]) == {"name", "version", "dist", "hasInstallScript"}


@pytest.mark.parametrize(
    ("versions", "tags", "latest"),
    [
        (["1.0.0", "2.0.0-rc.1"], {}, "1.0.0"),
        (["1.0.0-a", "1.0.0-b"], {}, "1.0.0-b"),
        (["1.0.0", "2.0.0"], {"latest": "1.0.0"}, "1.0.0"),
        (["1.0.0"], {"latest": "2.0.0"}, "1.0.0"),
    ],
)
def test_latest_is_always_there_and_always_listed(versions: list[str], tags: dict[str, str], latest: str) -> None:
    found = listing(*map(listed, versions), **tags, stale="9.9.9")

    assert render.tags(found) == {"latest": latest}
    assert json.loads(render.dist_tags(found)) == {"latest": latest}


def test_a_single_manifest_is_found_by_version_and_by_tag() -> None:
    found = listing(listed("1.0.0"), listed("1.1.0"), next="1.0.0")

    for wanted, version in {"1.0.0": "1.0.0", "v1.0.0": "1.0.0", "next": "1.0.0", "latest": "1.1.0"}.items():
        assert json.loads(render.single(found, wanted, BASE))["version"] == version
    for missing in ("2.0.0", "beta", "", "^1"):
        with pytest.raises(ResourceNotFound):
            render.single(found, missing, BASE)


def test_a_package_without_versions_is_not_found() -> None:
    for form in (render.full, render.abbreviated):
        with pytest.raises(ResourceNotFound):
            form(listing(), BASE)
    with pytest.raises(ResourceNotFound):
        render.dist_tags(listing())


def test_the_revision_changes_with_versions_and_tags_only() -> None:
    one = listing(listed("1.0.0"), latest="1.0.0")

    assert render.revision(one) == render.revision(replace(one, stamp=Stamp(2)))
    assert render.revision(one) != render.revision(listing(listed("1.0.0"), listed("1.0.1"), latest="1.0.0"))
    assert render.revision(one) != render.revision(listing(listed("1.0.0"), latest="1.0.0", a="1.0.0"))


def test_a_base_url_stays_inside_its_string() -> None:
    found = json.loads(render.full(listing(listed("1.0.0")), 'http://h/"},{"/'))

    assert found["versions"]["1.0.0"]["dist"]["tarball"] == 'http://h/"},{"/left/-/left-1.0.0.tgz'
